"""Bootstrap intervals of the AUROC, over cases and over seeds.

Cases are resampled within each label, so every resample has the class counts of the
data. A resample only reweights cases whose order by score never changes: each score
vector is sorted once, and all resamples of a block are counted together.
"""

from typing import NamedTuple

import numpy as np

from shortlib.metrics.cases import check_labels, check_scores
from shortlib.metrics.discrimination import auroc, robust_cases

# Draws held at a time. Small enough for the counts to stay in a processor's cache.
BLOCK = 2**15


class Interval(NamedTuple):
    """An estimate with the two ends of its interval, in the unit of the estimate."""

    estimate: float
    low: float
    high: float


def stratified_resamples(y_true, *, n_resamples=2000, seed=0):
    """Draw cases with replacement, positives among positives and negatives among negatives.

    Parameters
    ----------
    y_true : array_like, shape (n,)
        Labels, 0 or 1; both must occur.
    n_resamples : int
        Number of resamples, at least 1.
    seed : int
        Same labels and seed, same resamples.

    Returns
    -------
    numpy.ndarray of int, shape (n_resamples, n)
        Indices of cases: first the drawn positives, then the drawn negatives. These
        are the very resamples that the functions below use.

    Raises
    ------
    ValueError
        If the labels are not usable or `n_resamples` is below 1.
    """
    labels = check_labels(y_true)
    groups = np.flatnonzero(labels), np.flatnonzero(~labels)
    blocks = _draws(labels, n_resamples, seed)
    return np.concatenate(
        [np.hstack([group[drawn] for group, drawn in zip(groups, b, strict=True)]) for b in blocks]
    )


def bootstrap_aurocs(y_true, y_score, *, n_resamples=2000, seed=0):
    """AUROC of each resample of :func:`stratified_resamples`.

    Parameters
    ----------
    y_true, y_score : array_like, shape (n,)
        As for :func:`~shortlib.metrics.auroc`.
    n_resamples, seed : int
        As for :func:`stratified_resamples`.

    Returns
    -------
    numpy.ndarray of float, shape (n_resamples,)
        In [0, 1]. Two scores of the same cases get the same resamples, so the
        difference of two results is a paired one.

    Raises
    ------
    ValueError
        As :func:`~shortlib.metrics.auroc` and :func:`stratified_resamples`.
    """
    labels = check_labels(y_true)
    scores = check_scores("y_score", y_score, (len(labels),))
    return _aurocs(labels, scores[None], n_resamples, seed)[:, 0]


def bootstrap_aurocs_over_seeds(y_true, y_scores, *, n_resamples=2000, seed=0):
    """Mean AUROC over seeds, with cases and seeds resampled.

    Parameters
    ----------
    y_true : array_like, shape (n,)
        Labels, 0 or 1; both must occur.
    y_scores : array_like, shape (seeds, n)
        One row of scores per training seed, all for the same cases.
    n_resamples, seed : int
        As for :func:`stratified_resamples`.

    Returns
    -------
    numpy.ndarray of float, shape (n_resamples,)
        In [0, 1]. Each is the mean AUROC of as many seeds, drawn with replacement,
        on one resample of the cases; with a single seed only cases are drawn. The
        same `seed` gives the same cases and, for as many rows, the same choice of
        rows: the difference of two results is paired by case and by row.

    Raises
    ------
    ValueError
        As :func:`bootstrap_aurocs`.
    """
    labels = check_labels(y_true)
    scores = _check_seeds(y_scores, labels)
    values = _aurocs(labels, scores, n_resamples, seed)
    drawn = _streams(seed)[2].integers(len(scores), size=values.shape)
    return np.take_along_axis(values, drawn, axis=1).mean(axis=1)


def auroc_interval(y_true, y_score, *, level=0.95, n_resamples=2000, seed=0):
    """AUROC with a percentile bootstrap interval over cases.

    Parameters
    ----------
    y_true, y_score : array_like, shape (n,)
        As for :func:`~shortlib.metrics.auroc`.
    level : float
        Coverage aimed at, strictly between 0 and 1.
    n_resamples, seed : int
        As for :func:`stratified_resamples`.

    Returns
    -------
    Interval
        ``(estimate, low, high)``, each in [0, 1]; the estimate is that of the data
        as they are. Higher is better. Where the labels are told apart perfectly, every
        resample is perfect too and the interval has no width.

    Raises
    ------
    ValueError
        As :func:`bootstrap_aurocs`, or if `level` is out of range.

    References
    ----------
    Efron and Tibshirani (1993), chapter 13.
    """
    tails = _tails(level)
    values = bootstrap_aurocs(y_true, y_score, n_resamples=n_resamples, seed=seed)
    return Interval(auroc(y_true, y_score), *np.quantile(values, tails).tolist())


