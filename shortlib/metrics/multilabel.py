"""Measures over several findings of the same cases, resampled together.

Whoever has one finding is likelier to have another, and every model, test view and seed is
scored on the same cases. So cases, or patients with all their cases, are drawn once for all of
them: the same `seed` draws the same ones, and differences between findings, models and views are
paired. Labels differ by finding, so the draw is not stratified by any of them.
"""

from dataclasses import dataclass

import numpy as np

from shortlib.metrics.estimate import Estimate
from shortlib.metrics.resampling import case_counts, seed_draws


@dataclass(frozen=True)
class ByFinding:
    """Values and resamples of one measure, finding by finding.

    Attributes
    ----------
    values : numpy.ndarray, shape (k,)
        The measure of each finding, mean over seeds; NaN where it is undefined.
    resamples : numpy.ndarray, shape (b, k)
        The same on each resample; NaN where the resample leaves it undefined.
    n : int
        Cases that any of the findings stands on.
    seeds : int
    """

    values: np.ndarray
    resamples: np.ndarray
    n: int
    seeds: int

    def mean(self):
        """Return the mean over findings as an estimate.

        A finding that is undefined on a resample is left out of that resample's mean, one that
        is undefined on the data out of all. Resamples are paired across all that share cases.
        """
        defined = ~np.isnan(self.values)
        resamples = _mean_of_known(self.resamples[:, defined], axis=1)
        return Estimate(float(self.values[defined].mean()), resamples, self.n, self.seeds)

    def finding(self, j):
        """Return finding `j` as an estimate, without the resamples that leave it undefined.

        For its interval alone: what is left is not paired with another finding's.
        """
        column = self.resamples[:, j]
        return Estimate(float(self.values[j]), column[~np.isnan(column)], self.n, self.seeds)


def multilabel_aurocs(y_true, y_scores, *, groups=None, n_resamples=2000, seed=0):
    """AUROC of each finding, mean over seeds, with cases and seeds resampled.

    Parameters
    ----------
    y_true : array_like, shape (n, k)
        Labels of `k` findings, 0 or 1; NaN where a case's label is not known.
    y_scores : array_like, shape (seeds, n, k)
        One table of scores per training seed, all for the same cases; finite where the label is
        known.
    groups : array_like, shape (n,), optional
        Whose each case is, e.g. the patient; they are drawn with all their cases.
    n_resamples, seed : int
        As for :func:`shortlib.metrics.case_counts`.

    Returns
    -------
    ByFinding
        In [0, 1]; higher is better. A resample in which a finding has one class only has NaN
        there. With several seeds, each resample also draws as many seeds with replacement.

    Raises
    ------
    ValueError
        If the shapes do not fit, a label is none of 0, 1 and NaN, a score is not finite, or no
        finding has cases of both classes.

    References
    ----------
    Efron and Tibshirani (1993), chapter 13.
    """
    labels = _check_labels(y_true)
    scores = _check_tables("y_scores", y_scores, labels.shape, ~np.isnan(labels))
    _, n, k = scores.shape
    ranked = [[_rank(labels[:, j], row[:, j]) for row in scores] for j in range(k)]
    if all(first[0] is None for first in ranked):
        raise ValueError(f"y_true has no finding with both classes ({n} cases, {k} findings)")
    values = np.array([[_area(rank, np.ones((n, 1)))[0] for rank in row] for row in ranked])
    blocks = [
        np.array([[_area(rank, counts) for rank in row] for row in ranked])
        for counts in case_counts(n, groups=groups, n_resamples=n_resamples, seed=seed)
    ]
    used = (~np.isnan(labels[:, ~np.isnan(values).all(axis=1)])).any(axis=1).sum()
    return _over_seeds(values, np.concatenate(blocks, axis=2), int(used), seed)


