from dataclasses import replace

import numpy as np
import pytest

from shortlib.studies.cardiac_context.measures import MODELS
from shortlib.studies.cardiac_context.own_values import VARIANTS
from shortlib.studies.cardiac_context.study import claims, groups, profiles, requests
from shortlib.studies.registry import plan


def runs(profile="smoke", data="builtin-cine", **own):
    return requests(profile, data=data, **own)


def test_a_profile_asks_for_all_variants_and_for_the_dial_with_the_first_seed():
    asked = runs("reference")
    for seed in range(3):
        main = [run.variant for run in asked if run.seed == seed and "-cm" not in run.variant]
        assert main == list(MODELS) == list(VARIANTS) == list(profiles()["variants"])
    dialled = [run for run in asked if "-cm" in run.variant]
    book = profiles()["profiles"]["reference"]
    assert len(dialled) == len(book["dial"]) * len(book["dialled"])
    assert {run.seed for run in dialled} == {0}
    assert len({run.key for run in asked}) == len(asked)


def test_variants_differ_in_what_they_should_and_in_nothing_else():
    by_name = {run.variant: run.settings for run in runs()}
    full, seg, simclr = (by_name[name] for name in ("full", "seg", "simclr"))
    assert {key for key in full if full[key] != seg[key]} == {"regime", "shuffled"}
    assert {key for key in full if full[key] != simclr[key]} == {"pretraining", "shuffled"}
    assert by_name["zero"]["training"] is None
    assert simclr["pretraining"]["options"]["temperature"] == 0.1


def test_the_dial_changes_how_patients_are_drawn_and_keeps_the_patients():
    by_name = {run.variant: run.settings["source"] for run in runs(dial=[[1, -0.5]])}
    here, there = by_name["full"], by_name["full-cm100-acdcm050"]
    assert there["cm"]["drawn"]["habitus_association"] == 1.0
    assert there["acdc"]["drawn"]["habitus_association"] == -0.5
    for name in ("cm", "acdc"):
        same = {"n", "seed", "classes", "scanner"}
        assert {k: here[name]["drawn"][k] for k in same} == {
            k: there[name]["drawn"][k] for k in same
        }


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({"epochs": 3}, ("training", "epochs", 3)),
        ({"pretrain_epochs": 4}, ("pretraining", "epochs", 4)),
        ({"learning_rate": 1}, ("training", "learning_rate", 1.0)),
    ],
)
def test_own_parameters_reach_the_settings(own, expected):
    part, key, value = expected
    found = next(run for run in runs(**own) if run.variant == "simclr").settings
    assert found[part][key] == value


def test_the_association_is_an_own_parameter_of_drawn_patients_alone(tmp_path):
    drawn = runs(cm_association=0.2, acdc_association=-1, systemic=0)[0].settings["source"]
    assert drawn["cm"]["drawn"]["habitus_association"] == 0.2
    assert drawn["cm"]["drawn"]["systemic"] == 0
    assert drawn["acdc"]["drawn"]["habitus_association"] == -1
    with pytest.raises(ValueError, match="cm_association is for drawn patients; cm-acdc has real"):
        runs("paper", "cm-acdc", cm_association=0.2, data_root=tmp_path)


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"epochs": 0}, "epochs is a whole number, at least 1, got 0"),
        ({"network": "vgg"}, "network must be one of cnn-small, .*got 'vgg'"),
        ({"variants": ["full", "whole"]}, "variants is a list of some of zero, full, .*'whole'"),
        ({"variants": ["full", "full"]}, "each once"),
        ({"dial": [[2, 0]]}, "dial is a number from -1 to 1, got 2"),
        ({"dial": [0.5]}, r"dial is a list of pairs \(here, there\), got \[0.5\]"),
        ({"systemic": -1}, "systemic is a number from 0 to 1, got -1"),
        ({"class_weights": "inverse"}, "class_weights must be one of none, balanced"),
        ({"target": "all"}, "target must be one of predicted, true, got 'all'"),
        ({"batch": 3}, "cardiac-context has no parameter 'batch'; it has epochs, "),
    ],
)
def test_own_parameters_that_make_no_sense_are_refused(own, message):
    with pytest.raises(ValueError, match=message):
        runs(**own)


def test_one_thing_has_one_key_however_it_is_written():
    def keys(**own):
        return {run.variant: run.key for run in runs(**own)}

    assert keys(dial=[(0, 0)], variants=("full",)) == keys(dial=[[0.0, 0.0]], variants=["full"])


def test_the_paper_profile_names_its_runs_without_the_data(tmp_path):
    asked = plan("cardiac-context", "paper", data_root=tmp_path / "nowhere")
    assert [run.variant for run in asked] == list(VARIANTS)
    assert {run.data_checksum for run in asked} == {"the data are not here"}
    settings = asked[1].settings
    assert (settings["network"], settings["weights"]) == ("densenet121", "imagenet")
    assert settings["training"]["weight_decay"] == 1e-4
    moco = next(run for run in asked if run.variant == "moco").settings["pretraining"]
    assert (moco["optimizer"], moco["options"]["queue"]) == ("sgd", 1024)


def test_studies_that_are_only_looked_at_have_few_variants_and_no_other_hospital():
    asked = runs("reference", "sunnybrook-cine")
    assert {run.variant for run in asked} == {"full", "seg"}
    assert all("acdc" not in run.settings["source"] for run in asked)


def test_groups_sort_runs_by_data_set():
    class Run:
        def __init__(self, data):
            self.request = {"data": data}

    made = [Run("sunnybrook-cine"), Run("builtin-cine"), Run("sunnybrook-cine")]
    assert list(groups(made)) == ["builtin-cine", "sunnybrook-cine"]
    assert groups(made)["sunnybrook-cine"] == [made[0], made[2]]


def test_every_claim_is_a_rule_over_models_and_metrics_that_there_are():
    from shortlib.studies.cardiac_context.measures import ALL, METRICS

    for claim in claims():
        assert claim["metric"] in METRICS
        named = claim["rule"].get("between", [claim["rule"].get("at")])
        assert set(named) <= {*MODELS.values(), ALL}
        assert np.sign(claim["rule"]["sign"]) == claim["rule"]["sign"]


def test_a_request_does_not_depend_on_where_the_data_are(tmp_path):
    first = runs(data_root=None)[0]
    assert replace(first, data_root=str(tmp_path)).key == first.key
