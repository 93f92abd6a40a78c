from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from huggingface_hub import constants

from shortlib.data.phantoms.cardiac_files import write_acdc, write_cm
from shortlib.data.problems import DataError
from shortlib.studies.cardiac_context.fit import fit
from shortlib.studies.cardiac_context.sources import load_cohorts
from shortlib.studies.cardiac_context.study import requests

KEYS = ["case_id", "view", "seen", "task", "head", "class"]


def small(request, **settings):
    """The same run on fewer patients, in one epoch."""
    source = {}
    for name, one in request.settings["source"].items():
        drawn = isinstance(one, dict) and "drawn" in one
        source[name] = {**one, "drawn": {**one["drawn"], "n": 30}} if drawn else one
    found = {**request.settings, "source": source, "shuffled": False}
    for part in ("training", "pretraining"):
        if found[part] is not None:
            found[part] = {**found[part], "epochs": 1}
    return replace(request, settings={**found, **settings})


@pytest.fixture(scope="module")
def asked():
    return {run.variant: run for run in requests("smoke", data="builtin-cine")}


@pytest.fixture(scope="module")
def fitted(asked):
    return {name: fit(small(asked[name])) for name in ("zero", "seg", "rand", "byol")}


def test_each_variant_tests_its_stages(fitted):
    for name, due in (
        ("zero", {("cm", "probe"), ("acdc", "probe")}),
        (
            "seg",
            {
                ("cm", "fine-tuned"),
                ("transfer", "probe"),
                ("transfer", "fine-tuned"),
                ("acdc", "fine-tuned"),
            },
        ),
        (
            "byol",
            {
                ("cm", "probe"),
                ("cm", "fine-tuned"),
                ("transfer", "probe"),
                ("transfer", "fine-tuned"),
            },
        ),
    ):
        for table in (fitted[name].predictions, fitted[name].tables["saliency"]):
            assert set(zip(table["task"], table["head"], strict=True)) == due


def test_probabilities_of_a_case_sum_to_one_and_one_class_is_true(fitted):
    for run in fitted.values():
        table = run.predictions
        assert not table.duplicated(KEYS).any()
        sums = table.groupby([key for key in KEYS if key != "class"])[["score", "label"]].sum()
        assert sums["score"].to_numpy() == pytest.approx(1)
        assert (sums["label"] == 1).all()


def test_whole_images_are_scored_too_where_the_variant_saw_parts(fitted):
    assert set(fitted["seg"].predictions["seen"]) == {"own", "full"}
    assert set(fitted["rand"].predictions["seen"]) == {"own"}
    wide = fitted["seg"].predictions.pivot_table(
        index=["case_id", "task", "head", "view", "class"], columns="seen", values="score"
    )
    assert not np.allclose(wide["own"], wide["full"])


def test_the_cue_turns_round_in_the_adversarial_view_of_the_first_task(fitted):
    table = fitted["zero"].predictions
    assert set(table[table["task"] == "cm"]["view"]) == {"plain", "adversarial"}
    assert set(table[table["task"] == "acdc"]["view"]) == {"plain"}
    cue = table[table["task"] == "cm"].pivot_table(
        index="case_id", columns="view", values="shortcut"
    )
    assert (cue["plain"] != cue["adversarial"]).any()


def test_seg_hides_the_cue_from_the_network(fitted):
    # What changes with habitus lies outside the heart, so a network of hearts cannot tell.
    table = fitted["seg"].predictions
    own = table[(table["task"] == "cm") & (table["seen"] == "own")]
    wide = own.pivot(index=["case_id", "class"], columns="view", values="score")
    np.testing.assert_allclose(wide["plain"], wide["adversarial"], atol=0.15)
    full = table[(table["task"] == "cm") & (table["seen"] == "full")]
    whole = full.pivot(index=["case_id", "class"], columns="view", values="score")
    assert (wide["plain"] - wide["adversarial"]).abs().mean() < (
        whole["plain"] - whole["adversarial"]
    ).abs().mean()


