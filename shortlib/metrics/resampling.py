"""Draws with replacement for the bootstrap: of cases, of whole patients, and of seeds.

Images of one patient resemble each other, so where a patient has several, patients are drawn
and bring all their images along.
"""

import numpy as np

# Draws held at a time. Small enough for the counts to stay in a processor's cache.
BLOCK = 2**17


def case_counts(n, *, groups=None, n_resamples=2000, seed=0):
    """Draw cases with replacement and count how often each comes.

    Parameters
    ----------
    n : int
        Number of cases, at least 1.
    groups : array_like, shape (n,), optional
        Whose each case is. As many groups as there are get drawn, each with all its cases,
        so the number of cases may differ by resample. Without it each case is its own.
    n_resamples : int
        Number of resamples, at least 1.
    seed : int
        Same cases, groups and seed, same draws.

    Returns
    -------
    iterator of numpy.ndarray of float64, shape (n, b)
        How often each case was drawn in `b` resamples; whole numbers. All blocks together
        have `n_resamples` columns.

    Raises
    ------
    ValueError
        If `n` or `n_resamples` is below 1, or `groups` does not name one group for each case.

    References
    ----------
    Efron and Tibshirani (1993), chapter 13; Davison and Hinkley (1997), Section 3.8, on
    drawing clusters.
    """
    for name, number in (("n", n), ("n_resamples", n_resamples)):
        if number < 1:
            raise ValueError(f"{name} must be at least 1, got {number}")
    member = None if groups is None else _members(groups, n)
    units = n if member is None else member.max() + 1
    return _blocks(units, member, n_resamples, seed)


def seed_draws(seeds, n_resamples, seed):
    """Draw training seeds with replacement, as many as there are.

    Parameters
    ----------
    seeds : int
        How many there are.
    n_resamples : int
    seed : int
        Of the draws, which do not depend on those of the cases.

    Returns
    -------
    numpy.ndarray of int, shape (seeds, n_resamples)
    """
    return _streams(seed)[1].integers(seeds, size=(n_resamples, seeds)).T


def _blocks(units, member, n_resamples, seed):
    stream = _streams(seed)[0]
    block = max(1, BLOCK // units)
    for start in range(0, n_resamples, block):
        drawn = stream.integers(units, size=(min(block, n_resamples - start), units))
        k = len(drawn)
        cells = drawn * k + np.arange(k)[:, None]
        counts = np.bincount(cells.ravel(), minlength=units * k).reshape(units, k)
        counts = counts.astype(np.float64)
        yield counts if member is None else counts[member]


def _members(groups, n):
    groups = np.asarray(groups)
    if groups.shape != (n,):
        raise ValueError(f"groups must have shape {(n,)}, one for each case, got {groups.shape}")
    return np.unique(groups, return_inverse=True)[1]


def _streams(seed):
    """Independent generators for the cases and the seeds."""
    return [np.random.default_rng(s) for s in np.random.SeedSequence(int(seed)).spawn(2)]
