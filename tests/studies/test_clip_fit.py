from copy import deepcopy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from shortlib.data.problems import DataError
from shortlib.methods import training as loop
from shortlib.runs import Store
from shortlib.runs.folder import PREDICTION_COLUMNS
from shortlib.shortcuts.watermark import Watermark, assign
from shortlib.studies.clip_watermarks import training
from shortlib.studies.clip_watermarks.fit import fit
from shortlib.studies.clip_watermarks.sources import load_parts
from shortlib.studies.registry import plan

MADE = {"n": 90, "size": 64, "seed": 0}
VIEWS = ["adversarial", "aligned", "plain"]
MODELS = ["fine-tuned", "pretrained"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def requests(folder):
    """The smoke profile's runs, each a second."""
    found = {}
    for request in plan("clip-watermarks", "smoke", data_root=folder, n_prompts=1, clean=[10, 6]):
        settings = deepcopy(request.settings)
        settings["source"]["training"]["made"] = MADE
        settings["source"]["clinic"]["made"] = {**MADE, "valid": 24}
        if settings["saliency"]:
            settings["saliency"] = {"cases": 5, "steps": 1, "samples": 1, "noise": 0.1}
        found[request.variant] = replace(request, settings=settings)
    return found


@pytest.fixture(scope="module")
def fitted(requests):
    return {name: fit(requests[name]) for name in ("cnn", "clip", "clip-mention")}


def changed(request, **settings):
    return replace(request, settings={**request.settings, **settings})


@pytest.mark.parametrize("method", ["cnn", "clip"])
def test_predictions_are_a_row_a_model_a_view_and_a_known_label(fitted, requests, folder, method):
    table, settings = fitted[method].predictions, requests[method].settings
    extra = ["finding", "arm", "stage", "clean", "epoch"]
    assert set(table) == {*PREDICTION_COLUMNS, *extra}
    keys = ["case_id", "view", *extra]
    assert not table.duplicated(keys).any()
    assert set(table["label"]) <= {0, 1}
    assert np.isfinite(table["score"]).all()
    assert set(table["split"]) == {"test"}
    assert set(table["selection"]) == {"validation"}
    test = load_parts(settings, seed=0, data_root=folder)[0]["test"]
    known = int((test.labels >= 0).sum())
    stages = {("pretrained", 0, 0), ("fine-tuned", 10, 1), ("fine-tuned", 10, 2)}
    stages |= {("fine-tuned", 6, 2)}
    if method == "cnn":
        stages |= {("new head", 10, 2)}
    due = {
        (arm, *stage, view) for arm in ("real", "shortcut") for stage in stages for view in VIEWS
    }
    found = table.groupby(["arm", "stage", "clean", "epoch", "view"]).size()
    assert set(found.index) == due
    assert set(found) == {known}


def test_a_clips_scores_are_cosines_until_it_is_fine_tuned(fitted):
    for name in ("clip", "clip-mention"):
        table = fitted[name].predictions
        zero_shot = table[table["stage"] == "pretrained"]["score"]
        assert zero_shot.abs().max() <= 1 + 1e-6


def test_the_symbol_changes_scores_where_it_is_and_nowhere_else(fitted):
    for name in ("cnn", "clip"):
        table = fitted[name].predictions
        keys = ["case_id", "finding", "arm", "stage", "clean", "epoch"]
        plain = table[table["view"] == "plain"].set_index(keys)["score"]
        for view, carrier in (("aligned", 1), ("adversarial", 0)):
            seen = table[table["view"] == view].set_index(keys)
            same = seen["score"] == plain.loc[seen.index]
            assert (seen["shortcut"] == (seen["label"] == carrier)).all()
            assert same[seen["shortcut"] == 0].all()
            assert not same[seen["shortcut"] == 1].all()


@pytest.mark.parametrize("method", ["cnn", "clip"])
def test_maps_and_examples_are_of_the_cases_asked_for(fitted, requests, folder, method):
    run, settings = fitted[method], requests[method].settings
    test = load_parts(settings, seed=0, data_root=folder)[0]["test"]
    table = run.tables["saliency"]
    assert set(table["case_id"]) <= set(test.case_ids[:5])
    assert len(table) == (test.labels[:5] >= 0).sum()
    for name in ("train_plain", "train_marked", "test_real", "test_shortcut"):
        assert table[name].between(0, 1).all()
    findings = len(settings["findings"])
    assert run.examples["images"].shape == (findings, 2, 56, 56)
    assert run.examples["maps"].shape == (findings, 2, 2, 56, 56)
    assert run.examples["maps"].min() >= 0
    assert run.examples["maps"].max() <= 1


def test_a_run_says_whose_its_test_cases_are(fitted):
    cases = fitted["cnn"].tables["cases"]
    assert set(cases["case_id"]) == set(fitted["cnn"].predictions["case_id"])
    # CheXpert's paths: patient, study, view. The built-in patients have several images.
    assert 1 < cases["patient_id"].nunique() < len(cases)
    for case, patient in cases.itertuples(index=False):
        assert str(patient) in case


def test_no_maps_where_none_are_asked_for(fitted, requests):
    assert (set(fitted["clip-mention"].tables), fitted["clip-mention"].examples) == ({"cases"}, {})
    assert set(fitted["clip-mention"].predictions["arm"]) == {"shortcut"}
    without = fit(changed(requests["cnn"], saliency=None, arms=["shortcut"]))
    assert (set(without.tables), without.examples) == ({"cases"}, {})
    # The other arm does not matter to this one.
    whole = fitted["cnn"].predictions
    pd.testing.assert_frame_equal(
        whole[whole["arm"] == "shortcut"].reset_index(drop=True), without.predictions
    )


def test_encoders_have_one_architecture_and_weights_are_kept_of_every_model(fitted):
    shapes = {}
    for method in ("cnn", "clip"):
        weights = fitted[method].weights
        for arm in ("real", "shortcut"):
            for stage in MODELS:
                assert any(name.startswith(f"{arm}/{stage}/") for name in weights)
            prefix = f"{arm}/fine-tuned/"
            shapes[method, arm] = {
                name.removeprefix(prefix): tuple(value.shape)
                for name, value in weights.items()
                if name.startswith(prefix)
            }
    assert len({str(sorted(one.items())) for one in shapes.values()}) == 1


def test_facts_count_the_cases(fitted, requests, folder):
    facts, settings = fitted["cnn"].facts, requests["cnn"].settings
    parts = load_parts(settings, seed=0, data_root=folder)[0]
    assert facts["cases"] == {name: len(part) for name, part in parts.items()}
    assert facts["cases"]["clean"] == 10
    assert facts["skipped"] == dict.fromkeys(("train", "validation", "clean", "test"), 0)
    assert (facts["resumed_from_epoch"], facts["resumed_seconds"]) == (0, 0)
    assert set(facts["best_epochs"]) == {"real", "shortcut"}


def started(monkeypatch, request, folder, arm, method):
    """What an arm's training is given, without the training."""
    given = {}

    class Enough(Exception):
        pass

    def spied(train, monitors, **options):
        given.update(train=train, **monitors, **options)
        raise Enough

    monkeypatch.setattr(training, {"cnn": "fit_erm", "clip": "fit_clip"}[method], spied)
    parts = load_parts(request.settings, seed=0, data_root=folder)[0]
    watermark = Watermark(symbols=tuple(request.settings["symbols"]))
    with pytest.raises(Enough):
        training.pretrain(
            *(method, arm, parts, request.settings), watermark=watermark, compute=None, seed=0
        )
    return given, parts, watermark


@pytest.mark.parametrize("method", ["cnn", "clip"])
def test_the_real_arm_never_sees_a_symbol(monkeypatch, requests, folder, method):
    given, parts, _ = started(monkeypatch, requests[method], folder, "real", method)
    assert given["plant"] is None
    assert given["train"] is parts["train"]
    assert given["validation"] is parts["validation"]


@pytest.mark.parametrize("variant", ["cnn", "clip", "clip-mention"])
def test_the_shortcut_arm_sees_one_set_of_symbols_for_each_image(
    monkeypatch, requests, folder, variant
):
    request = changed(requests[variant], p_marked=1.0, p_correct=1.0)
    given, parts, watermark = started(monkeypatch, request, folder, "shortcut", request.method)
    carries = parts["train"].labels == 1
    assert np.array_equal(assign(parts["train"].labels, p_marked=1.0, p_correct=1.0), carries)
    black = torch.zeros(len(carries), 1, 56, 56)
    first = given["plant"](black, torch.arange(len(carries)))
    again = given["plant"](black, torch.arange(len(carries)))
    some = torch.tensor([5, 2])
    for row, image in enumerate(first):
        assert bool(image.any()) is bool(carries[row].any())
        scale = 56 / 224  # the letters' places: a column for each
        for k, there in enumerate(carries[row]):
            left = round((watermark.left + watermark.step * k) * scale)
            assert bool(image[0, :, left + 1 : left + 6].any()) is bool(there)
    assert not torch.equal(first, again)  # another jitter
    drawn = given["plant"](black[:2], some)
    assert (drawn.amax(dim=(1, 2, 3)) > 0).tolist() == carries[[5, 2]].any(axis=1).tolist()
    held_out = given["validation"].images != parts["validation"].images
    np.testing.assert_array_equal(
        held_out.any(axis=(1, 2, 3)), (parts["validation"].labels == 1).any(axis=1)
    )
    if request.method == "clip":
        reports = given["train"].reports
        for row, text, plain in zip(carries, reports, parts["train"].reports, strict=True):
            told = variant == "clip-mention" and row.any()
            assert (text != plain) is bool(told)
            assert plain in text
    # What zero-shot labels are made of is as it came, in every arm.
    assert parts["train"].reports is not given.get("train").reports or variant != "clip-mention"


def test_fine_tuning_is_a_tenth_as_fast_at_a_constant_rate(monkeypatch, requests):
    seen, genuine = [], training.fine_tune

    def spied(encoder, clean, **options):
        seen.append((len(clean), options["schedule"], options["new_head"]))
        return genuine(encoder, clean, **options)

    monkeypatch.setattr(training, "fine_tune", spied)
    for method in ("cnn", "clip"):
        seen.clear()
        request = changed(requests[method], arms=["real"], saliency=None, epochs=1)
        fit(request)
        settings = request.settings
        new = method == "clip"
        due = [(10, new), (6, new)] + ([(10, True)] if method == "cnn" else [])
        assert [(n, head) for n, _, head in seen] == due
        for _, schedule, _ in seen:
            assert schedule.learning_rate == pytest.approx(settings["learning_rate"] / 10)
            assert (schedule.decay, schedule.epochs) == ("constant", settings["finetune_epochs"])
            assert schedule.batch_size == settings["batch_size"]


def without_times(history):
    return history.drop(columns=[name for name in history if name.endswith("seconds")])


@pytest.mark.parametrize("variant", ["cnn", "clip"])
def test_a_run_that_was_killed_ends_with_the_same_bits(
    requests, fitted, tmp_path, monkeypatch, variant
):
    request, genuine = requests[variant], loop._epoch
    epochs = []

    def failing(*args):
        epochs.append(args[-1])
        if len(epochs) == killed:
            raise KeyboardInterrupt
        return genuine(*args)

    # Two epochs of the first arm, its fine-tuning, and one epoch of the second arm.
    killed = 2 + 2 * (3 if variant == "cnn" else 2) + 2
    kept = {"checkpoint": tmp_path / "run.checkpoint.safetensors", "checkpoint_seconds": 0.0}
    monkeypatch.setattr(loop, "_epoch", failing)
    with pytest.raises(KeyboardInterrupt):
        fit(request, **kept)
    assert len(list(tmp_path.iterdir())) == 2  # one for each arm
    monkeypatch.setattr(loop, "_epoch", genuine)
    torch.manual_seed(99)
    resumed, whole = fit(request, **kept), fitted[variant]
    assert resumed.facts["resumed_from_epoch"] == 3
    assert resumed.facts["resumed_seconds"] > 0
    pd.testing.assert_frame_equal(resumed.predictions, whole.predictions)
    pd.testing.assert_frame_equal(without_times(resumed.history), without_times(whole.history))
    pd.testing.assert_frame_equal(resumed.tables["saliency"], whole.tables["saliency"])
    assert resumed.weights.keys() == whole.weights.keys()
    for name, value in whole.weights.items():
        assert torch.equal(value, resumed.weights[name]), name
    assert resumed.facts["cohort_checksums"] == whole.facts["cohort_checksums"]


def test_a_run_is_kept_and_read_again(requests, tmp_path):
    request = changed(requests["clip"], epochs=1)
    run = Store(tmp_path).fit_or_load(request, device="cpu")
    assert run.provenance["skipped"]["train"] == 0
    assert len(run.table("saliency"))
    assert set(run.examples()) == {"images", "maps"}
    assert not [path for path in tmp_path.rglob("*checkpoint*")]


def test_other_data_than_asked_for_are_refused_before_anything_is_trained(requests, monkeypatch):
    monkeypatch.setattr(loop, "_epoch", lambda *_: pytest.fail("trained"))
    with pytest.raises(DataError, match="other data"):
        fit(replace(requests["cnn"], data_checksum="0" * 64))
    with pytest.raises(ValueError, match=r"zero-shot labels need 80 training reports each"):
        fit(changed(requests["clip"], n_prompts=80))


@pytest.mark.slow
@pytest.mark.parametrize("data", ["nih-cxr14-starter", "ieee8023-image-text"])
def test_open_data_run_from_their_files_to_their_maps(data, open_data):
    root = open_data / data.replace("-", "_")
    if not root.is_dir():
        pytest.skip(f"no {data} here")
    for request in plan("clip-watermarks", "smoke", data=data, data_root=root, saliency_cases=2):
        if request.variant not in ("cnn", "clip"):
            continue
        run = fit(request)
        assert set(run.predictions["stage"]) >= set(MODELS)
        assert set(run.predictions["finding"]) == set(request.settings["findings"])
        assert len(run.tables["saliency"])
        assert run.examples == {}  # images of patients stay where they are
        assert not any(run.facts["skipped"].values())
