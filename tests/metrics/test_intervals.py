import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from shortlib.metrics import (
    Interval,
    auroc,
    auroc_interval,
    auroc_over_seeds_interval,
    bootstrap_aurocs,
    bootstrap_aurocs_over_seeds,
    intervals,
    robust_auroc,
    robust_auroc_interval,
    robust_cases,
    stratified_resamples,
)


def binormal(n_positive, n_negative, shift=1.0, decimals=None, seed=0):
    """Shuffled cases whose population AUROC is Phi(shift / sqrt(2))."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n_positive + n_negative) < n_positive).astype(int)
    scores = rng.normal(size=len(labels)) + shift * labels
    return labels, scores if decimals is None else scores.round(decimals)


@given(
    st.lists(st.integers(0, 1), min_size=2, max_size=30).filter(lambda y: len(set(y)) == 2),
    st.integers(1, 20),
    st.integers(0, 2**32),
)
@settings(deadline=None, max_examples=50)
def test_resamples_keep_the_class_counts(labels, n_resamples, seed):
    labels = np.array(labels)
    drawn = stratified_resamples(labels, n_resamples=n_resamples, seed=seed)
    assert drawn.shape == (n_resamples, len(labels))
    assert (labels[drawn].sum(axis=1) == labels.sum()).all()


def test_resamples_are_uniform_within_a_label():
    labels, _ = binormal(7, 13)
    drawn = stratified_resamples(labels, n_resamples=5000, seed=1)
    often = np.bincount(drawn.ravel(), minlength=20)
    assert np.abs(often - 5000).max() < 5 * np.sqrt(5000)
    first_two = drawn[:, 0] * 20 + drawn[:, 1]  # positives: all pairs of draws occur
    assert len(np.unique(first_two)) == 49


@pytest.mark.parametrize("decimals", [None, 1, 0])
@pytest.mark.parametrize("sizes", [(20, 40), (1, 5), (30, 1), (1, 1)])
def test_bootstrap_is_scikit_learn_on_the_same_resamples(sizes, decimals):
    labels, scores = binormal(*sizes, decimals=decimals)
    options = {"n_resamples": 60, "seed": 5}
    slow = [
        roc_auc_score(labels[rows], scores[rows])
        for rows in stratified_resamples(labels, **options)
    ]
    np.testing.assert_allclose(bootstrap_aurocs(labels, scores, **options), slow, atol=1e-12)


def test_bootstrap_depends_on_the_seed_and_not_on_the_size_of_blocks(monkeypatch):
    labels, scores = binormal(33, 21, decimals=1)
    many = np.stack([scores, -scores, scores**2])
    options = {"n_resamples": 101, "seed": 3}

    def all_three():
        return (
            stratified_resamples(labels, **options),
            bootstrap_aurocs(labels, scores, **options),
            bootstrap_aurocs_over_seeds(labels, many, **options),
        )

    whole = all_three()
    for block in (1, 54 * 7, 10**6):
        monkeypatch.setattr(intervals, "BLOCK", block)
        for had, has in zip(whole, all_three(), strict=True):
            np.testing.assert_array_equal(had, has)
    other = bootstrap_aurocs(labels, scores, n_resamples=101, seed=4)
    assert (other != whole[1]).any()


@pytest.mark.parametrize("decimals", [None, 0])
def test_bootstrap_has_the_exact_mean_and_variance(decimals):
    labels, scores = binormal(15, 25, decimals=decimals)
    kernel = scores[labels == 1][:, None] - scores[labels == 0]
    kernel = (kernel > 0) + 0.5 * (kernel == 0)
    p, q = kernel.shape
    area = kernel.mean()
    by_row = (kernel.mean(axis=1) ** 2).mean() - area**2
    by_column = (kernel.mean(axis=0) ** 2).mean() - area**2
    variance = ((kernel**2).mean() - area**2 + (q - 1) * by_row + (p - 1) * by_column) / (p * q)
    values = bootstrap_aurocs(labels, scores, n_resamples=20_000, seed=0)
    assert values.mean() == pytest.approx(area, abs=5 * np.sqrt(variance / 20_000))
    assert values.var() == pytest.approx(variance, rel=0.06)


def test_interval_is_the_estimate_and_percentiles():
    labels, scores = binormal(30, 50)
    found = auroc_interval(labels, scores, level=0.9, n_resamples=500, seed=2)
    values = np.sort(bootstrap_aurocs(labels, scores, n_resamples=500, seed=2))
    assert isinstance(found, Interval)
    assert found.estimate == auroc(labels, scores)
    assert values[24] <= found.low <= values[25]
    assert values[474] <= found.high <= values[475]
    assert all(type(value) is float for value in found)


def test_interval_covers_the_population_value():
    truth = norm.cdf(1 / np.sqrt(2))
    found = [
        auroc_interval(*binormal(50, 50, seed=seed), n_resamples=400, seed=seed)
        for seed in range(200)
    ]
    covered = np.mean([low <= truth <= high for _, low, high in found])
    assert 0.88 <= covered <= 0.99  # 95% within five standard errors
    assert all(low <= estimate <= high for estimate, low, high in found)


def test_interval_narrows_with_cases_and_widens_with_level():
    def width(n, level):
        _, low, high = auroc_interval(*binormal(n, n), level=level, n_resamples=1000)
        return high - low

    assert width(400, 0.95) == pytest.approx(width(100, 0.95) / 2, rel=0.3)
    assert width(100, 0.5) < width(100, 0.95) < width(100, 0.99)


@pytest.mark.parametrize(("sign", "truth"), [(1, 1.0), (-1, 0.0), (0, 0.5)])
def test_interval_of_perfect_reversed_and_constant_scores_has_no_width(sign, truth):
    labels, _ = binormal(10, 12)
    assert auroc_interval(labels, sign * labels, n_resamples=50) == (truth, truth, truth)


def test_interval_accepts_lists_and_tensors():
    labels, scores = binormal(10, 12)
    truth = auroc_interval(labels, scores, n_resamples=50)
    for as_given in (torch.tensor, list):
        assert auroc_interval(as_given(labels), as_given(scores), n_resamples=50) == truth
    many = torch.tensor(np.stack([scores, scores]))
    found = auroc_over_seeds_interval(torch.tensor(labels), many, n_resamples=50)
    assert found == pytest.approx(truth, abs=1e-12)


def test_robust_interval_resamples_the_cases_where_label_and_shortcut_disagree():
    labels, scores = binormal(60, 60)
    shortcut = np.random.default_rng(1).integers(0, 2, 120)
    options = {"level": 0.8, "n_resamples": 200, "seed": 9}
    chosen = robust_cases(labels, shortcut)
    found = robust_auroc_interval(labels, scores, shortcut, **options)
    assert found == auroc_interval(labels[chosen], scores[chosen], **options)
    assert found.estimate == robust_auroc(labels, scores, shortcut)


def test_one_seed_is_a_bootstrap_over_cases():
    labels, scores = binormal(20, 30)
    options = {"n_resamples": 100, "seed": 4}
    alone = bootstrap_aurocs(labels, scores, **options)
    np.testing.assert_array_equal(
        bootstrap_aurocs_over_seeds(labels, scores[None], **options), alone
    )
    same_thrice = bootstrap_aurocs_over_seeds(labels, np.tile(scores, (3, 1)), **options)
    np.testing.assert_allclose(same_thrice, alone, atol=1e-12)
    assert auroc_over_seeds_interval(labels, scores[None], **options) == auroc_interval(
        labels, scores, **options
    )


def test_seeds_are_drawn_with_replacement():
    labels, _ = binormal(20, 30)
    right_and_wrong = np.stack([labels, -labels])  # AUROC 1 and 0 on every resample
    values = bootstrap_aurocs_over_seeds(labels, right_and_wrong, n_resamples=4000, seed=0)
    found, counts = np.unique(values, return_counts=True)
    assert found.tolist() == [0.0, 0.5, 1.0]
    expected = 4000 * np.array([0.25, 0.5, 0.25])
    assert (np.abs(counts - expected) < 5 * np.sqrt(expected)).all()
    assert auroc_over_seeds_interval(labels, right_and_wrong) == (0.5, 0.0, 1.0)


def test_seeds_mix_means_of_the_same_resampled_cases():
    labels, scores = binormal(20, 30)
    noise = np.random.default_rng(0).normal(size=(3, 50))
    options = {"n_resamples": 40, "seed": 6}
    each = np.stack([bootstrap_aurocs(labels, scores + row, **options) for row in noise])
    found = bootstrap_aurocs_over_seeds(labels, scores + noise, **options)
    mixtures = np.stack(
        [each[[i, j, k]].mean(axis=0) for i in range(3) for j in range(3) for k in range(3)]
    )
    assert np.abs(mixtures - found).min(axis=0).max() < 1e-12
    estimate = auroc_over_seeds_interval(labels, scores + noise, **options).estimate
    assert estimate == pytest.approx(np.mean([auroc(labels, scores + row) for row in noise]))


def test_differences_between_models_are_paired():
    labels, scores = binormal(20, 30)
    rng = np.random.default_rng(0)
    first = scores + rng.normal(size=(3, 50))
    second = first + 0.05 * rng.normal(size=(3, 50))
    options = {"n_resamples": 500, "seed": 6}
    values = bootstrap_aurocs_over_seeds(labels, first, **options)
    np.testing.assert_array_equal(
        bootstrap_aurocs_over_seeds(labels, np.arctan(first), **options), values
    )
    paired = values - bootstrap_aurocs_over_seeds(labels, second, **options)
    unpaired = values - bootstrap_aurocs_over_seeds(labels, second, n_resamples=500, seed=7)
    assert paired.std() < unpaired.std() / 3


FUNCTIONS = {
    "bootstrap_aurocs": bootstrap_aurocs,
    "auroc_interval": auroc_interval,
    "robust_auroc_interval": lambda y, s, **o: robust_auroc_interval(y, s, 1 - np.array(y), **o),
    "bootstrap_aurocs_over_seeds": lambda y, s, **o: bootstrap_aurocs_over_seeds(y, [s], **o),
    "auroc_over_seeds_interval": lambda y, s, **o: auroc_over_seeds_interval(y, [s], **o),
}


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
@pytest.mark.parametrize(
    ("labels", "scores", "options", "message"),
    [
        ([], [], {}, "y_true is empty"),
        ([1, 1], [0.1, 0.2], {}, "y_true holds only label 1"),
        ([0, 3], [0.1, 0.2], {}, "y_true must hold only 0 and 1, got 3"),
        ([0, 1], [0.1, np.nan], {}, "must be finite, got nan"),
        ([0, 1], [0.1, np.inf], {}, "must be finite, got inf"),
        ([0, 1], [0.1, 0.2, 0.3], {}, r"y_scores? must have shape \(.*2,?\), got \(.*3,?\)"),
        ([0, 1], [0.1, 0.2], {"n_resamples": 0}, "n_resamples must be at least 1, got 0"),
    ],
)
def test_bad_cases_are_named(function, labels, scores, options, message):
    with pytest.raises(ValueError, match=message):
        function(labels, scores, **options)


@pytest.mark.parametrize("level", [0, 1, 95, -0.5, float("nan")])
@pytest.mark.parametrize(
    "name", ["auroc_interval", "robust_auroc_interval", "auroc_over_seeds_interval"]
)
def test_bad_levels_are_named(name, level):
    with pytest.raises(ValueError, match=f"level must lie strictly between 0 and 1, got {level}"):
        FUNCTIONS[name]([0, 1], [0.1, 0.2], level=level)


def test_bad_seeds_and_shortcuts_are_named():
    with pytest.raises(ValueError, match="y_scores has no rows"):
        auroc_over_seeds_interval([0, 1], np.empty((0, 2)))
    with pytest.raises(ValueError, match=r"y_scores must have shape \(any, 2\), got \(2,\)"):
        bootstrap_aurocs_over_seeds([0, 1], [0.1, 0.2])
    with pytest.raises(ValueError, match="no case has y_true = 1 and shortcut = 0"):
        robust_auroc_interval([0, 1], [0.1, 0.2], [1, 1])
    with pytest.raises(ValueError, match="n_resamples must be at least 1, got -1"):
        stratified_resamples([0, 1], n_resamples=-1)
    with pytest.raises(ValueError, match="y_true holds only label 0"):
        stratified_resamples([0, 0])
