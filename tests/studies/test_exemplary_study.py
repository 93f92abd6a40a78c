from dataclasses import replace

import numpy as np
import pytest
import yaml

from shortlib.studies.exemplary_explanations.choice import Choice, write_choice
from shortlib.studies.exemplary_explanations.measures import METRICS, MODELS, PAIRS
from shortlib.studies.exemplary_explanations.refinements import METHODS
from shortlib.studies.exemplary_explanations.study import claims, groups, profiles, requests
from shortlib.studies.registry import plan

DRAWN, OPEN, PAPER = "builtin-radiographs", "covid-cxr-lungmask", "covid-radiography"


def runs(profile="smoke", data=DRAWN, **own):
    return requests(profile, data=data, **own)


def settings_of(variant="refined", **own):
    return next(run.settings for run in runs(**own) if run.variant == variant)


# Which runs


@pytest.mark.parametrize("data", [DRAWN, OPEN])
def test_each_seed_refines_and_the_first_has_many_pairs_too(data, tmp_path):
    asked = runs("reference", data, data_root=tmp_path / "nowhere")
    assert [(run.seed, run.variant) for run in asked] == [
        (0, "refined"),
        (0, "pairs"),
        (1, "refined"),
        (2, "refined"),
    ]
    assert len({run.key for run in asked}) == 4
    book = profiles()["profiles"]["reference"]
    for run in asked:
        weights = run.settings["refinements"]
        if run.variant == "refined":
            assert weights == book["refinements"]
            assert list(weights) == list(METHODS)
            assert run.settings["exemplars"] == {"rule": "automatic"}
        else:
            assert weights == {"continued": [0.0], "exbl": [1.0]}
            n = 10 if data == DRAWN else 20
            assert run.settings["exemplars"] == {"rule": "drawn", "careful": n, "blind": n}
            definition = " ".join(claims()[5]["definition"].split())
            assert f"{n} pairs" in definition or f"{n} on drawn" in definition


def test_the_unrefined_model_is_trained_alike_in_both():
    refined, pairs = (settings_of(variant) for variant in ("refined", "pairs"))
    assert {key for key in refined if refined[key] != pairs[key]} == {"exemplars", "refinements"}


def test_more_seeds_add_runs_and_change_none():
    one, three = (runs(seeds=n) for n in (1, 3))
    assert [run.name for run in three[:2]] == [run.name for run in one]
    assert [(run.seed, run.variant) for run in three[2:]] == [(1, "refined"), (2, "refined")]


def test_drawn_data_have_the_profiles_cases_and_are_named_by_their_recipe():
    source = settings_of()["source"]
    assert source["drawn"]["n"] == profiles()["profiles"]["smoke"]["cases"]
    assert runs()[0].data_checksum == "built-in recipe, version 1"
    assert "n" not in profiles()["data"][DRAWN]["source"]["drawn"]  # the book itself stays


def test_real_data_that_are_not_here_are_named_by_the_checksum_that_is_stated(tmp_path):
    stated = profiles()["data"][OPEN]["checksum"]
    nowhere = tmp_path / "nowhere"
    assert {run.data_checksum for run in runs("reference", OPEN, data_root=nowhere)} == {stated}
    asked = plan("exemplary-explanations", "paper", data_root=nowhere)
    assert {run.data for run in asked} == {PAPER}
    assert {run.data_checksum for run in asked} == {"the data are not here"}


def test_open_data_are_those_that_are_stated(open_data):
    here = runs("smoke", OPEN, data_root=open_data)
    assert here[0].data_checksum == profiles()["data"][OPEN]["checksum"]


def test_a_request_does_not_depend_on_where_the_data_are(tmp_path):
    first = runs()[0]
    assert replace(first, data_root=str(tmp_path)).key == first.key


# Own parameters


