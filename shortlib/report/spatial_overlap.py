"""Figures of what shortcuts cost by how much of them lies on the lesion."""

import matplotlib.pyplot as plt

from shortlib.report.spatial_figures import LOOKS
from shortlib.report.style import INK, PALETTE
from shortlib.studies.spatial_specificity.choosing import by_overlap
from shortlib.studies.spatial_specificity.measures import (
    ARTEFACTS,
    artefact_gaps,
    overlaps,
    robust_auroc,
)
from shortlib.studies.spatial_specificity.variants import VARIANTS
from shortlib.studies.spatial_specificity.watching import PAPER
from shortlib.studies.verdicts import NotTestableError


def draw_gaps(groups):
    """Draw what artefacts cost a network that learned from masks, against their overlap.

    Parameters
    ----------
    groups : dict of str to list of shortlib.runs.Run
        By data set; those without artefacts have no panel.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If no data set has an artefact whose cost can be measured.
    """
    panels = {}
    for data, runs in groups.items():
        gaps = {n: gap[2] for n, gap in artefact_gaps(runs, PAPER).items() if gap is not None}
        known = overlaps(runs) if gaps else {}
        points = {name: (known[name], gap) for name, gap in gaps.items() if name in known}
        if points:
            panels[data] = points
    if not panels:
        raise ValueError("groups must hold runs with artefacts whose cost can be measured")
    figure, axes = plt.subplots(
        1, len(panels), figsize=(4.9 * len(panels), 3.9), sharey=True, squeeze=False
    )
    for axis, (data, points) in zip(axes[0], panels.items(), strict=True):
        stated = False
        for name, (overlap, gap) in points.items():
            k, stated = ARTEFACTS.index(name), isinstance(overlap, float)
            x = overlap if stated else overlap.value
            low, high = gap.interval()
            axis.vlines(x, low, high, color=PALETTE[k], lw=1.6)
            axis.plot(x, gap.value, "os^D"[k % 4], color=PALETTE[k], ms=7, label=name)
        axis.axhline(0, color=INK, lw=0.8, ls=":")
        axis.set(title=data, xlim=(-0.08, 1.08), xlabel="share of the artefact on the lesion"
                 + (" (as the paper states it)" if stated else ""))  # fmt: skip
    axes[0, 0].set_ylabel("AUROC without − with the artefact")
    handles = {h.get_label(): h for a in axes[0] for h in a.get_legend_handles_labels()[0]}
    figure.legend(
        handles=list(handles.values()), loc="outside lower center", ncols=4, frameon=False
    )
    return figure


def draw_overlap_dial(runs):
    """Draw the robust AUROC of labels and masks against the overlap of shortcut and lesion.

    Parameters
    ----------
    runs : list of shortlib.runs.Run
        On stickers.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there are no such runs.
    """
    dialled = by_overlap(runs)
    if not dialled:
        raise ValueError("runs must be on skin with stickers, none is")
    figure, axis = plt.subplots(figsize=(6.0, 4.0))
    for k, variant in enumerate(("binary-erm", "masks")):
        title, (colour, marker) = VARIANTS[variant], LOOKS[variant]
        points = {}
        for overlap, chosen in dialled.items():
            found = robust_auroc(chosen, PAPER)
            if title in found:
                points[overlap + 0.012 * (2 * k - 1)] = found[title]
        axis.plot(list(points), [p.value for p in points.values()], color=colour, marker=marker,
                  lw=1.8, ms=6, label=title)  # fmt: skip
        for x, estimate in points.items():
            axis.vlines(x, *estimate.interval(), color=colour, lw=1.4)
    axis.axhline(0.5, color=INK, lw=0.8, ls=":")
    axis.set(xlabel="share of the sticker that lies on the lesion", ylabel="robust AUROC",
             ylim=(-0.02, 1.02))  # fmt: skip
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def has_gaps(runs):
    """Return whether the cost of any artefact can be measured on these runs."""
    try:
        return any(gap is not None for gap in artefact_gaps(runs, PAPER).values())
    except NotTestableError:
        return False
