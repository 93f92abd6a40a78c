import os
import time

import pytest

from shortlib.methods.checkpoint_parts import part_of
from shortlib.runs.leftovers import DAY, checkpoint_path, clear_leftovers, lock_path, set_aside_path


@pytest.fixture
def study(tmp_path):
    """A study's folder with every kind of leftover; the names of what is in it."""
    run = tmp_path / "r-s0-key-code"
    (tmp_path / ".unfinished-r-s0-key-code-1234").mkdir()
    (tmp_path / ".unfinished-r-s0-key-code-1234" / "history.csv").touch()
    (tmp_path / f".{checkpoint_path(run).name}.4321").touch()  # as save_checkpoint names it
    checkpoint_path(run).touch()
    set_aside_path(checkpoint_path(run)).touch()
    set_aside_path(run).mkdir()
    lock_path(run).touch()
    return tmp_path


def age(folder, days):
    for path in folder.iterdir():
        os.utime(path, (time.time() - days * DAY,) * 2)


def test_what_may_be_in_use_stays(study):
    before = sorted(study.iterdir())
    clear_leftovers(study)
    assert sorted(study.iterdir()) == before


def test_what_was_cut_short_goes_after_a_day(study):
    age(study, 2)
    clear_leftovers(study)
    left = sorted(path.name for path in study.iterdir())
    assert len(left) == 4
    assert not any(name.startswith((".unfinished", "..")) for name in left)


def test_a_finished_runs_checkpoint_goes_after_a_day(study):
    (study / "r-s0-key-code").mkdir()
    age(study, 2)
    clear_leftovers(study)
    assert not checkpoint_path(study / "r-s0-key-code").exists()
    assert (study / "r-s0-key-code").exists()


def test_checkpoints_of_parts_go_as_those_of_whole_runs_do(study):
    finished, unfinished = study / "r-m0.5-s0-key-code", study / "r-s0-key-code"
    finished.mkdir()
    parts = [part_of(checkpoint_path(run), "real") for run in (finished, unfinished)]
    for path in parts:
        path.touch()
    set_aside_path(parts[1]).touch()
    (study / f".{parts[1].name}.4321").touch()
    age(study, 2)
    clear_leftovers(study)
    assert [path.exists() for path in parts] == [False, True]
    assert not list(study.glob("..*"))
    age(study, 31)
    clear_leftovers(study)
    assert not list(study.glob("*.real.checkpoint*"))
    assert not list(study.glob(".*.real.checkpoint*"))


def test_a_checkpoint_nobody_came_back_to_goes_after_a_month(study):
    age(study, 31)
    clear_leftovers(study)
    left = sorted(path.name for path in study.iterdir())
    assert len(left) == 2  # the damaged run and the lock
    assert left[0].startswith(".damaged-r-s0-key-code-")
    assert left[1] == ".r-s0-key-code.lock"


def test_what_another_process_clears_meanwhile_is_no_error(study, monkeypatch):
    def gone(*_):
        raise FileNotFoundError

    age(study, 31)
    monkeypatch.setattr("shutil.rmtree", gone)
    clear_leftovers(study)
