"""SIIM-ACR's tree, made by hand with its real spellings."""

import numpy as np
import pytest

from shortlib.data.phantoms.dicom_file import radiograph
from shortlib.data.problems import DataError, Problems
from shortlib.data.rle import encode
from shortlib.data.siim_acr import read_index

SIDE = 32
IDS = [f"1.2.276.{number}" for number in (11, 12, 13, 14, 15, 16)]
# Two lesions of the first image, in two rows; a square of the fourth.
UPPER, LOWER, SQUARE = (np.zeros((SIDE, SIDE), bool) for _ in range(3))
UPPER[2:6, 3:5] = LOWER[20:30, 10:12] = SQUARE[8:16, 8:16] = True
ROWS = [
    f"{IDS[0]}, {encode(UPPER)}",
    f"{IDS[1]},-1",
    f"{IDS[2]}, -1",
    f"{IDS[3]}, {encode(SQUARE)}",
    f"{IDS[0]}, {encode(LOWER)}",
    f"{IDS[4]}, -1",
    f"{IDS[5]}, -1",
]
TUBES = ["ImageId,tube", f"{IDS[3]},1", f"{IDS[1]},0", f"{IDS[5]},1"]


def pixels(number):
    return np.full((SIDE, SIDE), 10 * number, np.uint8)


def place_of(uid):
    return f"dicom-images-train/2.25.7{uid[-2:]}/2.25.8{uid[-2:]}/{uid}.dcm"


def plant_image(root, uid, patient="p", image=None, name=None):
    path = root / place_of(name or uid)
    path.parent.mkdir(parents=True, exist_ok=True)
    image = pixels(int(uid[-2:])) if image is None else image
    path.write_bytes(
        radiograph(
            image,
            uids=("2.25.7", "2.25.8", uid),
            patient_id=patient,
            age=51.0,
            sex="F",
            view="AP",
            encoding="none",
        )
    )


def table(root, rows=ROWS, header="ImageId, EncodedPixels", end="\n", mark=b""):
    text = end.join([header, *rows]) + end
    (root / "train-rle.csv").write_bytes(mark + text.encode())


def tubes(root, rows=TUBES):
    (root / "cxr_tube_labels.csv").write_text("\n".join(rows) + "\n")


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "data"
    for number, uid in enumerate(IDS):
        plant_image(root, uid, patient=f"p{number // 2}")
    table(root)
    return root


def read(root, on_error="raise", **options):
    return read_index(root, problems=Problems(on_error), side=SIDE, **options)


def test_images_labels_and_united_masks(tree):
    tubes(tree)
    cohort = read(tree).cohort(size=SIDE)
    assert cohort.case_ids.tolist() == IDS
    assert cohort.labels.tolist() == [1, 0, 0, 1, 0, 0]
    assert cohort.label_names == ("No Pneumothorax", "Pneumothorax")
    for place, uid in enumerate(IDS):
        np.testing.assert_array_equal(cohort.images[place, 0], pixels(int(uid[-2:])))
    np.testing.assert_array_equal(cohort.abnormality_masks[0], UPPER | LOWER)
    np.testing.assert_array_equal(cohort.abnormality_masks[3], SQUARE)
    assert not cohort.abnormality_masks[[1, 2, 4, 5]].any()


