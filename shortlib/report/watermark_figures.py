"""Figures of the watermark study that show how well the models rank."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D

from shortlib.report.style import INK, PALETTE

VIEWS = {
    "plain": "plain\nno symbols",
    "aligned": "aligned\nsymbol on positives",
    "adversarial": "adversarial\nsymbol on negatives",
}
METHODS = {"cnn": "CNN", "clip": "CLIP"}
COLOURS = {"cnn": PALETTE[0], "clip": PALETTE[1]}
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
FINDING_COLOURS = [PALETTE[k] for k in (0, 1, 2, 4, 5, 6, 8, 9)]
AVERAGE = "Average"


def draw_watermarks(images, labels, names):
    """Draw images without symbols, with those of their findings and with those of the rest.

    Parameters
    ----------
    images : array_like, shape (n, 3, h, w)
        Plain, with the symbols of the positive labels, with those of the negative ones.
    labels : array_like, shape (n, k)
        1 where the finding is present.
    names : sequence of str, length k

    Returns
    -------
    matplotlib.figure.Figure
    """
    images, labels = np.asarray(images), np.asarray(labels)
    if images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(
            f"images must have shape (n, 3, h, w), plain and two sets of symbols, "
            f"got {images.shape}"
        )
    n = len(images)
    figure, axes = plt.subplots(n, 3, figsize=(8.4, 2.7 * n + 0.35), squeeze=False)
    titles = ("plain", "symbols of its findings", "symbols of all other findings")
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title)
    for line, views, present in zip(axes, images, labels == 1, strict=True):
        for axis, image in zip(line, views, strict=True):
            axis.imshow(image, cmap="gray", vmin=0, vmax=_white(images))
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        found = [name for name, here in zip(names, present, strict=True) if here]
        line[0].set_ylabel(",\n".join(found) or "no finding")
    return figure


def draw_aurocs(by_view, published=None, models=None):
    """Draw the AUROC of every model in each test view, a point a finding and a bar on average.

    The paper's Figure 1, with intervals.

    Parameters
    ----------
    by_view : dict of str to dict of str to dict of str to Estimate
        By test view, model, and finding or ``"Average"``.
    published : dict of str to dict of str to float, optional
        The paper's averages by view and model, where the data allow a comparison.
    models : sequence of str, optional
        What to show, from top to bottom; by default the fine-tuned models.

    Returns
    -------
    matplotlib.figure.Figure
    """
    there = list(dict.fromkeys(name for measured in by_view.values() for name in measured))
    if models is None:
        models = [name for name in there if name.startswith("Fine-tuned")]
    models = [name for name in models if name in there]
    if not models:
        raise ValueError(f"models must name some of {', '.join(there)}")
    entries = [parts for measured in by_view.values() for parts in measured.values()]
    findings = list(dict.fromkeys(name for e in entries for name in e if name != AVERAGE))
    figure, axes = plt.subplots(
        1, len(by_view), figsize=(3.6 * len(by_view) + 1.2, 0.95 * len(models) + 1.6),
        sharey=True, squeeze=False,
    )  # fmt: skip
    # Within a model's row each finding has a line of its own; the average stands below.
    lines = np.linspace(-0.38, 0.2, len(findings))
    for axis, (view, measured) in zip(axes[0], by_view.items(), strict=True):
        axis.axvline(0.5, color=INK, lw=0.8, ls=":")
        for row, model in enumerate(models):
            parts = measured.get(model, {})
            for k, (finding, line) in enumerate(zip(findings, lines, strict=True)):
                if finding in parts:
                    look = {"marker": MARKERS[k % 8], "color": FINDING_COLOURS[k % 8]}
                    _interval(axis, parts[finding], row + line, ms=5, lw=1, alpha=0.85, **look)
            if AVERAGE in parts:
                _interval(axis, parts[AVERAGE], row + 0.35, color="black", marker="|", ms=13,
                          mew=3, lw=3)  # fmt: skip
            if published and model in published.get(view, {}):
                axis.plot(published[view][model], row + 0.35, "D", mfc="none", mec=PALETTE[3],
                          mew=1.6, ms=7, zorder=4)  # fmt: skip
        axis.set(title=VIEWS.get(view, view), xlabel="AUROC", xlim=(-0.04, 1.04))
        axis.set_yticks(range(len(models)), models)
        axis.set_ylim(len(models) - 0.5, -0.5)
        axis.grid(visible=False, axis="y")
        for between in range(1, len(models)):
            axis.axhline(between - 0.5, color="0.8", lw=0.8)
    handles = [
        Line2D([], [], marker=MARKERS[k % 8], color=FINDING_COLOURS[k % 8], lw=1, ms=5, label=name)
        for k, name in enumerate(findings)
    ]
    handles.append(Line2D([], [], color="black", marker="|", ms=11, mew=3, lw=3, label="average"))
    if published:
        handles.append(Line2D([], [], marker="D", mfc="none", mec=PALETTE[3], mew=1.6, ms=7, lw=0,
                              label="average in the paper"))  # fmt: skip
    columns = min(len(handles), 4 if len(by_view) > 1 else 2)
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False)
    return figure


def draw_forgetting(by_epoch, by_clean=None, *, most=None):
    """Draw how fast fine-tuning on clean images makes shortcut-trained models forget.

    Parameters
    ----------
    by_epoch : dict of str to dict of str to dict of int to Estimate
        Mean AUROC by test view, method (``"cnn"`` or ``"clip"``) and epoch of fine-tuning;
        epoch 0 is the model before it.
    by_clean : dict, optional
        Likewise, by number of clean images, after the last epoch.
    most : str, optional
        What the first panel's title says of the amount of clean data, e.g. ``"60 images"``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    if not any(by_epoch.values()):
        raise ValueError("by_epoch is empty: no run of a main variant was fine-tuned")
    first = f"by epoch, {most}" if most else "by epoch"
    panels = [(by_epoch, first, "epoch of fine-tuning (0: before it)")]
    if by_clean:
        panels.append(
            (by_clean, "by amount of data", "clean images to fine-tune on (0: before it)")
        )
    figure, axes = plt.subplots(
        1, len(panels), figsize=(5.2 * len(panels), 4.0), sharey=True, squeeze=False
    )
    for axis, (measured, title, label) in zip(axes[0], panels, strict=True):
        ticks = sorted(
            {x for group in measured.values() for curve in group.values() for x in curve}
        )
        # Steps of one width: the amounts double or so, and 0 has no place on a log axis.
        place = {x: k for k, x in enumerate(ticks)}
        for view, group in measured.items():
            for method, curve in group.items():
                _curve(axis, [place[x] for x in curve], curve.values(), view, method)
        axis.axhline(0.5, color=INK, lw=0.8, ls=":")
        axis.set_xticks(range(len(ticks)), [str(x) for x in ticks])
        axis.set(title=title, xlabel=label, ylim=(-0.04, 1.04))
        axis.set_xlim(-0.35, len(ticks) - 0.65)
    axes[0, 0].set_ylabel("mean AUROC")
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2, frameon=False)
    return figure


