"""The tables of the cardiac paper: published | reference | this run, and what they stand on."""

import pandas as pd

from shortlib.report.claim_tables import format_estimate
from shortlib.report.measured import measured_or_nothing
from shortlib.report.side_by_side import SOURCES, side_by_side, write_caption
from shortlib.studies.cardiac_context.measures import MODELS, TASKS, by_class, estimates
from shortlib.studies.verdicts import NotTestableError

# What follows a ± in print; the errata page has the computations.
SPREADS = {
    "auroc": "published, ± Hanley–McNeil",
    "aks": "published, ± not of the AKS",
    "dice": "published, ± not explained",
    "class": "published, ± spread of cases",
}
# A model of the book that the paper does not have stands beside the one that it is like.
BESIDE = {"BG": "BG, outline"}


def models_of(published, table):
    """List the models of one of the paper's tables, in its order, with those that we add."""
    (found,) = (t for t in published["tables"] if t["id"] == table)
    printed = list(dict.fromkeys(name for row in found["rows"] for name in row["values"]))
    return [name for model in printed for name in (model, BESIDE.get(model)) if name]


def printed(published, metric):
    """Return what the paper prints of a metric over all classes, by model of all its tables."""
    rows = [row for table in published["tables"] for row in table["rows"]]
    chosen = [row["values"] for row in rows if row["metric"] == metric and "class" not in row]
    return {name: value for values in chosen for name, value in values.items()}


def paper_table(published, table, measures, reference, here, *, digits=2):
    """Set a table of the paper beside the reference runs and these runs.

    Parameters
    ----------
    published : dict
        As the study's ``published()`` returns it.
    table : str
        ``"table-1"``, ``"table-2"`` or ``"table-3"``.
    measures : sequence of str
        Some of ``"auroc"``, ``"aks"`` and ``"dice"``: the rows to show.
    reference, here : list of shortlib.runs.Run
        Each of one profile, both of the same data set.
    digits : int
        After the point; the paper's own numbers keep their three.

    Returns
    -------
    pandas.DataFrame
        Three rows for each of the paper's, one a source, and a column a model. The row's
        name is the right one where the paper has another, and says so.
    """
    (found,) = (t for t in published["tables"] if t["id"] == table)
    models, parts = models_of(published, table), {"reference": reference, "this run": here}
    lines = []
    for row in found["rows"]:
        measure = row["metric"].split("_")[0]
        if measure not in measures:
            continue
        cells = {
            name: f"{value:.3f} ± {row['spread'][name]:.3f}"
            for name, value in row["values"].items()
        }
        said = SPREADS["class" if "class" in row else measure]
        slip = f" (printed as {row['misplaced']})" if "misplaced" in row else ""
        lines.append((row["row"] + slip, said, cells, "published"))
        for source in SOURCES:
            measured = _measured(row, parts[source])
            cells = {name: format_estimate(measured[name], digits) for name in measured}
            lines.append((row["row"], source, cells, source))
    return side_by_side(lines, models)


def probe_table(reference, here, *, digits=2):
    """Tabulate the AUROC of linear probes beside that of fine-tuned encoders.

    Parameters
    ----------
    reference, here, digits
        As for :func:`paper_table`.

    Returns
    -------
    pandas.DataFrame
        A row a task, head and source; a model without that head has a dash.
    """
    heads = {"fine-tuned": "", "linear probe": "_probe"}
    parts = {"reference": reference, "this run": here}
    known = {
        (task, head, source): measured_by("auroc_" + task + suffix, parts[source])
        for task in ("cm", "transfer")
        for head, suffix in heads.items()
        for source in SOURCES
    }
    # Zero is a probe by itself, and its place is Table 1.
    there = {name for measured in known.values() for name in measured} - {"Zero"}
    models = [name for name in MODELS.values() if name in there]
    rows = [
        {
            "task": TASKS[task],
            "head": head,
            "source": source,
            **{name: format_estimate(measured.get(name), digits) for name in models},
        }
        for (task, head, source), measured in known.items()
    ]
    return pd.DataFrame(rows, columns=["task", "head", "source", *models])


def habitus_table(runs):
    """Tabulate how often a heavy habitus goes with each class, among the test patients.

    Parameters
    ----------
    runs : list of shortlib.runs.Run
        Of one data set; their test cases are the same.

    Returns
    -------
    pandas.DataFrame
        A row a class; a column for each kind of test patients, with a share. Empty where nobody
        knows the habitus.
    """
    rows = {}
    for run in runs[:1]:
        table = run.predictions
        table = table[(table["label"] == 1) & (table["shortcut"] >= 0) & (table["seen"] == "own")]
        for (task, view), part in table.groupby(["task", "view"], sort=False):
            if task == "transfer":  # the same patients as of ACDC
                continue
            title = TASKS[task] + (", turned round" if view == "adversarial" else "")
            once = part.drop_duplicates(["case_id"])
            for name, group in once.groupby("class", sort=False):
                rows.setdefault(name, {})[title] = f"{group['shortcut'].mean():.0%}"
    table = pd.DataFrame(rows).T.fillna("–")
    return table.rename_axis("class").reset_index() if rows else pd.DataFrame()


def measured_by(metric, runs):
    """Measure a metric of the study by model; nothing where these runs cannot tell."""
    return measured_or_nothing(estimates, metric, runs)


def caption(text, *parts):
    """Write a caption that says what its numbers stand on.

    Parameters
    ----------
    text : str
        What is shown, in sentences.
    *parts : list of shortlib.runs.Run
        Each of one data set and profile; empty ones, and those that say the same, are passed
        over.

    Returns
    -------
    IPython.display.Markdown
        The text, then of each part its profile, data, seeds and number of test patients, what is
        resampled, and which epoch is judged.
    """
    return write_caption(
        text,
        parts,
        _tested,
        "Intervals (95%) resample patients, each with all studies, and seeds.",
        "Every model is that of its last epoch.",
    )


def _tested(runs):
    tested = runs[0].table("cases").groupby("part", sort=False)["patient_id"].nunique()
    return "test patients " + ", ".join(
        f"{TASKS.get(part.split()[0], part)} {n}" for part, n in tested.items()
    )


def _measured(row, runs):
    """Measure what a row of the paper shows, by model."""
    if "class" not in row:
        return measured_by(row["metric"], runs)
    column, task = row["metric"].split("_")
    try:
        return by_class(runs, column, task=task).get(row["class"], {})
    except NotTestableError:
        return {}
