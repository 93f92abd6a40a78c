import io
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from shortlib.data.chexpert import read_index
from shortlib.data.chexpert_labels import FINDINGS, FIVE
from shortlib.data.problems import DataError, Problems

HEADER = ["Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *FINDINGS]
BASE = "CheXpert-v1.0-small"
FIRST = "train/patient00001/study1/view1_frontal"
SECOND = "train/patient00001/study1/view2_lateral"
THIRD = "train/patient00002/study3/view1_frontal"
LAST = "valid/patient64541/study1/view1_frontal"
ROWS = {
    "train": [
        (f"{BASE}/{FIRST}.jpg", "Female", "68", "Frontal", "AP", {"Edema": "1.0"}),
        (f"{BASE}/{SECOND}.jpg", "Female", "68", "Lateral", "", {"Edema": "-1.0", "Fracture": "1"}),
        (f"{BASE}/{THIRD}.jpg", "Male", "", "Frontal", "PA", {"Pleural Effusion": "0.0"}),
    ],
    "valid": [(f"{BASE}/{LAST}.jpg", "Unknown", "73", "Frontal", "AP", dict.fromkeys(FIVE, "0.0"))],
}


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "data"
    for split, rows in ROWS.items():
        table = []
        for seed, (path, *others, labels) in enumerate(rows):
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(seed).integers(0, 256, (40, 50)).astype(np.uint8)
            Image.fromarray(cv2.blur(pixels, (5, 5))).save(file, quality=95)
            table.append([path, *others, *(labels.get(name, "") for name in FINDINGS)])
        pd.DataFrame(table, columns=HEADER).to_csv(folder / BASE / f"{split}.csv", index=False)
    return folder


def edit(root, old, new, split="train"):
    path = root / BASE / f"{split}.csv"
    content = path.read_bytes()
    assert old.encode() in content
    path.write_bytes(content.replace(old.encode(), new.encode(), 1))


@pytest.mark.parametrize("inner", ["", BASE])
def test_either_folder_is_a_root(tree, inner):
    index = read_index(tree / inner, problems=Problems())
    assert index.cases["case_id"].tolist() == [FIRST, SECOND, THIRD, LAST]
    assert index.cases["patient_id"].nunique() == 3
    cohort = index.cohort("train", size=24)
    nan = np.nan
    np.testing.assert_array_equal(
        cohort.labels,
        [[nan, nan, nan, 1, nan], [nan, nan, nan, -1, nan], [nan, nan, nan, nan, 0]],
    )
    assert cohort.images.shape == (3, 1, 24, 24)
    assert cohort.covariates["sex"].tolist() == ["Female", "Female", "Male"]
    np.testing.assert_array_equal(cohort.covariates["age"], [68, 68, nan])
    assert cohort.covariates["view"].tolist() == ["Frontal", "Lateral", "Frontal"]
    assert cohort.covariates["projection"].tolist() == ["AP", "", "PA"]
    assert cohort.reports is None
    assert index.cohort("valid", size=24).labels.tolist() == [[0] * 5]
    assert all((index.root / path).is_file() for path in index.cases["image"])


def test_full_size_folder(tree):
    (tree / BASE).rename(tree / "CheXpert-v1.0")
    for split in ROWS:
        path = tree / "CheXpert-v1.0" / f"{split}.csv"
        path.write_text(path.read_text().replace(BASE, "CheXpert-v1.0"))
    assert len(read_index(tree, problems=Problems()).cohort(size=8)) == 4


def test_options(tree):
    frontal = read_index(tree, problems=Problems(), frontal_only=True)
    assert frontal.cases["case_id"].tolist() == [FIRST, THIRD, LAST]
    other = read_index(tree, problems=Problems(), labels=("Fracture", "Edema"))
    assert other.cohort(size=8).labels[1].tolist() == [1, -1]
    with pytest.raises(ValueError, match="'Oedema'"):
        read_index(tree, problems=Problems(), labels=("Oedema", "Edema"))


def test_wrong_root(tree):
    with pytest.raises(DataError, match=r"no data: CheXpert"):
        read_index(tree / "nowhere", problems=Problems("skip"))
    with pytest.raises(DataError, match=r"wrong root.*train\.csv.*give that folder"):
        read_index(tree / BASE / "train", problems=Problems("skip"))
    (tree / BASE / "valid.csv").unlink()
    with pytest.raises(DataError, match=r"valid\.csv: missing table"):
        read_index(tree, problems=Problems("skip"))


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("Edema", "Oedema", "missing column: 'Edema'"),
        ("Frontal/Lateral", "View", "missing column: 'Frontal/Lateral'"),
        ("Fracture", "Edema", "column twice: 'Edema'"),
        (",PA,", ",PA,,", "line 4"),
        (",PA,", ",", "line 4"),
    ],
)
def test_broken_tables_always_raise(tree, old, new, kind):
    edit(tree, old, new)
    with pytest.raises(DataError, match=kind):
        read_index(tree, problems=Problems("skip"))


