"""Figures of the study of spatial specificity: models, specificities, samples, money, overlap."""

import matplotlib.pyplot as plt
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from shortlib.report.model_panels import Panel, draw_panels
from shortlib.report.spatial_tables import TASKS, measured_by
from shortlib.report.style import INK, PALETTE
from shortlib.studies.spatial_specificity.measures import (
    ARTEFACTS,
    SWEPT,
    artefact_gaps,
    by_overlap,
    by_size,
    of,
    overlaps,
    robust_auroc,
)
from shortlib.studies.spatial_specificity.resampled import area_of_lesion
from shortlib.studies.spatial_specificity.variants import VARIANTS
from shortlib.studies.spatial_specificity.watching import PAPER
from shortlib.studies.verdicts import NotTestableError

# Colour and mark of each variant in every figure.
LOOKS = {
    "binary-erm": (PALETTE[7], "o"),
    "binary-jtt": (PALETTE[0], "v"),
    "binary-george": (PALETTE[9], "^"),
    "binary-group-dro": (PALETTE[8], "p"),
    "quadrants": (PALETTE[5], "h"),
    "single-boxes": (PALETTE[6], "X"),
    "boxes": (PALETTE[1], "s"),
    "masks": (PALETTE[2], "D"),
    "masks-ssl": (PALETTE[4], "P"),
    "masks-spl": (PALETTE[3], "d"),
}
LEVELS = {1: "image\nlabels", 2: "boxes", 3: "masks"}
AREA = "lesion's area"
LINES = {"chest": "the paper, radiographs", "skin": "the paper, skin"}


def draw_models(groups, published):
    """Draw overall and robust AUROC of every model, a panel a data set and measure.

    Parameters
    ----------
    groups : dict of str to list of shortlib.runs.Run
        By data set; those without runs have no panel.
    published : dict
        As the study's ``published()`` returns it.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If nothing is measured.
    """
    printed = {
        (row["task"], row["metric"]): row["values"] for row in published["tables"][0]["rows"]
    }
    panels = []
    for data, runs in groups.items():
        for metric, label in (("overall_auroc", "overall AUROC"), ("robust_auroc", "robust AUROC")):
            same = bool(runs) and runs[0].settings["robust"] == "all"
            measured = {} if same and metric == "overall_auroc" else measured_by(metric, runs)
            if measured:
                panels.append(
                    Panel(
                        measured=measured,
                        label=label,
                        title=data,
                        published=printed.get((TASKS[data], metric), {}),
                        level=0.5,
                    )
                )
    lines = [panels[:2], panels[2:]] if len(panels) == 4 else [panels or [Panel({}, "")]]
    return draw_panels(lines, _looks(), level="guessing")


def draw_size(groups):
    """Draw the AUROC over all pairs of test cases beside that over pairs of lesions of like size.

    Parameters
    ----------
    groups : dict of str to list of shortlib.runs.Run
        By data set; those in which not every case has a lesion have no panel.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If nothing is measured.
    """
    lines, same = [], {"level": 0.5, "limits": (0, 1)}
    for data, runs in groups.items():
        if runs and runs[0].settings["lesion_classes"] == 2:
            measured, matched = by_size(runs)
            area = area_of_lesion(of(runs, next(v for v in VARIANTS if of(runs, v))), "test")
            lines.append(
                [
                    Panel({AREA: area, **measured}, "AUROC, all pairs", data, **same),
                    Panel(matched, "AUROC, pairs of like size", data, **same),
                ]
            )
    looks = {AREA: (INK, "*"), **_looks()}
    return draw_panels(lines or [[Panel({}, "")]], looks, level="guessing")


