import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate

from shortlib.explain.grad_cam_maps import grad_cam_maps
from shortlib.models.cnn import CNN, build_cnn
from shortlib.models.phases import PhaseNetwork, build_phase_network

pytest.importorskip("pytorch_grad_cam")


@pytest.fixture(params=["cnn-small", "resnet18"])
def model(request):
    torch.manual_seed(1)
    network = build_phase_network(request.param, outputs=4)
    with torch.no_grad():  # batch norm sees something, as after training
        network(torch.rand(8, 2, 64, 64))
    return network


def drawn(n, seed=0, shape=(2, 64, 64)):
    """Images with a bright spot here and there, another one in each phase."""
    rng = np.random.default_rng(seed)
    images = 0.3 * rng.random((n, *shape), dtype=np.float32)
    for image in images.reshape(-1, *shape[-2:]):
        row, column = rng.integers(0, 44, 2)
        image[row : row + 20, column : column + 20] += 0.6
    return images


def by_hand(model, images, targets):
    """One case and one phase at a time, each phase through the encoder by itself."""
    model.eval()
    maps = np.zeros(images.shape, np.float32)
    for case, target in enumerate(targets):
        features = []
        for image in torch.from_numpy(images[case]):
            features.append(model.encoder.body(image[None, None]).detach().requires_grad_())
        pooled = []
        for found in features:
            pooled.append(found.mean(dim=(2, 3)))
            if model.encoder.peaks:
                pooled.append(found.amax(dim=(2, 3)))
        score = model.head(torch.cat(pooled, dim=1))[0, target]
        for phase, found in enumerate(features):
            (gradient,) = torch.autograd.grad(score, found, retain_graph=True)
            weights = gradient.mean(dim=(2, 3), keepdim=True)
            cam = (weights * found).sum(dim=1, keepdim=True).clamp(min=0)
            cam = interpolate(cam, images.shape[2:], mode="bilinear")[0, 0].detach().numpy()
            span = cam.max() - cam.min()
            maps[case, phase] = (cam - cam.min()) / span if span > 0 else 0
    return maps


def test_maps_are_those_of_a_slow_version(model):
    images, targets = drawn(5), [0, 3, 1, 1, 2]
    maps = grad_cam_maps(model, images, targets=targets, batch_size=2)
    assert maps.shape == images.shape
    assert maps.dtype == np.float32
    np.testing.assert_allclose(maps, by_hand(model, images, targets), atol=1e-4)


def test_each_phase_has_its_own_features_and_gradient(model):
    images, targets = drawn(4), [0, 1, 2, 3]
    other = images.copy()
    other[:, 1] = drawn(4, seed=9)[:, 1]
    maps, changed = (grad_cam_maps(model, x, targets=targets) for x in (images, other))
    np.testing.assert_allclose(changed[:, 0], maps[:, 0], atol=1e-5)
    shown = (maps + changed)[:, 1].any(axis=(1, 2))
    assert shown.sum() >= 3
    assert (np.abs(changed - maps)[shown, 1].max(axis=(1, 2)) > 0.05).all()
    # The head's columns are per phase: with both swapped, so are the maps.
    f = model.head.in_features // 2
    with torch.no_grad():
        model.head.weight.copy_(model.head.weight.roll(f, dims=1))
    mirrored = grad_cam_maps(model, images[:, ::-1].copy(), targets=targets)
    np.testing.assert_allclose(mirrored[:, ::-1], maps, atol=1e-5)


def see_through(weights):
    """A network whose one feature map is the image, with a weight a class and phase."""
    body = nn.Conv2d(1, 1, 1, bias=False)
    nn.init.ones_(body.weight)
    weights = torch.tensor(weights)
    outputs, phases = weights.shape
    model = PhaseNetwork(CNN(body, nn.Identity()), 1, phases=phases, outputs=outputs)
    with torch.no_grad():
        model.head.weight.copy_(weights)
    return model


def scaled(images):
    low = images.min(axis=(2, 3), keepdims=True)
    return (images - low) / (images.max(axis=(2, 3), keepdims=True) - low)


@pytest.mark.parametrize("size", [1.0, 1e4, 1e-9])
def test_where_the_feature_map_is_the_image_so_is_the_map(size):
    images = np.random.default_rng(0).random((3, 2, 8, 8), dtype=np.float32)
    model = see_through([[size, -size], [-size, size], [0.0, size]])
    maps = grad_cam_maps(model, images, targets=[0, 1, 2])
    due = scaled(images)
    due[0, 1] = due[1, 0] = due[2, 0] = 0  # speaks against the class, or not at all
    np.testing.assert_allclose(maps, due, atol=1e-6)


def test_maps_are_from_0_to_1_or_empty(model):
    images = np.concatenate([drawn(6), np.zeros((1, 2, 64, 64), np.float32)])
    maps = grad_cam_maps(model, images).reshape(-1, 64 * 64)
    shown = maps.any(axis=1)
    assert shown.any()
    assert not maps.min(axis=1).any()
    assert (maps.max(axis=1)[shown] == 1).all()


def test_a_map_that_is_alike_everywhere_is_empty():
    images = np.full((2, 2, 8, 8), 0.5, np.float32)
    assert not grad_cam_maps(see_through([[1.0, 1.0]]), images).any()
    # One feature for the whole image cannot say where.
    torch.manual_seed(0)
    assert not grad_cam_maps(
        build_phase_network("cnn-small", outputs=3), drawn(2)[..., :16, :16]
    ).any()


