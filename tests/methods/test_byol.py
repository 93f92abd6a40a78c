import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lightly.loss import NegativeCosineSimilarity

from shortlib.methods.byol import BYOL, byol_loss, cosine_momentum
from shortlib.models.cnn import build_cnn


def small(**options):
    torch.manual_seed(0)
    return BYOL(build_cnn("cnn-small"), **{"hidden": 10, "width": 6, **options})


def views(n=5):
    return torch.rand(2, n, 1, 16, 16, generator=torch.Generator().manual_seed(0))


def pair(n=6, d=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(n, d, generator=generator, dtype=torch.float64) for _ in range(2)]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 1000))
def test_the_loss_is_the_squared_distance_of_unit_vectors(n, d, seed):
    a, b = pair(n, d, seed)
    due = 0.0
    for x, y in zip(a.tolist(), b.tolist(), strict=True):
        lengths = [math.sqrt(sum(v * v for v in row)) for row in (x, y)]
        due += sum((v / lengths[0] - w / lengths[1]) ** 2 for v, w in zip(x, y, strict=True)) / n
    assert byol_loss(a, b).item() == pytest.approx(due, rel=1e-9, abs=1e-9)


def test_loss_and_gradient_agree_with_lightly():
    found = []
    for loss in (lambda a, b: 2 + 2 * NegativeCosineSimilarity()(a, b), byol_loss):
        a, b = (z.requires_grad_() for z in pair())
        value = loss(a, b)
        value.backward()
        found.append((value, a.grad, b.grad))
    torch.testing.assert_close(found[0], found[1])


def test_the_loss_of_equal_opposite_and_right_angled_vectors():
    eye = torch.eye(4)
    losses = [byol_loss(eye, other).item() for other in (3 * eye, eye.roll(1, 0), -eye)]
    assert losses == pytest.approx([0, 2, 4])


def test_each_view_is_predicted_from_the_other_and_the_loss_is_the_sum_of_both():
    model, (first, second) = small().eval(), views()
    with torch.no_grad():  # a target network of its own, lest the sides be told apart by nothing
        for value in model.slow.parameters():
            value.add_(0.05 * torch.randn(value.shape))
    loss = NegativeCosineSimilarity()
    predicted = [model.predictor(model.project(view)) for view in (first, second)]
    targets = [model.slow.project(view) for view in (first, second)]
    theirs = loss(predicted[0], targets[1]) + loss(predicted[1], targets[0])
    torch.testing.assert_close(model.loss(first, second), 4 + 2 * theirs)
    torch.testing.assert_close(model.loss(second, first), model.loss(first, second))
    assert (model.loss(first, first) - model.loss(first, second)).abs() > 1e-4


def test_no_gradient_reaches_the_targets():
    model, (first, second) = small(), views()
    model.loss(first, second).backward()
    for name, value in model.named_parameters():
        idle = name.startswith(("slow.", "encoder.head."))
        assert (value.grad is None) is idle, name
    assert any(name.startswith("predictor.") for name, _ in model.named_parameters())
    kinds = [type(layer).__name__ for layer in model.predictor]
    assert kinds == ["Linear", "BatchNorm1d", "ReLU", "Linear"]
    sizes = [(layer.in_features, layer.out_features) for layer in model.predictor[::3]]
    assert sizes == [(6, 10), (10, 6)]


def test_without_predictor_and_stopped_gradient_it_is_the_distance_of_the_projections():
    model, (first, second) = small(predict=False, stop_gradient=False).eval(), views()
    assert not any(name.startswith(("slow", "predictor")) for name, _ in model.named_parameters())
    projected = [model.project(view) for view in (first, second)]
    torch.testing.assert_close(model.loss(first, second), 2 * byol_loss(*projected))
    model.after_step()


def test_the_momentum_rises_along_a_cosine():
    assert cosine_momentum(0.9, 0, 10) == pytest.approx(0.9)
    assert cosine_momentum(0.9, 5, 10) == pytest.approx(0.95)
    assert cosine_momentum(0.9, 10, 10) == pytest.approx(1.0)
    quarter = 1 - 0.1 * (1 + math.sqrt(0.5)) / 2
    assert cosine_momentum(0.9, 25, 100) == pytest.approx(quarter)
    model = small(momentum=0.9, momentum_schedule="cosine", steps=4)
    found = []
    for _ in range(6):
        found.append(model.current_momentum())
        model.after_step()
    assert found[:3] == pytest.approx([0.9, 1 - 0.05 * (1 + math.sqrt(0.5)), 0.95])
    assert found[4:] == [1.0, 1.0]
    assert small().current_momentum() == 0.99


@pytest.mark.parametrize("options", [{}, {"momentum_schedule": "cosine", "steps": 5}])
def test_the_slow_copy_is_the_moving_average_of_the_weights(options):
    model, due = small(momentum=0.8, **options), None
    due = model.slow.head[0].weight.double()
    for _ in range(4):
        with torch.no_grad():
            model.head[0].weight.add_(0.3)
        share = model.current_momentum()
        due = share * due + (1 - share) * model.head[0].weight.double()
        model.after_step()
    torch.testing.assert_close(model.slow.head[0].weight.double(), due, rtol=1e-5, atol=1e-6)
    # Where the schedule is, is kept with the weights.
    other = small(momentum=0.8, **options)
    other.load_state_dict(model.state_dict())
    assert other.current_momentum() == model.current_momentum()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"momentum": -0.1}, r"momentum must be in \[0, 1\], got -0.1"),
        ({"momentum_schedule": "linear"}, "momentum_schedule must be one of constant, cosine, got"),
        ({"momentum_schedule": "cosine"}, "steps must be at least 1 for a cosine schedule, got No"),
        ({"hidden": 0}, "hidden must be at least 1, got 0"),
    ],
)
def test_a_wrong_option_is_said(options, said):
    with pytest.raises(ValueError, match=said):
        small(**options)


def test_shapes_that_differ_are_said():
    with pytest.raises(ValueError, match=r"predictions and targets must have one shape \(n, d\)"):
        byol_loss(torch.ones(3, 2), torch.ones(2, 2))
