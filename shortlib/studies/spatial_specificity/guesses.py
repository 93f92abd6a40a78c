"""How right JTT and GEORGE are about the shortcut that nobody told them."""

import numpy as np

from shortlib.studies.spatial_specificity.choosing import of
from shortlib.studies.spatial_specificity.resampled import over_cases
from shortlib.studies.spatial_specificity.variants import VARIANTS
from shortlib.studies.verdicts import NotTestableError


def error_set_lift(runs, selection):
    """How much richer JTT's error set is in cases that the shortcut misleads."""
    chosen, name = of(runs, "binary-jtt"), VARIANTS["binary-jtt"]
    tables = _inferred(chosen)
    return {name: over_cases(tables, _lift)} if tables else {}


def purity_lift(runs, selection):
    """How much better GEORGE's groups tell the shortcut than classes do."""
    chosen, name = of(runs, "binary-george"), VARIANTS["binary-george"]
    tables = _inferred(chosen)
    return {name: over_cases(tables, _purer)} if tables else {}


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
    return _purity(table["group"], table, counts) - _purity(table["label"], table, counts)


def _purity(groups, table, counts):
    carries = table["shortcut"].to_numpy()
    most = np.zeros(counts.shape[1])
    for group in np.unique(groups):
        members = (groups == group).to_numpy()
        sides = [counts[members & (carries == one)].sum(axis=0) for one in (True, False)]
        most += np.maximum(*sides)
    return most / counts.sum(axis=0)
