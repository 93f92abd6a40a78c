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
        covered. Average with :func:`numpy.nanmean`.

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
    both = (predicted & target).sum(axis=(1, 2))
    total = predicted.sum(axis=(1, 2)) + target.sum(axis=(1, 2))
    return np.divide(2.0 * both, total, out=np.full(len(total), np.nan), where=total > 0)
