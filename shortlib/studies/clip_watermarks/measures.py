"""What the watermark study measures on its runs, each as a resampled estimate.

Patients are resampled, each with all test images, and together for all findings, models, views and
amounts of clean data, and runs of different seeds too; so what was computed on the same test images
may be subtracted.
"""

from itertools import product

import numpy as np
import pandas as pd

from shortlib.data.views import VIEWS
from shortlib.studies.clip_watermarks.resampled import (
    SELECTION,
    mapped,
    of_variant,
    scored,
    step_of,
    steps_of,
)

METHODS = {"cnn": "CNN", "clip": "CLIP"}  # also the names of the main variants
STAGES = ("pretrained", "fine-tuned")
_DIAL = ("method", "p_marked", "p_correct", "stage", "view", "value", "low", "high", "seeds")


def model_name(method, arm, stage):
    """Name one of the eight models as the paper does, e.g. ``"Fine-tuned Real CLIP"``."""
    before = {"cnn": "", "clip": "Zero-shot "}[method]
    start = {"pretrained": before, "fine-tuned": "Fine-tuned "}[stage]
    return f"{start}{arm.capitalize()} {METHODS[method]}"


# In the order of the paper's tables.
_MODELS = {
    model_name(method, arm, stage): (method, arm, stage)
    for arm in ("real", "shortcut")
    for stage in STAGES
    for method in METHODS
}
MODELS = tuple(_MODELS)


def estimates(metric, runs, *, selection=SELECTION):
    """Measure one metric for each model.

    Parameters
    ----------
    metric : str
        A key of `METRICS`.
    runs : list of shortlib.runs.Run
        Of one data set and profile; any variants and seeds. Only the main variants count.
    selection : str
        ``"validation"``, the study's only rule.

    Returns
    -------
    dict of str to Estimate
        By a name of `MODELS`; by ``"CNN"`` and ``"CLIP"`` where a metric compares two models or
        their maps. What the runs do not hold is left out.

    Raises
    ------
    ValueError
        If there is no such metric or selection rule; lists those there are.
    shortlib.studies.verdicts.NotTestableError
        If the metric cannot be measured on these runs.
    """
    for name, value, known in (("metric", metric, METRICS), ("selection", selection, [SELECTION])):
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")
    return METRICS[metric](runs)


def by_finding(runs, view):
    """Measure the AUROC of each model and finding in one test view.

    Returns
    -------
    dict of str to dict of str to Estimate
        By model, then by finding in the study's order and ``"Average"``. A finding of which the
        test images have one class only is left out. A single finding's estimate serves for its own
        interval; only averages are paired.
    """
    table = {}
    for name, measured in _models(runs, view).items():
        findings = of_variant(runs, _MODELS[name][0])[0].settings["findings"]
        parts = {finding: measured.finding(j) for j, finding in enumerate(findings)}
        defined = {finding: part for finding, part in parts.items() if not np.isnan(part.value)}
        table[name] = {**defined, "Average": measured.mean()}
    return table


def forgetting(runs):
    """Follow the shortcut-trained models as they are fine-tuned on clean images.

    Returns
    -------
    dict
        ``"epoch"`` (on the main amount of clean images) and ``"clean"`` (by the number of clean
        images, after the last epoch), each by test view (``"adversarial"``, ``"plain"``), method
        (``"cnn"``, ``"clip"``) and epoch or number to the mean AUROC over findings, an Estimate.
        0 is the model before fine-tuning, of CLIP zero-shot.
    """
    views = ("adversarial", "plain")
    found = {along: {view: {} for view in views} for along in ("epoch", "clean")}
    for method in METHODS:
        if not (chosen := of_variant(runs, method)):
            continue
        steps, (main, last) = steps_of(chosen[0], "shortcut"), step_of(chosen[0], "fine-tuned")
        for view in views:
            points = ((at, scored(chosen, "shortcut", view, at)) for at in steps)
            means = {at: point.mean() for at, point in points if point is not None}
            found["epoch"][view][method] = {e: m for (c, e), m in means.items() if c in (0, main)}
            found["clean"][view][method] = {c: m for (c, e), m in means.items() if e in (0, last)}
    return found


