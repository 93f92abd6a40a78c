"""The built-in cardiac sets through the readers of the real layouts."""

import nibabel
import numpy as np
import pandas as pd
import pytest

from shortlib.data import acdc, cm
from shortlib.data.annotations import with_annotations
from shortlib.data.cine import PHASES, STRUCTURES, middle_slice
from shortlib.data.phantoms.cardiac_files import write_acdc, write_cm
from shortlib.data.problems import Problems

SPACING, SIDE = 3.0, 72
READERS = {"acdc": (write_acdc, acdc), "cm": (write_cm, cm)}


@pytest.fixture(scope="module", params=READERS)
def made(request, tmp_path_factory):
    """Root of three patients at 3 mm, and their index at that spacing."""
    write, reader = READERS[request.param]
    root = tmp_path_factory.mktemp(request.param)
    write(root, 3, seed=2, spacing=SPACING, field_of_view=200)
    index = reader.read_index(root, problems=Problems(), spacing=SPACING, side=SIDE)
    return root, with_annotations(index)


def stored(root, relative):
    """Slices of a file, in a square as the reader's."""
    values = np.asarray(nibabel.load(root / relative).dataobj).T
    _, h, w = values.shape
    top, left = (SIDE - h) // 2, (SIDE - w) // 2
    return np.pad(values, ((0, 0), (top, SIDE - h - top), (left, SIDE - w - left)))


def test_what_was_written_is_read(made):
    root, index = made
    cohort = index.cohort()
    known = pd.read_csv(root / "annotations" / "cases.csv").set_index("case_id")
    assert len(cohort) == len(known) >= 3
    assert cohort.shortcut.astype(int).tolist() == known["shortcut:heavy habitus"].tolist()
    for k, row in enumerate(index.cases.to_dict("records")):
        assert cohort.label_names[cohort.labels[k]] == row["group"]
        codes = {phase: stored(root, row[f"{phase}_gt"]) for phase in PHASES}
        middle, marked = middle_slice(*codes.values()), np.zeros((SIDE, SIDE), bool)
        for place, phase in enumerate(PHASES):
            volume = stored(root, row[phase]).astype(float)
            low, high = volume[volume > 0].min(), volume.max()
            due = np.where(volume[middle] > 0, (volume[middle] - low) / (high - low), 0)
            np.testing.assert_allclose(cohort.images[k, place], due, atol=1e-4)
            for structure, code in STRUCTURES.items():
                plane = cohort.plane("anatomy_masks", f"{structure} {phase}")[k]
                np.testing.assert_array_equal(plane, codes[phase][middle] == code)
            stem = row[phase].removesuffix(".nii.gz")
            truth = stored(root, f"annotations/{stem}_abnormality.nii.gz")[middle]
            np.testing.assert_array_equal(cohort.plane("abnormality_masks", phase)[k], truth == 1)
            marked |= stored(root, f"annotations/{stem}_shortcut.nii.gz")[middle] == 1
        np.testing.assert_array_equal(cohort.shortcut_masks[k], marked)


def test_parts_share_no_patient(made):
    _, index = made
    assert set(index.cases["split"]) == {"train", "test"}
    assert (index.cases.groupby("patient_id")["split"].nunique() == 1).all()
