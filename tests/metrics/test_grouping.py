from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import precision_score, recall_score

from shortlib.metrics import cluster_purity, error_set_precision, error_set_recall

# Two cases of each label and shortcut; the middle four are those that the shortcut misleads on.
LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 1])
SHORTCUT = np.array([0, 0, 1, 1, 0, 0, 1, 1])
MISLED = np.array([0, 0, 1, 1, 1, 1, 0, 0], dtype=bool)


@pytest.mark.parametrize(
    ("errors", "precision", "recall"),
    [
        (MISLED, 1.0, 1.0),
        (~MISLED, 0.0, 0.0),
        (np.ones(8, dtype=bool), 0.5, 1.0),
        ([0, 0, 0, 1, 0, 0, 0, 0], 1.0, 0.25),
        ([1, 1, 1, 0, 0, 0, 0, 0], 1 / 3, 0.25),
    ],
    ids=["all that mislead", "none of them", "every case", "one of them", "one of three"],
)
def test_an_error_set_by_construction(errors, precision, recall):
    assert error_set_precision(errors, LABELS, SHORTCUT) == pytest.approx(precision)
    assert error_set_recall(errors, LABELS, SHORTCUT) == recall


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(*[st.booleans()] * 3), min_size=1, max_size=12))
def test_they_are_precision_and_recall_of_the_cases_that_mislead(rows):
    errors, labels, shortcut = np.array(rows).T
    misled = [label != carries for label, carries in zip(labels, shortcut, strict=True)]
    if errors.any():
        found = error_set_precision(errors, labels, shortcut)
        assert found == pytest.approx(precision_score(misled, errors))
    if any(misled):
        found = error_set_recall(errors, labels, shortcut)
        assert found == pytest.approx(recall_score(misled, errors))


def test_what_has_no_precision_or_recall_is_said():
    none = np.zeros(8, dtype=bool)
    assert error_set_recall(none, LABELS, SHORTCUT) == 0
    with pytest.raises(ValueError, match="precision of an empty error set is undefined"):
        error_set_precision(none, LABELS, SHORTCUT)
    with pytest.raises(ValueError, match="y_true and shortcut agree on every case"):
        error_set_recall(MISLED, LABELS, LABELS)
    with pytest.raises(ValueError, match="shortcut must have one value for each of 8 cases, got 7"):
        error_set_precision(MISLED, LABELS, SHORTCUT[1:])
    with pytest.raises(ValueError, match="errors must hold only 0 and 1, got 2"):
        error_set_recall(2 * MISLED, LABELS, SHORTCUT)


def slow_purity(groups, truth):
    most = 0
    for group in set(groups):
        inside = [kind for g, kind in zip(groups, truth, strict=True) if g == group]
        most += Counter(inside).most_common(1)[0][1]
    return most / len(groups)


pairs = st.lists(st.tuples(st.integers(0, 4), st.sampled_from("abc")), min_size=1, max_size=15)


@settings(max_examples=30, deadline=None)
@given(pairs)
def test_purity_agrees_with_a_slow_version(rows):
    groups, truth = zip(*rows, strict=True)
    assert cluster_purity(groups, truth) == pytest.approx(slow_purity(groups, truth))


def test_purity_by_construction():
    truth = np.array([0, 0, 0, 1, 1, 1, 1, 1])
    assert cluster_purity(truth + 7, truth) == 1
    assert cluster_purity(np.zeros(8), truth) == 5 / 8
    assert cluster_purity(np.arange(8), truth) == 1
    assert cluster_purity([0, 0, 0, 0, 1, 1, 1, 1], truth) == 7 / 8


def test_groups_that_do_not_fit_are_said():
    with pytest.raises(ValueError, match=r"one shape \(n,\) .* got \(2,\) and \(3,\)"):
        cluster_purity([0, 1], [0, 1, 1])
    with pytest.raises(ValueError, match=r"n at least 1, got \(0,\) and \(0,\)"):
        cluster_purity([], [])
