"""Write the built-in chest data as CheXpert."""

import numpy as np
import pandas as pd

from shortlib.data.chexpert_labels import FINDINGS, FIVE
from shortlib.data.phantoms.chest.population import BLOCK
from shortlib.data.phantoms.chest_batches import BATCH, check_counts, chest_batches
from shortlib.data.phantoms.chest_reports import DEVICES, FAINT, SUBTLE
from shortlib.data.phantoms.chest_studies import (
    POPULATION,
    cells,
    check_quality,
    stated_of,
    studies_of,
    write_beside,
    write_jpeg,
)
from shortlib.data.placing import new_folder

FOLDER = "CheXpert-v1.0-small"
_OWN = ["patient", "study", "view", "age", "sex"]


def write_chexpert(
    root,
    n,
    *,
    seed=0,
    size=128,
    valid=None,
    population=POPULATION,
    subtle=SUBTLE,
    faint=FAINT,
    quality=95,
    n_jobs=1,
    batch=BATCH,
    **settings,
):
    """Write a miniature of CheXpert.

    ``CheXpert-v1.0-small/{train,valid}.csv`` and
    ``CheXpert-v1.0-small/<split>/patient<n>/study<n>/view<n>_frontal.jpg``, with the masks
    and covariates of :func:`shortlib.data.annotations.write_annotations` beside that
    folder.

    The labels of train are what a report on the study would state, as in
    :func:`shortlib.data.phantoms.mimic_files.write_mimic`; those of valid are the truth, 1
    and 0 only, as radiologists agreed on them in the real set.

    Parameters
    ----------
    root : str or pathlib.Path
        A new or empty folder.
    n : int
        Number of images, train and valid together; at least 8.
    valid : int, optional
        How many of them, the last ones, are valid, rounded so that no patient is in
        both; by default a fifth.
    seed, size, population, subtle, faint, quality, n_jobs, batch, **settings
        See :func:`shortlib.data.phantoms.mimic_files.write_mimic`.

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
    check_counts(n=n, batch=batch)
    check_quality(quality)
    trained = _trained(n, valid)
    cases, numbers = [], {}
    for cohort in chest_batches(
        n, n_jobs=n_jobs, batch=batch, size=size, seed=seed, population=population, **settings
    ):
        named = _named(cohort.covariates, trained, numbers)
        for path, image in zip(named["image"], cohort.images, strict=True):
            write_jpeg(root / FOLDER / f"{path}.jpg", image[0], quality)
        write_beside(root, cohort, named["image"].to_numpy(dtype=str), _OWN)
        cases.append(named)
    cases = pd.concat(cases, ignore_index=True)
    stated = _stated(cases, seed, subtle, faint)
    for split in ("train", "valid"):
        table = _table(cases[cases["split"] == split], stated)
        content = table.to_csv(index=False, lineterminator="\n").encode()
        (root / FOLDER / f"{split}.csv").write_bytes(content)
    return root


def _trained(n, valid):
    """Return where train ends: between two blocks of cases, which no patient crosses."""
    valid = round(n / 5) if valid is None else valid
    trained = round((n - valid) / BLOCK) * BLOCK
    if n < 2 * BLOCK or not BLOCK <= trained < n:
        raise ValueError(
            f"n must be at least {2 * BLOCK} images and valid leave at least {BLOCK} of them for "
            f"each part, got n = {n}, valid = {valid}"
        )
    return trained


def _named(cases, trained, numbers):
    """Add split and path; patients are numbered from 1 as they come, in `numbers`."""
    split = np.where(cases["case"] < trained, "train", "valid")
    patients = [numbers.setdefault(name, len(numbers) + 1) for name in cases["patient"]]
    rows = zip(split, patients, cases["study_index"] + 1, cases["image_index"] + 1, strict=True)
    paths = [f"{s}/patient{p:05d}/study{k}/view{v}_frontal" for s, p, k, v in rows]
    return cases.assign(split=split, image=paths)


def _stated(cases, seed, subtle, faint):
    """Return by study the cells of its labels."""
    studies = studies_of(cases)
    found = {}
    for study, case in zip(studies.index, studies.to_dict("records"), strict=True):
        if case["split"] == "valid":
            found[study] = cells(_truth(case))
        else:
            found[study] = cells(stated_of(study, case, seed, subtle=subtle, faint=faint)[0])
    return found


def _truth(case):
    truth = dict.fromkeys(FINDINGS, 0.0)
    for name in FIVE:
        truth[name] = float(case[f"{name.lower().replace(' ', '_')}_severity"] > 0)
    truth["No Finding"] = float(not any(truth.values()))
    truth["Support Devices"] = float(any(case.get(device) for device in DEVICES))
    return truth


def _table(cases, stated):
    labels = pd.DataFrame([stated[study] for study in cases["study"]], columns=list(FINDINGS))
    own = pd.DataFrame(
        {
            "Path": FOLDER + "/" + cases["image"] + ".jpg",
            "Sex": cases["sex"].map({"F": "Female", "M": "Male"}),
            "Age": cases["age"].astype(int),
            "Frontal/Lateral": "Frontal",
            "AP/PA": cases["view"],
        }
    ).reset_index(drop=True)
    return own.join(labels)
