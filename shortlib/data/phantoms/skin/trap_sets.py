"""Trap sets: splits of one pool whose artefacts point one way in train and the other in test."""

from dataclasses import dataclass

import numpy as np

from shortlib.data.phantoms.skin.association import PREVALENCE, SHORTCUTS, chances

# Of the 2,594 images, 772 are in test; of the 1,822 in train, 259 are in val as well.
TEST_SHARE = 772 / 2594
VAL_SHARE = 259 / 1822


@dataclass(frozen=True)
class TrapSet:
    """One split; each field holds places in the pool.

    Parameters
    ----------
    train, test : numpy.ndarray of int
        Sorted; together all of the pool.
    val : numpy.ndarray of int
        In random order, and part of `train`, as in the published tables.
    """

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray


def draw_dials(rng, n):
    """Draw the association of each case of a pool: -1 for those made for test, else 1.

    Parameters
    ----------
    rng : numpy.random.Generator
    n : int

    Returns
    -------
    numpy.ndarray of float, shape (n,)
    """
    return np.where(rng.random(n) < TEST_SHARE, -1.0, 1.0)


def draw_trap_set(rng, labels, shortcut, prevalence=PREVALENCE):
    """Split a pool so that train and test have the prevalences of the trap sets.

    A pool of `draw_dials` holds cases made for train and cases made for test. Here
    each case's part is drawn anew given its label and its artefacts: the odds of test are
    those that Bayes' rule gives. So any number of splits can be drawn, and all have
    the same prevalences on average. The number of test cases of each label is
    fixed: those with the largest log odds plus logistic noise.

    Parameters
    ----------
    rng : numpy.random.Generator
    labels : numpy.ndarray of int, shape (n,)
    shortcut : numpy.ndarray of bool, shape (n, 7)
        In the order of `SHORTCUTS`.
    prevalence : dict
        See :func:`shortlib.data.phantoms.skin.association.chances`.

    Returns
    -------
    TrapSet

    Raises
    ------
    ValueError
        If the shapes disagree.
    """
    n = len(labels)
    if shortcut.shape != (n, len(SHORTCUTS)):
        raise ValueError(f"shortcut must have shape {(n, len(SHORTCUTS))}, got {shortcut.shape}")
    evidence = [_log_likelihood(labels, shortcut, dial, prevalence) for dial in (-1, 1)]
    odds = evidence[0] - evidence[1] + rng.logistic(size=n)
    test = np.zeros(n, bool)
    for label in (0, 1):
        places = np.flatnonzero(labels == label)
        count = round(len(places) * TEST_SHARE)
        test[places[np.argsort(-odds[places], kind="stable")[:count]]] = True
    train = np.flatnonzero(~test)
    val = rng.permutation(train)[: round(len(train) * VAL_SHARE)]
    return TrapSet(train, val, np.flatnonzero(test))


def _log_likelihood(labels, shortcut, dial, prevalence):
    # An artefact that a part never has may still be in the pool: very unlikely, not impossible.
    chance = np.clip(chances(labels, dial, prevalence), 1e-6, 1 - 1e-6)
    return np.log(np.where(shortcut, chance, 1 - chance)).sum(axis=1)
