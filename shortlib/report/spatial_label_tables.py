"""Tables of labels: what they mark, how many it takes, what is guessed without them, their cost."""

import numpy as np
import pandas as pd

from shortlib.metrics.cost import annotation_cost
from shortlib.metrics.grouping import cluster_purity, error_set_precision, error_set_recall
from shortlib.report.claim_tables import format_estimate
from shortlib.report.side_by_side import SOURCES, side_by_side
from shortlib.report.spatial_tables import LABELS, TASKS
from shortlib.studies.spatial_specificity.choosing import of, pixel_tables, shares_of
from shortlib.studies.spatial_specificity.guesses import dealt_groups
from shortlib.studies.spatial_specificity.measures import artefact_gaps, overlaps, robust_auroc
from shortlib.studies.spatial_specificity.resampled import mean_of, variance
from shortlib.studies.spatial_specificity.sweeping import SWEPT
from shortlib.studies.spatial_specificity.variants import VARIANTS
from shortlib.studies.spatial_specificity.watching import PAPER


def table_3(published, runs):
    """Tabulate the variance of the pixels that each kind of label calls positive.

    Parameters
    ----------
    published : dict
    runs : list of shortlib.runs.Run
        Of one data set, some of which keep sums over pixels.

    Returns
    -------
    pandas.DataFrame
        A row a kind of label: the share of the image that is labelled positive and the variance,
        both with 95% intervals over training images and seeds, and the paper's variance.
    """
    tables, task = pixel_tables(runs), TASKS[runs[0].request["data"]]
    printed = {row["task"]: row["values"] for row in published["tables"][1]["rows"]}[task]
    rows = []
    for kind, title in LABELS.items():
        mine = [table[table["supervision"] == kind] for table in tables]
        rows.append(
            {
                "labels": title,
                "share of the image": format_estimate(mean_of(mine, "share"), 2),
                "variance": format_estimate(variance(tables, kind), 2),
                "published": f"{printed[kind]:.2f}" if kind in printed else "–",
            }
        )
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
        A row an artefact and model: how much of the artefact lies on the lesion, how many benign
        and malignant test cases have it (first seed), and the AUROC without it, with it, and the
        gap.
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
        measured = {title: found[artefact] for title, found in gaps.items() if found.get(artefact)}
        for title, found in measured.items():
            cells = (format_estimate(one, 2) for one in found)
            rows.append(
                row | {"model": title} | dict(zip(("without", "with", "gap"), cells, strict=True))
            )
        if not measured:
            rows.append(row | {"gap": "one class only"})
    columns = [*row, "model", "without", "with", "gap"] if rows else []
    return pd.DataFrame(rows, columns=columns).fillna("–")


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
        which label and shortcut disagree. By chance: the precision of errors, and the purity of
        groups, of as many cases drawn at random.
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
    groups, labels, carries = (table[n].to_numpy(int) for n in ("group", "label", "carries"))
    chance = np.mean([cluster_purity(dealt, carries) for dealt in dealt_groups(groups, labels)])
    return {
        "inferred": f"{table['group'].nunique()} groups",
        "purity": f"{cluster_purity(groups, carries):.2f}",
        "by chance": f"{chance:.2f}",
    }
