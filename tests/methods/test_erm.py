from dataclasses import replace
from math import exp, log

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlib.data import Cohort
from shortlib.data.streamed import Streamed
from shortlib.methods.augmentation import build_augmentation
from shortlib.methods.erm import fit_erm, label_loss, n_outputs, predict_erm
from shortlib.methods.training import Rule, Schedule

RULES = {"validation": Rule("validation_loss")}


def bright_or_dark(n, seed=0, **fields):
    """Images that are brighter where the label is 1."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    images = (rng.integers(0, 100, (n, 1, 16, 16)) + 100 * labels[:, None, None, None]).astype("u1")
    ids = np.array([f"{seed}-{i}" for i in range(n)])
    return Cohort("bright-or-dark", ids, images, **{"labels": labels, **fields})


def fit(train, compute, **options):
    return fit_erm(
        train,
        {"validation": bright_or_dark(40, 1)},
        **{
            "network": "cnn-small",
            "schedule": Schedule(epochs=3, batch_size=16, learning_rate=0.01),
            "rules": RULES,
            "compute": compute,
            "seed": 0,
            **options,
        },
    )


def test_a_fit_learns_and_scores_rank_the_classes(toy):
    model, trained = fit(bright_or_dark(80), toy.CPU)
    test = bright_or_dark(60, 2)
    logits, embeddings = predict_erm(model, test.images, toy.CPU, batch_size=7)
    assert logits.shape == (60, 1)
    assert embeddings.shape == (60, 128)
    assert logits[test.labels == 1].min() > logits[test.labels == 0].max()
    assert trained.history[-1]["validation_loss"] < 0.5


def test_images_from_disk_give_the_same_weights_as_images_in_memory(toy):
    train = bright_or_dark(40)
    streamed = Streamed(
        lambda i: train.images[i], 40, train.images.shape[1:], np.uint8, identity="test"
    )
    augment = build_augmentation(horizontal_flip=0.5)
    models = [
        fit(cohort, toy.CPU, augment=augment)[0]
        for cohort in (train, replace(train, images=streamed))
    ]
    for a, b in zip(*(model.state_dict().values() for model in models), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    scores = [predict_erm(models[0], images, toy.CPU)[0] for images in (train.images, streamed)]
    np.testing.assert_array_equal(*scores)


def test_classes_and_findings_have_their_own_heads(toy):
    labels = np.arange(30) % 3
    classes = replace(bright_or_dark(30), labels=labels, label_names=("a", "b", "c"))
    findings = np.random.default_rng(0).choice([0.0, 1.0, -1.0, np.nan], (30, 2))
    several = replace(bright_or_dark(30), labels=findings, label_names=("edema", "effusion"))
    for cohort, outputs in ((bright_or_dark(30), 1), (classes, 3), (several, 2)):
        assert n_outputs(cohort) == outputs
        model, trained = fit_erm(
            cohort,
            {"validation": cohort},
            network="cnn-small",
            schedule=Schedule(epochs=1, batch_size=8, learning_rate=0.001),
            rules=RULES,
            compute=toy.CPU,
            seed=0,
        )
        assert model.head.out_features == outputs
        assert np.isfinite(trained.history[0]["validation_loss"])


def slow_findings_loss(logits, labels):
    total = 0.0
    for k in range(len(labels[0])):
        terms = []
        for scores, row in zip(logits, labels, strict=True):
            p = 1 / (1 + exp(-scores[k]))
            if row[k] == 1:
                terms.append(-log(p))
            elif row[k] == 0:
                terms.append(-log(1 - p))
        total += sum(terms) / len(terms) if terms else 0.0
    return total


label = st.sampled_from([0.0, 1.0, -1.0, float("nan")])
cases = st.lists(
    st.tuples(st.tuples(st.floats(-8, 8), st.floats(-8, 8)), st.tuples(label, label)),
    min_size=1,
    max_size=9,
)


@settings(max_examples=60)
@given(cases)
def test_the_loss_of_findings_agrees_with_a_slow_version(rows):
    logits, labels = (list(part) for part in zip(*rows, strict=True))
    ours = label_loss(torch.tensor(logits, dtype=torch.float32), torch.tensor(labels))
    assert ours.item() == pytest.approx(slow_findings_loss(logits, labels), rel=1e-4, abs=1e-5)


def test_unknown_findings_give_no_gradient():
    logits = torch.zeros(3, 2, requires_grad=True)
    labels = torch.tensor([[1.0, -1.0], [float("nan"), -1.0], [0.0, float("nan")]])
    label_loss(logits, labels).backward()
    assert logits.grad[:, 1].tolist() == [0, 0, 0]
    assert logits.grad[1, 0] == 0
    assert (logits.grad[[0, 2], 0] != 0).all()


def test_the_loss_of_classes_is_minus_the_mean_log_probability():
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.5, 0.5, 0.5]])
    due = (-log(exp(2) / (exp(2) + 1 + exp(-1))) + log(3)) / 2
    assert label_loss(logits, torch.tensor([0, 2])).item() == pytest.approx(due, rel=1e-6)


def test_a_cohort_without_labels_is_refused(toy):
    with pytest.raises(ValueError, match="cohort 'bright-or-dark' has no labels"):
        fit(replace(bright_or_dark(8), labels=None), toy.CPU)
