"""Whether two measures go together over a handful of models, and how sure that is."""

import math
from statistics import NormalDist

import numpy as np

from shortlib.metrics.estimate import Estimate


def pearson(x, y):
    """Pearson's coefficient over models between two estimates of each.

    1 means that the models lie on a rising line, -1 on a falling one, 0 on none.

    Parameters
    ----------
    x, y : sequence of Estimate, length k
        Two measures of the same k models, at least three, in the same order; all resampled
        with the same seed and as often. Exact numbers on both sides give an exact coefficient.

    Returns
    -------
    Estimate
        In [-1, 1], on each resample as on the data. Without spread in `x` or `y` there is no
        line, which counts as 0. It stands on the fewest cases and seeds of all.

    Raises
    ------
    ValueError
        If the lengths differ or are below three, the numbers of resamples differ, or a number
        is not finite.

    Notes
    -----
    The interval of this estimate answers what other cases and seeds would have shown for the
    same models. It says nothing about other models, and with five to nine of them that is most
    of the doubt: give :func:`fisher_interval` beside it. Resampling also adds noise to what is
    noisy already, so the resamples tend to lie nearer to 0 than the value.

    References
    ----------
    Nakashima et al. (2023), Section 4.3 and Figure 2.
    """
    if len(x) != len(y) or len(x) < 3:
        raise ValueError(
            "x and y must hold one estimate for each of at least three models, "
            f"got {len(x)} and {len(y)}"
        )
    every = [*x, *y]
    if len({len(estimate.resamples) for estimate in every}) > 1:
        often = ", ".join(str(len(estimate.resamples)) for estimate in every)
        raise ValueError(f"x and y must be resampled equally often, got {often}")
    x_units, y_units = _deviations("x", x), _deviations("y", y)
    coefficients = np.clip((x_units * y_units).sum(axis=1), -1.0, 1.0)
    return Estimate(
        float(coefficients[0]),
        coefficients[1:],
        min(estimate.n for estimate in every),
        min(estimate.seeds for estimate in every),
    )


def fisher_interval(r, n, level=0.95):
    """Interval of a correlation coefficient that stands on `n` independent points.

    Parameters
    ----------
    r : float
        Pearson's coefficient, in [-1, 1].
    n : int
        Number of points, at least 1; here of models.
    level : float
        Coverage, strictly between 0 and 1.

    Returns
    -------
    tuple of float
        ``(low, high)``, in [-1, 1]. Up to three points say nothing: ``(-1, 1)``. For `r` of
        1 or -1 it has no width, as the formula has it.

    Raises
    ------
    ValueError
        If `r`, `n` or `level` is out of range.

    Notes
    -----
    It holds for points drawn independently from a normal distribution. Models of one study
    share training cases and network, so take it as a lower bound of the doubt.

    References
    ----------
    Fisher (1921): atanh(r) is almost normal, with variance 1 / (n - 3).

    Examples
    --------
    >>> [round(end, 2) for end in fisher_interval(0.8, 7)]
    [0.12, 0.97]
    """
    if not -1 <= r <= 1:
        raise ValueError(f"r must lie in [-1, 1], got {r}")
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    if not 0 < level < 1:
        raise ValueError(f"level must lie strictly between 0 and 1, got {level}")
    if n <= 3:
        return -1.0, 1.0
    if abs(r) == 1:
        return float(r), float(r)
    middle = math.atanh(r)
    half = NormalDist().inv_cdf((1 + level) / 2) / math.sqrt(n - 3)
    return math.tanh(middle - half), math.tanh(middle + half)


def _deviations(name, estimates):
    """Models' deviations from their mean as unit vectors, one row for the data and a resample.

    A row without spread is zero.
    """
    columns = np.column_stack([[e.value, *e.resamples] for e in estimates]).astype(np.float64)
    if not np.isfinite(columns).all():
        model = int(np.flatnonzero(~np.isfinite(columns).all(axis=0))[0])
        raise ValueError(f"{name} must be finite, model {model} holds NaN or infinity")
    # Counted from the first model, so that equal numbers leave exact zeros.
    deviations = columns - columns[:, :1]
    deviations -= deviations.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(deviations, axis=1, keepdims=True)
    return np.divide(deviations, norms, out=np.zeros_like(columns), where=norms > 0)