def dial(runs):
    """Tabulate the mean AUROC by how often symbols mark images and how often they are right.

    Returns
    -------
    pandas.DataFrame
        ``method`` (``"cnn"``, ``"clip"``), ``p_marked``, ``p_correct``, ``stage``, ``view``,
        ``value``, ``low``, ``high``, ``seeds`` (the main setting may have more than the others).
        Where ``p_marked`` is 0 the training images were plain, and ``p_correct`` is NaN.
    """
    rows, taken = [], set()
    variants = {run.request["variant"] for run in runs if not run.settings.get("mention")}
    # The main variants first: a setting of the dial that equals theirs adds nothing.
    for variant in sorted(variants, key=lambda name: (name not in METHODS, name)):
        chosen = of_variant(runs, variant)
        method, settings = chosen[0].request["method"], chosen[0].settings
        for arm in settings["arms"]:
            chances = (settings["p_marked"], settings["p_correct"])
            chances = chances if arm == "shortcut" else (0.0, np.nan)
            if (method, arm, chances) in taken:
                continue
            taken.add((method, arm, chances))
            for stage, view in product(STAGES, VIEWS):
                measured = scored(chosen, arm, view, step_of(chosen[0], stage))
                if measured is not None:
                    mean = measured.mean()
                    numbers = mean.value, *mean.interval(), mean.seeds
                    rows.append((method, *chances, stage, view, *numbers))
    table = pd.DataFrame(rows, columns=_DIAL)
    return table.sort_values(list(_DIAL[:3]), kind="stable", ignore_index=True)


def _models(runs, view):
    """Measure the models that the main runs hold in one view: name to ByFinding."""
    found = {}
    for name, (method, arm, stage) in _MODELS.items():
        if chosen := of_variant(runs, method):
            found[name] = scored(chosen, arm, view, step_of(chosen[0], stage))
    return {name: measured for name, measured in found.items() if measured is not None}


def _mean_auroc(view):
    def measure(runs):
        return {name: measured.mean() for name, measured in _models(runs, view).items()}

    return measure


def _watermark_effect(runs):
    aligned, adversarial = (_mean_auroc(view)(runs) for view in ("aligned", "adversarial"))
    return {name: aligned[name] - adversarial[name] for name in aligned if name in adversarial}


def _plain_minus_cnn(runs):
    """Compare each CLIP with the CNN of the same training images and stage."""
    plain = _mean_auroc("plain")(runs)
    rivals = {name: model_name("cnn", *_MODELS[name][1:]) for name in plain}
    return {
        name: plain[name] - plain[rival]
        for name, rival in rivals.items()
        if name != rival and rival in plain
    }


def _adversarial_gain(runs):
    """Compare each shortcut-trained model after fine-tuning with itself before."""
    adversarial, found = _mean_auroc("adversarial")(runs), {}
    for method, title in METHODS.items():
        before, after = (adversarial.get(model_name(method, "shortcut", stage)) for stage in STAGES)
        if before and after:
            found[title] = after - before
    return found


def _map_mean(column, label=None):
    def measure(runs):
        found = {
            title: mapped(of_variant(runs, method), column, label=label)
            for method, title in METHODS.items()
        }
        return {title: measured.mean() for title, measured in found.items() if measured is not None}

    return measure


# A symbol on a positive is the aligned view, on a negative the adversarial one.
METRICS = {
    "auroc_plain": _mean_auroc("plain"),
    "auroc_aligned": _mean_auroc("aligned"),
    "auroc_adversarial": _mean_auroc("adversarial"),
    "watermark_effect": _watermark_effect,
    "plain_minus_cnn": _plain_minus_cnn,
    "adversarial_gain": _adversarial_gain,
    "consistency_training_plain": _map_mean("train_plain"),
    "consistency_training_marked": _map_mean("train_marked", 1),
    "consistency_testing": _map_mean("test_shortcut", 1),
    "consistency_testing_real": _map_mean("test_real", 1),
    "consistency_testing_adversarial": _map_mean("test_shortcut", 0),
    "box_mass": _map_mean("box_shortcut", 1),
    "box_mass_real": _map_mean("box_real", 1),
    "box_mass_adversarial": _map_mean("box_shortcut", 0),
    "box_area": _map_mean("box_area", 1),
}
