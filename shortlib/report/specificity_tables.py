"""Tables of the synthetic spatial-specificity study: published | reference | this run."""

import pandas as pd

from shortlib.report.claim_tables import format_estimate

EMPTY = {
    "published": "not printed",
    "reference": "no reference run",
    "this run": "not in this profile",
}


def measure_groups(study, runs, metrics, *, selection="test"):
    """Measure several metrics by batch setting and specificity.

    Returns
    -------
    dict of str to dict of str to dict of int to shortlib.metrics.estimate.Estimate
    """
    return {
        batch: {
            metric: study.by_specificity(metric, chosen, selection=selection) for metric in metrics
        }
        for batch, chosen in study.groups(runs).items()
    }


def published_table(study, table_id, reference, here):
    """Set a published table beside the reference runs and this run.

    Parameters
    ----------
    study : module
    table_id : str
        A table of the study's ``published.yml``.
    reference, here : dict
        As :func:`measure_groups` returns them.

    Returns
    -------
    pandas.DataFrame
        One row for each row, column and batch setting of ours; an empty cell says why.
    """
    table = next(t for t in study.published()["tables"] if t["id"] == table_id)
    rows = []
    for row in table["rows"]:
        dials = set(row["values"])
        for part in (reference, here):
            for metrics in part.values():
                dials |= set(metrics.get(row["metric"], ()))
        for dial in sorted(dials):
            for batch in sorted(reference.keys() | here.keys(), reverse=True):
                rows.append(
                    {
                        "row": row["row"],
                        table["column"]: dial,
                        "batch": batch,
                        "published": _printed(row, dial),
                        "reference": _cell(reference, batch, row["metric"], dial, "reference"),
                        "this run": _cell(here, batch, row["metric"], dial, "this run"),
                    }
                )
    return pd.DataFrame(rows)


def auroc_table(by_selection):
    """Tabulate overall and robust AUROC under both selection rules.

    Parameters
    ----------
    by_selection : dict of str to dict
        ``"test"`` and ``"validation"`` to what :func:`measure_groups` returns for
        ``auroc`` and ``robust_auroc``.

    Returns
    -------
    pandas.DataFrame
        One row a batch setting and specificity.
    """
    rows = []
    for batch, metrics in by_selection["test"].items():
        for r in metrics["auroc"]:
            row = {"batch": batch, "r": r}
            for metric, title in (("auroc", "overall"), ("robust_auroc", "robust")):
                for selection, measured in by_selection.items():
                    estimate = measured[batch][metric][r]
                    row[f"{title}, by {selection} loss"] = format_estimate(estimate, 2)
            rows.append(row)
    return pd.DataFrame(rows)


def leak_table(by_selection):
    """Tabulate what choosing the epoch on test cases is worth, by paired difference."""
    rows = []
    for batch, metrics in by_selection["test"].items():
        for r, chosen_on_test in metrics["robust_auroc"].items():
            difference = chosen_on_test - by_selection["validation"][batch]["robust_auroc"][r]
            rows.append(
                {
                    "batch": batch,
                    "r": r,
                    "robust AUROC, test rule minus validation rule": format_estimate(difference, 2),
                }
            )
    return pd.DataFrame(rows)


def _printed(row, dial):
    value = row["values"].get(dial)
    return EMPTY["published"] if value is None else f"{value:.2f}"


def _cell(part, batch, metric, dial, column):
    estimate = part.get(batch, {}).get(metric, {}).get(dial)
    return EMPTY[column] if estimate is None else format_estimate(estimate, 2)
