"""The layout for anyone's own cardiac cohort, made by hand."""

import shutil

import nibabel
import numpy as np
import pytest

from shortlib.data.annotations import with_annotations
from shortlib.data.cine import PLANES
from shortlib.data.cm import read_index
from shortlib.data.problems import DataError, Problems

SHAPE = (3, 20, 16)
ROWS = (
    "P1,a,HCM,A,61",
    "P1,b,HCM,B,63",
    "P2,a,NICM,A,",
    "P3,a,ICM,B,70",
    "P4,a,AMYL,B,81",
)


def save(path, values, spacing=1.5):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(np.asarray(values).T, np.eye(4))
    image.header.set_zooms((spacing, spacing, 8.0))
    nibabel.save(image, path)


def write(root, rows=ROWS, header="patient,study,group,scanner,age", ground_truth=True):
    root.mkdir(exist_ok=True)
    (root / "cases.csv").write_text("\n".join([header, *rows]) + "\n")
    for k, row in enumerate(rows):
        patient, study = row.split(",")[:2]
        for phase in ("ED", "ES"):
            image = np.random.default_rng(k).integers(1, 200, SHAPE).astype(np.int16)
            save(root / patient / study / f"{phase}.nii.gz", image)
            if ground_truth:
                codes = np.zeros(SHAPE, np.uint8)
                codes[:2, 4:8, 4:8], codes[:2, 8:12, 4:8], codes[:2, 12:14, 4:8] = 1, 2, 3
                save(root / patient / study / f"{phase}_gt.nii.gz", codes)
    return root


@pytest.fixture
def root(tmp_path):
    return write(tmp_path / "cohort")


def read(root, **options):
    return read_index(root, problems=Problems(), **options)


def table(root, old, new):
    path = root / "cases.csv"
    path.write_text(path.read_text().replace(old, new))


def test_what_a_cohort_holds(root):
    cohort = read(root, side=20).cohort()
    assert cohort.case_ids.tolist() == ["P1-a", "P1-b", "P2-a", "P3-a", "P4-a"]
    assert cohort.patient_ids.tolist() == ["P1", "P1", "P2", "P3", "P4"]
    assert cohort.label_names == ("AMYL", "HCM", "ICM", "NICM")
    assert cohort.labels.tolist() == [1, 1, 3, 2, 0]
    assert cohort.anatomy_names == PLANES
    assert cohort.images.shape == (5, 2, 20, 20)
    # Of two slices with a cavity the later one, scaled by the whole volume.
    image = np.random.default_rng(2).integers(1, 200, SHAPE)
    due = (image[1] - image.min()) / (image.max() - image.min())
    np.testing.assert_allclose(cohort.images[2, 0, :, 2:18], due, atol=1e-5)
    lv = np.zeros((20, 20), bool)
    lv[12:14, 6:10] = True
    np.testing.assert_array_equal(cohort.plane("anatomy_masks", "LV ES")[2], lv)
    assert cohort.covariates["scanner"].tolist() == ["A", "B", "A", "B", "B"]
    assert cohort.covariates["age"].isna().tolist() == [False, False, True, False, False]


def test_classes_may_be_named(root):
    index = read(root, groups=["NICM", "ICM", "AMYL", "HCM"])
    assert index.label_names == ("NICM", "ICM", "AMYL", "HCM")
    assert index.cases["label"].tolist() == [3, 3, 0, 1, 2]
    with pytest.raises(
        DataError, match=r"line 6: unknown group: .* one of NICM, ICM, HCM, got 'AM"
    ):
        read(root, groups=["NICM", "ICM", "HCM"])
    skipping = Problems("skip")
    assert len(read_index(root, problems=skipping, groups=["NICM", "ICM", "HCM"])) == 4
    assert skipping.counts() == {"unknown group": 1}


