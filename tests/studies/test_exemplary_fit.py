import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from huggingface_hub import constants

from shortlib.data.phantoms.covid_files import write_covid
from shortlib.data.problems import DataError
from shortlib.explain.grad_cam import grad_cam
from shortlib.methods import training
from shortlib.metrics import activation_precision, anatomic_knowledge_score, mass_inside
from shortlib.models.transfer import build_transfer
from shortlib.studies.exemplary_explanations.fit import SHOWN, fit
from shortlib.studies.exemplary_explanations.sources import load_parts
from shortlib.studies.exemplary_explanations.study import requests

KEYS = ["method", "weight", "pair"]
N = {"train": 24, "validation": 10, "test": 12}
SIDE = 48


def small(request, **settings):
    """The same run on fewer and smaller radiographs."""
    found = {**request.settings, "side": SIDE}
    if "drawn" in found["source"]:
        drawn = {**found["source"]["drawn"], "n": N}
        found["source"] = {**found["source"], "drawn": drawn}
    for part in ("training", "refinement"):
        found[part] = {**found[part], "batch_size": 8}
    return replace(request, settings={**found, **settings})


@pytest.fixture(scope="module")
def asked():
    return {run.variant: small(run) for run in requests("smoke", data="builtin-radiographs")}


@pytest.fixture(scope="module")
def whole(asked):
    return fit(asked["refined"])


@pytest.fixture(scope="module")
def parts(asked):
    return load_parts(asked["refined"].settings, seed=0)


def stages_of(table):
    return list(table[KEYS].drop_duplicates().itertuples(index=False, name=None))


# What a run holds


def test_each_model_is_tested_on_every_view(whole, parts):
    due = [
        ("unrefined", 0.0, ""),
        ("continued", 0.0, ""),
        ("exbl", 0.3, "automatic"),
        ("exbl", 1.0, "automatic"),
        ("exbl-code", 1.0, "automatic"),
        ("masked", 1.0, ""),
        ("right-reasons", 0.01, ""),
    ]
    views = {("validation", "plain"), ("test", "plain"), ("test", "aligned")}
    for table, of in (
        (whole.predictions, views | {("test", "adversarial")}),
        (whole.tables["maps"], (views | {("test", "adversarial")}) - {("test", "aligned")}),
    ):
        assert stages_of(table) == due
        for _, stage in table.groupby(KEYS):
            assert set(zip(stage["split"], stage["view"], strict=True)) == of
    assert stages_of(whole.history) == due
    assert set(whole.predictions["selection"]) == {"validation_loss"}
    # No case that was trained on.
    assert not set(parts["train"].case_ids) & set(whole.predictions["case_id"])


def test_probabilities_of_a_case_sum_to_one_and_one_class_is_true(whole):
    table = whole.predictions
    keys = [*KEYS, "case_id", "split", "view"]
    assert not table.duplicated([*keys, "class"]).any()
    sums = table.groupby(keys)[["score", "label"]].sum()
    assert sums["score"].to_numpy() == pytest.approx(1)
    assert (sums["label"] == 1).all()


def rebuilt(run, name):
    """A model of a run, without the study."""
    model = build_transfer("cnn-small", outputs=4, hidden=256).eval()
    model.load_state_dict(
        {
            key.removeprefix(f"{name}/"): value
            for key, value in run.weights.items()
            if key.startswith(f"{name}/")
        }
    )
    return model


def mapped(model, images):
    """Scale uint8 images; return the chances of their classes and maps of the highest one."""
    images = torch.from_numpy(np.asarray(images)).float() / 255
    with torch.no_grad():
        chances = model(images).softmax(dim=1)
    maps = grad_cam(model, model.body, images, chances.argmax(dim=1))
    return chances.numpy(), maps.numpy()


