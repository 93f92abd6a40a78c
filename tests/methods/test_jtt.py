from collections import Counter

import numpy as np
import pytest
import torch
from torch import nn

from shortlib.data import Cohort
from shortlib.methods.checkpoint_parts import SUFFIX, part_of
from shortlib.methods.jtt import error_set, fit_jtt, repeat_errors
from shortlib.methods.training import Schedule

FIRST = Schedule(epochs=2, batch_size=16, learning_rate=0.05, weight_decay=0.1, optimizer="sgd")
SECOND = Schedule(epochs=6, batch_size=16, learning_rate=0.05)


def shortcut_cohort(n=64, seed=0):
    """Label and shortcut agree in 7 of 8 cases; the shortcut's pixel is the clearer one."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    shortcut = np.where(np.arange(n) % 16 < 14, labels, 1 - labels)
    images = rng.normal(scale=0.3, size=(n, 1, 1, 2))
    images[:, 0, 0, 0] += 0.5 * (2 * labels - 1)
    images[:, 0, 0, 1] += 2 * (2 * shortcut - 1)
    ids = np.array([f"{seed}-{i}" for i in range(n)])
    return Cohort(
        "toy", ids, images.astype(np.float32), labels=labels, shortcut=shortcut.astype(bool)
    )


def network(label=0.0, shortcut=0.0):
    """A linear model that weighs the label's pixel and the shortcut's."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 1))
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([[label, shortcut]]))
        model[1].bias.zero_()
    return model


def fit(toy, train=None, **options):
    identifier, model = network(), network()
    train = shortcut_cohort() if train is None else train
    defaults = {"identification": FIRST, "schedule": SECOND, "factor": 5, "seed": 0}
    found = fit_jtt(
        identifier,
        model,
        train,
        shortcut_cohort(seed=1),
        compute=toy.CPU,
        **{**defaults, **options},
    )
    return identifier, model, found


def test_the_errors_of_a_model_that_follows_the_shortcut_are_where_it_misleads(toy):
    train = shortcut_cohort()
    misled = (train.labels == 1) != train.shortcut
    np.testing.assert_array_equal(error_set(network(shortcut=1.0), train, toy.CPU), misled)
    np.testing.assert_array_equal(error_set(network(shortcut=-1.0), train, toy.CPU), ~misled)


def test_a_model_without_errors_is_refused_with_what_to_do(toy):
    clean = shortcut_cohort(14)  # the shortcut agrees with the label in all of these
    with pytest.raises(ValueError, match=r"100% accuracy on the 14 training cases of 'toy'.*fewer"):
        fit(toy, clean)


def test_errors_come_factor_times_and_others_once():
    errors = np.array([False, True, False, True])
    assert Counter(repeat_errors(errors, 20).tolist()) == {0: 1, 1: 20, 2: 1, 3: 20}
    assert sorted(repeat_errors(errors, 1)) == [0, 1, 2, 3]
    few = np.arange(10) < 2
    order = repeat_errors(few, "match")
    assert Counter(order.tolist()) == {0: 4, 1: 4} | dict.fromkeys(range(2, 10), 1)


@pytest.mark.parametrize("factor", [0, -3, 2.5, True, "largest"])
def test_another_factor_is_refused(factor):
    with pytest.raises(ValueError, match="factor must be a whole number, 1 or more, or 'match'"):
        repeat_errors([True, False], factor)


def test_the_second_model_relies_less_on_the_shortcut_than_the_first(toy):
    identifier, model, found = fit(toy)
    train = shortcut_cohort()
    misled = (train.labels == 1) != train.shortcut
    np.testing.assert_array_equal(found.errors, misled)
    (first_label, first_shortcut), (label, shortcut) = (
        one[1].weight[0].tolist() for one in (identifier, model)
    )
    assert first_shortcut > first_label > 0
    assert label > shortcut
    assert len(found.identified.history) == 2
    assert found.identified.weights == {}
    losses = [row["validation_loss"] for row in found.trained.history]
    assert found.trained.best_epochs == {"validation_loss": 1 + int(np.argmin(losses))}


def test_the_first_loss_of_the_second_model_weighs_errors_by_the_factor(toy):
    train, start = shortcut_cohort(), network(0.3, 0.8)
    with torch.no_grad():
        logits = start(torch.from_numpy(train.images))[:, 0].double().numpy()
    losses = np.log1p(np.exp(np.where(train.labels == 1, -logits, logits)))
    still = Schedule(epochs=1, batch_size=7, learning_rate=1e-9)
    identifier, model = network(shortcut=1.0), network(0.3, 0.8)
    found = fit_jtt(
        identifier,
        model,
        train,
        train,
        identification=still,
        schedule=still,
        factor=20,
        compute=toy.CPU,
        seed=0,
    )
    weights = np.where(found.errors, 20, 1)
    due = (weights * losses).sum() / weights.sum()
    assert found.trained.history[0]["train_loss"] == pytest.approx(due, rel=1e-5)


def test_each_stage_resumes_from_its_own_checkpoint(toy, tmp_path):
    _, due, whole = fit(toy)
    kept = {"checkpoint": tmp_path / f"run{SUFFIX}", "checkpoint_seconds": 0.0}
    fit(toy, schedule=Schedule(epochs=3, batch_size=16, learning_rate=0.05), **kept)
    assert sorted(tmp_path.iterdir()) == [
        part_of(kept["checkpoint"], part) for part in ("final", "identifier")
    ]
    _, model, resumed = fit(toy, **kept)
    assert (resumed.identified.resumed_from, resumed.trained.resumed_from) == (2, 3)
    np.testing.assert_array_equal(resumed.errors, whole.errors)
    assert torch.equal(model[1].weight, due[1].weight)
