import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import CosineEmbeddingLoss

from shortlib.methods import training
from shortlib.methods.augmentation import build_augmentation
from shortlib.methods.checkpoint_parts import SUFFIX, part_of
from shortlib.methods.pixel_training import predict_classes
from shortlib.methods.ssl import ImageSimilarity, fit_ssl, image_similarity_loss
from shortlib.methods.training import Rule, Schedule


def drawn(n, d, seed=0, kind=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(n, d, generator=generator, dtype=kind) for _ in range(2)]


def slow_loss(first, second):
    total = 0.0
    for a, b in zip(first, second, strict=True):
        dot = sum(x * y for x, y in zip(a, b, strict=True))
        total += 1 - dot / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))
    return total / len(first)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 1000))
def test_the_loss_agrees_with_a_slow_version(n, d, seed):
    first, second = drawn(n, d, seed)
    due = slow_loss(first.tolist(), second.tolist())
    assert image_similarity_loss(first, second).item() == pytest.approx(due, rel=1e-9, abs=1e-9)


def test_loss_and_gradients_are_those_of_torchs_cosine_embedding_loss():
    gradients = []
    for loss in (
        lambda a, b: CosineEmbeddingLoss()(a, b, torch.ones(len(a))),
        image_similarity_loss,
    ):
        views = [z.requires_grad_() for z in drawn(7, 5, 3)]
        value = loss(*views)
        value.backward()
        gradients.append((value, *(z.grad for z in views)))
    for theirs, ours in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=1e-9)


def test_closed_forms():
    eye = torch.eye(4)
    for second, due in ((3 * eye, 0), (eye.roll(1, 0), 1), (-eye, 2), (torch.zeros(4, 4), 1)):
        assert image_similarity_loss(eye, second).item() == pytest.approx(due)


def test_half_precision_around_it_changes_nothing():
    first, _ = drawn(6, 8, kind=torch.float32)
    second = first + 0.01 * drawn(6, 8, 1, kind=torch.float32)[0]
    due = image_similarity_loss(first, second)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(image_similarity_loss(first, second), due)


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (torch.ones(3, 2), torch.ones(2, 2), r"first and second must have one shape \(n, d\)"),
        (torch.ones(3, 2, 2), torch.ones(3, 2, 2), r"one shape \(n, d\), got \(3, 2, 2\)"),
        (torch.ones(0, 2), torch.ones(0, 2), "at least 1 row, got 0"),
        (torch.ones(3, 2).int(), torch.ones(3, 2).int(), "must be floats, got torch.int32"),
    ],
)
def test_a_wrong_argument_is_said(first, second, said):
    with pytest.raises(ValueError, match=said):
        image_similarity_loss(first, second)


# Beside the cross-entropy


class Pixelwise(nn.Module):
    """Scores a pixel by its own value from 0 to 1, positive above a half."""

    def __init__(self, slope=0.0):
        super().__init__()
        self.layer, self.seen = nn.Conv2d(1, 2, 1), []
        with torch.no_grad():
            self.layer.weight[:, 0, 0, 0] = torch.tensor([0.0, slope])
            self.layer.bias[:] = torch.tensor([0.0, -slope / 2])

    def forward(self, images):
        return self.layer(images)

    def forward_with_features(self, images):
        self.seen.append(("labelled", images))
        return self(images), images

    def embed(self, images):
        self.seen.append(("unlabelled", images))
        return images.flatten(1) + 0 * self.layer.bias.sum()


def marked(n, seed=0):
    """Images of 0 and 1 with their masks, which are the images themselves."""
    masks = np.random.default_rng(seed).random((n, 4, 6)) < 0.5
    return masks[:, None].astype(np.float32), masks.astype(np.uint8)


