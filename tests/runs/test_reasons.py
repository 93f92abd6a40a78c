from dataclasses import replace

import pytest

from shortlib.runs import Store
from shortlib.runs.reasons import damaged_runs, why_refit, why_request


def test_a_run_that_is_whole_and_current_has_no_reasons(fitted_run, store, smoke_request):
    assert why_refit(fitted_run) == []
    assert why_request(store, smoke_request) == []
    assert damaged_runs(store) == []


def test_changed_code_is_named(fitted_run, monkeypatch):
    monkeypatch.setattr(
        "shortlib.runs.folder.changed_modules", lambda *_: ["shortlib.methods.training"]
    )
    assert why_refit(fitted_run) == ["shortlib.methods.training has changed since"]


def test_code_that_changed_since_a_request_was_fitted_is_named(
    fitted_run, store, smoke_request, monkeypatch
):
    fitted_run.rename(fitted_run.with_name(f"{smoke_request.name}-0ldc0de0"))
    assert why_request(store, smoke_request) == [
        f"{smoke_request.name}-0ldc0de0 was fitted by another version of the code"
    ]
    monkeypatch.setattr("shortlib.runs.reasons.changed_modules", lambda *_: ["shortlib.x"])
    assert why_request(store, smoke_request) == [
        f"shortlib.x has changed since {smoke_request.name}-0ldc0de0 was fitted"
    ]
    assert why_request(Store("nowhere", store.local), smoke_request) == []  # loaded all the same


def test_damage_is_named(fitted_run, store, smoke_request):
    (fitted_run / "history.csv").unlink()
    assert why_request(store, smoke_request) == [f"run {fitted_run}: history.csv is missing"]
    assert damaged_runs(store) == [(fitted_run, f"run {fitted_run}: history.csv is missing")]
    assert damaged_runs(store, "another-study") == []


@pytest.mark.usefixtures("fitted_run")
def test_settings_that_differ_from_the_nearest_run_are_named(store, smoke_request):
    model = {**smoke_request.settings["data_model"], "mu_s": -5.0}
    settings = {**smoke_request.settings, "data_model": model, "epochs": 4, "new": 1}
    asked = replace(smoke_request, settings=settings, profile="workshop")
    nearest = f"in the nearest run ({store.path(smoke_request).name})"
    assert why_request(store, asked) == [
        f"settings.data_model.mu_s is -5.0, {nearest} it is -10.0",
        f"settings.epochs is 4, {nearest} it is 3",
        f"settings.new is 1, {nearest} it is 'absent'",
    ]


@pytest.mark.usefixtures("fitted_run")
def test_the_nearest_run_is_one_of_the_same_seed(store, smoke_request):
    other = replace(smoke_request, seed=1)
    assert why_request(store, other)[0].startswith("seed is 1, in the nearest run")
    store.fit_or_load(other, device="cpu")
    more = {**smoke_request.settings, "epochs": 2, "n_test": 50}
    reasons = why_request(store, replace(other, settings=more))
    assert [reason.split()[0] for reason in reasons] == ["settings.epochs", "settings.n_test"]


def test_a_variant_that_was_never_fitted_says_so(store, smoke_request):
    assert why_request(store, smoke_request) == ["no run of printed-r01 is on disk"]
