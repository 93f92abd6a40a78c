"""AUROC of a choice among several classes, one class against the rest."""

import math

import numpy as np

from shortlib.metrics.cases import check_scores
from shortlib.metrics.discrimination import auroc
from shortlib.metrics.estimate import Estimate
from shortlib.metrics.multilabel import multilabel_aurocs

KINDS = ("micro", "macro")


def micro_auroc(y_true, y_score):
    """AUROC over all pairs of a case and a class, pooled.

    Each case gives one positive entry, the score of its class, and one negative entry for each
    other class. Higher is better: 1 if every right class outscores every wrong one, also that
    of another case.

    Parameters
    ----------
    y_true : array_like of int, shape (n,)
        Class of each case, 0 to k - 1. Not all need occur.
    y_score : array_like, shape (n, k)
        Probability of each of k classes, at least two. Any finite score is taken, but entries
        of different cases and classes are compared, so logits give another value.

    Returns
    -------
    float
        In [0, 1]. With equally frequent classes 0.5 is chance. With others it is not: who gives
        every case the classes' shares earns more than 0.5, for the frequent class is both often
        right and always ahead. With two classes that is the larger share itself. What a model
        that sees nothing would earn is the value for a table of such rows.

    Raises
    ------
    ValueError
        If the shapes do not fit, there are fewer than two classes, a class is not among the
        columns, or a score is not finite.

    References
    ----------
    Nakashima et al. (2023), Section 4.1.

    Examples
    --------
    >>> micro_auroc([0, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])
    1.0
    >>> micro_auroc([0, 0, 0, 1], [[0.75, 0.25]] * 4)  # sees nothing but the shares
    0.75
    """
    hot, scores = _one_hot(y_true, "y_score", y_score, seeds=False)
    return auroc(hot.ravel(), scores.ravel())


def macro_auroc(y_true, y_score):
    """Mean of the AUROCs of each class against all others.

    Higher is better; 0.5 is chance, however frequent the classes are.

    Parameters
    ----------
    y_true : array_like of int, shape (n,)
        Class of each case, 0 to k - 1; at least two must occur. A class without a case has no
        AUROC and is left out of the mean.
    y_score : array_like, shape (n, k)
        Probability of each of k classes. Cases are compared within a class only.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ValueError
        As :func:`micro_auroc`, or if `y_true` holds a single class.

    Notes
    -----
    The paper names the micro AUROC; its released code prints this one.

    Examples
    --------
    >>> macro_auroc([0, 1, 1], [[0.8, 0.2], [0.2, 0.8], [0.9, 0.1]])
    0.5
    """
    hot, scores = _one_hot(y_true, "y_score", y_score, seeds=False)
    _check_two_classes(hot)
    return float(np.mean([auroc(hot[:, j], scores[:, j]) for j in np.flatnonzero(hot.any(0))]))


def hanley_mcneil(auroc, n_positive, n_negative):
    """Standard error of an AUROC from its value and the numbers of cases alone.

    It takes the scores of either label to be exponentially distributed, which suits many
    other distributions too.

    Parameters
    ----------
    auroc : float
        In [0, 1].
    n_positive, n_negative : int
        Cases of either label, at least 1.

    Returns
    -------
    float
        At least 0; 0 where the AUROC is 0 or 1, which is no sign of certainty.

    Raises
    ------
    ValueError
        If `auroc` leaves [0, 1] or a number of cases is below 1.

    Notes
    -----
    The released code of Nakashima et al. (2023) prints the mean of the AUROCs of one class
    against the rest, ± 1.96 times the mean of these errors, cut so that it does not pass an end
    of [0, 1]; the paper speaks of bootstrapping. Errors averaged over classes are not the error
    of the average: the classes share their cases. For an interval use :func:`multiclass_aurocs`.

    References
    ----------
    Hanley and McNeil (1982), with their Q1 and Q2 for exponential scores.
    """
    if not 0 <= auroc <= 1:
        raise ValueError(f"auroc must lie in [0, 1], got {auroc}")
    for name, number in (("n_positive", n_positive), ("n_negative", n_negative)):
        if number < 1:
            raise ValueError(f"{name} must be at least 1, got {number}")
    # Chances that two positives both outscore one negative, and one positive two negatives.
    two_positives, two_negatives = auroc / (2 - auroc), 2 * auroc**2 / (1 + auroc)
    variance = (
        auroc * (1 - auroc)
        + (n_positive - 1) * (two_positives - auroc**2)
        + (n_negative - 1) * (two_negatives - auroc**2)
    ) / (n_positive * n_negative)
    return math.sqrt(max(variance, 0.0))  # rounding may pass 0 where the AUROC is almost 0 or 1


