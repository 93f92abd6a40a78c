"""Masks written as run lengths, as SIIM-ACR and other competitions write them."""

import re

import cv2
import numpy as np

NO_MASK = "-1"

_WHOLE = re.compile(r"-?[0-9]{1,18}")


def decode(runs, shape, *, relative=True, first=None):
    """Turn run lengths into a mask.

    Pixels are counted down the columns, one column after the other.

    Parameters
    ----------
    runs : str or sequence of int
        ``"start length start length ..."``; ``"-1"`` or nothing is an empty mask.
    shape : tuple of int
        ``(height, width)`` of the mask in pixels.
    relative : bool
        A start counts from the end of the run before it (SIIM-ACR). Otherwise it is
        the number of a pixel of the image, and runs come in order.
    first : int, optional
        Number of the first pixel. By default 0 for relative starts and 1 for
        absolute ones, which is how either is used.

    Returns
    -------
    numpy.ndarray of bool, shape (height, width)

    Raises
    ------
    ValueError
        If `runs` are not whole numbers or not in pairs, a start is negative, a
        length is below 1, runs overlap, or a run leaves the image; if `shape` is not
        two numbers of pixels.

    Examples
    --------
    Two pixels of the first column are left out, then three are inside:

    >>> decode("2 3", (3, 2)).astype(int)
    array([[0, 1],
           [0, 1],
           [1, 0]])
    """
    height, width = _sides(shape)
    numbers = _numbers(runs)
    if not len(numbers) or (len(numbers) == 1 and numbers[0] == -1):
        return np.zeros((height, width), bool)
    if len(numbers) % 2:
        raise ValueError(f"runs are pairs of start and length, got {len(numbers)} numbers")
    starts, lengths = numbers[::2], numbers[1::2]
    _check_each(starts, lengths, height * width)
    first = (0 if relative else 1) if first is None else first
    gaps = starts.copy()
    gaps[0] -= first
    if not relative:
        gaps[1:] -= starts[:-1] + lengths[:-1]
    _check_whole(gaps, lengths, height * width, first)
    return _painted(gaps, lengths, height, width)


def encode(mask, *, relative=True, first=None):
    """Turn a mask into run lengths; :func:`decode` gives the mask back.

    Parameters
    ----------
    mask : array_like of bool, shape (height, width)
    relative, first
        As in :func:`decode`.

    Returns
    -------
    str
        ``"-1"`` for a mask that is empty.

    Raises
    ------
    ValueError
        If `mask` is not bool or has not two axes.
    """
    mask = np.asarray(mask)
    if mask.ndim != 2 or mask.dtype != bool:
        raise ValueError(
            f"mask must be bool of shape (h, w), got {mask.dtype} of shape {mask.shape}"
        )
    first = (0 if relative else 1) if first is None else first
    column = np.concatenate([[False], mask.T.reshape(-1), [False]])
    edges = np.flatnonzero(column[1:] != column[:-1])
    if not len(edges):
        return NO_MASK
    starts, ends = edges[::2], edges[1::2]
    written = starts + first
    if relative:
        written = starts - np.concatenate([[-first], ends[:-1]])
    pairs = np.stack([written, ends - starts], axis=1)
    return " ".join(map(str, pairs.reshape(-1).tolist()))


def _painted(gaps, lengths, height, width):
    """Paint runs into the columns from the first to the last that they touch."""
    mask = np.zeros((height, width), bool)
    first = int(gaps[0]) // height
    ended = int(gaps.sum() + lengths.sum())
    last = (ended - 1) // height + 1
    # Outside and inside take turns, and it ends outside.
    spans = np.empty(2 * len(gaps) + 1, np.int64)
    spans[0:-1:2], spans[1::2] = gaps, lengths
    spans[0] -= first * height
    spans[-1] = last * height - ended
    turns = np.zeros(len(spans), np.uint8)
    turns[1::2] = 1
    # OpenCV transposes bytes fifteen times faster than a NumPy copy does.
    columns = cv2.transpose(np.repeat(turns, spans).reshape(last - first, height))
    mask[:, first:last] = columns.view(bool)
    return mask


def _sides(shape):
    sides = tuple(shape)
    if len(sides) != 2 or any(int(side) != side or side < 1 for side in sides):
        raise ValueError(f"shape is (height, width), each at least 1 pixel, got {shape!r}")
    return int(sides[0]), int(sides[1])


def _numbers(runs):
    if isinstance(runs, str):
        return _parsed(runs)
    numbers = np.asarray(runs)
    if numbers.size and (numbers.dtype.kind not in "iu" or numbers.ndim != 1):
        raise ValueError(
            f"runs are text or one row of whole numbers, got {numbers.dtype} "
            f"of shape {numbers.shape}"
        )
    return numbers.astype(np.int64)


def _parsed(text):
    # What is only digits and blanks NumPy reads at once; of more than that it would also
    # take "1_000" and digits of other scripts.
    text = text.strip()
    if text and text.isascii() and not text.encode().translate(None, b"0123456789 "):
        return np.fromstring(text, np.int64, sep=" ")
    words = text.split()
    wrong = next((word for word in words if not _WHOLE.fullmatch(word)), None)
    if wrong is not None:
        raise ValueError(f"runs are whole numbers, got {wrong[:40]!r}")
    return np.array(words, np.int64) if words else np.empty(0, np.int64)


def _check_each(starts, lengths, pixels):
    if (starts < 0).any() or (lengths < 1).any():
        bad = int(((starts < 0) | (lengths < 1)).argmax())
        raise ValueError(
            f"run {bad + 1}: a start is at least 0 and a length at least 1, "
            f"got {starts[bad]} and {lengths[bad]}"
        )
    # Also keeps the sums below from running over.
    if max(starts.max(), lengths.max()) > pixels:
        bad = int((np.maximum(starts, lengths) > pixels).argmax())
        raise ValueError(
            f"run {bad + 1}: {starts[bad]} {lengths[bad]} leaves an image of {pixels} pixels"
        )


def _check_whole(gaps, lengths, pixels, first):
    if (gaps < 0).any():
        bad = int((gaps < 0).argmax())
        raise ValueError(
            f"run {bad + 1} starts {-gaps[bad]} pixels before "
            + ("the one before it ends" if bad else f"the first pixel, which is number {first}")
        )
    ends = np.cumsum(gaps + lengths)
    if ends[-1] > pixels:
        bad = int((ends > pixels).argmax())
        raise ValueError(
            f"run {bad + 1} ends {ends[bad] - pixels} pixels beyond an image of {pixels} pixels"
        )
