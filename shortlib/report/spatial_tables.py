"""The tables of the study of spatial specificity: published | reference | this run."""

import numpy as np
import pandas as pd

from shortlib.metrics.cost import annotation_cost
from shortlib.metrics.grouping import cluster_purity, error_set_precision, error_set_recall
from shortlib.report.claim_tables import format_estimate
from shortlib.report.side_by_side import SOURCES, side_by_side, write_caption
from shortlib.studies.spatial_specificity.groups import group_accuracies
from shortlib.studies.spatial_specificity.measures import (
    SWEPT,
    artefact_gaps,
    by_size,
    estimates,
    of,
    overlaps,
    pixel_tables,
    robust_auroc,
    shares_of,
)
from shortlib.studies.spatial_specificity.resampled import area_of_lesion, mean_of, variance
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


def table_3(published, groups):
    """Tabulate the variance measure by kind of label, the paper's beside that of each data set.

    Parameters
    ----------
    published : dict
    groups : dict of str to list of shortlib.runs.Run
        By data set.

    Returns
    -------
    pandas.DataFrame
        Two columns a data set: the share of the image that is labelled positive and the variance,
        both with 95% intervals over training images and seeds.
    """
    printed = {row["task"]: row["values"] for row in published["tables"][1]["rows"]}
    rows = []
    for kind, title in LABELS.items():
        row = {"labels": title}
        for task in ("chest", "skin"):
            value = printed[task].get(kind)
            row[f"variance, published, {task}"] = "–" if value is None else f"{value:.2f}"
        for data, runs in groups.items():
            if tables := pixel_tables(runs):
                mine = [table[table["supervision"] == kind] for table in tables]
                row[f"share positive, {data}"] = format_estimate(mean_of(mine, "share"), 2)
                row[f"variance, {data}"] = format_estimate(variance(tables, kind), 2)
        rows.append(row)
    return pd.DataFrame(rows)


def table_4(published, reference, here):
    """Tabulate the robust AUROC by the share of training cases with a mask or box.

    Parameters
    ----------
    published : dict
    reference, here : list of shortlib.runs.Run
        Each of one profile, both of the same data set.

    Returns
    -------
    pandas.DataFrame
        A row a model and source, a column a share.
    """
    printed = {row["row"]: row for row in published["tables"][2]["rows"]}
    samples = published["samples"]
    parts = {"reference": reference, "this run": here}
    shares = sorted({s for runs in parts.values() for v in SWEPT for s in shares_of(runs, v)})
    named = {share: f"{share:.3g} of the cases" for share in shares}
    lines = []
    for variant in SWEPT:
        title, cells = VARIANTS[variant], {}
        for share in shares:
            row, n = printed[title], samples[min(samples, key=lambda s: abs(s - share))]
            if n in row["values"]:
                cells[named[share]] = f"{row['values'][n]:.3f} ± {row['spread'][n]:.3f} ({n})"
        lines.append((title, "published", cells, "published"))
        for source in SOURCES:
            cells = {}
            for share in shares_of(parts[source], variant):
                found = robust_auroc(parts[source], PAPER, share)[title]
                cells[named[share]] = format_estimate(found, 3)
            lines.append((title, source, cells, source))
    return side_by_side(lines, list(named.values())).rename(columns={"row": "model"})