def test_the_highest_logit_is_explained_by_default(model):
    images = drawn(6)
    model.eval()
    with torch.no_grad():
        model.head.bias -= model(torch.from_numpy(images)).mean(dim=0)  # no class is ahead
        highest = model(torch.from_numpy(images)).argmax(dim=1).numpy()
    assert len(set(highest)) > 1
    np.testing.assert_array_equal(
        grad_cam_maps(model, images), grad_cam_maps(model, images, targets=highest)
    )
    assert (
        grad_cam_maps(model, images, targets=(highest + 1) % 4) != grad_cam_maps(model, images)
    ).any()


def test_batches_do_not_matter_and_whole_greys_are_shares_of_one(model):
    greys = (drawn(5) * 255).astype(np.uint8)
    maps = grad_cam_maps(model, greys)
    np.testing.assert_allclose(
        grad_cam_maps(model, greys / np.float32(255), batch_size=2), maps, atol=2e-5
    )


def test_a_network_that_sees_all_channels_at_once_has_one_map():
    torch.manual_seed(0)
    whole, images = build_cnn("cnn-small", channels=1, outputs=3), drawn(3, shape=(1, 64, 64))
    alone = PhaseNetwork(CNN(whole.body, None, peaks=True), 128, phases=1, outputs=3)
    alone.head.load_state_dict(whole.head.state_dict())
    np.testing.assert_allclose(
        grad_cam_maps(whole, images, targets=[0, 1, 2]),
        grad_cam_maps(alone, images, targets=[0, 1, 2]),
        atol=1e-6,
    )
    pair = build_cnn("cnn-small", channels=2, outputs=3)
    assert grad_cam_maps(pair, drawn(3)).shape == (3, 1, 64, 64)


def traces(model):
    """What explaining must leave as it was."""
    hooks = sum(
        len(held)
        for module in model.modules()
        for held in (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks)
    )
    modes = [module.training for module in model.modules()]
    return hooks, modes, [(w.requires_grad, w.grad is None) for w in model.parameters()]


def test_the_model_is_left_as_it_was(model):
    model.train()
    model.encoder.eval()
    model.encoder.body[0].weight.requires_grad_(False)
    before, values = traces(model), {k: v.clone() for k, v in model.state_dict().items()}
    grad_cam_maps(model, drawn(3))
    assert traces(model) == before
    torch.testing.assert_close(model.state_dict(), values, rtol=0, atol=0)
    model(torch.rand(2, 2, 64, 64)).sum().backward()
    held = [None if w.grad is None else w.grad.clone() for w in model.parameters()]
    grad_cam_maps(model, drawn(3))
    for weight, gradient in zip(model.parameters(), held, strict=True):
        assert weight.grad is gradient is None or torch.equal(weight.grad, gradient)


@pytest.mark.parametrize("kind", [IndexError, RuntimeError, KeyboardInterrupt])
def test_an_error_is_raised_and_leaves_no_trace(model, kind):
    def fail(*_):
        raise kind("on purpose")

    model.train()
    handle = model.head.register_forward_hook(fail)
    before = traces(model)
    with pytest.raises(kind, match="on purpose") as raised:
        grad_cam_maps(model, drawn(3))
    assert traces(model) == before
    del raised  # until here it kept all that the call held alive
    handle.remove()
    assert grad_cam_maps(model, drawn(3)).shape == (3, 2, 64, 64)


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_it_works_where_gradients_are_off(model, context):
    images = drawn(2)
    due = grad_cam_maps(model, images)
    with context():
        np.testing.assert_array_equal(grad_cam_maps(model, images), due)


def test_no_gradient_goes_deeper_than_the_features(model):
    seen = []
    for module in model.encoder.body.modules():
        module.register_forward_hook(lambda *call: seen.append(call[-1].requires_grad))
    grad_cam_maps(model, drawn(2))
    assert len(seen) > 10
    # The body's own hook, the first of all, ran before its result became a leaf.
    assert not any(seen)


def test_what_does_not_fit_is_said(model, monkeypatch):
    images = drawn(3)
    with pytest.raises(ValueError, match="targets must be from 0 to 3, got 4"):
        grad_cam_maps(model, images, targets=[0, 4, 1])
    with pytest.raises(ValueError, match="targets must be from 0 to 3, got -1"):
        grad_cam_maps(model, images, targets=[0, -1, 1])
    for wrong in ([0, 1], [0.0, 1.0, 2.0], [[0, 1, 2]]):
        with pytest.raises(ValueError, match="one whole number for each of 3 cases"):
            grad_cam_maps(model, images, targets=wrong)
    with pytest.raises(ValueError, match="images must hold at least one case"):
        grad_cam_maps(model, images[:0])
    images[1, 0, 5, 5] = np.nan
    with pytest.raises(ValueError, match="gradients of case 1 must be finite"):
        grad_cam_maps(model, images, targets=[0, 1, 2])
    monkeypatch.setitem(sys.modules, "pytorch_grad_cam", None)
    with pytest.raises(ValueError, match="needs the package grad-cam"):
        grad_cam_maps(model, drawn(1))
