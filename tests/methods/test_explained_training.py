import copy
import math

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from shortlib.data import Cohort
from shortlib.explain.grad_cam import logits_and_maps
from shortlib.methods.annotated_explanations import masked_explanation, right_reasons
from shortlib.methods.classification import fit_classes
from shortlib.methods.compute import choose_compute
from shortlib.methods.explained_training import RULE, fit_explained
from shortlib.methods.training import Schedule
from shortlib.models.transfer import TransferCNN, build_transfer

COMPUTE = choose_compute("cpu", "cnn-small")
SCHEDULE = Schedule(epochs=3, batch_size=8, learning_rate=0.01)
SIDE = 32


def cohort_of(n, seed=0):
    """Images that are as bright as their class says, with noise."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    images = 0.4 * rng.random((n, 1, SIDE, SIDE)) + 0.25 * labels[:, None, None, None]
    ids = np.array([f"case-{seed}-{i}" for i in range(n)])
    return Cohort(
        f"toy-{seed}", ids, images.astype(np.float32), labels=labels, label_names=("a", "b", "c")
    )


@pytest.fixture(scope="module")
def parts():
    return cohort_of(22), cohort_of(13, seed=1)


def network(seed=0, dropout=0.5):
    torch.manual_seed(seed)
    return COMPUTE.place(build_transfer("cnn-small", outputs=3, hidden=8, dropout=dropout))


def fitted(parts, model=None, *, schedule=SCHEDULE, **options):
    model = network() if model is None else model
    return model, fit_explained(
        model, *parts, schedule=schedule, compute=COMPUTE, seed=4, **options
    )


def by_map(model, images, labels):
    return logits_and_maps(model, model.body, images, labels)


def upper_half(cohort):
    masks = np.zeros((len(cohort), SIDE, SIDE), bool)
    masks[:, : SIDE // 2] = True
    return masks


def times_aside(history):
    return [{k: v for k, v in row.items() if not k.endswith("seconds")} for row in history]


# Against plain training


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"explain": masked_explanation(by_map), "avoid": upper_half},
        {"explain": right_reasons, "avoid": upper_half, "weight": 0},
    ],
)
def test_without_a_weight_it_is_plain_training_to_the_bit(parts, options):
    model, trained = fitted(parts, **options)
    plain = network()
    due = fit_classes(plain, parts[0], schedule=SCHEDULE, compute=COMPUTE, seed=4)
    assert [row["train_loss"] for row in trained.history] == [
        row["train_loss"] for row in due.history
    ]
    # Up to the epoch that was chosen, the weights too.
    short = Schedule(**{**vars(SCHEDULE), "epochs": trained.best_epochs[RULE]})
    plain = network()
    fit_classes(plain, parts[0], schedule=short, compute=COMPUTE, seed=4)
    for name, value in plain.state_dict().items():
        assert torch.equal(model.state_dict()[name], value), name


def test_a_weight_makes_a_difference_and_more_makes_more(parts):
    def explain(model, images, labels, masks):
        return model(images), next(model.head.parameters()).square().sum()

    left = []
    for weight in (0.0, 0.01, 1.0):
        one = Schedule(epochs=2, batch_size=8, learning_rate=0.01)
        model, _ = fitted(parts, schedule=one, explain=explain, weight=weight)
        left.append(next(model.head.parameters()).square().sum().item())
    assert left[0] > left[1] > left[2]


def test_the_loss_of_a_batch_is_the_labels_and_the_weight_times_the_explanations(parts):
    model = network(dropout=0.0)
    start = copy.deepcopy(model).train()
    train = parts[0]
    masks = torch.from_numpy(upper_half(train)).float()
    explain = masked_explanation(by_map)
    logits, explained = explain(
        start, torch.from_numpy(train.images), torch.from_numpy(train.labels), masks
    )
    labelled = cross_entropy(logits, torch.from_numpy(train.labels))
    one = Schedule(epochs=1, batch_size=22, learning_rate=1e-9)
    _, trained = fitted(parts, model, schedule=one, explain=explain, weight=3.0, avoid=upper_half)
    assert explained > 0.05
    assert trained.history[0]["train_loss"] == pytest.approx(
        (labelled + 3 * explained).item(), rel=1e-4
    )


# What is measured after an epoch


def test_the_epoch_of_the_least_sum_is_kept(parts):
    weight, explain = 2.0, masked_explanation(by_map)
    schedule = Schedule(epochs=5, batch_size=8, learning_rate=0.01)
    model, trained = fitted(
        parts, schedule=schedule, explain=explain, weight=weight, avoid=upper_half
    )
    for row in trained.history:
        due = row["validation_cross_entropy"] + weight * row["validation_explanation"]
        assert row[RULE] == pytest.approx(due)
    best = int(np.argmin([row[RULE] for row in trained.history]))
    assert best + 1 == trained.best_epochs[RULE] < 5
    # The model that is left gives that epoch's numbers again.
    validation, chosen = parts[1], trained.history[best]
    labels = torch.from_numpy(validation.labels)
    masks = torch.from_numpy(upper_half(validation)).float()
    images = COMPUTE.place(torch.from_numpy(validation.images))
    logits, explained = explain(model.eval(), images, labels, masks)
    labelled, hits = cross_entropy(logits, labels), (logits.argmax(dim=1) == labels).float()
    assert chosen["validation_cross_entropy"] == pytest.approx(labelled.item(), rel=1e-4)
    assert chosen["validation_explanation"] == pytest.approx(explained.item(), rel=1e-3)
    assert chosen["validation_accuracy"] == pytest.approx(hits.mean().item())


def test_patience_counts_epochs_without_a_better_sum(parts):
    def explain(model, images, labels, masks):
        worse.append(0.01)
        return model(images), next(model.parameters()).sum() * 0 + sum(worse)

    worse = []
    schedule = Schedule(epochs=9, batch_size=32, learning_rate=1e-6, patience=2)
    _, trained = fitted(parts, schedule=schedule, explain=explain, weight=50.0)
    assert [row["epoch"] for row in trained.history] == [1, 2, 3]
    assert trained.best_epochs == {RULE: 1}


def test_each_case_comes_with_its_own_mask_and_label(parts):
    """Validation's explanations are measured on validation's masks, by case, not by batch."""
    seen = []

    def avoid(cohort):
        assert cohort in parts
        return cohort.images[:, 0] > 0.5

    def explain(model, images, labels, masks):
        assert masks.dtype == torch.float32
        assert torch.equal(masks, (images[:, 0] > 0.5).float())
        bright = images.mean(dim=(1, 2, 3))
        assert torch.equal(labels, ((bright - 0.2) / 0.25).round().long())
        seen.append(model.training)
        return model(images), masks.mean() + 0 * next(model.parameters()).sum()

    _, trained = fitted(parts, explain=explain, weight=1.0, avoid=avoid)
    assert seen == [True, True, True, False, False] * 3  # 22 and 13 cases by 8
    due = (parts[1].images > 0.5).mean()
    assert (parts[0].images > 0.5).mean() != pytest.approx(due, rel=0.01)
    for row in trained.history:
        assert row["validation_explanation"] == pytest.approx(due, rel=1e-5)


def test_without_masks_none_are_given_and_without_explanations_none_are_measured(parts):
    given = []

    def explain(model, images, labels, masks):
        given.append(masks)
        return model(images), images.sum() * 0

    fitted(parts, schedule=Schedule(epochs=1, batch_size=8, learning_rate=0.1), explain=explain)
    assert given
    assert set(given) == {None}
    _, trained = fitted(parts)
    for row in trained.history:
        assert math.isnan(row["validation_explanation"])
        assert row[RULE] == row["validation_cross_entropy"]


# A fit that stops


@pytest.mark.parametrize("explain", [masked_explanation(by_map), right_reasons])
def test_a_fit_that_was_stopped_ends_as_one_that_was_not(parts, tmp_path, explain):
    options = {"weight": 0.1, "avoid": upper_half}
    schedule = Schedule(epochs=4, batch_size=8, learning_rate=0.01, decay="cosine")
    model, whole = fitted(parts, schedule=schedule, explain=explain, **options)
    calls = []

    def failing(*given):
        calls.append(1)
        if len(calls) > 2 * 5 + 1:  # in the third epoch
            raise KeyboardInterrupt
        return explain(*given)

    kept = {"checkpoint": tmp_path / "state.safetensors", "checkpoint_seconds": 0.0}
    with pytest.raises(KeyboardInterrupt):
        fitted(parts, schedule=schedule, explain=failing, **options, **kept)
    again, resumed = fitted(
        parts, network(seed=9), schedule=schedule, explain=explain, **options, **kept
    )
    assert resumed.resumed_from == 2
    assert resumed.best_epochs == whole.best_epochs
    assert times_aside(resumed.history) == times_aside(whole.history)
    for name, value in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name


# What stays


def test_what_is_frozen_stays_as_it_came(parts):
    plain = build_transfer("cnn-small", outputs=3, hidden=8)
    kept = ("body.0", "body.1")  # the first convolution and its norm
    model = COMPUTE.place(TransferCNN(plain.body, plain.head, peaks=True, frozen=kept))
    with torch.no_grad():
        model.body[1].running_mean.uniform_(0, 0.1)
    before = copy.deepcopy(model.state_dict())
    fitted(parts, model, explain=masked_explanation(by_map), weight=1.0, avoid=upper_half)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]) is name.startswith(("body.0.", "body.1.")), name
    assert not model.body[0].weight.requires_grad
    assert model.body[4].weight.requires_grad


# What does not fit


@pytest.mark.parametrize("weight", [-0.1, math.nan])
def test_a_negative_weight_is_refused(parts, weight):
    with pytest.raises(ValueError, match=f"weight must not be negative, got {weight}"):
        fitted(parts, weight=weight)


def test_several_labels_a_case_are_refused(parts):
    several = Cohort(
        "many", parts[1].case_ids, parts[1].images, labels=np.zeros((13, 2)), label_names=("a", "b")
    )
    for pair in ((parts[0], several), (several, parts[1])):
        with pytest.raises(ValueError, match="labels of 'many' must be one class a case"):
            fitted(pair)
