"""The two measures of spatial specificity of Saab et al. (2022): on data and in closed form."""

import numpy as np
from scipy.special import xlogy


def variance_measure(images, labels):
    r"""Variance of the input over the positively labelled pixels, :math:`V`.

    Lower is better: fewer background pixels are grouped with the abnormal ones.

    Parameters
    ----------
    images : array_like, shape (m, h, w) or (m, c, h, w)
        In the units of the data set. The channels of a pixel count as so many values.
    labels : array_like of bool, shape (m, h, w)
        Pixel labels of some spatial specificity, pooled over all images.

    Returns
    -------
    float
        Population variance, at least 0, in the squared unit of the images.

    Raises
    ------
    ValueError
        If the shapes disagree, `labels` is not binary or marks no pixel, or a marked
        pixel is not finite.

    References
    ----------
    Saab et al. (2022), Definition 1.
    """
    images, labels = np.asarray(images), _binary("labels", labels)
    if images.ndim not in (3, 4) or (images.shape[0], *images.shape[-2:]) != labels.shape:
        raise ValueError(
            "images must have shape (m, h, w) or (m, c, h, w) with labels of shape (m, h, w), "
            f"got {images.shape} with {labels.shape}"
        )
    if not labels.any():
        raise ValueError(f"labels mark no pixel as positive in {len(labels)} images")
    if images.ndim == 4:
        images = np.moveaxis(images, 1, -1)
    values = images[labels]
    if not np.isfinite(values).all():
        raise ValueError("images must be finite where labels are positive, got NaN or infinity")
    return float(values.var(dtype=np.float64))


def mutual_information(a, b, where=None):
    r"""Mutual information of two binary pixel maps, from their joint frequencies.

    With the shortcut's map, the abnormality's map and ``where`` the coarse labels this
    is the paper's measure :math:`I(S; Y \mid \tilde Y = 1)`. Without `where` it is the
    information over all pixels; the paper's Figure 3 plots that of :math:`\tilde Y`
    and :math:`S`. Lower is better: the shortcut says less about the label.

    Parameters
    ----------
    a, b : array_like of bool, same shape
        Any shape; a pixel is an observation.
    where : array_like of bool, same shape, optional
        Count only the pixels that are True.

    Returns
    -------
    float
        In nats, from 0 (independent) to log 2, and never above the entropy of `a` or
        `b`. A plug-in estimate: on few pixels it tends to be too large.

    Raises
    ------
    ValueError
        If a map is not binary, the shapes differ, or there is no pixel to count.

    References
    ----------
    Saab et al. (2022), Definition 3 and Equation 9.
    """
    a, b = _binary("a", a), _binary("b", b)
    if a.shape != b.shape:
        raise ValueError(f"b must have the shape of a, {a.shape}, got {b.shape}")
    if where is not None:
        where = _binary("where", where)
        if where.shape != a.shape:
            raise ValueError(f"where must have the shape of a, {a.shape}, got {where.shape}")
        a, b = a[where], b[where]
    if not a.size:
        missing = "a is empty" if where is None else "where selects no pixel"
        raise ValueError(f"{missing}; mutual information needs at least one")
    with_a, with_b, both = (np.count_nonzero(m) for m in (a, b, a & b))
    neither = a.size - with_a - with_b + both
    return float(information_of_counts([[neither, with_b - both], [with_a - both, both]]))


def information_of_counts(counts):
    """Mutual information of two binary variables, from how often their values meet.

    Parameters
    ----------
    counts : array_like, shape (..., 2, 2)
        Observations with the first variable's value by row and the second's by column;
        whole numbers, at least one in each table.

    Returns
    -------
    numpy.ndarray of float, shape (...)
        In nats, at least 0.
    """
    counts = np.asarray(counts, dtype=np.float64)
    n = counts.sum(axis=(-2, -1), keepdims=True)
    margins = counts.sum(axis=-1, keepdims=True) * counts.sum(axis=-2, keepdims=True)
    # Whole numbers inside the logarithm: independent variables give exactly zero.
    ratio = np.divide(counts * n, margins, out=np.ones_like(counts), where=counts > 0)
    return np.maximum((counts / n * np.log(ratio)).sum(axis=(-2, -1)), 0.0)