@pytest.mark.parametrize(
    ("old", "new", "kind", "says"),
    [
        (f"{BASE}/{THIRD}.jpg", f"{BASE}/../{THIRD}.jpg", "hostile path", "'Path'.*'CheX"),
        (f"{BASE}/{THIRD}.jpg", f"/{THIRD}.jpg", "hostile path", ""),
        (f"{BASE}/{THIRD}.jpg", f"C:\\{THIRD}.jpg", "hostile path", ""),
        (f"{BASE}/{THIRD}.jpg", f"{BASE}/train/..\\x.jpg", "hostile path", ""),
        (f"{BASE}/{THIRD}.jpg", f"{THIRD}.jpg", "bad path", f"{BASE}/train/patientNNNNN"),
        (THIRD, "valid/patient00002/study3/view1_frontal", "bad path", ""),
        (THIRD, THIRD.replace("patient", "person"), "bad path", ""),
        (".jpg,Male", ".png,Male", "bad path", ""),
        (f"{BASE}/{THIRD}.jpg", "", "bad path", "got ''"),
        (THIRD, FIRST, "duplicate row", FIRST),
        ("Male", "Mole", "bad cell", "'Sex' must be Female or Male or Unknown, got 'Mole'"),
        ("Male,", "Male,old", "bad cell", "'Age'.*'old'"),
        ("Male,", "Male,-3", "bad cell", "'Age'.*'-3'"),
        ("Frontal,PA", "Oblique,PA", "bad cell", "'Frontal/Lateral'.*'Oblique'"),
        ("0.0", "0.5", "bad label", "'Pleural Effusion' must be 1, 0, -1 or empty, got '0.5'"),
        ("0.0", "none", "bad label", "'none'"),
    ],
)
def test_bad_rows_are_raised_or_counted(tree, old, new, kind, says):
    edit(tree, old, new)
    with pytest.raises(DataError, match=rf"train\.csv, line 4: {kind}: .*{says}"):
        read_index(tree, problems=Problems())
    problems = Problems("skip")
    index = read_index(tree, problems=problems)
    assert problems.counts() == {kind: 1}
    assert index.cases["case_id"].tolist() == [FIRST, SECOND, LAST]
    with pytest.warns(UserWarning, match=f"1 {kind}"):
        index.cohort(size=8)


def colour(_):
    buffer = io.BytesIO()
    Image.new("RGB", (20, 20), (200, 20, 90)).save(buffer, "JPEG")
    return buffer.getvalue()


def deep(_):
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((9, 9), np.uint16)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (None, "missing image"),
        (lambda _: b"", "empty image"),
        (lambda content: content[:300], "unreadable image"),
        (lambda content: content[: 2 * len(content) // 3], "unreadable image"),
        (colour, "colour image"),
        (deep, "image is not 8-bit"),
    ],
)
def test_bad_images_are_raised_or_counted(tree, spoil, kind):
    path = tree / BASE / f"{THIRD}.jpg"
    path.unlink() if spoil is None else path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(DataError, match=rf"view1_frontal\.jpg: {kind}"):
        read_index(tree, problems=Problems()).cohort(size=8)
    with pytest.warns(UserWarning, match=f"1 {kind}"):
        assert len(read_index(tree, problems=Problems("skip")).cohort(size=8)) == 3


def test_link_out_of_the_root(tree, tmp_path):
    path = tree / BASE / f"{THIRD}.jpg"
    path.rename(tmp_path / "outside.jpg")
    path.symlink_to(tmp_path / "outside.jpg")
    with pytest.raises(DataError, match="link out of the root"):
        read_index(tree, problems=Problems()).cohort(size=8)


def test_line_ends_and_marks_are_taken(tree):
    for path in (tree / BASE).glob("*.csv"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert len(read_index(tree, problems=Problems())) == 4


def test_empty_split(tree):
    path = tree / BASE / "valid.csv"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    index = read_index(tree, problems=Problems())
    with pytest.raises(DataError, match=r"empty split.*'valid'.*train \(3\)"):
        index.cohort("valid")


def test_paths_are_below_the_root_it_was_given(tree, monkeypatch):
    monkeypatch.chdir(tree)
    assert len(read_index(Path(BASE), problems=Problems()).cohort(size=8)) == 4