def test_numbers_are_those_of_the_weights_that_are_kept(whole, parts):
    looked, scored = whole.tables["maps"], whole.predictions
    differs = []
    for stage, name in ((("unrefined", 0.0, ""), "unrefined"),
                        (("exbl", 0.3, "automatic"), "exbl-0_3-automatic"),
                        (("right-reasons", 0.01, ""), "right-reasons-0_01")):  # fmt: skip
        model = rebuilt(whole, name)
        for part, view in (("test", "plain"), ("flipped", "adversarial")):
            cohort = parts[part]
            chances, maps = mapped(model, cohort.images)
            at = dict(zip([*KEYS, "split", "view"], (*stage, "test", view), strict=True))
            table = _where(scored, at).pivot(index="case_id", columns="class", values="score")
            found = table.loc[cohort.case_ids, list(cohort.label_names)].to_numpy()
            np.testing.assert_allclose(found, chances, atol=1e-4)
            table = _where(looked, at).set_index("case_id").loc[cohort.case_ids]
            assert table["predicted"].tolist() == chances.argmax(axis=1).tolist()
            assert table["class"].tolist() == cohort.labels.tolist()
            lungs, joints = (np.asarray(m) for m in (cohort.anatomy_masks, cohort.shortcut_masks))
            due = {
                "ap": activation_precision(maps, lungs, top=0.05),
                "aks": anatomic_knowledge_score(maps, lungs),
                "area": lungs.mean(axis=(1, 2)),
                "joints": np.nan_to_num(mass_inside(maps, joints)),
                "joints_area": joints.mean(axis=(1, 2)),
                "empty": ~maps.any(axis=(1, 2)),
            }
            for column, values in due.items():
                # At the border an enlarged map has even strips, which rounding puts on either
                # side of the threshold.
                atol = 0.04 if column == "ap" else 1e-3
                np.testing.assert_allclose(table[column], values, atol=atol, err_msg=column)
            differs.append(table["aks"].to_numpy())
    assert np.abs(differs[0] - differs[2]).max() > 1e-3
    assert np.abs(differs[0] - differs[4]).max() > 1e-3


def _where(table, at):
    for column, value in at.items():
        table = table[table[column] == value]
    return table


def test_ages_are_kept_with_the_cases(whole, parts):
    for view, part in (("plain", "test"), ("adversarial", "flipped")):
        table = _where(whole.predictions, {"split": "test", "view": view, "method": "unrefined"})
        adult = table.groupby("case_id")["shortcut"].first().loc[parts[part].case_ids]
        assert adult.tolist() == parts[part].shortcut.astype(int).tolist()
    cases = whole.tables["cases"]
    assert not cases.duplicated(["split", "view", "case_id"]).any()
    assert len(cases) == 10 + 3 * 12


def test_the_exemplars_are_the_ends_of_the_candidates(whole, parts):
    table = whole.tables["candidates"]
    assert table["case_id"].tolist() == parts["train"].case_ids.tolist()
    right = table[table["class"] == table["predicted"]].set_index("case_id")
    (pair,) = whole.tables["exemplars"].to_dict("records")
    assert pair["name"] == "automatic"
    assert right.loc[pair["good"], "ap"] == right["ap"].max()
    assert right.loc[pair["bad"], "ap"] == right["ap"].min()


def test_examples_show_children_and_the_exemplars(whole, parts):
    test, train, examples = parts["test"], parts["train"], whole.examples
    maps = {"maps/unrefined", "maps/exbl-0_3-automatic", "maps/exbl-1-automatic"}
    assert set(examples) == {"images", "lungs", "exemplar_images", "exemplar_maps", *maps}
    first = np.flatnonzero(test.labels == test.label_names.index("Viral Pneumonia"))[:SHOWN]
    np.testing.assert_array_equal(examples["images"].numpy(), test.images[first])
    np.testing.assert_array_equal(examples["lungs"].numpy(), test.anatomy_masks[first])
    (pair,) = whole.tables["exemplars"].to_dict("records")
    rows = [train.case_ids.tolist().index(pair[name]) for name in ("good", "bad")]
    np.testing.assert_array_equal(examples["exemplar_images"].numpy(), train.images[rows])
    for name in maps:
        _, due = mapped(rebuilt(whole, name.removeprefix("maps/")), test.images[first])
        np.testing.assert_allclose(examples[name].numpy(), due, atol=2e-3)
    _, due = mapped(rebuilt(whole, "unrefined"), train.images[rows])
    np.testing.assert_allclose(examples["exemplar_maps"].numpy(), due, atol=2e-3)