@pytest.mark.parametrize(
    ("own", "path", "value"),
    [
        ({"epochs": 3}, "training.epochs", 3),
        ({"refine_epochs": 4}, "refinement.epochs", 4),
        ({"learning_rate": 1}, "training.learning_rate", 1.0),
        ({"learning_rate": 1}, "refinement.learning_rate", 1.0),
        ({"network": "resnet18"}, "network", "resnet18"),
        ({"weights": "imagenet"}, "weights", "imagenet"),
        ({"frozen_layers": 50}, "frozen_layers", 50),
        ({"margin": 2}, "margin", 2.0),
        ({"top": 0.1}, "top", 0.1),
        ({"association": -0.5}, "source.drawn.association", -0.5),
        ({"on_error": "skip"}, "on_error", "skip"),
        ({"loss_weights": (10, 0.1)}, "refinements.exbl", [0.1, 10.0]),
        ({"loss_weights": [2]}, "refinements.right-reasons", [2.0]),
        ({"loss_weights": [2]}, "refinements.continued", [0.0]),
        ({"refinements": ["exbl", "continued"]}, "refinements",
         {"continued": [0.0], "exbl": [0.3, 1.0]}),
        ({"refinements": ["exbl"], "loss_weights": [2]}, "refinements", {"exbl": [2.0]}),
    ],
)  # fmt: skip
def test_own_parameters_reach_the_settings_and_only_there(own, path, value):
    found = changed = settings_of(**own)
    for part in path.split("."):
        found = found[part]
    assert found == value
    due = {"training", "refinement"} if "learning_rate" in own else {path.split(".")[0]}
    usual = settings_of()
    assert {key for key in changed if changed[key] != usual[key]} == due


def test_the_number_of_pairs_is_for_the_run_that_has_many():
    usual, asked = runs(), runs(careful=5, blind=1)
    assert asked[1].settings["exemplars"] == {"rule": "drawn", "careful": 5, "blind": 1}
    assert asked[0].key == usual[0].key
    # And weights and methods for the other one.
    usual, asked = runs(), runs(loss_weights=[2], refinements=["exbl"])
    assert asked[1].key == usual[1].key
    assert asked[0].key != usual[0].key


def test_one_thing_has_one_key_however_it_is_written():
    book = profiles()["profiles"]["smoke"]
    own = {
        "margin": 1,
        "association": 1,
        "refinements": tuple(reversed(METHODS)),
        "epochs": book["settings"]["training"]["epochs"],
        "learning_rate": 0.001,
        "top": 0.05,
    }
    assert [run.key for run in runs(**own)] == [run.key for run in runs()]


def test_the_association_is_for_drawn_radiographs(tmp_path):
    with pytest.raises(ValueError, match=f"association is for drawn radiographs; {OPEN} has real"):
        runs("smoke", OPEN, association=0.5, data_root=tmp_path)


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"epochs": 0}, "epochs is a whole number, at least 1, got 0"),
        ({"epochs": 2.0}, "epochs is a whole number, at least 1, got 2.0"),
        ({"refine_epochs": True}, "refine_epochs is a whole number, at least 1, got True"),
        ({"learning_rate": 0}, "learning_rate is a positive number, got 0"),
        ({"learning_rate": float("inf")}, "learning_rate is a positive number, got inf"),
        ({"learning_rate": "fast"}, "learning_rate is a positive number, got 'fast'"),
        ({"network": "vgg"}, "network must be one of cnn-small, .*got 'vgg'"),
        ({"weights": "mine"}, "weights must be one of random, imagenet, got 'mine'"),
        ({"frozen_layers": -1}, "frozen_layers is a whole number, at least 0, got -1"),
        ({"margin": -1}, "margin is a number from 0 to 1000, got -1"),
        ({"margin": float("nan")}, "margin is a number from 0 to 1000, got nan"),
        ({"top": 5}, "top is a number from 0.001 to 0.999, got 5"),
        ({"refinements": ["exbl", "mine"]}, "refinements is a list of some of continued, .*'mine'"),
        ({"refinements": ["exbl", "exbl"]}, "each once"),
        ({"refinements": "exbl"}, "refinements is a list of some of .* got 'exbl'"),
        ({"loss_weights": []}, r"loss_weights is a list of positive numbers, got \[\]"),
        ({"loss_weights": [1, 0]}, "loss_weights is a positive number, got 0"),
        ({"loss_weights": 1}, "loss_weights is a list of positive numbers, got 1"),
        ({"careful": 0}, "careful is a whole number, at least 1, got 0"),
        ({"blind": 1.5}, "blind is a whole number, at least 1, got 1.5"),
        ({"association": 2}, "association is a number from -1 to 1, got 2"),
        ({"on_error": "stop"}, "on_error must be one of raise, skip, got 'stop'"),
        ({"exemplars": ""}, "exemplars is the path of a file that the picker wrote, got ''"),
        ({"batch": 3}, "exemplary-explanations has no parameter 'batch'; it has exemplars, "),
    ],
)
def test_own_parameters_that_make_no_sense_are_refused(own, said):
    with pytest.raises(ValueError, match=said):
        runs(**own)


