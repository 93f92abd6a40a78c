import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shortlib.metrics import activation_precision, empty_maps

maps = arrays(np.float64, (3, 4, 5), elements=st.integers(0, 12).map(float))
masks = arrays(bool, (3, 4, 5))


def slow_precision(saliency, mask, percent):
    """Sort the values of one map, find the percentile between two of them, and count."""
    values = sorted(float(x) for x in np.ravel(saliency))
    # Where (100 - percent)% of the way from the first to the last value ends, in whole numbers.
    place, rest = divmod((100 - percent) * (len(values) - 1), 100)
    least = values[place]
    if rest:
        least += (values[place + 1] - values[place]) * rest / 100
    active = hit = 0
    for value, inside in zip(np.ravel(saliency), np.ravel(mask), strict=True):
        if value > least or np.isclose(value, least, rtol=1e-12, atol=0):
            active, hit = active + 1, hit + bool(inside)
    return hit / active


@given(maps, masks, st.integers(1, 99))
@settings(deadline=None, max_examples=100)
def test_it_agrees_with_a_slow_version(saliency, mask, percent):
    found = activation_precision(saliency, mask, top=percent / 100)
    due = [slow_precision(s, m, percent) for s, m in zip(saliency, mask, strict=True)]
    np.testing.assert_allclose(found, due, atol=1e-12)
    assert ((found >= 0) & (found <= 1)).all()


def test_constructed_truth():
    mask = np.zeros((1, 20, 20), bool)
    mask[0, :5, :8] = True
    assert activation_precision(mask.astype(np.float32), mask) == 1  # the map is the mask
    # A map on other pixels, as many as are active at most.
    elsewhere = np.zeros((1, 20, 20))
    elsewhere[0, 15, :20] = 1 + np.arange(20)
    assert activation_precision(elsewhere, mask) == 0
    half = elsewhere.copy()
    half[0, 0, :8] = 50
    half[0, 15, :8] = 0
    assert activation_precision(half, mask) == pytest.approx(8 / 20)


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_a_map_that_is_alike_everywhere_scores_the_masks_share(level):
    mask = np.random.default_rng(0).random((4, 9, 7)) < 0.3
    flat = np.full(mask.shape, level)
    np.testing.assert_allclose(activation_precision(flat, mask), mask.mean(axis=(1, 2)))
    assert empty_maps(flat).all() == (level == 0)


def test_all_that_equal_the_threshold_are_active():
    """Ten pixels of a hundred share the top value, although five would be enough."""
    saliency, mask = np.zeros((1, 10, 10)), np.zeros((1, 10, 10), bool)
    saliency[0, 3] = 0.9
    mask[0, 3, :4] = True
    assert activation_precision(saliency, mask) == pytest.approx(0.4)
    # One more above them changes only its own place.
    saliency[0, 9, 9] = 1.0
    assert activation_precision(saliency, mask) == pytest.approx(4 / 11)
    # Four pixels stand out of an empty map: the threshold is 0, which all others equal.
    sparse = np.zeros((1, 10, 10))
    sparse[0, 0, :4] = 1
    assert activation_precision(sparse, sparse == 1) == pytest.approx(0.04)


@pytest.mark.parametrize(("side", "percent"), [(10, 5), (20, 5), (10, 1), (40, 5), (10, 50)])
def test_of_different_values_exactly_the_top_share_counts(side, percent):
    rng = np.random.default_rng(side)
    saliency = rng.permutation(side * side).reshape(1, side, side).astype(np.float32)
    n = side * side * percent // 100
    order = np.argsort(saliency.ravel())[::-1]
    for hits in (n, n - 1, 0):
        mask = np.zeros(side * side, bool)
        mask[order[n - hits : n]] = True  # the last of those that are active
        mask[order[n : n + 30]] = True  # and those that just miss it
        found = activation_precision(saliency, mask.reshape(saliency.shape), top=percent / 100)
        assert found == pytest.approx(hits / n)


@given(maps, masks, st.sampled_from([0.05, 0.25, 0.5]), st.floats(0.01, 100), st.floats(-3, 3))
@settings(deadline=None, max_examples=60)
def test_only_the_order_of_values_matters(saliency, mask, top, factor, shift):
    due = activation_precision(saliency, mask, top=top)
    cubed = ((saliency + 1) ** 3 - 1).astype(np.float64)
    for other in (factor * saliency, saliency / 16 + shift, cubed):
        np.testing.assert_allclose(activation_precision(other, mask, top=top), due)


def test_a_case_is_scored_by_itself():
    rng = np.random.default_rng(3)
    saliency, mask = rng.random((5, 8, 8)), rng.random((5, 8, 8)) < 0.5
    saliency[2] *= 1e-6
    together = activation_precision(saliency, mask)
    for i in range(5):
        assert activation_precision(saliency[[i]], mask[[i]]) == together[i]
    # Masks as 0 and 1 are masks too.
    np.testing.assert_array_equal(activation_precision(saliency, mask.astype(int)), together)


def test_an_empty_mask_is_missed_and_no_cases_have_no_scores():
    saliency = np.random.default_rng(0).random((1, 6, 6))
    assert activation_precision(saliency, np.zeros((1, 6, 6), bool)) == 0
    assert activation_precision(saliency, np.ones((1, 6, 6), bool)) == 1
    assert activation_precision(np.zeros((0, 4, 4)), np.zeros((0, 4, 4))).shape == (0,)


@pytest.mark.parametrize(
    ("saliency", "mask", "top", "said"),
    [
        (np.ones((2, 2)), np.ones((2, 2)), 0.05, r"saliency must have shape \(n, h, w\)"),
        ([[[0, 1]], [[np.nan, 1]]], np.ones((2, 1, 2)), 0.05, "saliency must be finite, case 1"),
        (np.ones((1, 2, 2)), np.ones((1, 2, 3)), 0.05, r"the maps' shape \(1, 2, 2\), got \(1, 2"),
        (np.ones((1, 2, 2)), np.full((1, 2, 2), 0.5), 0.05, "mask must hold only 0 and 1"),
        (np.ones((1, 2, 2)), np.ones((1, 2, 2)), 0.0, "top must be between 0 and 1, got 0.0"),
        (np.ones((1, 2, 2)), np.ones((1, 2, 2)), 1, "top must be between 0 and 1, got 1"),
        (np.ones((1, 2, 2)), np.ones((1, 2, 2)), 5, "top must be between 0 and 1, got 5"),
        (np.ones((1, 2, 2)), np.ones((1, 2, 2)), np.nan, "top must be between 0 and 1, got nan"),
    ],
)
def test_what_cannot_be_scored_is_refused(saliency, mask, top, said):
    with pytest.raises(ValueError, match=said):
        activation_precision(saliency, mask, top=top)
