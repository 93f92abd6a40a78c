"""Figures of the synthetic spatial-specificity study."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator

from shortlib.data.specificity import specificity_labels
from shortlib.metrics.specificity import mutual_information_closed_form, variance_closed_form
from shortlib.report.style import INK, PALETTE

BATCH_TITLES = {
    "printed": "As printed: batch of all 150, 50 steps",
    "minibatch": "Mini-batches of 15: 500 steps",
}


def draw_shortcut(train, test):
    """Draw the idea of a shortcut: images of training, and images in use that break it.

    Parameters
    ----------
    train, test : shortlib.data.Cohort
    """
    rows = (
        ("training", train, ((1, True), (1, True), (0, False), (0, False))),
        ("in use", test, ((1, False), (1, False), (0, True), (0, True))),
    )
    figure, axes = plt.subplots(2, 4, figsize=(8.4, 4.9))
    for line, (title, cohort, wanted) in zip(axes, rows, strict=True):
        used = set()
        for axis, (label, marked) in zip(line, wanted, strict=True):
            axis.set(title="abnormal" if label else "normal", xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
            fits = np.flatnonzero((cohort.labels == label) & (cohort.shortcut == marked))
            case = next((int(i) for i in fits if int(i) not in used), None)
            if case is None:  # e.g. no abnormal image with the shortcut, at rho = 0
                axis.text(0.5, 0.5, "none in these data", ha="center", transform=axis.transAxes)
                continue
            used.add(case)
            axis.imshow(cohort.images[case, 0], cmap="gray", vmin=-11, vmax=5)
        line[0].set_ylabel(title, fontsize="large")
    return figure


def draw_labels(cohort, specificities, *, case=None):
    """Draw one image with the pixels that are labelled positive at each specificity.

    The paper's Figure 2.

    Parameters
    ----------
    cohort : shortlib.data.Cohort
    specificities : sequence of int
    case : int, optional
        Index of an image with abnormality and shortcut; the first such by default.
    """
    if case is None:
        case = int(np.flatnonzero((cohort.labels == 1) & cohort.shortcut)[0])
    masks = cohort.abnormality_masks[case : case + 1]
    figure, axes = plt.subplots(
        1, len(specificities), figsize=(2.3 * len(specificities), 2.7), squeeze=False
    )
    for axis, r in zip(axes[0], specificities, strict=True):
        axis.imshow(cohort.images[case, 0], cmap="gray", interpolation="nearest")
        label = np.pad(specificity_labels(masks, r)[0], 1)
        inside = np.arange(-1, label.shape[0] - 1)
        axis.contour(inside, inside, label, levels=[0.5], colors=[PALETTE[3]], linewidths=2.5)
        axis.set(title=f"r = {r}", xticks=[], yticks=[])
        axis.set(xlim=(-1, label.shape[0] - 2), ylim=(label.shape[0] - 2, -1))
        axis.spines[:].set_visible(False)
    return figure


def draw_specificity(reference, here=None):
    """Draw robust AUROC and the two data measures against specificity.

    The paper's Figure 3a, with intervals, one panel a batch setting.

    Parameters
    ----------
    reference : dict of str to dict of str to dict of int to Estimate
        By batch setting, metric (``robust_auroc``, ``variance_measure``,
        ``mutual_information_label``) and r.
    here : dict, optional
        Robust AUROC of this run, likewise; drawn as hollow points.
    """
    figure, axes = plt.subplots(1, len(reference), figsize=(5.4 * len(reference), 3.9), sharey=True)
    for axis, (batch, metrics) in zip(np.atleast_1d(axes), reference.items(), strict=True):
        _curve(axis, metrics["robust_auroc"], "robust AUROC", 0, "o", "-")
        for name, label, colour, marker, style in (
            ("variance_measure", "variance / its maximum", 1, "s", "--"),
            ("mutual_information_label", "MI(label, shortcut) / its maximum", 2, "^", ":"),
        ):
            largest = max(e.value for e in metrics[name].values())
            _curve(axis, metrics[name], label, colour, marker, style, largest)
        if here and batch in here:
            points = here[batch]["robust_auroc"]
            low, value, high = _bounds(points)
            axis.errorbar(
                [r * 1.06 for r in points], value, yerr=[value - low, high - value], fmt="o",
                mfc="white", color=INK, ms=6, capsize=2, lw=1, label="robust AUROC, this run",
            )  # fmt: skip
        axis.axhline(0.5, color=INK, lw=0.8)
        ticks = sorted(metrics["variance_measure"])
        axis.set_xscale("log", base=2)
        axis.set_xticks(ticks, [str(r) for r in ticks])
        axis.minorticks_off()
        axis.set(title=BATCH_TITLES.get(batch, batch), xlabel="spatial specificity r")
        axis.set(ylim=(-0.05, 1.05))
    handles, names = np.atleast_1d(axes)[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=4, frameon=False)
    return figure


def draw_embeddings(runs_by_title, *, selection="test", seed=0):
    """Project embeddings of test images to the plane, one panel a run.

    The paper's Figure 3b and c. UMAP with 15 neighbours; distances between far
    groups mean little.

    Parameters
    ----------
    runs_by_title : dict of str to shortlib.runs.Run
    selection : str
    seed : int
        Of the projection.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about packages that a projection does not need
        from umap import UMAP

    figure, axes = _panels(len(runs_by_title), (4.4, 3.8))
    for axis, (title, run) in zip(axes, runs_by_title.items(), strict=True):
        ids, vectors = run.embeddings()
        cases = run.predictions.drop_duplicates("case_id").set_index("case_id").loc[ids]
        n = len(ids)
        plane = UMAP(n_neighbors=min(15, n - 1), random_state=seed, n_jobs=1).fit_transform(
            vectors[selection].float().numpy()
        )
        for label, colour in ((0, PALETTE[0]), (1, PALETTE[1])):
            for marked, marker in ((0, "o"), (1, "X")):
                chosen = ((cases["label"] == label) & (cases["shortcut"] == marked)).to_numpy()
                axis.scatter(*plane[chosen].T, color=colour, marker=marker, s=34,
                             edgecolor="white", linewidth=0.5,
                             label=f"{'abnormal' if label else 'normal'}, "
                                   f"{'with' if marked else 'no'} shortcut")  # fmt: skip
        axis.set(title=title, xticks=[], yticks=[], xlabel="UMAP 1", ylabel="UMAP 2")
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2, frameon=False)
    return figure


