import os

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shortlib.runs.request import Request
from shortlib.runs.store import Store
from shortlib.studies.exemplary_explanations.choice import (
    Choice,
    came_from,
    check_cases,
    check_choice,
    read_choice,
    write_choice,
)

RUN = "refined-s0-1a2b3c4d-99aabbcc"
CHOICE = Choice(good="COVID-12", bad="Normal-7", run=RUN)
# Names of cases come from names of files, which may hold any sign: line breaks, controls, and half
# a surrogate where the bytes on the disk are no UTF-8.
names = st.text(st.characters(), min_size=1).filter(str.strip)


# The file


@settings(deadline=None)  # disks may be slow
@given(names, names, names)
@example("yes", "0x10", "a: b # c")
@example("\u00e9", "- 'a'", '"b" ')
@example("a\x85b", "a\u2028b \ufeff", "a\r\n\x00\x1b\udcff")
def test_what_is_written_is_read(tmp_path_factory, good, bad, run):
    path = tmp_path_factory.getbasetemp() / "round-trip.yml"
    choice = Choice(good, bad, run)
    assert write_choice(path, choice) == path
    assert read_choice(path) == choice


def test_the_file_is_three_lines_that_a_person_can_read(tmp_path):
    path = write_choice(str(tmp_path / "exemplars.yml"), CHOICE)
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert lines == ["good: COVID-12", "bad: Normal-7", f"run: {RUN}"]
    assert os.listdir(tmp_path) == ["exemplars.yml"]


def test_a_file_by_hand_is_read(tmp_path):
    path = tmp_path / "by-hand.yml"
    path.write_text("run: 'refined-s0-1a2b3c4d'\nbad: '7'\ngood: 'é 1'\n", encoding="utf-8")
    assert read_choice(path) == Choice("é 1", "7", "refined-s0-1a2b3c4d")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("good: [", "is no YAML"),
        (b"good: \xff\xfe", "is no YAML"),
        ("good: 2024-13-45", "is no YAML"),
        ("good: !!python/object/apply:os.getcwd []", "is no YAML"),
        ("", "holds NoneType"),
        ("- good\n- bad\n", "holds list"),
        ("good: a\n", "lacks bad, run; a choice is three lines of YAML, good, bad, run"),
        ("good: a\nbad: b\nrun: c\nugly: d\n", "has the unknown key ugly"),
        ("good: a\nbad: 12\nrun: c\n", r"bad must be text that is not empty, got 12 \(int\)"),
        ("good: ''\nbad: b\nrun: c\n", "good must be text that is not empty, got ''"),
        ("good: a\nbad: b\nrun:\n", r"run must be .*got None"),
    ],
)
def test_a_file_that_is_no_choice_is_named(tmp_path, text, said):
    path = tmp_path / "odd.yml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=said) as caught:
        read_choice(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"no choice of exemplars at .*none\.yml"):
        read_choice(tmp_path / "none.yml")
    with pytest.raises(ValueError, match="can't be read"):
        read_choice(tmp_path)


@pytest.mark.parametrize("value", [None, 3, "", "  ", b"a"])
@pytest.mark.parametrize("name", ["good", "bad", "run"])
def test_a_choice_is_text(name, value):
    with pytest.raises(ValueError, match=f"^{name} must be text"):
        Choice(**{"good": "a", "bad": "b", "run": "c", name: value})


def test_no_file_is_made_where_none_can_be(tmp_path):
    with pytest.raises(ValueError, match="is a folder"):
        write_choice(tmp_path, CHOICE)
    with pytest.raises(ValueError, match=r"there is no folder .*missing"):
        write_choice(tmp_path / "missing/exemplars.yml", CHOICE)
    with pytest.raises(ValueError, match="can't be written"):
        write_choice(tmp_path / ("x" * 300), CHOICE)
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = write_choice(tmp_path / "exemplars.yml", CHOICE)

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ValueError, match=r"exemplars\.yml: no space left"):
        write_choice(path, Choice("x", "y", "z"))
    assert os.listdir(tmp_path) == ["exemplars.yml"]
    assert read_choice(path) == CHOICE


# The run


@pytest.mark.parametrize("chosen", [RUN, "refined-s0-1a2b3c4d", "refined-s0-1a2b3c4d-00000000"])
@pytest.mark.parametrize("asked", [RUN, "refined-s0-1a2b3c4d"])
def test_the_code_of_a_run_does_not_count(chosen, asked):
    assert came_from(Choice("a", "b", chosen), asked)


@pytest.mark.parametrize(
    "other",
    [
        "refined-s1-1a2b3c4d-99aabbcc",
        "pairs-s0-1a2b3c4d-99aabbcc",
        "refined-s0-1a2b3c4e-99aabbcc",
        "refined-s0-99aabbcc",
        "refined-s0",
    ],
)
def test_variant_seed_and_key_count(other):
    assert not came_from(CHOICE, other)
    with pytest.raises(ValueError, match="is not the run") as caught:
        check_choice(CHOICE, training_ids=["COVID-12", "Normal-7"], run=other)
    assert RUN in str(caught.value)
    assert other in str(caught.value)


def test_the_names_are_those_of_run_folders(tmp_path):
    request = Request(
        study="spatial-specificity-synthetic",
        method="m",
        variant="some-variant",
        settings={},
        seed=12,
        data="d",
        data_checksum="",
        version=1,
    )
    folder = Store(tmp_path).path(request).name
    assert folder != request.name
    assert came_from(Choice("a", "b", folder), request.name)
    assert came_from(Choice("a", "b", request.name), folder)


# The cases


def test_two_training_cases_of_the_run_are_right():
    ids = np.array(["Normal-7", "COVID-12", "COVID-13"])
    check_choice(CHOICE, training_ids=ids, run=RUN, other_ids={"test": np.array(["COVID-99"])})


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ("a", "a", "two different cases, got 'a' for both"),
        ("a", "v", "bad must be a training case; 'v' is a case of the validation set"),
        ("t", "b", "good must be a training case; 't' is a case of the test set"),
        ("a", "z", "bad must be one of the 3 training cases, got 'z'"),
    ],
)
def test_other_cases_are_refused(good, bad, said):
    others = {"validation": ["v"], "test": np.array(["t", "u"])}
    with pytest.raises(ValueError, match=said):
        check_cases(good, bad, training_ids=iter("abc"), other_ids=others)
    with pytest.raises(ValueError, match=said):
        check_choice(Choice(good, bad, RUN), training_ids="abc", run=RUN, other_ids=others)
