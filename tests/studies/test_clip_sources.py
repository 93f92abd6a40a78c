from copy import deepcopy
from importlib import util
from pathlib import Path

import numpy as np
import pytest

from shortlib.data.problems import DataError
from shortlib.data.reports import shorten
from shortlib.data.sets import read_index
from shortlib.data.splits import leaking_patients
from shortlib.studies.clip_watermarks.sources import (
    PARTS,
    check_source,
    clean_counts,
    data_folder_of,
    is_here,
    load_parts,
    source_checksum,
)
from shortlib.studies.registry import plan

spec = util.spec_from_file_location("clip_trees", Path(__file__).with_name("clip_trees.py"))
clip_trees = util.module_from_spec(spec)
spec.loader.exec_module(clip_trees)

MADE = {"n": 60, "size": 64, "seed": 3}
SHARES = {"train": 0.45, "validation": 0.1, "clean": 0.15, "test": 0.3}


def settings(data="builtin-chest", **changed):
    found = deepcopy(plan("clip-watermarks", "smoke", data=data)[0].settings)
    if data == "builtin-chest":
        found["source"]["training"]["made"] = MADE
        found["source"]["clinic"]["made"] = {**MADE, "valid": 20}
    return {**found, "clean": [8, 3], **changed}


def cut(**changed):
    """One built-in data set cut in four, as the open ones are."""
    source = {"set": "builtin-mimic-cxr", "made": MADE, "shares": SHARES}
    return settings(source={**source, **changed}, clean=[0.5, 2])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def hospitals(folder):
    return load_parts(settings(), seed=0, data_root=folder)


@pytest.fixture(scope="module")
def quarters(folder):
    return load_parts(cut(), seed=0, data_root=folder)


def ids(parts, name):
    return parts[name].case_ids.tolist()


def test_built_in_data_are_made_where_they_belong_and_only_once(tmp_path, monkeypatch):
    monkeypatch.setenv("SHORTLIB_DATA", str(tmp_path))
    asked = settings(clean=[3])
    assert is_here(asked["source"])
    first, _ = load_parts(asked, seed=0)
    made = sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("."))
    assert made == [
        "builtin-chexpert-n60-seed3-size64-valid20",
        "builtin-mimic-cxr-n60-seed3-size64",
    ]
    touched = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.csv*")}
    again, _ = load_parts(asked, seed=0)
    assert {path: path.stat().st_mtime_ns for path in touched} == touched
    assert {n: p.checksum() for n, p in first.items()} == {
        n: p.checksum() for n, p in again.items()
    }


def test_the_parts_of_two_hospitals_are_the_official_ones(hospitals, folder):
    parts, counts = hospitals
    assert tuple(parts) == PARTS
    assert counts == [8, 3]
    source = settings()["source"]
    mimic, chexpert = (
        read_index(one["set"], data_folder_of(one, folder)).cases
        for one in (source["training"], source["clinic"])
    )
    for name, table, splits in (
        ("train", mimic, ("train", "validate")),
        ("validation", mimic, ("test",)),
        ("test", chexpert, ("valid",)),
    ):
        assert ids(parts, name) == table.loc[table["split"].isin(splits), "case_id"].tolist()
    pool = set(chexpert.loc[chexpert["split"] == "train", "case_id"])
    assert len(parts["clean"]) == 8
    assert set(ids(parts, "clean")) < pool
    sizes = {name: part.images.shape[1:] for name, part in parts.items()}
    assert sizes == {"train": (1, 64, 64)} | dict.fromkeys(PARTS[1:], (1, 56, 56))


def test_labels_are_as_the_tables_have_them_uncertain_and_missing_too(hospitals, folder):
    asked, (parts, _) = settings(), hospitals
    one = asked["source"]["training"]
    whole = read_index(one["set"], data_folder_of(one, folder)).cohort(
        one["parts"]["train"], size=64
    )
    train = parts["train"]
    assert train.label_names == tuple(asked["findings"])
    for k, name in enumerate(asked["findings"]):
        due = whole.labels[:, whole.label_names.index(name)]
        np.testing.assert_array_equal(train.labels[:, k], due)
    # In other words: nothing was made a 0 that nobody called one.
    assert (train.labels == -1).any()
    assert np.isnan(train.labels).any()
    assert train.reports.tolist() == [shorten(text) for text in whole.reports]
    np.testing.assert_array_equal(train.images, whole.images)
    held_out = read_index(one["set"], data_folder_of(one, folder)).cohort("test", size=64)
    np.testing.assert_array_equal(parts["validation"].images, held_out.images[:, :, 4:60, 4:60])


def test_nothing_that_was_planted_or_drawn_is_known_to_a_fit(hospitals, quarters):
    for parts, _ in (hospitals, quarters):
        for part in parts.values():
            have = {name for name, _ in part.arrays()}
            assert not {field for field in have if "mask" in field or field == "shortcut"}


@pytest.mark.parametrize("name", ["hospitals", "quarters"])
def test_no_case_or_patient_is_in_two_parts(request, name):
    parts, _ = request.getfixturevalue(name)
    patients = np.concatenate([part.patient_ids for part in parts.values()])
    where = np.concatenate([[name] * len(part) for name, part in parts.items()])
    assert leaking_patients(patients, where) == {}
    cases = np.concatenate([part.case_ids for part in parts.values()])
    assert len(set(cases)) == len(cases)


