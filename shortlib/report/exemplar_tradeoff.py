"""What the weight of an explanation loss buys and costs: a figure of the sweep over weights."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from shortlib.report.exemplar_figures import LOOKS
from shortlib.report.style import INK
from shortlib.studies.exemplary_explanations.measures import MODELS
from shortlib.studies.exemplary_explanations.refinements import CONTINUED, UNREFINED

FREE = (UNREFINED, CONTINUED)  # without a loss on explanations, so without its weight
AROUND = [np.array([np.cos(a), np.sin(a)]) for a in np.arange(12) * np.pi / 6]
HALO = [withStroke(linewidth=2.5, foreground="white")]
BESIDE = 1.1  # factor between methods of one weight, on a logarithmic axis
REACHES, MARK = (14, 22, 32), 5  # points from a mark to its number; half a mark


def draw_tradeoff(table, *, even=None):
    """Draw accuracy against activation precision over the weight of the loss.

    Parameters
    ----------
    table : pandas.DataFrame
        As :func:`shortlib.studies.exemplary_explanations.measures.sweep` returns it.
    even : float, optional
        Activation precision of a map without preference.

    Returns
    -------
    matplotlib.figure.Figure
        Left both measures, with intervals; a line joins the weights of a method, and a ring
        marks those that validation chose for some seed. Right the accuracy on flipped cases by
        weight, where there are such cases.

    Raises
    ------
    ValueError
        If the table is empty.
    """
    if table.empty:
        raise ValueError("table is empty: no run refined anything")
    flipped = table["flipped"].notna().any()
    figure, axes = plt.subplots(
        1, 1 + flipped, figsize=(5.6 + 4.4 * flipped, 4.9), squeeze=False,
        gridspec_kw={"width_ratios": [5, 4][: 1 + flipped]},
    )  # fmt: skip
    _draw_exchange(axes[0, 0], table, even)
    if flipped:
        _draw_flipped(axes[0, 1], table)
    handles = [
        Line2D([], [], color=LOOKS[m][0], marker=LOOKS[m][1], ms=7, lw=1.4, label=MODELS[m])
        for m in table["method"].unique()
    ]
    handles.append(Line2D([], [], marker="o", mfc="none", mec=INK, ms=13, lw=0,
                          label="chosen on validation"))  # fmt: skip
    if even is not None:
        handles.append(Line2D([], [], color=INK, ls=":", lw=0.9, label="an even map"))
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False)
    # Where the marks are in points is known once the figure is laid out.
    figure.draw_without_rendering()
    _write_weights(axes[0, 0], table)
    return figure


def _draw_exchange(axis, table, even):
    if even is not None:
        axis.axhline(even, color=INK, lw=0.9, ls=":")
    for method, part in table.groupby("method", sort=False):
        colour, marker = LOOKS[method]
        axis.plot(part["accuracy"], part["ap"], color=colour, lw=1.2, alpha=0.7)
        for row in part.itertuples():
            axis.plot([row.accuracy_low, row.accuracy_high], [row.ap] * 2, color=colour, lw=0.8,
                      alpha=0.6)  # fmt: skip
            axis.plot([row.accuracy] * 2, [row.ap_low, row.ap_high], color=colour, lw=0.8,
                      alpha=0.6)  # fmt: skip
            axis.plot(row.accuracy, row.ap, color=colour, marker=marker, ms=8, ls="none")
            if row.chosen and len(part) > 1:
                axis.plot(row.accuracy, row.ap, marker="o", mfc="none", mec=INK, ms=15, ls="none")
    axis.set(xlabel="accuracy, test", ylabel="activation precision, test",
             title="which weight costs what")  # fmt: skip


def _draw_flipped(axis, table):
    methods = [method for method in table["method"].unique() if method not in FREE]
    for method, part in table.groupby("method", sort=False):
        colour, marker = LOOKS[method]
        if method in FREE:
            row = part.iloc[0]
            style = "--" if method == CONTINUED else ":"
            axis.axhline(row["flipped"], color=colour, lw=1.4, ls=style)
            axis.axhspan(row["flipped_low"], row["flipped_high"], color=colour, alpha=0.08, lw=0)
            continue
        # Methods of one weight stand beside each other.
        beside = BESIDE ** (methods.index(method) - (len(methods) - 1) / 2)
        for row in part.itertuples():
            ends = [row.flipped_low, row.flipped_high]
            axis.plot([row.weight * beside] * 2, ends, color=colour, lw=0.9)
        axis.plot(part["weight"] * beside, part["flipped"], color=colour, marker=marker, ms=7,
                  lw=1.4)  # fmt: skip
    axis.set(xscale="log", xlabel="weight of the loss on explanations")
    axis.set(ylabel="accuracy, flipped cases", title="on cases whose age speaks against them")
    weights = sorted(table.loc[~table["method"].isin(FREE), "weight"].unique())
    axis.set_xticks(weights, [f"{weight:g}" for weight in weights])
    axis.minorticks_off()


def _write_weights(axis, table):
    """Write each weight near its mark, where it covers neither a mark nor another number."""
    marks = axis.transData.transform(table[["accuracy", "ap"]].to_numpy())
    marks = marks * 72 / axis.figure.dpi
    taken = [(mark, MARK) for mark in marks]  # centres and half sizes, in points
    for mark, row in zip(marks, table.itertuples(), strict=True):
        if row.method in FREE:
            continue
        said = f"{row.weight:g}"
        size = np.array([1 + 3 * len(said), 6])
        place = _free_place(mark, size, taken)
        taken.append((place, size))
        axis.annotate(said, (row.accuracy, row.ap), xytext=place - mark,
                      textcoords="offset points", ha="center", va="center", fontsize=9,
                      color=LOOKS[row.method][0], path_effects=HALO)  # fmt: skip


def _free_place(mark, size, taken):
    """Return the place around a mark with most room, as near as there is any."""
    best, most = mark, -np.inf
    for reach in REACHES:
        for way in AROUND:
            place = mark + reach * way
            # Boxes are apart where they are so in one direction.
            room = min(np.max(np.abs(place - other) - size - its) for other, its in taken)
            if room > most:
                best, most = place, room
        if most > 0:
            break
    return best
