"""ISIC 2018 with trap sets: a tree made by hand, and the real tables where they are."""

import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from shortlib.data.annotations import with_annotations
from shortlib.data.isic2018 import SHORTCUTS, read_index
from shortlib.data.problems import DataError, Problems

IMAGES, MASKS = "ISIC2018_Task1-2_Training_Input", "ISIC2018_Task1_Training_GroundTruth"
HEADER = ",image," + ",".join(SHORTCUTS) + ",vasc,label,label_string"
SMALL = ("images", "masks")


def flags(k):
    """Seven flags: the number k in binary."""
    return [k >> bit & 1 for bit in range(7)]


def row(k):
    label = k % 2
    cells = [
        k * 3, f"ISIC_{k:07d}.png", *flags(k), k % 3 == 0, label, ("benign", "malignant")[label],
    ]  # fmt: skip
    return ",".join(str(int(c) if isinstance(c, bool) else c) for c in cells)


def table(root, name, numbers):
    path = root / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([HEADER, *(row(k) for k in numbers)]) + "\n")


def images(root, numbers, folders=(IMAGES, MASKS)):
    for folder in folders:
        (root / folder).mkdir(parents=True, exist_ok=True)
    for k in numbers:
        pixels = np.zeros((24, 36, 3), np.uint8)
        pixels[..., 0], pixels[..., 2] = 30 + 10 * (k % 10), 250 - 10 * (k % 10)
        pixels[6:18, 9:27] = (200, 100, 50)
        Image.fromarray(pixels).save(root / folders[0] / f"ISIC_{k:07d}.jpg", quality=95)
        mask = np.zeros((24, 36), np.uint8)
        mask[6:18, 9:27] = 255
        Image.fromarray(mask).save(root / folders[1] / f"ISIC_{k:07d}_segmentation.png")


@pytest.fixture
def root(tmp_path):
    """Ten images: 0-6 in train, 5 and 6 in val too, 7-9 in test."""
    root = tmp_path / "isic"
    images(root, range(10))
    for part, numbers in (("train", range(7)), ("val", (6, 5)), ("test", (9, 7, 8))):
        table(root, f"isic_annotated_{part}1.csv", numbers)
    return root


def read(root, **options):
    return read_index(root, problems=Problems(), **options)


def test_what_a_cohort_holds(root):
    cohort = read(root).cohort("test", size=32)
    assert cohort.case_ids.tolist() == ["ISIC_0000009", "ISIC_0000007", "ISIC_0000008"]
    assert (cohort.labels.tolist(), cohort.label_names) == ([1, 1, 0], ("benign", "malignant"))
    assert cohort.shortcut_names == SHORTCUTS
    np.testing.assert_array_equal(cohort.shortcut, [flags(9), flags(7), flags(8)])
    assert cohort.covariates["vasc"].tolist() == [1, 0, 0]
    assert (cohort.images.shape, cohort.images.dtype) == ((3, 3, 32, 32), np.uint8)
    # Both sides are stretched: the lesion is the middle half of either.
    lesion = np.zeros((32, 32), bool)
    lesion[8:24, 8:24] = True
    np.testing.assert_array_equal(cohort.abnormality_masks[0], lesion)
    np.testing.assert_allclose(cohort.images[0, :, 15, 15], (200, 100, 50), atol=6)
    np.testing.assert_allclose(cohort.images[0, :, 2, 2], (120, 0, 160), atol=6)
    assert cohort.reports is None
    assert cohort.anatomy_masks is None
    assert read(root, fit="pad").case(0, 36)["abnormality_masks"].sum() == 12 * 18


def test_images_of_val_that_are_in_train_are_reported_and_taken_out(root):
    index = read(root)
    assert dict(index.cases["split"].value_counts()) == {"train": 5, "val": 2, "test": 3}
    assert index.cases["case_id"].is_unique
    assert index.notes == (
        "2 of 2 images of val are in train too in the tables of trap set 1; they are taken out "
        "of train (leak='remove')",
    )
    assert index.of("val").cases["in_two_parts"].all()
    assert not index.of("train+test").cases["in_two_parts"].any()
    assert index.problems.found == []


