import subprocess
import time
from pathlib import Path

import pytest

from shortlib.runs import provenance


def test_git_state_is_none_outside_a_checkout(tmp_path, monkeypatch):
    (tmp_path / "provenance.py").touch()
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "provenance.py"))
    assert provenance.git_state() == {"commit": None, "dirty": None}


def test_git_state_does_not_take_a_checkout_around_the_environment_for_ours(tmp_path, monkeypatch):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / "provenance.py").touch()  # not tracked
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "provenance.py"))
    assert provenance.git_state() == {"commit": None, "dirty": None}


def test_versions_name_a_package_that_is_not_there(monkeypatch):
    monkeypatch.setattr(provenance, "PACKAGES", ("no-such-package",))
    assert provenance.versions()["no-such-package"] is None


def test_measured_tells_time_and_the_peak_of_its_own_block():
    with provenance.measured() as large:
        held = bytearray(300 * 2**20)
        held[::4096] = b"x" * len(held[::4096])
        time.sleep(0.01)
    del held
    with provenance.measured() as small:
        pass
    assert large["wall_seconds"] >= 0.01
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("this system keeps one peak for the whole process")
    assert large["peak_memory_mib"] - small["peak_memory_mib"] > 200


def test_measured_tells_of_a_block_that_failed():
    with pytest.raises(KeyError), provenance.measured() as facts:
        raise KeyError
    assert facts["wall_seconds"] >= 0