def test_a_smaller_mask_is_the_maximum_of_what_it_covers(tree):
    mask = read(tree).cohort(size=SIDE // 4).abnormality_masks[0]
    blocks = (UPPER | LOWER).reshape(SIDE // 4, 4, SIDE // 4, 4).any(axis=(1, 3))
    np.testing.assert_array_equal(mask, blocks)


@pytest.mark.parametrize(("end", "mark"), [("\r\n", b""), ("\n", b"\xef\xbb\xbf")])
@pytest.mark.parametrize("header", ["ImageId, EncodedPixels", "ImageId,EncodedPixels"])
def test_spellings_of_the_table(tree, end, mark, header):
    table(tree, header=header, end=end, mark=mark)
    assert read(tree).cases["label"].tolist() == [1, 0, 0, 1, 0, 0]


def test_the_side_is_that_of_the_first_image(tree):
    index = read_index(tree, problems=Problems())
    np.testing.assert_array_equal(index.case(0)["abnormality_masks"], UPPER | LOWER)


def test_tubes_give_split_and_shortcut(tree):
    tubes(tree)
    index = read(tree, n_validation=2)
    split = dict(zip(index.cases["case_id"], index.cases["split"], strict=True))
    assert split == {
        **dict.fromkeys((IDS[0], IDS[2], IDS[4]), "train"),
        **dict.fromkeys((IDS[1], IDS[3]), "validation"),
        IDS[5]: "test",
    }
    # Nobody looked for tubes in the training images: they are not free of them.
    assert index.shortcuts == ()
    assert index.cohort("train").shortcut is None
    assert index.cohort("train+test").shortcut is None
    assert index.cohort().shortcut is None
    validation = index.cohort("validation")
    assert validation.shortcut_names == ("chest tube",)
    assert validation.shortcut.tolist() == [False, True]
    assert validation.name == "SIIM-ACR-validation"
    assert index.cohort("validation+test").shortcut.tolist() == [False, True, True]
    assert index.of("test").shortcuts == ("chest tube",)
    only = read(tree, n_validation=2, tubes_only=True)
    assert only.cohort().shortcut.tolist() == [False, True, True]


def test_tubes_from_elsewhere(tree, tmp_path):
    other = tmp_path / "labels.csv"
    other.write_text("\n".join(TUBES) + "\n")
    assert read(tree, tubes=other).cohort("validation").shortcut.tolist() == [False, True, True]
    with pytest.raises(DataError, match="missing tube labels"):
        read(tree, tubes="nowhere.csv")
    with pytest.raises(DataError, match="missing tube labels"):
        read(tree, tubes_only=True)


def test_without_tubes_the_split_is_by_patient(tree):
    index = read(tree, fractions={"train": 0.5, "test": 0.5})
    assert index.cases["patient_id"].tolist() == ["p0", "p0", "p1", "p1", "p2", "p2"]
    assert index.cases.groupby("patient_id")["split"].nunique().tolist() == [1, 1, 1]
    assert index.cohort("test").covariates["age"].tolist()[:1] == [51]
    assert index.shortcuts == ()


def test_headers_are_read_on_demand(tree):
    tubes(tree)
    assert read(tree).cases["patient_id"].tolist() == IDS
    assert read(tree).covariates == ()
    index = read(tree, headers=True)
    assert index.cases["patient_id"].nunique() == 3
    assert index.covariates == ("age", "sex", "view")


def test_several_folders_of_images(tree):
    moved = tree / "dicom-images-test" / "a" / f"{IDS[5]}.dcm"
    moved.parent.mkdir(parents=True)
    (tree / place_of(IDS[5])).rename(moved)
    assert len(read(tree, "skip")) == 5
    assert len(read(tree, images=["dicom-images-train", "dicom-images-test"])) == 6


def test_images_that_nobody_annotated_may_be_left_out(tree):
    path = tree / "train-rle.csv"
    lines = [line for line in path.read_text().splitlines() if not line.startswith(IDS[5])]
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match="no row"):
        read(tree)
    index = read(tree, unannotated="leave out")
    assert len(index) == 5
    assert index.notes == ("1 of 6 images have no row in train-rle.csv and are left out",)
    with pytest.raises(ValueError, match="unannotated must be one of"):
        read(tree, unannotated="forget")


ROW_FAULTS = {
    "image without row": (ROWS[:-1], "no row", IDS[5], 5),
    "row without image": ([*ROWS, "1.2.3, -1"], "missing image", "line 9", 6),
    "hostile id": ([*ROWS, "../../x, -1"], "missing image", "../../x", 6),
    "same row twice": ([*ROWS, ROWS[0]], "duplicate row", "line 9", 6),
    "empty cell": ([*ROWS[:-1], f"{IDS[5]}, "], "no run lengths", "line 8", 5),
    "odd count": ([*ROWS[:-1], f"{IDS[5]}, 1 2 3"], "bad run lengths", "got 3 numbers", 5),
    "negative": ([*ROWS[:-1], f"{IDS[5]}, 1 -2"], "bad run lengths", "got 1 and -2", 5),
    "no number": ([*ROWS[:-1], f"{IDS[5]}, a b"], "bad run lengths", "got 'a'", 5),
    "beyond": ([*ROWS[:-1], f"{IDS[5]}, 1020 9"], "bad run lengths", "5 pixels beyond", 5),
    "bad second row": ([*ROWS, f"{IDS[3]}, 7"], "bad run lengths", "line 9", 5),
}


@pytest.mark.parametrize("fault", ROW_FAULTS)
def test_a_faulty_row_is_raised_or_left_out(tree, fault):
    rows, kind, says, left = ROW_FAULTS[fault]
    table(tree, rows)
    with pytest.raises(DataError) as error:
        read(tree).cohort()
    assert error.value.kind == kind
    assert says in str(error.value)
    with pytest.warns(UserWarning, match=f"1 {kind}"):
        cohort = read(tree, "skip").cohort()
    assert len(cohort) == left
    assert [problem.kind for problem in cohort.skipped] == [kind]


def test_an_image_with_a_mask_and_without(tree):
    table(tree, [*ROWS, f"{IDS[3]},-1"])
    with pytest.raises(DataError, match="contradiction"):
        read(tree)
    index = read(tree, "skip")
    assert IDS[3] not in set(index.cases["case_id"])
    assert index.problems.counts() == {"contradiction": 2}


def spoil(tree, name, content):
    (tree / place_of(IDS[1])).write_bytes(content)


IMAGE_FAULTS = {
    "no bytes": (lambda path, root: path.write_bytes(b""), "empty image"),
    "cut": (lambda path, root: path.write_bytes(path.read_bytes()[:-100]), "unreadable image"),
    "no DICOM": (lambda path, root: path.write_bytes(b"x" * 300), "unreadable image"),
    "size": (
        lambda path, root: plant_image(root, IDS[1], image=np.zeros((16, 16), np.uint8)),
        "wrong size of image",
    ),
}


@pytest.mark.parametrize("fault", IMAGE_FAULTS)
def test_a_faulty_image_is_raised_or_left_out(tree, fault):
    spoil, kind = IMAGE_FAULTS[fault]
    tubes(tree)
    path = tree / place_of(IDS[1])
    spoil(path, tree)
    with pytest.raises(DataError, match=IDS[1]) as error:
        read(tree).cohort()
    assert error.value.kind == kind
    with pytest.warns(UserWarning, match=f"1 {kind}"):
        assert len(read(tree, "skip").cohort()) == 5


def test_a_link_out_of_the_root(tree, tmp_path):
    path = tree / place_of(IDS[1])
    path.rename(tmp_path / "outside.dcm")
    path.symlink_to(tmp_path / "outside.dcm")
    with pytest.raises(DataError, match="link out of the root"):
        read(tree).cohort()


def test_a_file_under_the_name_of_another(tree):
    plant_image(tree, IDS[1], name=IDS[0])
    index = read(tree, "skip", fractions={"train": 0.5, "test": 0.5})
    assert index.problems.counts() == {"wrong image id": 1}
    assert IDS[0] not in set(index.cases["case_id"])


def test_an_image_id_twice(tree):
    copy = tree / "dicom-images-train" / "again" / f"{IDS[0]}.dcm"
    copy.parent.mkdir()
    copy.write_bytes((tree / place_of(IDS[0])).read_bytes())
    with pytest.raises(DataError, match="duplicate image"):
        read(tree)
    assert len(read(tree, "skip")) == 6


TUBE_FAULTS = {
    "no such image": ([*TUBES, "1.2.3,1"], "skip", "tube of no image"),
    "twice": ([*TUBES, f"{IDS[3]},1"], "skip", "duplicate row"),
    "no flag": ([*TUBES, f"{IDS[0]},2"], "raise", "'tube' must be one of 0, 1, got '2'"),
    "no column": (["ImageId,flag"], "raise", "missing column: 'tube'"),
}


@pytest.mark.parametrize("fault", TUBE_FAULTS)
def test_faulty_tube_labels(tree, fault):
    rows, how, says = TUBE_FAULTS[fault]
    tubes(tree, rows)
    with pytest.raises(DataError, match=says):
        read(tree)
    if how == "skip":
        assert read(tree, "skip").problems.counts() == {says: 1}


def test_faults_of_the_whole(tree, tmp_path):
    with pytest.raises(DataError, match=r"wrong root.*data has it"):
        read(tmp_path, "skip")
    table(tree, header="ImageId,Pixels")
    with pytest.raises(DataError, match="missing column: 'EncodedPixels'"):
        read(tree, "skip")
    (tree / "train-rle.csv").unlink()
    with pytest.raises(DataError, match="missing table"):
        read(tree, "skip")
    table(tree)
    with pytest.raises(DataError, match="missing folder"):
        read(tree, "skip", images="stage_2_images")
    (tree / "empty").mkdir()
    with pytest.raises(DataError, match="no images"):
        read(tree, "skip", images="empty")
    table(tree, ROWS[1:3])
    with pytest.raises(DataError, match="3 parts need as many patients at least, there are 2"):
        read(tree, "skip")
    tubes(tree)
    with pytest.raises(DataError, match="empty split"):
        read(tree, "skip", n_validation=2).cohort("holdout")


@pytest.mark.parametrize("options", [{"n_validation": 0}, {"n_validation": 1.5}])
def test_wrong_arguments(tree, options):
    with pytest.raises(ValueError, match="n_validation must be"):
        read(tree, **options)
    with pytest.raises(ValueError, match="side must be"):
        read_index(tree, problems=Problems(), side=0)


def test_an_image_that_is_not_square_needs_no_side(tree):
    for uid in IDS:
        plant_image(tree, uid, image=np.zeros((16, 32), np.uint8))
    with pytest.raises(DataError, match="32x16 px; images are square"):
        read_index(tree, problems=Problems())


def test_the_released_tube_labels(tree, open_data):
    """The real labels join by id, 951 of them for validation; the images here are few."""
    from shortlib.data.chest_tubes import read_tubes

    path = open_data / "chest_tubes" / "cxr_tube_labels.csv"
    flags = read_tubes(path, Problems())
    assert (len(flags), flags.sum()) == (1951, 525)
    for uid in flags.index[[0, 950, 951, 1950]]:
        plant_image(tree, uid, image=pixels(1))
    table(tree, [*ROWS, *(f"{uid}, -1" for uid in flags.index[[0, 950, 951, 1950]])])
    index = read(tree, "skip", tubes=path)
    assert index.problems.counts() == {"tube of no image": 1947}
    split = index.cases.set_index("case_id")["split"]
    found = split[flags.index[[0, 950, 951, 1950]]].tolist()
    assert found == ["validation", "validation", "test", "test"]
    with pytest.warns(UserWarning, match="1947 tube of no image"):
        shortcut = index.cohort("validation+test").shortcut
    ids = index.of("validation+test").cases["case_id"]
    np.testing.assert_array_equal(shortcut, flags[ids])


def test_spellings_of_the_files(tree):
    first = tree / place_of(IDS[0])
    (first.parent / f"._{first.name}").write_bytes(b"\0\5\x16\7")
    first.rename(first.with_suffix(".DCM"))
    assert read(tree).cohort(size=SIDE).case_ids.tolist() == IDS
