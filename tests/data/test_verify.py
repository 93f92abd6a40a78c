import json
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from shortlib.data.manifest import load_manifest
from shortlib.data.problems import DataError
from shortlib.data.verify import verify

CLASSES = ("COVID", "Normal")
MANIFEST = {
    "name": "small",
    "title": "t",
    "summary": "s",
    "layout": "covid-radiography",
    "options": {"classes": list(CLASSES)},
    "access": "by hand",
    "steps": ["Download it."],
    "licence": {"name": "CC0"},
    "images": {"channels": 1, "format": "PNG", "size": "299 px"},
    "tree": "as it is",
    "counts": {"cases": 20, "labels": {"COVID": 10, "Normal": 10}},
    "splits": {"names": ["train", "validation", "test"], "rule": "drawn", "seed": 0},
}


@pytest.fixture(autouse=True)
def manifests(tmp_path, monkeypatch):
    folder = tmp_path / "manifests"
    folder.mkdir()
    monkeypatch.setattr("shortlib.data.manifest.manifest_folder", lambda: folder)

    def write(**changed):
        (folder / "small.yml").write_text(yaml.safe_dump({**MANIFEST, **changed}))
        load_manifest.cache_clear()

    write()
    yield write
    load_manifest.cache_clear()


@pytest.fixture(scope="module")
def _once(tmp_path_factory):
    root = tmp_path_factory.mktemp("tree")
    rng = np.random.default_rng(0)
    for name in CLASSES:
        for kind, side in (("images", 299), ("masks", 256)):
            (root / name / kind).mkdir(parents=True)
            for i in range(1, 11):
                small = rng.integers(0, 256, (16, 16), np.uint8)
                small = small if kind == "images" else (small > 128) * np.uint8(255)
                image = Image.fromarray(small).resize((side, side), Image.Resampling.NEAREST)
                image.save(root / name / kind / f"{name}-{i}.png")
    return root


@pytest.fixture
def root(_once, tmp_path):
    shutil.copytree(_once, tmp_path / "small")
    return tmp_path / "small"


def states(report):
    return {check.what: check.state for check in report.checks}


def found(report, what):
    return next(check.found for check in report.checks if check.what == what)


def test_a_sound_tree_passes(root):
    report = verify("small", root)
    assert report.ok
    assert report.problems == ()
    assert set(states(report).values()) == {"ok", "not known", "noted"}
    assert found(report, "cases that can be read") == "20"
    assert states(report)["checksums"] == "not known"
    assert found(report, "patients in two parts") == "each case counts as a patient"
    assert list(report.table().columns) == ["what", "due", "found", "state"]
    assert list(report.histogram()) == ["label", "train", "validation", "test"]


def test_a_data_set_that_is_not_there_says_how_to_get_it(tmp_path):
    with pytest.raises(DataError, match="no data: `shortlib data show small` has the steps"):
        verify("small", tmp_path / "nowhere")


def test_a_wrong_root_is_one_failed_check(root):
    report = verify("small", root / "COVID")
    assert not report.ok
    assert states(report) == {"layout": "failed"}
    assert "wrong root" in report.checks[0].found


