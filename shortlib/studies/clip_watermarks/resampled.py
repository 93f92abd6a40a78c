"""Scores and map measures of the watermark study's runs, by finding, patients resampled."""

from functools import lru_cache

import numpy as np

from shortlib.metrics.multilabel import multilabel_aurocs, multilabel_means
from shortlib.studies.verdicts import NotTestableError

SELECTION = "validation"
_KEYS = ["arm", "stage", "clean", "epoch", "view"]


def of_variant(runs, variant):
    """Choose the runs of a variant, by seed, so that all results are paired by seed."""
    chosen = [run for run in runs if run.request["variant"] == variant]
    return sorted(chosen, key=lambda run: run.seed)


def steps_of(run, arm):
    """List the pairs (clean images, epoch) at which an arm was tested, (0, 0) before any."""
    return sorted({key[2:4] for key in _parts(run) if key[0] == arm})


def step_of(run, stage):
    """Return the number of clean images and the epoch at which a stage is judged.

    A setting may state the amount as a share; the predictions have it as a number, and those of
    the main amount come first.
    """
    if stage == "pretrained":
        return 0, 0
    amounts = [key[2] for key in _parts(run) if key[1] == "fine-tuned"]
    return (amounts[0] if amounts else 0), run.settings["finetune_epochs"]


def scored(runs, arm, view, step, *, stage=None):
    """Measure the AUROC of an arm by finding, over the seeds of one variant.

    Parameters
    ----------
    runs : list of shortlib.runs.Run
        As `of_variant` returns them.
    arm, view : str
    step : tuple of int
        One of `steps_of`.
    stage : str, optional
        By default what the step says, ``"pretrained"`` or ``"fine-tuned"``; ``"new head"`` is the
        CNN that was fine-tuned with a new last layer.

    Returns
    -------
    shortlib.metrics.ByFinding or None
        None where a run has no such scores.

    Raises
    ------
    NotTestableError
        If the runs were tested on different cases, or no finding has two classes.
    """
    if stage is None:
        stage = "pretrained" if step == (0, 0) else "fine-tuned"
    return _scored(tuple(runs), arm, view, step, stage)


def mapped(runs, column, *, label=None):
    """Average a column of the runs' saliency tables by finding, over the seeds of one variant.

    Parameters
    ----------
    runs : list of shortlib.runs.Run
    column : str
    label : int, optional
        Only cases with this label of the finding.

    Returns
    -------
    shortlib.metrics.ByFinding or None
        None where a run has no such table.

    Raises
    ------
    NotTestableError
        If the runs' maps are of different cases, or there is no case.
    """
    return _mapped(tuple(runs), column, label)


@lru_cache(maxsize=512)
def _scored(runs, arm, view, step, stage):
    tables = [_parts(run).get((arm, stage, *step, view)) for run in runs]
    if not tables or any(table is None for table in tables):
        return None
    _check_cases(runs, tables)
    labels, scores = (
        np.stack([_by_case(table, run, column) for table, run in zip(tables, runs, strict=True)])
        for column in ("label", "score")
    )
    if not np.array_equal(labels, np.broadcast_to(labels[0], labels.shape), equal_nan=True):
        raise NotTestableError("the runs were tested with different labels")
    return _or_not_testable(multilabel_aurocs, labels[0], scores, groups=_patients(runs, tables[0]))


@lru_cache(maxsize=64)
def _mapped(runs, column, label):
    try:
        tables = [run.table("saliency") for run in runs]
    except FileNotFoundError:
        return None
    if not tables:
        return None
    _check_cases(runs, tables)
    values = np.stack([_by_case(t, run, column) for t, run in zip(tables, runs, strict=True)])
    if label is not None:  # the others stay as cases, so that the same ones are drawn
        values[:, _by_case(tables[0], runs[0], "label") != label] = np.nan
    return _or_not_testable(multilabel_means, values, groups=_patients(runs, tables[0]))


@lru_cache(maxsize=64)
def _parts(run):
    """Sort a run's test predictions by arm, stage, clean images, epoch and view."""
    table = run.predictions
    table = table[(table["split"] == "test") & (table["selection"] == SELECTION)]
    return {
        (arm, stage, int(clean), int(epoch), view): part[["case_id", "finding", "label", "score"]]
        for (arm, stage, clean, epoch, view), part in table.groupby(_KEYS, sort=False)
    }


def _by_case(table, run, column):
    """Lay a column out by case, in the order of their names, and finding: shape (n, k)."""
    wide = table.pivot(index="case_id", columns="finding", values=column).sort_index()
    return wide.reindex(columns=run.settings["findings"]).to_numpy(dtype=np.float64)


def _patients(runs, table):
    """Say whose the cases of a table are, in the order of `_by_case`."""
    known = runs[0].table("cases").set_index("case_id")["patient_id"]
    return known.loc[sorted(set(table["case_id"]))].to_numpy()


def _check_cases(runs, tables):
    first = set(tables[0]["case_id"])
    for run, table in zip(runs, tables, strict=True):
        if set(table["case_id"]) != first:
            raise NotTestableError(
                f"runs {runs[0].path.name} and {run.path.name} were tested on different cases"
            )


def _or_not_testable(measure, *arrays, groups):
    try:
        return measure(*arrays, groups=groups)
    except ValueError as error:  # e.g. test cases of one class only
        raise NotTestableError(f"this cannot be measured: {error}") from error
