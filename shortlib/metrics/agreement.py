"""How alike the embeddings of two subgroups are."""

import numpy as np


def subgroup_cosine_similarity(embeddings_a, embeddings_b):
    """Mean cosine similarity over all pairs of a row of one group and a row of the other.

    Higher means more aligned: 1 when all rows point the same way, 0 when the groups
    are orthogonal on average, -1 when they are opposed. For two subgroups that share a
    label and differ in the shortcut, higher suggests less reliance on the shortcut.

    Parameters
    ----------
    embeddings_a : array_like, shape (k_a, d)
        One embedding a row, none of them zero.
    embeddings_b : array_like, shape (k_b, d)
        The same, with the same d.

    Returns
    -------
    float
        In [-1, 1].

    Raises
    ------
    ValueError
        If a group is empty or not two-dimensional, the widths differ, or a row is
        zero or not finite.

    Notes
    -----
    The mean over pairs of the products of unit vectors is the product of the mean unit
    vectors, so no matrix of pairs is built.

    References
    ----------
    Saab et al. (2022), Section 3.3.2 and Table 2.

    Examples
    --------
    >>> subgroup_cosine_similarity([[1.0, 0.0]], [[2.0, 0.0], [0.0, 5.0]])
    0.5
    """
    mean_a = _mean_direction("embeddings_a", embeddings_a)
    mean_b = _mean_direction("embeddings_b", embeddings_b)
    if mean_a.shape != mean_b.shape:
        raise ValueError(
            "embeddings_a and embeddings_b must have the same width, "
            f"got {mean_a.size} and {mean_b.size}"
        )
    return float(np.clip(mean_a @ mean_b, -1.0, 1.0))  # rounding may pass the ends


def _mean_direction(name, embeddings):
    rows = np.asarray(embeddings, dtype=np.float64)
    if rows.ndim != 2 or not len(rows):
        raise ValueError(f"{name} must have shape (k, d) with k at least 1, got {rows.shape}")
    if not np.isfinite(rows).all():
        bad = int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])
        raise ValueError(f"{name} must be finite, row {bad} holds NaN or infinity")
    # Scaled by the largest entry first, so that squares neither vanish nor overflow.
    largest = np.abs(rows).max(axis=1, initial=0.0, keepdims=True)
    if not largest.all():
        raise ValueError(
            f"{name} must have no zero row, row {int(np.flatnonzero(largest == 0)[0])} is zero; "
            "its direction is undefined"
        )
    rows = rows / largest
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).mean(axis=0)
