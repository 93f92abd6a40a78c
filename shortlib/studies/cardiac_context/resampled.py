"""Scores and saliency of the cardiac study's runs, resampled by patient and seed."""

from functools import lru_cache

import numpy as np

from shortlib.metrics.multiclass import multiclass_aurocs
from shortlib.metrics.multilabel import multilabel_means
from shortlib.studies.verdicts import NotTestableError

PARTS = {"cm": "cm test", "acdc": "acdc test", "transfer": "acdc test"}


def of_variant(runs, variant):
    """Choose the runs of a variant, by seed, so that all results are paired by seed."""
    chosen = [run for run in runs if run.request["variant"] == variant]
    return sorted(chosen, key=lambda run: run.seed)


def scored(runs, task, head, *, view="plain", seen="own", kind="micro"):
    """Measure the AUROC of a classifier over the seeds of one variant.

    Parameters
    ----------
    runs : list of shortlib.runs.Run
        As `of_variant` returns them.
    task, head : str
        See :class:`shortlib.studies.cardiac_context.training.Stage`.
    view : str
        ``"plain"`` or ``"adversarial"``.
    seen : str
        ``"own"``: images as the variant was trained on; ``"full"``: whole ones.
    kind : str
        ``"micro"`` or ``"macro"``.

    Returns
    -------
    shortlib.metrics.estimate.Estimate or None
        None where a run has no such scores.

    Raises
    ------
    NotTestableError
        If the runs were tested on different cases, or a class is missing.
    """
    return _scored(tuple(runs), task, head, view, seen, kind)


def mapped(runs, task, head, column, *, classes=None):
    """Average a column of the runs' saliency tables over cases, phases and seeds.

    Parameters
    ----------
    runs : list of shortlib.runs.Run
    task, head : str
    column : str
        E.g. ``"aks"``; see :func:`shortlib.studies.cardiac_context.saliency.look`.
    classes : sequence of int, optional
        Only cases of these classes.

    Returns
    -------
    shortlib.metrics.estimate.Estimate or None
        None where a run has no such maps, or they have no such column.

    Raises
    ------
    NotTestableError
        If there is no case with a value.
    """
    return _mapped(tuple(runs), task, head, column, None if classes is None else tuple(classes))


def doubted(runs, check, column):
    """Average what a sanity check gives over cases, phases and seeds.

    Parameters
    ----------
    runs : list of shortlib.runs.Run
    check : str
        ``"head"``, ``"all layers"`` or ``"labels"``.
    column : str
        ``"similarity"`` or ``"aks"``.

    Returns
    -------
    shortlib.metrics.estimate.Estimate or None
    """
    return _doubted(tuple(runs), check, column)


@lru_cache(maxsize=512)
def _scored(runs, task, head, view, seen, kind):
    where = {"task": task, "head": head, "view": view, "seen": seen}
    tables = [_choose(run.predictions, where) for run in runs]
    if not tables or any(table.empty for table in tables):
        return None
    cases = _cases(runs[0], PARTS[task])
    names = list(dict.fromkeys(tables[0]["class"]))
    wide = [_wide(table, cases.index, names, runs[i]) for i, table in enumerate(tables)]
    labels = np.array([names.index(name) for name in cases["class"]])
    try:
        return multiclass_aurocs(labels, np.stack(wide), kind=kind, groups=cases["patient_id"])
    except ValueError as error:  # e.g. test cases of one class only
        raise NotTestableError(f"this cannot be measured: {error}") from error


@lru_cache(maxsize=512)
def _mapped(runs, task, head, column, classes):
    where = {"task": task, "head": head}
    return _mean(runs, [_choose(run.table("saliency"), where) for run in runs], column, classes)


@lru_cache(maxsize=64)
def _doubted(runs, check, column):
    return _mean(runs, [_choose(run.table("sanity"), {"check": check}) for run in runs], column)


def _mean(runs, tables, column, classes=None):
    """Average over the phases of a case, then over cases, patients resampled."""
    if not tables or any(table.empty or column not in table for table in tables):
        return None
    if classes is not None:
        tables = [table[table["class"].isin(classes)] for table in tables]
    values = [table.groupby("case_id")[column].mean() for table in tables]
    ids = sorted(set(values[0].index))
    if any(set(one.index) != set(ids) for one in values):
        raise NotTestableError("the runs' maps are of different cases")
    whose = runs[0].table("cases").drop_duplicates("case_id").set_index("case_id")["patient_id"]
    groups = whose.reindex(ids).fillna(dict(zip(ids, ids, strict=True))).to_numpy()
    stacked = np.stack([one.loc[ids].to_numpy(dtype=np.float64) for one in values])[..., None]
    try:
        return multilabel_means(stacked, groups=groups).mean()
    except ValueError as error:
        raise NotTestableError(f"this cannot be measured: {error}") from error


def _choose(table, where):
    for column, value in where.items():
        table = table[table[column] == value]
    return table


def _cases(run, part):
    table = run.table("cases")
    return table[table["part"] == part].set_index("case_id").sort_index()


def _wide(table, ids, names, run):
    wide = table.pivot(index="case_id", columns="class", values="score").sort_index()
    if not wide.index.equals(ids):
        raise NotTestableError(f"run {run.path.name} was tested on other cases")
    return wide[names].to_numpy(dtype=np.float64)
