"""ACDC (Bernard et al., IEEE TMI 2018): short-axis cine studies of five groups of patients.

The layout is ``{training,testing}/patientNNN`` with ``Info.cfg``, the frames
``patientNNN_frameFF.nii.gz`` at end-diastole and end-systole, their ground truth
``..._gt.nii.gz`` and the cine ``patientNNN_4d.nii.gz``. A root whose folders are the
patients themselves, as other cine data in this naming have it, is read too.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from shortlib.data.cine import (
    PHASES,
    PLANES,
    SIDE,
    SPACING,
    TRUTHS,
    Pair,
    check_grid,
    truth_files,
    volume_file,
)
from shortlib.data.drawn_splits import split_by_shares
from shortlib.data.index import Index
from shortlib.data.info_cfg import read_info
from shortlib.data.nifti import read_header
from shortlib.data.paths import data_set_root, existing, inside
from shortlib.data.problems import DataError

NAME = "ACDC"
SIZE = SIDE
GROUPS = ("DCM", "HCM", "MINF", "NOR", "RV")
SPLITS = ("official", "random", "none")
FOLDERS = {"training": "train", "testing": "test"}

_NO_PATIENTS = ("annotations", "__MACOSX")
_MEASURED = ("height", "weight", "bmi", "frames", "slices", "spacing_x", "spacing_y", "thickness")


def read_index(
    root,
    *,
    problems,
    groups=GROUPS,
    planes=PLANES,
    split=None,
    train_share=0.7,
    seed=0,
    spacing=SPACING,
    side=SIDE,
):
    """List the patients; a case is one patient, seen at ED and at ES.

    Parameters
    ----------
    root : str or pathlib.Path
        Holds ``training`` and ``testing``, or the patients.
    problems : shortlib.data.problems.Problems
    groups : sequence of str or None
        Values of ``Group`` that there are; the label is the place in this list. With
        None any group goes, and there is no label: it is a covariate alone.
    planes : sequence of str
        Of the anatomy masks. A structure that nobody drew is left out here; one that
        is named and that a patient's ground truth has nowhere is an error.
    split : str, optional
        ``"official"``: the folders, as ``train`` and ``test``; ``"random"``: by
        patient, with the same shares of the groups, as the paper splits; ``"none"``:
        all in ``all``. By default official where there are such folders, else random.
    train_share : float
        Of a random split.
    seed : int
        Of a random split.
    spacing : float
        Millimetres between pixels after resampling, at `side` pixels.
    side : int
        Pixels of a side; 224 at 1.5 mm in the paper's code. Another size asked of a
        cohort shows the same field of view with larger or smaller pixels.

    Returns
    -------
    shortlib.data.index.Index
        Images float32 in [0, 1] of shape (2, h, w): ED, then ES, of one
        mid-ventricular slice (:func:`shortlib.data.cine.middle_slice`).

    Raises
    ------
    DataError
        If the folder is not as the layout says.
    ValueError
        If an option is none of those that there are.
    """
    planes = check_grid(spacing, side, planes)
    groups = None if groups is None else tuple(groups)
    if split not in (None, *SPLITS):
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
    if not 0 < train_share < 1:
        raise ValueError(f"train_share must lie between 0 and 1, got {train_share!r}")
    root, folders = patient_folders(root)
    if split == "official" and None in folders.values():
        raise DataError(
            "no official split", f"it needs the folders {' and '.join(FOLDERS)}", path=root
        )
    rows, seen = [], set()
    for folder, part in folders.items():
        try:
            row = patient(root, folder, groups)
            if row["case_id"] in seen:
                raise DataError("duplicate patient", "is in another folder too", path=root / folder)
        except DataError as error:
            problems.add(error)
            continue
        seen.add(row["case_id"])
        rows.append({**row, "split": part})
    if not rows:
        raise DataError("no cases", f"no patient of {len(folders)} can be used", path=root)
    cases = _without_empty(pd.DataFrame(rows))
    if groups is not None:
        cases["label"] = cases["group"].map(groups.index)
    if split == "none":
        cases["split"] = "all"
    elif split == "random" or cases["split"].isna().any():
        shares = {"train": train_share, "test": 1 - train_share}
        cases["split"] = split_by_shares(cases, shares, strata="group", seed=seed, root=root)
    pair = Pair(root, spacing, side, planes)
    readers, names = pair.readers(cases)
    return Index(
        name="acdc",
        root=root,
        cases=cases,
        readers=readers,
        size=side,
        files=tuple(name for name in cases if name.startswith(PHASES)),
        labels=() if groups is None else ("label",),
        label_names=() if groups is None else groups,
        covariates=tuple(name for name in ("group", *_MEASURED) if name in cases),
        planes=names,
        fit="stretch",
        problems=problems,
    )


def patient_folders(root):
    """Find the folders of the patients.

    Parameters
    ----------
    root : str or pathlib.Path

    Returns
    -------
    root : pathlib.Path
    folders : dict of str to str or None
        Path below `root` to the official part, None where there are no parts.

    Raises
    ------
    DataError
        If there is none; the sentence points to the right folder when it is near.
    """
    root = Path(root)
    if root.name in FOLDERS and any((root.parent / other).is_dir() for other in FOLDERS):
        raise DataError("wrong root", f"this is one part of it; give {root.parent}", path=root)
    if not any((root / folder).is_dir() for folder in FOLDERS):
        if not root.is_dir() or not any(path.is_file() for path in root.glob("*/Info.cfg")):
            data_set_root(root, NAME, holds=tuple(FOLDERS))
        return root, dict.fromkeys(_below(root))
    found = {}
    for folder, part in FOLDERS.items():
        if (root / folder).is_dir():
            inside(root, folder)
            found.update((f"{folder}/{name}", part) for name in _below(root / folder))
    return root, found


def _below(folder):
    return sorted(
        path.name
        for path in folder.iterdir()
        if path.is_dir() and not path.name.startswith(".") and path.name not in _NO_PATIENTS
    )


def patient(root, folder, groups):
    """List one patient: what ``Info.cfg`` says, the paths of the files, the grid.

    Parameters
    ----------
    root : pathlib.Path
    folder : str
        Below `root`.
    groups : tuple of str or None
        As in :func:`read_index`.

    Returns
    -------
    dict
        A row of the index, without its split.

    Raises
    ------
    DataError
        If ``Info.cfg`` is broken, names an unknown group or a frame that is not
        there, or there is no ground truth.
    """
    name = Path(folder).name
    path = existing(root, f"{folder}/Info.cfg", "Info.cfg")
    info = read_info(path)
    if groups is not None and info["Group"] not in groups:
        raise DataError(
            "unknown group", f"{info['Group'][:80]!r}; groups are {', '.join(groups)}", path=path
        )
    height, weight = info.get("Height", np.nan), info.get("Weight", np.nan)
    row = {
        "case_id": name,
        "patient_id": name,
        "group": info["Group"],
        "height": height,
        "weight": weight,
        "bmi": weight / (height / 100) ** 2,
        "frames": info.get("NbFrame", np.nan),
    }
    for phase in PHASES:
        stem = f"{folder}/{name}_frame{info[phase]:02d}"
        row[f"{phase.lower()}_frame"] = info[phase]
        row[phase] = volume_file(root, stem)
        row[f"{phase}_gt"] = volume_file(root, f"{stem}_gt")
        _check_frame(root, row[phase], phase, info[phase])
        existing(root, row[f"{phase}_gt"], "ground truth")
        row |= {f"{phase}_{kind}": file for kind, file in truth_files(root, row[phase]).items()}
    header = read_header(existing(root, row["ED"], "image"))
    row["slices"], row["thickness"] = header.shape[0], header.thickness
    row["spacing_y"], row["spacing_x"] = header.spacing
    return row


def _check_frame(root, relative, phase, frame):
    """Refuse a frame without a file; the sentence says which frames there are."""
    try:
        existing(root, relative, "image")
    except DataError as error:
        if error.kind != "missing image":
            raise
        path = root / relative
        names = [file.name.partition(".")[0] for file in path.parent.glob("*_frame*.nii*")]
        numbers = [name.rpartition("_frame")[2] for name in names]
        there = ", ".join(sorted({n for n in numbers if n.isdigit()})) or "none"
        said = f"Info.cfg says that {phase} is frame {frame:02d}; the folder has frames {there}"
        raise DataError(error.kind, said, path=path) from error


def _without_empty(cases):
    """Leave out columns that no patient has anything in."""
    empty = [name for name in _MEASURED if cases[name].isna().all()]
    empty += [name for p in PHASES for name in (f"{p}_{k}" for k in TRUTHS) if not any(cases[name])]
    return cases.drop(columns=empty)
