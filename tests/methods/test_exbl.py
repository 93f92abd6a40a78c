import math
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn

from shortlib.explain.grad_cam import grad_cam, logits_and_maps
from shortlib.methods.exbl import (
    DISTANCES,
    exemplar_explanation,
    explained_images,
    triplet_explanation_loss,
)
from shortlib.models.cnn import CNN
from shortlib.models.transfer import build_transfer


def drawn(*shape, seed=0, kind=torch.float64):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=kind)


# The triplet loss


def slow_loss(explained, good, bad, margin, distance):
    def apart(a, b):
        squares = [(x - y) ** 2 for x, y in zip(a.flatten(), b.flatten(), strict=True)]
        total = sum(squares)
        return math.sqrt(total) if distance == "euclidean" else total / len(squares)

    hinges = [max(apart(x, good) - apart(x, bad) + margin, 0.0) for x in explained]
    return sum(hinges) / len(hinges)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(1, 4),
    st.floats(0, 2),
    st.sampled_from(DISTANCES),
    st.integers(0, 999),
)
def test_the_loss_is_that_of_a_slow_version(n, h, w, margin, distance, seed):
    cases = drawn(n + 2, h, w, seed=seed)
    explained, good, bad = cases[:n], cases[n], cases[n + 1]
    found = triplet_explanation_loss(explained, good, bad, margin=margin, distance=distance)
    due = slow_loss(explained.numpy(), good.numpy(), bad.numpy(), margin, distance)
    assert found.item() == pytest.approx(due, abs=1e-12)


whole = st.integers(-50, 50).map(float)


@settings(max_examples=100, deadline=None)
@given(whole, whole, whole, st.integers(0, 40).map(lambda halves: halves / 2))
@example(0.0, 0.0, 1.0, 1.0)  # the boundary: as much nearer as the margin asks
@example(0.0, 0.0, 1.0, 1.5)  # nearer, but not by the margin, which the text calls enough
@example(3.0, 3.0, 3.0, 0.0)
def test_equation_8_is_0_exactly_where_the_good_one_is_nearer_by_the_margin(x, good, bad, margin):
    """In one pixel, with numbers that have no rounding."""
    one = partial(torch.full, dtype=torch.float64)
    found = triplet_explanation_loss(
        one((1, 1, 1), x), one((1, 1), good), one((1, 1), bad), margin=margin
    ).item()
    near, far = abs(x - good), abs(x - bad)
    assert (found == 0) == (near + margin <= far)
    assert found == max(near - far + margin, 0)


def test_closed_forms():
    n = 9
    good, bad = torch.zeros(n, n), torch.zeros(n, n)
    good[0, 0], bad[0, 1] = 1, 1
    loss = partial(triplet_explanation_loss, good=good, bad=bad, margin=1.0)
    # At the good one, at the bad one, and as far from both.
    assert loss(good[None]).item() == 0
    assert loss(bad[None]).item() == pytest.approx(1 + math.sqrt(2))
    assert loss(torch.zeros(1, n, n)).item() == 1
    mean = partial(loss, distance="mean square")
    assert mean(good[None]).item() == pytest.approx(1 - 2 / n**2)
    assert mean(bad[None]).item() == pytest.approx(1 + 2 / n**2)
    # Exemplars that are the same say nothing: the margin is left.
    assert triplet_explanation_loss(drawn(3, n, n), bad, bad, margin=0.7).item() == pytest.approx(
        0.7
    )


@pytest.mark.parametrize("distance", DISTANCES)
def test_the_size_of_the_batch_does_not_matter(distance):
    cases, (good, bad) = drawn(4, 5, 5), drawn(2, 5, 5, seed=1)
    loss = partial(triplet_explanation_loss, good=good, bad=bad, margin=0.5, distance=distance)
    due = loss(cases)
    torch.testing.assert_close(loss(cases.repeat(3, 1, 1)), due)
    torch.testing.assert_close(torch.stack([loss(one[None]) for one in cases]).mean(), due)
    assert loss(cases).item() > 0


@pytest.mark.parametrize("distance", DISTANCES)
def test_the_gradient_is_finite_where_a_case_is_an_exemplar(distance):
    good, bad = drawn(2, 4, 4, seed=2)
    explained = torch.stack([good, bad, (good + bad) / 2]).requires_grad_()
    triplet_explanation_loss(explained, good, bad, margin=9.0, distance=distance).backward()
    slopes = explained.grad
    assert slopes.isfinite().all()
    # From the good one, the only way to a lower loss is away from the bad one.
    assert (slopes[0] * (good - bad)).sum() < 0
    assert (slopes[2] * (good - bad)).sum() < 0


