"""Tables of the synthetic spatial-specificity study: published | reference | this run."""

import pandas as pd

from shortlib.report.claim_tables import format_estimate

EMPTY = {
    "published": "not printed",
    "reference": "no reference run",
    "this run": "not run here",
}


def measure_groups(study, runs, metrics, *, selection="test"):
    """Measure several metrics by batch setting and specificity.

    Returns
    -------
    dict of str to dict of str to dict of int to shortlib.metrics.estimate.Estimate
    """
    return {
        batch: {metric: study.estimates(metric, chosen, selection=selection) for metric in metrics}
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
        One row for each row and column of the paper's table, one column for each batch
        setting of ours; an empty cell says why.
    """
    table = next(t for t in study.published()["tables"] if t["id"] == table_id)
    parts = {"reference": reference, "this run": here}
    batches = sorted(reference.keys() | here.keys(), reverse=True)
    rows = []
    for row in table["rows"]:
        measured = [part[batch].get(row["metric"], {}) for part in parts.values() for batch in part]
        for dial in sorted(set(row["values"]).union(*measured)):
            cells = {"row": row["row"], table["column"]: dial, "published": _printed(row, dial)}
            for name, part in parts.items():
                for batch in batches:
                    cells[f"{name}, {batch}"] = _cell(part, batch, row["metric"], dial, name)
            rows.append(cells)
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
        One row a batch setting and specificity; the last column is what choosing the
        epoch on test images adds to the robust AUROC, a paired difference.
    """
    rows = []
    for batch, metrics in by_selection["test"].items():
        for r in metrics["auroc"]:
            row = {"batch": batch, "r": r}
            for metric, title in (("auroc", "overall"), ("robust_auroc", "robust")):
                for selection, measured in by_selection.items():
                    estimate = measured[batch][metric][r]
                    row[f"{title}, by {selection} loss"] = format_estimate(estimate, 2)
            on_test, on_validation = (
                by_selection[rule][batch]["robust_auroc"][r] for rule in ("test", "validation")
            )
            row["robust, difference"] = format_estimate(on_test - on_validation, 2)
            rows.append(row)
    return pd.DataFrame(rows)


def _printed(row, dial):
    value = row["values"].get(dial)
    return EMPTY["published"] if value is None else f"{value:.2f}"


def _cell(part, batch, metric, dial, column):
    estimate = part.get(batch, {}).get(metric, {}).get(dial)
    return EMPTY[column] if estimate is None else format_estimate(estimate, 2)
