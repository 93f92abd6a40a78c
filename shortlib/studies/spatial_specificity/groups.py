"""How often a model is right in each group of label and shortcut, at one threshold."""

import numpy as np
import pandas as pd

from shortlib.metrics.multilabel import multilabel_means
from shortlib.studies.spatial_specificity.watching import PAPER
from shortlib.studies.verdicts import NotTestableError

COLUMNS = ("label", "shortcut", "n", "accuracy", "low", "high")


def group_accuracies(runs, selection=PAPER):
    """Measure the accuracy in each group of test cases, mean over the runs of one variant.

    Parameters
    ----------
    runs : list of shortlib.runs.Run
        One a seed.
    selection : str

    Returns
    -------
    pandas.DataFrame
        A row a group of the plain test cases: ``label`` and ``shortcut`` (0 or 1), ``n`` (mean
        over seeds), ``accuracy`` with the ends of its 95% interval, over cases and seeds. The worst
        group comes first. A score above the threshold of :func:`best_threshold` is a 1.

    Raises
    ------
    NotTestableError
        If nobody knows which test cases carry the shortcut.
    """
    tables = [_hits(run, selection) for run in runs]
    rows = []
    for label in (0, 1):
        for shortcut in (0, 1):
            chosen = [t[(t["label"] == label) & (t["shortcut"] == shortcut)] for t in tables]
            if any(table.empty for table in chosen):
                continue
            hits = [table.set_index("case_id")["hit"].astype(float) for table in chosen]
            ids = sorted(set().union(*(one.index for one in hits)))
            stacked = np.stack([one.reindex(ids).to_numpy() for one in hits])[..., None]
            estimate = multilabel_means(stacked).mean()
            n = round(np.mean([len(one) for one in hits]))
            rows.append((label, shortcut, n, estimate.value, *estimate.interval()))
    if not rows:
        raise NotTestableError("nobody knows which test cases carry the shortcut")
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.sort_values("accuracy", ignore_index=True, kind="stable")


def best_threshold(labels, scores):
    """Return the threshold with the highest balanced accuracy: half way between two scores.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        0 and 1; both occur.
    scores : array_like of float, shape (n,)

    Returns
    -------
    float
        Scores above it count as 1. Of equally good ones the lowest.
    """
    labels, scores = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    known = np.unique(scores)
    cuts = np.concatenate([[known[0] - 1], (known[1:] + known[:-1]) / 2])
    above = scores[:, None] > cuts
    right = [(above[labels == 1]).mean(axis=0), (~above[labels == 0]).mean(axis=0)]
    return float(cuts[np.argmax(right[0] + right[1])])


def _hits(run, selection):
    table = run.predictions
    table = table[(table["view"] == "plain") & (table["selection"] == selection)]
    validation, test = (table[table["split"] == split] for split in ("validation", "test"))
    if validation.empty or test.empty:
        raise NotTestableError(f"run {run.path.name} has no scores of selection {selection}")
    threshold = best_threshold(validation["label"], validation["score"])
    return test.assign(hit=(test["score"] > threshold) == (test["label"] == 1))
