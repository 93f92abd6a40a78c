"""The paper's numbers as this project states them, held against each other."""

from importlib.resources import files

import pytest
import yaml

from shortlib.studies.clip_watermarks.measures import METRICS, MODELS

FOLDER = files("shortlib.studies.clip_watermarks")
STATED = yaml.safe_load(FOLDER.joinpath("published.yml").read_text())
CLAIMS = yaml.safe_load(FOLDER.joinpath("claims.yml").read_text())
TABLES = {table["view"]: table for table in STATED["tables"]}


def average(view, model):
    return next(row["average"] for row in TABLES[view]["rows"] if row["row"] == model)


@pytest.mark.parametrize("view", ["plain", "aligned", "adversarial"])
def test_a_table_has_eight_models_and_five_findings(view):
    table = TABLES[view]
    assert tuple(row["row"] for row in table["rows"]) == MODELS
    for row in table["rows"]:
        assert list(row["values"]) == STATED["findings"]
        assert all(0 <= value <= 1 for value in row["values"].values())
        assert row["metric"] == f"auroc_{view}"


@pytest.mark.parametrize("view", ["plain", "aligned", "adversarial"])
def test_an_average_is_the_mean_of_its_entries(view):
    """Printed averages round what was not rounded yet, so they may differ by one in the third."""
    printed = TABLES[view]["averages"] == "printed"
    for row in TABLES[view]["rows"]:
        mean = sum(row["values"].values()) / 5
        assert row["average"] == pytest.approx(mean, abs=0.00101 if printed else 0.000501)


def test_only_the_adversarial_averages_are_recomputed_and_what_stood_there_is_kept():
    assert {view: table["averages"] for view, table in TABLES.items()} == {
        "plain": "printed",
        "aligned": "printed",
        "adversarial": "recomputed",
    }
    garbled = {row["row"]: row["garbled"] for row in TABLES["adversarial"]["rows"]}
    differ = [name for name, value in garbled.items() if value != average("adversarial", name)]
    assert set(MODELS) - set(differ) == {"Shortcut CNN"}


def test_the_numbers_in_the_text_agree_with_the_tables():
    by_id = {table["id"]: table["view"] for table in STATED["tables"]}
    cited = [number for number in STATED["text"] if "table" in number]
    assert [number["value"] for number in cited] == [0.996, 0.025]
    for number in cited:
        assert average(by_id[number["table"]], number["row"]) == number["value"]


def test_windows_are_the_differences_that_they_are_said_to_be():
    sizes = {name: window["size"] for name, window in CLAIMS["windows"].items()}
    real = [name for name in MODELS if "Real" in name]
    effects = [average("aligned", name) - average("adversarial", name) for name in real]
    assert sizes["unaffected"] == pytest.approx(max(effects))
    slight = [
        average("plain", f"Fine-tuned Real {m}") - average("plain", f"Fine-tuned Shortcut {m}")
        for m in ("CNN", "CLIP")
    ]
    assert sizes["slight"] == pytest.approx(max(slight))
    row = {v: t["rows"][MODELS.index("Fine-tuned Shortcut CNN")] for v, t in TABLES.items()}
    assert sizes["perfect"] == pytest.approx(min(row["aligned"]["values"].values()) - 0.5)
    assert sizes["failed"] == pytest.approx(0.5 - max(row["adversarial"]["values"].values()))


def test_a_claims_published_number_is_that_of_the_tables():
    """Each rule, applied to the paper's own averages, is met, and gives the number it cites."""
    aurocs = {v: {name: average(v, name) for name in MODELS} for v in TABLES}
    effect = {name: aurocs["aligned"][name] - aurocs["adversarial"][name] for name in MODELS}
    against = aurocs["adversarial"]
    measured = {
        **{f"auroc_{view}": values for view, values in aurocs.items()},
        "watermark_effect": effect,
        "plain_minus_cnn": {
            "Fine-tuned Real CLIP": aurocs["plain"]["Fine-tuned Real CLIP"]
            - aurocs["plain"]["Fine-tuned Real CNN"]
        },
        "adversarial_gain": {
            "CNN": against["Fine-tuned Shortcut CNN"] - against["Shortcut CNN"],
            "CLIP": against["Fine-tuned Shortcut CLIP"] - against["Zero-shot Shortcut CLIP"],
        },
    }
    judged = 0
    for claim in CLAIMS["claims"]:
        assert claim["metric"] in METRICS
        assert claim["metric"] in CLAIMS["metrics"]
        if claim["metric"] not in measured:
            assert "no value is printed" in claim["published"]
            continue
        rule, values = claim["rule"], measured[claim["metric"]]
        between = rule.get("between")
        value = values[between[0]] - values[between[1]] if between else values[rule["at"]]
        assert float(claim["published"].split()[0]) == pytest.approx(value, abs=1e-9)
        if rule["kind"] == "within":
            assert abs(value - rule["value"]) <= rule["window"]["size"]
        else:
            beyond = rule["sign"] * (value - rule.get("threshold", 0.0))
            assert beyond > rule["window"]["size"]
        judged += 1
    assert judged == 11
