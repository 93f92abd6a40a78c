"""Decoded images against the same cases read one by one, and damage of every kind."""

import json
import re
import shutil
import threading
import tracemalloc
from collections import namedtuple
from dataclasses import replace
from importlib import import_module, util
from pathlib import Path
from time import sleep

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from shortlib.data.decoded import CASES, IMAGES, RECORD, decoded
from shortlib.data.index import Index
from shortlib.data.problems import DataError, Problems
from shortlib.data.sets import LAYOUTS
from shortlib.data.streamed import Streamed

spec = util.spec_from_file_location("small_trees", Path(__file__).with_name("small_trees.py"))
small_trees = util.module_from_spec(spec)
spec.loader.exec_module(small_trees)

N, SIDE = 9, 8


@pytest.fixture(scope="module")
def mimic_tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("mimic")
    small_trees.mimic(root / "set")
    return root / "set"


@pytest.fixture
def mimic(mimic_tree, tmp_path):
    return shutil.copytree(mimic_tree, tmp_path / "mimic")


def listed(layout, root, on_error="raise", **options):
    reader = import_module(LAYOUTS[layout])
    return reader.read_index(root, problems=Problems(on_error), **options)


def made_up(root, n=N, side=SIDE, on_error="raise", wait=0.0):
    """An index without files whose reader notes which cases it was asked for."""
    asked = []

    def image(case, size):
        number = int(case["case_id"])
        asked.append(number)
        sleep(wait)
        return np.random.default_rng(number).integers(0, 256, (1, size, size), dtype=np.uint8)

    ids = [str(i) for i in range(n)]
    cases = pd.DataFrame({"case_id": ids, "patient_id": ids, "split": "train", "label": 0})
    index = Index("up", root, cases, {"images": image}, size=side, labels=("label",))
    return replace(index, problems=Problems(on_error)), asked


def assert_same(cohort, due):
    assert isinstance(cohort.images, Streamed)
    np.testing.assert_array_equal(cohort.images[:], due.images)
    assert cohort.images.dtype == due.images.dtype
    for name in ("case_ids", "patient_ids", "labels", "reports", "shortcut"):
        found, right = getattr(cohort, name), getattr(due, name)
        assert (found is None) == (right is None), name
        if right is not None:
            np.testing.assert_array_equal(found, right)
    if due.covariates is not None:
        pd.testing.assert_frame_equal(cohort.covariates, due.covariates)
    assert (cohort.name, cohort.label_names) == (due.name, due.label_names)
    assert [str(error) for error in cohort.skipped] == [str(error) for error in due.skipped]


@pytest.mark.parametrize("layout", ["nih-cxr14", "image-text", "image-table", "openi"])
def test_decoded_is_what_reading_gives(layout, tmp_path):
    small_trees.MAKE[layout](tmp_path / "set")
    index = listed(layout, tmp_path / "set")
    for _ in range(2):  # decoded, then opened
        cohort = decoded(index, size=16, folder=tmp_path / "decoded", workers=3)
        assert_same(cohort, index.cohort(size=16))
        assert cohort.abnormality_masks is None
    with pytest.raises(DataError, match="delete this one"):
        decoded(index, size=17, folder=tmp_path / "decoded")


def test_splits_and_the_place_that_nobody_named(mimic, tmp_path, monkeypatch):
    monkeypatch.setenv("SHORTLIB_DATA", str(tmp_path / "here"))
    index = listed("mimic-cxr-jpg", mimic)
    for split in ("train", "test+train"):
        assert_same(decoded(index, split, size=16), index.cohort(split, size=16))
    folders = [p for p in (tmp_path / "here" / "decoded").iterdir() if p.is_dir()]
    assert len(folders) == 2
    record = json.loads((folders[0] / RECORD).read_text())
    assert folders[0].name == f"mimic-cxr-jpg-{record['identity'][:16]}"
    assert all(re.fullmatch(r"mimic-cxr-jpg-[0-9a-f]{16}", p.name) for p in folders)


def test_a_truncated_image_and_a_missing_report(mimic, tmp_path):
    cases = listed("mimic-cxr-jpg", mimic).cases
    image, report = mimic / cases["image"][2], mimic / cases["report"][4]
    image.write_bytes(image.read_bytes()[:200])
    report.unlink()
    folder = tmp_path / "decoded" / "mimic"
    with pytest.raises(DataError, match=f"{image.name}: unreadable image"):
        decoded(listed("mimic-cxr-jpg", mimic), size=16, folder=folder)
    assert not [p for p in folder.parent.iterdir() if not p.name.endswith(".lock")]

    skipping = listed("mimic-cxr-jpg", mimic, "skip")
    with pytest.warns(UserWarning, match="left out") as warned:
        cohort = decoded(skipping, size=16, folder=folder)
    assert len(warned) == 1
    with pytest.warns(UserWarning, match="left out"):
        due = skipping.cohort(size=16)
    assert {"unreadable image", "missing report"} == {error.kind for error in cohort.skipped}
    assert_same(cohort, due)
    with pytest.warns(UserWarning, match="left out") as warned:  # from the record
        assert_same(decoded(skipping, size=16, folder=folder), due)
    assert len(warned) == 1
    with pytest.raises(DataError, match=f"{image.name}: unreadable image"):
        decoded(listed("mimic-cxr-jpg", mimic), size=16, folder=folder)


def test_nothing_that_can_be_read_is_an_error_even_when_skipping(tmp_path):
    def broken(case, size):
        raise DataError("unreadable image", "made up", path=case["case_id"])

    index = replace(made_up(tmp_path, on_error="skip")[0], readers={"images": broken})
    with pytest.raises(DataError, match="none of 9 could be read; the last: 8: unreadable"):
        decoded(index, folder=tmp_path / "decoded")


