"""The tables of the study of spatial specificity: published | reference | this run."""

import pandas as pd

from shortlib.report.claim_tables import format_estimate
from shortlib.report.measured import measured_or_nothing
from shortlib.report.side_by_side import SOURCES, side_by_side, write_caption
from shortlib.studies.spatial_specificity.choosing import of
from shortlib.studies.spatial_specificity.groups import group_accuracies
from shortlib.studies.spatial_specificity.measures import by_size, estimates
from shortlib.studies.spatial_specificity.resampled import area_of_lesion
from shortlib.studies.spatial_specificity.variants import VARIANTS
from shortlib.studies.spatial_specificity.watching import PAPER, SELECTIONS
from shortlib.studies.verdicts import NotTestableError

# Kind of label to its name in tables.
LABELS = {
    "image": "image label",
    "quadrants": "quadrants",
    "single-boxes": "one box an image",
    "boxes": "a box a lesion",
    "masks": "mask",
}
ALL, ALIKE = "AUROC, all pairs", "AUROC, pairs of like size"
IN_LESIONS = "AUROC of the lesion's score"
# Which of the paper's two tasks a data set stands for.
TASKS = {
    "builtin-pneumothorax": "chest",
    "siim-acr": "chest",
    "builtin-skin": "skin",
    "builtin-stickers": "skin",
    "isic2018-task1-256": "skin",
    "isic2018": "skin",
}
RULES = {
    PAPER: "the paper's",
    "validation-auroc": "validation AUROC",
    "worst-group": "worst group",
    "oracle": "oracle",
}


def table_1(published, reference, here, *, task):
    """Set the paper's table beside the reference runs and these runs.

    Parameters
    ----------
    published : dict
        As the study's ``published()`` returns it.
    reference, here : list of shortlib.runs.Run
        Each of one profile, both of the same data set.
    task : str
        ``"chest"`` or ``"skin"``.

    Returns
    -------
    pandas.DataFrame
        Three rows for each of the paper's, one a source, and a column a model.
    """
    parts, lines, used = {"reference": reference, "this run": here}, [], set()
    rows = [row for table in published["tables"][:1] for row in table["rows"]]
    for row in (row for row in rows if row["task"] == task):
        printed = {n: f"{v:.3f} ± {row['spread'][n]:.3f}" for n, v in row["values"].items()}
        used |= set(printed)
        lines.append((row["row"], "published", printed, "published"))
        for source in SOURCES:
            measured = measured_by(row["metric"], parts[source])
            used |= set(measured)
            cells = {name: format_estimate(found, 3) for name, found in measured.items()}
            lines.append((row["row"], source, cells, source))
    return side_by_side(lines, [title for title in VARIANTS.values() if title in used])


def selection_table(runs):
    """Tabulate the robust AUROC of every model by the rule that chooses its epoch.

    Parameters
    ----------
    runs : list of shortlib.runs.Run
        Of one data set and profile.

    Returns
    -------
    pandas.DataFrame
        A row a model, a column a rule.
    """
    measured = {rule: measured_by("robust_auroc", runs, rule) for rule in SELECTIONS}
    rows = [
        {
            "model": title,
            **{
                RULES[rule]: format_estimate(found.get(title), 3)
                for rule, found in measured.items()
            },
        }
        for title in VARIANTS.values()
        if any(title in found for found in measured.values())
    ]
    return pd.DataFrame(rows, columns=["model", *RULES.values()])


def size_table(runs, selection=PAPER):
    """Tabulate how models do on test cases whose lesions are of like size, and the size alone.

    Parameters
    ----------
    runs : list of shortlib.runs.Run
        Of one data set in which every case has a lesion.
    selection : str

    Returns
    -------
    pandas.DataFrame
        A row a model: AUROC over all plain test cases, over pairs of like size, and by a score that
        does not grow with the lesion. The first row is the area of the true lesion, the second the
        same on validation cases.
    """
    first = of(runs, next(v for v in VARIANTS if of(runs, v)))
    rows = [
        {
            "score": f"the lesion's area, {split} cases",
            ALL: format_estimate(area_of_lesion(first, split), 3),
        }
        for split in ("test", "validation")
    ]
    measured = dict(zip((ALL, ALIKE, IN_LESIONS), by_size(runs, selection), strict=True))
    for title in measured[ALL]:
        cells = {
            column: format_estimate(found[title], 3)
            for column, found in measured.items()
            if title in found
        }
        rows.append({"score": title, **cells})
    return pd.DataFrame(rows, columns=["score", *measured]).fillna("–")


def worst_group_table(runs, selection=PAPER):
    """Tabulate the group of label and shortcut in which each model is right least often.

    Parameters
    ----------
    runs : list of shortlib.runs.Run
        Of one data set and profile.
    selection : str

    Returns
    -------
    pandas.DataFrame
        A row a model: its worst group, how many test cases are in it, the accuracy there and in
        the best group.
    """
    rows = []
    name = runs[0].settings["group_by"] if runs else "shortcut"
    for variant, title in VARIANTS.items():
        chosen = of(runs, variant)
        try:
            table = group_accuracies(chosen, selection) if chosen else None
        except NotTestableError:
            table = None
        if table is None:
            continue
        worst, best = table.iloc[0], table.iloc[-1]
        rows.append(
            {
                "model": title,
                "worst group": _in_words(worst, name),
                "n": int(worst["n"]),
                "accuracy there": _interval(worst),
                "best group": _in_words(best, name),
                "accuracy in it": _interval(best),
            }
        )
    columns = ["model", "worst group", "n", "accuracy there", "best group", "accuracy in it"]
    return pd.DataFrame(rows, columns=columns)


def joined(groups, tabulate):
    """Set a table of each data set under each other, with the data set as first column.

    Parameters
    ----------
    groups : dict of str to list of shortlib.runs.Run
        By data set; those without runs are passed over.
    tabulate : callable
        ``tabulate(runs)`` returns a table.

    Returns
    -------
    pandas.DataFrame
    """
    tables = [tabulate(runs).assign(data=data) for data, runs in groups.items() if runs]
    table = pd.concat(tables, ignore_index=True).fillna("–")
    return table[["data", *(name for name in table if name != "data")]]


def measured_by(metric, runs, selection=PAPER):
    """Measure a metric of the study by model; nothing where these runs cannot tell."""
    return measured_or_nothing(estimates, metric, runs, selection=selection)


def caption(text, *parts, selection=PAPER):
    """Write a caption that says what its numbers stand on.

    Parameters
    ----------
    text : str
    *parts : list of shortlib.runs.Run
    selection : str

    Returns
    -------
    IPython.display.Markdown
        As :func:`shortlib.report.side_by_side.write_caption` writes it.
    """
    ends = (
        "Intervals (95%) resample patients and seeds.",
        f"Epochs are chosen by {SELECTIONS[selection]}.",
    )
    return write_caption(text, parts, _tested, *ends)


def _tested(runs):
    cases = runs[0].table("cases")
    test = cases[cases["split"] == "test"]
    return f"{len(test)} test cases, {int(test['label'].sum())} of them positive"


def _in_words(row, name):
    label = "positive" if row["label"] else "negative"
    return f"{label}, {'with' if row['shortcut'] else 'without'} {name}"


def _interval(row):
    return f"{row['accuracy']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"