def draw_specificity(groups, published):
    """Draw the robust AUROC against the specificity of the labels (the paper's Figure 5).

    Parameters
    ----------
    groups, published
        As for :func:`draw_models`.

    Returns
    -------
    matplotlib.figure.Figure
        A line a data set, and dashed the paper's two.
    """
    figure, axis = plt.subplots(figsize=(6.4, 4.2))
    for k, (data, runs) in enumerate(groups.items()):
        found = measured_by("robust_by_specificity", runs)
        if found:
            _line(axis, found, k, data)
    for row in published["tables"][0]["rows"]:
        if row["metric"] == "robust_auroc":
            values = [row["values"][n] for n in ("Binary-ERM", "BBox-ERM", "Seg-ERM")]
            look = {"chest": ("D", "--"), "skin": ("o", ":")}[row["task"]]
            axis.plot(list(LEVELS), values, color=INK, marker=look[0], mfc="none", ls=look[1],
                      lw=1.2, ms=5, label=LINES[row["task"]])  # fmt: skip
    axis.axhline(0.5, color=INK, lw=0.8, ls=":")
    axis.set(ylabel="robust AUROC", ylim=(-0.02, 1.02), xlim=(0.7, 3.3))
    axis.set_xticks(list(LEVELS), list(LEVELS.values()))
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def draw_sweep(table, *, against="cases"):
    """Draw robust and overall AUROC against the labelled cases, or against what labels cost.

    Parameters
    ----------
    table : pandas.DataFrame
        As :func:`shortlib.studies.spatial_specificity.measures.sweep` returns it.
    against : str
        ``"cases"``, the paper's Figure 4, or ``"dollars"``.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If the table is empty or `against` is unknown.
    """
    labels = {"cases": "training cases with labels", "dollars": "dollars for labels"}
    if against not in labels:
        raise ValueError(f"against must be one of {', '.join(labels)}, got {against!r}")
    if table.empty:
        raise ValueError("table is empty: no run has labels of a part of the cases")
    names = ("robust", "overall")
    figure, axes = plt.subplots(1, 2, figsize=(9.6, 4.3), sharex=True)
    for axis, name in zip(axes, names, strict=True):
        for variant in ("binary-erm", *SWEPT):
            points = table[table["model"] == VARIANTS[variant]].sort_values(against)
            if len(points):
                _points(axis, points, against, name, *LOOKS[variant], VARIANTS[variant])
        axis.set(xscale="log", xlabel=labels[against], ylabel=f"{name} AUROC")
        ticks = sorted(table[against].unique())
        if against == "cases":
            axis.xaxis.set_major_locator(FixedLocator(ticks))
        else:
            axis.xaxis.set_major_locator(FixedLocator([1, 3, 10, 30, 100, 300, 1000, 3000, 10000]))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
        axis.set_xlim(0.8 * ticks[0], 1.25 * ticks[-1])
    handles = [
        Line2D([], [], color=LOOKS[v][0], marker=LOOKS[v][1], ms=6, lw=1.6, label=VARIANTS[v])
        for v in ("binary-erm", *SWEPT)
        if (table["model"] == VARIANTS[v]).any()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False)
    return figure


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


def _looks():
    return {VARIANTS[variant]: look for variant, look in LOOKS.items()}


def _line(axis, found, k, label):
    offset = 0.03 * (k - 1)
    xs = [level + offset for level in found]
    axis.plot(xs, [e.value for e in found.values()], color=PALETTE[k], marker="os^D"[k % 4], lw=1.8,
              ms=6, label=label)  # fmt: skip
    for x, estimate in zip(xs, found.values(), strict=True):
        axis.vlines(x, *estimate.interval(), color=PALETTE[k], lw=1.4)


def _points(axis, points, against, name, colour, marker, label):
    x, value = points[against].to_numpy(float), points[name].to_numpy()
    if label == VARIANTS["binary-erm"]:
        axis.axhline(value[-1], color=colour, lw=1.0, ls="--")
    # Models that cost the same stand side by side.
    x = x * {VARIANTS["masks-ssl"]: 0.96, VARIANTS["masks-spl"]: 1.04}.get(label, 1.0)
    axis.plot(x, value, color=colour, marker=marker, lw=1.6, ms=6)
    axis.vlines(x, points[f"{name}_low"], points[f"{name}_high"], color=colour, lw=1.2)
