import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from shortlib.metrics import auroc, robust_auroc, robust_cases

few_values = st.integers(-20, 20)


@st.composite
def scored_cases(draw, values=few_values):
    """Labels of both classes, and scores with many ties."""
    labels = draw(st.lists(st.integers(0, 1), min_size=2, max_size=25))
    labels[0], labels[1] = 0, 1
    scores = draw(st.lists(values, min_size=len(labels), max_size=len(labels)))
    return np.array(labels), np.array(scores, dtype=float)


def auroc_by_pairs(labels, scores):
    pairs = [(p, q) for p in scores[labels == 1] for q in scores[labels == 0]]
    return sum((p > q) + 0.5 * (p == q) for p, q in pairs) / len(pairs)


@given(scored_cases())
@settings(deadline=None)
def test_auroc_is_the_share_of_pairs_in_order(case):
    labels, scores = case
    assert auroc(labels, scores) == pytest.approx(auroc_by_pairs(labels, scores), abs=1e-12)


@given(scored_cases(st.floats(-1e6, 1e6)))
@settings(deadline=None, max_examples=50)
def test_auroc_agrees_with_scikit_learn(case):
    labels, scores = case
    assert auroc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


@given(scored_cases())
@settings(deadline=None)
def test_auroc_depends_on_the_order_only(case):
    labels, scores = case
    for transformed in (scores**3 + 2 * scores, np.arctan(scores), np.exp(scores / 4), scores - 7):
        assert auroc(labels, transformed) == auroc(labels, scores)


@given(scored_cases())
@settings(deadline=None)
def test_auroc_turns_with_the_score_and_with_the_labels(case):
    labels, scores = case
    assert auroc(labels, -scores) == pytest.approx(1 - auroc(labels, scores), abs=1e-12)
    assert auroc(1 - labels, scores) == pytest.approx(1 - auroc(labels, scores), abs=1e-12)


@given(scored_cases(), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_auroc_does_not_depend_on_the_order_of_cases(case, random):
    labels, scores = case
    shuffled = random.sample(range(len(labels)), len(labels))
    assert auroc(labels[shuffled], scores[shuffled]) == auroc(labels, scores)


@pytest.mark.parametrize(
    ("scores", "truth"),
    [([0, 0, 1, 1], 1.0), ([1, 1, 0, 0], 0.0), ([3, 3, 3, 3], 0.5), ([0, 2, 1, 3], 0.75)],
)
def test_auroc_of_constructed_cases(scores, truth):
    assert auroc([0, 0, 1, 1], scores) == truth


def test_auroc_accepts_lists_booleans_and_tensors():
    labels, scores = [0, 1, 0, 1, 1], [0.25, 0.5, 0.75, 1.0, 0.25]
    for as_given in (np.array, torch.tensor, list):
        assert auroc(as_given(labels), as_given(scores)) == auroc(labels, scores)
    assert auroc(np.array(labels, bool), np.array(scores, np.float32)) == auroc(labels, scores)


bad_cases = pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([], [], "y_true is empty"),
        ([1, 1], [0.1, 0.2], r"y_true holds only label 1 \(2 cases\)"),
        ([0, 0, 0], [1, 2, 3], r"y_true holds only label 0 \(3 cases\)"),
        ([0, 2], [0.1, 0.2], "y_true must hold only 0 and 1, got 2"),
        ([0.0, np.nan], [0.1, 0.2], "y_true must hold only 0 and 1, got nan"),
        ([[0, 1]], [[0.1, 0.2]], r"y_true must have shape \(n,\), got \(1, 2\)"),
        ([0, 1], [0.1, 0.2, 0.3], r"y_score must have shape \(2,\), got \(3,\)"),
        ([0, 1], [[0.1], [0.2]], r"y_score must have shape \(2,\), got \(2, 1\)"),
        ([0, 1], [0.1, np.nan], r"y_score must be finite, got nan \(1 of 2 values"),
        ([0, 1], [-np.inf, np.inf], r"y_score must be finite, got -inf \(2 of 2 values"),
    ],
)


@bad_cases
def test_auroc_says_what_is_wrong(labels, scores, message):
    with pytest.raises(ValueError, match=message):
        auroc(labels, scores)


@bad_cases
def test_robust_auroc_says_what_is_wrong(labels, scores, message):
    with pytest.raises(ValueError, match=message):
        robust_auroc(labels, scores, np.array(labels) == 0)


def cases_with_shortcut(n=200, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 2, n), rng.normal(size=n).round(1), rng.integers(0, 2, n)


def test_robust_auroc_is_the_auroc_of_two_of_the_four_groups():
    labels, scores, shortcut = cases_with_shortcut()
    groups = list(zip(labels, shortcut, strict=True))
    chosen = [i for i, group in enumerate(groups) if group in {(1, 0), (0, 1)}]
    assert robust_cases(labels, shortcut).nonzero()[0].tolist() == chosen
    truth = roc_auc_score(labels[chosen], scores[chosen])
    assert robust_auroc(labels, scores, shortcut) == pytest.approx(truth, abs=1e-12)


def test_robust_auroc_ignores_scores_of_the_other_groups():
    labels, scores, shortcut = cases_with_shortcut()
    changed = np.where(labels == shortcut, 1e6 * scores + 3, scores)
    assert robust_auroc(labels, changed, shortcut) == robust_auroc(labels, scores, shortcut)


def test_robust_auroc_of_a_score_that_follows_shortcut_label_or_neither():
    labels, _, shortcut = cases_with_shortcut()
    assert robust_auroc(labels, shortcut, shortcut) == 0.0
    assert robust_auroc(labels, labels, shortcut) == 1.0
    assert robust_auroc(labels, labels + shortcut, shortcut) == 0.5
    assert robust_auroc(torch.tensor(labels), torch.tensor(labels), torch.tensor(shortcut)) == 1.0


@pytest.mark.parametrize(
    ("shortcut", "message"),
    [
        ([1, 1, 0, 1], "no case has y_true = 1 and shortcut = 0"),
        ([0, 0, 0, 0], "no case has y_true = 0 and shortcut = 1"),
        ([0, 1, 0], "shortcut must have one value for each of 4 cases, got 3"),
        ([0, 1, 0, 5], "shortcut must hold only 0 and 1, got 5"),
        ([[0, 1, 0, 1]], r"shortcut must have shape \(n,\), got \(1, 4\)"),
    ],
)
def test_robust_auroc_says_which_group_is_missing(shortcut, message):
    with pytest.raises(ValueError, match=message):
        robust_auroc([0, 0, 0, 1], [0.1, 0.2, 0.3, 0.4], shortcut)
    with pytest.raises(ValueError, match=message):
        robust_cases([0, 0, 0, 1], shortcut)
