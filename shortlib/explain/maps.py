"""From attributions to maps that can be shown and compared."""

import numpy as np


def saliency_maps(attributions, *, percentile=99.0):
    """Turn attributions into maps in [0, 1]: how much each pixel mattered, whichever way.

    The absolute values are summed over channels, cut at a high percentile, so that one
    pixel does not darken all others, and brought from 0 to 1.

    Parameters
    ----------
    attributions : numpy.ndarray of float, shape (n, c, h, w)
    percentile : float
        In (0, 100].

    Returns
    -------
    numpy.ndarray of float32, shape (n, h, w)
        A map whose attribution is the same everywhere is 0 everywhere.

    Raises
    ------
    ValueError
        If the shape or the percentile makes no sense.

    References
    ----------
    As in the code of Palepu and Beam (2022), whose text leaves it open.
    """
    maps = magnitudes(attributions)
    if not 0 < percentile <= 100:
        raise ValueError(f"percentile must be in (0, 100], got {percentile}")
    lowest = maps.min(axis=(1, 2), keepdims=True)
    highest = np.percentile(maps, percentile, axis=(1, 2), keepdims=True)
    span = highest - lowest
    # Where the percentile is the lowest value, all that is above it is beyond the cut.
    beyond = (maps > lowest).astype(maps.dtype)
    scaled = np.divide(maps - lowest, span, out=beyond, where=span > 0)
    return np.clip(scaled, 0, 1).astype(np.float32)


def magnitudes(attributions):
    """Sum the absolute values of attributions over channels.

    Parameters
    ----------
    attributions : numpy.ndarray of float, shape (n, c, h, w)

    Returns
    -------
    numpy.ndarray of float, shape (n, h, w)

    Raises
    ------
    ValueError
        If the shape is another.
    """
    attributions = np.asarray(attributions)
    if attributions.ndim != 4:
        raise ValueError(f"attributions must have shape (n, c, h, w), got {attributions.shape}")
    return np.abs(attributions).sum(axis=1)


def boxes_around(masks):
    """Fill the smallest upright box around each mask.

    Parameters
    ----------
    masks : numpy.ndarray of bool, shape (n, h, w)

    Returns
    -------
    numpy.ndarray of bool, shape (n, h, w)
        An empty mask has an empty box.
    """
    masks = np.asarray(masks, bool)
    rows, columns = masks.any(axis=2), masks.any(axis=1)
    return _between(rows)[:, :, None] & _between(columns)[:, None, :]


def _between(lines):
    """Fill each row of flags from its first to its last true one."""
    forward = np.logical_or.accumulate(lines, axis=1)
    backward = np.logical_or.accumulate(lines[:, ::-1], axis=1)[:, ::-1]
    return forward & backward
