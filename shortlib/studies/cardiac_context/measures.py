"""What the cardiac study measures on its runs, each as a resampled estimate.

Patients are resampled, each with all studies, and together for all variants and seeds of one
task; so what was computed on the same test patients may be subtracted.
"""

import numpy as np
import pandas as pd

from shortlib.metrics.correlation import pearson
from shortlib.studies.cardiac_context.resampled import doubted, mapped, of_variant, scored
from shortlib.studies.cardiac_context.training import PROBE, TUNED
from shortlib.studies.verdicts import NotTestableError

# Variant to the name in tables, in the order of the paper's.
MODELS = {
    "zero": "Zero",
    "full": "Full",
    "seg": "Seg",
    "bg": "BG",
    "bg-outline": "BG, outline",
    "rand": "Rand",
    "simclr": "SimCLR",
    "moco": "MoCo",
    "byol": "BYOL",
}
CONTRASTIVE = ("simclr", "moco", "byol")
TASKS = {"cm": "CM", "acdc": "ACDC", "transfer": "CM→ACDC"}
SYSTEMIC = "AMYL"
ALL = "all models"
_DIAL = ("cm", "acdc", "variant", "task", "view", "value", "low", "high", "seeds")


def estimates(metric, runs, *, selection="last"):
    """Measure one metric for each model.

    Parameters
    ----------
    metric : str
        A key of `METRICS`.
    runs : list of shortlib.runs.Run
        Of one data set and profile; any variants and seeds. Only the main variants count.
    selection : str
        ``"last"``, the study's only rule.

    Returns
    -------
    dict of str to Estimate
        By a value of `MODELS`, or `ALL` for what is measured over models. What the runs
        do not hold is left out.

    Raises
    ------
    ValueError
        If there is no such metric or selection rule; lists those there are.
    shortlib.studies.verdicts.NotTestableError
        If the metric cannot be measured on these runs.
    """
    for name, value, known in (("metric", metric, METRICS), ("selection", selection, ["last"])):
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")
    return METRICS[metric](runs)


def stage_of(variant, task):
    """Return the task and the head by which a variant is judged in a task.

    What was never trained on the cardiomyopathies carries nothing over from them: its
    transfer is its probe of ACDC.
    """
    if variant.startswith("zero"):
        return ("acdc" if task == "transfer" else task), PROBE
    return task, TUNED


def auroc(task, *, head=None, **options):
    """Return a metric: the AUROC in a task, by model."""

    def measure(runs):
        found = {}
        for variant, title in MODELS.items():
            at, main = stage_of(variant, task)
            found[title] = scored(of_variant(runs, variant), at, head or main, **options)
        return _known(found)

    return measure


def saliency(task, column, **options):
    """Return a metric: the mean of a saliency column in a task, by model."""

    def measure(runs):
        found = {
            title: mapped(of_variant(runs, variant), *stage_of(variant, task), column, **options)
            for variant, title in MODELS.items()
        }
        return _known(found)

    return measure


def by_class(runs, column, *, task="cm"):
    """Average a saliency column by class.

    Returns
    -------
    dict of str to dict of str to Estimate
        By class, then by model.
    """
    names = _classes(runs, task)
    return {name: saliency(task, column, classes=[k])(runs) for k, name in enumerate(names)}


def sanity(runs):
    """Measure how far maps survive the destruction of what they explain, on the first task.

    Returns
    -------
    dict of str to dict of str to dict of str to Estimate
        ``"similarity"`` and ``"aks"``, by check (``"head"``, ``"all layers"``, ``"labels"``),
        by model.
    """
    return {
        column: {
            check: _known(
                {
                    title: doubted(of_variant(runs, variant), check, column)
                    for variant, title in MODELS.items()
                }
            )
            for check in ("head", "all layers", "labels")
        }
        for column in ("similarity", "aks")
    }


def empty_share(runs):
    """Count the maps that are empty: by task, by model, a share with its interval."""
    return {task: saliency(task, "empty")(runs) for task in TASKS}


