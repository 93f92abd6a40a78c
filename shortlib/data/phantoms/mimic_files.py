"""Write the built-in chest data as MIMIC-CXR-JPG with the reports of MIMIC-CXR."""

import gzip
import hashlib

import numpy as np
import pandas as pd

from shortlib.data.phantoms.chest_batches import BATCH, check_counts, chest_batches
from shortlib.data.phantoms.chest_reports import FAINT, SUBTLE, write_report
from shortlib.data.phantoms.chest_studies import (
    POPULATION,
    cells,
    check_quality,
    stated_of,
    studies_of,
    write_beside,
    write_jpeg,
)
from shortlib.data.phantoms.chexpert_files import write_chexpert
from shortlib.data.placing import new_folder
from shortlib.data.splits import split_by_patient

__all__ = ["SHARES", "write_chexpert", "write_mimic"]

# The real set keeps 97.4% of its images for training; a miniature needs more to test on.
SHARES = {"train": 0.7, "validate": 0.1, "test": 0.2}
# Covariates that MIMIC-CXR-JPG says in its own tables.
_OWN = ["patient", "study", "view"]
# A prime; numbers below it are scattered over eight digits without meeting again.
_PRIME = 9_999_991


def write_mimic(
    root,
    n,
    *,
    seed=0,
    size=128,
    shares=None,
    population=POPULATION,
    subtle=SUBTLE,
    faint=FAINT,
    quality=95,
    n_jobs=1,
    batch=BATCH,
    **settings,
):
    """Write a miniature of MIMIC-CXR-JPG, with reports.

    ``mimic-cxr-2.0.0-{split,chexpert,metadata}.csv.gz``, images
    ``files/p10/p<subject>/s<study>/<image>.jpg`` and reports
    ``files/p10/p<subject>/s<study>.txt``; subjects have up to four images, in one study or
    several. What the layout has no place for lies beside it
    (:func:`shortlib.data.annotations.write_annotations`): masks of lungs, heart and findings,
    devices as shortcuts, and the covariates of the phantom, with the severity of
    each finding, which is the truth that report and labels tell of.

    The labels are what the report of the study states, which the rule of
    :func:`shortlib.data.phantoms.chest_reports.stated_labels` draws: subtle findings
    may be uncertain (-1) or missed (empty), absent ones may go unmentioned (empty).

    Parameters
    ----------
    root : str or pathlib.Path
        A new or empty folder.
    n : int
        Number of images, at least 12. More of them leave the first ones as they are,
        but for the split.
    seed : int
        Same arguments and seed, same bytes.
    size : int
        Side of the images, in pixels.
    shares : dict of str to float, optional
        Share of the subjects in ``"train"``, ``"validate"`` and ``"test"``, which sum
        to 1; the parts have the same findings. By default `SHARES`.
    population : shortlib.data.phantoms.chest.Population
    subtle, faint : float
        See :func:`shortlib.data.phantoms.chest_reports.stated_labels`.
    quality : int
        Of the JPEG files, 1 to 100.
    n_jobs : int
        Processes; the files do not depend on it.
    batch : int
        Images made at a time; nor do they depend on this.
    **settings
        Of :func:`shortlib.data.phantoms.chest.chest`, e.g. ``findings``, ``devices``.

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
    root, shares = new_folder(root), SHARES if shares is None else shares
    check_counts(n=n, batch=batch)
    check_quality(quality)
    if n < 12:
        raise ValueError(f"n must be at least 12 images, so that no part is empty, got {n}")
    if set(shares) != set(SHARES):
        raise ValueError(f"shares are of {', '.join(SHARES)}, got {dict(shares)}")
    cases, labels = [], []
    for cohort in chest_batches(
        n, n_jobs=n_jobs, batch=batch, size=size, seed=seed, population=population, **settings
    ):
        named = _named(cohort.covariates, seed)
        for row, image in zip(named.to_dict("records"), cohort.images, strict=True):
            write_jpeg(root / _study_folder(row) / f"{row['dicom_id']}.jpg", image[0], quality)
        write_beside(root, cohort, named["dicom_id"].to_numpy(dtype=str), _OWN)
        cases.append(named)
        labels.append(cohort.labels)
    cases = pd.concat(cases, ignore_index=True)
    cases["split"] = split_by_patient(
        cases["patient"], shares, strata=np.concatenate(labels), seed=seed
    )
    _write_studies(root, cases, seed, subtle, faint)
    _write_table(root, "split", cases[["dicom_id", "study_id", "subject_id", "split"]])
    _write_table(root, "metadata", _metadata(cases, size))
    return root


def _named(cases, seed):
    """Add the numbers that MIMIC gives to images, studies and subjects."""
    patient = cases["patient"].str.rsplit("-", n=1).str[1].astype(np.int64)
    studies = patient * 4 + cases["study_index"]
    start = np.random.default_rng([int(seed), 10]).integers(1, _PRIME, size=4).tolist()
    names = (f"{seed}/{number}" for number in cases["case"])
    return cases.assign(
        subject_id=10_000_000 + (patient * start[0] + start[1]) % _PRIME,
        study_id=50_000_000 + (studies * start[2] + start[3]) % _PRIME,
        dicom_id=[_dicom_id(name) for name in names],
    )


def _dicom_id(name):
    digits = hashlib.sha256(name.encode()).hexdigest()
    return "-".join(digits[start : start + 8] for start in range(0, 40, 8))


def _study_folder(row):
    subject = f"p{row['subject_id']}"
    return f"files/{subject[:3]}/{subject}/s{row['study_id']}"


def _write_studies(root, cases, seed, subtle, faint):
    """Write the report of each study and the table of what the reports state."""
    rows = []
    for study, case in zip(*_by_study(cases), strict=True):
        stated, rng = stated_of(study, case, seed, subtle=subtle, faint=faint)
        text = write_report(case, rng, stated)
        (root / f"{_study_folder(case)}.txt").write_bytes(text.encode())
        ids = {"subject_id": case["subject_id"], "study_id": case["study_id"]}
        rows.append({**ids, **cells(stated)})
    _write_table(root, "chexpert", pd.DataFrame(rows).sort_values(["subject_id", "study_id"]))


def _by_study(cases):
    studies = studies_of(cases)
    return studies.index, studies.to_dict("records")


def _metadata(cases, size):
    day = pd.Timestamp("2150-01-01") + pd.to_timedelta(
        cases["subject_id"] % 7000 + 40 * cases["study_index"], unit="D"
    )
    position = cases["view"].map({"PA": "CHEST (SINGLE VIEW)", "AP": "CHEST (PORTABLE AP)"})
    return cases[["dicom_id", "subject_id", "study_id"]].assign(
        PerformedProcedureStepDescription=position,
        ViewPosition=cases["view"],
        Rows=size,
        Columns=size,
        StudyDate=day.dt.strftime("%Y%m%d"),
    )


def _write_table(root, name, table):
    content = table.to_csv(index=False, lineterminator="\n").encode()
    # Without a time in the header, so that the same table is the same file.
    path = root / f"mimic-cxr-2.0.0-{name}.csv.gz"
    path.write_bytes(gzip.compress(content, 6, mtime=0))