def robust_auroc_interval(y_true, y_score, shortcut, **options):
    """Robust AUROC with a percentile bootstrap interval over the cases it is made of.

    Parameters
    ----------
    y_true, y_score, shortcut : array_like, shape (n,)
        As for :func:`~shortlib.metrics.robust_auroc`.
    **options
        `level`, `n_resamples` and `seed` of :func:`auroc_interval`.

    Returns
    -------
    Interval
        ``(estimate, low, high)``, each in [0, 1]. Higher is better.

    Raises
    ------
    ValueError
        As :func:`~shortlib.metrics.robust_auroc` and :func:`auroc_interval`.

    References
    ----------
    Saab et al. (2022), Section 3.3.2.
    """
    chosen = robust_cases(y_true, shortcut)
    scores = check_scores("y_score", y_score, chosen.shape)
    return auroc_interval(np.asarray(y_true)[chosen], scores[chosen], **options)


def auroc_over_seeds_interval(y_true, y_scores, *, level=0.95, n_resamples=2000, seed=0):
    """Mean AUROC over seeds with an interval over cases and seeds.

    Parameters
    ----------
    y_true : array_like, shape (n,)
        Labels, 0 or 1; both must occur.
    y_scores : array_like, shape (seeds, n)
        One row of scores per training seed, all for the same cases.
    level, n_resamples, seed
        As for :func:`auroc_interval`.

    Returns
    -------
    Interval
        ``(estimate, low, high)``, each in [0, 1]. Higher is better. With few seeds the
        spread between them is known poorly: three seeds resample to ten mixtures.

    Raises
    ------
    ValueError
        As :func:`auroc_interval`.
    """
    tails = _tails(level)
    values = bootstrap_aurocs_over_seeds(y_true, y_scores, n_resamples=n_resamples, seed=seed)
    estimate = float(np.mean([auroc(y_true, row) for row in np.asarray(y_scores)]))
    return Interval(estimate, *np.quantile(values, tails).tolist())


def _aurocs(labels, scores, n_resamples, seed):
    """AUROC by resample and row of scores, shape (n_resamples, seeds)."""
    ranked = []
    for row in scores:
        order = np.argsort(row[~labels])
        negative = row[~labels][order]
        places = (np.searchsorted(negative, row[labels], side) for side in ("left", "right"))
        ranked.append((order, *places))
    pairs = 2 * np.count_nonzero(labels) * np.count_nonzero(~labels)
    blocks = []
    for positives, negatives in _draws(labels, n_resamples, seed):
        # Shape (cases, resamples): sorting and summing over cases moves whole rows.
        positive, negative = _counts(positives), _counts(negatives)
        below = np.zeros((len(negative) + 1, negative.shape[1]), dtype=np.int64)
        block = np.empty((len(positives), len(scores)))
        for column, (order, left, right) in enumerate(ranked):
            np.cumsum(negative[order], axis=0, out=below[1:])
            # Drawn negatives below a positive, plus those not above it: ties count half.
            wins = np.einsum("pk,pk->k", positive, below[left])
            wins += np.einsum("pk,pk->k", positive, below[right])
            block[:, column] = wins / pairs
        blocks.append(block)
    return np.concatenate(blocks)


def _draws(labels, n_resamples, seed):
    """Yield blocks of drawn positions, among the positives and among the negatives."""
    if n_resamples < 1:
        raise ValueError(f"n_resamples must be at least 1, got {n_resamples}")
    streams = _streams(seed)[:2]  # one per label, so that the blocks' size does not matter
    sizes = np.count_nonzero(labels), np.count_nonzero(~labels)
    block = max(1, BLOCK // len(labels))
    for start in range(0, n_resamples, block):
        k = min(block, n_resamples - start)
        yield tuple(rng.integers(n, size=(k, n)) for rng, n in zip(streams, sizes, strict=True))


def _streams(seed):
    """Independent generators for the positives, the negatives and the seeds."""
    return [np.random.default_rng(s) for s in np.random.SeedSequence(int(seed)).spawn(3)]


def _counts(drawn):
    """Count how often each case was drawn: shape (k, n) of positions to (n, k) of counts."""
    k, n = drawn.shape
    cells = drawn * k + np.arange(k)[:, None]
    return np.bincount(cells.ravel(), minlength=n * k).reshape(n, k)


def _check_seeds(y_scores, labels):
    scores = check_scores("y_scores", y_scores, (None, len(labels)))
    if not len(scores):
        raise ValueError("y_scores has no rows; at least one seed is needed")
    return scores


def _tails(level):
    if not 0 < level < 1:
        raise ValueError(f"level must lie strictly between 0 and 1, got {level}")
    return (1 - level) / 2, (1 + level) / 2