def positive_fraction(r, *, n, a):
    r"""Share of abnormal pixels among the positively labelled ones, :math:`\gamma(r)`.

    Parameters
    ----------
    r : int or array_like of int
        Spatial specificity, from 1 (a label for the image) to `n` (a mask).
    n : int
        Side of the image, in pixels.
    a : int
        Side of the abnormality, in pixels, from 1 to `n`.

    Returns
    -------
    float or numpy.ndarray
        In (0, 1], rising in `r`; shape of `r`.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Notes
    -----
    The labels are taken to form a square that is never cut by the border, and their
    reach is the ceiling of n/r, both as in the paper's Appendix B. The labels of
    :func:`~shortlib.data.specificity_labels` use the floor and stop at the border.

    References
    ----------
    Saab et al. (2022), Appendix B.1.
    """
    _check_side("n", n, None)
    _check_side("a", a, n)
    r = np.asarray(r)
    whole = (r >= 1) & (r <= n) & (r == np.floor(r))
    if not whole.all():
        raise ValueError(f"r must be a whole number from 1 to n = {n}, got {r[~whole][0]}")
    reach = -(-int(n) // r.astype(np.int64))
    gamma = int(a) ** 2 / np.minimum(n, a + 2 * (reach - 1)) ** 2
    return _like(r, gamma)


def variance_closed_form(r, *, n, a, b, mu_a, mu_s, sigma):
    r"""Variance measure of the squares model, :math:`V(r)`.

    Parameters
    ----------
    r : int or array_like of int
        Spatial specificity, from 1 to `n`.
    n, a, b : int
        Side of the image, of the abnormality and of the shortcut, in pixels; the
        shortcut must fit beside the abnormality, b² ≤ n² - a².
    mu_a, mu_s, sigma : float
        Mean of the abnormality and of the shortcut (the background has mean 0), and
        standard deviation of every pixel, at least 0; in the unit of the images.

    Returns
    -------
    float or numpy.ndarray
        In the squared unit of the images; ``sigma**2`` at r = n. Lower is better.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Notes
    -----
    The model: a positively labelled pixel is abnormal with the probability of
    :func:`positive_fraction`, and otherwise carries the shortcut with probability
    w = b² / (n² - a²). In images the shortcut keeps off the abnormality, so near the
    abnormality it is rarer than w, and the measure of drawn images differs from this
    formula for 1 < r < n.

    References
    ----------
    Saab et al. (2022), Equation 7.
    """
    w = _shortcut_rate(n, a, b)
    for name, value in (("mu_a", mu_a), ("mu_s", mu_s), ("sigma", sigma)):
        if not np.isfinite(value):
            raise ValueError(f"{name} must be finite, got {value}")
    if sigma < 0:
        raise ValueError(f"sigma is a standard deviation, at least 0, got {sigma}")
    gamma = np.asarray(positive_fraction(r, n=n, a=a))
    carries = w * (1 - gamma)  # probability of the shortcut under a positive label
    return _like(
        gamma,
        sigma**2
        + mu_a**2 * gamma * (1 - gamma)
        + mu_s**2 * carries * (1 - carries)
        - 2 * mu_a * mu_s * gamma * carries,
    )


def mutual_information_closed_form(r, *, n, a, b):
    r"""Mutual information measure of the squares model, :math:`I(S; Y \mid \tilde Y = 1)`.

    Parameters
    ----------
    r, n, a, b
        As for :func:`variance_closed_form`.

    Returns
    -------
    float or numpy.ndarray
        In nats, at least 0; 0 at r = n. Lower is better. Not monotone in `r`.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Notes
    -----
    The model is that of :func:`variance_closed_form`, with the same limits.

    References
    ----------
    Saab et al. (2022), Equation 13.
    """
    w = _shortcut_rate(n, a, b)
    gamma = np.asarray(positive_fraction(r, n=n, a=a))
    free = gamma + (1 - w) * (1 - gamma)  # probability of no shortcut under a positive label
    # xlogy(0, 0) is 0, the limit, where a mask leaves no other pixel (gamma = 1).
    information = (
        -xlogy(w * (1 - gamma), 1 - gamma)
        + xlogy((1 - w) * (1 - gamma), (1 - w) / free)
        - xlogy(gamma, free)
    )
    return _like(gamma, np.maximum(information, 0.0))


def _binary(name, values):
    values = np.asarray(values)
    if values.dtype != bool:
        allowed = np.isin(values, (0, 1))
        if not allowed.all():
            raise ValueError(f"{name} must hold only 0 and 1, got {values[~allowed][0].item()!r}")
        values = values.astype(bool)
    return values


def _check_side(name, value, limit):
    top = np.inf if limit is None else limit
    if isinstance(value, bool) or not 1 <= value <= top or value % 1 != 0:
        wanted = "at least 1" if limit is None else f"from 1 to n = {limit}"
        raise ValueError(f"{name} must be a whole number of pixels, {wanted}, got {value}")


def _shortcut_rate(n, a, b):
    """Probability that a pixel off the abnormality carries the shortcut."""
    for name, value, limit in (("n", n, None), ("a", a, n), ("b", b, n)):
        _check_side(name, value, limit)
    if b**2 > n**2 - a**2:
        raise ValueError(
            f"b must leave the abnormality free: b² at most n² - a² = {n**2 - a**2}, "
            f"got b = {b}, b² = {b**2}"
        )
    return b**2 / (n**2 - a**2)


def _like(r, values):
    return float(values) if np.ndim(r) == 0 else values
