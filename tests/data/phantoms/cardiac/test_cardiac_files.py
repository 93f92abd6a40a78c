import re

import nibabel
import numpy as np
import pandas as pd
import pytest

from shortlib.data.phantoms.cardiac import cardiac
from shortlib.data.phantoms.cardiac_files import write_acdc, write_cm


def contents(root):
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def load(path):
    image = nibabel.load(path)
    return np.asarray(image.dataobj), image


@pytest.fixture(scope="module")
def acdc(tmp_path_factory):
    root = tmp_path_factory.mktemp("acdc")
    write_acdc(root, 5, seed=3, spacing=1.5)
    return root


@pytest.fixture(scope="module")
def cm(tmp_path_factory):
    root = tmp_path_factory.mktemp("cm")
    write_cm(root, 5, first=20, seed=3, field_of_view=160)
    return root


def frames(root):
    return [p for p in sorted(root.rglob("*_frame??.nii.gz")) if "annotations" not in p.parts]


def test_layout_of_acdc(acdc):
    folders = sorted(p.parent.relative_to(acdc).as_posix() for p in acdc.rglob("Info.cfg"))
    assert folders == [
        "testing/patient004",
        "testing/patient005",
        "training/patient001",
        "training/patient002",
        "training/patient003",
    ]
    for folder in folders:
        text = (acdc / folder / "Info.cfg").read_text()
        match = re.fullmatch(
            r"ED: (\d+)\nES: (\d+)\nGroup: (NOR|DCM|HCM|MINF|RV)\nHeight: [\d.]+\nNbFrame: 30\n"
            r"Weight: [\d.]+\n",
            text,
        )
        assert match, text
        name = folder.split("/")[1]
        for frame in match.groups()[:2]:
            assert (acdc / folder / f"{name}_frame{int(frame):02d}.nii.gz").is_file()
            assert (acdc / folder / f"{name}_frame{int(frame):02d}_gt.nii.gz").is_file()


def test_volumes_of_acdc(acdc):
    assert len(frames(acdc)) == 10
    for path in frames(acdc):
        values, image = load(path)
        codes, truth = load(str(path).replace(".nii.gz", "_gt.nii.gz"))
        assert values.dtype == np.int16
        assert codes.dtype == np.uint8
        assert values.shape == codes.shape == (160, 144, codes.shape[2])
        assert 7 <= codes.shape[2] <= 15
        assert set(np.unique(codes)) == {0, 1, 2, 3}
        np.testing.assert_array_equal(image.affine, truth.affine)
        columns = image.affine[:3, :3]
        sides = np.linalg.norm(columns, axis=0)
        np.testing.assert_allclose(sides, image.header.get_zooms(), rtol=1e-5)
        np.testing.assert_allclose(sides[:2], 1.5, rtol=1e-5)
        assert round(float(sides[2]), 3) in (8, 9, 10)
        unit = columns / sides
        np.testing.assert_allclose(unit.T @ unit, np.eye(3), atol=1e-5)
        assert image.affine[0, 0] < 0  # columns run to the patient's left, which is -x
        assert image.affine[2, 1] < 0  # rows run down


def test_volumes_measured_on_the_stack_agree_with_the_covariates(acdc):
    known = pd.read_csv(acdc / "annotations/cases.csv").set_index("case_id")
    measured = {}
    for path in frames(acdc):
        codes, image = load(str(path).replace(".nii.gz", "_gt.nii.gz"))
        voxel = np.prod(image.header.get_zooms()) / 1e3
        measured.setdefault(path.name[:10], []).append(
            [(codes == code).sum() * voxel for code in (1, 3)]
        )
    for name, (ed, es) in measured.items():
        # Slices 8 to 10 mm apart miss or add up to half a slice at the base, where the
        # right ventricle is widest.
        for place, (side, error) in enumerate((("rv", 0.18), ("lv", 0.1))):
            assert ed[place] == pytest.approx(known.loc[name, f"{side}_edv"], rel=error)
            assert 1 - es[place] / ed[place] == pytest.approx(
                known.loc[name, f"{side}_ef"], abs=0.06
            )


def test_one_slice_is_the_one_that_the_cohort_shows(acdc):
    cohort = cardiac(5, size=128, seed=3, classes="acdc")
    paths = sorted(frames(acdc), key=lambda path: path.name)
    for case in range(5):
        for phase, path in enumerate(paths[2 * case : 2 * case + 2]):
            codes, _ = load(str(path).replace(".nii.gz", "_gt.nii.gz"))
            centre = codes[16:144, 8:136].transpose(2, 1, 0)
            masks = cohort.anatomy_masks[case, 3 * phase : 3 * phase + 3]
            due = (masks * np.array([1, 2, 3])[:, None, None]).sum(axis=0)
            same = [z for z, plane in enumerate(centre) if (plane == due).all()]
            assert len(same) == 1
            values, _ = load(path)
            plane = values[16:144, 8:136, same[0]].T.astype(float)
            image = cohort.images[case, phase].astype(float)
            seen = image < 250  # brighter ones are cut off
            assert np.corrcoef(plane[seen], image[seen])[0, 1] > 0.95


