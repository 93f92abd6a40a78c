"""Runs in short: a row each, and one run's scores on its test cases."""

import pandas as pd

from shortlib.metrics import auroc, robust_auroc


def run_table(runs):
    """Return one row a run: what it is, what it took and whether its code has changed.

    Parameters
    ----------
    runs : iterable of shortlib.runs.Run

    Returns
    -------
    pandas.DataFrame
    """
    rows = []
    for run in runs:
        changed = len(run.changed_modules)
        rows.append(
            {
                "run": run.path.name,
                "study": run.request["study"],
                "profile": run.request["profile"],
                "seconds": round(run.provenance["wall_seconds"], 1),
                "MiB": run.provenance["peak_memory_mib"],
                "started": run.provenance["started"][:16].replace("T", " "),
                "kept": "committed" if run.committed else "local",
                "code": f"{changed} changed" if changed else "current",
            }
        )
    return pd.DataFrame(rows)


def scores_on_test(run):
    """Return a run's AUROCs on its test cases, by selection rule and test view.

    Returns
    -------
    pandas.DataFrame
        Columns ``selection``, ``view``, ``cases``, ``AUROC`` and ``robust AUROC``;
        NaN where a group lacks positive or negative cases.
    """
    test = run.predictions.query("split == 'test'")
    rows = []
    for (selection, view), cases in test.groupby(["selection", "view"], sort=True):
        label, score = cases["label"].to_numpy(), cases["score"].to_numpy()
        rows.append(
            {
                "selection": selection,
                "view": view,
                "cases": len(cases),
                "AUROC": _or_nan(auroc, label, score),
                "robust AUROC": _or_nan(robust_auroc, label, score, cases["shortcut"].to_numpy()),
            }
        )
    return pd.DataFrame(rows)


def _or_nan(metric, *arrays):
    try:
        return metric(*arrays)
    except ValueError:
        return float("nan")
