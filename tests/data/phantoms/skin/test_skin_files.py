"""The files of the built-in skin data have the real ones' names, columns and quirks."""

import hashlib

import cv2
import numpy as np
import pandas as pd
import pytest

from shortlib.data.phantoms.skin import SHORTCUTS, skin
from shortlib.data.phantoms.skin_files import write_isic2018
from shortlib.data.problems import DataError

IMAGES, MASKS = "ISIC2018_Task1-2_Training_Input", "ISIC2018_Task1_Training_GroundTruth"
TABLES = [f"isic_annotated_{part}{k}.csv" for part in ("train", "val", "test") for k in range(1, 6)]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_isic2018(tmp_path_factory.mktemp("isic") / "data", 40, seed=5, size=64)


def contents(root):
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


def test_the_tree_is_the_real_one(root):
    assert sorted(path.name for path in root.iterdir()) == [IMAGES, MASKS, "annotations"]
    ids = [f"ISIC_{k:07d}" for k in range(40)]
    assert sorted(path.name for path in (root / IMAGES).iterdir()) == [f"{i}.jpg" for i in ids]
    names = sorted(path.name for path in (root / MASKS).iterdir())
    assert names == [f"{i}_segmentation.png" for i in ids]
    tables = {path.name for path in (root / "annotations").glob("isic_*.csv")}
    assert tables == {*TABLES, "isic_bias.csv"}


def test_pictures_and_lesions_are_those_of_the_generator(root):
    made = skin(40, size=64, seed=5, part="all", artefacts=())
    for k in range(40):
        picture = cv2.imread(str(root / IMAGES / f"ISIC_{k:07d}.jpg"))[:, :, ::-1]
        lesion = cv2.imread(str(root / MASKS / f"ISIC_{k:07d}_segmentation.png"), -1)
        np.testing.assert_array_equal(lesion, made.abnormality_masks[k] * np.uint8(255))
        away = cv2.imread(str(root / "annotations" / "shortcut_masks" / f"ISIC_{k:07d}.png"), -1)
        away = cv2.dilate(away, np.ones((17, 17), np.uint8)) == 0
        # JPEG blocks reach 16 pixels where colour is halved.
        error = picture.astype(int) - made.images[k].transpose(1, 2, 0)
        if away.any():
            assert np.abs(error[away]).mean() < 6


def test_tables_have_the_real_columns_and_quirks(root):
    columns = ["Unnamed: 0", "image", *SHORTCUTS, "vasc", "label", "label_string"]
    pool = pd.read_csv(root / "annotations" / "isic_bias.csv", sep=";")
    assert list(pool) == [name for name in columns if name != "vasc"]
    assert pool["image"].tolist() == [f"ISIC_{k:07d}.png" for k in range(40)]
    for k in range(1, 6):
        parts = {
            part: pd.read_csv(root / "annotations" / f"isic_annotated_{part}{k}.csv")
            for part in ("train", "val", "test")
        }
        for table in parts.values():
            assert list(table) == columns
            names = np.array(["benign", "malignant"])[table["label"]]
            assert (table["label_string"] == names).all()
            same = pool.iloc[table.iloc[:, 0]].reset_index(drop=True)
            pd.testing.assert_frame_equal(table[list(same)], same)
        train, val, test = (set(table["image"]) for table in parts.values())
        assert val < train
        assert not train & test
        assert len(train | test) == 40


def test_the_loader_of_the_real_data_reads_it(root):
    from shortlib.data.isic2018 import read_index
    from shortlib.data.problems import Problems

    problems = Problems()
    index = read_index(root, problems=problems)
    assert not problems.found
    assert set(index.cases["split"]) == {"train", "val", "test"}
    assert len(index.cases) == 40


def test_annotations_hold_artefact_masks_and_covariates(root):
    cases = pd.read_csv(root / "annotations" / "cases.csv")
    flags = cases[[f"shortcut:{name}" for name in SHORTCUTS]].to_numpy(bool)
    for case_id, row in zip(cases["case_id"], flags, strict=True):
        bits = cv2.imread(str(root / "annotations" / "shortcut_masks" / f"{case_id}.png"), -1)
        seen = [(bits >> k & 1).any() for k in range(7)]
        assert not (np.array(seen) & ~row).any()
    assert {"age", "sex", "site", "skin_type", "tds", "severity"} <= set(cases)


def test_bytes_depend_on_the_seed_and_on_nothing_else(root, tmp_path):
    again = write_isic2018(tmp_path / "again", 40, seed=5, size=64, batch=13)
    assert contents(again) == contents(root)
    other = write_isic2018(tmp_path / "other", 40, seed=6, size=64)
    changed = contents(other)
    assert all(
        changed[name] != digest for name, digest in contents(root).items() if name.endswith(".jpg")
    )


def test_a_folder_with_something_in_it_is_refused(root):
    with pytest.raises(DataError, match="folder is taken: give a new or empty folder"):
        write_isic2018(root, 40)


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ({"n": 10}, "n must be at least 20"),
        ({"quality": 0}, "quality is a JPEG quality from 1 to 100, got 0"),
        ({"batch": 0}, "batch must be at least 1"),
    ],
)
def test_bad_arguments_are_named(tmp_path, argument, sentence):
    with pytest.raises(ValueError, match=sentence):
        write_isic2018(tmp_path / "new", **{"n": 20, **argument})
