"""A number together with its bootstrap distribution."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata


@dataclass(frozen=True)
class Estimate:
    """An estimate and what resampling makes of it.

    Differences of estimates that were resampled with the same seed are paired.

    Parameters
    ----------
    value : float
        The estimate on the data as they are.
    resamples : numpy.ndarray, shape (b,)
        The estimate on each of `b` resamples; empty for an exact number.
    n : int
        Cases that the estimate stands on.
    seeds : int
        Fits, or draws of the data, that it stands on.
    """

    value: float
    resamples: np.ndarray
    n: int = 0
    seeds: int = 0

    @property
    def exact(self):
        """Whether the number comes from a formula and has no sampling error."""
        return len(self.resamples) == 0

    def interval(self, level=0.95):
        """Return the percentile interval ``(low, high)``.

        Parameters
        ----------
        level : float
            Coverage, in (0, 1).
        """
        if self.exact:
            return self.value, self.value
        tail = (1 - level) / 2
        low, high = np.quantile(self.resamples, [tail, 1 - tail])
        return float(low), float(high)

    def __sub__(self, other):
        """Return the paired difference of two estimates."""
        return Estimate(
            self.value - other.value,
            self.resamples - other.resamples,
            min(self.n, other.n),
            min(self.seeds, other.seeds),
        )


def rank_correlation(x, estimates):
    """Spearman's coefficient between known values and estimates of one quantity.

    Parameters
    ----------
    x : sequence of float, length k
        Distinct known values, e.g. spatial specificities.
    estimates : sequence of Estimate, length k
        Resampled with the same seed.

    Returns
    -------
    Estimate
        In [-1, 1]; ties among the estimates get their average rank. A resample in
        which all are tied counts as 0, no order.
    """
    columns = np.column_stack([[e.value, *e.resamples] for e in estimates])
    ranks = rankdata(columns, axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    known = rankdata(x) - (len(x) + 1) / 2
    norms = np.sqrt((ranks**2).sum(axis=1) * (known**2).sum())
    coefficients = np.divide(ranks @ known, norms, out=np.zeros(len(ranks)), where=norms > 0)
    return Estimate(
        float(coefficients[0]),
        coefficients[1:],
        min(e.n for e in estimates),
        min(e.seeds for e in estimates),
    )
