"""Tables of where the cardiac study's models look, and how far their maps can be trusted."""

from dataclasses import replace

import numpy as np
import pandas as pd

from shortlib.report.claim_tables import format_estimate
from shortlib.studies.cardiac_context.measures import MODELS, TASKS, saliency, stage_of
from shortlib.studies.cardiac_context.resampled import doubted, of_variant
from shortlib.studies.verdicts import NotTestableError

EVEN, ALIKE = "an even map", "likeness to the model's maps"
CHECKS = {
    "head": "last layer made anew",
    "all layers": "all layers made anew",
    "labels": "trained on shuffled labels",
}
# What a map's mass may lie in, with the column of the share that an even map has there.
WHERE = {
    "aks": ("in the heart (AKS)", "area"),
    "truth": ("in what carries the class", "truth_area"),
    "cue": ("in the fat of a heavy habitus", "cue_area"),
}
REAL = "real"


def sanity_table(runs, *, digits=2):
    """Tabulate the AKS of models beside that of models that have not learnt the task.

    Parameters
    ----------
    runs : list of shortlib.runs.Run
        Of one data set and profile.
    digits : int

    Returns
    -------
    pandas.DataFrame
        Two rows a model: the AKS of its maps, of an even map, and of the maps of each check; then
        how alike the maps of model and check are (Spearman's coefficient, 1 for equal ones). A
        dash where there is no such check, or no map that has a coefficient.
    """
    models, rows = _found("aks", "cm", runs), []
    even = even_share(runs, "aks", "cm")
    for variant, name in MODELS.items():
        if name not in models:
            continue
        checks = {
            column: {
                title: format_estimate(_doubted(of_variant(runs, variant), check, column), digits)
                for check, title in CHECKS.items()
            }
            for column in ("aks", "similarity")
        }
        own = {EVEN: f"{even:.{digits}f}", "the model": format_estimate(models[name], digits)}
        rows.append({"model": name, "measure": "AKS", **own, **checks["aks"]})
        same = {EVEN: "–", "the model": "1"}
        rows.append({"model": name, "measure": ALIKE, **same, **checks["similarity"]})
    return pd.DataFrame(rows, columns=["model", "measure", EVEN, "the model", *CHECKS.values()])


def truth_table(runs, *, digits=2):
    """Tabulate which share of the maps lies in the heart, in what carries the class, in the cue.

    Parameters
    ----------
    runs, digits
        As for :func:`sanity_table`.

    Returns
    -------
    pandas.DataFrame
        For each task a row for an even map, whose shares are those of the image, then a row a
        model, with the share of its maps that are empty. What only drawn data know is a dash
        elsewhere.
    """
    rows = []
    for task, title in TASKS.items():
        found = {column: _found(column, task, runs) for column in (*WHERE, "empty")}
        if not found["aks"]:
            continue
        even = {column: even_share(runs, column, task) for column in WHERE}
        cells = {
            said: f"{even[column]:.{digits}f}" if even[column] is not None else "–"
            for column, (said, _) in WHERE.items()
        }
        rows.append({"task": title, "model": EVEN, **cells, "empty maps": "–"})
        for name in found["aks"]:
            cells = {
                said: format_estimate(_told(found[column].get(name)), digits)
                for column, (said, _) in WHERE.items()
            }
            empty = found["empty"].get(name)
            cells["empty maps"] = f"{empty.value:.1%}" if empty else "–"
            rows.append({"task": title, "model": name, **cells})
    columns = ["task", "model", *(said for said, _ in WHERE.values()), "empty maps"]
    return pd.DataFrame(rows, columns=columns)


def even_share(runs, column, task):
    """Return what a map without any preference would score on the test cases of a task.

    Parameters
    ----------
    runs : list of shortlib.runs.Run
    column : str
        A key of `WHERE`.
    task : str

    Returns
    -------
    float or None
        The mean share of the image, of the cases and phases in which the column has a value;
        None where no run knows it. The test cases are the same for all runs.
    """
    _, area = WHERE[column]
    for variant in MODELS:
        for run in of_variant(runs, variant):
            table = _of(run, *stage_of(variant, task))
            if len(table) and {column, area} <= set(table):
                known = table[table[column].notna()]
                if len(known):
                    return float(known.groupby("case_id")[area].mean().mean())
    return None


def real_table(runs, *, digits=2):
    """Tabulate the AKS on real studies that are looked at and not classified.

    Parameters
    ----------
    runs : list of shortlib.runs.Run
        Of a data set with such studies, one profile.
    digits : int

    Returns
    -------
    pandas.DataFrame
        A row a study and phase: the outlined share of the image, which an even map would score, and
        of each model the mean over seeds, with the least and greatest seed where there are
        several; then a row with the means over all, and one that counts empty maps. Without
        such runs one row that says so.
    """
    tables = {name: _real(of_variant(runs, variant)) for variant, name in MODELS.items()}
    tables = {name: table for name, table in tables.items() if len(table)}
    if not tables:
        return pd.DataFrame([{"study": "no run that looks at real studies is on disk"}])
    first = next(iter(tables.values()))
    areas = first.groupby(["case_id", "phase"], sort=False)["area"].mean()
    rows = []
    for (case, phase), area in areas.items():
        cells = {
            name: _over_seeds(table[(table["case_id"] == case) & (table["phase"] == phase)], digits)
            for name, table in tables.items()
        }
        rows.append({"study": case, "phase": phase, EVEN: f"{area:.{digits}f}", **cells})
    cells = {name: _over_seeds(table, digits) for name, table in tables.items()}
    rows.append(
        {"study": "all, mean", "phase": "both", EVEN: f"{areas.mean():.{digits}f}", **cells}
    )
    counted = {name: f"{int(t['empty'].sum())} of {len(t)}" for name, t in tables.items()}
    rows.append({"study": "empty maps", "phase": "both", EVEN: "–", **counted})
    return pd.DataFrame(rows)


def _over_seeds(table, digits):
    """Write the mean AKS over seeds with its range."""
    means = table.groupby("seed")["aks"].mean().to_numpy()
    said = f"{np.mean(means):.{digits}f}"
    if len(means) > 1:
        said += f" ({means.min():.{digits}f}–{means.max():.{digits}f})"
    return said


def _real(runs):
    tables = [run.table("saliency").assign(seed=run.seed) for run in runs]
    tables = [table[table["task"] == REAL] for table in tables]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _told(estimate):
    """Leave out the resamples without any case that has a value; they tell nothing."""
    if estimate is None:
        return None
    return replace(estimate, resamples=estimate.resamples[~np.isnan(estimate.resamples)])


def _found(column, task, runs):
    try:
        return saliency(task, column)(runs)
    except NotTestableError:
        return {}


def _doubted(runs, check, column):
    try:
        return doubted(runs, check, column)
    except NotTestableError:  # e.g. every map is constant
        return None


def _of(run, task, head):
    table = run.table("saliency")
    return table[(table["task"] == task) & (table["head"] == head)]