def test_the_gradient_has_its_closed_form():
    explained, (good, bad) = drawn(2, 3, 4).requires_grad_(), drawn(2, 3, 4, seed=5)
    triplet_explanation_loss(explained, good, bad, margin=9.0).backward()
    with torch.no_grad():
        towards = [
            (explained - one) / (explained - one).square().sum(dim=(1, 2), keepdim=True).sqrt()
            for one in (good, bad)
        ]
    torch.testing.assert_close(explained.grad, (towards[0] - towards[1]) / 2)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"explained": torch.ones(4, 4)}, r"explained must have shape \(n, h, w\), got \(4, 4\)"),
        (
            {"good": torch.ones(4, 5)},
            r"good must have the shape \(4, 4\) of one case, got \(4, 5\)",
        ),
        ({"bad": torch.ones(1, 4, 4)}, r"bad must have the shape \(4, 4\) .* got \(1, 4, 4\)"),
        ({"margin": -0.1}, "margin must not be negative, got -0.1"),
        ({"margin": math.nan}, "margin must not be negative, got nan"),
        ({"distance": "cosine"}, "distance must be one of euclidean, mean square, got 'cosine'"),
    ],
)
def test_what_does_not_fit_is_said(change, said):
    fits = {"explained": torch.ones(2, 4, 4), "good": torch.ones(4, 4), "bad": torch.ones(4, 4)}
    with pytest.raises(ValueError, match=said):
        triplet_explanation_loss(**{**fits, **change})


# Images times maps


def test_what_is_explained_is_the_mean_over_channels_times_the_map():
    images, maps = drawn(2, 3, 4, 5), drawn(2, 4, 5, seed=1)
    found = explained_images(images, maps).numpy()
    for i, row, column in np.ndindex(2, 4, 5):
        grey = sum(images[i, c, row, column].item() for c in range(3)) / 3
        assert found[i, row, column] == pytest.approx(grey * maps[i, row, column].item())


def test_the_released_codes_distance_is_of_means_over_areas():
    """At 7 x 7, each cell a block of 8 x 8 pixels, with the mean over its 49 squares."""
    images, maps = drawn(5, 1, 56, 56), drawn(5, 56, 56, seed=1)
    cells = [one.numpy().reshape(5, 7, 8, 7, 8).mean(axis=(2, 4)) for one in (images[:, 0], maps)]
    due = cells[0] * cells[1]
    found = explained_images(images, maps, size=7)
    np.testing.assert_allclose(found.numpy(), due, atol=1e-12)
    loss = triplet_explanation_loss(
        found[:3], found[3], found[4], margin=1.0, distance="mean square"
    )
    good, bad = (((due[:3] - one) ** 2).mean(axis=(1, 2)) for one in (due[3], due[4]))
    assert loss.item() == pytest.approx(np.maximum(good - bad + 1, 0).mean(), abs=1e-12)


def test_exemplars_are_explained_as_cases_are():
    """A network whose maps are given: the loss is that of the products."""
    images, maps, logits = drawn(3, 2, 14, 14), drawn(3, 14, 14, seed=1), drawn(3, 4)
    exemplars = [(drawn(2, 14, 14, seed=k), drawn(14, 14, seed=k + 9)) for k in (2, 3)]

    def given_maps(model, batch, labels):
        assert (model, batch, labels) == ("model", images, "labels")
        return logits, maps

    for options in ({"margin": 0.3}, {"distance": "mean square", "size": 7}):
        explain = exemplar_explanation(given_maps, *exemplars, **options)
        found, loss = explain("model", images, "labels", None)
        size = options.pop("size", None)
        explained = explained_images(images, maps, size=size)
        good, bad = (explained_images(x[None], m[None], size=size)[0] for x, m in exemplars)
        assert found is logits
        torch.testing.assert_close(loss, triplet_explanation_loss(explained, good, bad, **options))


# Through a network


def of_the_label(model, images, labels):
    return logits_and_maps(model, model.body, images, labels)