def multiclass_aurocs(y_true, y_scores, *, kind="micro", groups=None, n_resamples=2000, seed=0):
    """AUROC over several classes, mean over seeds, with cases and seeds resampled.

    Parameters
    ----------
    y_true : array_like of int, shape (n,)
        Class of each case, 0 to k - 1.
    y_scores : array_like, shape (seeds, n, k)
        One table of probabilities per training seed, all for the same cases.
    kind : str
        ``"micro"`` as :func:`micro_auroc` or ``"macro"`` as :func:`macro_auroc`.
    groups : array_like, shape (n,), optional
        Whose each case is, e.g. the patient; they are drawn with all their cases.
    n_resamples, seed : int
        As for :func:`shortlib.metrics.case_counts`. The same seed draws the same
        cases, so differences between models are paired.

    Returns
    -------
    shortlib.metrics.estimate.Estimate
        In [0, 1]; higher is better. With several seeds each resample also draws as many seeds
        with replacement. A class that a resample misses is left out of its macro mean; a
        resample of a single class tells nothing apart and counts 0.5.

    Raises
    ------
    ValueError
        As :func:`micro_auroc`, :func:`macro_auroc` and
        :func:`shortlib.metrics.case_counts`, or if `kind` is unknown.

    References
    ----------
    Efron and Tibshirani (1993), chapter 13.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    hot, scores = _one_hot(y_true, "y_scores", y_scores, seeds=True)
    n, k = hot.shape
    options = {"n_resamples": n_resamples, "seed": seed}
    if kind == "macro":
        _check_two_classes(hot)
        mean = multilabel_aurocs(hot, scores, groups=groups, **options).mean()
        resamples = np.where(np.isnan(mean.resamples), 0.5, mean.resamples)
        return Estimate(mean.value, resamples, n, mean.seeds)
    groups = np.arange(n) if groups is None else np.asarray(groups)
    if groups.shape != (n,):
        raise ValueError(f"groups must have shape {(n,)}, one for each case, got {groups.shape}")
    # Pooled, the k entries of a case are one finding of k cases that are drawn together.
    found = multilabel_aurocs(
        hot.reshape(-1, 1),
        scores.reshape(len(scores), -1, 1),
        groups=np.repeat(groups, k),
        **options,
    )
    return Estimate(float(found.values[0]), found.resamples[:, 0], n, found.seeds)


def _one_hot(y_true, name, scores, *, seeds):
    """Return (n, k) booleans, true at each case's class, and the scores as floats."""
    labels = np.asarray(y_true)
    if labels.ndim != 1 or not len(labels):
        raise ValueError(f"y_true must have shape (n,), n at least 1, got {labels.shape}")
    scores = check_scores(name, scores, (None,) * seeds + (len(labels), None))
    k = scores.shape[-1]
    if k < 2 or not len(scores):
        least = "one seed and two classes" if seeds else "two classes"
        raise ValueError(f"{name} must have at least {least}, got shape {scores.shape}")
    allowed = np.isin(labels, np.arange(k))
    if not allowed.all():
        raise ValueError(
            f"y_true must hold classes 0 to {k - 1}, one for each column of {name}, "
            f"got {labels[~allowed].tolist()[0]!r}"
        )
    return labels[:, None] == np.arange(k), scores


def _check_two_classes(hot):
    if hot.any(axis=0).sum() < 2:
        raise ValueError(
            f"y_true holds only class {hot[0].argmax()} ({len(hot)} cases); "
            "one class against the rest needs at least two"
        )
