"""Where Grad-CAM looks: at the heart, at what carries the class, at the cue; can it be trusted."""

import numpy as np
import pandas as pd
import torch

from shortlib.data.cine import PHASES
from shortlib.explain.grad_cam_maps import grad_cam_maps
from shortlib.explain.sanity import map_similarity, randomised_parameters
from shortlib.methods.erm import predict_erm
from shortlib.metrics.overlap import anatomic_knowledge_score, empty_maps, soft_dice
from shortlib.shortcuts.background import heart_masks

PREDICTED, TRUE = "predicted", "true"


def look(model, cohort, compute, *, target=PREDICTED):
    """Map what a model looks at, and measure where that is.

    Parameters
    ----------
    model : shortlib.models.phases.PhaseNetwork
    cohort : shortlib.data.Cohort
        Its images as the model sees them.
    compute : shortlib.methods.compute.Compute
    target : str
        Whose logit is explained: that of the ``"predicted"`` class, as in the paper, or
        of the ``"true"`` one.

    Returns
    -------
    maps : numpy.ndarray of float32, shape (n, 2, h, w)
    table : pandas.DataFrame
        A row a case and phase: ``case_id``, ``phase``, ``class`` (the true one, -1 where
        nobody knows), ``predicted``; ``aks`` and ``dice`` against the heart; ``empty``
        where the map is 0 everywhere; ``area``, the heart's share of the image, which a
        map without any preference would score as AKS; and, of drawn data, ``truth``, the
        AKS against the pixels that carry the class (NaN for a case without any), with
        their share ``truth_area``, and ``cue``, that against the fat of the habitus, with
        ``cue_area``.
    """
    predicted = predict_erm(model, cohort.images, compute)[0].argmax(axis=1)
    known = cohort.labels is not None
    chosen = cohort.labels if known and target == TRUE else predicted
    maps = grad_cam_maps(model, cohort.images, targets=np.asarray(chosen))
    hearts = heart_masks(cohort)
    masks = {"": hearts}
    if cohort.abnormality_masks is not None:
        masks["truth"] = np.asarray(cohort.abnormality_masks)
    if cohort.shortcut_masks is not None:
        cue = np.asarray(cohort.shortcut_masks)
        masks["cue"] = np.repeat(cue[:, None], len(PHASES), axis=1)
    tables = []
    for p, phase in enumerate(PHASES):
        columns = {
            "case_id": cohort.case_ids,
            "phase": phase,
            "class": cohort.labels if known else -1,
            "predicted": predicted,
            "aks": anatomic_knowledge_score(maps[:, p], hearts[:, p]),
            "dice": soft_dice(maps[:, p], hearts[:, p]),
            "empty": empty_maps(maps[:, p]),
            "area": hearts[:, p].mean(axis=(1, 2)),
        }
        for name in ("truth", "cue"):
            if name in masks:
                mask = masks[name][:, p]
                score = anatomic_knowledge_score(maps[:, p], mask)
                columns[name] = np.where(mask.any(axis=(1, 2)), score, np.nan)
                columns[f"{name}_area"] = mask.mean(axis=(1, 2))
        tables.append(pd.DataFrame(columns))
    return maps, pd.concat(tables, ignore_index=True)


def doubt(model, cohort, compute, maps, *, seed, target=PREDICTED, shuffled=None):
    """Compare maps with those of models that have not learned the task.

    Parameters
    ----------
    model, cohort, compute, target
        As for :func:`look`.
    maps : numpy.ndarray of float32, shape (n, 2, h, w)
        Of the model.
    seed : int
        Of the random weights.
    shuffled : shortlib.models.phases.PhaseNetwork, optional
        The same network, trained on shuffled labels.

    Returns
    -------
    pandas.DataFrame
        A row a check, case and phase: ``check`` (``"head"``, ``"all layers"``,
        ``"labels"``), ``case_id``, ``phase``, ``similarity`` (Spearman's, NaN where a map
        is constant) and ``aks``, that of the other model.
    """
    others = {
        "head": randomised_parameters(model, seed=seed, layers="head"),
        "all layers": randomised_parameters(model, seed=seed),
    }
    if shuffled is not None:
        others["labels"] = shuffled
    tables = []
    for check, other in others.items():
        compared, table = look(other, cohort, compute, target=target)
        for p, phase in enumerate(PHASES):
            rows = table.loc[table["phase"] == phase, ["case_id", "phase", "aks"]]
            similar = map_similarity(maps[:, p], compared[:, p])
            tables.append(rows.assign(check=check, similarity=similar))
    return pd.concat(tables, ignore_index=True)


def examples_of(cohort, maps):
    """Keep images and maps of the first case of each class.

    Returns
    -------
    dict of str to torch.Tensor
        ``images`` uint8 and ``maps`` float16 of shape (k, 2, h, w), ``hearts`` uint8.
    """
    firsts = [int(np.argmax(cohort.labels == k)) for k in range(len(cohort.label_names))]
    images = np.asarray(cohort.images)[firsts]
    if images.dtype != np.uint8:
        images = (images * 255).round().astype(np.uint8)
    hearts = heart_masks(cohort[firsts]).astype(np.uint8)
    return {
        "images": torch.from_numpy(images),
        "maps": torch.from_numpy(maps[firsts]).half(),
        "hearts": torch.from_numpy(hearts),
    }
