import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from shortlib.metrics import (
    case_counts,
    hanley_mcneil,
    macro_auroc,
    micro_auroc,
    multiclass_aurocs,
)

OPTIONS = {"n_resamples": 40, "seed": 3}


def cases(n=40, k=4, seeds=1, *, ties=True, seed=0):
    """Classes of unequal frequency, all present, and probabilities that favour the right one."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.r_[np.arange(k), rng.integers(k, size=n - k) ** 2 // k])
    scores = np.exp(rng.normal(size=(seeds, n, k)) + (labels[:, None] == np.arange(k)))
    scores /= scores.sum(axis=2, keepdims=True)
    return labels, scores.round(1) if ties else scores


def slow(labels, scores, kind):
    """AUROC with scikit-learn; classes that do not occur have no column in a macro mean."""
    hot = np.eye(scores.shape[1])[labels]
    there = hot.any(axis=0) if kind == "macro" else slice(None)
    return roc_auc_score(hot[:, there], scores[:, there], average=kind)


def drawn_rows(n, groups=None):
    """The cases of each resample, one by one."""
    counts = np.concatenate(list(case_counts(n, groups=groups, **OPTIONS)), axis=1)
    return [np.repeat(np.arange(n), column.astype(int)) for column in counts.T]


@given(st.integers(2, 6), st.integers(0, 2**32 - 1), st.booleans())
@settings(deadline=None, max_examples=30)
def test_both_are_scikit_learn(k, seed, ties):
    labels, scores = cases(n=25, k=k, ties=ties, seed=seed)
    assert micro_auroc(labels, scores[0]) == pytest.approx(slow(labels, scores[0], "micro"))
    assert macro_auroc(labels, scores[0]) == pytest.approx(slow(labels, scores[0], "macro"))


def test_right_and_wrong_and_constant_scores():
    labels = np.array([0, 1, 2, 2])
    hot = np.eye(3)[labels]
    for measure in (micro_auroc, macro_auroc):
        assert measure(labels, hot) == 1
        assert measure(labels, -hot) == 0
        assert measure(labels, np.full((4, 3), 1 / 3)) == 0.5


@given(st.integers(1, 30), st.integers(1, 30))
@settings(deadline=None)
def test_who_sees_nothing_but_the_shares_earns_the_larger_share_of_two(first, second):
    """P(ahead) over pooled entries: p (p + (1 - p) / 2) + (1 - p) p / 2 = p for p > 1/2."""
    labels = np.repeat([0, 1], [first, second])
    shares = np.array([first, second]) / len(labels)
    blind = np.tile(shares, (len(labels), 1))
    assert micro_auroc(labels, blind) == pytest.approx(shares.max())
    assert macro_auroc(labels, blind) == 0.5


def test_only_micro_compares_cases_across_classes():
    labels, scores = cases(ties=False)
    scaled = scores[0] * np.array([1, 2, 3, 4])  # keeps the order within each class
    assert macro_auroc(labels, scaled) == macro_auroc(labels, scores[0])
    assert micro_auroc(labels, scaled) != micro_auroc(labels, scores[0])


def test_a_class_without_a_case_is_left_out_of_macro_and_stays_a_rival_in_micro():
    labels, scores = cases(n=30, k=3)
    absent = np.insert(scores[0], 1, 0.9, axis=1)  # a new class, much favoured and never right
    moved = np.array([0, 2, 3])[labels]
    assert macro_auroc(moved, absent) == macro_auroc(labels, scores[0])
    assert micro_auroc(moved, absent) < micro_auroc(labels, scores[0])
    assert micro_auroc(np.zeros(5), np.tile([0.7, 0.3], (5, 1))) == 1  # of a single class, too
    with pytest.raises(ValueError, match=r"y_true holds only class 2 \(5 cases\)"):
        macro_auroc(np.full(5, 2), np.ones((5, 3)))


@given(st.integers(1, 80), st.integers(1, 80))
def test_hanley_mcneil_of_a_blind_score_is_the_rank_sum_test(a, b):
    """With Q1 = Q2 = 1/3 the formula is the variance of the Mann-Whitney statistic."""
    assert hanley_mcneil(0.5, a, b) ** 2 == pytest.approx((a + b + 1) / (12 * a * b))


def test_hanley_mcneil_is_the_spread_over_samples_from_exponentials():
    rng = np.random.default_rng(0)
    positive, negative = 4 * rng.exponential(size=(4000, 12, 1)), rng.exponential(size=(4000, 1, 9))
    areas = (positive > negative).mean(axis=(1, 2))
    assert areas.mean() == pytest.approx(4 / 5, abs=0.01)
    assert hanley_mcneil(4 / 5, 12, 9) == pytest.approx(areas.std(), rel=0.04)


@given(st.floats(0, 1), st.integers(1, 50), st.integers(1, 50))
def test_hanley_mcneil_does_not_care_which_label_is_positive(area, a, b):
    assert hanley_mcneil(area, a, b) == pytest.approx(hanley_mcneil(1 - area, b, a), abs=1e-7)
    assert hanley_mcneil(1, a, b) == hanley_mcneil(0, a, b) == 0


@pytest.mark.parametrize("kind", ["micro", "macro"])
@pytest.mark.parametrize("ties", [True, False])
@pytest.mark.parametrize("grouped", [False, True])
def test_each_resample_is_scikit_learn_on_the_drawn_cases(kind, ties, grouped):
    labels, scores = cases(ties=ties, seed=5)
    patients = [f"p{i}" for i in np.random.default_rng(0).integers(15, size=40)]
    groups = patients if grouped else None
    found = multiclass_aurocs(labels, scores, kind=kind, groups=groups, **OPTIONS)
    assert found.value == pytest.approx(slow(labels, scores[0], kind))
    truth = [slow(labels[rows], scores[0][rows], kind) for rows in drawn_rows(40, groups)]
    np.testing.assert_allclose(found.resamples, truth, atol=1e-12)
    assert (found.n, found.seeds) == (40, 1)


@pytest.mark.parametrize("kind", ["micro", "macro"])
def test_seeds_are_drawn_with_replacement(kind):
    labels, scores = cases(seeds=3)
    apart = [multiclass_aurocs(labels, scores[[i]], kind=kind, **OPTIONS) for i in range(3)]
    found = multiclass_aurocs(labels, scores, kind=kind, **OPTIONS)
    assert found.value == pytest.approx(np.mean([a.value for a in apart]))
    draws = [(i, j, k) for i in range(3) for j in range(i, 3) for k in range(j, 3)]
    seen = set()
    for b, value in enumerate(found.resamples):
        means = {d: np.mean([apart[i].resamples[b] for i in d]) for d in draws}
        matching = [d for d, mean in means.items() if mean == pytest.approx(value, abs=1e-12)]
        assert matching
        seen.update(matching)
    assert len(seen) > 5
    assert found.seeds == 3


@pytest.mark.parametrize("kind", ["micro", "macro"])
def test_models_are_compared_on_the_same_draws(kind):
    labels, scores = cases(seeds=3, ties=False)
    one = multiclass_aurocs(labels, scores, kind=kind, **OPTIONS)
    same = multiclass_aurocs(labels, 2 * scores + 1, kind=kind, **OPTIONS)
    assert (one - same).interval() == (0.0, 0.0)
    assert one.resamples.std() > 0.01


@pytest.mark.parametrize("kind", ["micro", "macro"])
def test_twins_do_not_narrow_the_interval_of_patients(kind):
    labels, scores = cases(n=60, ties=False)
    once = multiclass_aurocs(labels, scores, kind=kind, **OPTIONS)
    twice = np.repeat(labels, 2), np.repeat(scores, 2, axis=1)
    patients = np.repeat(np.arange(60), 2)
    found = multiclass_aurocs(*twice, kind=kind, groups=patients, **OPTIONS)
    np.testing.assert_allclose(found.resamples, once.resamples)


def test_a_resample_of_one_class_tells_nothing_apart():
    labels, scores = np.array([0, 1, 1]), np.array([[[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]]])
    found = multiclass_aurocs(labels, scores, kind="macro", **OPTIONS)
    single = [len(set(labels[rows])) == 1 for rows in drawn_rows(3)]
    assert any(single)
    np.testing.assert_array_equal(found.resamples, np.where(single, 0.5, 1.0))


def test_two_thousand_resamples_take_less_than_a_second():
    labels, scores = cases(n=200, k=5)
    start = time.perf_counter()
    multiclass_aurocs(labels, scores)
    multiclass_aurocs(labels, scores, kind="macro")
    assert time.perf_counter() - start < 2  # about 0.1 s


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([[0, 1]], [[0.5, 0.5]], r"y_true must have shape \(n,\), n at least 1, got \(1, 2\)"),
        ([], np.empty((0, 2)), r"n at least 1, got \(0,\)"),
        ([0, 1], [[1.0, 0.0]], r"y_score must have shape \(2, any\), got \(1, 2\)"),
        ([0, 0], [[1.0], [1.0]], r"y_score must have at least two classes, got shape \(2, 1\)"),
        ([0, 2], np.eye(2), "y_true must hold classes 0 to 1, .* got 2"),
        ([0, -1], np.eye(2), "y_true must hold classes 0 to 1, .* got -1"),
        ([0, 0.5], np.eye(2), "y_true must hold classes 0 to 1, .* got 0.5"),
        (["NOR", "RV"], np.eye(2), "y_true must hold classes 0 to 1, .* got 'NOR'"),
        ([0, 1], [[np.nan, 1], [1, 1]], r"y_score must be finite, got nan \(1 of 4 values"),
    ],
)
@pytest.mark.parametrize("measure", [micro_auroc, macro_auroc])
def test_what_makes_no_sense_is_refused(measure, labels, scores, message):
    with pytest.raises(ValueError, match=message):
        measure(labels, scores)


@pytest.mark.parametrize(
    ("labels", "shape", "options", "message"),
    [
        ([0, 1], (2, 2), {}, r"y_scores must have shape \(any, 2, any\), got \(2, 2\)"),
        ([0, 1], (0, 2, 2), {}, r"y_scores must have at least one seed and two classes"),
        ([1, 1], (1, 2, 2), {"kind": "macro"}, "y_true holds only class 1"),
        ([0, 1], (1, 2, 2), {"kind": "weighted"}, "kind must be .*micro, macro, got 'weighted'"),
        ([0, 1], (1, 2, 2), {"n_resamples": 0}, "n_resamples must be at least 1, got 0"),
        ([0, 1], (1, 2, 2), {"groups": ["a"]}, r"groups must have shape \(2,\), .*got \(1,\)"),
    ],
)
def test_resampling_refuses_what_makes_no_sense(labels, shape, options, message):
    with pytest.raises(ValueError, match=message):
        multiclass_aurocs(labels, np.ones(shape), **options)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((1.2, 5, 5), r"auroc must lie in \[0, 1\], got 1.2"),
        ((np.nan, 5, 5), r"auroc must lie in \[0, 1\], got nan"),
        ((0.7, 0, 5), "n_positive must be at least 1, got 0"),
        ((0.7, 5, 0), "n_negative must be at least 1, got 0"),
    ],
)
def test_hanley_mcneil_refuses_what_makes_no_sense(args, message):
    with pytest.raises(ValueError, match=message):
        hanley_mcneil(*args)
