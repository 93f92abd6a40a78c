import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from shortlib.methods import training
from shortlib.methods.augmentation import build_augmentation
from shortlib.methods.compute import Compute
from shortlib.methods.pixel_training import (
    fit_pixels,
    pixel_classes,
    predict_classes,
    predict_pixels,
)
from shortlib.methods.training import Rule, Schedule
from shortlib.metrics import auroc, dice, dice_of_counts
from shortlib.models.unet import build_unet

ONE = Schedule(epochs=1, batch_size=64, learning_rate=1e-9)
NOTHING = {"rules": {}, "evaluate": lambda model: {}, "seed": 0}


class Given(nn.Module):
    """A network whose logits are what it is given, plus a number that can be trained."""

    def __init__(self):
        super().__init__()
        self.shift, self.seen = nn.Parameter(torch.zeros(())), []

    def forward(self, images):
        assert self.shift.requires_grad
        self.seen.append((images, self.training))
        return images + self.shift

    def forward_with_features(self, images):
        return self(images), images[:, :, ::2, ::2]


def squares_in_noise(n, side=32, seed=0):
    """Half of the images have a bright square; returns images, its masks and labels."""
    rng = np.random.default_rng(seed)
    labels, masks = np.arange(n) % 2, np.zeros((n, side, side), dtype=bool)
    for k in np.flatnonzero(labels):
        top, left = rng.integers(0, side - 8, 2)
        masks[k, top : top + 8, left : left + 8] = True
    images = 0.2 * rng.standard_normal((n, 1, side, side)) + 0.3 + 0.5 * masks[:, None]
    return images.astype(np.float32), masks, labels


def small_unet(**options):
    torch.manual_seed(0)
    return build_unet("unet-small", **options)


def mean_dice(model, images, targets, compute):
    counts = predict_pixels(model, images, compute, targets=targets)[1]
    return float(np.nanmean(dice_of_counts(counts)))


def slow_softmax(logits):
    """Probabilities of one pixel, from a list of logits."""
    shares = [math.exp(logit) for logit in logits]
    return [share / sum(shares) for share in shares]


# Classes of pixels


@given(st.integers(0, 9999), st.sampled_from([1, 2]))
@settings(deadline=None, max_examples=30)
def test_a_pixels_class_is_what_its_lesion_is(seed, lesion_classes):
    rng = np.random.default_rng(seed)
    masks, labels = rng.random((4, 3, 5)) < 0.3, rng.integers(0, 2, 4)
    if lesion_classes == 1:
        masks[labels == 0] = False
    found = pixel_classes(masks, labels, lesion_classes=lesion_classes)
    assert found.dtype == np.uint8
    for image, mask, label in zip(found, masks, labels, strict=True):
        lesion = label + 1 if lesion_classes == 2 else 1
        due = [[int(lesion) if pixel else 0 for pixel in row] for row in mask.tolist()]
        assert image.tolist() == due


def test_the_last_class_is_the_positive_one():
    masks = np.ones((2, 1, 1), dtype=bool)
    for lesion_classes in (1, 2):
        masks[0] = lesion_classes == 2
        found = pixel_classes(masks, np.array([0, 1]), lesion_classes=lesion_classes)
        assert found[1, 0, 0] == lesion_classes == found.max()


def test_a_lesion_without_a_class_of_its_own_is_refused_with_its_case():
    masks = np.zeros((5, 4, 4), dtype=bool)
    masks[[1, 3, 4], 2, 2] = True
    labels = np.array([0, 1, 0, 0, 0])
    with pytest.raises(ValueError, match="case 3 has label 0 and a mask with pixels; with lesion_"):
        pixel_classes(masks, labels, lesion_classes=1)
    assert pixel_classes(masks, labels, lesion_classes=2).max(axis=(1, 2)).tolist() == [
        *(0, 2, 0, 1, 1)
    ]


# What a model makes of images


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("batch_size", [2, 5, 128])
def test_scores_and_counts_are_those_of_a_walk_over_pixels(toy, classes, batch_size):
    rng = np.random.default_rng(classes)
    logits = rng.normal(size=(5, classes, 4, 6)).astype(np.float32)
    targets = rng.integers(0, classes, (5, 4, 6)).astype(np.uint8)
    logits[2, 0] = 9.0  # nothing is found, but is there
    targets[3] = 0  # nothing is there, but is found
    model = Given()
    scores, counts = predict_pixels(model, logits, toy.CPU, targets=targets, batch_size=batch_size)
    assert [len(images) for images, _ in model.seen] == {2: [2, 2, 1], 5: [5], 128: [5]}[batch_size]
    assert not any(training for _, training in model.seen)
    assert (scores.dtype, counts.dtype) == (np.float32, np.int64)
    due = np.zeros((5, classes - 1, 3), dtype=int)
    for k in range(5):
        chances = []
        for i in range(4):
            for j in range(6):
                pixel = logits[k, :, i, j].tolist()
                chances.append(slow_softmax(pixel)[-1])
                found, there = pixel.index(max(pixel)), int(targets[k, i, j])
                if found == there > 0:
                    due[k, found - 1, 0] += 1
                if found > 0:
                    due[k, found - 1, 1] += 1
                if there > 0:
                    due[k, there - 1, 2] += 1
        assert scores[k] == pytest.approx(sum(chances) / len(chances), rel=1e-5)
    np.testing.assert_array_equal(counts, due)
    assert counts[2, :, :2].max() == counts[3, :, 2].max() == 0 < counts[2:4].max()
    again, none = predict_pixels(model, logits, toy.CPU)
    np.testing.assert_allclose(again, scores, rtol=1e-6)
    assert none is None


