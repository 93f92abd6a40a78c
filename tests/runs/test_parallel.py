import os
import sys
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

import pytest

from shortlib.runs import FitFailedError, fit_or_load_all, parallel
from shortlib.studies.spatial_specificity_synthetic import fit as module


@pytest.fixture
def requests(smoke_request):
    return [replace(smoke_request, seed=seed) for seed in range(3)]


def test_runs_come_in_the_order_asked_for_and_once_each(store, requests, capsys):
    store.fit_or_load(requests[1], device="cpu")
    asked = [requests[2], requests[1], requests[2], requests[0]]
    runs = fit_or_load_all(store, asked, device="cpu", jobs=1)
    assert [run.seed for run in runs] == [2, 1, 2, 0]
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "1 of 3 runs are on disk; fitting 2, one at a time"
    assert said[1].startswith("[1/2] printed-r01 seed 2: ")
    assert said[2].startswith("[2/2] printed-r01 seed 0: ")
    assert said[2].endswith(" s")
    again = fit_or_load_all(store, asked)
    assert [run.path for run in again] == [run.path for run in runs]
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_fits_run_side_by_side_and_one_that_fails_is_named(store, requests, capsys):
    bad = replace(requests[0], variant="impossible", settings={**requests[0].settings, "r": 99})
    # The same request twice at a time, beside one that can't be fitted.
    with pytest.raises(FitFailedError, match=r"impossible seed 0 .*ValueError: r must be a whole"):
        fit_or_load_all(store, [requests[0], bad, requests[0]], device="cpu", jobs=2)
    said = capsys.readouterr().err
    assert "0 of 2 runs are on disk; fitting 2, two at a time" in said
    assert "[1/2] printed-r01 seed 0" in said
    run = store.find(requests[0])
    assert run is not None  # it went on to its end
    assert run.provenance["compute"]["threads"] == 1
    assert run.request == requests[0].to_dict()


def test_a_single_missing_run_is_fitted_in_this_process(store, requests, monkeypatch):
    monkeypatch.setattr(parallel, "_side_by_side", lambda *_: pytest.fail("a process for one"))
    assert len(fit_or_load_all(store, requests[:1], device="cpu", jobs=4)) == 1


def test_a_fit_that_fails_in_this_process_is_named(store, requests, monkeypatch):
    def fail(request, **options):
        raise FloatingPointError("training loss is nan in epoch 3")

    monkeypatch.setattr(module, "fit", fail)
    with pytest.raises(
        FitFailedError, match=r"printed-r01 seed 0 of .*FloatingPointError: .* nan in epoch 3"
    ):
        fit_or_load_all(store, requests, device="cpu", jobs=1)


@pytest.mark.parametrize("jobs", [0, -1, 1.5, True])
def test_jobs_that_make_no_sense_are_refused(store, requests, jobs):
    with pytest.raises(ValueError, match=f"jobs is a number .* got {jobs}"):
        fit_or_load_all(store, requests, jobs=jobs)


def test_a_device_that_is_not_there_is_refused_before_any_fit(store, requests):
    with pytest.raises(ValueError, match="device must be cpu, cuda or auto, got 'tpu'"):
        fit_or_load_all(store, requests, device="tpu", jobs=2)
    assert not store.local.exists()


def test_threads_are_limited_for_new_processes_and_given_back(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    with parallel._one_thread_a_process():
        assert {os.environ[name] for name in parallel.THREAD_VARIABLES} == {"1"}
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ


def test_usable_cores_are_those_of_this_process():
    assert 1 <= parallel.usable_cores() <= os.cpu_count()


class _Pool:
    """A pool of made-up fits that end in the order in which they were begun."""

    begun = ()
    _processes = None

    def __init__(self, jobs, **options):
        type(self).begun = []

    def submit(self, function, store, request, options):
        self.begun.append(request.seed)
        future = Future()
        future.set_exception(RuntimeError("broken"))
        return future

    def shutdown(self, **options):
        pass


def test_after_a_failure_no_other_fit_is_begun(store, smoke_request, monkeypatch):
    monkeypatch.setattr(parallel, "ProcessPoolExecutor", _Pool)
    requests = [replace(smoke_request, seed=seed) for seed in range(5)]
    with pytest.raises(FitFailedError, match=r"seed 0 .*; .*seed 1 .*; 3 more were not begun"):
        fit_or_load_all(store, requests, device="cpu", jobs=2)
    assert _Pool.begun == [0, 1]


def test_a_worker_that_was_ended_is_explained(smoke_request):
    said = parallel._what_failed(smoke_request, BrokenProcessPool())
    assert "out of memory" in said
    assert "__main__" in said
    assert "resumes" in said


def test_workers_draw_no_bars(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    parallel._begin_worker()
    assert not sys.stderr.isatty()
    print("still heard", file=sys.stderr)
    assert "still heard" in capsys.readouterr().err


def test_a_terminal_gets_a_bar(smoke_request, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with parallel._Progress(2) as progress:
        progress.finished(smoke_request, 1.0)
        progress.finished(smoke_request, 1.0)
    assert "2/2" in capsys.readouterr().err