def test_saliency_has_a_row_a_case_and_phase_and_lies_in_bounds(fitted):
    for run in fitted.values():
        table = run.tables["saliency"]
        assert not table.duplicated(["case_id", "phase", "task", "head"]).any()
        assert table[["aks", "dice", "area", "cue"]].stack().dropna().between(0, 1).all()
        assert table[["aks", "dice", "area"]].notna().all(axis=None)
        assert (table.loc[table["empty"], ["aks", "dice"]] == 0).all(axis=None)
        assert set(run.tables["sanity"]["check"]) == {"head", "all layers"}


def test_examples_show_one_case_of_each_class(fitted, asked):
    examples = fitted["seg"].examples
    assert examples["cm/fine-tuned/images"].shape == (4, 2, 64, 64)
    assert examples["transfer/fine-tuned/maps"].shape == (5, 2, 64, 64)
    # The very pixels of the cohort.
    test = load_cohorts(small(asked["seg"]).settings)["cm test"]
    first = int(np.argmax(test.labels == 0))
    hearts = examples["cm/fine-tuned/hearts"][0].bool().numpy()
    kept = examples["cm/fine-tuned/images"][0].numpy()
    np.testing.assert_array_equal(kept[hearts], test.images[first][hearts])
    # A network of hearts was shown nothing outside the heart.
    outside = examples["cm/fine-tuned/hearts"] == 0
    assert (examples["cm/fine-tuned/images"][outside] == 0).all()


def test_pre_training_leaves_its_history_and_says_whether_it_collapsed(fitted):
    history = fitted["byol"].history
    part = history[history["task"] == "pre-training"]
    assert part["feature_std"].gt(0).all()
    assert fitted["byol"].facts["collapsed"] in (True, False)
    assert fitted["seg"].facts["collapsed"] is None


def test_shuffled_labels_are_one_more_check(asked):
    run = fit(small(asked["full"], shuffled=True))
    assert set(run.tables["sanity"]["check"]) == {"head", "all layers", "labels"}


def test_the_same_request_gives_the_same_run(asked, fitted):
    again = fit(small(asked["rand"]))
    pd.testing.assert_frame_equal(again.predictions, fitted["rand"].predictions)
    pd.testing.assert_frame_equal(again.tables["saliency"], fitted["rand"].tables["saliency"])


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory):
    root = tmp_path_factory.mktemp("hospitals")
    write_cm(root / "cm", 12, seed=1, spacing=3.0)
    write_acdc(root / "acdc", 15, seed=1, spacing=3.0)
    return root


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["rand", "moco"])
def test_the_paper_profile_runs_on_its_layouts_with_its_network(hospitals, variant):
    own = {"weights": "random", "variants": [variant], "epochs": 1}
    request = requests("paper", data="cm-acdc", data_root=hospitals, **own)[0]
    if request.settings["pretraining"]:
        part = {**request.settings["pretraining"], "epochs": 1}
        request = replace(request, settings={**request.settings, "pretraining": part})
    assert (request.settings["network"], request.settings["side"]) == ("densenet121", 224)
    run = fit(replace(request, settings={**request.settings, "side": 96}))
    assert run.examples == {}  # of patients nothing that shows them is kept
    assert set(run.predictions["task"]) >= {"cm", "transfer"}
    assert set(run.predictions["view"]) == {"plain"}
    assert run.facts["cases"]["acdc train"] > run.facts["cases"]["acdc test"] > 0


def test_weights_and_data_that_are_not_here_are_said(hospitals, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    request = requests("paper", data="cm-acdc", data_root=hospitals, variants=["full"])[0]
    with pytest.raises(ValueError, match=r"ImageNet weights of densenet121 .*not in the cache"):
        fit(request)
    request = requests("paper", data="cm-acdc", data_root=tmp_path, weights="random")[0]
    with pytest.raises(DataError, match="cm"):
        fit(request)