def test_truth_lies_beside_each_frame(acdc, cm):
    files = [p for p in cm.rglob("E[DS].nii.gz") if "annotations" not in p.parts]
    for root, paths in ((acdc, frames(acdc)), (cm, files)):
        assert paths
        table = pd.read_csv(root / "annotations/cases.csv").set_index("case_id")
        for path in paths:
            stem = path.relative_to(root).as_posix().removesuffix(".nii.gz")
            image = nibabel.load(path)
            case = path.name[:10] if root is acdc else "-".join(path.parts[-3:-1])
            for kind in ("abnormality", "shortcut"):
                mask, truth = load(root / "annotations" / f"{stem}_{kind}.nii.gz")
                assert mask.shape == image.shape
                assert mask.dtype == np.uint8
                assert set(np.unique(mask)) <= {0, 1}
                np.testing.assert_array_equal(truth.affine, image.affine)
                if kind == "shortcut":
                    assert mask.any() == table.loc[case, "shortcut:heavy habitus"]
                elif root is acdc:
                    assert mask.any() == (table.loc[case, "group"] != "NOR")


def test_layout_of_cm(cm):
    table = pd.read_csv(cm / "cases.csv")
    assert list(table.columns) == ["patient", "study", "group", "split", "scanner", "age", "sex"]
    assert set(table["group"]) <= {"NICM", "ICM", "AMYL", "HCM"}
    assert table["patient"].nunique() == 5
    assert table.groupby("patient")["split"].nunique().max() == 1
    assert set(table["split"]) == {"train", "test"}
    assert not table.duplicated(["patient", "study"]).any()
    for row in table.itertuples():
        folder = cm / row.patient / row.study
        assert sorted(p.name for p in folder.iterdir()) == [
            "ED.nii.gz", "ED_gt.nii.gz", "ES.nii.gz", "ES_gt.nii.gz",
        ]  # fmt: skip
    cases = pd.read_csv(cm / "annotations/cases.csv")["case_id"]
    assert list(cases) == list(table["patient"] + "-" + table["study"])


def test_spacing_varies_by_default(cm):
    spacing = {float(nibabel.load(p).header.get_zooms()[0]) for p in cm.glob("P*/S*/ED.nii.gz")}
    assert len(spacing) >= 4
    assert all(1.3 <= value <= 1.8 for value in spacing)


def test_some_patients_have_two_studies(monkeypatch, tmp_path):
    monkeypatch.setattr("shortlib.data.phantoms.cardiac_files.TWO_STUDIES", 1.0)
    write_cm(tmp_path, 1, seed=1, field_of_view=120, spacing=3.0)
    known = pd.read_csv(tmp_path / "annotations/cases.csv")
    assert list(known["case_id"]) == ["P0001-S1", "P0001-S2"]
    assert known["height"].nunique() == known["bmi"].nunique() == 1
    assert known["lv_edv"].nunique() == 2
    first, second = ((tmp_path / f"P0001/S{s}/ED.nii.gz").read_bytes() for s in (1, 2))
    assert first != second


def test_same_arguments_same_bytes(tmp_path):
    for name, write in (("acdc", write_acdc), ("cm", write_cm)):
        roots = [tmp_path / f"{name}{k}" for k in range(2)]
        for root in roots:
            write(root, 2, seed=5, field_of_view=120, spacing=3.0)
        assert contents(roots[0]) == contents(roots[1])
        assert len(contents(roots[0])) > 10


def test_a_cine_holds_both_frames(tmp_path):
    write_acdc(tmp_path, 1, seed=2, test_share=0, field_of_view=120, spacing=3.0, cines=1)
    folder = tmp_path / "training/patient001"
    cine, image = load(folder / "patient001_4d.nii.gz")
    info = dict(line.split(": ") for line in (folder / "Info.cfg").read_text().splitlines())
    assert cine.shape[3] == 30
    np.testing.assert_allclose(image.header.get_zooms()[:2], 3.0, rtol=1e-5)
    for phase in ("ED", "ES"):
        frame = int(info[phase])
        values, _ = load(folder / f"patient001_frame{frame:02d}.nii.gz")
        np.testing.assert_array_equal(cine[..., frame - 1], values)


@pytest.mark.parametrize("write", [write_acdc, write_cm])
@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"n": 0}, "n is a whole number of at least 1, got 0"),
        ({"test_share": 1}, r"test_share lies in \[0, 1\), got 1"),
        ({"spacing": 9}, "spacing is None or from 0.8 to 4 mm, got 9"),
        ({"scanner": "C"}, "scanner is None or one of .* got 'C'"),
        ({"habitus_association": 2}, r"habitus_association lies in \[-1, 1\], got 2"),
        ({"field_of_view": 1}, "field_of_view lies between 120 and 400 mm, got 1"),
    ],
)
def test_wrong_arguments(tmp_path, write, wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        write(tmp_path, **{"n": 1, **wrong})
    assert not list(tmp_path.iterdir())
