"""How well a score tells the two labels apart, on all cases or without the shortcut's help."""

import numpy as np

from shortlib.metrics.cases import check_binary, check_labels, check_scores


def auroc(y_true, y_score):
    """Area under the ROC curve: how often a positive case outscores a negative one.

    Higher is better: 1 ranks every positive above every negative, 0.5 is chance,
    0 is the reverse order. A pair with equal scores counts one half.

    Parameters
    ----------
    y_true : array_like, shape (n,)
        Labels, 0 or 1; both must occur.
    y_score : array_like, shape (n,)
        Finite scores in any unit; only their order matters.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ValueError
        If there are not cases of both labels, a label is not 0 or 1, a score is
        not finite, or the lengths differ.

    References
    ----------
    Hanley and McNeil (1982): the area is the Mann-Whitney statistic over the
    number of pairs.

    Examples
    --------
    >>> auroc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    labels = check_labels(y_true)
    scores = check_scores("y_score", y_score, (len(labels),))
    positive, negative = scores[labels], np.sort(scores[~labels])
    below = np.searchsorted(negative, positive, "left")
    not_above = np.searchsorted(negative, positive, "right")
    # In integers, so that the only rounding is that of the division.
    return int((below + not_above).sum()) / (2 * positive.size * negative.size)


def robust_cases(y_true, shortcut):
    """Select the cases on which label and shortcut disagree.

    Parameters
    ----------
    y_true : array_like, shape (n,)
        Labels, 0 or 1.
    shortcut : array_like, shape (n,)
        1 (or True) for a case that carries the shortcut.

    Returns
    -------
    numpy.ndarray of bool, shape (n,)
        True where the label is 1 without the shortcut, or 0 with it.

    Raises
    ------
    ValueError
        If one of the two kinds of case is missing, or an input is not binary.

    References
    ----------
    Saab et al. (2022), Section 3.3.2.
    """
    labels = check_labels(y_true)
    shortcut = check_binary("shortcut", shortcut, len(labels))
    for label, flag in ((1, 0), (0, 1)):
        if not ((labels == label) & (shortcut == flag)).any():
            raise ValueError(
                f"no case has y_true = {label} and shortcut = {flag}; robust AUROC compares "
                "abnormal cases without the shortcut with normal cases that carry it"
            )
    return labels != shortcut


def robust_auroc(y_true, y_score, shortcut):
    """AUROC on the cases where the training set's shortcut would mislead.

    Abnormal cases without the shortcut against normal cases with it. Higher is
    better: a score that follows the shortcut alone gets 0, one that ignores it gets
    the AUROC that the abnormality itself supports.

    Parameters
    ----------
    y_true : array_like, shape (n,)
        Labels, 0 or 1.
    y_score : array_like, shape (n,)
        Finite scores in any unit; only their order matters.
    shortcut : array_like, shape (n,)
        1 (or True) for a case that carries the shortcut.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ValueError
        As :func:`auroc` and :func:`robust_cases`.

    References
    ----------
    Saab et al. (2022), Section 3.3.2.

    Examples
    --------
    >>> robust_auroc([1, 1, 0, 0], [0.9, 0.2, 0.8, 0.1], [1, 0, 1, 0])
    0.0
    """
    chosen = robust_cases(y_true, shortcut)
    scores = check_scores("y_score", y_score, chosen.shape)
    return auroc(np.asarray(y_true)[chosen], scores[chosen])
