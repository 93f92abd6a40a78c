"""Integrated gradients of the real-trained and the shortcut-trained model, compared."""

import numpy as np
import pandas as pd
import torch

from shortlib.data.seeds import derive_seed
from shortlib.explain.integrated_gradients import integrated_gradients
from shortlib.explain.maps import boxes_around, magnitudes, saliency_maps
from shortlib.metrics.saliency import map_cosine_similarity, mass_inside

ARMS = ("real", "shortcut")
CHUNK = 32  # test cases whose maps are in memory at a time
BATCH = 32  # points in a forward pass


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
        ``box_shortcut``, the share of the attribution's magnitude inside the symbol's box
        on the marked image (before the maps are cut, which would cap it), and
        ``box_area``, the box's share of the image; the attribution's sum and the output's
        difference on the plain image, ``sum_<arm>`` and ``difference_<arm>``.
    """
    options = {"steps": steps, "samples": samples, "noise": noise}
    tables = []
    for first in range(0, len(tested.cohort), CHUNK):
        some = tested[first : first + CHUNK]
        options["seed"] = derive_seed(seed, "smoothgrad", first)
        # One forward pass serves all findings where they share the image.
        plain = {arm: _attribute(outputs[arm], some.cohort.images, options) for arm in ARMS}
        for k, finding in enumerate(tested.cohort.label_names):
            marked = {
                arm: _attribute(outputs[arm], some.marked[finding], options, k) for arm in ARMS
            }
            table = _compare(some, k, plain, marked)
            tables.append(table[some.cohort.labels[:, k] >= 0])
    return pd.concat(tables, ignore_index=True)


def example_maps(outputs, tested, *, steps, samples, noise, seed):
    """Keep images and maps of one case for each finding, its first positive one if any.

    Returns
    -------
    dict of str to torch.Tensor
        ``images`` uint8 of shape (k, 2, h, w), plain and marked; ``maps`` float16 of
        shape (k, 2, 2, h, w), by arm and image.
    """
    images, maps = [], []
    for k, finding in enumerate(tested.cohort.label_names):
        case = tested[[int(np.argmax(tested.cohort.labels[:, k] == 1))]]
        options = {"steps": steps, "samples": samples, "noise": noise}
        options["seed"] = derive_seed(seed, "smoothgrad", finding)
        pair = np.concatenate([case.cohort.images, case.marked[finding]])
        images.append(pair[:, 0])
        found = [_attribute(outputs[arm], pair, options, k) for arm in ARMS]
        maps.append([saliency_maps(one.maps) for one in found])
    return {
        "images": torch.from_numpy(np.stack(images)),
        "maps": torch.from_numpy(np.stack(maps)).half(),
    }


def _compare(tested, k, plain, marked):
    """Compare the maps of one finding; `plain` has an axis of findings, `marked` has not."""
    finding = tested.cohort.label_names[k]
    maps = {(arm, "plain"): saliency_maps(plain[arm].maps[:, k]) for arm in ARMS}
    maps |= {(arm, "marked"): saliency_maps(marked[arm].maps) for arm in ARMS}
    boxes = boxes_around(tested.masks[finding])
    columns = {
        "case_id": tested.cohort.case_ids,
        "finding": finding,
        "label": tested.cohort.labels[:, k] == 1,
        "box_area": boxes.mean(axis=(1, 2)),
    }
    for image in ("plain", "marked"):
        columns[f"train_{image}"] = map_cosine_similarity(
            maps["real", image], maps["shortcut", image]
        )
    for arm in ARMS:
        columns[f"test_{arm}"] = map_cosine_similarity(maps[arm, "plain"], maps[arm, "marked"])
        columns[f"box_{arm}"] = mass_inside(magnitudes(marked[arm].maps), boxes)
        columns[f"sum_{arm}"] = plain[arm].sums[:, k]
        columns[f"difference_{arm}"] = plain[arm].differences[:, k]
    return pd.DataFrame(columns).astype({"label": "int8"})


def _attribute(output, images, options, k=slice(None)):
    """Attribute all outputs of each image, or one."""
    scaled = torch.from_numpy(np.ascontiguousarray(images)).float() / 255
    return integrated_gradients(
        lambda batch, index: output(batch)[:, k], scaled, batch_size=BATCH, **options
    )
