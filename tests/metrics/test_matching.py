"""The AUROC between cases that are alike: against a slow loop, and on constructed truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlib.metrics import auroc, bootstrap_matched_aurocs, case_counts, matched_auroc


def slowly(labels, scores, values, ratio):
    won = pairs = 0.0
    for i in np.flatnonzero(labels == 1):
        for j in np.flatnonzero(labels == 0):
            if max(values[i], values[j]) <= ratio * min(values[i], values[j]) * (1 + 1e-12):
                pairs += 1
                won += scores[i] > scores[j]
                won += 0.5 * (scores[i] == scores[j])
    return won / pairs


@given(st.integers(0, 10_000))
def test_it_is_what_a_loop_over_pairs_gives(seed):
    rng = np.random.default_rng(seed)
    labels = np.array([0, 1, *rng.integers(0, 2, 20)])
    scores = rng.integers(0, 6, 22) / 5
    values = np.exp(rng.normal(size=22))
    values[0] = values[1]  # so that there is a pair
    expected = slowly(labels, scores, values, 1.5)
    assert matched_auroc(labels, scores, values, ratio=1.5) == pytest.approx(expected)


def test_a_score_that_is_the_covariate_is_near_chance_though_its_auroc_is_high():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 1500)
    area = np.exp(rng.normal(size=3000) + 1.5 * labels)
    assert auroc(labels, area) > 0.8
    assert matched_auroc(labels, area, area, ratio=1.05) == pytest.approx(0.5, abs=0.03)


def test_where_all_cases_are_alike_it_is_the_auroc():
    rng = np.random.default_rng(1)
    labels, scores = rng.integers(0, 2, 50), rng.normal(size=50)
    assert matched_auroc(labels, scores, np.ones(50)) == pytest.approx(auroc(labels, scores))


def test_resamples_are_those_of_repeated_cases():
    rng = np.random.default_rng(2)
    labels = np.array([0, 1] * 10)
    scores, values = rng.normal(size=20), np.exp(0.2 * rng.normal(size=20))
    found = bootstrap_matched_aurocs(labels, scores, values, n_resamples=30, seed=3)
    (counts,) = case_counts(20, n_resamples=30, seed=3)
    for k in range(30):
        rows = np.repeat(np.arange(20), counts[:, k].astype(int))
        due = matched_auroc(labels[rows], scores[rows], values[rows])
        assert found[k] == pytest.approx(due)


@pytest.mark.parametrize(
    ("values", "ratio", "said"),
    [
        ([1.0, 0.0], 1.2, "covariate must be positive, got 0"),
        ([1.0, 5.0], 1.2, "alike in no pair"),
        ([1.0, 1.0], 1.0, "ratio must be above 1"),
    ],
)
def test_what_cannot_be_matched_is_refused(values, ratio, said):
    with pytest.raises(ValueError, match=said):
        matched_auroc([0, 1], [0.1, 0.2], values, ratio=ratio)
