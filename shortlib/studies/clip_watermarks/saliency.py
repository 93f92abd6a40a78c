"""Integrated gradients of the real-trained and the shortcut-trained model, compared."""

import numpy as np
import pandas as pd
import torch

from shortlib.data.seeds import derive_seed
from shortlib.explain.integrated_gradients import integrated_gradients
from shortlib.explain.maps import boxes_around, saliency_maps
from shortlib.metrics.saliency import map_cosine_similarity, mass_inside

ARMS = ("real", "shortcut")
CHUNK = 32  # test cases whose maps are in memory at a time


def compare_maps(outputs, tested, *, steps, samples, noise, seed):
    """Compare the maps of two models on plain and on marked images, case by case.

    Maps are made for a few cases at a time and forgotten, so memory does not grow with
    their number.

    Parameters
    ----------
    outputs : dict of str to callable
        By arm: float images of shape (m, c, h, w) to scores of shape (m, k), before
        fine-tuning.
    tested : shortlib.studies.clip_watermarks.scoring.MarkedCases
    steps, samples, noise
        See :func:`shortlib.explain.integrated_gradients.integrated_gradients`.
    seed : int
        Of SmoothGrad's noise, the same for both models and both images.

    Returns
    -------
    pandas.DataFrame
        One row a finding and a case whose label is known: ``case_id``, ``finding``,
        ``label``; cosines ``train_plain`` and ``train_marked`` between the two models,
        ``test_real`` and ``test_shortcut`` between the two images; ``box_real`` and
        ``box_shortcut``, the share of the map inside the symbol's box on the marked
        image, and ``box_area``, the box's share of the image; the attribution's sum and the
        output's difference on the plain image, ``sum_<arm>`` and ``difference_<arm>``.
    """
    tables = []
    for k, finding in enumerate(tested.cohort.label_names):
        known = np.flatnonzero(tested.cohort.labels[:, k] >= 0)
        for rows in np.split(known, range(CHUNK, len(known), CHUNK)):
            some = tested[rows]
            options = {
                "steps": steps,
                "samples": samples,
                "noise": noise,
                "seed": derive_seed(seed, "smoothgrad", finding, int(rows[0])),
            }
            tables.append(_compare(outputs, some, k, finding, options))
    return pd.concat(tables, ignore_index=True)


def example_maps(outputs, tested, *, steps, samples, noise, seed):
    """Keep images and maps of one case for each finding, its first positive one.

    Returns
    -------
    dict of str to torch.Tensor
        ``images`` uint8 of shape (k, 2, h, w), plain and marked; ``maps`` float16 of
        shape (k, 2, 2, h, w), by arm and image.
    """
    images, maps = [], []
    for k, finding in enumerate(tested.cohort.label_names):
        case = tested[np.flatnonzero(tested.cohort.labels[:, k] == 1)[:1]]
        options = {"steps": steps, "samples": samples, "noise": noise}
        options["seed"] = derive_seed(seed, "smoothgrad", finding)
        pair = np.concatenate([case.cohort.images, case.marked[finding]])
        images.append(pair[:, 0])
        found = [_attribute(outputs[arm], pair, k, options) for arm in ARMS]
        maps.append([saliency_maps(one.maps) for one in found])
    return {
        "images": torch.from_numpy(np.stack(images)),
        "maps": torch.from_numpy(np.stack(maps)).half(),
    }


def _compare(outputs, tested, k, finding, options):
    images = {"plain": tested.cohort.images, "marked": tested.marked[finding]}
    found = {
        (arm, name): _attribute(outputs[arm], each, k, options)
        for arm in ARMS
        for name, each in images.items()
    }
    maps = {which: saliency_maps(attribution.maps) for which, attribution in found.items()}
    boxes = boxes_around(tested.masks[finding])
    columns = {
        "case_id": tested.cohort.case_ids,
        "finding": finding,
        "label": tested.cohort.labels[:, k].astype("int8"),
        "box_area": boxes.mean(axis=(1, 2)),
    }
    for name in images:
        columns[f"train_{name}"] = map_cosine_similarity(maps["real", name], maps["shortcut", name])
    for arm in ARMS:
        columns[f"test_{arm}"] = map_cosine_similarity(maps[arm, "plain"], maps[arm, "marked"])
        columns[f"box_{arm}"] = mass_inside(maps[arm, "marked"], boxes)
        columns[f"sum_{arm}"] = found[arm, "plain"].sums
        columns[f"difference_{arm}"] = found[arm, "plain"].differences
    return pd.DataFrame(columns)


def _attribute(output, images, k, options):
    scaled = torch.from_numpy(np.ascontiguousarray(images)).float() / 255
    return integrated_gradients(lambda batch, index: output(batch)[:, k], scaled, **options)
