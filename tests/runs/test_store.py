import os
import warnings
from dataclasses import replace
from importlib import import_module

import pandas as pd
import pytest
from filelock import FileLock

from shortlib.methods.checkpoint_parts import part_of
from shortlib.runs import Run, Store
from shortlib.runs.code import fit_module
from shortlib.runs.leftovers import checkpoint_path, lock_path

FILES = [
    "embeddings.safetensors",
    "files.json",
    "history.csv",
    "predictions.parquet",
    "provenance.json",
    "request.json",
    "weights.safetensors",
]


@pytest.fixture
def fit(smoke_request):
    """The module whose ``fit`` the store calls."""
    return import_module(fit_module(smoke_request.study))


@pytest.fixture
def no_fit(fit, monkeypatch):
    """Let any fit fail the test."""
    monkeypatch.setattr(fit, "fit", lambda *_, **__: pytest.fail("fitted again"))


def hidden(folder):
    return sorted(p.name for p in folder.glob(".*") if not p.name.endswith(".lock"))


def test_a_missing_run_is_fitted_then_loaded(store, smoke_request, fit, monkeypatch):
    assert store.find(smoke_request) is None
    first = store.fit_or_load(smoke_request, device="cpu")
    assert first.path == store.path(smoke_request)
    assert hidden(first.path.parent) == []
    monkeypatch.setattr(fit, "fit", lambda *_, **__: pytest.fail("fitted again"))
    again = store.fit_or_load(replace(smoke_request, profile="workshop"))
    assert again.path == first.path
    assert again.request["profile"] == "smoke"


def test_provenance_says_where_when_and_by_what(fitted_run, smoke_request):
    import shortlib

    told = Run(fitted_run).provenance
    assert told["wall_seconds"] > 0
    assert told["peak_memory_mib"] > 50
    assert told["started"].endswith("+00:00")
    assert told["machine"]
    assert told["compute"]["device"] == "cpu"
    assert told["data_checksum"] == smoke_request.data_checksum
    assert told["versions"]["shortlib"] == shortlib.__version__
    assert {"commit", "dirty"} <= told.keys()
    assert told["code"]["shortlib.methods.training"]
    assert told["resumed_from_epoch"] == 0


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_run_is_named_set_aside_and_fitted_anew(fitted_run, store, smoke_request, name):
    whole = Run(fitted_run).predictions
    file = fitted_run / name
    file.write_bytes(file.read_bytes()[:-3])
    with pytest.warns(UserWarning, match=rf"{name}.*set aside as \.damaged-"):
        run = store.fit_or_load(smoke_request, device="cpu")
    assert run.path == fitted_run
    pd.testing.assert_frame_equal(run.predictions, whole)
    assert len(hidden(fitted_run.parent)) == 1
    assert [r.path for r in store.runs()] == [fitted_run]


@pytest.mark.parametrize("stray", ["folder", "file"])
def test_what_is_in_the_place_of_a_run_is_set_aside(store, smoke_request, stray):
    path = store.path(smoke_request)
    path.parent.mkdir(parents=True)
    path.mkdir() if stray == "folder" else path.touch()
    with pytest.warns(UserWarning, match="set aside"):
        assert store.find(smoke_request) is None
    assert not path.exists()


def test_a_damaged_run_that_another_process_holds_is_left_to_it(fitted_run, store, smoke_request):
    (fitted_run / "files.json").unlink()
    with FileLock(lock_path(fitted_run)):
        assert store.find(smoke_request) is None
    assert fitted_run.exists()


def test_a_damaged_run_that_cant_be_moved_is_named(fitted_run, store, smoke_request, monkeypatch):
    def refuse(*_):
        raise PermissionError("read-only")

    (fitted_run / "files.json").unlink()
    monkeypatch.setattr("shortlib.runs.store.os.rename", refuse)
    with pytest.warns(UserWarning, match="can't be set aside: read-only"):
        assert store.find(smoke_request) is None


def test_one_damaged_run_does_not_hide_the_others(fitted_run, store):
    (fitted_run.parent / "printed-r99-s0-00000000-00000000").mkdir()
    (fitted_run.parent / ".unfinished-x").mkdir()
    (fitted_run.parent / "notes.txt").touch()
    with pytest.warns(UserWarning, match="printed-r99.*passed over"):
        assert [run.path for run in store.runs()] == [fitted_run]