# A person's choice


def chosen(path, run):
    return str(write_choice(path / "exemplars.yml", Choice("pneumonia-6-1", "pneumonia-6-2", run)))


def test_a_persons_exemplars_replace_those_of_the_rule_in_their_run_alone(tmp_path):
    usual = runs(seeds=3)
    for seed, suffix in ((0, ""), (2, "-99aabbcc")):
        at = next(run for run in usual if (run.seed, run.variant) == (seed, "refined"))
        (asked,) = runs(seeds=3, exemplars=chosen(tmp_path, at.name + suffix))
        assert (asked.seed, asked.variant) == (seed, "refined")
        due = {"rule": "person", "good": "pneumonia-6-1", "bad": "pneumonia-6-2"}
        assert asked.settings == {**at.settings, "exemplars": due}
        assert asked.key != at.key
        assert asked.data_checksum == at.data_checksum


def test_a_persons_exemplars_go_with_the_parameters_they_were_chosen_at(tmp_path):
    other = runs(margin=2)[0]
    path = chosen(tmp_path, other.name)
    assert runs(margin=2.0, exemplars=path)[0].settings["margin"] == 2
    with pytest.raises(ValueError, match=f"chosen from the maps of run {other.name}; .* choose"):
        runs(exemplars=path)


def test_exemplars_of_another_run_are_refused(tmp_path):
    pairs, later = runs()[1], runs(seeds=2)[2]
    for name in (pairs.name, later.name, "refined-s0-00000000", "a run"):
        path = chosen(tmp_path, name)
        with pytest.raises(ValueError, match=f"were chosen from the maps of run {name}"):
            runs(seeds=1, exemplars=path)
    with pytest.raises(ValueError, match="there is no choice of exemplars at"):
        runs(exemplars=str(tmp_path / "none.yml"))


# Claims


def test_every_claim_is_a_rule_over_models_and_metrics_that_there_are():
    named = set()
    for claim in claims():
        assert claim["metric"] in METRICS
        names = claim["rule"].get("between", [claim["rule"].get("at")])
        known = {"careful pairs", "Unrefined"} if claim["metric"] == "ap_pairs" else MODELS.values()
        assert set(names) <= set(known)
        assert abs(claim["rule"]["sign"]) == 1
        assert set(claim["each"]) <= {DRAWN, OPEN}
        named.add(claim["id"])
    assert len(named) == len(claims())
    assert set(PAIRS.values()) == {"careful pairs", "blind pairs"}


def test_what_a_claim_needs_is_in_every_profile_of_its_data():
    for claim in claims():
        for data in claim["each"]:
            for profile in profiles()["combinations"][data]:
                weights = profiles()["profiles"][profile]["refinements"]
                assert {"continued", "exbl"} <= set(weights)
    for name, profile in profiles()["profiles"].items():
        assert list(profile["refinements"]) == list(METHODS), name
        assert profile["refinements"]["continued"] == [0.0]
        for method, weights in profile["refinements"].items():
            assert method == "continued" or np.all(np.diff([0, *weights]) > 0)


def test_groups_sort_runs_by_data_set():
    class Run:
        def __init__(self, data):
            self.request = {"data": data}

    made = [Run(PAPER), Run(DRAWN), Run(PAPER)]
    assert groups(made) == {DRAWN: [made[1]], PAPER: [made[0], made[2]]}


def test_settings_can_be_written(tmp_path):
    """A key is made of them, so they are plain numbers, words and lists."""
    for profile in ("smoke", "workshop", "reference"):
        for run in runs(profile):
            assert yaml.safe_load(yaml.safe_dump(run.settings)) == run.settings
