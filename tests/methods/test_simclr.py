import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lightly.loss import NTXentLoss

from shortlib.methods.simclr import SimCLR, nt_xent
from shortlib.models.cnn import build_cnn


def projections(n, d, seed=0, kind=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(n, d, generator=generator, dtype=kind) for _ in range(2)]


def cosine(a, b):
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def slow_nt_xent(z1, z2, temperature):
    views = [*z1, *z2]
    partner = [*range(len(z1), len(views)), *range(len(z1))]
    total = 0.0
    for i, anchor in enumerate(views):
        scores = {k: cosine(anchor, view) / temperature for k, view in enumerate(views) if k != i}
        top = max(scores.values())
        others = sum(math.exp(score - top) for score in scores.values())
        total += top + math.log(others) - scores[partner[i]]
    return total / len(views)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 7), st.integers(1, 5), st.floats(0.05, 3), st.integers(0, 1000))
def test_the_loss_agrees_with_a_slow_version(n, d, temperature, seed):
    z1, z2 = projections(n, d, seed)
    due = slow_nt_xent(z1.tolist(), z2.tolist(), temperature)
    assert nt_xent(z1, z2, temperature).item() == pytest.approx(due, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_loss_and_gradient_agree_with_lightly(temperature):
    gradients = []
    for loss in (NTXentLoss(temperature), lambda a, b: nt_xent(a, b, temperature)):
        views = [z.requires_grad_() for z in projections(9, 16, 3)]
        value = loss(*views)
        value.backward()
        gradients.append((value, *(z.grad for z in views)))
    for theirs, ours in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


def test_views_that_are_all_alike_are_found_by_chance():
    same = torch.ones(6, 4)
    assert nt_xent(same, 3 * same, 0.1).item() == pytest.approx(math.log(11), rel=1e-6)


@pytest.mark.parametrize("n", [2, 8])
def test_pairs_at_right_angles_have_a_closed_form(n):
    eye = torch.eye(n, dtype=torch.float64)
    due = math.log(1 + (2 * n - 2) * math.exp(-1 / 0.3))
    assert nt_xent(eye, eye, 0.3).item() == pytest.approx(due, rel=1e-9)


def test_lengths_the_order_of_cases_and_of_views_do_not_matter_but_pairs_do():
    z1, z2 = projections(7, 5)
    due, order = nt_xent(z1, z2, 0.2), torch.tensor([3, 0, 6, 1, 5, 2, 4])
    lengths = torch.rand(7, 1, dtype=torch.float64) + 0.1
    for views in ((z2, z1), (z1[order], z2[order]), (z1 * lengths, 9 * z2)):
        torch.testing.assert_close(nt_xent(*views, 0.2), due)
    assert (nt_xent(z1, z2[order], 0.2) - due).abs() > 0.01


def test_half_precision_around_it_changes_nothing():
    z1, z2 = projections(8, 6, kind=torch.float32)
    due = nt_xent(z1, z2, 0.07)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(nt_xent(z1, z2, 0.07), due)


@pytest.mark.parametrize(
    ("z1", "z2", "temperature", "said"),
    [
        (torch.ones(3, 2), torch.ones(4, 2), 0.1, r"one shape \(n, d\), got \(3, 2\) and \(4, 2\)"),
        (torch.ones(3), torch.ones(3), 0.1, r"one shape \(n, d\), got \(3,\)"),
        (torch.ones(1, 2), torch.ones(1, 2), 0.1, "at least 2 rows to contrast, got 1"),
        (torch.ones(3, 2), torch.ones(3, 2), 0.0, "temperature must be positive, got 0.0"),
        (torch.ones(3, 2), torch.ones(3, 2), math.nan, "temperature must be positive, got nan"),
        (torch.ones(3, 2).int(), torch.ones(3, 2), 0.1, "must be floats, got torch.int32"),
    ],
)
def test_a_wrong_argument_is_said(z1, z2, temperature, said):
    with pytest.raises(ValueError, match=said):
        nt_xent(z1, z2, temperature)


def test_the_method_is_the_loss_of_what_the_head_makes_of_the_features():
    torch.manual_seed(0)
    model = SimCLR(build_cnn("cnn-small"), width=12, temperature=0.5).eval()
    first, second = torch.rand(2, 5, 1, 16, 16)
    projected = []
    for views in (first, second):
        features = model.encoder.body(views)
        pooled = torch.cat([features.mean(dim=(2, 3)), features.amax(dim=(2, 3))], dim=1)
        projected.append(model.head(pooled))
    assert projected[0].shape == (5, 12)
    torch.testing.assert_close(model.loss(first, second), nt_xent(*projected, 0.5))


@pytest.mark.parametrize("batch_norm", [True, False])
def test_encoder_and_head_learn_and_nothing_else(batch_norm):
    model = SimCLR(build_cnn("cnn-small"), hidden=20, batch_norm=batch_norm)
    first, second = torch.rand(2, 6, 1, 16, 16)
    model.loss(first, second).backward()
    for name, value in model.named_parameters():
        assert (value.grad is None) is name.startswith("encoder.head."), name
    kinds = [type(layer).__name__ for layer in model.head]
    assert ("BatchNorm1d" in kinds) is batch_norm
    assert [layer.in_features for layer in model.head if hasattr(layer, "in_features")] == [128, 20]


def test_a_head_without_features_is_refused():
    with pytest.raises(ValueError, match="hidden must be at least 1, got 0"):
        SimCLR(build_cnn("cnn-small"), hidden=0)
    with pytest.raises(ValueError, match="width must be at least 1, got -1"):
        SimCLR(build_cnn("cnn-small"), width=-1)
    with pytest.raises(ValueError, match="temperature must be positive, got 0"):
        SimCLR(build_cnn("cnn-small"), temperature=0)
