"""Scores of the cardiac study beside its main tables: chance, released code, silhouettes."""

import numpy as np
import pandas as pd

from shortlib.metrics import auroc, hanley_mcneil, micro_auroc
from shortlib.report.claim_tables import format_estimate
from shortlib.report.context_tables import measured_by
from shortlib.report.side_by_side import EMPTY, SOURCES
from shortlib.studies.cardiac_context import measures
from shortlib.studies.cardiac_context.measures import MODELS, TASKS, stage_of
from shortlib.studies.cardiac_context.resampled import of_variant
from shortlib.studies.verdicts import NotTestableError

ONE_CLASS = "one class only"
BOTH = ("BG", "BG, outline")
DIFFERENCE = "outline − filled (paired)"


def released_table(reference, here, *, digits=2):
    """Tabulate the AUROC as the released code computes it, beside the same with a bootstrap.

    The code averages the AUROC of each class against the rest, and gives 1.96 times the mean
    of their errors by Hanley and McNeil, cut at 1. It does so on the cases whose maps touch
    the heart; here no case is left out.

    Parameters
    ----------
    reference, here : list of shortlib.runs.Run
        Each of one profile, both of the same data set.
    digits : int

    Returns
    -------
    pandas.DataFrame
        Two rows a task and source, ± by the formula and the bootstrap interval of the same
        mean; a column a model.
    """
    parts, rows = {"reference": reference, "this run": here}, []
    for task, title in TASKS.items():
        for source in SOURCES:
            formula = released(parts[source], task)
            drawn = measured_by(f"auroc_{task}_macro", parts[source])
            kinds = {
                "± of the formula": {
                    name: f"{value:.{digits}f} ± {half:.{digits}f}"
                    for name, (value, half) in formula.items()
                },
                "bootstrap": {name: format_estimate(e, digits) for name, e in drawn.items()},
            }
            for kind, cells in kinds.items():
                shown = {name: cells.get(name, EMPTY[source]) for name in MODELS.values()}
                rows.append({"task": title, "source": source, "interval": kind, **shown})
    return pd.DataFrame(rows, columns=["task", "source", "interval", *MODELS.values()])


def released(runs, task):
    """Compute the mean AUROC of one class against the rest, and what the released code adds.

    Parameters
    ----------
    runs : list of shortlib.runs.Run
        Of one data set and profile.
    task : str

    Returns
    -------
    dict of str to tuple of float
        By model: the AUROC, mean over classes and seeds, and the half width, mean over seeds.
        A class without cases, or with all of them, is left out.

    References
    ----------
    Hanley and McNeil (1982).
    """
    found = {}
    for variant, name in MODELS.items():
        at, head = stage_of(variant, task)
        where = {"task": at, "head": head, "view": "plain", "seen": "own"}
        tables = [_chosen(run.predictions, where) for run in of_variant(runs, variant)]
        if not tables or any(table.empty for table in tables):
            continue
        pairs = [_one_against_the_rest(table) for table in tables]
        if all(pairs):
            means = np.array([np.mean(pair, axis=0) for pair in pairs])
            halves = np.minimum(1.96 * means[:, 1], 1 - means[:, 0])
            found[name] = float(means[:, 0].mean()), float(halves.mean())
    return found


def background_table(reference, here, *, digits=2):
    """Tabulate what backgrounds are worth: hearts filled, hearts black, and the difference.

    Parameters
    ----------
    reference, here, digits
        As for :func:`released_table`.

    Returns
    -------
    pandas.DataFrame
        A row a task, measure and source. The third measure shows whole images to models that
        never saw one.
    """
    parts, rows = {"reference": reference, "this run": here}, []
    for task, title in TASKS.items():
        shown_as = {
            "mean over classes (chance .5)": {"kind": "macro"},
            "micro": {"kind": "micro"},
            "micro, whole images shown": {"kind": "micro", "seen": "full"},
        }
        for measure, options in shown_as.items():
            for source in SOURCES:
                found = _tried(measures.auroc(task, **options), parts[source])
                cells = {name: found.get(name) for name in BOTH}
                both = all(cells.values())
                cells[DIFFERENCE] = cells[BOTH[1]] - cells[BOTH[0]] if both else None
                shown = {
                    name: format_estimate(estimate, digits) if estimate else EMPTY[source]
                    for name, estimate in cells.items()
                }
                rows.append({"task": title, "AUROC": measure, "source": source, **shown})
    return pd.DataFrame(rows, columns=["task", "AUROC", "source", *BOTH, DIFFERENCE])


def blind_auroc(classes):
    """Return the micro AUROC of who gives every case the classes' shares.

    Parameters
    ----------
    classes : sequence
        The class of each case, of at least two classes.

    Returns
    -------
    float
        0.5 where all classes are equally frequent, otherwise more.
    """
    _, labels, counts = np.unique(np.asarray(classes), return_inverse=True, return_counts=True)
    return micro_auroc(labels, np.tile(counts / len(labels), (len(labels), 1)))


def blind_table(published, runs):
    """Tabulate what a classifier that sees nothing would earn, there and here.

    Parameters
    ----------
    published : dict
    runs : list of shortlib.runs.Run
        Of one data set; their test cases are the same.

    Returns
    -------
    pandas.DataFrame
        A row a data set.
    """
    printed = published["classes"]
    counted = {"the paper's CM": list(np.repeat(list(printed), list(printed.values())))}
    for run in runs[:1]:
        cases = run.table("cases")
        for part, group in cases.groupby("part", sort=False):
            name = TASKS.get(part.split()[0], part)
            counted[f"{name} here, test cases"] = group["class"].tolist()
    rows = []
    for name, classes in counted.items():
        known = list(dict.fromkeys(classes))
        blind = f"{blind_auroc(classes):.3f}" if len(known) > 1 else ONE_CLASS
        sizes = ", ".join(f"{label} {classes.count(label)}" for label in known)
        rows.append({"data": name, "cases": sizes, "micro AUROC, seeing nothing": blind,
                     "mean over classes": "0.500" if len(known) > 1 else ONE_CLASS})  # fmt: skip
    return pd.DataFrame(rows)


def _one_against_the_rest(table):
    """Return (AUROC, error) of each class that some cases have and others not."""
    found = []
    for _, group in table.groupby("class", sort=False):
        positive = int(group["label"].sum())
        if 0 < positive < len(group):
            value = auroc(group["label"].to_numpy(), group["score"].to_numpy())
            found.append((value, hanley_mcneil(value, positive, len(group) - positive)))
    return found


def _chosen(table, where):
    for column, value in where.items():
        table = table[table[column] == value]
    return table


def _tried(measure, runs):
    try:
        return measure(runs)
    except NotTestableError:
        return {}
