import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from shortlib.explain.grad_cam import logits_and_maps
from shortlib.methods.annotated_explanations import (
    masked_explanation,
    masked_explanation_loss,
    right_reasons,
    right_reasons_loss,
)
from shortlib.models.transfer import build_transfer


def drawn(*shape, seed=0, kind=torch.float64):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=kind)


def marked(*shape, seed=0):
    return drawn(*shape, seed=seed) < 0.4


# Saliency inside masks


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5), st.integers(0, 999))
def test_the_masked_loss_is_equation_2_by_pixel_and_case(n, h, w, seed):
    maps, masks = drawn(n, h, w, seed=seed), marked(n, h, w, seed=seed + 1)
    total = sum(maps[at].item() for at in np.ndindex(n, h, w) if masks[at])
    for kind in (masks, masks.double()):
        found = masked_explanation_loss(maps, kind).item()
        assert found == pytest.approx(total / (n * h * w), abs=1e-12)


def test_the_masked_loss_has_its_ends_and_leaves_what_is_outside_alone():
    maps, nothing = drawn(2, 4, 4), torch.zeros(2, 4, 4, dtype=torch.bool)
    assert masked_explanation_loss(maps, nothing).item() == 0
    assert masked_explanation_loss(torch.ones(2, 4, 4), ~nothing).item() == 1
    masks = marked(2, 4, 4)
    assert masked_explanation_loss((~masks).double(), masks).item() == 0
    maps.requires_grad_()
    masked_explanation_loss(maps, masks).backward()
    torch.testing.assert_close(maps.grad, masks.double() / 32)


# Slopes on masked pixels


@pytest.mark.parametrize("channels", [1, 3])
def test_right_reasons_have_a_closed_form_for_a_linear_network(channels):
    """Of each class its weights; together the sum less k times the mean that is expected."""
    n, k, h, w = 4, 3, 2, 5
    images = drawn(n, channels, h, w).requires_grad_()
    weights, bias = drawn(k, channels * h * w, seed=1) - 0.5, drawn(k, seed=2)
    masks = marked(n, h, w, seed=3)
    logits = images.flatten(1) @ weights.T + bias
    found = right_reasons_loss(logits, images, masks).item()
    total = 0.0
    for logit, mask in zip(logits.detach(), masks, strict=True):
        chances = np.exp(logit.numpy()) / np.exp(logit.numpy()).sum()
        expected = sum(p * row for p, row in zip(chances, weights.numpy(), strict=True))
        slope = weights.numpy().sum(axis=0) - k * expected
        for square, there in zip((slope.reshape(channels, h, w) ** 2).sum(axis=0).flat,
                                 mask.flatten(), strict=True):  # fmt: skip
            total += square * there.item()
    assert total > 0.1
    assert found == pytest.approx(total / n, rel=1e-9)


def test_right_reasons_can_be_learned():
    """The slope of the loss on the weights, against finite differences."""
    images, masks = drawn(3, 1, 3, 3), marked(3, 3, 3, seed=4)

    def loss(first, second):
        here = images.clone().requires_grad_()
        return right_reasons_loss((here.flatten(1) @ first).tanh() @ second, here, masks)

    weights = [(drawn(9, 4, seed=5) - 0.5), (drawn(4, 3, seed=6) - 0.5)]
    assert torch.autograd.gradcheck(loss, [one.requires_grad_() for one in weights])


def test_right_reasons_cost_nothing_where_nothing_is_masked_or_masked_pixels_do_not_count():
    images = drawn(2, 1, 4, 6).requires_grad_()
    weights = drawn(12, 3, seed=1)
    logits = images[..., :3].flatten(1) @ weights  # sees the left half alone
    left = torch.zeros(2, 4, 6, dtype=torch.bool)
    left[..., :3] = True
    losses = [right_reasons_loss(logits, images, m).item() for m in (left & ~left, ~left, left)]
    assert losses[:2] == [0, 0]
    assert losses[2] > 0.1


def test_the_size_of_the_batch_does_not_matter():
    weights, images, masks = drawn(8, 2), drawn(3, 2, 2, 2), marked(3, 2, 2)
    found = []
    for times in (1, 4):
        many = images.repeat(times, 1, 1, 1).requires_grad_()
        logits = many.flatten(1) @ weights
        found.append(right_reasons_loss(logits, many, masks.repeat(times, 1, 1)).item())
    assert found[1] == pytest.approx(found[0])


# Through a network


def of_the_label(model, images, labels):
    return logits_and_maps(model, model.body, images, labels)


@pytest.mark.parametrize(
    ("explain", "rate"), [(masked_explanation(of_the_label), 0.5), (right_reasons, 1e-3)]
)
def test_each_reaches_every_convolution_and_is_lower_after_a_step(explain, rate):
    torch.manual_seed(0)
    model = build_transfer("cnn-small", outputs=3, hidden=16).eval()
    with torch.no_grad():
        model.head[-1].weight *= 30
    images, labels = drawn(6, 1, 64, 64, kind=torch.float32), torch.arange(6) % 3
    masks = marked(6, 64, 64).float()
    logits, loss = explain(model, images, labels, masks)
    assert not images.requires_grad  # the caller's images are left alone
    with torch.no_grad():
        torch.testing.assert_close(logits, model(images))
    loss.backward()
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            assert module.weight.grad.isfinite().all()
            assert module.weight.grad.abs().max() > 1e-5
    with torch.no_grad():
        norm = torch.cat([w.grad.flatten() for w in model.parameters() if w.grad is not None])
        for weight in model.parameters():
            if weight.grad is not None:
                weight -= rate * weight.grad / norm.norm()
    after = explain(model, images, labels, masks)[1]
    assert after.item() < loss.item()


def test_what_is_masked_is_charged_on_the_maps_that_were_given():
    maps, logits, masks = drawn(2, 3, 3), drawn(2, 4), marked(2, 3, 3).double()
    found = masked_explanation(lambda *given: (logits, maps))("model", "images", "labels", masks)
    assert found[0] is logits
    torch.testing.assert_close(found[1], masked_explanation_loss(maps, masks))


# What does not fit


def test_other_shapes_are_said():
    with pytest.raises(ValueError, match=r"masks must have the shape \(2, 4, 4\) of the maps"):
        masked_explanation_loss(drawn(2, 4, 4), drawn(2, 1, 4, 4))
    images = drawn(2, 3, 4, 4).requires_grad_()
    with pytest.raises(ValueError, match=r"shape \(2, 4, 4\) of the images, got \(1, 4, 4\)"):
        right_reasons_loss(images.flatten(1), images, drawn(1, 4, 4))


def test_images_without_a_gradient_are_said():
    images = drawn(2, 1, 2, 2)
    with pytest.raises(ValueError, match="images must require a gradient, from before"):
        right_reasons_loss(images.flatten(1), images, drawn(2, 2, 2))
