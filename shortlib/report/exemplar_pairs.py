"""How much it matters which two explanations are the exemplars: a figure and a table."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from shortlib.report.claim_tables import format_estimate
from shortlib.report.style import INK, PALETTE
from shortlib.studies.exemplary_explanations.exemplars import BLIND, CAREFUL
from shortlib.studies.exemplary_explanations.measures import (
    MODELS,
    PAIRS,
    estimates,
    pair_table,
    paired,
)
from shortlib.studies.exemplary_explanations.refinements import CONTINUED, UNREFINED
from shortlib.studies.verdicts import NotTestableError

# Columns of the pairs' table: title, and the study's metric of the mean over pairs.
MEASURES = {
    "ap": ("activation precision", "ap_pairs"),
    "accuracy": ("accuracy", "accuracy_pairs"),
    "flipped": ("accuracy, flipped", "flipped_pairs"),
}
LOOKS = {CAREFUL: (PALETTE[0], "o"), BLIND: (PALETTE[1], "s")}
SPAN = 0.1  # of an axis at least, so that a case or two do not look like much
LINES = {UNREFINED: ":", CONTINUED: "--"}
COLUMNS = ("data", "measure", "pairs", "n pairs", "mean", "SD over pairs", "least", "greatest",
           "above Unrefined", "above Fine-tuned")  # fmt: skip


def draw_pairs(table):
    """Draw what each pair of exemplars gives, a point a pair.

    Parameters
    ----------
    table : pandas.DataFrame
        As :func:`shortlib.studies.exemplary_explanations.measures.pair_table` returns it.

    Returns
    -------
    matplotlib.figure.Figure
        Activation precision and accuracy, careful pairs beside blind ones; lines for the models
        that no pair refined.

    Raises
    ------
    ValueError
        If the table holds no pair.
    """
    shown = [rule for rule in LOOKS if (table["rule"] == rule).any()]
    if not shown:
        raise ValueError("table holds no pair of exemplars")
    figure, axes = plt.subplots(1, 2, figsize=(8.4, 4.2))
    for axis, column in zip(axes, ("ap", "accuracy"), strict=True):
        for rule, style in LINES.items():
            for level in table.loc[table["rule"] == rule, column]:
                axis.axhline(level, color=INK, ls=style, lw=1.2)
        for place, rule in enumerate(shown):
            values = table.loc[table["rule"] == rule, column].to_numpy()
            colour, marker = LOOKS[rule]
            axis.plot(place + _beside(values), values, ls="none", color=colour, marker=marker,
                      ms=5.5, alpha=0.8)  # fmt: skip
            axis.plot([place - 0.33, place + 0.33], [values.mean()] * 2, color=colour, lw=2.5)
        axis.set_xticks(range(len(shown)), [f"{PAIRS[r]}\n(n = {_count(table, r)})" for r in shown])
        axis.set(ylabel=MEASURES[column][0], xlim=(-0.6, len(shown) - 0.4))
        low, high = axis.get_ylim()
        more = max(0.0, SPAN - (high - low)) / 2
        axis.set_ylim(low - more, high + more)
        axis.grid(visible=False, axis="x")
    handles = [Line2D([], [], color=INK, lw=2.5, label="mean over pairs")]
    handles += [
        Line2D([], [], color=INK, ls=style, lw=1.2, label=MODELS[rule])
        for rule, style in LINES.items()
        if (table["rule"] == rule).any()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    return figure


def pairs_table(groups, *, digits=3):
    """Tabulate how far results differ between pairs of exemplars.

    Parameters
    ----------
    groups : dict of str to list of shortlib.runs.Run
        By data set; a data set without a run of many pairs says so.
    digits : int

    Returns
    -------
    pandas.DataFrame
        For each measure a row for careful and one for blind pairs: the mean with its 95%
        interval (cases and pairs resampled), the spread over pairs, and how many pairs do better
        than the unrefined and than the fine-tuned model on the same test cases; then the
        difference of the two means.
    """
    rows = []
    for data, runs in groups.items():
        if paired(runs) is None:
            rows.append({**dict.fromkeys(COLUMNS, "–"), "data": data, "pairs": "no run"})
            continue
        table = pair_table(runs)
        for column, (title, metric) in MEASURES.items():
            means = _means(metric, runs)
            about = {"data": data, "measure": title}
            for rule, name in PAIRS.items():
                values = table.loc[table["rule"] == rule, column].dropna()
                if len(values):
                    spread = _spread(values, table, column, digits)
                    mean = format_estimate(means.get(name), digits)
                    rows.append({**about, "pairs": name, "mean": mean, **spread})
            if all(name in means for name in PAIRS.values()):
                first, second = PAIRS.values()
                apart = format_estimate(means[first] - means[second], digits)
                empty = dict.fromkeys(COLUMNS[3:], "–")
                rows.append({**empty, **about, "pairs": f"{first} − {second}", "mean": apart})
    return pd.DataFrame(rows, columns=COLUMNS)


def _spread(values, table, column, digits):
    """Describe the values of pairs by themselves, and against the models that no pair refined."""
    found = {"n pairs": len(values), "SD over pairs": "–"}
    if len(values) > 1:
        found["SD over pairs"] = f"{values.std(ddof=1):.{digits}f}"
    found |= {"least": f"{values.min():.{digits}f}", "greatest": f"{values.max():.{digits}f}"}
    for rule, title in ((UNREFINED, "above Unrefined"), (CONTINUED, "above Fine-tuned")):
        level = table.loc[table["rule"] == rule, column]
        above = int((values > level.iloc[0]).sum()) if len(level) else None
        found[title] = "–" if above is None else f"{above} of {len(values)}"
    return found


def _means(metric, runs):
    try:
        return estimates(metric, runs)
    except NotTestableError:
        return {}


def _beside(values):
    """Shift points sideways by their rank, so that neighbours in value do not cover each other."""
    ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return np.array([0.0, -0.18, 0.18, -0.09, 0.09])[ranks % 5]


def _count(table, rule):
    return int((table["rule"] == rule).sum())