def test_a_damaged_checkpoint_is_named_set_aside_and_the_fit_begun_anew(store, smoke_request, fit):
    path = store.path(smoke_request)
    path.parent.mkdir(parents=True)
    checkpoint_path(path).write_bytes(b"\x10\0\0\0\0\0\0\0{not a checkpoint")
    with pytest.warns(UserWarning, match=r"cannot be resumed from.*the fit starts anew"):
        run = store.fit_or_load(smoke_request, device="cpu")
    assert run.provenance["resumed_from_epoch"] == 0
    assert [name[:9] for name in hidden(path.parent)] == [".damaged-"]


def test_checkpoints_of_parts_go_when_the_run_is_written(store, smoke_request, fit, monkeypatch):
    """The damaged ones are set aside, each once; what is whole is left for the fit to resume."""
    genuine, calls = fit.fit, []

    def in_parts(request, *, checkpoint, **options):
        real, shortcut, third = (part_of(checkpoint, p) for p in ("real", "shortcut", "third"))
        calls.append([path.exists() for path in (real, shortcut, third)])
        for path in (real, shortcut):
            if path.exists() and path.read_bytes() == b"damaged":
                raise ValueError(f"checkpoint {path} cannot be resumed from: no header")
            path.touch()
        return genuine(request, checkpoint=checkpoint, **options)

    monkeypatch.setattr(fit, "fit", in_parts)
    path = store.path(smoke_request)
    path.parent.mkdir(parents=True)
    for part in ("real", "shortcut"):
        part_of(checkpoint_path(path), part).write_bytes(b"damaged")
    part_of(checkpoint_path(path), "third").touch()
    with pytest.warns(UserWarning, match=r"cannot be resumed from.*the fit starts anew") as said:
        store.fit_or_load(smoke_request, device="cpu")
    assert len(said) == 2
    assert calls == [[True, True, True], [False, True, True], [True, False, True]]
    assert [name[:9] for name in hidden(path.parent)] == [".damaged-"] * 2


def test_a_fit_that_damages_its_own_checkpoint_is_not_called_for_ever(
    store, smoke_request, fit, monkeypatch
):
    def broken(request, *, checkpoint, **options):
        checkpoint.touch()
        raise ValueError(f"checkpoint {checkpoint} cannot be resumed from: its own")

    monkeypatch.setattr(fit, "fit", broken)
    with pytest.raises(ValueError, match="its own"):
        store.fit_or_load(smoke_request)


def test_a_fits_own_value_error_is_not_taken_for_a_damaged_checkpoint(
    store, smoke_request, fit, monkeypatch
):
    def broken(request, *, checkpoint, **options):
        checkpoint.touch()
        raise ValueError("r must be a whole number")

    monkeypatch.setattr(fit, "fit", broken)
    with pytest.raises(ValueError, match="whole number"):
        store.fit_or_load(smoke_request)
    assert checkpoint_path(store.path(smoke_request)).exists()


def test_wall_seconds_of_a_resumed_fit_count_the_epochs_before(
    store, smoke_request, fit, monkeypatch
):
    genuine = fit.fit

    def resumed(request, **options):
        fitted = genuine(request, **options)
        fitted.history["seconds"] = 1000.0
        fitted.facts["resumed_from_epoch"] = 2
        return fitted

    monkeypatch.setattr(fit, "fit", resumed)
    told = store.fit_or_load(smoke_request, device="cpu").provenance
    assert told["wall_seconds"] == pytest.approx(told["wall_seconds_since_resumed"] + 2000)


def test_a_fit_of_several_parts_says_how_long_the_epochs_before_took(
    store, smoke_request, fit, monkeypatch
):
    genuine = fit.fit

    def resumed(request, **options):
        fitted = genuine(request, **options)
        fitted.facts |= {"resumed_from_epoch": 2, "resumed_seconds": 700.0}
        return fitted

    monkeypatch.setattr(fit, "fit", resumed)
    told = store.fit_or_load(smoke_request, device="cpu").provenance
    assert told["wall_seconds"] == pytest.approx(told["wall_seconds_since_resumed"] + 700)


