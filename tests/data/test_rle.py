import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shortlib.data.rle import decode, encode


def slow_decode(runs, shape, relative=True):
    """Pixel by pixel, as one would explain it."""
    mask = np.zeros(shape, bool)
    numbers = [int(word) for word in runs.split()]
    if numbers == [-1]:
        return mask
    height, place = shape[0], 0
    for start, length in zip(numbers[::2], numbers[1::2], strict=True):
        place = place + start if relative else start - 1
        for _ in range(length):
            mask[place % height, place // height] = True
            place += 1
    return mask


masks = st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(
    lambda shape: arrays(bool, shape, elements=st.booleans())
)


@given(masks, st.booleans())
def test_decoding_undoes_encoding_and_agrees_with_the_slow_way(mask, relative):
    runs = encode(mask, relative=relative)
    np.testing.assert_array_equal(decode(runs, mask.shape, relative=relative), mask)
    np.testing.assert_array_equal(slow_decode(runs, mask.shape, relative), mask)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=1, max_size=8),
    st.integers(1, 20),
)
def test_relative_runs_that_touch_are_joined(pairs, height):
    runs = " ".join(f"{start} {length}" for start, length in pairs)
    shape = (height, -(-sum(map(sum, pairs)) // height))
    mask = decode(runs, shape)
    np.testing.assert_array_equal(mask, slow_decode(runs, shape))
    assert mask.sum() == sum(length for _, length in pairs)


@given(st.text(alphabet="0123456789 -+._eE\t\nx²٣", max_size=20))
def test_text_gives_a_mask_or_a_sentence(text):
    try:
        mask = decode(text, (3, 4))
    except ValueError as error:
        assert str(error).startswith("run")  # noqa: PT017
    else:
        assert mask.shape == (3, 4)


def test_hand_made_masks():
    # Columns are walked downwards: pixel 2 is the third of the first column.
    expected = np.array([[0, 1], [0, 1], [1, 0]], bool)
    np.testing.assert_array_equal(decode("2 3", (3, 2)), expected)
    np.testing.assert_array_equal(decode("3 3", (3, 2), relative=False), expected)
    np.testing.assert_array_equal(decode("2 3", (3, 2), relative=False, first=0), expected)
    # The second start counts from the end of the first run, not from its start.
    np.testing.assert_array_equal(decode("0 1 2 1", (4, 1))[:, 0], [True, False, False, True])
    assert encode(expected) == "2 3"
    assert encode(expected, relative=False) == "3 3"
    assert encode(np.array([[1, 0, 1]], bool)) == "0 1 1 1"
    assert encode(np.array([[1, 0, 1]], bool), relative=False) == "1 1 3 1"


def test_no_mask_in_all_its_spellings():
    for runs in ("-1", " -1", "", "  ", [], [-1]):
        assert not decode(runs, (5, 4)).any()
    assert encode(np.zeros((5, 4), bool)) == "-1"


def test_whole_image():
    assert decode("0 20", (5, 4)).all()
    assert decode("1 20", (5, 4), relative=False).all()


def test_numbers_are_taken_as_text_or_as_a_sequence():
    np.testing.assert_array_equal(decode([2, 3], (3, 2)), decode("2 3", (3, 2)))


@pytest.mark.parametrize(
    ("runs", "relative", "says"),
    [
        ("1", True, "pairs of start and length, got 1"),
        ("1 2 3", True, "pairs of start and length, got 3"),
        ("-2 3", True, "got -2 and 3"),
        ("2 -3", True, "got 2 and -3"),
        ("2 0", True, "got 2 and 0"),
        ("0 2 -1 2", True, "run 2: "),
        ("-1 -1", True, "got -1 and -1"),
        ("0 7", True, "leaves an image of 6 pixels"),
        ("3 4", True, "run 1 ends 1 pixels beyond an image of 6 pixels"),
        ("0 2 0 2 0 3", True, "run 3 ends 1 pixels beyond"),
        ("0 2", False, "run 1 starts 1 pixels before the first pixel, which is number 1"),
        ("1 3 2 2", False, "run 2 starts 2 pixels before the one before it ends"),
        ("1 -99999999999999999999", True, "whole numbers, got '-99999999999999999999'"),
        ("2.5 3", True, "whole numbers, got '2.5'"),
        ("a b", True, "whole numbers, got 'a'"),
        ("1_0 3", True, "whole numbers, got '1_0'"),
        ("1 99999999999999999999", True, "leaves an image"),
        ("9223372036854775807 9223372036854775807", True, "leaves an image"),
        ("999999999999999999 999999999999999999", True, "leaves an image"),
        ([1.5, 2], True, "got float64"),
        ([[1, 2]], True, "shape (1, 2)"),
    ],
)
def test_what_is_refused(runs, relative, says):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        decode(runs, (3, 2), relative=relative)
    assert says in str(error.value)


def test_a_wrong_mask_or_shape_is_refused():
    with pytest.raises(ValueError, match="mask must be bool"):
        encode(np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"of shape \(4,\)"):
        encode(np.zeros(4, bool))
    for shape in ((3,), (3, 0), (3, 2, 1), (2.5, 2)):
        with pytest.raises(ValueError, match="shape is"):
            decode("0 1", shape)
