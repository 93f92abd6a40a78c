"""Write the built-in chest data as SIIM-ACR pneumothorax, with chest-tube labels."""

import hashlib
from dataclasses import replace

import cv2
import numpy as np

from shortlib.data.annotations import write_annotations
from shortlib.data.phantoms.chest.population import BLOCK
from shortlib.data.phantoms.chest_batches import BATCH, check_counts, chest_batches
from shortlib.data.phantoms.dicom_file import ENCODINGS, radiograph
from shortlib.data.placing import new_folder
from shortlib.data.rle import NO_MASK, encode
from shortlib.data.siim_acr import IMAGES, TABLE, TUBE, TUBES


def write_siim(
    root,
    n,
    *,
    seed=0,
    size=256,
    n_validation=None,
    n_test=None,
    encoding="jpeg",
    quality=95,
    n_jobs=1,
    batch=BATCH,
    **settings,
):
    """Write a miniature of SIIM-ACR with the chest-tube labels of spatial-specificity.

    ``dicom-images-train/<study>/<series>/<ImageId>.dcm``; ``train-rle.csv`` in the real
    spelling (``ImageId, EncodedPixels``, a row for each connected part of a mask, `` -1``
    without one); ``cxr_tube_labels.csv`` for the images of validation, then those for testing.
    What the layout has no place for lies beside it
    (:func:`shortlib.data.annotations.write_annotations`): masks of lungs, heart and tube,
    tube flags of the training images too, and the covariates of the phantom.

    Parameters
    ----------
    root : str or pathlib.Path
        A new or empty folder.
    n : int
        Number of images. The real set has 12,047.
    seed : int
        Same arguments and seed, same bytes.
    size : int
        Side of the images in pixels; the real ones have 1024.
    n_validation, n_test : int, optional
        Images with tube labels, which are the first ones; by default a fifth of `n` for
        each. The reader must be told `size` as ``side``, and `n_validation`.
    encoding : str
        ``"jpeg"``: as the real ones, compressed with loss. ``"none"``: uncompressed.
    quality : int
        Of the JPEG, 1 to 100.
    n_jobs : int
        Processes; the files do not depend on it.
    batch : int
        Images made at a time; nor do they depend on this.
    **settings
        Of :func:`shortlib.data.phantoms.chest.chest`, e.g. ``p_tube``, ``population``.

    Returns
    -------
    pathlib.Path
        `root`.

    Raises
    ------
    shortlib.data.problems.DataError
        If there is something in the folder already.
    ValueError
        If a parameter is out of range, or patients come in several images and a part
        would end within a patient's.
    """
    n_validation = max(n // 5, 1) if n_validation is None else n_validation
    n_test = max(n // 5, 1) if n_test is None else n_test
    check_counts(n=n, size=size, n_validation=n_validation, n_test=n_test, batch=batch)
    _check(n, n_validation, n_test, encoding, quality, settings)
    root = new_folder(root)
    (root / IMAGES).mkdir(parents=True, exist_ok=True)
    rows, tubes = ["ImageId, EncodedPixels"], ["ImageId,tube"]
    for cohort in chest_batches(
        n, n_jobs=n_jobs, batch=batch, task="pneumothorax", size=size, seed=seed, **settings
    ):
        ids = [_uid(seed, "image", case_id) for case_id in cohort.case_ids]
        for place, uid in enumerate(ids):
            _write_image(root, uid, cohort, place, encoding, quality, seed)
            rows += [f"{uid}, {runs}" for runs in _runs(cohort.abnormality_masks[place])]
        cohort = _beside(cohort, ids)
        write_annotations(root, cohort, fields=("anatomy_masks", "shortcut_masks"))
        tubes += [f"{uid},{int(tube)}" for uid, tube in zip(ids, cohort.shortcut, strict=True)]
    (root / TABLE).write_text("\n".join(rows) + "\n", encoding="utf-8", newline="\n")
    tubes = tubes[: 1 + n_validation + n_test]
    (root / TUBES[0]).write_text("\n".join(tubes) + "\n", encoding="utf-8", newline="\n")
    return root


def _check(n, n_validation, n_test, encoding, quality, settings):
    if n_validation + n_test >= n:
        raise ValueError(
            f"n must leave images for training, got {n} with {n_validation} for validation and "
            f"{n_test} for testing"
        )
    if encoding not in ENCODINGS:
        raise ValueError(f"encoding must be one of {ENCODINGS}, got {encoding!r}")
    if not 1 <= quality <= 100:
        raise ValueError(f"quality is a JPEG quality from 1 to 100, got {quality!r}")
    population = settings.get("population")
    repeats = population is not None and population.repeats > 0
    if repeats and (n_validation % BLOCK or n_test % BLOCK):
        raise ValueError(
            f"n_validation and n_test must be multiples of {BLOCK} where patients come again, "
            f"got {n_validation} and {n_test}"
        )


def _write_image(root, uid, cohort, place, encoding, quality, seed):
    case = cohort.covariates.iloc[place]
    study = _uid(seed, "study", case["study"])
    series = _uid(seed, "series", case["case"])
    path = root / IMAGES / study / series / f"{uid}.dcm"
    path.parent.mkdir(parents=True, exist_ok=True)
    data = radiograph(
        cohort.images[place, 0],
        uids=(study, series, uid),
        patient_id=str(cohort.patient_ids[place]),
        age=float(case["age"]),
        sex=str(case["sex"]),
        view=str(case["view"]),
        encoding=encoding,
        quality=quality,
    )
    path.write_bytes(data)


def _runs(planes):
    """Return the run lengths of each connected part, or that there is none."""
    mask = planes.reshape(-1, *planes.shape[-2:]).any(axis=0)
    count, parts = cv2.connectedComponents(mask.astype(np.uint8))
    return [encode(parts == part) for part in range(1, count)] or [NO_MASK]


def _beside(cohort, ids):
    """Keep the tube alone: other devices are known from the covariates."""
    shortcut, masks = cohort.shortcut, cohort.shortcut_masks
    if shortcut.ndim == 2:
        place = cohort.shortcut_names.index(TUBE)
        shortcut, masks = shortcut[:, place], masks[:, place]
    return replace(
        cohort,
        case_ids=np.array(ids),
        shortcut=shortcut,
        shortcut_masks=masks,
        shortcut_names=(TUBE,),
    )


def _uid(seed, *purpose):
    """Return an identifier under the root of UUIDs, the same wherever it is made."""
    text = "/".join(map(str, ("shortlib siim", seed, *purpose)))
    return f"2.25.{int(hashlib.sha256(text.encode()).hexdigest()[:32], 16)}"
