"""The cardiac dial: AUROC by how far habitus goes with disease, here and at the other hospital."""

import matplotlib.pyplot as plt
import pandas as pd

from shortlib.report.context_figures import COLOURS, MARKERS
from shortlib.report.style import INK
from shortlib.studies.cardiac_context.measures import MODELS

# Which test patients, by task and view.
PATIENTS = {
    "cm/plain": "CM, drawn as in training",
    "cm/adversarial": "CM, habitus the other way round",
    "transfer/plain": "CM→ACDC",
    "acdc/plain": "ACDC (trained there alone)",
}
AXES = {
    "cm": "habitus with disease here, in CM (the other hospital as in the main setting)",
    "acdc": "habitus with disease there, in ACDC (CM as in the main setting)",
}
SHORT = {"cm": "habitus with disease in CM", "acdc": "habitus with disease in ACDC"}
BESIDE = 0.025  # models stand side by side, so that their intervals can be told apart
COLUMNS = ("cm", "acdc", "variant", "task", "view", "value", "low", "high", "seeds")


def prepare_dial(table):
    """Make the dial's table ready to be drawn.

    Parameters
    ----------
    table : pandas.DataFrame
        As :func:`shortlib.studies.cardiac_context.measures.dial` returns it.

    Returns
    -------
    pandas.DataFrame
        Without runs on patients whose association nobody knows. Where habitus goes with no
        disease there is nothing to turn round: the patients of that view are the plain ones.

    Raises
    ------
    ValueError
        If a column is missing.
    """
    if missing := [name for name in COLUMNS if name not in table]:
        raise ValueError(f"table lacks the columns {', '.join(missing)}")
    known = table[table["cm"].notna()]
    level = known[(known["cm"] == 0) & (known["task"] == "cm") & (known["view"] == "plain")]
    turned = known[(known["cm"] == 0) & (known["view"] == "adversarial")]
    added = [level.assign(view="adversarial")] if turned.empty and len(level) else []
    return pd.concat([known, *added], ignore_index=True)


def main_setting(table):
    """Return (here, there), the setting of the dial with most variants, the first of several."""
    counts = table.fillna({"acdc": 0}).groupby(["cm", "acdc"])["variant"].nunique()
    return tuple(float(value) for value in counts.idxmax())


def lines_of(table, patients, along):
    """Yield (model, points) of the lines of one choice.

    Parameters
    ----------
    table : pandas.DataFrame
        As :func:`prepare_dial` returns it.
    patients : str
        A key of `PATIENTS`.
    along : str
        A key of `AXES`; the other association is that of the main setting.

    Yields
    ------
    name : str
    points : pandas.DataFrame
        In the order of the axis. Only models that were trained at several settings, unless
        none was.
    """
    task, view = patients.split("/")
    other = "acdc" if along == "cm" else "cm"
    fixed = dict(zip(("cm", "acdc"), main_setting(table), strict=True))[other]
    mine = table[(table["task"] == task) & (table["view"] == view)]
    mine = mine[mine[other].fillna(0) == fixed]
    often = mine.groupby("variant")[along].nunique()
    for variant, name in MODELS.items():
        if often.get(variant, 0) >= min(2, often.max() if len(often) else 1):
            points = mine[mine["variant"] == variant].sort_values(along)
            if len(points):
                yield name, points


def draw_dial(table, *, along="cm"):
    """Draw the AUROC against one of the two associations, a panel for each kind of patients.

    Parameters
    ----------
    table : pandas.DataFrame
        As :func:`prepare_dial` returns it.
    along : str
        A key of `AXES`.

    Returns
    -------
    matplotlib.figure.Figure
        Models stand a little beside the setting that is theirs.

    Raises
    ------
    ValueError
        If the axis is unknown, or the table is empty.
    """
    if along not in AXES:
        raise ValueError(f"along must be one of {', '.join(AXES)}, got {along!r}")
    shown = ("cm/plain", "cm/adversarial", "transfer/plain")
    if along == "acdc":  # what happens there changes nothing here
        shown = ("transfer/plain", "acdc/plain")
    shown = [key for key in shown if has_patients(table, key)]
    if not shown:
        raise ValueError("table has no row of drawn patients")
    figure, axes = plt.subplots(
        1, len(shown), figsize=(3.7 * len(shown) + 0.6, 4.0), sharey=True, squeeze=False
    )
    for axis, patients in zip(axes[0], shown, strict=True):
        lines = list(lines_of(table, patients, along))
        for k, (name, points) in enumerate(lines):
            x = points[along] + BESIDE * (k - (len(lines) - 1) / 2)
            look = {"color": COLOURS[name], "marker": MARKERS[name]}
            axis.plot(x, points["value"], lw=1.8, ms=6, label=name, **look)
            axis.vlines(x, points["low"], points["high"], color=COLOURS[name], lw=1.2)
        axis.axhline(0.5, color=INK, lw=0.8, ls=":")
        axis.set(title=PATIENTS[patients], xlabel=SHORT[along])
        axis.set_xticks(sorted({x for _, points in lines for x in points[along]}))
    axes[0, 0].set_ylabel("micro AUROC")
    handles = {h.get_label(): h for axis in axes[0] for h in axis.get_legend_handles_labels()[0]}
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=5, frameon=False)
    return figure


def has_patients(table, patients):
    """Return whether the table has a row of such patients, a key of `PATIENTS`."""
    task, view = patients.split("/")
    return ((table["task"] == task) & (table["view"] == view)).any()
