import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import spearmanr

from shortlib.metrics.estimate import Estimate, rank_correlation

RNG = np.random.default_rng(0)


def exact(value):
    return Estimate(value, np.empty(0))


def test_interval_is_the_middle_of_the_resamples():
    estimate = Estimate(0.2, RNG.permutation(np.arange(1001.0)), 40, 3)
    assert estimate.interval() == pytest.approx((25.0, 975.0))
    assert estimate.interval(0.5) == pytest.approx((250.0, 750.0))
    assert not estimate.exact


@given(arrays(float, 30, elements=st.floats(-5, 5)), st.floats(0.05, 0.9))
@settings(deadline=None, max_examples=40)
def test_a_wider_level_holds_the_narrower_interval(resamples, level):
    estimate = Estimate(0.0, resamples)
    inner, outer = estimate.interval(level), estimate.interval(level + 0.05)
    assert outer[0] <= inner[0] <= inner[1] <= outer[1]


def test_an_exact_number_has_an_interval_without_width():
    assert exact(0.3).exact
    assert exact(0.3).interval() == exact(0.3).interval(0.5) == (0.3, 0.3)


def test_a_difference_is_paired_by_resample():
    luck = RNG.normal(size=500)  # what the two have in common, e.g. an easy set of cases
    a, b = Estimate(2.0, 2 + luck, 80, 3), Estimate(1.5, 1.5 + luck, 60, 2)
    difference = a - b
    assert difference.value == 0.5
    np.testing.assert_allclose(difference.resamples, 0.5)
    assert difference.interval() == pytest.approx((0.5, 0.5))
    assert (difference.n, difference.seeds) == (60, 2)  # the weaker of the two
    assert (b - a).value == -0.5


def test_a_difference_of_exact_numbers_is_exact():
    assert (exact(3.0) - exact(1.0)).exact
    assert (exact(3.0) - exact(1.0)).interval() == (2.0, 2.0)


def test_estimates_with_other_numbers_of_resamples_are_not_subtracted():
    with pytest.raises(ValueError, match="broadcast"):
        Estimate(1.0, np.zeros(10)) - Estimate(1.0, np.zeros(20))


def spearman(x, y):
    """SciPy's coefficient; no order at all counts as 0."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a constant input
        value = spearmanr(x, y).statistic
    return 0.0 if np.isnan(value) else value


# Few distinct values, so that ties are frequent.
@given(arrays(int, (4, 6), elements=st.integers(0, 3)), st.permutations(range(4)))
@settings(deadline=None, max_examples=60)
def test_rank_correlation_agrees_with_scipy_on_every_resample(columns, x):
    estimates = [Estimate(float(row[0]), row[1:].astype(float), 9, 2) for row in columns]
    found = rank_correlation(x, estimates)
    truth = [spearman(x, column) for column in columns.T]
    assert found.value == pytest.approx(truth[0], abs=1e-12)
    np.testing.assert_allclose(found.resamples, truth[1:], atol=1e-12)
    assert (found.n, found.seeds) == (9, 2)


def test_rank_correlation_of_what_is_all_tied_is_zero():
    tied = [Estimate(v, np.array([0.5, v])) for v in (1.0, 2.0, 3.0)]
    found = rank_correlation([1, 4, 40], tied)
    np.testing.assert_allclose(found.resamples, [0.0, 1.0])
    assert rank_correlation([1, 4, 40], [exact(1.0)] * 3).value == 0.0


def test_rank_correlation_takes_the_weakest_n_and_the_fewest_seeds():
    estimates = [Estimate(float(i), np.zeros(3), 10 * (i + 1), 3 - i) for i in range(3)]
    found = rank_correlation([1, 2, 3], estimates)
    assert (found.n, found.seeds) == (10, 1)


def test_rank_correlation_of_exact_numbers_is_exact():
    found = rank_correlation([1, 2, 4, 8, 10, 20, 40], [exact(-float(i)) for i in range(7)])
    assert found.exact
    assert found.value == pytest.approx(-1.0, abs=1e-12)