def test_the_leak_may_be_kept(root):
    index = read(root, leak="keep")
    assert dict(index.cases["split"].value_counts()) == {"train": 7, "val": 2, "test": 3}
    assert "they are kept in both" in index.notes[0]
    train, val = index.cohort("train", size=8), index.cohort("val", size=8)
    assert set(val.case_ids) < set(train.case_ids)
    with pytest.raises(ValueError, match="case id 'ISIC_0000005' occurs 2 times"):
        index.cohort(size=8)


def test_tables_without_an_overlap_give_no_note(root):
    table(root, "isic_annotated_train1.csv", range(5))
    index = read(root)
    assert index.notes == ()
    assert len(index) == 10


@pytest.mark.parametrize("folder", ["annotations", "trap_sets"])
def test_small_copies_and_other_places_of_the_tables(root, folder):
    for old, new in zip((IMAGES, MASKS), SMALL, strict=True):
        (root / old).rename(root / new)
    (root / folder).mkdir()
    for path in root.glob("*.csv"):
        path.rename(root / folder / path.name)
    index = with_annotations(read(root))  # tables alone are no sidecar
    assert len(index) == 10
    assert index.case(0)["images"].shape == (3, 256, 256)


def test_a_mark_and_windows_line_ends_and_no_vasc(root):
    for path in root.glob("*.csv"):
        frame = pd.read_csv(path).drop(columns="vasc")
        text = frame.to_csv(index=False, lineterminator="\r\n").replace("Unnamed: 0", "")
        path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    index = read(root)
    assert len(index) == 10
    assert index.covariates == ("in_two_parts",)


def test_without_trap_sets_labels_come_from_the_other_table(root):
    text = "\n".join([HEADER, *(row(k) for k in range(10))]).replace(",", ";")
    (root / "isic_bias.csv").write_text(text + "\n")
    index = read(root, trap_set=None, fractions={"train": 0.6, "test": 0.4}, seed=3)
    assert dict(index.cases["split"].value_counts()) == {"train": 6, "test": 4}
    assert index.of("test").cases["label"].mean() == 0.5  # the labels' shares are kept
    again = read(root, trap_set=None, fractions={"train": 0.6, "test": 0.4}, seed=3)
    assert again.cases.equals(index.cases)
    assert set(read(root, trap_set=None).cases["split"]) == {"train", "val", "test"}


def test_pairs_that_are_in_no_table_are_noted(root):
    images(root, [20, 21])
    assert "2 images with a mask are in no table that was read" in read(root).notes


def test_a_sidecar_goes_with_both_rows_of_a_case(root):
    folder = root / "annotations"
    folder.mkdir()
    rows = [f"ISIC_{k:07d},{20 + k},1" for k in range(10)]
    (folder / "cases.csv").write_text("\n".join(["case_id,age,shortcut:hair", *rows]) + "\n")
    index = with_annotations(read(root, leak="keep"))
    assert len(index) == 12
    assert index.shortcuts == SHORTCUTS  # the tables' own flags go before
    ages = index.cases.set_index("case_id")["age"]
    assert ages["ISIC_0000005"].tolist() == [25, 25]
    (folder / "shortcut_masks").mkdir()
    with pytest.raises(DataError, match=r"annotations.yml: missing list of planes"):
        with_annotations(read(root))


def cell(old, new, part="test"):
    def spoil(root):
        path = root / f"isic_annotated_{part}1.csv"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))

    return spoil


def image(**change):
    """Damage the image of case 7, or its mask."""

    def spoil(root):
        path = root / IMAGES / "ISIC_0000007.jpg"
        mask = root / MASKS / "ISIC_0000007_segmentation.png"
        if "bytes" in change:
            path.write_bytes(path.read_bytes()[: change["bytes"]])
        if "mode" in change:
            Image.open(path).convert(change["mode"]).save(path)
        if "mask" in change:
            Image.fromarray(change["mask"]).save(mask)
        for file in change.get("without", ()):
            {"image": path, "mask": mask}[file].unlink()
        if "link" in change:
            shutil.move(path, root.parent / "secret.jpg")
            path.symlink_to(root.parent / "secret.jpg")

    return spoil


