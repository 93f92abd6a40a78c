import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import f1_score

from shortlib.metrics import dice, dice_of_counts, soft_dice

shapes = st.tuples(st.integers(0, 3), st.integers(1, 4), st.integers(1, 4))
pairs = shapes.flatmap(lambda shape: st.tuples(arrays(bool, shape), arrays(bool, shape)))


@given(pairs)
@settings(deadline=None, max_examples=60)
def test_it_agrees_with_a_count_of_pixels_one_by_one(pair):
    found = dice(*pair)
    assert found.shape == (len(pair[0]),)
    for one, a, b in zip(found, *pair, strict=True):
        first = {(i, j) for i, row in enumerate(a) for j, pixel in enumerate(row) if pixel}
        second = {(i, j) for i, row in enumerate(b) for j, pixel in enumerate(row) if pixel}
        if first or second:
            assert one == pytest.approx(2 * len(first & second) / (len(first) + len(second)))
        else:
            assert np.isnan(one)


@given(pairs)
@settings(deadline=None, max_examples=15)
def test_it_is_the_f1_score_of_scikit_learn(pair):
    due = [
        f1_score(target.ravel(), predicted.ravel(), zero_division=np.nan)
        for predicted, target in zip(*pair, strict=True)
    ]
    np.testing.assert_allclose(dice(*pair), due)


@given(pairs)
@settings(deadline=None, max_examples=60)
def test_it_is_symmetric_in_range_and_the_soft_one_of_a_mask(pair):
    predicted, target = pair
    found = dice(predicted, target)
    np.testing.assert_array_equal(found, dice(target, predicted))
    there = (predicted | target).any(axis=(1, 2))
    np.testing.assert_array_equal(np.isnan(found), ~there)
    assert ((found[there] >= 0) & (found[there] <= 1)).all()
    soft = soft_dice(predicted.astype(float), target)
    np.testing.assert_allclose(found[there], soft[there])


@given(st.integers(1, 8), st.integers(0, 8))
def test_a_square_that_is_moved_by_a_share_of_its_side_loses_that_share(side, moved):
    target, predicted = np.zeros((2, 1, 20, 20), dtype=bool)
    target[0, :side, :side] = True
    predicted[0, :side, moved : moved + side] = True
    assert dice(predicted, target) == pytest.approx(max(0, side - moved) / side)


def test_constructed_truth():
    target = np.zeros((4, 6, 6), dtype=bool)
    target[:2, :2, :3] = True
    same, nothing, everything = target.copy(), np.zeros_like(target), np.ones_like(target)
    np.testing.assert_array_equal(dice(same, target), [1, 1, np.nan, np.nan])
    np.testing.assert_array_equal(dice(~same, target), [0, 0, 0, 0])
    np.testing.assert_array_equal(dice(nothing, target), [0, 0, np.nan, np.nan])
    np.testing.assert_allclose(dice(everything, target), [2 * 6 / 42, 2 * 6 / 42, 0, 0])


def test_many_pixels_do_not_overflow():
    whole = np.ones((1, 300, 300), dtype=bool)  # more pixels than 16 bits count
    half = whole.copy()
    half[0, 150:] = False
    assert dice(half, whole) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("predicted", "target", "said"),
    [
        (np.ones((2, 3, 3), bool), np.ones((2, 3, 4), bool), r"one shape.*\(2, 3, 3\) and \(2, 3,"),
        (np.ones((3, 3), bool), np.ones((3, 3), bool), r"\(n, h, w\), got \(3, 3\) and \(3, 3\)"),
        (np.ones((1, 3, 3), np.uint8), np.ones((1, 3, 3), bool), "predicted must be bool, got uin"),
        (np.ones((1, 3, 3), bool), np.ones((1, 3, 3)), "target must be bool, got float64"),
    ],
)
def test_what_are_no_masks_is_refused(predicted, target, said):
    with pytest.raises(ValueError, match=said):
        dice(predicted, target)


# From counts


@given(st.integers(0, 9999), st.integers(1, 3))
@settings(deadline=None, max_examples=40)
def test_from_counts_it_is_the_mean_over_classes_that_are_found_or_there(seed, classes):
    rng = np.random.default_rng(seed)
    # Few pixels and many values: some class is often neither found nor there.
    found, due = rng.integers(0, 2 + 2 * classes, (2, 5, 2, 2))
    counts = [
        [
            [np.sum((a == k) & (b == k)), np.sum(a == k), np.sum(b == k)]
            for k in range(1, classes + 1)
        ]
        for a, b in zip(found, due, strict=True)
    ]
    result = dice_of_counts(counts)
    assert result.shape == (5,)
    by_class = [dice(found == k, due == k) for k in range(1, classes + 1)]
    for one, *each in zip(result, *by_class, strict=True):
        known = [value for value in each if not np.isnan(value)]
        assert one == pytest.approx(sum(known) / len(known) if known else np.nan, nan_ok=True)
    np.testing.assert_allclose(dice_of_counts(7 * np.array(counts)), result)  # of a finer grid
    np.testing.assert_array_equal(dice_of_counts(np.array(counts)[:, 0]), by_class[0])


def test_from_counts_by_hand():
    counts = np.array(
        [
            [[3, 4, 6], [0, 0, 0]],  # one class alone
            [[3, 4, 6], [0, 0, 5]],  # the other is missed
            [[3, 4, 6], [2, 2, 2]],
            [[0, 0, 0], [0, 0, 0]],
        ]
    )
    np.testing.assert_allclose(dice_of_counts(counts), [0.6, 0.3, 0.8, np.nan])
    np.testing.assert_allclose(dice_of_counts(counts[:, 1]), [np.nan, 0, 1, np.nan])
    assert dice_of_counts(np.zeros((0, 2, 3), int)).shape == (0,)


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ([1, 2, 3], r"shape \(n, 3\) or \(n, k, 3\), got \(3,\)"),
        (np.zeros((2, 2)), r"got \(2, 2\)"),
        (np.zeros((1, 2, 2, 3)), r"got \(1, 2, 2, 3\)"),
        ([[1, 5, 5], [4, 3, 5]], "more pixels found and there than found or there"),
        ([[[4, 5, 3]]], "more pixels found and there than found or there"),
    ],
)
def test_counts_that_cannot_be_are_refused(counts, said):
    with pytest.raises(ValueError, match=said):
        dice_of_counts(counts)
