"""The dial: mean AUROC by how often symbols mark images, and by how often they are right."""

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns

from shortlib.report.style import INK, PALETTE
from shortlib.report.watermark_figures import METHODS

MARKERS = ("o", "s", "^", "D", "v", "P")
STAGES = {"fine-tuned": "fine-tuned on clean images", "pretrained": "before fine-tuning"}
VIEWS = {
    "adversarial": "adversarial: symbol on negatives",
    "aligned": "aligned: symbol on positives",
    "plain": "plain: no symbols",
}
# What runs along the axis, and what tells the lines apart.
AXES = {
    "p_marked": ("share of images that carry symbols", "{:.0%} of symbols right"),
    "p_correct": ("share of marked images whose symbols are right", "{:.0%} of images marked"),
}
COLUMNS = ("method", "p_marked", "p_correct", "stage", "view", "value", "low", "high")


def draw_dial(table, *, view="adversarial", stage="fine-tuned", along="p_marked"):
    """Draw mean AUROC against the symbols' prevalence, or against their agreement.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``method``, ``p_marked``, ``p_correct``, ``stage``, ``view``, ``value``,
        ``low`` and ``high``. Where ``p_marked`` is 0, ``p_correct`` means nothing.
    view, stage : str
    along : str
        ``"p_marked"`` or ``"p_correct"``; each value of the other has a line.

    Returns
    -------
    matplotlib.figure.Figure
    """
    check_table(table, along)
    mine = table[(table["view"] == view) & (table["stage"] == stage)]
    methods = [method for method in METHODS if (mine["method"] == method).any()]
    if not methods:
        raise ValueError(f"the table has no row of view {view!r} and stage {stage!r}")
    steps, colours = steps_of(table, along)
    figure, axes = plt.subplots(
        1, len(methods), figsize=(4.7 * len(methods), 3.9), sharey=True, squeeze=False
    )
    label, line_label = AXES[along]
    for axis, method in zip(axes[0], methods, strict=True):
        for k, step, points in lines_of(mine[mine["method"] == method], along, steps):
            value, low, high = (points[name].to_numpy() for name in ("value", "low", "high"))
            axis.fill_between(points[along], low, high, color=colours[k], alpha=0.15, lw=0)
            axis.plot(points[along], value, color=colours[k], marker=MARKERS[k % 6], ms=6, lw=2,
                      label=line_label.format(step))  # fmt: skip
            axis.vlines(points[along], low, high, color=colours[k], lw=1.2)
        axis.axhline(0.5, color=INK, lw=0.8, ls=":")
        axis.set(title=METHODS[method], xlabel=label, ylim=(-0.04, 1.04))
        axis.set(xlim=(-0.04, 1.04))
        axis.xaxis.set_major_formatter(lambda x, _: f"{x:.0%}")
    axes[0, 0].set_ylabel(f"mean AUROC, {view} view")
    # A method may lack a line that the other has.
    handles = {h.get_label(): h for axis in axes[0] for h in axis.get_legend_handles_labels()[0]}
    names = [name for step in steps if (name := line_label.format(step)) in handles]
    figure.legend([handles[name] for name in names], names, loc="outside lower center",
                  ncols=len(names) if len(names) < 5 else 3, frameon=False)  # fmt: skip
    return figure


def check_table(table, along):
    """Stop at a table that lacks a column, and at an axis that there is not."""
    if missing := [name for name in COLUMNS if name not in table]:
        raise ValueError(f"table lacks the columns {', '.join(missing)}")
    if along not in AXES:
        raise ValueError(f"along must be one of {', '.join(AXES)}, got {along!r}")


def _other(along):
    return "p_correct" if along == "p_marked" else "p_marked"


def steps_of(table, along):
    """Return the values that have a line of their own, and a colour for each."""
    steps = sorted(table.loc[table["p_marked"] > 0, _other(along)].unique())
    if not steps:  # no image carries a symbol
        steps = sorted(table[_other(along)].fillna(0).unique())
    if along == "p_correct" and (table["p_marked"] == 0).any():
        steps = [0.0, *(step for step in steps if step)]
    colours = PALETTE[:1] if len(steps) == 1 else sns.color_palette("viridis", len(steps) + 1)[:-1]
    return steps, colours


def lines_of(mine, along, steps):
    """Yield (place among the steps, value, points) of each line of one method.

    Images without symbols are where every line over the prevalence starts, and a level
    line over the agreement, of which they have none.
    """
    unmarked, marked = mine[mine["p_marked"] == 0].head(1), mine[mine["p_marked"] > 0]
    for k, step in enumerate(steps):
        points = marked[marked[_other(along)] == step]
        if along == "p_marked":
            points = pd.concat([part for part in (unmarked, points) if len(part)] or [points])
        elif step == 0:
            agreements = sorted(marked["p_correct"].unique())
            points = pd.concat([unmarked] * len(agreements) or [points])
            points = points.assign(p_correct=agreements[: len(points)])
        if len(points):
            yield k, step, points.sort_values(along)