@pytest.mark.parametrize("kind", [settings, cut])
def test_seeds_differ_in_their_clean_images_alone(folder, kind):
    (first, _), (again, _), (other, _) = (
        load_parts(kind(), seed=seed, data_root=folder) for seed in (0, 0, 1)
    )
    for name in PARTS:
        assert ids(first, name) == ids(again, name)
        assert (ids(first, name) == ids(other, name)) is (name != "clean")


@pytest.mark.parametrize("kind", [settings, cut])
def test_fewer_clean_images_are_the_first_of_more(folder, kind):
    many = ids(load_parts({**kind(), "clean": [6]}, seed=0, data_root=folder)[0], "clean")
    few = ids(load_parts({**kind(), "clean": [2]}, seed=0, data_root=folder)[0], "clean")
    assert few == many[:2]
    both, counts = load_parts({**kind(), "clean": [2, 6]}, seed=0, data_root=folder)
    assert (ids(both, "clean"), counts) == (many, [2, 6])


def test_shares_are_of_the_patients_and_clean_ones_of_the_pool(quarters, folder):
    parts, counts = quarters
    index = read_index("builtin-mimic-cxr", data_folder_of(cut()["source"], folder))
    patients = index.cases["patient_id"].nunique()
    for name in ("train", "validation", "test"):
        found = len(set(parts[name].patient_ids))
        assert found == pytest.approx(SHARES[name] * patients, abs=1)
    others = sum(len(parts[name]) for name in ("train", "validation", "test"))
    assert counts == [round(0.5 * (len(index) - others)), 2]
    assert len(parts["clean"]) == max(counts)


def test_sentences_stand_for_reports_where_the_source_says_so(folder):
    parts, _ = load_parts(cut(sentences=True), seed=0, data_root=folder)
    train = parts["train"]
    for row, text in zip(train.labels, train.reports, strict=True):
        for name, value in zip(train.label_names, row, strict=True):
            if value == 1:
                assert name.lower() in text.lower()
            if not value >= 0:
                assert name.lower() not in text.lower()


def test_numbers_and_shares_of_clean_images():
    assert clean_counts([0.1, 25, 0.5, 1], 40) == [4, 25, 20, 1]
    for wrong, said in (
        ([41], "clean must ask for 1 to 40 images, which is all there are, got 41"),
        ([0.001], "got 0.001, which makes 0"),
        ([4, 0.1], r"clean must be different numbers of images, got \[4, 4\]"),
    ):
        with pytest.raises(ValueError, match=said):
            clean_counts(wrong, 40)


@pytest.mark.parametrize("kind", [settings, cut])
def test_more_clean_images_than_there_are_is_said(folder, kind):
    with pytest.raises(ValueError, match=r"clean must ask for 1 to \d+ images.*got 1000"):
        load_parts({**kind(), "clean": [1000]}, seed=0, data_root=folder)


def test_what_stands_for_the_data_in_a_key(folder, tmp_path):
    asked = settings()["source"]
    assert source_checksum(asked) == "built-in recipe, version 1"
    tree = clip_trees.hostile_tree(tmp_path, n=48, pixels=32)
    tree.roots["mimic-cxr-jpg"].rename(tmp_path / "mimic-cxr-jpg")
    paper = plan("clip-watermarks", "paper", data_root=tmp_path)[0]
    assert is_here(paper.settings["source"], tmp_path)
    assert not is_here(paper.settings["source"], tmp_path / "elsewhere")
    mimic, chexpert = paper.data_checksum.split("+")
    assert mimic == read_index("mimic-cxr-jpg", tmp_path / "mimic-cxr-jpg").checksum()
    assert chexpert == read_index("chexpert", tmp_path / "chexpert").checksum()
    check_source(paper.settings, paper.data_checksum, data_root=tmp_path)
    with pytest.raises(DataError, match=r"other data.*plan the runs again where the data are"):
        check_source(paper.settings, "0" * 64, data_root=tmp_path)
    with pytest.raises(DataError, match="no data"):
        check_source(paper.settings, paper.data_checksum, data_root=tmp_path / "elsewhere")


def test_reports_may_lie_over_the_images_or_in_a_folder_of_their_own(tmp_path):
    tree = clip_trees.hostile_tree(tmp_path, n=48, pixels=32)
    images = tree.roots["mimic-cxr-jpg"].rename(tmp_path / "mimic-cxr-jpg")
    asked = plan("clip-watermarks", "paper", data_root=tmp_path, clean=[4], on_error="skip")[
        0
    ].settings
    asked = {**asked, "decode": False, "stored": 32, "side": 28}
    found = []
    for apart in (False, True):
        if apart:
            for path in sorted(images.rglob("s*.txt")):
                target = tmp_path / "mimic-cxr" / path.relative_to(images)
                target.parent.mkdir(parents=True, exist_ok=True)
                path.rename(target)
        with pytest.warns(UserWarning, match="left out"):
            found.append(load_parts(asked, seed=0, data_root=tmp_path)[0])
    assert found[0]["train"].reports.tolist() == found[1]["train"].reports.tolist()
    assert len(found[0]["train"].skipped) > 2
