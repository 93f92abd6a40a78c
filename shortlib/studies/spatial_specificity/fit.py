"""One run: a model trained with labels of one kind, scored as each selection rule leaves it."""

import numpy as np
import pandas as pd
import torch

from shortlib.data.supervision import supervision_labels
from shortlib.methods.compute import choose_compute
from shortlib.methods.pixel_training import pixel_classes, predict_classes, predict_pixels
from shortlib.metrics.dice import dice_of_counts
from shortlib.models.unet import image_scores, lesion_scores
from shortlib.runs.folder import Fitted
from shortlib.studies.spatial_specificity.pixels import pixel_sums
from shortlib.studies.spatial_specificity.sources import check_source, load_parts
from shortlib.studies.spatial_specificity.training import (
    OF_IMAGES,
    PIXELS,
    train_stage,
)
from shortlib.studies.spatial_specificity.watching import PAPER, carried

VERSION = 1
# Part of the data to the split and the view under which its predictions are kept.
VIEWS = {
    "validation": ("validation", "plain"),
    "validation-turned": ("validation", "adversarial"),
    "test": ("test", "plain"),
    "test-turned": ("test", "adversarial"),
}
SHOWN = 6  # test cases that are kept as examples


def fit(request, *, device="cpu", threads=1, checkpoint=None, checkpoint_seconds=120.0):
    """Fit one run.

    Parameters
    ----------
    request : shortlib.runs.request.Request
        ``settings`` as ``profiles.yml`` explains them.
    device : str
    threads : int
    checkpoint : pathlib.Path, optional
        Trainings before the last one have their own beside it.
    checkpoint_seconds : float

    Returns
    -------
    shortlib.runs.folder.Fitted

    Raises
    ------
    shortlib.data.problems.DataError
        If the data are not here, or not those that the run was asked for on.
    ValueError
        If published weights that are asked for cannot be had, or a method cannot go on.
    """
    settings, seed = request.settings, request.seed
    compute = choose_compute(device, settings["network"], threads=threads)
    check_source(settings, request.data_checksum, seed=seed, data_root=request.data_root)
    parts = load_parts(settings, seed=seed, data_root=request.data_root)
    with compute.active():
        stage = train_stage(
            settings,
            parts,
            compute=compute,
            seed=seed,
            checkpoint=checkpoint,
            checkpoint_seconds=checkpoint_seconds,
            label=f"{request.variant} seed {seed}",
        )
        predictions, overlaps = _scored(stage, parts, settings, compute)
        examples = _examples(stage, parts, settings, compute)
    tables = {"cases": _cases(parts), **stage.tables}
    if overlaps:
        tables["overlaps"] = pd.concat(overlaps, ignore_index=True)
    if (settings["method"], settings["supervision"], settings["share"]) == (PIXELS, "masks", 1.0):
        tables["pixels"] = pixel_sums(parts["train"])
    trained = stage.trained
    return Fitted(
        predictions=pd.concat(predictions, ignore_index=True),
        history=pd.DataFrame(trained.history),
        weights={
            f"epoch-{epoch}/{name}": tensor.contiguous()
            for epoch, weights in _by_epoch(trained).items()
            for name, tensor in weights.items()
        },
        tables=tables,
        examples=examples,
        facts={
            "best_epochs": trained.best_epochs,
            "resumed_from_epoch": trained.resumed_from,
            "compute": vars(compute),
            "cases": {name: len(cohort) for name, cohort in parts.items()},
            "positives": {name: int(cohort.labels.sum()) for name, cohort in parts.items()},
            "skipped": {name: len(cohort.skipped) for name, cohort in parts.items()},
            "cohort_checksums": {name: cohort.checksum() for name, cohort in parts.items()},
        },
    )


def _scored(stage, parts, settings, compute):
    """Score all cases but the training ones, under each rule; rules may keep the same epoch."""
    tables, overlaps, known = [], [], {}
    for selection, weights in stage.trained.weights.items():
        epoch = stage.trained.best_epochs[selection]
        if epoch not in known:
            stage.model.load_state_dict(weights)
            known[epoch] = {
                part: stage.predict(stage.model, np.asarray(parts[part].images))
                for part in VIEWS
                if part in parts
            }
        for part, scores in known[epoch].items():
            cohort, (split, view) = parts[part], VIEWS[part]
            carries = carried(cohort, settings["group_by"])
            rows = {
                "case_id": cohort.case_ids,
                "split": split,
                "view": view,
                "label": cohort.labels.astype("int8"),
                "shortcut": np.int8(-1) if carries is None else carries.astype("int8"),
                "selection": selection,
                "score": scores.astype(np.float32),
            }
            tables.append(pd.DataFrame(rows))
        if settings["method"] not in OF_IMAGES and selection == PAPER:
            overlaps.append(_overlap(stage.model, parts["test"], settings, compute))
    return tables, overlaps


def _overlap(model, cohort, settings, compute):
    """Compare what is found in the test cases with the masks, whatever the supervision was.

    Where lesions have two classes, also score the cases by what is found *in* the lesion.
    """
    masks, classes = np.asarray(cohort.abnormality_masks), settings["lesion_classes"]
    targets = pixel_classes(masks, cohort.labels, lesion_classes=classes)
    score = lesion_scores if classes == 2 else image_scores
    scores, counts = predict_pixels(model, cohort.images, compute, targets=targets, score=score)
    table = pd.DataFrame({"case_id": cohort.case_ids, "label": cohort.labels})
    table["dice"] = dice_of_counts(counts)
    return table.assign(lesion_score=scores) if classes == 2 else table


def _cases(parts):
    """Say whose each scored case is, and what it carries; one row a case of each split."""
    tables = []
    for name in ("validation", "test"):
        cohort = parts[name]
        ids = cohort.case_ids if cohort.patient_ids is None else cohort.patient_ids
        area = np.asarray(cohort.abnormality_masks).mean(axis=(1, 2))
        columns = {
            "split": name,
            "case_id": cohort.case_ids,
            "patient_id": ids,
            "label": cohort.labels,
            "area": area,
        }
        if cohort.shortcut is not None:
            flags = cohort.shortcut if cohort.shortcut.ndim == 2 else cohort.shortcut[:, None]
            for flag, of in zip(flags.T, cohort.shortcut_names or ("shortcut",), strict=True):
                columns[of] = flag
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def _examples(stage, parts, settings, compute):
    """Keep a few drawn test cases and what is found in them; images of patients stay at home."""
    if "drawn" not in settings["source"]:
        return {}
    stage.model.load_state_dict(stage.trained.weights[PAPER])
    cohort = parts.get("test-turned", parts["test"])
    rows = np.concatenate([np.flatnonzero(cohort.labels == k)[: SHOWN // 2] for k in (1, 0)])
    masks = np.asarray(cohort.abnormality_masks)[rows]
    kept = {
        "images": torch.from_numpy(np.asarray(cohort.images)[rows]),
        "masks": torch.from_numpy(masks.astype(np.uint8)),
        "boxes": torch.from_numpy(supervision_labels(masks, "boxes").astype(np.uint8)),
        "labels": torch.from_numpy(cohort.labels[rows].astype(np.uint8)),
    }
    if settings["method"] not in OF_IMAGES:
        kept["found"] = torch.from_numpy(
            predict_classes(stage.model, np.asarray(cohort.images)[rows], compute)
        )
    return kept


def _by_epoch(trained):
    return {trained.best_epochs[name]: weights for name, weights in trained.weights.items()}