def test_another_score_can_be_asked_for(toy):
    logits = np.random.default_rng(3).normal(size=(5, 3, 4, 6)).astype(np.float32)
    scores, counts = predict_pixels(
        Given(), logits, toy.CPU, score=lambda found: found[:, 1].amax(dim=(1, 2)), batch_size=2
    )
    assert counts is None
    np.testing.assert_array_equal(scores, logits[:, 1].max(axis=(1, 2)))


def test_the_counts_are_those_that_dice_asks_for(toy):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(6, 2, 3, 3)).astype(np.float32)
    targets = rng.integers(0, 2, (6, 3, 3)).astype(np.uint8)
    _, counts = predict_pixels(Given(), logits, toy.CPU, targets=targets)
    found = predict_classes(Given(), logits, toy.CPU)
    np.testing.assert_allclose(dice_of_counts(counts), dice(found == 1, targets == 1))


def test_predicted_classes_are_the_largest_logits_and_are_good_as_targets(toy):
    logits = np.random.default_rng(0).normal(size=(5, 3, 4, 6)).astype(np.float32)
    found = predict_classes(Given(), logits, toy.CPU, batch_size=2)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, logits.argmax(axis=1))
    _, counts = predict_pixels(Given(), logits, toy.CPU, targets=found)
    assert dice_of_counts(counts).tolist() == [1] * 5


def test_a_unets_images_of_8_bits_are_scaled_and_its_norms_left_alone(toy):
    net = small_unet(channels=3).train()
    before = copy.deepcopy(net.state_dict())
    images = np.random.default_rng(1).integers(0, 256, (3, 3, 32, 48), dtype=np.uint8)
    scores, _ = predict_pixels(net, images, toy.CPU)
    scaled, _ = predict_pixels(net, (images / 255).astype(np.float32), toy.CPU)
    np.testing.assert_allclose(scores, scaled, rtol=1e-5)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


# Training


def test_the_loss_is_the_mean_cross_entropy_over_pixels(toy):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(3, 3, 4, 4)).astype(np.float32)
    targets = rng.integers(0, 3, (3, 4, 4)).astype(np.uint8)
    losses = [
        -math.log(slow_softmax(logits[k, :, i, j].tolist())[targets[k, i, j]])
        for k in range(3)
        for i in range(4)
        for j in range(4)
    ]
    options = {"schedule": ONE, "compute": toy.CPU, **NOTHING}
    trained = fit_pixels(Given(), logits, targets, **options)
    due = sum(losses) / len(losses)
    assert trained.history[0]["train_loss"] == pytest.approx(due, rel=1e-5)
    given = []

    def similarity(model, features, due):
        given.append((model, features, due))
        return 0.25 + 0 * features.sum()

    model = Given()
    trained = fit_pixels(model, logits, targets, similarity=similarity, **options)
    assert trained.history[0]["train_loss"] == pytest.approx(due + 0.25, rel=1e-5)
    ((who, features, classes),) = given
    assert who is model
    assert features.shape == (3, 3, 2, 2)
    assert classes.dtype == torch.int64
    # The batch is shuffled; each image still has its own targets.
    order = [
        int(np.argmin([np.abs(f - g).sum() for g in logits[:, :, ::2, ::2]]))
        for f in features.numpy()
    ]
    np.testing.assert_array_equal(classes, targets[order])


def test_squares_in_noise_are_found_where_they_are(toy):
    images, masks, labels = squares_in_noise(32)
    held_out, due, truth = squares_in_noise(16, seed=1)

    def evaluate(model):
        scores, counts = predict_pixels(model, held_out, toy.CPU, targets=due.astype(np.uint8))
        overlap = dice_of_counts(counts)
        return {"dice": float(np.nanmean(overlap)), "auroc": auroc(truth, scores)}

    net = small_unet()
    trained = fit_pixels(
        net,
        images,
        pixel_classes(masks, labels, lesion_classes=1),
        schedule=Schedule(epochs=10, batch_size=8, learning_rate=0.01),
        rules={"dice": Rule("dice", "max")},
        evaluate=evaluate,
        compute=toy.CPU,
        seed=0,
    )
    best = trained.history[trained.best_epochs["dice"] - 1]
    assert best["dice"] > 0.8
    assert best["auroc"] == 1
    assert best["dice"] > trained.history[0]["dice"] + 0.3
    net.load_state_dict(trained.weights["dice"])
    assert evaluate(net) == {"dice": best["dice"], "auroc": best["auroc"]}


