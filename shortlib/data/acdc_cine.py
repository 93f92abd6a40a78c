"""All slices and phases of one ACDC patient, for figures that move."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shortlib.data.acdc import patient, patient_folders
from shortlib.data.cine import (
    PHASES,
    SIDE,
    SPACING,
    STRUCTURES,
    check_grid,
    middle_slice,
    volume_file,
)
from shortlib.data.nifti import (
    min_max,
    read_codes,
    read_header,
    read_volume,
    resample,
    resample_codes,
)
from shortlib.data.paths import existing
from shortlib.data.problems import DataError


@dataclass(frozen=True)
class Cine:
    """All slices of a patient at all phases, on the grid of the cohort.

    Parameters
    ----------
    images : numpy.ndarray of float32, shape (phases, slices, h, w)
        In [0, 1], scaled by the whole cine.
    ground_truth : dict of str to numpy.ndarray of uint8, shape (slices, h, w)
        At ``"ED"`` and ``"ES"``: 0 outside, 1 RV, 2 myocardium, 3 LV.
    phases : dict of str to int
        Position of ``"ED"`` and ``"ES"`` in `images`, from 0.
    middle : int
        The slice that the cohort has.
    group : str
    """

    images: np.ndarray
    ground_truth: dict[str, np.ndarray]
    phases: dict[str, int]
    middle: int
    group: str


def volume(root, case_id, *, spacing=SPACING, side=SIDE):
    """Read the whole cine of one patient.

    Parameters
    ----------
    root, spacing, side
        As in :func:`shortlib.data.acdc.read_index`.
    case_id : str
        Name of the patient's folder.

    Returns
    -------
    Cine

    Raises
    ------
    DataError
        If there is no such patient or no cine, or a file is damaged.
    """
    check_grid(spacing, side, ())
    root, folders = patient_folders(root)
    folder = next((name for name in folders if Path(name).name == case_id), None)
    if folder is None:
        raise DataError("unknown patient", f"no folder is called {case_id!r}", path=root)
    row = patient(root, folder, None)
    path = existing(root, volume_file(root, f"{folder}/{case_id}_4d"), "cine")
    values, header = read_volume(path, axes=4)
    phases = {phase: row[f"{phase.lower()}_frame"] - 1 for phase in PHASES}
    if max(phases.values()) >= len(values):
        sentence = f"it has {len(values)} phases, Info.cfg names frame {max(phases.values()) + 1}"
        raise DataError("frame out of range", sentence, path=path)
    truth, codes = {}, (0, *STRUCTURES.values())
    for phase in PHASES:
        like = read_header(existing(root, row[phase], "image"))
        if like.shape != header.shape[1:]:
            raise DataError(
                "phases disagree", f"{phase} is {like.shape}, the cine {header.shape}", path=path
            )
        file = existing(root, row[f"{phase}_gt"], "ground truth")
        truth[phase] = read_codes(file, codes=codes, like=like)
    grid = {"to": spacing, "side": side}
    return Cine(
        images=min_max(resample(values, header.spacing, **grid)),
        ground_truth={p: resample_codes(t, header.spacing, **grid) for p, t in truth.items()},
        phases=phases,
        middle=middle_slice(*(truth[phase] for phase in PHASES)),
        group=row["group"],
    )
