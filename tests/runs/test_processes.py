"""Determinism, kill -9 and two at once, with processes of their own."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from shortlib.methods import compute, training
from shortlib.runs import Store
from shortlib.runs.leftovers import checkpoint_path

TINY = {"m": 8, "batch_size": 4, "epochs": 2, "n_validation": 4, "n_test": 8, "n_embedded": 1}
SMALL_IMAGES = {"n": 16, "a": 3, "b": 4}
CASES = ["fcn-tiny float32", "fcn-resnet18-s8 float32", "fcn-resnet18-s8 bfloat16"]


def request_of(case, smoke_request):
    network = case.split()[0]
    if network == "fcn-tiny":
        return smoke_request
    model = {**smoke_request.settings["data_model"], **SMALL_IMAGES}
    changed = {**TINY, "network": network, "n_test_selection": 4, "data_model": model}
    return replace(smoke_request, settings={**smoke_request.settings, **changed})


def long_request(smoke_request):
    """A hundred epochs, so that there is time to kill the process."""
    return replace(smoke_request, settings={**smoke_request.settings, "epochs": 100})


def assert_same(run, other):
    """Bit for bit."""
    pd.testing.assert_frame_equal(run.predictions, other.predictions, check_exact=True)
    losses = [c for c in run.history if not c.endswith("seconds")]
    pd.testing.assert_frame_equal(run.history[losses], other.history[losses], check_exact=True)
    assert run.weights.keys() == other.weights.keys()
    assert all((w == other.weights[name]).all() for name, w in run.weights.items())


@pytest.fixture(scope="module")
def other_process(smoke_request, tmp_path_factory):
    """A fresh process that has fitted `CASES` and was killed in the middle of a long fit."""
    folder = tmp_path_factory.mktemp("other")
    asked = {
        "store": str(folder / "done"),
        "requests": [request_of(case, smoke_request).to_dict() for case in CASES],
        "precision": [case.split()[1] for case in CASES],
        "then": long_request(smoke_request).to_dict(),
        "then_store": str(folder / "killed"),
    }
    (folder / "asked.json").write_text(json.dumps(asked))
    script = Path(__file__).with_name("fresh_process.py")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "2"}
    process = subprocess.Popen([sys.executable, script, folder / "asked.json"], env=environment)
    checkpoint = checkpoint_path(Store(folder / "killed").path(long_request(smoke_request)))
    try:
        while not checkpoint.exists():
            assert process.poll() is None, "the process ended before it could be killed"
            time.sleep(0.01)
        time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_two_processes_fit_the_same_bits(case, smoke_request, store, other_process, monkeypatch):
    precision = case.split()[1]
    if precision == "bfloat16" and not compute.cpu_has_bfloat16():
        pytest.skip("this CPU has no bfloat16 instructions")
    if precision == "float32":
        monkeypatch.setattr(compute, "cpu_has_bfloat16", lambda: False)
    request = request_of(case, smoke_request)
    here = store.fit_or_load(request, device="cpu")
    there = Store(other_process / "done" / precision).find(request)
    assert here.provenance["compute"]["precision"] == precision
    assert there.provenance["compute"] == here.provenance["compute"]
    assert_same(here, there)
    again = Store(store.local / "again").fit_or_load(request, device="cpu")
    assert_same(here, again)


@pytest.mark.slow
def test_a_killed_fit_resumes_to_the_same_bits(smoke_request, store, other_process):
    request = long_request(smoke_request)
    interrupted = Store(other_process / "killed")
    assert interrupted.find(request) is None
    resumed = interrupted.fit_or_load(request, device="cpu")
    uninterrupted = store.fit_or_load(request, device="cpu")
    assert 0 < resumed.provenance["resumed_from_epoch"] < 100
    assert uninterrupted.provenance["resumed_from_epoch"] == 0
    assert_same(resumed, uninterrupted)
    assert not checkpoint_path(resumed.path).exists()


@pytest.mark.parametrize("case", [CASES[0], CASES[2]])
def test_a_failed_fit_resumes_to_the_same_bits(case, smoke_request, store, monkeypatch):
    request = request_of(case, smoke_request)
    uninterrupted = Store(store.local / "other").fit_or_load(request, device="cpu")
    genuine = training._epoch

    def failing(*args):
        if args[-1] == 2:
            raise KeyboardInterrupt
        return genuine(*args)

    monkeypatch.setattr(training, "_epoch", failing)
    with pytest.raises(KeyboardInterrupt):
        store.fit_or_load(request, device="cpu", checkpoint_seconds=0.0)
    monkeypatch.setattr(training, "_epoch", genuine)
    resumed = store.fit_or_load(request, device="cpu")
    assert resumed.provenance["resumed_from_epoch"] == 1
    assert_same(resumed, uninterrupted)


def _ask(store, request, barrier, answers):
    barrier.wait()
    run = store.fit_or_load(request, device="cpu")
    answers.put((os.getpid(), run.provenance["started"], run.predictions["score"].sum(), str(run)))


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
def test_two_processes_that_ask_at_once_get_one_run(smoke_request, store, tmp_path, monkeypatch):
    from shortlib.studies.spatial_specificity_synthetic import fit as module

    genuine = module.fit

    def counted(request, **options):
        with open(tmp_path / "fits", "a") as file:
            print(os.getpid(), file=file)
        time.sleep(0.2)
        return genuine(request, **options)

    monkeypatch.setattr(module, "fit", counted)  # the forked processes have it, too
    context = multiprocessing.get_context("fork")
    barrier, answers = context.Barrier(2), context.Queue()
    asking = [
        context.Process(target=_ask, args=(store, smoke_request, barrier, answers))
        for _ in range(2)
    ]
    for process in asking:
        process.start()
    first, second = answers.get(timeout=60), answers.get(timeout=60)
    for process in asking:
        process.join(60)
    assert first[0] != second[0]
    assert first[1:] == second[1:]
    assert len((tmp_path / "fits").read_text().split()) == 1
