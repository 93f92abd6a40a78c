import threading
import time
from importlib import import_module

import pytest

from shortlib.data.phantoms.make import WRITERS
from shortlib.data.placing import is_taken, new_folder, placed, read_record
from shortlib.data.problems import DataError


def others(folder):
    return sorted(p.name for p in folder.iterdir() if not p.name.endswith(".lock"))


def test_a_folder_has_its_name_only_when_it_is_complete(tmp_path):
    target = tmp_path / "deep" / "set"
    with placed(target) as filling:
        (filling / "a").write_text("1")
        assert not target.exists()
    assert (target / "a").read_text() == "1"
    assert others(target.parent) == ["set"]


@pytest.mark.parametrize("keep", [False, True])
def test_what_failed_never_has_the_name(tmp_path, keep):
    def attempt():
        with placed(tmp_path / "set", keep=keep) as filling:
            found = (filling / "a").exists()
            (filling / "a").touch()
            if not found or not keep:
                raise RuntimeError("cut")

    with pytest.raises(RuntimeError, match="cut"):
        attempt()
    assert others(tmp_path) == ([".set.partial"] if keep else [])
    if keep:
        attempt()
        assert others(tmp_path) == ["set"]


def test_what_is_there_stays_unless_forced(tmp_path):
    target = tmp_path / "set"
    target.mkdir()
    (target / "mine").touch()
    with pytest.raises(DataError, match="set: folder is taken"), placed(target):
        pass
    with pytest.raises(RuntimeError), placed(target, force=True):
        raise RuntimeError("cut")
    assert others(target) == ["mine"]
    with placed(target, force=True) as filling:
        (filling / "new").touch()
    assert others(target) == ["new"]
    assert others(tmp_path) == ["set"]


def test_an_empty_folder_is_free_and_a_file_is_not(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    assert not is_taken(tmp_path / "empty")
    assert is_taken(tmp_path / "file")
    with placed(tmp_path / "empty") as filling:
        (filling / "a").touch()
    assert others(tmp_path / "empty") == ["a"]


def test_of_two_at_a_time_one_fills_and_the_other_waits(tmp_path):
    filled, began = [], threading.Event()

    def fill(slowly):
        with placed(tmp_path / "set") as filling:
            filled.append(filling)
            if slowly:
                began.set()
                time.sleep(0.2)
            if filling is not None:
                (filling / "a").touch()

    first = threading.Thread(target=fill, args=(True,))
    first.start()
    began.wait()
    fill(False)
    first.join()
    assert filled[0] is not None
    assert filled[1] is None


def test_a_new_folder_is_absent_or_empty(tmp_path):
    assert new_folder(tmp_path / "new") == tmp_path / "new"
    assert new_folder(str(tmp_path)) == tmp_path
    (tmp_path / "file").touch()
    for taken in (tmp_path, tmp_path / "file"):
        with pytest.raises(DataError, match="folder is taken: give a new or empty folder"):
            new_folder(taken)


@pytest.mark.parametrize("name", WRITERS)
def test_no_writer_writes_into_what_is_there(name, tmp_path):
    """A patient of an older set that stays between the new ones would be nobody's."""
    (tmp_path / "older.txt").touch()
    writer = getattr(import_module(WRITERS[name]), name)
    with pytest.raises(DataError, match="folder is taken"):
        writer(tmp_path, 20)


@pytest.mark.parametrize("content", ["{", "[]", '{"sha256": 3}', "{}", "\xff"])
def test_a_broken_record_is_said(tmp_path, content):
    path = tmp_path / "record.json"
    assert read_record(path, ["sha256"], "make it again") is None
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(DataError, match=r"broken record: .*; make it again"):
        read_record(path, ["sha256"], "make it again")
