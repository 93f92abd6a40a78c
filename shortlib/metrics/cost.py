"""What labels cost: the clicks of a clinician, turned into dollars."""

import numpy as np


def annotation_cost(
    n_positive, *, clicks, seconds_per_click=1.0, wage_per_hour=100.0, abnormalities=1.0
):
    r"""Dollars that it costs to annotate the positive cases of a training set.

    :math:`m \cdot a \cdot k \cdot c` seconds for :math:`m` cases of :math:`a` abnormalities, each
    of :math:`k` clicks of :math:`c` seconds. It counts from the moment at which the abnormality is
    found: reading the image is not in it. Lower is better.

    Parameters
    ----------
    n_positive : int or array_like of int
        Positive cases, not negative. Normal cases have nothing to outline and cost nothing.
    clicks : float
        Per abnormality, positive: 1 for a label, 2 for a bounding box, some 45 for a mask.
    seconds_per_click : float
        Positive.
    wage_per_hour : float
        In dollars, positive.
    abnormalities : float
        In a positive case, on average; positive. A label of the whole image is one click however
        many there are, so it goes with the default.

    Returns
    -------
    float or numpy.ndarray of float
        In dollars; the shape of `n_positive`. What boxes or masks cost beyond labels is the
        difference of two such costs.

    Raises
    ------
    ValueError
        If `n_positive` is not a whole number of cases, or another argument is not positive.

    References
    ----------
    Saab et al. (2022), Section 4.1, who take the 45 clicks from Yi (2020).

    Examples
    --------
    >>> annotation_cost(900, clicks=2)
    50.0
    """
    cases = np.asarray(n_positive, dtype=np.float64)
    countable = np.isfinite(cases) & (cases >= 0) & (cases == np.floor(cases))
    if not countable.all():
        raise ValueError(
            f"n_positive must be a whole number of cases, 0 or more, got {cases[~countable][0]:g}"
        )
    factors = {
        "clicks": clicks,
        "seconds_per_click": seconds_per_click,
        "wage_per_hour": wage_per_hour,
        "abnormalities": abnormalities,
    }
    for name, value in factors.items():
        if not 0 < value < np.inf:
            raise ValueError(f"{name} must be positive and finite, got {value}")
    seconds = cases * abnormalities * clicks * seconds_per_click
    dollars = seconds * wage_per_hour / 3600
    return float(dollars) if dollars.ndim == 0 else dollars
