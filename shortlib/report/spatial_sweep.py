"""Figures of robustness against how many labels there are, and what they cost."""

import matplotlib.pyplot as plt
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from shortlib.report.spatial_figures import LOOKS
from shortlib.studies.spatial_specificity.sweeping import SWEPT
from shortlib.studies.spatial_specificity.variants import VARIANTS


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


def _points(axis, points, against, name, colour, marker, label):
    x, value = points[against].to_numpy(float), points[name].to_numpy()
    if label == VARIANTS["binary-erm"]:
        axis.axhline(value[-1], color=colour, lw=1.0, ls="--")
    # Models that cost the same stand side by side.
    x = x * {VARIANTS["masks-ssl"]: 0.96, VARIANTS["masks-spl"]: 1.04}.get(label, 1.0)
    axis.plot(x, value, color=colour, marker=marker, lw=1.6, ms=6)
    axis.vlines(x, points[f"{name}_low"], points[f"{name}_high"], color=colour, lw=1.2)
