"""Write the built-in skin data as ISIC 2018 Task 1 with the trap sets of Bissoto et al. (2020)."""

from dataclasses import replace

import cv2
import numpy as np
import pandas as pd

from shortlib.data.annotations import FOLDER, write_annotations
from shortlib.data.phantoms.skin.association import PREVALENCE, SHORTCUTS
from shortlib.data.phantoms.skin.cases import skin
from shortlib.data.phantoms.skin.trap_sets import draw_dials, draw_trap_set
from shortlib.data.placing import new_folder
from shortlib.data.seeds import derive_seed

IMAGES = "ISIC2018_Task1-2_Training_Input"
MASKS = "ISIC2018_Task1_Training_GroundTruth"
TRAP_SETS = (1, 2, 3, 4, 5)


def write_isic2018(
    root,
    n,
    *,
    seed=0,
    size=256,
    melanoma=0.2,
    separation=3.4,
    prevalence=PREVALENCE,
    quality=92,
    batch=64,
):
    """Write a miniature of ISIC 2018 Task 1 with five trap sets.

    The folders and tables are those that the real data come in: pictures
    ``ISIC_0000000.jpg``, lesions ``ISIC_0000000_segmentation.png`` (0 or 255), and in
    ``annotations`` the tables ``isic_annotated_{train,val,test}{1..5}.csv`` and
    ``isic_bias.csv`` (separated by semicolons). In the tables ``image`` ends in .png though
    the files end in .jpg, the index is the place in ``isic_bias.csv``, and all
    images of val are in train too: so it is in the published ones. Beside them lie
    the masks and covariates of :func:`shortlib.data.annotations.write_annotations`.

    The trap sets are drawn from the pictures as
    :mod:`shortlib.data.phantoms.skin.trap_sets` says, in the real proportions: of
    2,594 pictures 1,822 in train, 259 of them in val, and 772 in test. Which pictures
    are of one patient is not written, and two of one patient may fall into two parts,
    as may happen in the real data.

    Parameters
    ----------
    root : str or pathlib.Path
        A new or empty folder.
    n : int
        Number of pictures, at least 20.
    seed : int
        Same arguments and seed, same bytes.
    size : int
        Side of the pictures, in pixels. (The real ones have many sizes.)
    melanoma, separation, prevalence
        See :func:`shortlib.data.phantoms.skin.skin`.
    quality : int
        Of the JPEG files, 1 to 100.
    batch : int
        Pictures made at a time. The files do not depend on it.

    Returns
    -------
    pathlib.Path
        `root`.

    Raises
    ------
    shortlib.data.problems.DataError
        If there is something in the folder already.
    ValueError
        If a parameter is out of range.
    """
    root = new_folder(root)
    if n < 20:
        raise ValueError(f"n must be at least 20 pictures, so that no part is empty, got {n}")
    if not 1 <= quality <= 100:
        raise ValueError(f"quality is a JPEG quality from 1 to 100, got {quality}")
    if batch < 1:
        raise ValueError(f"batch must be at least 1 picture, got {batch}")
    for name in (IMAGES, MASKS):
        (root / name).mkdir(parents=True, exist_ok=True)
    dials = draw_dials(np.random.default_rng(derive_seed(seed, "skin pool")), n)
    rows = []
    for first in range(0, n, batch):
        cohort = skin(
            min(batch, n - first),
            first=first,
            size=size,
            seed=seed,
            part="all",
            association=dials[first : first + batch],
            melanoma=melanoma,
            separation=separation,
            prevalence=prevalence,
        )
        ids = [f"ISIC_{first + k:07d}" for k in range(len(cohort))]
        # How a case was made says nothing of the part that it is drawn for below.
        covariates = cohort.covariates.drop(columns="association")
        cohort = replace(cohort, case_ids=np.array(ids), covariates=covariates)
        _write_pictures(root, cohort, quality)
        # The layout has its own place for the lesion.
        write_annotations(root, cohort, fields=("shortcut_masks",))
        rows.append(_rows(cohort))
    _write_tables(root / FOLDER, pd.concat(rows, ignore_index=True), seed, prevalence)
    return root


def _write_pictures(root, cohort, quality):
    for case_id, image, lesion in zip(
        cohort.case_ids, cohort.images, cohort.abnormality_masks, strict=True
    ):
        picture = np.ascontiguousarray(image[::-1].transpose(1, 2, 0))
        _, code = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
        (root / IMAGES / f"{case_id}.jpg").write_bytes(code.tobytes())
        _, code = cv2.imencode(".png", lesion.astype(np.uint8) * 255)
        (root / MASKS / f"{case_id}_segmentation.png").write_bytes(code.tobytes())


def _rows(cohort):
    table = pd.DataFrame({"image": [f"{case_id}.png" for case_id in cohort.case_ids]})
    table = table.join(pd.DataFrame(cohort.shortcut.astype(int), columns=SHORTCUTS))
    table["vasc"] = cohort.covariates["vasc"]
    table["label"] = cohort.labels.astype(int)
    return table.assign(label_string=np.array(("benign", "malignant"))[table["label"]])


def _write_tables(folder, pool, seed, prevalence):
    pool.drop(columns="vasc").to_csv(folder / "isic_bias.csv", sep=";", lineterminator="\n")
    labels, shortcut = pool["label"].to_numpy(), pool[list(SHORTCUTS)].to_numpy(bool)
    for number in TRAP_SETS:
        rng = np.random.default_rng(derive_seed(seed, "trap set", number))
        trap = draw_trap_set(rng, labels, shortcut, prevalence)
        for part in ("train", "val", "test"):
            rows = pool.iloc[getattr(trap, part)]
            rows.to_csv(folder / f"isic_annotated_{part}{number}.csv", lineterminator="\n")