COLOURED = np.zeros((24, 36, 3), np.uint8)
COLOURED[..., 0] = 255

BAD = {
    "flag": (
        cell("ISIC_0000007.png,1", "ISIC_0000007.png,2"),
        "test1.csv, line 3: bad cell: 'dark_corner' must be 0 or 1, got '2'",
    ),
    "no flag": (cell("ISIC_0000007.png,1", "ISIC_0000007.png,"), "'dark_corner' must be 0 or 1"),
    "label out of range": (
        cell(row(7), row(7).replace("1,malignant", "2,malignant")),
        "'label' must be 0 or 1, got '2'",
    ),
    "labels disagree": (
        cell(row(7), row(7).replace("1,malignant", "0,malignant")),
        "labels disagree: label 0 is 'benign', label_string says 'malignant'",
    ),
    "climbs": (cell("ISIC_0000007.png", "../ISIC_0000007.png"), "line 3: hostile path"),
    "absolute": (cell("ISIC_0000007.png", "/ISIC_0000007.png"), "hostile path: 'image'"),
    "no name": (cell("ISIC_0000007.png", ""), "'image' must be like ISIC_0000000.png, got ''"),
    "other ending": (cell("ISIC_0000007.png", "ISIC_0000007.exe"), "must be like ISIC_0000000.png"),
    "no image": (image(without=["image"]), "segmentation.png: mask without image: ISIC_0000007"),
    "no mask": (image(without=["mask"]), "ISIC_0000007.jpg: image without mask: ISIC_0000007"),
    "neither": (image(without=["image", "mask"]), "ISIC_0000007.jpg: missing image"),
    "no bytes": (image(bytes=0), "ISIC_0000007.jpg: empty image"),
    "truncated": (image(bytes=400), "ISIC_0000007.jpg: unreadable image"),
    "grey": (image(mode="L"), "ISIC_0000007.jpg: grey image: images of this data set are in col"),
    "four inks": (image(mode="CMYK"), "ISIC_0000007.jpg: colours of image"),
    "mask of another size": (
        image(mask=np.zeros((36, 24), np.uint8)),
        "wrong size of mask: 24x36 px, in this data set it is 36x24 px",
    ),
    "mask with greys": (
        image(mask=np.tile(np.arange(36, dtype=np.uint8), (24, 1))),
        "mask is not binary",
    ),
    "mask in colour": (image(mask=COLOURED), "colour mask"),
    "16-bit mask": (image(mask=np.full((24, 36), 255, np.uint16)), "mask is not 8-bit"),
    "link out": (image(link=True), "link out of the root"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_case_that_cannot_be_used(root, name):
    spoil, said = BAD[name]
    spoil(root)
    with pytest.raises(DataError, match=said):
        read(root).cohort("test", size=16)
    index = read_index(root, problems=Problems("skip"))
    with pytest.warns(UserWarning, match="1 left out"):
        cohort = index.cohort("test", size=16)
    assert cohort.case_ids.tolist() == ["ISIC_0000009", "ISIC_0000008"]
    assert len(cohort.skipped) == 1


def test_a_row_twice_in_one_table(root):
    table(root, "isic_annotated_test1.csv", (9, 7, 8, 7))
    with pytest.raises(DataError, match="line 5: duplicate row: case_id 'ISIC_0000007' occurs bef"):
        read(root)
    problems = Problems("skip")
    assert len(read_index(root, problems=problems)) == 10
    assert problems.counts() == {"duplicate row": 1}


def test_tables_that_disagree_about_a_case(root):
    cell(row(6), row(6).replace("0,benign", "1,malignant"), "val")(root)
    with pytest.raises(
        DataError, match=r"train1.csv and .*val1.csv: tables disagree: ISIC_0000006"
    ):
        read(root)
    problems = Problems("skip")
    cases = read_index(root, problems=problems).cases
    assert "ISIC_0000006" not in set(cases["case_id"])
    assert problems.counts() == {"tables disagree": 1}


def test_orphans_among_the_files_are_reported(root):
    images(root, [30, 31])
    (root / MASKS / "ISIC_0000030_segmentation.png").unlink()
    (root / IMAGES / "ISIC_0000031.jpg").unlink()
    problems = Problems("skip")
    assert len(read_index(root, problems=problems)) == 10
    assert problems.counts() == {"image without mask": 1, "mask without image": 1}


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda r: (r / "isic_annotated_val1.csv").unlink(), "missing table: isic_annotated_val1"),
        (lambda r: (r / "isic_annotated_val1.csv").write_text(""), "empty table"),
        (cell("ruler", "length"), "missing column: 'ruler' must be there once"),
        (cell("hair", "ruler"), "must be there once"),
        (cell("label_string", "name"), "missing column: 'label_string'"),
        (cell(row(7), row(7) + ",1"), "line 3: uneven row"),
        (lambda r: shutil.rmtree(r / MASKS), "missing folder"),
    ],
)
def test_what_concerns_the_whole_always_stops(root, spoil, said):
    spoil(root)
    for on_error in ("raise", "skip"):
        with pytest.raises(DataError, match=said):
            read_index(root, problems=Problems(on_error))