@pytest.mark.parametrize(
    "options",
    [
        {"horizontal_flip": 0.5, "vertical_flip": 0.5},
        {"degrees": 90.0, "translate": 0.2, "scale": (0.8, 1.25)},
        {"crop": (0.5, 1.0)},
    ],
)
def test_augmentation_moves_targets_with_images(toy, options):
    classes = np.zeros((6, 32, 32), dtype=np.uint8)
    for k in range(6):
        classes[k, 2 + k : 14 + k, 4:20], classes[k, 20:28, 18 - k : 28 - k] = 1, 2
    model, due = Given(), []

    def similarity(model, features, targets):
        due.append(targets)
        return 0 * features.sum()

    fit_pixels(
        model,
        np.repeat(classes[:, None] / 2, 3, axis=1).astype(np.float32),
        classes,
        schedule=Schedule(epochs=3, batch_size=6, learning_rate=1e-9),
        compute=toy.CPU,
        augment=build_augmentation(**options),
        similarity=similarity,
        **NOTHING,
    )
    images = torch.cat([batch for batch, _ in model.seen])[:, 0]
    targets = torch.cat(due)
    assert set(targets.unique().tolist()) == {0, 1, 2}
    assert len(torch.unique(targets, dim=0)) > 6  # they were moved
    # In an image edges are smooth; elsewhere a pixel's value is half of its class.
    windows = targets.unfold(1, 5, 1).unfold(2, 5, 1)
    flat = windows.amax(dim=(3, 4)) == windows.amin(dim=(3, 4))
    assert {1, 2} <= set(targets[:, 2:-2, 2:-2][flat].tolist())
    assert (images * 2 - targets)[:, 2:-2, 2:-2][flat].abs().max() < 0.05


def test_the_seed_decides_a_fit(toy):
    images, masks, _ = squares_in_noise(8, side=16)
    states = []
    for seed in (0, 0, 1):
        net = small_unet()
        schedule = Schedule(epochs=1, batch_size=3, learning_rate=0.01)
        options = {"schedule": schedule, "compute": toy.CPU, **NOTHING, "seed": seed}
        fit_pixels(net, images, masks.astype(np.uint8), **options)
        states.append(torch.cat([value.flatten() for value in net.parameters()]))
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_fit_that_was_interrupted_ends_as_one_that_was_not(tmp_path, monkeypatch, precision):
    compute = Compute("cpu", precision, channels_last=True)
    images, masks, _ = squares_in_noise(8, side=32)
    targets = masks.astype(np.uint8)
    kept = {"checkpoint": tmp_path / "fit.checkpoint.safetensors", "checkpoint_seconds": 0.0}

    def fit(**more):
        net = compute.place(small_unet())
        trained = fit_pixels(
            net,
            images,
            targets,
            schedule=Schedule(epochs=4, batch_size=3, learning_rate=0.01, decay="cosine"),
            rules={"dice": Rule("dice", "max")},
            evaluate=lambda model: {"dice": mean_dice(model, images, targets, compute)},
            augment=build_augmentation(horizontal_flip=0.5, degrees=20.0),
            compute=compute,
            seed=3,
            **more,
        )
        return net, trained

    due, whole = fit()
    genuine = training._epoch

    def failing(*args):
        if args[-1] == 3:
            raise RuntimeError("stopped")
        return genuine(*args)

    monkeypatch.setattr(training, "_epoch", failing)
    with pytest.raises(RuntimeError, match="stopped"):
        fit(**kept)
    monkeypatch.setattr(training, "_epoch", genuine)
    found, resumed = fit(**kept)
    assert resumed.resumed_from == 2
    assert resumed.best_epochs == whole.best_epochs
    rows = [
        [(row["train_loss"], row["dice"]) for row in trained.history]
        for trained in (whole, resumed)
    ]
    assert rows[0] == rows[1]
    for a, b in (
        (due.state_dict(), found.state_dict()),
        (whole.weights["dice"], resumed.weights["dice"]),
    ):
        assert all(torch.equal(value, b[name]) for name, value in a.items())


def test_lesions_have_one_class_or_two():
    with pytest.raises(ValueError, match="lesion_classes must be 1 or 2, got 3"):
        pixel_classes(np.zeros((1, 2, 2), bool), np.zeros(1, int), lesion_classes=3)
