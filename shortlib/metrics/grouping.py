"""How well groups that a method infers match the shortcut that nobody told it."""

import numpy as np
from sklearn.metrics.cluster import contingency_matrix

from shortlib.metrics.cases import check_binary


def error_set_precision(errors, y_true, shortcut):
    """Share of an error set's cases on which label and shortcut disagree.

    Higher is better: 1 if every case of the error set is one that the shortcut misleads on. A set
    drawn at random has the share of such cases among all.

    Parameters
    ----------
    errors : array_like of bool, shape (n,)
        True on the cases that the identification model gets wrong; at least one.
    y_true : array_like, shape (n,)
        Labels, 0 or 1.
    shortcut : array_like, shape (n,)
        1 (or True) for a case that carries the shortcut.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ValueError
        If the error set is empty, an input is not binary or the lengths differ.

    References
    ----------
    Liu et al. (2021) report it to show that an error set holds the worst group. Which cases are
    misled on is as for the robust AUROC of Saab et al. (2022), Section 5.1.

    Examples
    --------
    >>> error_set_precision([1, 1, 0, 0], y_true=[1, 1, 0, 1], shortcut=[0, 1, 1, 1])
    0.5
    """
    errors, misled = _error_set(errors, y_true, shortcut)
    if not errors.any():
        raise ValueError("errors mark no case; the precision of an empty error set is undefined")
    return float(misled[errors].mean())


def error_set_recall(errors, y_true, shortcut):
    """Share of the cases on which label and shortcut disagree that an error set holds.

    Higher is better: 1 if none is missed. A set drawn at random has its own share of all cases.

    Parameters
    ----------
    errors, y_true, shortcut : array_like, shape (n,)
        As for :func:`error_set_precision`; `errors` may be empty here.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ValueError
        If label and shortcut agree on every case, an input is not binary or the lengths differ.

    References
    ----------
    As for :func:`error_set_precision`.

    Examples
    --------
    >>> error_set_recall([1, 1, 0, 0], y_true=[1, 1, 0, 1], shortcut=[0, 1, 1, 1])
    0.5
    """
    errors, misled = _error_set(errors, y_true, shortcut)
    if not misled.any():
        raise ValueError(
            "y_true and shortcut agree on every case, so there is none that an error set should "
            "hold; recall is undefined"
        )
    return float(errors[misled].mean())


def cluster_purity(groups, truth):
    """Share of cases that belong to the most frequent true kind of their group.

    Higher is better, 1 if every group is of one kind. Groups that say nothing score the share of
    the most frequent kind, and more groups never score less than fewer that they divide: one group
    a case is pure. So compare partitions of alike size, and within one class at a time where groups
    never mix classes.

    Parameters
    ----------
    groups : array_like of int, shape (n,)
        Inferred; any names.
    truth : array_like, shape (n,)
        The true kind of each case, e.g. whether it carries the shortcut.

    Returns
    -------
    float
        In (0, 1].

    Raises
    ------
    ValueError
        If there is no case, an input has another shape or the lengths differ.

    References
    ----------
    Manning, Raghavan and Schütze (2008), Section 16.3.

    Examples
    --------
    >>> cluster_purity([0, 0, 0, 1], [True, True, False, False])
    0.75
    """
    groups, truth = np.asarray(groups), np.asarray(truth)
    if groups.ndim != 1 or groups.shape != truth.shape or not len(groups):
        raise ValueError(
            "groups and truth must have one shape (n,) with n at least 1, got "
            f"{groups.shape} and {truth.shape}"
        )
    return int(contingency_matrix(truth, groups).max(axis=0).sum()) / len(groups)


def _error_set(errors, y_true, shortcut):
    errors = check_binary("errors", errors)
    labels = check_binary("y_true", y_true, len(errors))
    return errors, labels != check_binary("shortcut", shortcut, len(errors))