def test_an_empty_part(root):
    table(root, "isic_annotated_val1.csv", ())
    with pytest.raises(DataError, match=r"no case in 'val'; it has train \(7\), test \(3\)"):
        read(root).cohort("val")


def test_wrong_roots_and_arguments(root, tmp_path):
    with pytest.raises(DataError, match="no data"):
        read(tmp_path / "nothing")
    with pytest.raises(DataError, match=r"wrong root: .*isic has it"):
        read(tmp_path)
    with pytest.raises(DataError, match=r"wrong root: .*isic has it"):
        read(root / IMAGES)
    with pytest.raises(ValueError, match="trap_set must be 1 to 5, or None for all images, got 6"):
        read(root, trap_set=6)
    with pytest.raises(ValueError, match="leak must be one of remove, keep, got 'drop'"):
        read(root, leak="drop")
    with pytest.raises(ValueError, match="fit must be one of"):
        read(root, fit="squeeze")
    with pytest.raises(DataError, match="missing table: isic_annotated_train2"):
        read(root, trap_set=2)


@pytest.mark.parametrize("trap_set", [1, 2, 3, 4, 5])
def test_the_real_trap_sets(open_data, trap_set):
    root = open_data / "isic2018_task1_256"
    index = with_annotations(read(root, trap_set=trap_set, leak="keep"))
    counts = index.cases.groupby("split")["label"].agg(["size", "sum"])
    assert counts["size"].to_dict() == {"train": 1822, "val": 259, "test": 772}
    assert counts["sum"][["train", "test"]].tolist() == [365, 154]
    assert index.notes[0].startswith("259 of 259 images of val are in train too")
    removed = read(root, trap_set=trap_set)
    assert dict(removed.cases["split"].value_counts()) == {"train": 1563, "val": 259, "test": 772}
    assert removed.cases["case_id"].nunique() == len(removed) == 2594
    assert removed.cases["label"].sum() == 519
    one = removed.case(0)
    assert one["images"].shape == (3, 256, 256)
    assert one["abnormality_masks"].any()


def test_the_real_table_of_all_images(open_data):
    cases = read(open_data / "isic2018_task1_256", trap_set=None).cases
    trap = read(open_data / "isic2018_task1_256", trap_set=3).cases
    both = cases.merge(trap, on="case_id")
    assert len(both) == 2594
    for name in ("label", *SHORTCUTS):
        assert (both[f"{name}_x"] == both[f"{name}_y"]).all()


@pytest.mark.slow
def test_every_real_image_is_read(open_data):
    cohort = read(open_data / "isic2018_task1_256").cohort(size=32)
    assert len(cohort) == 2594
    assert cohort.abnormality_masks.any(axis=(1, 2)).mean() > 0.99
    # Lesions are darker than the skin around them.
    grey, lesion = cohort.images.mean(axis=1), cohort.abnormality_masks
    both = lesion.any(axis=(1, 2)) & ~lesion.all(axis=(1, 2))
    inside = [image[mask].mean() for image, mask in zip(grey[both], lesion[both], strict=True)]
    around = [image[~mask].mean() for image, mask in zip(grey[both], lesion[both], strict=True)]
    assert (np.array(inside) < around).mean() > 0.9
