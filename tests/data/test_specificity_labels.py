import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shortlib.data import specificity_labels
from shortlib.data.phantoms import squares


@st.composite
def masks_and_r(draw, square=False):
    height = draw(st.integers(1, 8))
    width = height if square else draw(st.integers(1, 8))
    masks = draw(arrays(bool, (2, height, width)))
    return masks, draw(st.integers(1, min(height, width)))


def labels_by_the_rule(masks, r):
    """A pixel is positive when a positive one is less than floor(side / r) away, on each axis."""
    images, height, width = masks.shape
    labels = np.zeros_like(masks)
    for m in range(images):
        for i in range(height):
            for j in range(width):
                for p in range(height):
                    for q in range(width):
                        near = abs(i - p) < height // r and abs(j - q) < width // r
                        labels[m, i, j] |= near and masks[m, p, q]
    return labels


@given(masks_and_r())
@settings(deadline=None, max_examples=80)
def test_labels_follow_the_rule(case):
    masks, r = case
    before = masks.copy()
    labels = specificity_labels(masks, r)
    assert labels.dtype == bool
    np.testing.assert_array_equal(labels, labels_by_the_rule(masks, r))
    np.testing.assert_array_equal(masks, before)


@given(masks_and_r())
@settings(deadline=None, max_examples=60)
def test_larger_r_marks_no_further_pixel(case):
    masks, r = case
    labels = specificity_labels(masks, r)
    assert (labels >= masks).all()
    for coarser in range(1, r):
        assert (specificity_labels(masks, coarser) >= labels).all()


@given(masks_and_r(square=True))
@settings(deadline=None, max_examples=40)
def test_the_ends_are_the_image_label_and_the_mask(case):
    masks, _ = case
    whole = np.broadcast_to(masks.any(axis=(1, 2), keepdims=True), masks.shape)
    np.testing.assert_array_equal(specificity_labels(masks, 1), whole)
    np.testing.assert_array_equal(specificity_labels(masks, masks.shape[1]), masks)


@given(masks_and_r(), st.integers(0, 1))
@settings(deadline=None, max_examples=40)
def test_labels_turn_with_the_image(case, axis):
    masks, r = case
    flipped = specificity_labels(np.flip(masks, axis=1 + axis), r)
    np.testing.assert_array_equal(flipped, np.flip(specificity_labels(masks, r), axis=1 + axis))
    turned = specificity_labels(masks.transpose(0, 2, 1), r)
    np.testing.assert_array_equal(turned, specificity_labels(masks, r).transpose(0, 2, 1))


@pytest.mark.parametrize(("r", "side"), [(1, 40), (2, 40), (4, 26), (10, 14), (20, 10), (40, 8)])
def test_labels_are_squares_of_the_papers_side_away_from_the_border(r, side):
    masks = np.zeros((1, 40, 40), dtype=bool)
    masks[0, 16:24, 16:24] = True  # side min(n, a + 2 (n/r - 1)) where n/r is whole
    assert specificity_labels(masks, r).sum() == side**2


def test_labels_are_cut_at_the_border():
    masks = squares(50, mu_y=1.0, seed=0).abnormality_masks
    labels = specificity_labels(masks, 2)
    assert 27**2 <= labels.sum(axis=(1, 2)).min() < 40**2


def test_numbers_lists_and_tensors_are_accepted():
    masks = np.zeros((1, 6, 6), dtype=bool)
    masks[0, 1, 2] = True
    truth = specificity_labels(masks, 3)
    for given_as in (masks.astype(np.uint8), masks.astype(float), masks.tolist()):
        np.testing.assert_array_equal(specificity_labels(given_as, 3), truth)
    np.testing.assert_array_equal(specificity_labels(torch.tensor(masks), np.int64(3)), truth)


@pytest.mark.parametrize(
    ("masks", "r", "message"),
    [
        (np.ones((4, 4)), 1, r"masks must have shape \(m, h, w\), got \(4, 4\)"),
        (np.ones((1, 1, 4, 4)), 1, r"masks must have shape \(m, h, w\), got \(1, 1, 4, 4\)"),
        (np.full((1, 4, 4), 2), 1, "masks must be binary"),
        (np.full((1, 4, 4), 0.5), 1, "masks must be binary"),
        (np.full((1, 4, 4), np.nan), 1, "masks must be binary"),
        (
            np.ones((1, 4, 6)),
            0,
            r"r must be a whole number from 1 to 4 \(the image's side\), got 0",
        ),
        (np.ones((1, 4, 6)), 5, "r must be a whole number from 1 to 4 .* got 5"),
        (np.ones((1, 4, 4)), 1.5, "r must be a whole number from 1 to 4 .* got 1.5"),
        (np.ones((1, 4, 4)), True, "r must be a whole number from 1 to 4 .* got True"),
    ],
)
def test_bad_input_is_named(masks, r, message):
    with pytest.raises(ValueError, match=message):
        specificity_labels(masks, r)
