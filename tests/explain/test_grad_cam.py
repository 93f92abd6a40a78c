from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import densenet121

from shortlib.explain.grad_cam import grad_cam, logits_and_maps
from shortlib.models.cnn import CNN, build_cnn
from shortlib.models.transfer import build_transfer

NETWORKS = ("cnn-small", "mobilenet-v2", "resnet18", "densenet121")


class NormLast(nn.Module):
    """DenseNet-121 in parts; its own forward has the ReLU change the norm in place."""

    def __init__(self, inplace):
        super().__init__()
        whole = densenet121(weights=None, num_classes=3)
        self.features, self.classifier, self.relu = (
            whole.features,
            whole.classifier,
            nn.ReLU(inplace),
        )
        self.layer = whole.features.norm5

    def forward(self, images):
        return self.rest(self.features(images))

    def rest(self, features):
        return self.classifier(self.relu(features).mean(dim=(2, 3)))


def settled(model):
    """The model in evaluation mode: norms that saw something, and a head that speaks up."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        model.train()(torch.rand(6, 3, 64, 64))
        for module in model.modules():
            if isinstance(module, nn.Linear):
                module.weight *= 30  # the package adds 1e-7 to a peak, which then is nothing
    return model.eval()


@pytest.fixture(scope="module", params=NETWORKS)
def explained(request):
    """A network, its layer, and the two halves of the way to the logits.

    The layer's features are float64, so that the order of sums hardly matters.
    """
    torch.manual_seed(2)
    if request.param == "densenet121":
        model = settled(NormLast(inplace=True)).double()
        return model, model.layer, model.features, lambda f: model.rest(f.clone())
    model = settled(build_cnn(request.param, channels=3, outputs=3)).double()
    model.head.float()

    def rest(features):
        pooled = [features.float().mean(dim=(2, 3)), features.float().amax(dim=(2, 3))]
        return model.head(torch.cat(pooled[: 1 + model.peaks], dim=1))

    return model, model.body, model.body, rest


def drawn(n, seed=0, shape=(3, 64, 64)):
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(seed))


TARGETS = torch.tensor([0, 2, 1, 1, 2])


def enlarged(small, shape):
    """Bilinear by hand: pixels have centres, and beyond the last centre nothing changes."""
    for axis, n in enumerate(shape):
        at = (np.arange(n) + 0.5) * small.shape[axis] / n - 0.5
        known = np.arange(small.shape[axis])
        small = np.apply_along_axis(lambda row: np.interp(at, known, row), axis, small)  # noqa: B023
    return small


def spread_out(one):
    one = one - one.min()
    return one / one.max() if one.max() > 0 else one


def slow_maps(body, rest, images, targets):
    """Image by image and feature by feature."""
    maps = []
    for image, target in zip(images, targets.tolist(), strict=True):
        features = body(image[None]).detach().requires_grad_()
        slope = torch.autograd.grad(rest(features)[0, target], features)[0][0]
        total = np.zeros(features.shape[2:])
        for feature, gradient in zip(features[0].detach().double(), slope.double(), strict=True):
            total += gradient.mean().item() * feature.numpy()
        maps.append(spread_out(enlarged(spread_out(np.maximum(total, 0)), images.shape[2:])))
    return np.stack(maps)


def test_maps_are_those_of_a_slow_version(explained):
    model, layer, body, rest = explained
    images = drawn(5).double()
    maps = grad_cam(model, layer, images, TARGETS)
    assert maps.dtype == torch.float32
    assert maps.shape == (5, 64, 64)
    due = slow_maps(body, rest, images, TARGETS)
    assert due.any(axis=(1, 2)).sum() >= 2
    np.testing.assert_allclose(maps.numpy(), due, atol=1e-6)


def test_maps_are_those_of_the_package(explained):
    package = pytest.importorskip("pytorch_grad_cam")
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    model, layer, _, _ = explained
    images = drawn(5, seed=3).double()
    maps = grad_cam(model, layer, images, TARGETS).numpy()
    theirs = deepcopy(model)
    if isinstance(theirs, NormLast):
        # What it keeps of the layer would be changed in place, unlike the gradient beside it.
        theirs.relu.inplace = False
    with package.GradCAM(
        theirs, [theirs.layer if hasattr(theirs, "layer") else theirs.body]
    ) as cam:
        due = cam(images, [ClassifierOutputTarget(k) for k in TARGETS.tolist()])
    assert due.any(axis=(1, 2)).sum() >= 2
    np.testing.assert_allclose(maps, due, atol=1e-5)


def test_an_activation_that_works_in_place_changes_nothing():
    torch.manual_seed(4)
    model, images = settled(NormLast(inplace=True)), drawn(3)
    plain = deepcopy(model)
    plain.relu.inplace = False
    for create_graph in (False, True):
        found, due = (
            grad_cam(m, m.layer, images, TARGETS[:3], create_graph=create_graph)
            for m in (model, plain)
        )
        assert torch.equal(found, due)


def test_each_map_is_of_its_own_image_alone(explained):
    model, layer, _, _ = explained
    images, order = drawn(5).double(), torch.tensor([3, 0, 4, 2, 1])
    maps = grad_cam(model, layer, images, TARGETS)
    mixed = grad_cam(model, layer, images[order], TARGETS[order])
    torch.testing.assert_close(mixed, maps[order], atol=1e-6, rtol=0)
    alone = torch.cat(
        [
            grad_cam(model, layer, x[None], t[None])
            for x, t in zip(images[:2], TARGETS[:2], strict=True)
        ]
    )
    torch.testing.assert_close(alone, maps[:2], atol=1e-6, rtol=0)


# Networks whose maps are known


def see_through(weights):
    """A network whose one feature map is the image, with a weight a class."""
    body = nn.Conv2d(1, 1, 1, bias=False)
    nn.init.ones_(body.weight)
    head = nn.Linear(1, len(weights), bias=False)
    with torch.no_grad():
        head.weight.copy_(torch.tensor(weights)[:, None])
    return CNN(body, head)


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("size", [1.0, 1e5, 1e-12])
def test_where_the_feature_map_is_the_image_so_is_the_map(size, create_graph):
    images = drawn(3, shape=(1, 8, 6))
    model = see_through([size, -size, 0.0])
    maps = grad_cam(
        model, model.body, images, torch.tensor([0, 1, 2]), create_graph=create_graph
    ).detach()
    low, high = images[0].min(), images[0].max()
    torch.testing.assert_close(maps[0], (images[0, 0] - low) / (high - low), atol=1e-6, rtol=0)
    assert not maps[1:].any()  # speaks against the class, or not at all


def test_a_map_that_is_alike_everywhere_is_empty_and_has_a_finite_gradient():
    model, images = see_through([1.0, -1.0]), torch.full((2, 1, 8, 8), 0.5)
    maps = grad_cam(model, model.body, images, torch.tensor([0, 1]), create_graph=True)
    assert not maps.any()
    maps.sum().backward()
    assert model.body.weight.grad.abs().max() == 0
    # One feature for the whole image cannot say where.
    small = build_cnn("cnn-small", outputs=3).eval()
    assert not grad_cam(small, small.body, drawn(2, shape=(1, 16, 16)), TARGETS[:2]).any()


def test_maps_are_from_0_to_1_or_empty(explained):
    model, layer, _, _ = explained
    images = torch.cat([drawn(4), torch.zeros(1, 3, 64, 64)]).double()
    maps = grad_cam(model, layer, images, TARGETS).flatten(1)
    shown = maps.any(dim=1)
    assert not maps.amin(dim=1).any()
    assert (maps.amax(dim=1)[shown] == 1).all()


def test_louder_logits_have_the_same_maps():
    torch.manual_seed(1)
    model, images = settled(build_cnn("cnn-small", channels=3, outputs=3)), drawn(5)
    maps = grad_cam(model, model.body, images, TARGETS)
    assert maps.any()
    for factor in (1e-6, 0.3, 1e4):
        louder = deepcopy(model)
        with torch.no_grad():
            louder.head.weight *= factor
            louder.head.bias.fill_(7.0)  # and whatever is added does not matter
        torch.testing.assert_close(
            grad_cam(louder, louder.body, images, TARGETS), maps, atol=1e-5, rtol=0
        )


def test_the_logits_are_the_models_and_in_the_graph_if_they_should_be():
    torch.manual_seed(1)
    model, images = settled(build_cnn("cnn-small", channels=3, outputs=3)), drawn(5)
    with torch.no_grad():
        due = model(images)
    for create_graph in (True, False):
        logits, maps = logits_and_maps(
            model, model.body, images, TARGETS, create_graph=create_graph
        )
        assert torch.equal(logits, due)
        assert logits.requires_grad is maps.requires_grad is create_graph
        assert torch.equal(maps, grad_cam(model, model.body, images, TARGETS))


def test_the_graph_begins_at_the_layer_unless_all_of_it_is_wanted():
    torch.manual_seed(1)
    model = settled(build_cnn("cnn-small", channels=3, outputs=3))
    before, after = [], []
    for module in model.body.modules():
        module.register_forward_hook(lambda *call: before.append(call[-1].requires_grad))
    model.head.register_forward_hook(lambda *call: after.append(call[-1].requires_grad))
    for create_graph in (False, True):
        before.clear()
        grad_cam(model, model.body, drawn(5), TARGETS, create_graph=create_graph)
        assert len(before) > 10
        assert set(before) == {create_graph}
    assert after == [True, True]


# Gradients of maps


class Smooth(nn.Module):
    """A tiny network in float64 in which only the steps of Grad-CAM itself have kinks."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 3, 3, padding=1), nn.Conv2d(3, 4, 3, stride=2)
        self.head = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2))
        self.double()

    def forward(self, images):
        return self.head(self.second(self.first(images).tanh()).mean(dim=(2, 3)))