@pytest.mark.parametrize(
    ("turned", "due"), [([[1, 0], [0, 1]], 0), ([[0, 1], [-1, 0]], 1), ([[-1, 0], [0, -1]], 2)]
)
def test_the_term_is_the_weight_times_the_loss_of_two_views(toy, turned, due):
    """One view as the image is, of two channels; the other turned by 0, 90 or 180 degrees."""
    unlabelled = drawn(5, 2, kind=torch.float32)[0].view(5, 2, 1, 1).numpy()
    views = []

    def augment(images):
        turn = torch.tensor(turned if views else [[1, 0], [0, 1]], dtype=images.dtype)
        views.append(torch.einsum("ij,njhw->nihw", turn, images))
        return views[-1]

    term = ImageSimilarity(unlabelled, augment, 0.3, toy.CPU)
    targets = torch.zeros(3, 1, 1, dtype=torch.int64)
    assert term(Pixelwise(), None, targets).item() == pytest.approx(0.3 * due, abs=1e-6)
    assert [len(view) for view in views] == [3, 3]


def test_as_many_unlabelled_images_are_drawn_as_there_are_labelled_ones(toy):
    unlabelled, model = marked(5)[0], Pixelwise()
    unlabelled += 1 + np.arange(5, dtype=np.float32)[:, None, None, None]  # tells them apart
    term = ImageSimilarity(unlabelled, lambda images: images, 1.0, toy.CPU)
    drawn_ones = set()
    for n in (1, 7, 40):  # more than there are, too
        term(model, None, torch.zeros(n, 4, 6))
        (_, first), (_, second) = model.seen[-2:]
        assert first.shape == (n, 1, 4, 6)
        assert torch.equal(first, second)
        drawn_ones |= {image.numpy().tobytes() for image in first}
    assert drawn_ones == {image.tobytes() for image in unlabelled}


# Both trainings


def fit(toy, initial, final, *, labelled, unlabelled, epochs=1, rate=1e-9, batch_size=64, **more):
    options = {"weight": 0.0, "augment": views_alike, "rules": {}, "evaluate": lambda model: {}}
    return fit_ssl(
        initial,
        final,
        *labelled,
        unlabelled,
        schedule=Schedule(epochs=epochs, batch_size=batch_size, learning_rate=rate),
        compute=toy.CPU,
        seed=0,
        **{**options, **more},
    )


def views_alike(images, masks=None):
    return images if masks is None else (images, masks)


def entropy(images, classes, slope):
    """Mean cross-entropy of a :class:`Pixelwise`, pixel by pixel."""
    losses = [
        math.log(1 + math.exp(-slope * (value - 0.5) * (1 if positive else -1)))
        for value, positive in zip(images.ravel().tolist(), classes.ravel(), strict=True)
    ]
    return sum(losses) / len(losses)


@pytest.mark.parametrize("slope", [50.0, -50.0])
def test_the_final_network_is_trained_on_what_the_initial_one_finds(toy, slope):
    """A perfect initial network gives the true masks, one that is turned round their opposite."""
    images, _ = marked(2)
    wrong = np.ones((2, 4, 6), dtype=np.uint8)  # masks that say nothing about the others
    unlabelled, truth = marked(6, seed=1)
    final = Pixelwise(0.8)
    trained = fit(toy, Pixelwise(slope), final, labelled=(images, wrong), unlabelled=unlabelled)
    found = truth if slope > 0 else 1 - truth
    due = entropy(np.concatenate([images, unlabelled]), np.concatenate([wrong, found]), 0.8)
    assert trained.history[0]["train_loss"] == pytest.approx(due, rel=1e-5)
    (_, batch), *_ = final.seen
    assert len(batch) == 8


def test_from_a_few_masks_both_networks_learn_and_only_the_final_one_is_looked_at(toy):
    labelled, (held_out, due) = marked(2), marked(5, seed=2)
    unlabelled, truth = marked(12, seed=1)
    initial, final, looked = Pixelwise(), Pixelwise(-1.0), []

    def evaluate(model):
        looked.append(model)
        return {"right": float((predict_classes(model, held_out, toy.CPU) == due).mean())}

    trained = fit(
        toy,
        initial,
        final,
        labelled=labelled,
        unlabelled=unlabelled,
        epochs=8,
        rate=0.3,
        batch_size=4,
        weight=0.1,
        rules={"right": Rule("right", "max")},
        evaluate=evaluate,
    )
    np.testing.assert_array_equal(predict_classes(initial, unlabelled, toy.CPU), truth)
    assert all(model is final for model in looked)
    assert len(looked) == len(trained.history) == 8
    assert trained.history[trained.best_epochs["right"] - 1]["right"] == 1
    assert trained.weights["right"].keys() == final.state_dict().keys()


