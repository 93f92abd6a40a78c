"""The paper's numbers as this project states them, held against what it prints."""

import re
from importlib.resources import files

import pytest
import yaml

from shortlib.data.manifest import load_manifest
from shortlib.studies.exemplary_explanations.measures import METRICS, MODELS
from shortlib.studies.exemplary_explanations.study import profiles

FOLDER = files("shortlib.studies.exemplary_explanations")
STATED = yaml.safe_load(FOLDER.joinpath("published.yml").read_text("utf-8"))
CLAIMS = yaml.safe_load(FOLDER.joinpath("claims.yml").read_text("utf-8"))
ROWS = {row["metric"]: row for table in STATED["tables"] for row in table["rows"]}
# Table 1, typed anew: accuracy, then activation precision, each on validation and on test.
PRINTED = {"Unrefined": "0.94 0.95 0.32 0.32", "eXBL": "0.89 0.90 0.34 0.35"}
COLUMNS = ("accuracy_validation", "accuracy_test", "ap_validation", "ap_test")


def printed(metric, model):
    return float(PRINTED[model].split()[COLUMNS.index(metric)])


def gain(metric):
    return printed(metric, "eXBL") - printed(metric, "Unrefined")


def test_the_table_is_that_of_the_paper():
    (table,) = STATED["tables"]
    assert table["place"] == "Table 1"
    assert tuple(ROWS) == COLUMNS
    assert len(table["rows"]) == len(COLUMNS)
    for metric, row in ROWS.items():
        assert metric in METRICS
        assert row["values"] == {model: printed(metric, model) for model in PRINTED}
        assert row["spread"] == {}  # the paper prints none
        measure, part = metric.split("_")
        words = {"accuracy": "accuracy", "ap": "activation precision"}
        assert row["row"] == f"{words[measure]} on {part}"
    assert set(PRINTED) <= set(MODELS.values())


def test_the_numbers_of_images_are_those_of_section_4_1():
    classes, n = STATED["classes"], STATED["data"]["n"]
    assert n == {"train": 800 * 4, "validation": 1200, "test": 800}
    manifest = load_manifest("covid-radiography")
    assert set(classes) == set(manifest.counts.labels)
    quota = profiles()["data"]["covid-radiography"]["source"]["options"]["per_class"]
    assert {part: len(classes) * count for part, count in quota.items()} == n
    # As many as are asked for are there, in the smallest class too.
    assert sum(quota.values()) <= min(manifest.counts.labels.values())


def test_the_paper_profile_has_what_sections_3_and_4_print():
    settings = profiles()["profiles"]["paper"]["settings"]
    assert settings["top"] == STATED["top"] == 0.05
    assert settings["margin"] == STATED["margin"] == 1.0
    assert (settings["side"], settings["network"]) == (224, "mobilenet-v2")
    assert (settings["weights"], settings["frozen_layers"]) == ("imagenet", 50)
    assert (settings["hidden"], settings["dropout"]) == (256, 0.5)
    for part, epochs in (("training", 60), ("refinement", 100)):
        assert settings[part]["epochs"] == epochs
        assert settings[part]["optimizer"] == "adam"
        assert (settings[part]["learning_rate"], settings[part]["patience"]) == (1e-4, 5)
    # Their loss has no weight; one is among those that are tried, and the pairs have it alone.
    assert 1.0 in profiles()["profiles"]["paper"]["refinements"]["exbl"]
    assert profiles()["variants"]["pairs"]["refinements"]["exbl"] == [1.0]
    assert profiles()["data"]["covid-radiography"]["children"] == ["Viral Pneumonia"]


def test_windows_are_the_differences_that_they_are_said_to_be():
    sizes = {name: window["size"] for name, window in CLAIMS["windows"].items()}
    assert sizes["precision"] == pytest.approx(min(gain("ap_validation"), gain("ap_test")))
    losses = [-gain("accuracy_validation"), -gain("accuracy_test")]
    assert [sizes["accuracy"]] * 2 == pytest.approx(losses)
    assert sizes["chance"] == sizes["half"] == sizes["sign"] == 0
    for name, metric in (("precision", "ap_validation"), ("accuracy", None)):
        said = [float(x) for x in re.findall(r"\.\d+", CLAIMS["windows"][name]["from"])]
        assert said == ([printed(metric, m) for m in ("eXBL", "Unrefined")] if metric else [])


def test_a_claims_published_number_is_that_of_the_table():
    """Where the paper has a number, the rule is met by it, and it is the one that is cited."""
    judged = []
    for claim in CLAIMS["claims"]:
        rule, metric = claim["rule"], claim["metric"]
        known = ROWS.get(metric, {}).get("values", {})
        named = rule.get("between", [rule.get("at")])
        if not set(named) <= set(known):
            cited = re.findall(r"\d*\.\d+", str(claim["published"]))
            assert not cited, claim["id"]  # a number with no place in the table
            continue
        values = [known[name] for name in named]
        value = values[0] - values[1] if len(values) == 2 else values[0]
        cited = [float(x) for x in re.findall(r"-?\d*\.\d+", str(claim["published"]))]
        assert cited == pytest.approx([value, *values] if len(values) == 2 else values)
        beyond = rule["sign"] * (value - rule.get("threshold", 0.0))
        assert beyond >= rule["window"]["size"] - 1e-9, claim["id"]
        judged.append(claim["id"])
    assert judged == ["attends-outside-the-lungs", "exbl-raises-precision", "exbl-costs-accuracy"]


def test_the_price_of_the_choice_of_weights_is_what_it_cost_in_the_paper():
    from shortlib.studies.exemplary_explanations.measures import PRICE

    assert pytest.approx(-gain("accuracy_validation")) == PRICE
    assert f"at most {PRICE} in accuracy" in " ".join(CLAIMS["metrics"]["accuracy_test"].split())