def multilabel_means(values, *, groups=None, n_resamples=2000, seed=0):
    """Mean of a per-case value by finding, with cases and seeds resampled.

    Parameters
    ----------
    values : array_like, shape (seeds, n, k)
        A value for each case and finding, per training seed; NaN leaves a case out.
    groups : array_like, shape (n,), optional
        Whose each case is, e.g. the patient; they are drawn with all their cases.
    n_resamples, seed : int
        As for :func:`shortlib.metrics.case_counts`.

    Returns
    -------
    ByFinding
        In the values' unit and direction. A resample in which a finding has no case has NaN.

    Raises
    ------
    ValueError
        If the shape is another, a value is infinite, or there is no value at all.
    """
    values = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(values)
    values = _check_tables("values", values, values.shape[1:], known)
    if not known.any():
        raise ValueError("values holds no number; at least one case of one finding is needed")
    n = values.shape[1]
    sums = np.where(known, values, 0).transpose(2, 0, 1)  # by finding, then seed
    often = known.transpose(2, 0, 1).astype(np.float64)

    def means(counts):
        total = often @ counts
        return np.divide(sums @ counts, total, out=np.full(total.shape, np.nan), where=total > 0)

    drawn = case_counts(n, groups=groups, n_resamples=n_resamples, seed=seed)
    resamples = np.concatenate([means(counts) for counts in drawn], axis=2)
    used = int(known.any(axis=(0, 2)).sum())
    return _over_seeds(means(np.ones((n, 1)))[..., 0], resamples, used, seed)


def _over_seeds(values, resamples, n, seed):
    """Average (k, seeds) values and (k, seeds, b) resamples, seeds drawn with replacement."""
    _, seeds, b = resamples.shape
    drawn = seed_draws(seeds, b, seed)
    chosen = np.take_along_axis(resamples, drawn[None], axis=1)
    return ByFinding(_mean_of_known(values, 1), _mean_of_known(chosen, 1).T, n, seeds)


def _rank(labels, scores):
    """Sort a finding's negatives once: where they are, and where its positives fall among them."""
    positive, negative = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    if not len(positive) or not len(negative):
        return None
    negative = negative[np.argsort(scores[negative], kind="stable")]
    places = (np.searchsorted(scores[negative], scores[positive], s) for s in ("left", "right"))
    return positive, negative, *places


def _area(ranked, counts):
    """AUROC by resample, from how often each case was drawn, shape (n, b)."""
    if ranked is None:
        return np.full(counts.shape[1], np.nan)
    positive, negative, left, right = ranked
    drawn = counts[positive]
    below = np.zeros((len(negative) + 1, counts.shape[1]))
    np.cumsum(counts[negative], axis=0, out=below[1:])
    # Drawn negatives below a positive, plus those not above it: ties count half.
    wins = np.einsum("pb,pb->b", drawn, below[left]) + np.einsum("pb,pb->b", drawn, below[right])
    pairs = 2 * drawn.sum(axis=0) * below[-1]
    return np.divide(wins, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def _mean_of_known(values, axis):
    """Mean that leaves NaN out; NaN where nothing is left."""
    known = ~np.isnan(values)
    number = known.sum(axis=axis)
    total = np.where(known, values, 0).sum(axis=axis)
    return np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)


def _check_labels(y_true):
    labels = np.asarray(y_true, dtype=np.float64)
    if labels.ndim != 2 or not labels.size:
        raise ValueError(f"y_true must have shape (n, k), neither of them 0, got {labels.shape}")
    wrong = ~(np.isnan(labels) | np.isin(labels, (0, 1)))
    if wrong.any():
        raise ValueError(f"y_true must hold only 0, 1 and NaN, got {labels[wrong][0]}")
    return labels


def _check_tables(name, tables, shape, needed):
    """Return one table a seed as floats of shape (seeds, *shape); finite where `needed`."""
    tables = np.asarray(tables, dtype=np.float64)
    if tables.ndim != 3 or tables.shape[1:] != shape or not tables.size:
        wanted = "seeds, " + ", ".join(map(str, shape if len(shape) == 2 else ("n", "k")))
        raise ValueError(f"{name} must have shape ({wanted}), none of them 0, got {tables.shape}")
    unusable = ~np.isfinite(tables) & needed
    if unusable.any():
        raise ValueError(
            f"{name} must be finite, got {tables[unusable][0]} "
            f"({np.count_nonzero(unusable)} of {tables.size} values are NaN or infinite)"
        )
    return tables
