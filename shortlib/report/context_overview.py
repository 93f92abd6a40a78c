"""All models of the cardiac study at a glance: AUROC and saliency in the heart."""

from shortlib.report.context_figures import COLOURS, MARKERS
from shortlib.report.context_saliency import even_share
from shortlib.report.context_scores import blind_auroc
from shortlib.report.context_tables import measured_by, printed
from shortlib.report.model_panels import Panel, draw_panels
from shortlib.studies.cardiac_context.measures import MODELS, TASKS
from shortlib.studies.cardiac_context.resampled import PARTS

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
    tasks = [task for task in TASKS if any(measured.get((m, task)) for m in MEASURES)]
    ends = [
        e.interval()[0] for cell in CELLS[: len(TASKS)] for e in measured.get(cell, {}).values()
    ]
    lowest = min([0.35, *(end - 0.02 for end in ends)])
    lines = [
        [
            Panel(
                measured=measured.get((measure, task), {}),
                label=label,
                title=TASKS[task],
                published=(published or {}).get((measure, task), {}),
                level=(levels or {}).get((measure, task)),
                limits=(lowest, 1.02) if measure == "auroc" else (0, None),
            )
            for task in tasks
        ]
        for measure, label in MEASURES.items()
    ]
    looks = {name: (COLOURS[name], MARKERS[name]) for name in MODELS.values()}
    return draw_panels(lines, looks, level="seeing nothing (AUROC), an even map (AKS)")
