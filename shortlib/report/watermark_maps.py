"""Figures of the watermark study that show where the models look."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from shortlib.report.style import INK, PALETTE
from shortlib.report.watermark_figures import COLOURS, METHODS

MAPS = "magma"
SYMBOL = "#00c8ff"  # bright on dark maps and on grey images
SMALLEST = 1e-4  # shares of the mass below it are drawn at it
BOX = {"whis": (5, 95), "showfliers": False, "linewidth": 1.2, "gap": 0.15}
MEAN = {"showmeans": True,
        "meanprops": {"marker": "D", "mfc": "white", "mec": INK, "ms": 5}}  # fmt: skip
ARMS = {"real": "trained on real images", "shortcut": "trained with symbols"}


def draw_maps(runs, *, finding=None):
    """Draw one test image, plain and marked, and the maps of both training conditions.

    The paper's Figure 2a.

    Parameters
    ----------
    runs : dict of str to shortlib.runs.Run
        A run with examples for each method, ``"cnn"`` and ``"clip"``, on the same data.
    finding : str, optional
        The first of the runs by default.

    Returns
    -------
    matplotlib.figure.Figure
    """
    titles = ("image", "real-trained", "shortcut-trained")
    figure, axes = plt.subplots(len(runs), 6, figsize=(11.4, 1.85 * len(runs) + 0.9), squeeze=False)
    for line, (method, run) in zip(axes, runs.items(), strict=True):
        k = _place(run, finding)
        examples = run.examples()
        images, maps = (examples[name][k].float().numpy() for name in ("images", "maps"))
        box = bounding_box(images[0] != images[1])
        shown = [(images[0], "gray", 255), (images[1], "gray", 255)]
        shown += [(maps[arm, image], MAPS, 1) for arm in range(2) for image in range(2)]
        for column, (axis, (values, colours, top)) in enumerate(zip(line, shown, strict=True)):
            axis.imshow(values, cmap=colours, vmin=0, vmax=top)
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
            if box and column % 2:
                axis.add_patch(
                    Rectangle(*box, fill=False, edgecolor=SYMBOL, linewidth=1.4, linestyle="-")
                )
        line[0].set_ylabel(METHODS.get(method, method), fontsize="large")
    for column, axis in enumerate(axes[0]):
        axis.set_title(f"{titles[column // 2]},\n{'marked' if column % 2 else 'plain'}")
    handle = Rectangle(
        (0, 0), 1, 1, fill=False, edgecolor=SYMBOL, linewidth=1.4, label="the symbol"
    )
    figure.legend(handles=[handle], loc="outside lower center", frameon=False)
    return figure


def draw_consistency(runs, *, label=1):
    """Draw how alike maps are across training conditions and across test images.

    The paper's Figure 2b: boxes hold the middle half of the test images (each once for
    every seed), whiskers reach from the 5th to the 95th percentile, diamonds are means.

    Parameters
    ----------
    runs : list of shortlib.runs.Run
        Main variants of both methods, with their table ``saliency``.
    label : int or None
        Test images with this label: 1, the aligned view; 0, the adversarial one; None, all.
        The panel of plain images has all in any case.

    Returns
    -------
    matplotlib.figure.Figure
    """
    chosen = read_saliency(runs, label=label)
    everything = read_saliency(runs)  # a plain image has no view
    panels = (
        ("train_plain", "real- against shortcut-trained,\nplain image (all)"),
        ("train_marked", "real- against shortcut-trained,\nmarked image"),
        ("test_real", "plain against marked image,\nreal-trained"),
        ("test_shortcut", "plain against marked image,\nshortcut-trained"),
    )
    figure, axes = plt.subplots(2, 2, figsize=(10.6, 7.4), sharex=True, sharey=True)
    for axis, (column, title) in zip(axes.flat, panels, strict=True):
        table = everything if column == "train_plain" else chosen
        sns.boxplot(table, x="finding", y=column, hue="method", palette=COLOURS, legend=False,
                    hue_order=list(METHODS), saturation=1, ax=axis, **BOX, **MEAN)  # fmt: skip
        axis.set(title=title, xlabel="", ylabel="")
        _findings(axis, table)
    for axis in axes[:, 0]:
        axis.set_ylabel("cosine similarity of maps")
    handles = [Patch(color=COLOURS[key], label=name) for key, name in METHODS.items()]
    figure.legend(handles=[*handles, _mean()], loc="outside lower center", ncols=3, frameon=False)
    return figure


def draw_box_mass(runs, *, label=1):
    """Draw the share of a map that lies inside the symbol's box, against the box's own share.

    Boxes as in :func:`draw_consistency`; a map that is even everywhere would lie on the
    dashed line. The axis is logarithmic, and shares below 0.0001 are drawn at it.

    Parameters
    ----------
    runs, label
        See :func:`draw_consistency`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    table = read_saliency(runs, label=label)
    kept = ["method", "finding", "box_area"]
    long = table.melt(kept, [f"box_{arm}" for arm in ARMS], var_name="arm", value_name="mass")
    long["arm"] = long["arm"].str.removeprefix("box_")
    long["mass"] = long["mass"].clip(lower=SMALLEST)
    colours = dict(zip(ARMS, (PALETTE[7], PALETTE[3]), strict=True))
    shown = [method for method in METHODS if (long["method"] == method).any()]
    lowest = min(long["mass"].quantile(0.01), long["box_area"].min())
    figure, axes = plt.subplots(1, len(shown), figsize=(5.3 * len(shown), 4.4), sharey=True,
                                squeeze=False)  # fmt: skip
    for axis, method in zip(axes[0], shown, strict=True):
        mine = long[long["method"] == method]
        sns.boxplot(mine, x="finding", y="mass", hue="arm", palette=colours, legend=False,
                    hue_order=list(ARMS), saturation=1, ax=axis, **BOX, **MEAN)  # fmt: skip
        _findings(axis, table)
        areas = mine.groupby("finding", sort=False)["box_area"].mean()
        for place, area in enumerate(areas):
            axis.hlines(area, place - 0.45, place + 0.45, color=INK, ls="--", lw=1.6)
        axis.set(title=METHODS[method], xlabel="", ylabel="", yscale="log")
    axes[0, 0].set(ylabel="share of the map's mass in the box", ylim=(lowest / 2, 2))
    handles = [Patch(color=colours[arm], label=name) for arm, name in ARMS.items()]
    even = Line2D([], [], color=INK, ls="--", lw=1.6, label="the box's share of the image")
    figure.legend(handles=[*handles, even, _mean()], loc="outside lower center", ncols=2,
                  frameon=False)  # fmt: skip
    return figure