def dial(runs):
    """Tabulate the AUROC by how far habitus goes with disease here and at the other hospital.

    Returns
    -------
    pandas.DataFrame
        ``cm`` and ``acdc`` (associations in [-1, 1]), ``variant``, ``task``, ``view``,
        ``value``, ``low``, ``high``, ``seeds`` (the main setting may have more than the
        others).
    """
    rows = []
    variants = {run.request["variant"] for run in runs}
    for name in sorted(variants):
        chosen = of_variant(runs, name)
        variant, source = name.split("-cm")[0], chosen[0].settings["source"]
        drawn = [source.get(part, {}).get("drawn", {}) for part in ("cm", "acdc")]
        at = [one.get("habitus_association", np.nan) for one in drawn]
        for task, view in (*((task, "plain") for task in TASKS), ("cm", "adversarial")):
            estimate = scored(chosen, *stage_of(variant, task), view=view)
            if estimate is not None:
                numbers = estimate.value, *estimate.interval(), estimate.seeds
                rows.append((*at, variant, task, view, *numbers))
    table = pd.DataFrame(rows, columns=_DIAL)
    return table.sort_values(list(_DIAL[:4]), kind="stable", ignore_index=True)


def correlation(runs, column="aks", *, at="transfer"):
    """Correlate where models look with their AUROC at the other hospital, over models.

    Parameters
    ----------
    runs : list of shortlib.runs.Run
    column : str
        Of the saliency tables.
    at : str
        The task in which models look: ``"transfer"`` as in Figure 2, or ``"cm"`` as the
        text of Section 4.3 has it.

    Returns
    -------
    points : dict of str to tuple of Estimate
        By model: the mean of the column, and the AUROC.
    estimate : Estimate
        Pearson's coefficient.

    Raises
    ------
    NotTestableError
        If there are fewer than three models.
    """
    looks, aurocs = saliency(at, column)(runs), auroc("transfer")(runs)
    points = {name: (looks[name], aurocs[name]) for name in looks if name in aurocs}
    if len(points) < 3:
        raise NotTestableError(f"a correlation needs three models, there are {len(points)}")
    return points, pearson(*zip(*points.values(), strict=True))


def _correlation(runs):
    return {ALL: correlation(runs)[1]}


def _systemic(runs):
    """How much more the systemic class's AKS changes from `Full` than that of the others."""
    names = _classes(runs, "cm")
    if SYSTEMIC not in names:
        return {}
    one = names.index(SYSTEMIC)
    groups = [[one], [k for k in range(len(names)) if k != one]]
    inside, others = (saliency("cm", "aks", classes=part)(runs) for part in groups)
    found = {}
    for variant in CONTRASTIVE:
        title = MODELS[variant]
        if title in inside and "Full" in inside:
            change = inside[title] - inside["Full"]
            found[title] = change - (others[title] - others["Full"])
    return found


def _classes(runs, task):
    for run in runs:
        table = run.predictions
        chosen = table[table["task"] == task]["class"]
        if len(chosen):
            return list(dict.fromkeys(chosen))
    return []


def _known(found):
    return {name: estimate for name, estimate in found.items() if estimate is not None}


METRICS = {
    **{f"auroc_{task}": auroc(task) for task in TASKS},
    **{f"auroc_{task}_macro": auroc(task, kind="macro") for task in TASKS},
    **{f"auroc_{task}_probe": auroc(task, head=PROBE) for task in ("cm", "transfer")},
    "auroc_cm_adversarial": auroc("cm", view="adversarial"),
    **{f"aks_{task}": saliency(task, "aks") for task in TASKS},
    **{f"dice_{task}": saliency(task, "dice") for task in TASKS},
    **{f"truth_{task}": saliency(task, "truth") for task in TASKS},
    **{f"cue_{task}": saliency(task, "cue") for task in TASKS},
    "aks_change_systemic": _systemic,
    "aks_auroc_correlation": _correlation,
}
