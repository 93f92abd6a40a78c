"""Studies of the chest phantom: what one report is about, and what it states."""

from dataclasses import replace

import cv2
import numpy as np

from shortlib.data.annotations import write_annotations
from shortlib.data.chexpert_labels import FINDINGS
from shortlib.data.phantoms.chest import Population
from shortlib.data.phantoms.chest_reports import DEVICES, FAINT, SUBTLE, stated_labels
from shortlib.data.seeds import derive_seed

# One image in two is followed by another of the same patient, more often a later study's
# than the same study's.
POPULATION = Population(repeats=0.5, follow_up=0.6)


def studies_of(cases):
    """Return one row a study: its first image's, with the devices of all its images.

    Parameters
    ----------
    cases : pandas.DataFrame
        Covariates of the chest phantom.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``study``, in order of occurrence.
    """
    studies = cases.groupby("study", sort=False).first()
    devices = [name for name in DEVICES if name in studies]
    if devices:
        studies[devices] = cases.groupby("study", sort=False)[devices].any()
    return studies


def stated_of(study, case, seed, *, subtle=SUBTLE, faint=FAINT):
    """Return what the report of a study states, and the generator that then writes it.

    Parameters
    ----------
    study : str
        Its name; with `seed` it decides what is drawn.
    case : mapping
        A row of :func:`studies_of`.
    seed : int
    subtle, faint : float
        See :func:`shortlib.data.phantoms.chest_reports.stated_labels`.

    Returns
    -------
    stated : dict of str to float
    rng : numpy.random.Generator
    """
    rng = np.random.default_rng(derive_seed(seed, "report", study))
    return stated_labels(case, rng, subtle=subtle, faint=faint), rng


def cells(stated):
    """Return labels as the cells of the labeller's table: 1.0, 0.0, -1.0 or nothing."""
    return {name: "" if np.isnan(stated[name]) else f"{stated[name]:.1f}" for name in FINDINGS}


def shortcut_columns(cohort):
    """Return which covariates of the chest phantom its shortcuts say as well."""
    return [name.lower().replace(" ", "_") for name in cohort.shortcut_names]


def write_beside(root, cohort, ids, own):
    """Write masks, devices and covariates beside a layout that has no place for them.

    Parameters
    ----------
    root : pathlib.Path
    cohort : shortlib.data.Cohort
        Of the chest phantom.
    ids : numpy.ndarray of str
        As the layout's reader names the cases.
    own : sequence of str
        Covariates that the layout has a place for. Devices are among the shortcuts
        and left out, too.
    """
    covariates = cohort.covariates.drop(columns=[*own, *shortcut_columns(cohort)])
    flags = covariates.select_dtypes(bool).columns
    covariates = covariates.astype(dict.fromkeys(flags, int))  # 0 and 1 are read as numbers
    write_annotations(root, replace(cohort, case_ids=ids, covariates=covariates))


def write_jpeg(path, image, quality):
    """Write a grey image.

    Parameters
    ----------
    path : pathlib.Path
        Folders above it are made.
    image : numpy.ndarray of uint8, shape (h, w)
    quality : int
        From 1 to 100.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _, code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    path.write_bytes(code.tobytes())


def check_quality(quality):
    """Refuse what is no JPEG quality."""
    if isinstance(quality, bool) or int(quality) != quality or not 1 <= quality <= 100:
        raise ValueError(f"quality is a JPEG quality from 1 to 100, got {quality!r}")
