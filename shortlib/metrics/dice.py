"""How well a segmentation covers a lesion."""

import numpy as np


def dice(predicted, target):
    r"""Dice overlap of two masks, for each case.

    :math:`2 |A \cap B| / (|A| + |B|)`. Higher is better: 1 where the masks are the same, 0 where
    they have no pixel in common.

    Parameters
    ----------
    predicted, target : array_like of bool, shape (n, h, w)

    Returns
    -------
    numpy.ndarray of float, shape (n,)
        In [0, 1]; NaN where both masks are empty, which says nothing about how a lesion is
        covered. Average with ``numpy.nanmean``.

    Raises
    ------
    ValueError
        If the shapes differ or are not (n, h, w), or a mask is not bool.

    See Also
    --------
    shortlib.metrics.soft_dice : of a saliency map, without a threshold.

    References
    ----------
    Dice (1945). The mean over the images of which one mask at least is not empty is what the
    released code of Saab et al. (2022) chooses epochs by.

    Examples
    --------
    >>> dice([[[True, True]], [[False, False]]], [[[True, False]], [[False, False]]])
    array([0.66666667,        nan])
    """
    predicted, target = np.asarray(predicted), np.asarray(target)
    if predicted.shape != target.shape or predicted.ndim != 3:
        raise ValueError(
            "predicted and target must have one shape, (n, h, w), got "
            f"{predicted.shape} and {target.shape}"
        )
    for name, masks in (("predicted", predicted), ("target", target)):
        if masks.dtype != bool:
            raise ValueError(f"{name} must be bool, got {masks.dtype}")
    masks = (predicted & target, predicted, target)
    return dice_of_counts(np.stack([mask.sum(axis=(1, 2)) for mask in masks], axis=1))


def dice_of_counts(counts):
    """Dice overlap from how many pixels are found and there, found, and there.

    Higher is better.

    Parameters
    ----------
    counts : array_like of int, shape (n, 3) or (n, k, 3)
        The three numbers of each case, or of each case and class.

    Returns
    -------
    numpy.ndarray of float, shape (n,)
        In [0, 1]; the mean over classes where there are several. A class that is neither found nor
        there is left out; NaN where none is left.

    Raises
    ------
    ValueError
        If the shape is another, or more pixels are both than are either.

    Examples
    --------
    >>> dice_of_counts([[[2, 2, 4], [0, 0, 0]]])
    array([0.66666667])
    """
    counts = np.asarray(counts, dtype=np.float64)
    if counts.ndim not in (2, 3) or counts.shape[-1] != 3:
        raise ValueError(f"counts must have shape (n, 3) or (n, k, 3), got {counts.shape}")
    both, found, due = np.moveaxis(counts if counts.ndim == 3 else counts[:, None], -1, 0)
    if (both > np.minimum(found, due)).any():
        raise ValueError("counts hold a case with more pixels found and there than found or there")
    total = found + due
    each = np.divide(2 * both, total, out=np.zeros_like(total), where=total > 0)
    known = (total > 0).sum(axis=1)
    return np.divide(each.sum(axis=1), known, out=np.full(len(known), np.nan), where=known > 0)
