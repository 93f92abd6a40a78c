"""All models of a study at a glance: a row a model, a panel a measure, with intervals."""

from dataclasses import dataclass, field

import matplotlib.pyplot as plt
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from shortlib.report.style import INK, PALETTE

PAPER = PALETTE[3]


@dataclass(frozen=True)
class Panel:
    """One measure of all models.

    Attributes
    ----------
    measured : dict of str to shortlib.metrics.estimate.Estimate
        By model.
    label : str
        What is measured.
    title : str
    published : dict of str to float
        The paper's numbers, by model.
    level : float or None
        What is had for nothing, drawn as a dotted line.
    limits : tuple of float or None
        Of the axis.
    """

    measured: dict
    label: str
    title: str = ""
    published: dict = field(default_factory=dict)
    level: float | None = None
    limits: tuple = (None, None)


def draw_panels(lines, looks, *, level):
    """Draw panels in lines, each with a row for every model that any of them has.

    Parameters
    ----------
    lines : list of list of Panel
        As many in each line.
    looks : dict of str to tuple
        Colour and marker by model, in the order of the rows.
    level : str
        What the dotted lines are, for the legend.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If no panel has a model that has a look.
    """
    panels = [panel for line in lines for panel in line]
    models = [name for name in looks if any(name in panel.measured for panel in panels)]
    if not models:
        raise ValueError(f"measured is empty: it has none of {', '.join(looks)}")
    figure, axes = plt.subplots(
        len(lines), len(lines[0]), sharey=True, squeeze=False,
        figsize=(3.5 * len(lines[0]) + 1.2, 0.34 * len(lines) * len(models) + 1.9),
    )  # fmt: skip
    for axis, panel in zip(axes.flat, panels, strict=True):
        _draw(axis, panel, models, looks)
    handles = [Line2D([], [], color=INK, marker="o", ms=6, lw=1.4, label="here, 95% interval")]
    if any(panel.published for panel in panels):
        handles.append(Line2D([], [], marker="D", mfc="none", mec=PAPER, mew=1.4, ms=5.5, lw=0,
                              label="in the paper, on other data"))  # fmt: skip
    if any(panel.level is not None for panel in panels):
        handles.append(Line2D([], [], color=INK, ls=":", lw=0.9, label=level))
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    return figure


def draw_interval(axis, estimate, y, colour, marker):
    """Draw a point and its 95% interval, which need not hold the point, at a height."""
    low, high = estimate.interval()
    axis.plot([low, high], [y, y], color=colour, lw=1.4)
    axis.plot([estimate.value], [y], ls="none", marker=marker, color=colour, ms=6)


def _draw(axis, panel, models, looks):
    if panel.level is not None:
        axis.axvline(panel.level, color=INK, lw=0.9, ls=":")
    for row, name in enumerate(models):
        if name in panel.measured:
            draw_interval(axis, panel.measured[name], row - 0.12, *looks[name])
        if name in panel.published:
            axis.plot(panel.published[name], row + 0.24, "D", mfc="none", mec=PAPER,
                      mew=1.4, ms=5.5, zorder=4)  # fmt: skip
    axis.set(title=panel.title, xlabel=panel.label, xlim=panel.limits)
    axis.xaxis.set_major_locator(MaxNLocator(6))
    axis.set_yticks(range(len(models)), models)
    axis.set_ylim(len(models) - 0.4, -0.6)
    axis.grid(visible=False, axis="y")
