"""Figures of the exemplar study's numbers: all models at a glance, and how refining went."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, MaxNLocator, StrMethodFormatter

from shortlib.report.exemplar_tables import measured_by
from shortlib.report.model_panels import Panel, draw_panels
from shortlib.report.style import INK, PALETTE
from shortlib.studies.exemplary_explanations.measures import (
    AS_PRINTED,
    MODELS,
    even_share,
    refined,
)
from shortlib.studies.exemplary_explanations.refinements import (
    CONTINUED,
    EXBL,
    EXBL_CODE,
    MASKED,
    RIGHT_REASONS,
    UNREFINED,
)

# Colour and mark of each method in every figure.
LOOKS = {
    UNREFINED: (PALETTE[7], "o"),
    CONTINUED: (PALETTE[0], "s"),
    EXBL: (PALETTE[1], "D"),
    EXBL_CODE: (PALETTE[4], "^"),
    MASKED: (PALETTE[2], "P"),
    RIGHT_REASONS: (PALETTE[9], "X"),
}
PANELS = {
    "accuracy_test": "accuracy",
    "ap_test": "activation precision",
    "accuracy_flipped": "accuracy, flipped cases",
}
COURSES = {
    "validation_cross_entropy": "cross-entropy",
    "validation_explanation": "explanation loss",
}
TICKS = [0, 0.25, 0.5, 0.75, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
WITHOUT = "without (fine-tuned)"


def draw_models(runs, published=None):
    """Draw accuracy, activation precision and accuracy on flipped cases of every model.

    Parameters
    ----------
    runs : list of shortlib.runs.Run
        Of one data set and profile.
    published : dict, optional
        As the study's ``published()`` returns it.

    Returns
    -------
    matplotlib.figure.Figure
        What these runs cannot tell has no panel.

    Raises
    ------
    ValueError
        If nothing is measured.
    """
    rows = [row for table in (published or {"tables": []})["tables"] for row in table["rows"]]
    printed = {row["metric"]: row["values"] for row in rows}
    even, guessed = even_share(runs), _guessed(runs)
    panels = [
        Panel(
            measured=measured,
            label=label,
            published=printed.get(metric, {}),
            level=guessed if metric.startswith("accuracy") else even and even.value,
            limits=(-0.02, None),  # a mark at 0 is seen whole
        )
        for metric, label in PANELS.items()
        if (measured := measured_by(metric, runs))
    ]
    looks = {}
    for method, look in LOOKS.items():
        looks[MODELS[method]] = look
        if method == EXBL:
            looks[AS_PRINTED] = (look[0], "d")
    level = "guessing (accuracy), an even map (precision)"
    return draw_panels([panels or [Panel({}, "")]], looks, level=level)


def draw_losses(groups):
    """Draw how eXBL is refined at each weight: both parts of its loss, epoch by epoch.

    Parameters
    ----------
    groups : dict of str to list of shortlib.runs.Run
        By data set, each of one profile; those without runs are passed over.

    Returns
    -------
    matplotlib.figure.Figure
        A row a data set, a line a seed; the cross-entropy of refining without a loss on
        explanations beside it.

    Raises
    ------
    ValueError
        If no run refined by eXBL.
    """
    courses = {data: read_courses(runs) for data, runs in groups.items()}
    courses = {data: table for data, table in courses.items() if len(table)}
    if not courses:
        raise ValueError("groups must hold a run that refined by eXBL, none does")
    every = pd.concat(courses.values())
    weights = sorted(every.loc[every["method"] == EXBL, "weight"].unique())
    shades = dict(zip(weights, sns.color_palette("flare", len(weights)), strict=True))
    figure, axes = plt.subplots(
        len(courses), 2, figsize=(9.2, 3.1 * len(courses) + 0.6), squeeze=False
    )
    for line, (data, table) in zip(axes, courses.items(), strict=True):
        for axis, (column, label) in zip(line, COURSES.items(), strict=True):
            for (method, weight, _), course in table.groupby(["method", "weight", "seed"]):
                if course[column].notna().any():
                    alone = {"color": INK, "lw": 1.2, "ls": "--"}
                    look = {"color": shades[weight], "lw": 1.3} if method == EXBL else alone
                    axis.plot(course["epoch"], course[column], **look)
            axis.set(xlabel="epoch of refining", ylabel=label, title=f"{data}, validation")
            axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        margins = {run.settings["margin"] for run in refined(groups[data])}
        for margin in margins:
            line[1].axhline(margin, color=INK, lw=0.9, ls=":")
        # It may begin far above the margin, and ends between the margin and 0.
        line[1].set_yscale("symlog", linthresh=1)
        line[1].yaxis.set_major_locator(FixedLocator(TICKS))
        line[1].yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        line[1].set_ylim(-0.05, max(1.2, line[1].get_ylim()[1]))
    handles = [
        Line2D([], [], color=colour, lw=1.6, label=f"weight {weight:g}")
        for weight, colour in shades.items()
    ]
    handles += [
        Line2D([], [], color=INK, lw=1.2, ls="--", label=WITHOUT),
        Line2D([], [], color=INK, lw=0.9, ls=":", label="the margin: as near to good as to bad"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    return figure


def read_courses(runs):
    """Read the histories of eXBL and of refining without an explanation loss.

    Parameters
    ----------
    runs : list of shortlib.runs.Run

    Returns
    -------
    pandas.DataFrame
        A row an epoch, of all seeds; the columns of the history, and ``seed``. Empty without a
        run that refined by eXBL.
    """
    tables = [run.history.assign(seed=run.seed) for run in refined(runs)]
    tables = [table[table["method"].isin((EXBL, CONTINUED))] for table in tables]
    tables = [table for table in tables if (table["method"] == EXBL).any()]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _guessed(runs):
    """Return the accuracy of who guesses, each class as often as any other."""
    counts = [run.predictions["class"].nunique() for run in refined(runs)[:1]]
    return float(np.reciprocal(float(counts[0]))) if counts else None
