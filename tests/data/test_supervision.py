import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import find_objects, label

from shortlib.data.supervision import SUPERVISIONS, supervision_labels


@st.composite
def lesions(draw):
    shape = [draw(st.integers(least, 9)) for least in (0, 1, 1)]
    shape[0] = min(shape[0], 3)
    share = draw(st.sampled_from([0.0, 0.05, 0.15, 0.5]))  # few pixels make several lesions
    seed = draw(st.integers(0, 10_000))
    return np.random.default_rng(seed).random(shape) < share


def drawn(text):
    """A mask from rows of dots and hashes."""
    rows = text.split()
    return np.array([[[pixel == "#" for pixel in row] for row in rows]])


def slow_labels(mask, kind):
    """The rule for one mask, pixel by pixel; lesions are found by scipy."""
    height, width = mask.shape
    pixels = list(zip(*np.nonzero(mask), strict=True))
    numbered, _ = label(mask, structure=np.ones((3, 3)))
    boxes = find_objects(numbered)
    labels = np.zeros_like(mask)
    for i in range(height):
        for j in range(width):
            if kind == "image":
                labels[i, j] = bool(pixels)
            elif kind == "quadrants":
                here = (i >= height // 2, j >= width // 2)
                labels[i, j] = any((p >= height // 2, q >= width // 2) == here for p, q in pixels)
            elif kind == "single-boxes":
                labels[i, j] = (
                    any(p <= i for p, _ in pixels)
                    and any(p >= i for p, _ in pixels)
                    and any(q <= j for _, q in pixels)
                    and any(q >= j for _, q in pixels)
                )
            elif kind == "boxes":
                labels[i, j] = any(
                    rows.start <= i < rows.stop and columns.start <= j < columns.stop
                    for rows, columns in boxes
                )
            else:
                labels[i, j] = (i, j) in pixels
    return labels


@pytest.mark.parametrize("kind", SUPERVISIONS)
@given(lesions())
@settings(deadline=None, max_examples=40)
def test_labels_follow_the_rule(kind, masks):
    before = masks.copy()
    labels = supervision_labels(masks, kind)
    assert labels.dtype == bool
    assert labels.shape == masks.shape
    for one, mask in zip(labels, masks, strict=True):
        np.testing.assert_array_equal(one, slow_labels(mask, kind))
    labels[:] = True
    np.testing.assert_array_equal(masks, before)  # neither changed nor shared


@given(lesions())
@settings(deadline=None, max_examples=60)
def test_less_specific_labels_hold_the_more_specific_ones(masks):
    by_kind = {kind: supervision_labels(masks, kind) for kind in SUPERVISIONS}
    for finer, coarser in (
        ("masks", "boxes"),
        ("boxes", "single-boxes"),
        ("single-boxes", "image"),
        ("masks", "quadrants"),
        ("quadrants", "image"),
    ):
        assert (by_kind[finer] <= by_kind[coarser]).all()
    for labels in by_kind.values():  # no kind says more or less than which images have a lesion
        np.testing.assert_array_equal(labels.any(axis=(1, 2)), masks.any(axis=(1, 2)))


@given(lesions())
@settings(deadline=None, max_examples=40)
def test_labels_turn_with_the_image_whatever_its_layout_in_memory(masks):
    for kind in SUPERVISIONS:
        labels = supervision_labels(masks, kind)
        turned = supervision_labels(masks.transpose(0, 2, 1), kind)  # not contiguous
        np.testing.assert_array_equal(turned, labels.transpose(0, 2, 1))
        if kind != "quadrants" or masks.shape[2] % 2 == 0:
            mirrored = supervision_labels(masks[:, :, ::-1], kind)
            np.testing.assert_array_equal(mirrored, labels[:, :, ::-1])


@given(arrays(bool, (1, 6, 7)))
@settings(deadline=None, max_examples=40)
def test_one_who_marks_what_is_marked_already_marks_no_more(masks):
    for kind in ("image", "quadrants", "single-boxes", "masks"):
        once = supervision_labels(masks, kind)
        np.testing.assert_array_equal(supervision_labels(once, kind), once)


TWO_LESIONS = """
......##
.#......
##......
........
........
........
"""


@pytest.mark.parametrize(
    ("kind", "due"),
    [
        ("masks", TWO_LESIONS),
        ("boxes", "......## ##...... ##...... ........ ........ ........"),
        ("single-boxes", "######## ######## ######## ........ ........ ........"),
        ("quadrants", "######## ######## ######## ........ ........ ........"),
        ("image", "######## ######## ######## ######## ######## ########"),
    ],
)
def test_two_lesions_by_hand(kind, due):
    np.testing.assert_array_equal(supervision_labels(drawn(TWO_LESIONS), kind), drawn(due))


@pytest.mark.parametrize(
    ("mask", "due"),
    [
        ("#... .#.. ....", "##.. ##.. ...."),  # specks that touch at a corner are one lesion
        ("..#. .#.. ....", ".##. .##. ...."),  # at the other corner too
        ("#.#. .... ....", "#.#. .... ...."),  # specks with a pixel between them are two
        ("#... .... #...", "#... .... #..."),
        ("#..# #... ####", "#### #### ####"),  # a lesion within the box of another
    ],
)
def test_what_is_one_lesion(mask, due):
    np.testing.assert_array_equal(supervision_labels(drawn(mask), "boxes"), drawn(due))


@pytest.mark.parametrize(
    ("pixel", "rows", "columns"),
    [
        ((1, 1), slice(0, 2), slice(0, 2)),
        ((1, 2), slice(0, 2), slice(2, 5)),  # the middle column is the right quadrants'
        ((2, 1), slice(2, 5), slice(0, 2)),
        ((2, 2), slice(2, 5), slice(2, 5)),
    ],
)
def test_with_odd_sides_the_upper_and_left_quadrants_are_the_smaller(pixel, rows, columns):
    mask, due = np.zeros((2, 1, 5, 5), dtype=bool)
    mask[0, *pixel] = due[0, rows, columns] = True
    np.testing.assert_array_equal(supervision_labels(mask, "quadrants"), due)


def test_a_quadrant_is_a_quarter_and_a_line_has_two():
    masks = np.zeros((2, 8, 12), dtype=bool)
    masks[0, 0, 0] = masks[1, 3:5, 5:7] = True
    shares = supervision_labels(masks, "quadrants").mean(axis=(1, 2))
    assert shares.tolist() == [1 / 4, 1]
    line = np.array([[[False, False, True]]])
    assert supervision_labels(line, "quadrants").tolist() == [[[False, True, True]]]


def test_neither_quadrants_nor_a_single_box_are_always_the_more_specific():
    opposite, middle = np.zeros((2, 1, 8, 8), dtype=bool)
    opposite[0, 0, 0] = opposite[0, 7, 7] = True
    middle[0, 3:5, 3:5] = True
    shares = {
        kind: [supervision_labels(mask, kind).mean() for mask in (opposite, middle)]
        for kind in ("quadrants", "single-boxes")
    }
    assert shares == {"quadrants": [1 / 2, 1], "single-boxes": [1, 4 / 64]}


@pytest.mark.parametrize("kind", SUPERVISIONS)
def test_images_do_not_see_each_other_and_one_without_a_lesion_stays_empty(kind):
    rng = np.random.default_rng(0)
    masks = rng.random((5, 16, 12)) < 0.03
    masks[2] = False
    labels = supervision_labels(masks, kind)
    assert not labels[2].any()
    for k in range(5):
        np.testing.assert_array_equal(labels[k], supervision_labels(masks[k : k + 1], kind)[0])
    assert supervision_labels(masks.tolist(), kind).tolist() == labels.tolist()


@pytest.mark.parametrize(
    ("masks", "kind", "said"),
    [
        (np.ones((4, 4), bool), "masks", r"bool of shape \(n, h, w\), got bool of shape \(4, 4\)"),
        (np.ones((1, 4, 4), np.uint8), "boxes", "masks must be bool .* got uint8 of shape"),
        (np.ones((1, 4, 4), bool), "box", "kind must be one of image, .*masks, got 'box'"),
    ],
)
def test_a_wrong_argument_is_said(masks, kind, said):
    with pytest.raises(ValueError, match=said):
        supervision_labels(masks, kind)