@pytest.mark.parametrize("seed", range(8))
def test_several_studies_of_a_patient_are_never_separated(tmp_path, seed):
    rng = np.random.default_rng(seed)
    rows = [
        f"P{k},{study},{rng.choice(['HCM', 'ICM'])},A,50"
        for k in range(12)
        for study in range(rng.integers(1, 4))
    ]
    (tmp_path / "cases.csv").write_text("\n".join(["patient,study,group,scanner,age", *rows]))
    cases = read(tmp_path, seed=seed).cases
    assert (cases.groupby("patient_id")["split"].nunique() == 1).all()
    assert cases.drop_duplicates("patient_id")["split"].value_counts()["train"] == 8


def test_groups_may_be_numbers(tmp_path):
    root = write(tmp_path / "cohort", ["P1,a,1", "P2,a,0"], "patient,study,group")
    index = read(root, groups=[0, 1], fractions={"a": 0.5, "b": 0.5})
    assert index.label_names == ("0", "1")
    assert index.cases["label"].tolist() == [1, 0]


def test_a_split_of_the_table_is_kept_and_checked(tmp_path):
    rows = ["P1,a,HCM,one", "P1,b,HCM,one", "P2,a,ICM,two", "P3,a,ICM,one"]
    root = write(tmp_path / "cohort", rows, "patient,study,group,split")
    assert read(root).cases["split"].tolist() == ["one", "one", "two", "one"]
    with pytest.raises(DataError, match=r"no case in 'test'; it has one \(3\), two \(1\)"):
        read(root).cohort("test")
    table(root, "P1,b,HCM,one", "P1,b,HCM,two")
    with pytest.raises(DataError, match="patient in two parts: 'P1' is in one and two"):
        read(root)
    skipping = Problems("skip")
    assert read_index(root, problems=skipping).cases["case_id"].tolist() == ["P2-a", "P3-a"]
    assert skipping.counts() == {"patient in two parts": 2}
    table(root, "ICM,two", "ICM,")
    with pytest.raises(DataError, match="line 4: bad cell: 'split' is empty"):
        read(root)


def test_without_ground_truth_there_is_no_anatomy(root, tmp_path):
    (root / "P2/a/ES_gt.nii.gz").unlink()
    index = read(root, side=16)
    assert index.cohort().anatomy_masks is None
    assert index.notes[0].startswith("1 of 5 studies have no ground truth")
    bare = write(tmp_path / "bare", ground_truth=False)
    image = np.random.default_rng(0).integers(1, 200, SHAPE)
    due = (image[1] - image.min()) / (image.max() - image.min())
    found = read(bare, side=20).cohort().images[0, 0, :, 2:18]
    np.testing.assert_allclose(found, due, atol=1e-5)


def test_folders_without_a_row_are_noted(root):
    (root / "P9").mkdir()
    assert read(root).notes == ("1 folders are in no row, the first is 'P9'",)


