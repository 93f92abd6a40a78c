"""Built-in cardiac studies, written to disk as the real data sets have them.

Both writers put what the layouts have no place for below ``annotations`` in the root:
for every frame, under its own path, ``..._abnormality.nii.gz`` and
``..._shortcut.nii.gz`` (uint8, 0 and 1, the grid of the frame), and ``cases.csv``.
The same arguments give the same bytes.
"""

import numpy as np
import pandas as pd

from shortlib.data.phantoms.cardiac.cohort import HABITUS, check_dials, draw_labels
from shortlib.data.phantoms.cardiac.disease import CLASSES
from shortlib.data.phantoms.cardiac.patient import describe, draw_patient
from shortlib.data.phantoms.cardiac.rendering import PHASES
from shortlib.data.phantoms.cardiac.stack import Stack
from shortlib.data.placing import new_folder

ANNOTATIONS = "annotations"
FRAMES = 30  # of a cardiac cycle
CODES = (1, 2, 3)  # ACDC: right ventricle, myocardium, left cavity
TWO_STUDIES = 0.15  # share of the patients of a CM cohort


def write_acdc(
    root,
    n,
    *,
    first=0,
    seed=0,
    test_share=1 / 3,
    habitus_association=0.0,
    scanner=None,
    spacing=None,
    field_of_view=240.0,
    cines=0,
):
    """Write patients of the five groups of ACDC, in its layout.

    ``{training,testing}/patientNNN`` with ``Info.cfg``, the frames at end-diastole and
    end-systole (int16), their ground truth (uint8; 1 RV, 2 myocardium, 3 LV) and, for
    the first patients, the cine.

    Parameters
    ----------
    root : str or pathlib.Path
        Created if it is not there.
    n : int
        Number of patients, numbered from 1; the last ones are the test set.
    first : int
        Which patient of the generator is the first one: ``patient001`` is the patient
        that ``cardiac(1, first=first, classes="acdc")`` shows.
    seed : int
    test_share : float
        In [0, 1).
    habitus_association, scanner
        As in :func:`shortlib.data.phantoms.cardiac.cardiac`.
    spacing : float, optional
        Of a pixel, mm; by default that of each patient's acquisition, 1.3 to 1.8.
    field_of_view : float
        Width of an image, mm; the height is 0.9 of it.
    cines : int
        Number of patients with a cine of 30 phases; about 7 MB each.

    Raises
    ------
    shortlib.data.problems.DataError
        If there is something in the folder already.
    ValueError
        If an argument is out of range.
    """
    _check(test_share, spacing)
    check_dials(n, first, seed, habitus_association, 0.0, scanner, field_of_view)
    root = new_folder(root)
    groups = CLASSES["acdc"]
    labels = draw_labels(n, len(groups), first=first, seed=seed)
    training = n - round(n * test_share)
    rows = []
    for i, label in enumerate(labels):
        name = f"patient{i + 1:03d}"
        folder = f"{'training' if i < training else 'testing'}/{name}"
        patient = draw_patient(
            seed, first + i, groups[label], association=habitus_association, scanner=scanner
        )
        end = int(np.random.default_rng([int(seed), first + i, 11]).integers(9, 15))
        stems = (f"{folder}/{name}_frame01", f"{folder}/{name}_frame{end:02d}")
        stack = Stack(patient, spacing, field_of_view)
        _write_frames(root, stems, stack)
        if i < cines:
            _write_cine(root / f"{folder}/{name}_4d.nii.gz", stack, end)
        body = patient.body
        lines = {
            "ED": 1,
            "ES": end,
            "Group": patient.kind,
            "Height": f"{body.height:.1f}",
            "NbFrame": FRAMES,
            "Weight": f"{body.weight:.1f}",
        }
        text = "".join(f"{key}: {value}\n" for key, value in lines.items())
        (root / folder / "Info.cfg").write_bytes(text.encode())
        rows.append({"case_id": name, **_known(patient)})
    _write_table(root / ANNOTATIONS / "cases.csv", rows)