def test_explanations_have_a_loss_where_there_is_one(whole):
    for (method, weight, _), history in whole.history.groupby(KEYS):
        assert history["epoch"].tolist() == [1, 2]
        explained = history["validation_explanation"]
        assert explained.isna().all() == (method in ("unrefined", "continued"))
        total = history["validation_cross_entropy"] + weight * explained.fillna(0)
        np.testing.assert_allclose(history["validation_loss"], total)


def test_facts_say_what_the_run_stands_on(whole, parts):
    facts = whole.facts
    assert facts["cases"] == {**N, "aligned": 12, "flipped": 12}
    assert set(facts["skipped"].values()) == {0}
    assert facts["cohort_checksums"] == {name: part.checksum() for name, part in parts.items()}
    assert (facts["resumed_from_epoch"], facts["resumed_seconds"]) == (0, 0)


# The same run again


def test_a_run_that_was_stopped_ends_as_one_that_was_not(asked, whole, tmp_path, monkeypatch):
    genuine, done = training._epoch, []

    def failing(*args):
        if len(done) == 5:  # in the second refinement, after one of its epochs
            raise KeyboardInterrupt
        done.append(1)
        return genuine(*args)

    kept = {"checkpoint": tmp_path / "run.checkpoint.safetensors", "checkpoint_seconds": 0.0}
    monkeypatch.setattr(training, "_epoch", failing)
    with pytest.raises(KeyboardInterrupt):
        fit(asked["refined"], **kept)
    monkeypatch.setattr(training, "_epoch", genuine)
    again = fit(asked["refined"], **kept)
    assert again.facts["resumed_from_epoch"] == 5
    assert again.facts["resumed_seconds"] > 0
    pd.testing.assert_frame_equal(again.predictions, whole.predictions)
    for name, table in whole.tables.items():
        pd.testing.assert_frame_equal(again.tables[name], table)
    timed = [name for name in whole.history if name.endswith("seconds")]
    pd.testing.assert_frame_equal(
        again.history.drop(columns=timed), whole.history.drop(columns=timed)
    )
    assert whole.weights.keys() == again.weights.keys()
    for name, value in whole.weights.items():
        assert torch.equal(again.weights[name], value), name


# Other exemplars


def test_many_pairs_refine_the_same_model(asked, whole):
    run = fit(asked["pairs"])
    names = ["careful-00", "careful-01", "blind-00", "blind-01"]
    assert run.tables["exemplars"]["name"].tolist() == names
    refined = [("exbl", 1.0, name) for name in names]
    assert stages_of(run.predictions) == [("unrefined", 0.0, ""), ("continued", 0.0, ""), *refined]
    pd.testing.assert_frame_equal(run.tables["candidates"], whole.tables["candidates"])
    for method in ("unrefined", "continued"):
        mine, theirs = (
            _where(one.predictions, {"method": method}).reset_index(drop=True)
            for one in (run, whole)
        )
        pd.testing.assert_frame_equal(mine, theirs)
    # Of the many, none is shown.
    assert {name for name in run.examples if name.startswith("maps/")} == {"maps/unrefined"}


def test_a_person_who_chooses_as_the_rule_does_gets_what_the_rule_gives(asked, whole):
    (pair,) = whole.tables["exemplars"].to_dict("records")
    person = {"rule": "person", "good": pair["good"], "bad": pair["bad"]}
    alone = {"refinements": {"exbl": [1.0]}}
    run = fit(small(asked["refined"], exemplars=person, **alone))
    (due, found) = (
        _where(one.predictions, {"method": "exbl", "weight": 1.0}).reset_index(drop=True)
        for one in (whole, run)
    )
    assert set(found["pair"]) == {"person"}
    pd.testing.assert_frame_equal(found.drop(columns="pair"), due.drop(columns="pair"))
    assert "maps/exbl-1-person" in run.examples


