"""Built-in short-axis cine images of the heart as a cohort."""

import numpy as np
import pandas as pd

from shortlib.data.cohort import Cohort
from shortlib.data.phantoms.cardiac.disease import CLASSES
from shortlib.data.phantoms.cardiac.patient import describe, draw_patient
from shortlib.data.phantoms.cardiac.rendering import PHASES, STRUCTURES, Renderer
from shortlib.data.phantoms.cardiac.scanner import SCANNERS, store

FIELD_OF_VIEW = 192.0  # mm: 128 pixels of the 1.5 mm to which readers resample
ANATOMY = tuple(f"{structure} {phase}" for phase in PHASES for structure in STRUCTURES)
HABITUS = "heavy habitus"


def cardiac(
    n,
    *,
    first=0,
    size=128,
    seed=0,
    classes="cm",
    habitus_association=0.0,
    systemic=0.0,
    scanner=None,
    shares=None,
    erase=False,
    field_of_view=FIELD_OF_VIEW,
):
    """Draw mid-ventricular short-axis slices of patients with a disease of the heart.

    Each image has two channels, end-diastole and end-systole of one slice, as a
    balanced steady-state cine shows it: blood and fat bright, muscle dark grey, lungs
    nearly black. The classes differ in volumes, ejection fraction, thickness of the
    wall and how parts of it move, with overlap: see ``KINDS`` in
    :mod:`shortlib.data.phantoms.cardiac.disease`.

    Parameters
    ----------
    n : int
        Number of patients, one study each.
    first : int
        Number of the first patient. Patient ``first + i`` is the same whatever `n`.
    size : int
        Side of an image, pixels, at least 32.
    seed : int
    classes : str
        ``"cm"``: NICM, ICM, AMYL, HCM. ``"acdc"``: NOR, DCM, HCM, MINF, RV.
    habitus_association : float
        How far a heavy habitus (body mass index of at least 30) goes with disease:
        0, not at all; 1, 95 % of the patients of ICM, HCM, MINF and DCM are heavy and
        5 % of the others; -1, the reverse. It changes fat and liver, never the heart.
    systemic : float
        How far amyloid shows outside the heart, by pleural and pericardial fluid:
        from 0 (6 % of patients as in every class) to 1 (75 %).
    scanner : str, optional
        ``"A"`` (1.5 T) or ``"B"`` (3 T, noisier, more even, coarser); by default
        either, whatever the class.
    shares : sequence of float, optional
        Share of each class; by default each block of as many patients as there are
        classes holds one of each.
    erase : bool
        Show every patient with a normal heart and all else unchanged; the labels
        remain those of the disease. A classifier that reads the heart is lost.
    field_of_view : float
        Side of an image, mm.

    Returns
    -------
    Cohort
        ``images`` uint8 of shape (n, 2, size, size); ``labels`` an index into
        ``label_names``; ``anatomy_masks`` with the planes "RV ED", "myocardium ED",
        "LV ED", "RV ES", "myocardium ES", "LV ES", which do not overlap within a
        phase; ``abnormality_masks`` with the planes "ED" and "ES";
        ``shortcut`` (True where the habitus is heavy) and ``shortcut_masks`` (fat
        under the skin and about the heart of those patients, where both phases show
        it); ``patient_ids``;
        ``covariates`` as ``describe`` in ``patient.py`` lists them, and ``pixel_spacing``.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    """
    _check(size, classes)
    check_dials(n, first, seed, habitus_association, systemic, scanner, field_of_view)
    names = CLASSES[classes]
    labels = draw_labels(n, len(names), first=first, seed=seed, shares=shares)
    spacing = field_of_view / size
    images = np.empty((n, 2, size, size), np.uint8)
    anatomy = np.empty((n, len(ANATOMY), size, size), bool)
    abnormality = np.empty((n, 2, size, size), bool)
    habitus = np.empty((n, size, size), bool)
    rows = []
    for i, label in enumerate(labels):
        patient = draw_patient(
            seed,
            first + i,
            names[label],
            association=habitus_association,
            systemic=systemic,
            scanner=scanner,
            erase=erase,
        )
        middle = Renderer(patient, (size, size), spacing).slice(patient.middle)
        images[i] = store(middle.signal, patient.scanner)
        anatomy[i] = middle.anatomy.reshape(len(ANATOMY), size, size)
        abnormality[i] = middle.abnormality
        habitus[i] = middle.habitus.all(axis=0)
        rows.append({**describe(patient), "pixel_spacing": spacing})
    ids = np.array([f"cardiac-{classes}-{seed}-{first + i:05d}" for i in range(n)])
    return Cohort(
        name=f"cardiac-{classes}",
        case_ids=ids,
        images=images,
        labels=labels,
        abnormality_masks=abnormality,
        anatomy_masks=anatomy,
        shortcut=np.array([row["habitus"] == "heavy" for row in rows]),
        shortcut_masks=habitus,
        patient_ids=ids.copy(),
        covariates=pd.DataFrame(rows),
        label_names=names,
        abnormality_names=PHASES,
        anatomy_names=ANATOMY,
        shortcut_names=(HABITUS,),
    )


