import hashlib
import json
import threading

import numpy as np
import pytest
from PIL import Image

from shortlib.data.manifest import load_manifest
from shortlib.data.phantoms import make as making
from shortlib.data.phantoms.make import built_in_names, made, make
from shortlib.data.problems import DataError
from shortlib.data.sets import read_index
from shortlib.data.verify import verify

NAME = "builtin-covid-radiography"
CLASSES = ("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia")
# Parameters that make a set in a second or two.
SMALL = {
    "builtin-acdc": {"n": 10, "spacing": 3.0},
    "builtin-chexpert": {"n": 24},
    "builtin-cm": {"n": 8, "spacing": 3.0},
    "builtin-covid-radiography": {"n_per_class": 5},
    "builtin-isic2018": {"n": 40},
    "builtin-mimic-cxr": {"n": 40},
    "builtin-siim-acr": {"n": 20, "n_validation": 5, "n_test": 5},
}
# The reader must be told what the writer was.
OPTIONS = {"builtin-siim-acr": {"n_validation": 5}}


def sums(root):
    return {
        p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in root.rglob("*")
        if p.is_file() and p.name != "made.json"
    }


@pytest.fixture
def writer(monkeypatch):
    """Stands in for a generator: noise in the layout of COVID-19 Radiography."""
    calls = []

    def write_covid(root, n_per_class, *, seed=0, n_jobs=1):
        calls.append({"n_per_class": n_per_class, "seed": seed, "n_jobs": n_jobs})
        rng = np.random.default_rng(seed)
        for name in CLASSES:
            for kind, side in (("images", 299), ("masks", 256)):
                folder = root / name / kind
                folder.mkdir(parents=True)
                for i in range(min(n_per_class, 5)):
                    pixels = rng.integers(0, 2, (side, side), np.uint8) * 255
                    Image.fromarray(pixels).save(folder / f"{name}-{i + 1}.png", compress_level=1)

    monkeypatch.setattr(making, "_writer", lambda name: write_covid)
    return calls


def test_a_set_is_written_whole_with_a_record(writer, tmp_path):
    root = make(NAME, tmp_path / "set", seed=7, n_jobs=3)
    assert root == tmp_path / "set"
    assert writer == [{"n_per_class": 100, "seed": 7, "n_jobs": 3}]
    record = made(root)
    assert record["name"] == NAME
    assert record["parameters"] == {"n_per_class": 100, "seed": 7}
    assert record["counts"]["cases"] == 20
    assert record["counts"]["labels"] == dict.fromkeys(CLASSES, 5)
    assert record["sha256"] == sums(root)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".set.lock", "set"]


def test_a_set_made_with_other_parameters_is_verified_by_what_was_made(writer, tmp_path):
    root = make(NAME, tmp_path / "other", n_per_class=5)
    assert verify(NAME, root).ok
    plain = make(NAME, tmp_path / "plain")  # has 20 cases, and the manifest says 400
    report = verify(NAME, plain)
    assert next(c.what for c in report.checks if c.state == "failed") == "cases"
    next(root.rglob("*-1.png")).write_bytes(b"")
    assert not verify(NAME, root).ok


def test_what_is_there_stays_unless_forced(writer, tmp_path):
    make(NAME, tmp_path / "set", seed=1)
    before = sums(tmp_path / "set")
    with pytest.raises(DataError, match=r"folder is taken: it is there already; .*--force"):
        make(NAME, tmp_path / "set", seed=2)
    assert sums(tmp_path / "set") == before
    make(NAME, tmp_path / "set", seed=2, force=True)
    assert sums(tmp_path / "set") != before
    make(NAME, tmp_path / "set", seed=1, force=True)
    assert sums(tmp_path / "set") == before


def test_a_writer_that_fails_leaves_nothing(monkeypatch, tmp_path):
    def write(root, n_per_class, seed):
        (root / "half").touch()
        raise RuntimeError("cut")

    monkeypatch.setattr(making, "_writer", lambda name: write)
    with pytest.raises(RuntimeError, match="cut"):
        make(NAME, tmp_path / "set")
    assert [p.name for p in tmp_path.iterdir()] == [".set.lock"]


def test_two_at_a_time_make_it_once(writer, tmp_path):
    threads = [threading.Thread(target=make, args=(NAME, tmp_path / "set")) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(writer) == 1
    assert (tmp_path / "set" / "made.json").exists()


def test_reading_makes_a_built_in_set_that_is_not_here(writer, tmp_path, monkeypatch):
    monkeypatch.setenv("SHORTLIB_DATA", str(tmp_path))
    assert len(read_index(NAME)) == 20
    assert (tmp_path / NAME / "made.json").exists()
    with pytest.raises(DataError, match=f"make it with `shortlib data make {NAME}`"):
        read_index(NAME, tmp_path / "elsewhere")


def test_a_wrong_argument_is_named(writer, tmp_path):
    with pytest.raises(ValueError, match=r"write_covid has no parameter 'colour'; it has n_per_cl"):
        make(NAME, tmp_path / "set", colour="red")
    with pytest.raises(ValueError, match=r"acdc is not made by the program; built in are builtin-"):
        make("acdc", tmp_path / "set")


def test_a_broken_record_is_named(tmp_path):
    assert made(tmp_path) is None
    for text in ("{", "{}", json.dumps({"parameters": {}, "sha256": {}}), "[]"):
        (tmp_path / "made.json").write_text(text)
        with pytest.raises(DataError, match=r"made\.json: broken record"):
            made(tmp_path)


@pytest.mark.parametrize("name", built_in_names())
def test_every_writer_is_there(name):
    assert callable(making._writer(load_manifest(name).make.writer))


def test_a_small_one_of_each_is_tried():
    assert sorted(SMALL) == built_in_names()


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_a_small_one_of_each_is_made_twice_the_same_and_passes(name, tmp_path, monkeypatch):
    manifest = load_manifest(name)
    told = manifest.model_copy(update={"options": {**manifest.options, **OPTIONS.get(name, {})}})
    for module in ("sets", "verify", "phantoms.make"):
        monkeypatch.setattr(f"shortlib.data.{module}.load_manifest", lambda _: told)
    one = make(name, tmp_path / "one", **SMALL[name])
    two = make(name, tmp_path / "two", n_jobs=2, **SMALL[name])
    assert sums(one) == sums(two)
    report = verify(name, one)
    assert report.ok, report.table().to_string()
    other = make(name, tmp_path / "three", seed=99, **SMALL[name])
    assert sums(other) != sums(one)