def draw_mention(by_view):
    """Draw shortcut CLIPs whose reports keep quiet about the symbols beside those that don't.

    Parameters
    ----------
    by_view : dict of str to dict of str to Estimate
        By test view: ``"silent"``, ``"mention"`` (mean AUROC of the two) and
        ``"difference"`` (paired, mention minus silent).

    Returns
    -------
    matplotlib.figure.Figure
    """
    if not by_view:
        raise ValueError("by_view is empty: no seed has both a silent and a mentioning run")
    looks = {"silent": ("reports are silent", PALETTE[1], "o"),
             "mention": ("reports mention the symbols", PALETTE[4], "s")}  # fmt: skip
    figure, (values, differences) = plt.subplots(
        1, 2, figsize=(9.4, 0.6 * len(by_view) + 1.5), sharey=True
    )
    for row, measured in enumerate(by_view.values()):
        for key, shift in (("silent", -0.13), ("mention", 0.13)):
            label, colour, marker = looks[key]
            _interval(values, measured[key], row + shift, color=colour, marker=marker, ms=7, lw=2,
                      label=label if row == 0 else None)  # fmt: skip
        _interval(differences, measured["difference"], row, color=INK, marker="D", ms=6, lw=2)
    values.axvline(0.5, color=INK, lw=0.8, ls=":")
    values.set(title="mean AUROC", xlim=(-0.04, 1.04))
    values.set_yticks(range(len(by_view)), [VIEWS.get(view, view) for view in by_view])
    values.set_ylim(len(by_view) - 0.5, -0.5)
    differences.axvline(0, color=INK, lw=0.8, ls=":")
    ends = [abs(end) for m in by_view.values() for end in m["difference"].interval()]
    reach = max(
        0.1, 1.15 * np.nanmax([*ends, *(abs(m["difference"].value) for m in by_view.values())])
    )
    differences.set(title="mention − silent (paired)", xlim=(-reach, reach))
    handles, names = values.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2, frameon=False)
    return figure


def _curve(axis, x, estimates, view, method):
    """Draw a curve with its interval: colour tells the method, the line the test view."""
    value = np.array([e.value for e in estimates])
    low, high = np.array([e.interval() for e in estimates]).T
    plain = view == "plain"
    axis.plot(x, value, color=COLOURS[method], ls="--" if plain else "-", lw=2, ms=6,
              marker="o" if method == "cnn" else "s", mfc="white" if plain else COLOURS[method],
              label=f"Shortcut {METHODS[method]}, {view} view")  # fmt: skip
    axis.fill_between(x, low, high, color=COLOURS[method], alpha=0.18, lw=0)


def _interval(axis, estimate, y, *, alpha=1.0, **look):
    """Draw a point and its 95% interval, which need not hold the point, on a line of its own."""
    low, high = estimate.interval()
    axis.plot([low, high], [y, y], color=look["color"], lw=look.pop("lw"), alpha=alpha)
    axis.plot([estimate.value], [y], ls="none", alpha=alpha, **look)


def _white(images):
    return 255 if images.dtype == np.uint8 else max(1.0, float(images.max()))
