"""Discrimination between cases that are alike in something else."""

import numpy as np

from shortlib.metrics.cases import check_labels, check_scores
from shortlib.metrics.resampling import case_counts


def matched_auroc(y_true, y_score, covariate, *, ratio=1.25):
    """AUROC over the pairs of a positive and a negative case whose covariate is alike.

    Higher is better: 1 ranks every positive above every negative that is like it, 0.5 is chance. A
    score that follows the covariate alone comes near 0.5, however well the covariate tells the
    labels apart.

    Parameters
    ----------
    y_true : array_like, shape (n,)
        Labels, 0 or 1; both must occur.
    y_score : array_like, shape (n,)
        Finite scores in any unit; a pair with equal ones counts one half.
    covariate : array_like of float, shape (n,)
        Positive, e.g. the area of the lesion.
    ratio : float
        How many times as large the larger of two alike covariates may be, above 1.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ValueError
        If the labels or scores are not usable, a covariate is not positive and finite, `ratio` is
        not above 1, or no pair is alike.

    References
    ----------
    Janes and Pepe (2008) adjust an ROC curve for a covariate; here pairs are matched on it.

    Examples
    --------
    >>> matched_auroc([1, 1, 0, 0], [0.9, 0.2, 0.3, 0.1], [10.0, 4.0, 10.5, 1.0])
    1.0
    """
    alike, wins = _pairs(y_true, y_score, covariate, ratio)
    if not alike.any():
        raise ValueError(
            f"covariate is alike in no pair of a positive and a negative case at ratio={ratio}"
        )
    return float(wins.sum() / alike.sum())


def bootstrap_matched_aurocs(
    y_true, y_score, covariate, *, ratio=1.25, groups=None, n_resamples=2000, seed=0
):
    """:func:`matched_auroc` of each resample of the cases.

    Parameters
    ----------
    y_true, y_score, covariate, ratio
        As for :func:`matched_auroc`.
    groups, n_resamples, seed
        As for :func:`shortlib.metrics.case_counts`.

    Returns
    -------
    numpy.ndarray of float, shape (n_resamples,)
        In [0, 1]; NaN where a resample has no pair that is alike.

    Raises
    ------
    ValueError
        As :func:`matched_auroc`.
    """
    alike, wins = _pairs(y_true, y_score, covariate, ratio)
    positive = check_labels(y_true)
    blocks = []
    drawn = case_counts(len(positive), groups=groups, n_resamples=n_resamples, seed=seed)
    for counts in drawn:
        times, negatives = counts[positive], counts[~positive]
        total = (times * (alike @ negatives)).sum(axis=0)
        won = (times * (wins @ negatives)).sum(axis=0)
        blocks.append(np.divide(won, total, out=np.full(len(total), np.nan), where=total > 0))
    return np.concatenate(blocks)


def _pairs(y_true, y_score, covariate, ratio):
    """Return which pairs are alike and how often the positive wins, both of shape (p, n)."""
    labels = check_labels(y_true)
    scores = check_scores("y_score", y_score, (len(labels),))
    values = check_scores("covariate", covariate, (len(labels),))
    if not (values > 0).all():
        raise ValueError(f"covariate must be positive, got {values[values <= 0][0]}")
    if not 1 < ratio < np.inf:
        raise ValueError(f"ratio must be above 1 and finite, got {ratio}")
    apart = np.abs(np.log(values[labels])[:, None] - np.log(values[~labels])[None])
    alike = (apart <= np.log(ratio)).astype(np.float64)
    first, second = scores[labels][:, None], scores[~labels][None]
    return alike, alike * ((first > second) + 0.5 * (first == second))