def test_all_that_is_wrong_is_listed_not_only_the_first(root):
    (root / "COVID/images/COVID-1.png").write_bytes(b"")
    (root / "COVID/images/COVID-2.png").write_bytes(b"no image")
    whole = (root / "Normal/images/Normal-3.png").read_bytes()
    (root / "Normal/images/Normal-3.png").write_bytes(whole[: len(whole) // 2])
    (root / "Normal/masks/Normal-4.png").unlink()
    report = verify("small", root)
    assert not report.ok
    assert states(report)["cases that can be read"] == "failed"
    said = "\n".join(map(str, report.problems))
    for name in ("COVID-1.png", "COVID-2.png", "Normal-3.png", "Normal-4"):
        assert name in said


def test_counts_that_are_not_the_manifests_fail(root, manifests):
    (root / "COVID/images/COVID-1.png").unlink()
    (root / "COVID/masks/COVID-1.png").unlink()
    report = verify("small", root, deep=False)
    failed = [check.what for check in report.checks if check.state == "failed"]
    assert failed == ["cases", "cases with COVID"]
    counts = {"cases": 19, "labels": {"COVID": 9}, "splits": {"train": 1}}
    manifests(counts=counts)
    report = verify("small", root, deep=False)
    assert [c.what for c in report.checks if c.state == "failed"] == ["cases in train"]


def test_a_part_that_is_empty_fails_and_one_that_nobody_stated_is_noted(root, manifests):
    manifests(splits={"names": ["train", "tune"], "rule": "r"})
    report = verify("small", root, deep=False)
    assert states(report)["cases in tune"] == "failed"
    assert states(report)["cases in test"] == "noted"


def test_a_patient_in_two_parts_is_found(root, monkeypatch):
    def leaking(name, root, **options):
        index = read_index(name, root, **options)
        index.cases["patient_id"] = "p" + index.cases["case_id"]
        for part in ("train", "test"):
            first = index.cases.index[index.cases["split"] == part][0]
            index.cases.loc[first, "patient_id"] = "anna"
        return index

    from shortlib.data.sets import read_index

    monkeypatch.setattr("shortlib.data.verify.read_index", leaking)
    report = verify("small", root, deep=False)
    assert states(report)["patients in two parts"] == "failed"
    assert found(report, "patients in two parts") == "1, e.g. anna in test and train"


def test_the_same_image_in_two_parts_is_found(root):
    from shortlib.data.sets import read_index

    cases = read_index("small", root).cases.set_index("case_id")["split"]
    first, second = (cases.index[cases == part][0] for part in ("train", "test"))
    again = cases.index[cases == "train"][1:3]

    def path(case_id):
        return next(root.glob(f"*/images/{case_id}.png"))

    shutil.copy(path(first), path(second))
    shutil.copy(path(again[0]), path(again[1]))
    report = verify("small", root)
    assert states(report)["same image in two parts"] == "failed"
    assert found(report, "same image in two parts").startswith("1, e.g. ")
    assert all(i in found(report, "same image in two parts") for i in (first, second))
    assert found(report, "same image twice in a part") == "1 times"


def test_files_are_compared_with_what_was_recorded(root):
    from shortlib.data.download import sha256_of

    files = ["COVID/images/COVID-1.png", "COVID/masks/COVID-1.png"]
    record = {"mode": "prepared copy", "list_sha256": None, "files": 2}
    record["sha256"] = {file: sha256_of(root / file) for file in files}
    (root / "fetched.json").write_text(json.dumps(record))
    report = verify("small", root)
    assert states(report)["checksums"] == "ok"
    assert states(report)["checksums of the originals"] == "not known"
    shutil.copy(root / "Normal/images/Normal-1.png", root / files[0])
    report = verify("small", root)
    assert found(report, "checksums").startswith("1 of ")
    assert found(report, "checksums").endswith(f" are not, the first: {files[0]} (changed)")
    (root / files[1]).unlink()
    assert found(verify("small", root), "checksums").startswith("2 of 2 are not")
    record["sha256"] = {"../x": "0"}
    (root / "fetched.json").write_text(json.dumps(record))
    assert states(verify("small", root))["checksums"] == "failed"
    (root / "fetched.json").write_text("{")
    assert states(verify("small", root))["checksums"] == "failed"


def test_a_sample_opens_so_many_and_says_so(root):
    report = verify("small", root, sample=5, seed=3)
    check = next(c for c in report.checks if c.what == "cases that can be read")
    assert (check.due, check.found) == ("5 (a sample of 20)", "5")
    with pytest.raises(ValueError, match="sample must be at least 1, got 0"):
        verify("small", root, sample=0)
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        verify("small", root, workers=0)


def test_findings_share_a_cell_of_the_histogram():
    from pathlib import Path

    from shortlib.data.verify import Report

    table = pd.DataFrame(
        {"present": [1, 2], "absent": [3, 4], "uncertain": [0, 0], "not mentioned": [5, 6]},
        index=pd.MultiIndex.from_tuples([("Edema", "train"), ("Edema", "test")]).set_names(
            ["label", "part"]
        ),
    )
    histogram = Report("x", Path(), (), labels=table).histogram()
    assert histogram.iloc[0].tolist() == ["Edema", "1 / 3 / 0 / 5", "2 / 4 / 0 / 6"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["covid-cxr-lungmask", "nih-cxr14-starter", "ieee8023-image-text", "openi-reports"]
)
def test_the_open_data_are_what_their_manifests_say(open_data, name, monkeypatch):
    monkeypatch.undo()
    load_manifest.cache_clear()
    report = verify(name, open_data / name.replace("-", "_"))
    assert report.ok, report.table().to_string()
