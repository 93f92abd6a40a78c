"""Write the built-in chest data as COVID-19 Radiography."""

from dataclasses import replace

import cv2
import numpy as np

from shortlib.data.annotations import write_annotations
from shortlib.data.covid_radiography import CLASSES, MASK_SIZE, OUTER, SIZE
from shortlib.data.images import fit_mask
from shortlib.data.phantoms.chest import Population
from shortlib.data.phantoms.chest_batches import BATCH, check_counts, chest_batches
from shortlib.data.phantoms.chest_studies import shortcut_columns
from shortlib.data.placing import new_folder
from shortlib.data.seeds import derive_seed

# Share of adults in each class. In the real data nearly all cases of viral pneumonia are
# children and nearly all others adults; the few exceptions are what the flipped views need.
ADULTS = {"COVID": 0.9, "Lung_Opacity": 0.9, "Normal": 0.9, "Viral Pneumonia": 0.1}


def write_covid(root, n_per_class, *, seed=0, adult=None, n_jobs=1, batch=BATCH, **settings):
    """Write a miniature of COVID-19 Radiography.

    ``COVID-19_Radiography_Dataset/<class>/images/<class>-<n>.png`` of 299 px and
    ``.../masks/<class>-<n>.png`` of 256 px, which mark both lungs. What the layout has no
    place for lies beside it (:func:`shortlib.data.annotations.write_annotations`): masks of
    the finding and of the shoulder joints, whether the patient is an adult, and
    the covariates of the phantom.

    Parameters
    ----------
    root : str or pathlib.Path
        A new or empty folder.
    n_per_class : int
        Images of each of the four classes. More of them leave the first ones as
        they are.
    seed : int
        Same arguments and seed, same bytes.
    adult : dict of str to float, optional
        Probability that a patient is an adult, by class; by default `ADULTS`.
    n_jobs : int
        Processes; the files do not depend on it.
    batch : int
        Images made at a time; nor do they depend on this.
    **settings
        Of :func:`shortlib.data.phantoms.chest.chest`, e.g. ``devices``.

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
    check_counts(n_per_class=n_per_class, batch=batch)
    root, adult = new_folder(root), {**ADULTS, **(adult or {})}
    for kind in CLASSES:
        folder = root / OUTER / kind
        for part in ("images", "masks"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        first = 1
        for cohort in chest_batches(
            n_per_class,
            n_jobs=n_jobs,
            batch=batch,
            task="pneumonia",
            size=SIZE,
            seed=derive_seed(seed, "covid radiography", kind),
            findings={name: float(name == kind) for name in CLASSES},
            population=Population(adult=adult),
            **settings,
        ):
            ids = [f"{kind}-{first + place}" for place in range(len(cohort))]
            _write_files(folder, ids, cohort)
            write_annotations(
                root, _beside(cohort, ids), fields=("abnormality_masks", "shortcut_masks")
            )
            first += len(cohort)
    return root


def _write_files(folder, ids, cohort):
    lungs = cohort.plane("anatomy_masks", "left lung") | cohort.plane("anatomy_masks", "right lung")
    for case_id, image, mask in zip(ids, cohort.images, lungs, strict=True):
        _write_png(folder / "images" / f"{case_id}.png", image[0])
        small = fit_mask(mask, MASK_SIZE).astype(np.uint8) * 255
        _write_png(folder / "masks" / f"{case_id}.png", small)


def _write_png(path, pixels):
    _, code = cv2.imencode(".png", pixels)
    path.write_bytes(code.tobytes())


def _beside(cohort, ids):
    """Return what goes beside the layout; a shortcut is no covariate as well."""
    covariates = cohort.covariates.drop(columns=shortcut_columns(cohort))
    return replace(cohort, case_ids=np.array(ids), covariates=covariates)
