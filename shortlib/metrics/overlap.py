"""How far a saliency map and the heart overlap: the anatomic knowledge score and a soft Dice."""

import numpy as np

from shortlib.metrics.saliency import check_maps, mass_inside


def anatomic_knowledge_score(saliency, mask):
    r"""Share of a map's saliency that falls on the anatomy, for each case (AKS).

    :math:`\sum xy / \sum x` over the pixels, with the map :math:`x` and the mask :math:`y`.
    Higher means more of the attention is on the anatomy: 1 all of it, 0 none; a uniform map
    scores the mask's share of the image. A map need not cover the mask to score 1.

    Parameters
    ----------
    saliency : array_like, shape (n, h, w)
        Finite and not negative, in any unit: a map and its multiples score the same.
    mask : array_like of bool, shape (n, h, w)
        True on the anatomy.

    Returns
    -------
    numpy.ndarray of float, shape (n,)
        In [0, 1]. Two cases need a definition. A map that is zero everywhere looks nowhere and
        earns 0; see :func:`empty_maps`. Where the mask is empty there is nothing to find, and
        the score is 0 too.

    Raises
    ------
    ValueError
        If the shapes differ, a map is not finite or holds a negative value, or a mask is not
        binary.

    Notes
    -----
    The released code leaves out every case whose Dice is 0 or undefined before it averages,
    which raises the mean. Here every case has a score, so that a mean is over all of them.
    :func:`~shortlib.metrics.mass_inside` is the same ratio for maps of either sign, without a
    score for an empty map.

    References
    ----------
    Nakashima et al. (2023), Equation 2.

    Examples
    --------
    >>> anatomic_knowledge_score([[[3.0, 1.0]]], [[[1, 0]]])
    array([0.75])
    """
    saliency = _check_saliency(saliency)
    return np.where(empty_maps(saliency), 0.0, mass_inside(saliency, mask))


def soft_dice(saliency, mask):
    r"""Dice overlap of a map without a threshold and a mask, for each case.

    :math:`2 \sum xy / (\sum x + \sum y)` over the pixels, with the map :math:`x` and the mask
    :math:`y`. Higher means more alike: 1 where the map is the mask, 0 where they have no pixel
    in common. Unlike the anatomic knowledge score it falls when a map covers only a part of the
    mask, and it depends on the map's scale.

    Parameters
    ----------
    saliency : array_like, shape (n, h, w)
        In [0, 1], as after a min-max scaling.
    mask : array_like of bool, shape (n, h, w)
        True on the anatomy.

    Returns
    -------
    numpy.ndarray of float, shape (n,)
        In [0, 1]. It is 0 for a map that is zero everywhere and for an empty mask, even where
        the two come together: a map earns nothing by not looking.

    Raises
    ------
    ValueError
        If the shapes differ, a map leaves [0, 1] or is not finite, or a mask is not binary.

    References
    ----------
    Nakashima et al. (2023), Section 4.1, after Sørensen (1948).

    Examples
    --------
    >>> soft_dice([[[1.0, 0.0, 0.0]]], [[[1, 1, 1]]])
    array([0.5])
    """
    saliency = _check_saliency(saliency)
    above = saliency.max(axis=(1, 2), initial=0.0) > 1
    if above.any():
        case = int(np.flatnonzero(above)[0])
        raise ValueError(
            f"saliency must lie in [0, 1] for a soft Dice, case {case} reaches "
            f"{saliency[case].max():g}; scale the maps first"
        )
    share = anatomic_knowledge_score(saliency, mask)  # which also refuses an unfit mask
    total, area = saliency.sum(axis=(1, 2)), np.asarray(mask).sum(axis=(1, 2))
    both = total + area
    dice = np.divide(2 * share * total, both, out=np.zeros(len(both)), where=both > 0)
    return np.minimum(dice, 1.0)  # rounding may pass the end


def empty_maps(saliency):
    """Tell which maps are zero everywhere, so that they can be counted and shown.

    Fewer is better: such a map says nothing about where the model looks.

    Parameters
    ----------
    saliency : array_like, shape (n, h, w)

    Returns
    -------
    numpy.ndarray of bool, shape (n,)

    Raises
    ------
    ValueError
        If the shape is another or a map is not finite.

    Examples
    --------
    >>> empty_maps([[[0.0, 0.0]], [[0.0, 0.2]]])
    array([ True, False])
    """
    return ~check_maps("saliency", saliency).any(axis=(1, 2))


def _check_saliency(saliency):
    saliency = check_maps("saliency", saliency)
    lowest = saliency.min(axis=(1, 2), initial=0.0)
    if (lowest < 0).any():
        case = int(np.flatnonzero(lowest < 0)[0])
        raise ValueError(f"saliency must not be negative, case {case} holds {lowest[case]:g}")
    return saliency
