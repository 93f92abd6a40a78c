"""Figures of the cardiac study's numbers: saliency against AUROC, and the pre-training."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from shortlib.metrics import fisher_interval
from shortlib.report.style import INK, PALETTE
from shortlib.studies.cardiac_context.measures import CONTRASTIVE, MODELS

# By model, so that colour and mark are the same in every figure; the last three are pre-trained.
MARKERS = dict(zip(MODELS.values(), "osD^v<PX*", strict=True))
COLOURS = dict(zip(MODELS.values(), (PALETTE[k] for k in (7, 0, 2, 1, 3, 8, 4, 9, 6)), strict=True))


def draw_correlation(points, estimate, published):
    """Draw saliency in the heart against the AUROC at the other hospital, a point a model.

    The paper's Figure 2, with intervals, and the numbers of the paper's tables beside it.

    Parameters
    ----------
    points : dict of str to tuple of Estimate
        By model: AKS and AUROC.
    estimate : Estimate or None
        Pearson's coefficient over these points.
    published : dict of str to tuple of float
        The paper's models, likewise.

    Returns
    -------
    matplotlib.figure.Figure
        Above each panel the coefficient, the number of models and Fisher's interval, which is
        for so many models; the bootstrap is for other patients and seeds.
    """
    figure, axes = plt.subplots(1, 2, figsize=(10.4, 4.6), sharey=True)
    for name, (looks, score) in points.items():
        _cross(axes[0], looks, score, COLOURS[name], MARKERS[name])
    for name, (looks, score) in published.items():
        axes[1].plot(looks, score, marker=MARKERS[name], color=COLOURS[name], ms=9, ls="none")
    if estimate is None:
        axes[0].set_title("here: fewer than three models")
    else:
        low, high = estimate.interval()
        drawn = f"over patients and seeds [{low:.2f}, {high:.2f}]"
        title = f"here: r = {estimate.value:.2f}\n{_fisher(estimate.value, len(points))}, {drawn}"
        axes[0].set_title(title, fontsize="small")
    r = float(np.corrcoef(*zip(*published.values(), strict=True))[0, 1])
    title = f"paper, other data and scale: r = {r:.2f}\n{_fisher(r, len(published))}"
    axes[1].set_title(title, fontsize="small")
    for axis in axes:
        axis.set(xlabel="AKS, CM→ACDC", xlim=(0, None))
    axes[0].set_ylabel("micro AUROC, CM→ACDC")
    handles = [
        Line2D([], [], marker=MARKERS[name], color=COLOURS[name], ls="none", ms=8, label=name)
        for name in MODELS.values()
        if name in points or name in published
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False)
    return figure


def draw_pretraining(table, threshold):
    """Draw the loss of each contrastive method, and whether its features collapse.

    Parameters
    ----------
    table : pandas.DataFrame
        As :func:`shortlib.report.context_pretraining.read_pretraining` returns it.
    threshold : float
        Spread of the projections below which a method counts as collapsed.

    Returns
    -------
    matplotlib.figure.Figure
        A column a method: its loss above, the spread of projections and features below; a
        line a seed.

    Raises
    ------
    ValueError
        If the table is empty.
    """
    shown = [variant for variant in CONTRASTIVE if (table["variant"] == variant).any()]
    if not shown:
        raise ValueError("table is empty: no run was pre-trained")
    figure, axes = plt.subplots(2, len(shown), figsize=(3.5 * len(shown) + 0.8, 5.2),
                                sharex="col", squeeze=False)  # fmt: skip
    top = 1.05 * max(table["projection_std"].max(), table["feature_std"].max(), threshold)
    for (above, below), variant in zip(axes.T, shown, strict=True):
        mine, name = table[table["variant"] == variant], MODELS[variant]
        for _, run in mine.groupby("seed"):
            above.plot(run["epoch"], run["train_loss"], color=COLOURS[name], lw=1.6)
            below.plot(run["epoch"], run["projection_std"], color=COLOURS[name], lw=1.6)
            below.plot(run["epoch"], run["feature_std"], color=COLOURS[name], lw=1.3, ls="--")
        below.axhline(threshold, color=INK, lw=0.9, ls=":")
        above.set_title(name)
        below.set(xlabel="epoch", ylim=(0, top))
        below.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes[0, 0].set_ylabel("loss")
    axes[1, 0].set_ylabel("spread over images")
    handles = [
        Line2D([], [], color=INK, lw=1.6, label="projections"),
        Line2D([], [], color=INK, lw=1.3, ls="--", label="encoder's features"),
        Line2D([], [], color=INK, lw=0.9, ls=":", label="collapsed below (projections)"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    return figure


def _fisher(r, n):
    low, high = fisher_interval(r, n)
    return f"over {n} models [{low:.2f}, {high:.2f}]"


def _cross(axis, x, y, colour, marker):
    axis.plot(x.interval(), [y.value] * 2, color=colour, lw=1, alpha=0.7)
    axis.plot([x.value] * 2, y.interval(), color=colour, lw=1, alpha=0.7)
    axis.plot([x.value], [y.value], ls="none", marker=marker, color=colour, ms=9)