def write_cm(
    root,
    n,
    *,
    first=0,
    seed=0,
    test_share=0.3,
    habitus_association=0.0,
    systemic=0.0,
    scanner=None,
    shares=None,
    spacing=None,
    field_of_view=240.0,
):
    """Write patients with four diseases of the heart muscle, in the layout for own cohorts.

    ``cases.csv`` with the columns ``patient``, ``study``, ``group``, ``split``,
    ``scanner``, ``age`` and ``sex``, and ``<patient>/<study>/{ED,ES}.nii.gz`` with
    ``{ED,ES}_gt.nii.gz`` (codes as ACDC). About one patient in seven has two studies.

    Parameters
    ----------
    root : str or pathlib.Path
        Created if it is not there.
    n : int
        Number of patients; the last ones are the test set.
    first, seed, test_share, spacing, field_of_view
        As in :func:`write_acdc`.
    habitus_association, systemic, scanner, shares
        As in :func:`shortlib.data.phantoms.cardiac.cardiac`.

    Raises
    ------
    shortlib.data.problems.DataError
        If there is something in the folder already.
    ValueError
        If an argument is out of range.
    """
    _check(test_share, spacing)
    check_dials(n, first, seed, habitus_association, systemic, scanner, field_of_view)
    root = new_folder(root)
    groups = CLASSES["cm"]
    labels = draw_labels(n, len(groups), first=first, seed=seed, shares=shares)
    training = n - round(n * test_share)
    cases, rows = [], []
    for i, label in enumerate(labels):
        name = f"P{i + 1:04d}"
        again = np.random.default_rng([int(seed), first + i, 12]).random() < TWO_STUDIES
        for study in range(1 + again):
            patient = draw_patient(
                seed,
                first + i,
                groups[label],
                study=study,
                association=habitus_association,
                systemic=systemic,
                scanner=scanner,
            )
            folder = f"{name}/S{study + 1}"
            stack = Stack(patient, spacing, field_of_view)
            _write_frames(root, [f"{folder}/{phase}" for phase in PHASES], stack)
            cases.append(
                {
                    "patient": name,
                    "study": f"S{study + 1}",
                    "group": patient.kind,
                    "split": "train" if i < training else "test",
                    "scanner": patient.scanner.name,
                    "age": patient.age,
                    "sex": patient.body.sex,
                }
            )
            known = _known(patient)
            known = {name: value for name, value in known.items() if name not in cases[-1]}
            rows.append({"case_id": f"{name}-S{study + 1}", **known})
    _write_table(root / "cases.csv", cases)
    _write_table(root / ANNOTATIONS / "cases.csv", rows)


def _write_frames(root, stems, stack):
    slices = stack.render()
    for place, stem in enumerate(stems):
        signal = np.stack([one.signal[place] for one in slices])
        masks = np.stack([one.anatomy[place] for one in slices], axis=1)
        codes = sum(code * mask.astype(np.uint8) for code, mask in zip(CODES, masks, strict=True))
        _write(root / f"{stem}.nii.gz", stack.file(stack.stored(signal)))
        _write(root / f"{stem}_gt.nii.gz", stack.file(codes.astype(np.uint8)))
        for kind, field in (("abnormality", "abnormality"), ("shortcut", "habitus")):
            truth = np.stack([getattr(one, field)[place] for one in slices]).astype(np.uint8)
            _write(root / ANNOTATIONS / f"{stem}_{kind}.nii.gz", stack.file(truth))


def _write_cine(path, stack, end):
    """Write all phases: contraction until the phase `end` (counted from 1), then relaxation."""
    frame = np.arange(FRAMES)
    falling = 0.5 - 0.5 * np.cos(np.pi * frame / (end - 1))
    # The ventricle fills fast at first, slowly later.
    rising = np.cos(0.5 * np.pi * np.clip((frame - end + 1) / (FRAMES - end), 0, 1) ** 0.7) ** 2
    systoles = np.where(frame < end, falling, rising)
    slices = stack.render(tuple(round(float(value), 3) for value in systoles))
    cine = np.stack([one.signal for one in slices], axis=1)
    _write(path, stack.file(stack.stored(cine), period=0.9 / FRAMES))


def _known(patient):
    """What a row of the annotations says: the shortcut and all covariates."""
    row = describe(patient)
    return {f"shortcut:{HABITUS}": int(row["habitus"] == "heavy"), **row}


def _write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _write_table(path, rows):
    _write(path, pd.DataFrame(rows).to_csv(index=False, lineterminator="\n").encode())


def _check(test_share, spacing):
    if not 0 <= test_share < 1:
        raise ValueError(f"test_share lies in [0, 1), got {test_share}")
    if spacing is not None and not 0.8 <= spacing <= 4:
        raise ValueError(f"spacing is None or from 0.8 to 4 mm, got {spacing}")
