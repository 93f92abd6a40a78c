"""Pixel labels of a chosen spatial specificity (Saab et al. 2022, Section 3.1)."""

import numpy as np
from scipy.ndimage import maximum_filter1d


def specificity_labels(masks, r):
    """Coarsen masks to labels of spatial specificity `r`.

    A pixel is labelled positive when a positive pixel of the mask lies less than
    floor(n / r) pixels away, both vertically and horizontally.
    ``r = 1`` labels every pixel of a positive image (a binary label), ``r = n``
    returns the mask itself (a segmentation).

    Parameters
    ----------
    masks : array_like of bool, shape (m, h, w)
        Ground-truth abnormality masks. On images that are not square the rule is
        applied to each axis with its own length.
    r : int
        Spatial specificity, from 1 to the shorter side.

    Returns
    -------
    numpy.ndarray of bool, shape (m, h, w)

    Raises
    ------
    ValueError
        If `masks` is not binary of shape (m, h, w) or `r` is out of range.

    References
    ----------
    Saab et al. (2022), Section 3.1. Appendix B writes the ceiling of n/r where
    Section 3.1 writes the floor; the floor is implemented.
    """
    masks = np.asarray(masks)
    if masks.ndim != 3:
        raise ValueError(f"masks must have shape (m, h, w), got {masks.shape}")
    if masks.dtype != bool:
        if not np.isin(masks, (0, 1)).all():
            raise ValueError("masks must be binary: only 0 and 1 (or False and True)")
        masks = masks.astype(bool)
    shorter = min(masks.shape[1:])
    if isinstance(r, bool) or int(r) != r or not 1 <= r <= shorter:
        raise ValueError(
            f"r must be a whole number from 1 to {shorter} (the image's side), got {r}"
        )
    labels = masks.astype(np.uint8)
    for axis in (1, 2):
        reach = masks.shape[axis] // int(r)
        labels = maximum_filter1d(labels, 2 * reach - 1, axis=axis, mode="constant")
    return labels.astype(bool)