def read_saliency(runs, *, label=None):
    """Stack the saliency tables of runs of the main variants.

    Parameters
    ----------
    runs : list of shortlib.runs.Run
        Others than the main variants are passed over.
    label : int or None
        Keep the test images with this label only.

    Returns
    -------
    pandas.DataFrame
        The columns of the runs' table, and ``method`` and ``seed``.
    """
    if label not in (0, 1, None):
        raise ValueError(f"label must be 0, 1 or None, got {label!r}")
    chosen = [run for run in runs if run.request["variant"] in METHODS]
    if not chosen:
        raise ValueError("runs must hold some of the variants cnn and clip, got none of them")
    table = pd.concat(
        [
            run.table("saliency").assign(method=run.request["method"], seed=run.seed)
            for run in chosen
        ],
        ignore_index=True,
    )
    return table if label is None else table[table["label"] == label]


def bounding_box(mask):
    """Return the corner, width and height of what is True, in the axes of an image.

    Parameters
    ----------
    mask : array_like of bool, shape (h, w)

    Returns
    -------
    tuple or None
        ``((x, y), width, height)`` around the outer edges of the pixels; None if all is
        False.
    """
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return None
    corner = columns.min() - 0.5, rows.min() - 0.5
    return corner, float(np.ptp(columns)) + 1, float(np.ptp(rows)) + 1


def _place(run, finding):
    findings = list(run.settings["findings"])
    if finding is not None and finding not in findings:
        raise ValueError(f"finding must be one of {', '.join(findings)}, got {finding!r}")
    return 0 if finding is None else findings.index(finding)


def _findings(axis, table):
    names = list(dict.fromkeys(table["finding"]))
    axis.set_xticks(range(len(names)), names, rotation=25, ha="right", rotation_mode="anchor")
    axis.tick_params(axis="x", labelsize="small", pad=6)


def _mean():
    return Line2D([], [], ls="none", marker="D", mfc="white", mec=INK, ms=5, label="mean")
