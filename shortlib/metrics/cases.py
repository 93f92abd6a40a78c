"""What a set of scored cases must look like before a metric is computed on it."""

import numpy as np


def check_binary(name, values, n=None):
    """Return a flag per case as booleans.

    Parameters
    ----------
    name : str
        What the values are called, for the error.
    values : array_like, shape (n,)
        Only 0 and 1 (or False and True).
    n : int, optional
        Number of cases that `values` must cover.

    Returns
    -------
    numpy.ndarray of bool, shape (n,)

    Raises
    ------
    ValueError
        If the shape is wrong, or another value than 0 and 1 occurs.
    """
    values = np.asarray(values)
    if values.ndim != 1:
        raise ValueError(f"{name} must have shape (n,), got {values.shape}")
    if n is not None and len(values) != n:
        raise ValueError(f"{name} must have one value for each of {n} cases, got {len(values)}")
    allowed = np.isin(values, (0, 1))
    if not allowed.all():
        raise ValueError(f"{name} must hold only 0 and 1, got {values[~allowed][0].item()!r}")
    return values.astype(bool)


def check_labels(y_true):
    """Return the labels as booleans; both classes must be present.

    Parameters
    ----------
    y_true : array_like, shape (n,)
        Labels, 0 or 1.

    Returns
    -------
    numpy.ndarray of bool, shape (n,)

    Raises
    ------
    ValueError
        If there is no case, a label is not 0 or 1, or all labels are the same.
    """
    labels = check_binary("y_true", y_true)
    if not len(labels):
        raise ValueError("y_true is empty; at least one case of each label is needed")
    if labels.all() or not labels.any():
        raise ValueError(
            f"y_true holds only label {int(labels[0])} ({len(labels)} cases); "
            "at least one case of each label is needed"
        )
    return labels


def check_scores(name, scores, shape):
    """Return the scores as floats of the given shape.

    Parameters
    ----------
    name : str
        What the scores are called, for the error.
    scores : array_like
        Finite numbers.
    shape : tuple of int or None
        Expected shape; None stands for any length.

    Returns
    -------
    numpy.ndarray of float64

    Raises
    ------
    ValueError
        If the shape is wrong or a score is NaN or infinite.
    """
    scores = np.asarray(scores, dtype=np.float64)
    fits = scores.ndim == len(shape) and all(
        want in (None, have) for want, have in zip(shape, scores.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if side is None else str(side) for side in shape)
        wanted += "," * (len(shape) == 1)
        raise ValueError(f"{name} must have shape ({wanted}), got {scores.shape}")
    unusable = ~np.isfinite(scores)
    if unusable.any():
        raise ValueError(
            f"{name} must be finite, got {scores[unusable][0]} "
            f"({np.count_nonzero(unusable)} of {scores.size} values are NaN or infinite)"
        )
    return scores
