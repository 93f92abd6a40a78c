import errno
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from shortlib.cli import app
from shortlib.command import in_a_sentence

BUILT_IN = "builtin-covid-radiography"
CLASSES = ("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia")


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Call `shortlib data` with a data folder of its own; returns exit code and words."""
    monkeypatch.setenv("SHORTLIB_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)

    def call(*words):
        result = CliRunner().invoke(app, ["data", *map(str, words)])
        return result.exit_code, result.output

    call.folder = tmp_path / "data"
    return call


@pytest.fixture
def writer(monkeypatch):
    def write_covid(root, n_per_class, *, seed=0):
        rng = np.random.default_rng(seed)
        for name in CLASSES:
            for kind, side in (("images", 299), ("masks", 256)):
                (root / name / kind).mkdir(parents=True)
                for i in range(5):
                    pixels = rng.integers(0, 2, (side, side), np.uint8) * 255
                    path = root / name / kind / f"{name}-{i + 1}.png"
                    Image.fromarray(pixels).save(path, compress_level=1)

    monkeypatch.setattr("shortlib.data.phantoms.make._writer", lambda name: write_covid)


def test_help_is_quick_for_it_imports_nothing_heavy():
    told = (
        "import sys, shortlib.cli_data; "
        "sys.exit(any(m in sys.modules for m in ('torch', 'pandas', 'matplotlib')))"
    )
    assert subprocess.run([sys.executable, "-c", told], check=False).returncode == 0


def test_list_says_what_is_here_and_what_the_others_need(data, writer):
    data("make", BUILT_IN)
    code, output = data("list")
    assert code == 0
    lines = {line.split()[0]: line for line in output.splitlines() if line}
    assert re.search(r"made\s*$", lines[BUILT_IN])
    assert "an agreement: shortlib data show chexpert" in lines["chexpert"]
    assert f"The data folder is {data.folder}" in output


def test_show_prints_the_manifest(data):
    code, output = data("show", "mimic-cxr-jpg")
    assert code == 0
    assert "PhysioNet Credentialed Health Data License" in output
    assert "CITI" in output
    assert str(data.folder / "mimic-cxr-jpg") in output


@pytest.mark.parametrize("command", ["show", "fetch", "make", "verify", "preview"])
def test_an_unknown_name_lists_the_known_ones_in_one_line(data, command):
    code, output = data(command, "imagenet")
    assert code == 2
    assert re.fullmatch(r"shortlib: data set must be one of acdc, .*, got 'imagenet'\n", output)


@pytest.mark.parametrize("name", ["mimic-cxr-jpg", "chexpert", "cm", "acdc", "siim-acr"])
def test_fetch_of_what_needs_a_person_prints_the_steps_and_exits_with_three(data, name):
    code, output = data("fetch", name)
    assert code == 3
    assert output.startswith(f"shortlib: {name} is not fetched by the program")
    assert "\n  1. " in output
    assert "Traceback" not in output


def test_fetch_of_a_built_in_set_points_to_make(data):
    code, output = data("fetch", BUILT_IN)
    assert code == 2
    assert f"make it with `shortlib data make {BUILT_IN}`" in output


def test_fetch_offline_is_one_sentence(data, monkeypatch):
    monkeypatch.setattr("shortlib.data.download.TRIES", 1)
    code, output = data("fetch", "nih-cxr14-starter", "--from", "http://127.0.0.1:9/", "--quiet")
    assert code == 2
    assert "host not reached: 127.0.0.1:9" in output
    assert len(output.splitlines()) == 1


def test_fetch_from_a_folder_then_verify_then_again(data, open_data):
    code, output = data("fetch", "sunnybrook-cine", "--from", open_data, "--quiet")
    assert code == 0
    assert "26 files in" in output
    assert "could not be checked" in output
    assert data("fetch", "sunnybrook-cine")[1].startswith("sunnybrook-cine is here")
    code, output = data("verify", "sunnybrook-cine", "--quiet")
    assert code == 0
    assert output.endswith(" 0 failed\n")


def test_make_then_verify_then_preview(data, writer):
    code, output = data("make", BUILT_IN, "--seed", "4")
    assert code == 0
    assert output.startswith(f"{BUILT_IN} made in ")
    code, output = data("make", BUILT_IN)
    assert code == 2
    assert "it is there already; force (--force) replaces it" in output
    code, output = data("verify", BUILT_IN, "--quiet", "--sample", "4")
    assert code == 0
    assert "4 (a sample of 20)" in output
    assert "Viral Pneumonia" in output
    code, output = data("preview", BUILT_IN, "--n", "4")
    assert (code, output) == (0, f"{BUILT_IN}.png\n")
    with Image.open(f"{BUILT_IN}.png") as image:
        assert image.width > 500
    assert data("preview", BUILT_IN, "--split", "test", "--out", "new/sheet.pdf")[0] == 0
    assert data("preview", BUILT_IN, "--out", "sheet.doc")[0] == 2


def test_verify_exits_with_one_and_names_what_is_wrong(data, writer):
    data("make", BUILT_IN, "--seed", "4")
    (data.folder / BUILT_IN / "Normal/images/Normal-2.png").write_bytes(b"spoilt")
    code, output = data("verify", BUILT_IN, "--quiet")
    assert code == 1
    assert "Normal-2.png: unreadable image" in output
    assert "(changed)" in output
    assert re.search(r"checks, \d failed\n$", output)
    assert data("verify", BUILT_IN, "--shallow")[0] == 0


def test_make_all_makes_what_is_missing(data, writer, monkeypatch):
    monkeypatch.setattr("shortlib.data.phantoms.make.built_in_names", lambda: [BUILT_IN])
    assert "made in" in data("make")[1]
    assert data("make", "all") == (0, f"{BUILT_IN} is here: {data.folder / BUILT_IN}\n")
    shutil.rmtree(data.folder / BUILT_IN)
    assert "made in" in data("make", "all")[1]


def test_make_all_into_one_folder_is_refused(data):
    code, output = data("make", "all", "--root", "here")
    assert code == 2
    assert "--root is the folder of one data set" in output


def test_verify_of_what_is_not_here_says_how_to_get_it(data):
    code, output = data("verify", "acdc")
    assert code == 2
    assert "no data: `shortlib data show acdc` has the steps" in output


@pytest.mark.parametrize("word", ["make", "fetch"])
def test_a_place_that_is_a_file_is_said_in_a_sentence(data, writer, tmp_path, word):
    (tmp_path / "data").write_text("not a folder")
    name = BUILT_IN if word == "make" else "covid-cxr-lungmask"
    mirror = tmp_path / "mirror" / name / "COVID" / "images"
    mirror.mkdir(parents=True)
    code, output = data(word, name, *(("--from", tmp_path / "mirror") if word == "fetch" else ()))
    assert code == 2
    assert output.splitlines()[-1].startswith("shortlib: ")
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("number", "code"), [(errno.EACCES, 2), (errno.ENOSPC, 2), (errno.EIO, None)]
)
def test_what_the_place_refuses_is_a_sentence_and_a_mistake_of_ours_is_not(number, code):
    @in_a_sentence
    def command():
        raise OSError(number, os.strerror(number), "some/folder")

    with pytest.raises(OSError if code is None else typer.Exit) as caught:
        command()
    assert getattr(caught.value, "exit_code", None) == code


@pytest.mark.parametrize("columns", [80, 100])
def test_the_table_of_checks_fits_the_terminal(data, writer, monkeypatch, columns):
    data("make", BUILT_IN)
    changed = next((data.folder / BUILT_IN).glob("Viral*/images/*.png"))
    changed.write_bytes(b"")
    monkeypatch.setenv("COLUMNS", str(columns))
    code, output = data("verify", BUILT_IN, "--quiet")
    assert code == 1
    table = output.split("\n\n")[1]
    assert "empty image" in " ".join(table.split())
    assert max(map(len, table.splitlines())) <= columns