def test_a_disk_that_is_full_is_named_and_leaves_nothing(store, smoke_request, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shortlib.runs.folder.flush", full)
    with pytest.raises(OSError, match=r"was fitted but can't be written.*No space left"):
        store.fit_or_load(smoke_request, device="cpu")
    assert store.find(smoke_request) is None
    assert hidden(store.path(smoke_request).parent) == []


@pytest.mark.parametrize("kind", ["file", "below a file"])
def test_a_results_dir_that_cant_be_used_is_named(tmp_path, smoke_request, kind):
    (tmp_path / "file").touch()
    folder = {"file": tmp_path / "file", "below a file": tmp_path / "file" / "runs"}[kind]
    store = Store(folder)
    with pytest.raises(ValueError, match=f"results_dir {folder} is no folder"):
        store.fit_or_load(smoke_request)
    assert list(store.runs()) == []


class TestCommitted:
    @pytest.fixture
    def committed(self, fitted_run, store, tmp_path):
        """The runs that came with the project, and an empty folder for one's own."""
        for path in fitted_run.parent.glob(".*"):
            path.unlink()
        (fitted_run / "weights.safetensors").unlink()
        return Store(tmp_path / "mine", store.local)

    @pytest.mark.usefixtures("no_fit")
    def test_it_is_loaded_and_nothing_is_written(self, committed, fitted_run, smoke_request):
        before = sorted(committed.committed.rglob("*"))
        for path in before:
            os.chmod(path, 0o555 if path.is_dir() else 0o444)
        try:
            run = committed.fit_or_load(smoke_request)
        finally:
            for path in before:
                os.chmod(path, 0o755)
        assert run.committed
        assert run.path == fitted_run
        assert run.changed_modules == []
        assert sorted(committed.committed.rglob("*")) == before
        assert not committed.local.exists()
        assert [(r.path, r.committed) for r in committed.runs()] == [(fitted_run, True)]

    @pytest.mark.usefixtures("no_fit")
    def test_it_is_loaded_though_the_code_has_changed(
        self, committed, fitted_run, smoke_request, monkeypatch
    ):
        fitted_run.rename(fitted_run.with_name(f"{smoke_request.name}-0ldc0de0"))
        monkeypatch.setattr(
            "shortlib.runs.folder.changed_modules",
            lambda module, recorded: ["shortlib.models.fcn"],
        )
        run = committed.fit_or_load(smoke_request)
        assert run.path.name.endswith("0ldc0de0")
        assert run.changed_modules == ["shortlib.models.fcn"]

    @pytest.mark.usefixtures("fitted_run")
    def test_ones_own_comes_first(self, store, committed, smoke_request):
        run = Store(store.local, store.local).find(smoke_request)
        assert not run.committed
        assert len(list(Store(store.local, store.local).runs())) == 1

    def test_a_damaged_one_is_passed_over(self, committed, fitted_run, smoke_request):
        (fitted_run / "history.csv").unlink()
        with pytest.warns(UserWarning, match="passed over"):
            assert committed.find(smoke_request) is None
        assert fitted_run.exists()


@pytest.mark.usefixtures("no_fit")
def test_whoever_waited_for_another_process_loads_what_it_fitted(
    fitted_run, store, smoke_request, monkeypatch, capsys
):
    away = fitted_run.with_name("away")
    fitted_run.rename(away)
    genuine, tried = FileLock.acquire, []

    def acquire(self, timeout=None, **options):
        tried.append(timeout)
        if len(tried) == 1:  # the other process has the lock, and finishes meanwhile
            from filelock import Timeout

            away.rename(fitted_run)
            raise Timeout(self.lock_file)
        return genuine(self, timeout, **options)

    monkeypatch.setattr(FileLock, "acquire", acquire)
    assert store.fit_or_load(smoke_request).path == fitted_run
    assert "waiting for another process" in capsys.readouterr().err


def test_no_warning_for_a_run_that_is_whole(fitted_run, store, smoke_request):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert store.find(smoke_request).path == fitted_run