def draw_labels(n, classes, *, first=0, seed=0, shares=None):
    """Draw the class of patients ``first`` to ``first + n - 1``.

    Parameters
    ----------
    n, classes : int
    first, seed : int
    shares : sequence of float, optional
        Of each class. By default each block of `classes` patients is a permutation.

    Returns
    -------
    numpy.ndarray of int64, shape (n,)
        The class of a patient depends on its number and `seed` alone.

    Raises
    ------
    ValueError
        If the shares are not as many as the classes, negative, or do not sum to 1.
    """
    numbers = range(first, first + n)
    if shares is None:
        blocks = {
            block: np.random.default_rng([int(seed), block, 8]).permutation(classes)
            for block in {number // classes for number in numbers}
        }
        drawn = [blocks[number // classes][number % classes] for number in numbers]
        return np.array(drawn, dtype=np.int64)
    shares = np.asarray(shares, dtype=float)
    if shares.shape != (classes,) or (shares < 0).any() or abs(shares.sum() - 1) > 1e-6:
        raise ValueError(f"shares are {classes} numbers that sum to 1, got {shares.tolist()}")
    u = [np.random.default_rng([int(seed), number, 9]).random() for number in numbers]
    return np.minimum(np.searchsorted(np.cumsum(shares), u, side="right"), classes - 1)


def check_dials(n, first, seed, association, systemic, scanner, field_of_view):
    """Refuse what the cohort and the files are made with when it is out of range.

    Raises
    ------
    ValueError
        The sentence names the parameter, the value it got and what would do.
    """
    for name, value, least in (("n", n, 1), ("first", first, 0), ("seed", seed, 0)):
        _check_whole(name, value, least)
    if not -1 <= association <= 1:
        raise ValueError(f"habitus_association lies in [-1, 1], got {association}")
    if not 0 <= systemic <= 1:
        raise ValueError(f"systemic lies in [0, 1], got {systemic}")
    if scanner is not None and scanner not in SCANNERS:
        raise ValueError(f"scanner is None or one of {tuple(SCANNERS)}, got {scanner!r}")
    if not 120 <= field_of_view <= 400:
        raise ValueError(f"field_of_view lies between 120 and 400 mm, got {field_of_view}")


def _check(size, classes):
    _check_whole("size", size, 32)
    if classes not in CLASSES:
        raise ValueError(f"classes must be one of {tuple(CLASSES)}, got {classes!r}")


def _check_whole(name, value, least):
    if isinstance(value, bool) or int(value) != value or value < least:
        raise ValueError(f"{name} is a whole number of at least {least}, got {value}")