def test_a_case_of_another_shape_is_named(tmp_path):
    index, _ = made_up(tmp_path)
    read = index.readers["images"]

    def odd(case, size):
        image = read(case, size)
        return np.repeat(image, 3, 0) if case["case_id"] == "5" else image

    with pytest.raises(DataError, match=r"case '5' has \(3, 8, 8\), the first one \(1, 8, 8\)"):
        decoded(replace(index, readers={"images": odd}), folder=tmp_path / "decoded")


def test_cases_are_decoded_once_and_read_in_any_order(tmp_path):
    index, asked = made_up(tmp_path)
    cohort = decoded(index, folder=tmp_path / "decoded")
    assert sorted(asked) == sorted([*range(N), 0])  # the first one tells the shape
    del asked[:]
    again = decoded(index, folder=tmp_path / "decoded")
    assert asked == [0]
    right = index.cohort().images
    np.testing.assert_array_equal(again.images[[7, 2, 2]], right[[7, 2, 2]])
    np.testing.assert_array_equal(np.concatenate(list(again[3:].images.batches(4))), right[3:])
    assert again.checksum() == cohort.checksum()
    one = again.images[3]
    one[:] = 0  # a copy, which may be written to
    np.testing.assert_array_equal(again.images[3], right[3])


def test_memory_does_not_grow_with_the_cases(tmp_path):
    index, _ = made_up(tmp_path, n=300, side=128)
    tracemalloc.start()  # counts arrays, not mapped files
    cohort = decoded(index, folder=tmp_path / "decoded", workers=2)
    cohort.images[5:10]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 300 * 128 * 128 / 3


@pytest.mark.parametrize("change", ["bytes", "label", "size", "channels"])
def test_what_changes_the_images_changes_the_identity(change, tmp_path, monkeypatch):
    monkeypatch.setenv("SHORTLIB_DATA", str(tmp_path / "here"))
    small_trees.image_table(tmp_path / "set")
    index = listed("image-table", tmp_path / "set")
    before = decoded(index, size=16).images.checksum()
    if change == "bytes":
        Image.fromarray(np.zeros((20, 20), np.uint8)).save(tmp_path / "set" / "images" / "7.png")
    elif change == "label":
        index = replace(index, cases=index.cases.assign(label=1 - index.cases["label"]))
    elif change == "channels":  # nothing listed tells it

        def colour(case, size, read=index.readers["images"]):
            return np.repeat(read(case, size), 3, 0)

        index = replace(index, readers={**index.readers, "images": colour})
    cohort = decoded(index, size=12 if change == "size" else 16)
    assert cohort.images.checksum() != before
    np.testing.assert_array_equal(
        cohort.images[:], index.cohort(size=cohort.images.shape[2]).images
    )


def test_two_at_once_decode_once(tmp_path):
    index, asked = made_up(tmp_path, n=30, wait=0.002)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(decoded(index, folder=tmp_path / "decoded")))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert len(asked) == 30 + 3
    for cohort in found:
        np.testing.assert_array_equal(cohort.images[:], index.cohort().images)


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def longer(path):
    path.write_bytes(path.read_bytes() + b"\0")


def garbage(path):
    path.write_bytes(b"PK\x03\x04" + path.read_bytes()[4:-4] + b"PK\x05\x06")


def emptied(path):
    path.write_bytes(b"")


def removed(path):
    path.unlink()


@pytest.mark.parametrize("damage", [cut, longer, garbage, emptied, removed])
@pytest.mark.parametrize("name", [IMAGES, CASES, RECORD])
def test_a_damaged_folder_is_refused_with_what_to_do(name, damage, tmp_path):
    index, _ = made_up(tmp_path)
    decoded(index, folder=tmp_path / "decoded")
    damage(tmp_path / "decoded" / name)
    with pytest.raises(DataError, match=r"delete this one|give a new or empty"):
        decoded(index, folder=tmp_path / "decoded")


@pytest.mark.parametrize("text", ["[]", "3", '{"identity": 1}', '{"skipped": []}', "null"])
def test_a_record_of_something_else_is_refused(text, tmp_path):
    index, _ = made_up(tmp_path)
    decoded(index, folder=tmp_path / "decoded")
    (tmp_path / "decoded" / RECORD).write_text(text)
    with pytest.raises(DataError, match=r"decoded images|broken record"):
        decoded(index, folder=tmp_path / "decoded")


def test_a_record_that_leaves_out_other_cases_is_refused(tmp_path):
    index, _ = made_up(tmp_path, on_error="skip")
    decoded(index, folder=tmp_path / "decoded")
    path = tmp_path / "decoded" / RECORD
    entry = {"case": 1, "kind": "k", "sentence": "s", "path": None, "row": None}
    path.write_text(json.dumps({**json.loads(path.read_text()), "skipped": [entry]}))
    with pytest.raises(DataError, match="damaged decoded images"):
        decoded(index, folder=tmp_path / "decoded")


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("ten years")
    with pytest.raises(DataError, match="give a new or empty one"):
        decoded(made_up(tmp_path)[0], folder=tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_a_full_disk_is_said_before_anything_is_written(tmp_path, monkeypatch):
    disk = namedtuple("disk", "total used free")(1000, 900, 100)
    monkeypatch.setattr("shutil.disk_usage", lambda path: disk)
    with pytest.raises(DataError, match=r"disk is too full: 0\.0 GB are needed"):
        decoded(made_up(tmp_path)[0], folder=tmp_path / "decoded")
    assert not (tmp_path / "decoded").exists()


def test_workers_are_counted_from_one(tmp_path):
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        decoded(made_up(tmp_path)[0], folder=tmp_path / "decoded", workers=0)
