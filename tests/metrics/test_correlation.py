import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import pearsonr

from shortlib.metrics import fisher_interval, pearson
from shortlib.metrics.estimate import Estimate


def estimates(table, n=9, seeds=2):
    """One estimate a row: the value, then its resamples."""
    return [Estimate(float(row[0]), np.asarray(row[1:], float), n, seeds) for row in table]


def slow(x, y):
    """SciPy's coefficient; without spread it counts as 0."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a constant input
        value = pearsonr(x, y).statistic
    return 0.0 if np.isnan(value) else value


# Few distinct values, so that a model's numbers are often all the same. Eighths are exact.
tables = arrays(int, (4, 6), elements=st.integers(0, 3)).map(lambda table: table / 8)


@given(tables, tables)
@settings(deadline=None, max_examples=60)
def test_pearson_agrees_with_scipy_on_every_resample(x, y):
    found = pearson(estimates(x, 9, 2), estimates(y, 7, 3))
    truth = [slow(a, b) for a, b in zip(x.T, y.T, strict=True)]
    assert found.value == pytest.approx(truth[0], abs=1e-12)
    np.testing.assert_allclose(found.resamples, truth[1:], atol=1e-12)
    assert (found.n, found.seeds) == (7, 2)


def test_lines_have_one_and_minus_one_whatever_their_units():
    x = np.array([[0.1, 0.3], [0.2, 0.1], [0.4, 0.9], [0.7, 0.2]])
    assert pearson(estimates(x), estimates(3 * x + 5)).interval() == pytest.approx((1, 1))
    assert pearson(estimates(x), estimates(1 - 1e-6 * x)).value == pytest.approx(-1)
    bowl = estimates([[1.0], [0.0], [1.0]])
    assert pearson(estimates([[1.0], [2.0], [3.0]]), bowl).value == pytest.approx(0, abs=1e-12)


def test_without_spread_it_is_zero():
    # Thrice 0.1 has a mean that is not 0.1 in floating point.
    constant, rising = estimates([[0.1, 0.1]] * 3), estimates([[1, 0.2], [2, 0.2], [3, 0.2]])
    for x, y in ((constant, rising), (rising, constant)):
        found = pearson(x, y)
        assert found.value == 0
        assert found.resamples.tolist() == [0]


def test_a_shift_that_all_models_share_does_not_count():
    """Hard and easy draws of the cases move all models alike; pairing takes that out."""
    luck = np.random.default_rng(0).normal(size=200)
    x = [Estimate(v, v + luck) for v in (0.1, 0.2, 0.4)]
    y = [Estimate(v, v - luck) for v in (0.6, 0.7, 0.95)]
    found = pearson(x, y)
    np.testing.assert_allclose(found.resamples, found.value)


def test_exact_numbers_give_an_exact_coefficient():
    assert pearson(estimates([[1], [2], [4]]), estimates([[2], [3], [5]])).exact


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([[1], [2]], [[1], [2]], "at least three models, got 2 and 2"),
        ([[1], [2], [3]], [[1], [2], [3], [4]], "at least three models, got 3 and 4"),
        ([[1], [2], [3]], [[1, 1], [2, 2], [3, 3]], "equally often, got 0, 0, 0, 1, 1, 1"),
        ([[1], [2], [3]], [[1], [np.nan], [3]], "y must be finite, model 1 holds NaN"),
    ],
)
def test_what_cannot_be_correlated_is_refused(x, y, message):
    with pytest.raises(ValueError, match=message):
        pearson(estimates(x), estimates(y))


@given(arrays(float, (2, 7), elements=st.floats(-1, 1).map(lambda v: round(v, 2))))
@settings(deadline=None, max_examples=60)
def test_fisher_interval_is_that_of_scipy(points):
    x, y = points
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a perfect line
        theirs = pearsonr(x, y)
        ends = theirs.confidence_interval(0.9)
    r = float(np.clip(theirs.statistic, -1, 1))
    assert fisher_interval(r, 7, 0.9) == pytest.approx(tuple(ends), abs=1e-6)


def test_fisher_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    truth, models, trials = 0.6, 9, 3000
    x = rng.normal(size=(trials, models))
    y = truth * x + np.sqrt(1 - truth**2) * rng.normal(size=x.shape)
    x, y = (v - v.mean(axis=1, keepdims=True) for v in (x, y))
    r = (x * y).sum(axis=1) / np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    ends = np.array([fisher_interval(value, models) for value in r])
    assert ((ends[:, 0] < truth) & (truth < ends[:, 1])).mean() == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_up_to_three_points_say_nothing(n):
    assert fisher_interval(0.9, n) == fisher_interval(1, n) == (-1, 1)


def test_fisher_interval_narrows_with_points_and_keeps_to_its_ends():
    few, many = fisher_interval(0.8, 5), fisher_interval(0.8, 50)
    assert -1 < few[0] < many[0] < 0.8 < many[1] < few[1] < 1
    assert few[0] < 0  # five models do not show that 0.8 is not chance
    assert fisher_interval(-0.8, 5) == pytest.approx((-few[1], -few[0]))
    assert fisher_interval(1, 9) == (1, 1)
    assert fisher_interval(-1, 9) == (-1, -1)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((1.1, 9), r"r must lie in \[-1, 1\], got 1.1"),
        ((np.nan, 9), r"r must lie in \[-1, 1\], got nan"),
        ((0.5, 0), "n must be at least 1, got 0"),
        ((0.5, 9, 1.0), "level must lie strictly between 0 and 1, got 1.0"),
    ],
)
def test_fisher_interval_refuses_what_is_out_of_range(args, message):
    with pytest.raises(ValueError, match=message):
        fisher_interval(*args)