def artefact_table(runs):
    """Tabulate what each artefact costs models that learned from masks and from image labels.

    Parameters
    ----------
    runs : list of shortlib.runs.Run
        Of one data set with several artefacts.

    Returns
    -------
    pandas.DataFrame
        A row an artefact: on how much of it lies the lesion, how many benign and malignant test
        cases have it (first seed), and for each model the AUROC without it, with it, and the gap.
    """
    known, rows = overlaps(runs), []
    gaps = {VARIANTS[v]: artefact_gaps(runs, PAPER, v) for v in ("binary-erm", "masks")}
    cases = of(runs, "masks")[0].table("cases")
    cases = cases[cases["split"] == "test"]
    for artefact in gaps[VARIANTS["masks"]]:
        counts = [int(cases.loc[cases["label"] == k, artefact].sum()) for k in (0, 1)]
        overlap = known.get(artefact)
        stated = f"{overlap:.2f} (stated)" if isinstance(overlap, float) else None
        row = {
            "artefact": artefact,
            "on the lesion": stated or format_estimate(overlap, 2),
            "benign / malignant with it": f"{counts[0]} / {counts[1]}",
        }
        for title, found in gaps.items():
            for k, name in enumerate(("without", "with", "gap")):
                gap = found.get(artefact)
                row[f"{title}, {name}"] = (
                    "one class only" if gap is None else format_estimate(gap[k], 2)
                )
        rows.append(row)
    return pd.DataFrame(rows)


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
        A row a model: AUROC over all plain test cases, and over pairs of like size. The first row
        is the area of the true lesion, the second the same on validation cases.
    """
    first = of(runs, next(v for v in VARIANTS if of(runs, v)))
    rows = [
        {
            "score": f"the lesion's area, {split} cases",
            ALL: format_estimate(area_of_lesion(first, split), 3),
        }
        for split in ("test", "validation")
    ]
    every, alike = by_size(runs, selection)
    for title, estimate in every.items():
        row = {"score": title, ALL: format_estimate(estimate, 3)}
        rows.append(row | {ALIKE: format_estimate(alike[title], 3)})
    return pd.DataFrame(rows, columns=["score", ALL, ALIKE]).fillna("–")


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


def inferred_table(groups):
    """Tabulate what JTT and GEORGE infer of the shortcut that nobody told them.

    Parameters
    ----------
    groups : dict of str to list of shortlib.runs.Run
        By data set.

    Returns
    -------
    pandas.DataFrame
        A row a data set and method, values seed by seed. Precision and recall are of the cases on
        which label and shortcut disagree; the purity of classes is what no clustering has.
    """
    rows = []
    for data, runs in groups.items():
        for variant in ("binary-jtt", "binary-george"):
            tables = [_flagged(run) for run in of(runs, variant)]
            if not tables or any(table is None for table in tables):
                continue
            if variant == "binary-jtt":
                found = [_of_errors(table) for table in tables]
            else:
                found = [_of_clusters(table) for table in tables]
            cells = {name: ", ".join(one[name] for one in found) for name in found[0]}
            rows.append({"data": data, "method": VARIANTS[variant], **cells})
    return pd.DataFrame(rows).fillna("–")


def cost_table(published):
    """Reproduce the paper's example of what labels cost.

    Returns
    -------
    pandas.DataFrame
        A row a kind of label: clicks, hours, dollars, dollars beyond labels, and the paper's.
    """
    stated = published["costs"]
    rates = {name: stated[name] for name in ("seconds_per_click", "wage_per_hour")}
    n, rows = stated["n_positive"], []
    base = annotation_cost(n, clicks=stated["clicks"]["label"], **rates)
    for kind, clicks in stated["clicks"].items():
        dollars = annotation_cost(n, clicks=clicks, **rates)
        printed = stated["beyond_labels"].get(kind)
        rows.append(
            {
                "labels": {"label": "image label", "boxes": "box", "masks": "mask"}[kind],
                "clicks": clicks,
                "hours": f"{dollars / rates['wage_per_hour']:.1f}",
                "dollars": f"{dollars:,.0f}",
                "beyond labels": f"{dollars - base:,.0f}",
                "the paper's": "–" if printed is None else f"{printed:,.0f}",
            }
        )
    return pd.DataFrame(rows)


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
    try:
        return estimates(metric, runs, selection=selection) if runs else {}
    except NotTestableError:
        return {}


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


def _flagged(run):
    table, by = run.table("inferred"), run.settings["group_by"]
    name = by if by in table else "shortcut"
    return table.assign(carries=table[name].astype(int)) if name in table else None


def _of_errors(table):
    errors, labels, carries = (table[n].to_numpy(int) for n in ("error", "label", "carries"))
    return {
        "inferred": f"{errors.sum()} errors",
        "precision": f"{error_set_precision(errors, labels, carries):.2f}",
        "by chance": f"{np.mean(labels != carries):.2f}",
        "recall": f"{error_set_recall(errors, labels, carries):.2f}",
    }


def _of_clusters(table):
    return {
        "inferred": f"{table['group'].nunique()} groups",
        "purity": f"{cluster_purity(table['group'], table['carries']):.2f}",
        "purity of classes": f"{cluster_purity(table['label'], table['carries']):.2f}",
    }
