"""Where the most active pixels of a map lie: activation precision."""

import numpy as np

from shortlib.metrics.saliency import check_maps


def activation_precision(saliency, mask, *, top=0.05):
    r"""Share of a map's most active pixels that lie inside a mask, for each case.

    A pixel counts as active if its value reaches the :math:`1 - top` quantile of its own map.
    Higher means that more of the most active pixels are where they should be: 1 all of them,
    0 none.

    Parameters
    ----------
    saliency : array_like, shape (n, h, w)
        Finite maps, at the masks' resolution: a coarse map is enlarged first, for on a grid of
        7 by 7 cells one cell alone is 2% of them.
    mask : array_like of bool, shape (n, h, w)
        True on the anatomy.
    top : float
        Share of the pixels that are active, in (0, 1).

    Returns
    -------
    numpy.ndarray of float, shape (n,)
        In [0, 1].

    Raises
    ------
    ValueError
        If the shapes differ, a map is not finite, a mask is not binary or `top` is out of range.

    Notes
    -----
    *Ties.* All pixels that equal the quantile are active, so their number may exceed `top`; the
    quantile is interpolated between neighbours, as numpy's default is. A map that is the same
    everywhere, an empty one among them, has no most active pixels: all are active, and it scores
    the mask's share of the image. :func:`~shortlib.metrics.empty_maps` counts such maps.

    References
    ----------
    Barnett et al. (2021); Hagos et al. (2023), Equation 9, with :math:`\tau = 5\%`.

    Examples
    --------
    >>> activation_precision([[[0.0, 0.2], [0.9, 1.0]]], [[[0, 0], [0, 1]]], top=0.5)
    array([0.5])
    """
    saliency = check_maps("saliency", saliency)
    mask = np.asarray(mask)
    if mask.shape != saliency.shape:
        raise ValueError(f"mask must have the maps' shape {saliency.shape}, got {mask.shape}")
    if mask.dtype != bool and not np.isin(mask, (0, 1)).all():
        raise ValueError("mask must hold only 0 and 1")
    if not 0 < top < 1:
        raise ValueError(f"top must be between 0 and 1, got {top}")
    if not saliency.size:
        return np.zeros(len(saliency))
    least = np.quantile(saliency, 1 - top, axis=(1, 2), keepdims=True)
    active = saliency >= least
    return (active & (mask == 1)).sum(axis=(1, 2)) / active.sum(axis=(1, 2))