@pytest.mark.parametrize("options", [{}, {"distance": "mean square", "size": 4}])
def test_the_gradient_reaches_every_convolution(options):
    torch.manual_seed(0)
    model = build_transfer("cnn-small", outputs=3, hidden=16).train()
    images, labels = drawn(6, 1, 64, 64, kind=torch.float32), torch.arange(6) % 3
    maps = grad_cam(model, model.body, images, labels)
    pair = [(images[k], maps[k]) for k in maps.mean(dim=(1, 2)).argsort()[[-1, 0]]]
    explain = exemplar_explanation(of_the_label, *pair, **options)
    _, loss = explain(model, images, labels, None)
    assert loss > 0
    loss.backward()
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            assert module.weight.grad.isfinite().all()
            assert module.weight.grad.abs().max() > 1e-5


def scene(left, right, *, side=16):
    """An image with horizontal stripes on the left and vertical ones on the right."""
    image = torch.zeros(1, side, side)
    image[0, 4:12:2, 1:7] = left
    image[0, 4:12, 9:15:2] = right
    return image


def two_textures():
    """A network that finds either texture and takes both alike for class 1."""
    body = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, bias=False), nn.ReLU(), nn.AvgPool2d(2))
    lines = torch.tensor([[-1.0, -1.0, -1.0], [2.0, 2.0, 2.0], [-1.0, -1.0, -1.0]])
    model = CNN(body, nn.Linear(2, 2))
    with torch.no_grad():
        body[0].weight.copy_(torch.stack([lines, lines.T])[:, None] / 6)
        model.head.weight.copy_(torch.tensor([[-1.0, -1.0], [1.0, 1.0]]))
        model.head.bias.zero_()
    return model


def shares(model, images):
    """Of the maps of class 1, the mass on the left and on the right half, and on both their own."""
    maps = grad_cam(model, model.body, images, torch.ones(len(images), dtype=torch.int64))
    mass = maps.sum(dim=(1, 2))
    assert (mass > 0).all()
    half = maps.shape[2] // 2
    return [(part.sum(dim=(1, 2)) / mass).mean().item() for part in maps.split(half, dim=2)]


def exemplars_at(side):
    """The same scene, looked at on one side only: the good one on `side`."""
    on_the_left = torch.zeros(16, 16)
    on_the_left[:, :8] = 1
    places = [on_the_left, 1 - on_the_left]
    if side == "right":
        places.reverse()
    return [(scene(1, 1), place) for place in places]


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(
    ("options", "rate"), [({}, 0.01), ({"distance": "mean square", "size": 8}, 3.0)]
)
def test_each_step_moves_attention_from_the_bad_place_to_the_good_one(side, options, rate):
    images = torch.stack([scene(*pair) for pair in ((1, 1), (0.9, 1), (1, 0.8), (0.7, 0.7))])
    labels = torch.ones(4, dtype=torch.int64)
    model = two_textures()
    explain = exemplar_explanation(of_the_label, *exemplars_at(side), **options)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    seen, losses = [shares(model, images)], []
    assert seen[0] == pytest.approx([0.5, 0.5], abs=0.05)
    for _ in range(4):
        optimizer.zero_grad()
        _, loss = explain(model, images, labels, None)
        loss.backward()
        optimizer.step()
        seen.append(shares(model, images))
        losses.append(loss.item())
    good, bad = (np.array(half) for half in zip(*seen, strict=True))
    if side == "right":
        good, bad = bad, good
    assert (np.diff(good) > 0).all()
    assert (np.diff(bad) < 0).all()
    assert good[-1] > good[0] + 0.05
    assert (np.diff(losses) < 0).all()


def test_the_sum_of_all_probabilities_explains_nothing():
    """What the released code differentiates; its maps are not scaled either."""
    images, labels = torch.stack([scene(1, 1), scene(0.9, 0.4)]), torch.ones(2, dtype=torch.int64)

    def released(model, images, labels):
        features = model.body(images)
        logits = model.head(features.mean(dim=(2, 3)))
        total = logits.softmax(dim=1).sum()
        slopes = torch.autograd.grad(total, features, create_graph=True)[0]
        maps = (slopes.mean(dim=(2, 3), keepdim=True) * features).sum(dim=1).relu()
        return logits, nn.functional.interpolate(maps[:, None], size=(16, 16), mode="bilinear")[
            :, 0
        ]

    found = []
    for way in (released, of_the_label):
        model = two_textures()
        explain = exemplar_explanation(way, *exemplars_at("left"), distance="mean square", size=8)
        explain(model, images, labels, None)[1].backward()
        found.append(model.body[0].weight.grad.abs().max().item())
    theirs, ours = found
    assert theirs < 1e-8
    assert ours > 1e-4
