from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch

from shortlib.data import Cohort
from shortlib.explain.grad_cam import grad_cam
from shortlib.methods.compute import choose_compute
from shortlib.metrics import activation_precision
from shortlib.models.transfer import build_transfer
from shortlib.studies.exemplary_explanations.exemplars import (
    Pair,
    automatic_pair,
    blind_pairs,
    careful_pairs,
    rank_candidates,
)


def candidates(rows):
    """From (precision, confidence, right) of each case."""
    table = pd.DataFrame(rows, columns=["ap", "confidence", "right"])
    table["case_id"] = [f"case-{i:03d}" for i in range(len(rows))]
    table["class"] = np.arange(len(rows)) % 3
    table["predicted"] = np.where(table["right"], table["class"], (table["class"] + 1) % 3)
    return table.drop(columns="right")


def many(n=100, wrong=40):
    """The first ones are wrong; precision falls from case to case."""
    return candidates([(1 - i / n, 0.5, i >= wrong) for i in range(n)])


def places(pairs):
    return [(int(pair.good[-3:]), int(pair.bad[-3:])) for pair in pairs]


def test_the_automatic_pair_is_the_best_and_the_worst_of_those_that_are_right():
    table = candidates(
        [
            (0.9, 0.9, False),  # the best, but explains another class than its own
            (0.8, 0.4, True),
            (0.8, 0.6, True),  # as good, and surer
            (0.2, 0.3, True),
            (0.2, 0.7, True),
            (0.2, 0.7, True),  # as bad and as sure: the first by id
            (0.0, 0.9, False),
        ]
    )
    due = Pair("automatic", "case-002", "case-004")
    for seed in range(4):  # the order of rows does not matter
        assert automatic_pair(table.sample(frac=1, random_state=seed)) == due


def test_the_automatic_pair_is_two_cases_even_if_all_are_alike():
    same = candidates([(0.5, 0.5, True)] * 3)
    assert automatic_pair(same) == Pair("automatic", "case-001", "case-000")


@pytest.mark.parametrize("n", [1, 0])
def test_two_right_cases_are_needed(n):
    table = candidates([(0.5, 0.5, i < n) for i in range(5)])
    for choose in (automatic_pair, lambda t: careful_pairs(t, 2, seed=0)):
        with pytest.raises(ValueError, match=f"of which two are needed; it gets {n} of 5 right"):
            choose(table)
    assert len(blind_pairs(table, 2, seed=0)) == 2  # for them nothing is looked at


def test_careful_pairs_come_from_both_ends_of_those_that_are_right():
    pairs = careful_pairs(many(), 20, seed=0)
    found = places(pairs)
    # 60 are right, from 40 on: a tenth are six.
    assert {good for good, _ in found} <= set(range(40, 46))
    assert {bad for _, bad in found} <= set(range(94, 100))
    assert len(set(found)) == 20
    assert [pair.name for pair in pairs] == [f"careful-{k:02d}" for k in range(20)]
    # All that there are, if as many are asked for.
    every = careful_pairs(many(), 36, seed=0)
    assert set(places(every)) == set(product(range(40, 46), range(94, 100)))
    again = careful_pairs(many(), 50, seed=0)
    assert len(again) == 50


def test_a_tenth_of_few_cases_is_one():
    table = candidates([(i / 10, 0.5, True) for i in range(5)])
    assert set(places(careful_pairs(table, 3, seed=1))) == {(4, 0)}


def test_blind_pairs_are_any_two_cases_in_any_order():
    pairs = blind_pairs(many(), 400, seed=0)
    found = places(pairs)
    assert len(set(found)) == 400
    assert all(good != bad for good, bad in found)
    assert {x for pair in found for x in pair} == set(range(100))  # wrong ones among them
    better = np.mean([good < bad for good, bad in found])
    assert better == pytest.approx(0.5, abs=0.1)
    assert pairs[7].name == "blind-07"


@pytest.mark.parametrize("draw", [careful_pairs, blind_pairs])
def test_draws_follow_the_seed_and_not_the_order_of_rows(draw):
    table = many()
    first = draw(table, 6, seed=3)
    assert draw(table.sample(frac=1, random_state=0), 6, seed=3) == first
    assert draw(table, 6, seed=4) != first


def test_candidates_are_measured_on_the_map_of_the_class_that_is_predicted():
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (7, 1, 64, 64), dtype=np.uint8)
    lungs = np.zeros((7, 64, 64), bool)
    lungs[:, 10:40, 5:30] = True
    ids = np.array([f"case-{i}" for i in range(7)])
    cohort = Cohort("toy", ids, images, labels=np.arange(7) % 3, label_names=("a", "b", "c"),
                    anatomy_masks=lungs)  # fmt: skip
    compute = choose_compute("cpu", "cnn-small")
    model = compute.place(build_transfer("cnn-small", outputs=3, hidden=8)).eval()
    scaled = torch.from_numpy(images) / 255
    with torch.no_grad():
        model.head[3].weight *= 100
        chances = model(scaled).softmax(dim=1)
        model.head[3].bias -= model(scaled).mean(dim=0)  # not the same class for all
        chances = model(scaled).double().softmax(dim=1).numpy()
    maps, table = rank_candidates(model, cohort, compute, top=0.1)
    assert table["case_id"].tolist() == ids.tolist()
    assert table["class"].tolist() == cohort.labels.tolist()
    assert table["predicted"].tolist() == chances.argmax(axis=1).tolist()
    assert table["predicted"].nunique() > 1
    np.testing.assert_allclose(table["confidence"], chances.max(axis=1), rtol=1e-4)
    due = grad_cam(model, model.body, scaled, torch.from_numpy(chances.argmax(axis=1))).numpy()
    np.testing.assert_allclose(maps, due, atol=1e-4)
    np.testing.assert_allclose(table["ap"], activation_precision(maps, lungs, top=0.1))
    assert table["ap"].nunique() > 1
