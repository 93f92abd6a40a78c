"""All models of the cardiac study at a glance: AUROC and saliency in the heart."""

import matplotlib.pyplot as plt
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from shortlib.report.context_figures import COLOURS, MARKERS
from shortlib.report.context_saliency import even_share
from shortlib.report.context_scores import blind_auroc
from shortlib.report.context_tables import measured_by, printed
from shortlib.report.style import INK, PALETTE
from shortlib.studies.cardiac_context.measures import MODELS, TASKS
from shortlib.studies.cardiac_context.resampled import PARTS

PAPER = PALETTE[3]
MEASURES = {"auroc": "micro AUROC", "aks": "AKS"}
CELLS = [(measure, task) for measure in MEASURES for task in TASKS]


def measure_models(runs):
    """Measure AUROC and AKS of all models in all tasks.

    Parameters
    ----------
    runs : list of shortlib.runs.Run
        Of one data set and profile.

    Returns
    -------
    dict of tuple of str to dict of str to Estimate
        By measure and task, then by model.
    """
    return {(measure, task): measured_by(f"{measure}_{task}", runs) for measure, task in CELLS}


def printed_models(published):
    """Return what the paper prints of the same, in the same form."""
    return {(measure, task): printed(published, f"{measure}_{task}") for measure, task in CELLS}


def levels_of(runs):
    """Return what is had without seeing anything: blind AUROCs, and the AKS of even maps.

    Parameters
    ----------
    runs : list of shortlib.runs.Run
        Of one data set and profile.

    Returns
    -------
    dict of tuple of str to float
        By measure and task, where it is known.
    """
    found = {}
    for task in TASKS:
        for run in runs[:1]:
            cases = run.table("cases")
            classes = cases[cases["part"] == PARTS[task]]["class"]
            if classes.nunique() > 1:
                found["auroc", task] = blind_auroc(classes)
        even = even_share(runs, "aks", task)
        if even is not None:
            found["aks", task] = even
    return found


def draw_models(measured, published=None, levels=None):
    """Draw AUROC and AKS of every model in each task, with intervals.

    Parameters
    ----------
    measured : dict of tuple of str to dict of str to Estimate
        As :func:`measure_models` returns it.
    published : dict of tuple of str to dict of str to float, optional
        As :func:`printed_models` returns it.
    levels : dict of tuple of str to float, optional
        As :func:`levels_of` returns it.

    Returns
    -------
    matplotlib.figure.Figure
        A row a measure, a column a task.

    Raises
    ------
    ValueError
        If there is nothing to draw.
    """
    models = [name for name in MODELS.values() if any(name in part for part in measured.values())]
    if not models:
        raise ValueError("measured is empty: no run of a main variant")
    tasks = [task for task in TASKS if any(measured.get((m, task)) for m in MEASURES)]
    figure, axes = plt.subplots(
        len(MEASURES), len(tasks), sharey=True, squeeze=False,
        figsize=(3.5 * len(tasks) + 1.2, 0.34 * len(MEASURES) * len(models) + 1.9),
    )  # fmt: skip
    ends = [
        e.interval()[0] for cell in CELLS[: len(TASKS)] for e in measured.get(cell, {}).values()
    ]
    lowest = min([0.35, *(end - 0.02 for end in ends)])
    for line, (measure, label) in zip(axes, MEASURES.items(), strict=True):
        for axis, task in zip(line, tasks, strict=True):
            cell = (measure, task)
            if cell in (levels or {}):
                axis.axvline(levels[cell], color=INK, lw=0.9, ls=":")
            for row, name in enumerate(models):
                if name in measured.get(cell, {}):
                    _interval(axis, measured[cell][name], row - 0.12, COLOURS[name], MARKERS[name])
                if published and name in published.get(cell, {}):
                    axis.plot(published[cell][name], row + 0.24, "D", mfc="none", mec=PAPER,
                              mew=1.4, ms=5.5, zorder=4)  # fmt: skip
            axis.set(title=TASKS[task], xlabel=label)
            axis.set_xlim((lowest, 1.02) if measure == "auroc" else (0, None))
            axis.xaxis.set_major_locator(MaxNLocator(6))
            axis.set_yticks(range(len(models)), models)
            axis.set_ylim(len(models) - 0.4, -0.6)
            axis.grid(visible=False, axis="y")
    handles = [Line2D([], [], color=INK, marker="o", ms=6, lw=1.4, label="here, 95% interval")]
    if published:
        handles.append(Line2D([], [], marker="D", mfc="none", mec=PAPER, mew=1.4, ms=5.5, lw=0,
                              label="in the paper, on other data"))  # fmt: skip
    if levels:
        handles.append(Line2D([], [], color=INK, ls=":", lw=0.9,
                              label="seeing nothing (AUROC), an even map (AKS)"))  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    return figure


def _interval(axis, estimate, y, colour, marker):
    low, high = estimate.interval()
    axis.plot([low, high], [y, y], color=colour, lw=1.4)
    axis.plot([estimate.value], [y], ls="none", marker=marker, color=colour, ms=6)
