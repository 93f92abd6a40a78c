"""How right JTT and GEORGE are about the shortcut that nobody told them."""

import numpy as np

from shortlib.studies.spatial_specificity.choosing import of
from shortlib.studies.spatial_specificity.resampled import over_cases
from shortlib.studies.spatial_specificity.variants import VARIANTS
from shortlib.studies.verdicts import NotTestableError

_DEALS = 20


def error_set_lift(runs, selection):
    """How much richer JTT's error set is in cases that the shortcut misleads."""
    chosen, name = of(runs, "binary-jtt"), VARIANTS["binary-jtt"]
    tables = _inferred(chosen)
    return {name: over_cases(tables, _lift)} if tables else {}


def purity_lift(runs, selection):
    """How much better GEORGE's groups tell the shortcut than groups that are dealt at random."""
    chosen, name = of(runs, "binary-george"), VARIANTS["binary-george"]
    tables = _inferred(chosen)
    return {name: over_cases(tables, _purer)} if tables else {}


def dealt_groups(groups, labels):
    """Deal the groups of each class anew among its cases.

    Groups that divide a class are never less pure than the class, whatever they say. What they are
    worth is what they are above groups of the same sizes that say nothing.

    Parameters
    ----------
    groups, labels : numpy.ndarray of int, shape (n,)
        No group mixes classes.

    Returns
    -------
    list of numpy.ndarray of int, each of shape (n,)
        The same 20 deals for the same input.
    """
    rng = np.random.default_rng(0)
    dealt = [np.array(groups) for _ in range(_DEALS)]
    for one in dealt:
        for label in np.unique(labels):
            one[labels == label] = rng.permutation(one[labels == label])
    return dealt


def _inferred(runs):
    tables = []
    for run in runs:
        table = run.table("inferred")
        by = run.settings["group_by"]
        name = by if by in table else "shortcut"
        if name not in table:
            raise NotTestableError("nobody knows which training cases carry the shortcut")
        tables.append(table.assign(shortcut=table[name].astype(bool)))
    return tables


def _lift(table, counts):
    misled = (table["shortcut"] != (table["label"] == 1)).to_numpy(float)
    errors = table["error"].to_numpy(float)
    drawn = errors @ counts
    # A resample without an error has no error set.
    undefined = np.full(len(drawn), np.nan)
    share = np.divide((misled * errors) @ counts, drawn, out=undefined, where=drawn > 0)
    return share - misled @ counts / counts.sum(axis=0)


def _purer(table, counts):
    groups = table["group"].to_numpy()
    dealt = dealt_groups(groups, table["label"].to_numpy())
    chance = np.mean([_as_their_group(one, table, counts) for one in dealt], axis=0)
    return (_as_their_group(groups, table, counts) - chance) / counts.sum(axis=0)


def _as_their_group(groups, table, counts):
    """Count the cases that have the shortcut, or have it not, as most of their group do."""
    carries = table["shortcut"].to_numpy()
    most = np.zeros(counts.shape[1])
    for group in np.unique(groups):
        members = groups == group
        sides = [counts[members & (carries == one)].sum(axis=0) for one in (True, False)]
        most += np.maximum(*sides)
    return most
