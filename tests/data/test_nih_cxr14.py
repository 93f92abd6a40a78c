"""NIH ChestX-ray14 in its prepared and its original spellings, made by hand."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from shortlib.data.nih_cxr14 import FINDINGS, boxes, read_index
from shortlib.data.problems import DataError, Problems
from shortlib.data.splits import leaking_patients

HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
REST = "2500,2048,0.17,0.17"
NAMES = [f"0000000{number}_000" for number in range(1, 7)]
ROWS = [
    f"{NAMES[0]}.png,Cardiomegaly|Effusion,0,1,58,M,PA,{REST}",
    f"{NAMES[1]}.png,No Finding,1,1,58,M,PA,{REST}",
    f"{NAMES[2]}.png,Hernia,0,2,081Y,F,AP,{REST}",
    f"{NAMES[3]}.png,Pleural_Thickening,0,3,006M,F,AP,{REST}",
    f"{NAMES[4]}.png,Infiltration|Mass|Nodule,0,4,412,M,PA,{REST}",
    f"{NAMES[5]}.png,No Finding,0,5,,M,PA,{REST}",
]


def picture(number):
    return np.full((40, 40), 30 * (number + 1), np.uint8)


def table(root, rows=ROWS, header=HEADER, name="Data_Entry_2017_v2020.csv", end="\n", mark=b""):
    (root / name).write_bytes(mark + end.join([header, *rows, ""]).encode())


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "data"
    (root / "images").mkdir(parents=True)
    for number, name in enumerate(NAMES):
        Image.fromarray(picture(number)).save(root / "images" / f"{name}.png")
    table(root)
    return root


def read(root, on_error="raise", **options):
    return read_index(root, problems=Problems(on_error), **options)


def test_what_the_table_says(tree):
    index = read(tree)
    assert index.cases["case_id"].tolist() == NAMES
    cohort = index.cohort(size=20)
    assert cohort.label_names == FINDINGS
    found = [
        {name for name, has in zip(FINDINGS, row, strict=True) if has} for row in cohort.labels
    ]
    assert found == [
        {"Cardiomegaly", "Effusion"},
        set(),
        {"Hernia"},
        {"Pleural_Thickening"},
        {"Infiltration", "Mass", "Nodule"},
        set(),
    ]
    np.testing.assert_array_equal(cohort.images[:, 0, 0, 0], [30, 60, 90, 120, 150, 180])
    np.testing.assert_array_equal(cohort.covariates["age"], [58, 58, 81, 0.5, np.nan, np.nan])
    assert cohort.covariates["sex"].tolist() == list("MMFFMM")
    assert cohort.covariates["view"].tolist() == ["PA", "PA", "AP", "AP", "PA", "PA"]
    assert cohort.patient_ids.tolist() == list("112345")
    assert not leaking_patients(cohort.patient_ids, index.cases["split"])
    assert set(index.cases["split"]) == {"train", "validation", "test"}


@pytest.mark.parametrize(
    ("end", "mark", "comma"), [("\r\n", b"", ""), ("\n", b"\xef\xbb\xbf", ""), ("\n", b"", ",")]
)
def test_spellings_of_the_table(tree, end, mark, comma):
    table(tree, [row + comma for row in ROWS], HEADER + comma, end=end, mark=mark)
    assert len(read(tree)) == 6


def test_the_prepared_subset_names_its_files(tree):
    (tree / "Data_Entry_2017_v2020.csv").unlink()
    Image.fromarray(picture(0)).save(tree / "images" / "a.jpg", quality=95)
    table(
        tree,
        [f"{ROWS[0]},a.jpg", *(f"{row},{row[:12]}.png" for row in ROWS[1:])],
        HEADER + ",file",
        name="Data_Entry_subset.csv",
    )
    index = read(tree)
    assert index.cases["image"][0] == "images/a.jpg"
    assert index.cases["case_id"][0] == NAMES[0]
    assert index.case(0, 20)["images"].mean() == pytest.approx(30, abs=1)


def test_folders_of_the_download(tree):
    for number, name in enumerate(NAMES):
        folder = tree / f"images_00{1 + number // 3}" / "images"
        folder.mkdir(parents=True, exist_ok=True)
        (tree / "images" / f"{name}.png").rename(folder / f"{name}.png")
    (tree / "images").rmdir()
    index = read(tree)
    assert index.cases["image"].tolist()[::5] == [
        f"images_001/images/{NAMES[0]}.png",
        f"images_002/images/{NAMES[5]}.png",
    ]
    assert len(index.cohort(size=20)) == 6


def test_the_official_split(tree):
    (tree / "train_val_list.txt").write_text("\n".join(f"{n}.png" for n in NAMES[:4]) + "\n")
    (tree / "test_list.txt").write_text("\r\n".join(f"{n}.png" for n in NAMES[4:]) + "\r\n")
    split = read(tree).cases["split"].tolist()
    assert split[4:] == ["test", "test"]
    assert set(split[:4]) == {"train", "validation"}
    assert split[0] == split[1]  # one patient
    assert read(tree, official=False).cases["split"].tolist() != split
    (tree / "test_list.txt").write_text(f"{NAMES[4]}.png\n")
    with pytest.raises(DataError, match="no split"):
        read(tree)
    assert len(read(tree, "skip")) == 5


def test_grey_stored_with_an_opaque_plane_is_grey(tree):
    array = np.full((40, 40, 4), 99, np.uint8)
    array[..., 3] = 255
    Image.fromarray(array).save(tree / "images" / f"{NAMES[0]}.png")
    assert (read(tree).case(0, 20)["images"] == 99).all()


IMAGE_FAULTS = {
    "missing": (lambda path: path.unlink(), "missing image"),
    "no bytes": (lambda path: path.write_bytes(b""), "empty image"),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:60]), "unreadable image"),
    "size": (
        lambda path: Image.fromarray(np.zeros((40, 30), np.uint8)).save(path),
        "wrong size of image",
    ),
    "16 bit": (
        lambda path: Image.fromarray(np.zeros((40, 40), np.uint16)).save(path),
        "image is not 8-bit",
    ),
    "colour": (
        lambda path: Image.fromarray(np.full((40, 40, 3), (9, 99, 200), np.uint8)).save(path),
        "colour image",
    ),
    "link": (
        lambda path: (path.rename(path.parents[2] / "x"), path.symlink_to(path.parents[2] / "x")),
        "link out of the root",
    ),
}


@pytest.mark.parametrize("fault", IMAGE_FAULTS)
def test_a_faulty_image_is_raised_or_left_out(tree, fault):
    spoil, kind = IMAGE_FAULTS[fault]
    spoil(tree / "images" / f"{NAMES[2]}.png")
    with pytest.raises(DataError, match=NAMES[2]) as error:
        read(tree, side=40).cohort(size=20)
    assert error.value.kind == kind
    with pytest.warns(UserWarning, match=f"1 {kind}"):
        assert len(read(tree, "skip", side=40).cohort(size=20)) == 5


ROW_FAULTS = {
    "twice": (ROWS[0], "duplicate row", "line 8"),
    "unknown": (f"9.png,Broken heart,0,9,58,M,PA,{REST}", "bad labels", "'Broken heart'"),
    "empty": (f"9.png,,0,9,58,M,PA,{REST}", "bad labels", "''"),
    "both": (f"9.png,No Finding|Mass,0,9,58,M,PA,{REST}", "bad labels", "'No Finding' alone"),
    "nobody": (f"9.png,Mass,0,,58,M,PA,{REST}", "bad cell", "'Patient ID'"),
    "no age": (
        f"9.png,Mass,0,9,old,M,PA,{REST}",
        "bad cell",
        "line 8: bad cell: 'Patient Age' is like 58 or 058Y, got 'old'",
    ),
    "same id": (f"{NAMES[0]}.jpg,Mass,0,9,58,M,PA,{REST}", "duplicate row", "line 8"),
}


@pytest.mark.parametrize("fault", ROW_FAULTS)
def test_a_faulty_row_is_raised_or_left_out(tree, fault):
    row, kind, says = ROW_FAULTS[fault]
    table(tree, [*ROWS, row])
    with pytest.raises(DataError) as error:
        read(tree)
    assert error.value.kind == kind
    assert says in str(error.value)
    index = read(tree, "skip")
    assert index.problems.counts() == {kind: 1}
    assert len(index) == 6


def test_a_hostile_path(tree):
    table(tree, [*ROWS, f"../../x.png,Mass,0,9,58,M,PA,{REST}"])
    with pytest.raises(DataError, match="hostile path"):
        read(tree).cohort(size=20)


def test_faults_of_the_whole(tree, tmp_path):
    with pytest.raises(DataError, match=r"wrong root.*data has it"):
        read(tmp_path, "skip")
    table(tree, header=HEADER.replace("Patient ID", "Patient"))
    with pytest.raises(DataError, match="missing column: 'Patient ID'"):
        read(tree, "skip")
    table(tree, [])
    with pytest.raises(DataError, match="no cases"):
        read(tree, "skip")
    table(tree, ROWS[:2])
    with pytest.raises(DataError, match="there are 1"):
        read(tree, "skip")
    table(tree)
    with pytest.raises(DataError, match="empty split"):
        read(tree).cohort("holdout")


def test_boxes_are_scaled(tree):
    lines = [
        "Image Index,Finding Label,Bbox [x,y,w,h],,,",
        f"{NAMES[0]}.png,Infiltrate,256,512.5,128,64,,,",
        f"{NAMES[1]}.png,Mass,0,0,1024,1024,,,",
    ]
    (tree / "BBox_List_2017.csv").write_text("\n".join(lines) + "\n")
    found = boxes(tree)
    assert found.to_dict("records")[0] == {
        "case_id": NAMES[0],
        "finding": "Infiltration",
        "x": 256,
        "y": 512.5,
        "width": 128,
        "height": 64,
    }
    small = boxes(tree, size=256)
    assert small.iloc[0, 2:].tolist() == [64, 128.125, 32, 16]
    assert small.iloc[1, 2:].tolist() == [0, 0, 256, 256]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("a.png,Mass,1,2,0,4", r"line 2: bad cell: 'w' must be"),
        ("a.png,Mass,-1,2,3,4", r"'Bbox \[x' must be"),
        ("a.png,Mass,1,2,3,x", r"got 'x'"),
        ("a.png,Heart,1,2,3,4", r"unknown finding: got 'Heart'"),
    ],
)
def test_bad_boxes(tree, row, says):
    text = f"Image Index,Finding Label,Bbox [x,y,w,h]\n{row}\n"
    (tree / "BBox_List_2017.csv").write_text(text)
    with pytest.raises(DataError, match=says):
        boxes(tree)


def test_no_boxes(tree):
    with pytest.raises(DataError, match="wrong root"):
        boxes(tree)


def test_the_real_subset(open_data):
    root = open_data / "nih_cxr14_starter"
    index = read(root, side=320)
    labels = index.cases[list(FINDINGS)]
    assert len(index) == index.cases["patient_id"].nunique() == 621
    counts = labels.sum()
    assert counts["Pneumothorax"] == 44
    assert counts["Effusion"] == 82
    assert counts["Cardiomegaly"] == 56
    assert (labels.sum(axis=1) == 0).sum() == 100
    assert index.cases["view"].value_counts().to_dict() == {"PA": 518, "AP": 103}
    assert index.cases["age"].between(2, 86).all()
    for place in range(0, 621, 100):
        path = root / index.cases["image"][place]
        pixels = np.asarray(Image.open(path))
        np.testing.assert_array_equal(index.case(place, 320)["images"][0], pixels)
    found = boxes(root, size=320)
    assert len(found) == 12
    listed = pd.DataFrame(labels).set_index(index.cases["case_id"])
    for box in found.itertuples():
        assert listed.loc[box.case_id, box.finding] == 1
        assert box.x + box.width <= 320
        assert box.y + box.height <= 320


@pytest.mark.slow
def test_all_of_the_real_subset(open_data):
    cohort = read(open_data / "nih_cxr14_starter", side=320).cohort(size=64)
    assert cohort.images.shape == (621, 1, 64, 64)
    assert cohort.images.std((1, 2, 3)).min() > 10
