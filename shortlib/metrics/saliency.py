"""What saliency maps look at, and how alike two of them are."""

import numpy as np


def map_cosine_similarity(a, b):
    """Cosine similarity of two saliency maps, pixel by pixel, for each case.

    Higher means more alike: 1 where one map is a positive multiple of the other, 0 where
    they have no pixel in common. Maps that are never negative lie in [0, 1].

    Parameters
    ----------
    a, b : array_like, shape (n, h, w)
        Maps of the same cases in the same order.

    Returns
    -------
    numpy.ndarray of float, shape (n,)
        In [-1, 1]. A map that is zero everywhere points nowhere; its similarity to any
        other is 0.

    Raises
    ------
    ValueError
        If the shapes differ or a map is not finite.

    References
    ----------
    Palepu and Beam (2022), Section 4.3 and Figure 2b.

    Examples
    --------
    >>> map_cosine_similarity([[[1.0, 0.0]]], [[[2.0, 0.0]]])
    array([1.])
    """
    a, b = check_maps("a", a), check_maps("b", b)
    if a.shape != b.shape:
        raise ValueError(f"a and b must have the same shape, got {a.shape} and {b.shape}")
    a, b = (_unit(maps.reshape(len(maps), -1)) for maps in (a, b))
    return np.clip((a * b).sum(axis=1), -1.0, 1.0)


def mass_inside(saliency, mask):
    """Share of a map's absolute value that lies inside a mask, for each case.

    Higher means more attention to the mask: 1 all of it, 0 none; a uniform map scores
    the mask's share of the image.

    Parameters
    ----------
    saliency : array_like, shape (n, h, w)
    mask : array_like of bool, shape (n, h, w)

    Returns
    -------
    numpy.ndarray of float, shape (n,)
        In [0, 1]; NaN for a map that is zero everywhere, which has no mass to share.

    Raises
    ------
    ValueError
        If the shapes differ, a map is not finite or a mask is not binary.
    """
    saliency = np.abs(check_maps("saliency", saliency))
    mask = np.asarray(mask)
    if mask.shape != saliency.shape:
        raise ValueError(f"mask must have the maps' shape {saliency.shape}, got {mask.shape}")
    if mask.dtype != bool and not np.isin(mask, (0, 1)).all():
        raise ValueError("mask must hold only 0 and 1")
    total = saliency.sum(axis=(1, 2))
    inside = (saliency * mask).sum(axis=(1, 2))
    return np.divide(inside, total, out=np.full(len(total), np.nan), where=total > 0)


def check_maps(name, maps):
    """Return saliency maps as float64 of shape (n, h, w); they must be finite."""
    maps = np.asarray(maps, dtype=np.float64)
    if maps.ndim != 3:
        raise ValueError(f"{name} must have shape (n, h, w), got {maps.shape}")
    if not np.isfinite(maps).all():
        case = int(np.flatnonzero(~np.isfinite(maps).all(axis=(1, 2)))[0])
        raise ValueError(f"{name} must be finite, case {case} holds NaN or infinity")
    return maps


def _unit(rows):
    # Scaled by the largest entry first, so that squares neither vanish nor overflow.
    largest = np.abs(rows).max(axis=1, initial=0.0, keepdims=True)
    rows = np.divide(rows, largest, out=np.zeros_like(rows), where=largest > 0)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)