def test_unpacked_files_a_mark_and_windows_line_ends(root):
    for path in root.rglob("*.nii.gz"):
        nibabel.save(nibabel.load(path), path.with_suffix(""))
        path.unlink()
    text = (root / "cases.csv").read_text().replace("\n", "\r\n")
    (root / "cases.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read(root, side=20).cohort().anatomy_masks.any(axis=(0, 2, 3)).all()


def test_truth_beside_the_frames(root):
    for row in ROWS:
        folder = root / "annotations" / "/".join(row.split(",")[:2])
        for phase in ("ED", "ES"):
            marked = np.zeros(SHAPE, np.uint8)
            marked[1, 8:12, 4:8] = 1
            save(folder / f"{phase}_abnormality.nii.gz", marked)
    lines = [f"{'-'.join(row.split(',')[:2])},1,7.5" for row in ROWS]
    (root / "annotations/cases.csv").write_text(
        "\n".join(["case_id,shortcut:fat,wall", *lines]) + "\n"
    )
    cohort = with_annotations(read(root, side=20)).cohort()
    assert cohort.abnormality_names == ("ED", "ES")
    for phase in ("ED", "ES"):
        drawn = cohort.plane("anatomy_masks", f"myocardium {phase}")
        np.testing.assert_array_equal(cohort.plane("abnormality_masks", phase), drawn)
    assert (cohort.shortcut_names, cohort.shortcut_masks) == (("fat",), None)
    assert cohort.covariates["wall"].tolist() == [7.5] * 5


def rewrite(old, new):
    return lambda root: table(root, old, new)


def linked_out(root):
    shutil.move(root / "P2", root.parent / "P2")
    (root / "P2").symlink_to(root.parent / "P2")


def truncated(root):
    path = root / "P2/a/ES.nii.gz"
    path.write_bytes(path.read_bytes()[:-30])


BAD = {
    "a row twice": (rewrite("P2,a,NICM,A,", "P1,a,HCM,A,1"), "duplicate row"),
    "climbs": (rewrite("P2,a", "../P2,a"), "line 4: hostile path: 'patient' .* got '../P2'"),
    "climbs by study": (rewrite("P2,a", "P2,.."), "hostile path: 'study'"),
    "absolute": (rewrite("P2,a", "/etc,a"), "hostile path: 'patient'"),
    "no name": (rewrite("P2,a", "P2,"), "hostile path: 'study' .* got ''"),
    "too long": (rewrite("P2,a", f"P2,{'x' * 5000}"), "hostile path: 'study'"),
    "no group": (rewrite("NICM", ""), "line 4: unknown group: 'group' must be not empty"),
    "no file": (lambda root: (root / "P2/a/ED.nii.gz").unlink(), "ED.nii.gz: missing image"),
    "no bytes": (lambda root: (root / "P2/a/ED.nii.gz").write_bytes(b""), "empty image"),
    "truncated": (truncated, "ES.nii.gz: unreadable volume"),
    "four axes": (
        lambda root: save(root / "P2/a/ED.nii.gz", np.ones((2, *SHAPE), np.int16)[0][:, :1, :1]),
        "disagree|wrong size|constant",
    ),
    "link out": (linked_out, "link out of the root"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_study_that_cannot_be_used(root, name):
    spoil, said = BAD[name]
    spoil(root)
    with pytest.raises(DataError, match=said):
        read(root, side=16).cohort()
    skipping = Problems("skip")
    index = read_index(root, problems=skipping, side=16)
    with pytest.warns(UserWarning, match="1 left out"):
        cohort = index.cohort()
    assert cohort.case_ids.tolist() == ["P1-a", "P1-b", "P3-a", "P4-a"]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (rewrite("group,", "diagnosis,"), "missing column: 'group' must be there once"),
        (rewrite("scanner,", "group,"), "column twice: 'group'"),
        (rewrite("scanner,", "ED_gt,"), "column name is taken: rename 'ED_gt'"),
        (rewrite("P2,a,NICM,A,", "P2,a"), "line 4: uneven row"),
        (lambda root: (root / "cases.csv").write_text(""), "empty table"),
        (lambda root: (root / "cases.csv").write_text("patient,study,group\n"), "no cases"),
        (lambda root: (root / "cases.csv").write_bytes(b"patient,study,group\n\xff,a,b\n"), "UTF"),
        (
            lambda root: (root / "cases.csv").write_text("patient,study,group\nP1,a,HCM\n"),
            "too few patients: 2 parts",
        ),
    ],
)
def test_a_table_that_cannot_be_used(root, spoil, said):
    spoil(root)
    for on_error in ("raise", "skip"):
        with pytest.raises(DataError, match=said):
            read_index(root, problems=Problems(on_error))


def test_wrong_roots(root, tmp_path):
    with pytest.raises(DataError, match="no data"):
        read(tmp_path / "nothing")
    with pytest.raises(DataError, match=r"wrong root: .*cohort has it"):
        read(tmp_path)
    with pytest.raises(DataError, match=r"wrong root: .*cohort has it"):
        read(root / "P1")


def test_two_names_that_join_to_one(tmp_path):
    root = write(tmp_path / "cohort", ["P-1,a,X,A,1", "P,1-a,Y,A,1"])
    with pytest.raises(DataError, match="case_id 'P-1-a' occurs before"):
        read(root)