def test_both_trainings_compare_views_of_unlabelled_images_with_the_weight(toy):
    labelled, unlabelled = marked(5), marked(6, seed=1)[0]
    due = {image.tobytes() for image in unlabelled}
    views = []

    def augment(images, masks=None):
        if masks is not None:
            return images, masks
        views.append(len(views))
        return images if len(views) % 2 else 0 * images  # the other view has no direction

    losses, models = [], []
    for weight in (0.0, 0.6):
        models = [Pixelwise(50.0), Pixelwise(0.8)]
        trained = fit(
            toy,
            *models,
            labelled=labelled,
            unlabelled=unlabelled,
            batch_size=4,
            weight=weight,
            augment=augment,
        )
        losses.append(trained.history[0]["train_loss"])
    assert losses[1] - losses[0] == pytest.approx(0.6 * 1, rel=1e-4)
    for model, batches in zip(models, ([4, 1], [4, 4, 3]), strict=True):
        kinds = [(kind, len(images)) for kind, images in model.seen]
        assert kinds == [
            (kind, n) for n in batches for kind in ("labelled", "unlabelled", "unlabelled")
        ]
        first_views = [images for kind, images in model.seen if kind == "unlabelled"][::2]
        assert {image.numpy().tobytes() for image in torch.cat(first_views)} <= due


def test_without_an_unlabelled_image_nothing_is_trained(toy, tmp_path):
    initial = Pixelwise()
    kept = {"checkpoint": tmp_path / f"run{SUFFIX}", "checkpoint_seconds": 0.0}
    with pytest.raises(ValueError, match=r"no unlabelled image: .* its share .* must be below 1"):
        fit(toy, initial, Pixelwise(), labelled=marked(2), unlabelled=marked(0)[0], **kept)
    assert initial.seen == list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("stop", "resumed_from"), [(2, 0), (4, 0), (6, 2)])
def test_each_training_resumes_to_the_same_bits(toy, tmp_path, monkeypatch, stop, resumed_from):
    """Stopped in the initial training, and before and after the final one's first save."""
    labelled, unlabelled = marked(3), marked(6, seed=1)[0]
    options = {"labelled": labelled, "unlabelled": unlabelled, "epochs": 3, "batch_size": 2}
    options |= {"rate": 0.2, "weight": 0.5, "rules": {"loss": Rule("value")}}
    options["augment"] = build_augmentation(horizontal_flip=0.5, brightness=0.5)
    options["evaluate"] = lambda model: {"value": float(model.layer.weight.sum())}
    whole = [Pixelwise(0.5), Pixelwise(0.1)]
    due = fit(toy, *whole, **options)
    genuine, calls = training._epoch, []

    def failing(*args):
        calls.append(args[-1])
        if len(calls) == stop:
            raise RuntimeError("stopped")
        return genuine(*args)

    checkpoint = tmp_path / f"run{SUFFIX}"
    kept = {"checkpoint": checkpoint, "checkpoint_seconds": 0.0}
    monkeypatch.setattr(training, "_epoch", failing)
    with pytest.raises(RuntimeError, match="stopped"):
        fit(toy, Pixelwise(0.5), Pixelwise(0.1), **options, **kept)
    parts = ("initial",) if stop < 5 else ("final", "initial")
    assert sorted(tmp_path.iterdir()) == [part_of(checkpoint, part) for part in parts]
    monkeypatch.setattr(training, "_epoch", genuine)
    again = [Pixelwise(0.5), Pixelwise(0.1)]
    found = fit(toy, *again, **options, **kept)
    assert found.resumed_from == resumed_from
    assert found.best_epochs == due.best_epochs
    losses = [[row["train_loss"] for row in one.history] for one in (due, found)]
    assert losses[0] == losses[1]
    for a, b in zip(whole, again, strict=True):
        assert all(
            torch.equal(value, b.state_dict()[name]) for name, value in a.state_dict().items()
        )


def test_without_an_augmentation_there_are_no_two_views(toy):
    with pytest.raises(ValueError, match="augment must be given"):
        ImageSimilarity(marked(2)[0], None, 1.0, toy.CPU)