def test_exemplars_that_are_no_training_cases_are_refused(asked, parts):
    person = {
        "rule": "person",
        "good": str(parts["train"].case_ids[0]),
        "bad": str(parts["test"].case_ids[0]),
    }
    request = small(asked["refined"], exemplars=person)
    request.settings["training"]["epochs"] = 1
    with pytest.raises(ValueError, match=r"bad must be a training case; .* of the test set"):
        fit(request)


def test_other_data_are_refused(asked):
    with pytest.raises(DataError, match="plan the runs again"):
        fit(replace(asked["refined"], data_checksum="another"))


# Real layouts


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "covid-radiography"
    return write_covid(root, 8, seed=2, n_jobs=1)


def paper(tree, **own):
    request = requests("paper", data="covid-radiography", data_root=tree.parent, **own)[0]
    quota = {"train": 4, "validation": 2, "test": 2}
    source = {**request.settings["source"], "options": {"per_class": quota}}
    return replace(request, settings={**request.settings, "source": source})


def paper_run(tree):
    own = {"weights": "random", "frozen_layers": 0, "epochs": 1, "refine_epochs": 1}
    request = paper(tree, loss_weights=[1.0], **own)
    assert (request.settings["network"], request.settings["side"]) == ("mobilenet-v2", 224)
    return fit(replace(request, settings={**request.settings, "side": 96}))


@pytest.mark.slow
def test_the_paper_profile_runs_on_its_layout_with_its_network(tree, tmp_path):
    plain = tmp_path / "covid-radiography"
    shutil.copytree(tree, plain)
    shutil.rmtree(plain / "annotations")  # which the real data do not have
    run = paper_run(plain)
    assert run.examples == {}  # of patients nothing that shows them is kept
    assert set(run.predictions["view"]) == {"plain"}
    assert run.facts["cases"] == {"train": 16, "validation": 8, "test": 8}
    assert set(run.predictions["class"]) == {"COVID", "Lung_Opacity", "Normal", "Viral Pneumonia"}
    assert set(run.tables["maps"]["method"]) == set(run.predictions["method"])
    assert len(stages_of(run.predictions)) == 6
    assert "joints" not in run.tables["maps"]
    assert run.tables["maps"][["ap", "aks", "area"]].stack().between(0, 1).all()
    assert set(run.predictions["shortcut"]) == {-1}  # nobody knows how old they are


@pytest.mark.slow
def test_what_is_drawn_in_that_layout_has_joints_too(tree):
    run = paper_run(tree)
    assert run.tables["maps"]["joints_area"].gt(0).all()
    assert set(run.predictions["shortcut"]) == {0, 1}


def test_weights_and_data_that_are_not_here_are_said(tree, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match=r"ImageNet weights of mobilenet-v2 .*not in the cache"):
        fit(replace(paper(tree), settings={**paper(tree).settings, "side": 32}))
    request = requests("paper", data="covid-radiography", data_root=tmp_path / "nowhere")[0]
    with pytest.raises(DataError, match="nowhere: no data"):
        fit(request)


@pytest.mark.slow
def test_open_radiographs_are_refined_and_asked_about_adults(open_data):
    own = {"epochs": 1, "refine_epochs": 1, "refinements": ["exbl"], "loss_weights": [1.0]}
    request = requests("smoke", data="covid-cxr-lungmask", data_root=open_data, **own)[0]
    run = fit(replace(request, settings={**request.settings, "side": 32}))
    assert run.examples == {}
    assert stages_of(run.predictions) == [("unrefined", 0.0, ""), ("exbl", 1.0, "automatic")]
    assert set(run.predictions["view"]) == {"plain", "adversarial"}
    flipped = run.predictions[run.predictions["view"] == "adversarial"]
    assert "COVID" not in set(flipped[flipped["label"] == 1]["class"])
    assert set(run.tables["maps"]["view"]) == {"plain"}  # nobody drew their lungs
    assert set(run.tables["cases"]["view"]) == {"plain", "adversarial"}
