"""Radiograph-like chest images with findings, devices and masks, as a cohort."""

import cv2
import numpy as np
import pandas as pd

from shortlib.data.cohort import Cohort
from shortlib.data.phantoms.chest import record
from shortlib.data.phantoms.chest.anatomy import LEFT, RIGHT
from shortlib.data.phantoms.chest.cases import draw, render
from shortlib.data.phantoms.chest.settings import TASKS, erased_names, make_settings

SIZES = (32, 2048)


def chest(
    n,
    *,
    task="findings",
    first=0,
    size=128,
    seed=0,
    findings=None,
    population=None,
    p_tube=None,
    devices=None,
    erase=False,
    name=None,
):
    """Draw frontal chest images whose truth is known.

    Each image is computed from the centimetres of soft tissue, aerated lung,
    bone and metal that each ray meets, by Beer and Lambert's law with scatter,
    quantum noise, grain and a display curve. Case ``first + i`` depends on its
    number, `seed` and the other settings, never on `n` or on how a cohort is cut
    into batches.

    Parameters
    ----------
    n : int
        Number of images.
    task : str
        ``"findings"``: five findings that co-occur, as in MIMIC-CXR and CheXpert.
        ``"pneumonia"``: the four classes of COVID-19 Radiography.
        ``"pneumothorax"``: pneumothorax and chest tubes, as in SIIM-ACR.
    first : int
        Number of the first case.
    size : int
        Side of the images, in pixels, from 32 to 2048.
    seed : int
        Same settings and seed, same images.
    findings : dict of str to float, optional
        Overrides prevalences, in [0, 1]: of each finding (``"findings"``; for
        ``"pneumothorax"`` of it and of the five others, which occur beside it and
        independently of it), or the share of each class (``"pneumonia"``; they are
        scaled to sum to 1).
    population : Population, optional
        Ages, sexes, views and images per patient.
    p_tube : dict, optional
        Probability of a chest tube without (key 0) and with (key 1) a
        pneumothorax; default 0.05 and 0.45.
    devices : dict of str to float, optional
        Probability, for every image alike, of ``"ECG leads"``, ``"central line"``,
        ``"pacemaker"`` and of a letter for the side, ``"marker"``. Default 0.08, 0.08, 0.04
        and 0 for ``"findings"``, none for the other tasks.
    erase : bool or tuple of str
        Findings that are left out of the image and the masks while all else
        stays: True for all that the task labels. Labels and covariates still say
        what the case has.
    name : str, optional
        Name of the cohort.

    Returns
    -------
    Cohort
        ``images`` uint8 (n, 1, size, size). ``labels``: float (n, 5) of 0 and 1, int
        (n,) into ``("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia")``, or int
        (n,) of 0 and 1. ``anatomy_masks`` (n, 3, h, w): left lung (the patient's, on
        the right of the image), right lung, heart; the lung is what a reader would
        outline, fluid and free air included. ``abnormality_masks`` (n, k, h, w): one
        plane for each finding that the task labels. ``shortcut`` and
        ``shortcut_masks``: ``"chest tube"`` for pneumothorax; ``"adult"`` for
        pneumonia, with the shoulders' joints, where growth plates show, masked in
        every case; then each of `devices` with a probability above 0. With one
        shortcut they have one axis less; with none they are absent.
        ``covariates``: see Notes.

    Raises
    ------
    ValueError
        If a setting is out of range or a name is not known.

    Notes
    -----
    Columns of ``covariates``: ``case``, ``patient``, ``study``, ``study_index``,
    ``image_index``, ``view`` (PA or AP), ``age`` (years), ``sex`` (F or M), ``adult``, ``ctr`` (the
    cardiothoracic ratio drawn), ``prior`` (whether there is an earlier study), for each
    finding that can occur, with its name in lower case and ``_`` for spaces,
    ``<finding>_severity`` (0 absent, to 1), ``<finding>_side`` (left, right, bilateral or
    empty) and ``<finding>_change`` (against the prior study: new, worse, unchanged,
    better, resolved, or empty), and for each device, likewise, whether it is there,
    with ``chest_tube_side``.

    How findings co-occur is described in
    :func:`shortlib.data.phantoms.chest.population.severities`.
    """
    settings = make_settings(task, seed, findings, population, p_tube, devices)
    labelled = TASKS[task]
    erased = erased_names(erase, settings)
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    if first < 0:
        raise ValueError(f"first must not be negative, got {first}")
    if not SIZES[0] <= size <= SIZES[1]:
        raise ValueError(f"size must be from {SIZES[0]} to {SIZES[1]} pixels, got {size}")
    shortcuts = record.shortcut_names(settings)
    images = np.empty((n, 1, size, size), np.uint8)
    anatomy = np.empty((n, 3, size, size), bool)
    abnormal = np.zeros((n, len(labelled), size, size), bool)
    masks = np.zeros((n, len(shortcuts), size, size), bool)
    cases, rows = [], []
    for i in range(n):
        case = draw(first + i, settings)
        images[i, 0], scene = render(case, settings, size, erased)
        lungs = (_whole(scene.lung[side] > 0.5) for side in (LEFT, RIGHT))
        anatomy[i] = *lungs, scene.heart > 0.5
        for plane, finding in enumerate(labelled):
            if finding in scene.masks:
                abnormal[i, plane] = scene.masks[finding]
        for plane, device in enumerate(shortcuts):
            if device in scene.masks:
                masks[i, plane] = scene.masks[device]
        cases.append(case)
        rows.append(record.row(case, scene.person, settings))
    flags = np.array([[record.carries(case, s) for s in shortcuts] for case in cases], dtype=bool)
    single = len(shortcuts) == 1
    return Cohort(
        name=name or f"chest-{task}",
        case_ids=np.array([f"{task}-{seed}-{case.number:07d}" for case in cases]),
        images=images,
        labels=record.labels(cases, task),
        abnormality_masks=abnormal,
        anatomy_masks=anatomy,
        shortcut=None if not shortcuts else flags[:, 0] if single else flags,
        shortcut_masks=None if not shortcuts else masks[:, 0] if single else masks,
        patient_ids=np.array([row["patient"] for row in rows]),
        covariates=pd.DataFrame(rows),
        label_names=record.LABEL_NAMES[task],
        abnormality_names=labelled,
        anatomy_names=("left lung", "right lung", "heart"),
        shortcut_names=shortcuts,
    )


def _whole(mask):
    """Keep the largest piece of a mask: the heart's edge may cut a speck off a lung."""
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    sizes = stats[1:, cv2.CC_STAT_AREA]
    return pieces == 1 + sizes.argmax() if len(sizes) > 1 else mask