def draw_closed_forms(data_model, sampled):
    """Draw the closed forms of Eqs. 7 and 13 beside the same measures on sampled data.

    Parameters
    ----------
    data_model : dict
        Arguments of :func:`shortlib.data.phantoms.squares`.
    sampled : dict of str to dict of int to Estimate
        ``variance_measure`` and ``mutual_information`` by r.
    """
    n, a, b = (data_model[name] for name in "nab")
    r = np.arange(1, n + 1)
    moments = {name: data_model[name] for name in ("mu_a", "mu_s", "sigma")}
    panels = (
        ("variance_measure", "variance of positive pixels (Def. 1)",
         variance_closed_form(r, n=n, a=a, b=b, **moments)),
        ("mutual_information", "MI(shortcut, abnormality), nats (Def. 3)",
         mutual_information_closed_form(r, n=n, a=a, b=b)),
    )  # fmt: skip
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.8))
    for axis, (name, title, formula) in zip(axes, panels, strict=True):
        axis.plot(r, formula, color=PALETTE[0], lw=2, label="closed form")
        _curve(axis, sampled[name], "sampled, 95% interval", 3, "o", "")
        axis.set_xscale("log", base=2)
        ticks = sorted(sampled[name])
        axis.set_xticks(ticks, [str(x) for x in ticks])
        axis.minorticks_off()
        axis.set(title=title, xlabel="spatial specificity r", ylim=(0, None))
        axis.legend(frameon=False)
    return figure


def draw_histories(runs_by_title):
    """Draw training and test loss by epoch, one panel a run.

    Parameters
    ----------
    runs_by_title : dict of str to shortlib.runs.Run
    """
    figure, axes = _panels(len(runs_by_title), (4.6, 3.1), sharey=True)
    for axis, (title, run) in zip(axes, runs_by_title.items(), strict=True):
        history = run.history
        for column, colour, style in (("train", 0, "-"), ("validation", 2, "--"), ("test", 1, ":")):
            axis.plot(history["epoch"], history[f"{column}_loss"], style, color=PALETTE[colour],
                      lw=2, label=f"{column} loss")  # fmt: skip
        for rule, colour in (("test", 1), ("validation", 2)):
            axis.axvline(run.provenance["best_epochs"][rule], color=PALETTE[colour], lw=1, ls="-.")
        axis.set(title=title, xlabel="epoch", yscale="log", ylabel="cross-entropy, nats")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3, frameon=False)
    return figure


def _panels(n, size, **options):
    """Make panels two abreast; return the figure and the axes in reading order."""
    columns = min(n, 2)
    rows = -(-n // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(size[0] * columns, size[1] * rows), squeeze=False, **options
    )
    figure.get_layout_engine().set(hspace=0.06, wspace=0.04)
    for spare in axes.flat[n:]:
        spare.set_visible(False)
    return figure, axes.flat[:n]


def _bounds(estimates):
    intervals = np.array([e.interval() for e in estimates.values()])
    values = np.array([e.value for e in estimates.values()])
    return intervals[:, 0], values, intervals[:, 1]


def _curve(axis, estimates, label, colour, marker, style, scale=1.0):
    low, value, high = (part / scale for part in _bounds(estimates))
    r = list(estimates)
    axis.plot(r, value, style, marker=marker, color=PALETTE[colour], lw=2, ms=5, label=label)
    if style:
        axis.fill_between(r, low, high, color=PALETTE[colour], alpha=0.18, lw=0)
    else:
        axis.errorbar(r, value, yerr=[value - low, high - value], fmt="none",
                      color=PALETTE[colour], capsize=3)  # fmt: skip