def test_the_gradient_of_a_function_of_the_maps_is_its_slope():
    torch.manual_seed(5)
    model, images = Smooth(), drawn(3, shape=(1, 9, 9)).double()
    targets = torch.tensor([0, 1, 1])
    wanted = drawn(3, seed=8, shape=(9, 9)).double()

    def loss():
        maps = grad_cam(model, model.second, images, targets, create_graph=True)
        return (maps.double() * wanted).square().sum()

    assert grad_cam(model, model.second, images, targets).any(dim=(1, 2)).all()
    loss().backward()
    step, checked = 1e-3, 0  # maps are float32, which a smaller step would show
    for name, weight in model.named_parameters():
        flat, slopes = weight.data.view(-1), weight.grad
        for place in range(0, len(flat), max(1, len(flat) // 6)):
            here, found = flat[place].item(), []
            for sign in (1, -1):
                flat[place] = here + sign * step
                found.append(loss().item())
            flat[place] = here
            due = (found[0] - found[1]) / (2 * step)
            # A bias of the last layer moves no logit's slope.
            got = 0.0 if slopes is None else slopes.view(-1)[place].item()
            assert got == pytest.approx(due, rel=5e-3, abs=2e-3), (name, place)
            checked += abs(due) > 0.02
    assert checked > 15


def test_without_a_graph_no_gradient_is_left_and_with_one_none_is_added():
    model, images = see_through([1.0, 2.0]), drawn(2, shape=(1, 6, 6))
    assert not grad_cam(model, model.body, images, TARGETS[:1].expand(2)).requires_grad
    maps = grad_cam(model, model.body, images, torch.tensor([0, 1]), create_graph=True)
    assert maps.requires_grad
    assert all(weight.grad is None for weight in model.parameters())


# What is left as it was


def traces(model):
    hooks = sum(
        len(held)
        for module in model.modules()
        for held in (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks)
    )
    modes = [module.training for module in model.modules()]
    return hooks, modes, [w.requires_grad for w in model.parameters()]


@pytest.fixture
def half_frozen():
    torch.manual_seed(6)
    model = settled(build_transfer("cnn-small", outputs=3, channels=3, hidden=8))
    model.train()
    model.body.eval()
    model.body[0].weight.requires_grad_(False)
    model.head[2].eval()  # dropout
    return model


@pytest.mark.parametrize("create_graph", [False, True])
def test_the_model_is_left_as_it_was(half_frozen, create_graph):
    model = half_frozen
    model(drawn(2)).sum().backward()
    held = [None if w.grad is None else w.grad.clone() for w in model.parameters()]
    before, values = traces(model), {k: v.clone() for k, v in model.state_dict().items()}
    grad_cam(model, model.body, drawn(5), TARGETS, create_graph=create_graph)
    assert traces(model) == before
    torch.testing.assert_close(model.state_dict(), values, rtol=0, atol=0)
    for weight, gradient in zip(model.parameters(), held, strict=True):
        assert weight.grad is gradient is None or torch.equal(weight.grad, gradient)


@pytest.mark.parametrize("kind", [ValueError, RuntimeError, KeyboardInterrupt])
def test_an_error_within_the_network_leaves_no_hook(half_frozen, kind):
    def fail(*_):
        raise kind("on purpose")

    model = half_frozen
    handle = model.head.register_forward_hook(fail)
    before = traces(model)
    with pytest.raises(kind, match="on purpose"):
        grad_cam(model, model.body, drawn(5), TARGETS)
    assert traces(model) == before
    assert torch.is_grad_enabled()
    handle.remove()
    assert grad_cam(model, model.body, drawn(5), TARGETS).any()


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("create_graph", [False, True])
def test_it_works_where_gradients_are_off(half_frozen, context, create_graph):
    model, images = half_frozen, drawn(5)
    due = grad_cam(model, model.body, images, TARGETS, create_graph=create_graph)
    with context():
        found = grad_cam(model, model.body, images, TARGETS, create_graph=create_graph)
        assert not torch.is_grad_enabled()
    assert torch.equal(found, due)
    assert found.requires_grad is create_graph


def test_a_network_without_a_trained_parameter_has_the_same_maps(half_frozen):
    model, images = half_frozen, drawn(5)
    due = grad_cam(model, model.body, images, TARGETS)
    model.requires_grad_(False)
    for create_graph in (False, True):
        found = grad_cam(model, model.body, images, TARGETS, create_graph=create_graph)
        assert torch.equal(found.detach(), due)


# What does not fit


class Passes(nn.Module):
    def __init__(self, times):
        super().__init__()
        self.layer, self.times = nn.Conv2d(1, 1, 3, padding=1), times

    def forward(self, images):
        for _ in range(self.times):
            images = self.layer(images)
        return images.mean(dim=(2, 3))


@pytest.mark.parametrize("times", [0, 2])
@pytest.mark.parametrize("create_graph", [False, True])
def test_a_layer_must_run_once(times, create_graph):
    model = Passes(times)
    with pytest.raises(ValueError, match=f"layer must run once .* it ran {times}"):
        grad_cam(
            model,
            model.layer,
            drawn(2, shape=(1, 8, 8)),
            torch.tensor([0, 0]),
            create_graph=create_graph,
        )
    assert not model.layer._forward_hooks


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        (torch.tensor([0, 3, 1]), "targets must be from 0 to 2, got 3"),
        (torch.tensor([0, -1, 1]), "targets must be from 0 to 2, got -1"),
        (torch.tensor([0, 1]), r"targets must be int64 of shape \(3,\), .* of shape \(2,\)"),
        (torch.tensor([[0, 1, 2]]), r"targets must be int64 of shape \(3,\)"),
        (torch.tensor([0.0, 1.0, 2.0]), r"got torch.float32 of shape \(3,\)"),
        (torch.tensor([0, 1, 2], dtype=torch.int32), "got torch.int32"),
    ],
)
def test_a_wrong_target_is_said(targets, said):
    model = see_through([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=said):
        grad_cam(model, model.body, drawn(3, shape=(1, 6, 6)), targets)


def test_a_wrong_shape_is_said():
    model = build_cnn("cnn-small", outputs=3).eval()
    with pytest.raises(ValueError, match=r"images must have shape \(n, c, h, w\), got \(1, 6, 6\)"):
        grad_cam(model, model.body, torch.rand(1, 6, 6), TARGETS[:1])
    with pytest.raises(ValueError, match=r"layer must give feature maps .* got \(2, 3\)"):
        grad_cam(model, model.head, drawn(2, shape=(1, 32, 32)), TARGETS[:2])
