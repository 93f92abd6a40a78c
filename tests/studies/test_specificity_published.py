"""The paper's numbers as this project states them, held against what it prints."""

import re
from importlib.resources import files
from itertools import chain

import pytest
import yaml

from shortlib.data.manifest import load_manifest
from shortlib.metrics import annotation_cost
from shortlib.studies.spatial_specificity.measures import ARTEFACTS, LEVELS, METRICS
from shortlib.studies.spatial_specificity.study import profiles, requests
from shortlib.studies.spatial_specificity.variants import VARIANTS

FOLDER = files("shortlib.studies.spatial_specificity")
STATED = yaml.safe_load(FOLDER.joinpath("published.yml").read_text("utf-8"))
CLAIMS = yaml.safe_load(FOLDER.joinpath("claims.yml").read_text("utf-8"))
TABLES = {table["id"]: table for table in STATED["tables"]}
EXACT = 1e-9

# Table 1, typed anew: overall AUROC on radiographs, robust AUROC on radiographs and on skin.
TABLE_1 = """
    Binary-ERM    .909 .017  .455 .000  .359 .016
    Binary-JTT    .926 .003  .559 .024  .444 .027
    Binary-GEORGE .920 .009  .634 .009  .514 .012
    BBox-ERM      .924 .011  .720 .000  .305 .084
    Seg-ERM       .933 .004  .820 .039  .727 .016
"""
COLUMNS = (("overall_auroc", "chest"), ("robust_auroc", "chest"), ("robust_auroc", "skin"))
# Table 3, typed anew: image labels, boxes, masks.
TABLE_3 = {"chest": "0.99 0.47 0.42", "skin": "1.28 1.14 0.88"}
# Table 4, typed anew: robust AUROC on radiographs with 600, 1,100 and 2,200 images.
TABLE_4 = """
    Seg-ERM  .656 .038  .701 .007  .749 .018
    BBox-ERM .654 .035  .685 .022  .715 .043
    Seg-SSL  .679 .016  .723 .003  .741 .009
    Seg-SPL  .697 .008  .704 .004  .738 .008
"""


def typed(text):
    """Name to pairs of a mean and what stands after the ±."""
    found = {}
    for line in text.split("\n"):
        if line.strip():
            name, *cells = line.split()
            numbers = [float(cell) for cell in cells]
            found[name] = list(zip(numbers[::2], numbers[1::2], strict=True))
    return found


def printed(metric, task, model):
    return typed(TABLE_1)[model][COLUMNS.index((metric, task))][0]


# Tables


def test_table_1_is_that_of_the_paper():
    rows = {(row["metric"], row["task"]): row for row in TABLES["table-1"]["rows"]}
    assert tuple(rows) == COLUMNS
    for k, at in enumerate(COLUMNS):
        for n, name in enumerate(("values", "spread")):
            due = {model: pairs[k][n] for model, pairs in typed(TABLE_1).items()}
            assert rows[at][name] == due
    assert set(typed(TABLE_1)) <= set(VARIANTS.values())


def test_table_3_is_that_of_the_paper():
    rows = {row["task"]: row for row in TABLES["table-3"]["rows"]}
    kinds = [kind for _, kind in LEVELS.values()]
    for task, line in TABLE_3.items():
        assert rows[task]["values"] == dict(zip(kinds, map(float, line.split()), strict=True))
        assert rows[task]["metric"] == "variance"


def test_table_4_is_that_of_the_paper():
    rows = {row["row"]: row for row in TABLES["table-4"]["rows"]}
    assert list(rows) == list(typed(TABLE_4))
    for model, pairs in typed(TABLE_4).items():
        for n, name in enumerate(("values", "spread")):
            due = dict(zip((600, 1100, 2200), (pair[n] for pair in pairs), strict=True))
            assert rows[model][name] == due


def test_places_and_metrics_are_named():
    assert [table["place"] for table in STATED["tables"]] == ["Table 1", "Table 3", "Table 4"]
    for table in STATED["tables"]:
        for row in table["rows"]:
            assert row["metric"] in METRICS
            assert row["task"] in STATED["data"]


# What the tables say together


def test_numbers_of_images_add_up_to_those_of_section_5():
    chest, skin = (STATED["data"][task]["n"] for task in ("chest", "skin"))
    assert sum(chest.values()) == 12047
    assert sum(skin.values()) == 2594 == load_manifest("isic2018").counts.cases
    # The released tube labels are of the images that are validated and tested on.
    assert chest["validation"] + chest["test"] == 1951


def test_costs_are_those_of_section_4_1():
    costs = STATED["costs"]
    rates = {name: costs[name] for name in ("seconds_per_click", "wage_per_hour")}
    dollars = {
        kind: annotation_cost(costs["n_positive"], clicks=clicks, **rates)
        for kind, clicks in costs["clicks"].items()
    }
    beyond = {kind: dollars[kind] - dollars["label"] for kind in ("boxes", "masks")}
    # Printed to two and three digits.
    assert round(beyond["boxes"], -1) == costs["beyond_labels"]["boxes"] == 280
    assert round(beyond["masks"], -2) == costs["beyond_labels"]["masks"] == 12200
    assert costs["clicks"] == {"label": 1, "boxes": 2, "masks": 45}


def test_the_gain_of_five_points_is_not_that_of_table_4():
    """It is 4.1 by the similarity of pixels, 2.3 by that of images, and a loss with more masks."""
    table = typed(TABLE_4)
    gains = {
        model: [round(ours[0] - base[0], 3) for ours, base in
                zip(table[model], table["Seg-ERM"], strict=True)]
        for model in ("Seg-SSL", "Seg-SPL")
    }  # fmt: skip
    assert gains == {"Seg-SSL": [0.023, 0.022, -0.008], "Seg-SPL": [0.041, 0.003, -0.011]}


def test_shares_are_those_of_the_sweep():
    shares = list(profiles()["profiles"]["paper"]["shares"]["masks"])
    assert [round(4400 * share) for share in shares] == [598, 1100, 2200, 4400]
    samples = STATED["samples"]
    assert list(samples.values()) == [600, 1100, 2200, 4400]
    nearest = [min(samples, key=lambda one, s=share: abs(one - s)) for share in shares]
    assert nearest == list(samples)
    assert profiles()["profiles"]["paper"]["shares"]["boxes"] == shares


def test_overlaps_are_in_the_order_of_the_words_of_section_5_1():
    """Hair lies on every lesion, bubbles on half, rulers on a fifth, corners on hardly any."""
    known = STATED["overlap"]
    assert set(known) < set(ARTEFACTS)
    assert sorted(known, key=known.get) == ["dark_corner", "ruler", "gel_bubble", "hair"]
    assert [known[name] for name in ("hair", "gel_bubble", "ruler")] == [1.0, 0.5, 0.2]


# The paper's settings


def settings(data, variant):
    return next(r.settings for r in requests("paper", data=data) if r.variant == variant)


def test_the_paper_profile_has_what_appendix_a_prints():
    erm, masks, boxes = (settings("siim-acr", one) for one in ("binary-erm", "masks", "boxes"))
    assert (erm["network"], masks["network"]) == ("resnet50", "unet-seresnext50")
    assert {one["weights"] for one in (erm, masks, boxes)} == {"imagenet"}
    for one, rate in ((erm, 1e-5), (masks, 5e-4), (boxes, 5e-4)):
        training = one["training"]
        assert (training["learning_rate"], training["epochs"]) == (rate, 150)
        assert training["optimizer"] == "adam"
    # Boxes are trained as masks are.
    assert {k for k in masks if masks[k] != boxes[k]} == {"supervision"}
    assert profiles()["profiles"]["paper"]["seeds"] == 3


@pytest.mark.parametrize(
    ("data", "epochs", "balance", "george"),
    [("siim-acr", 30, False, (1e-4, 1e-3)), ("isic2018", 15, True, (1e-5, 1e-5))],
)
def test_the_baselines_of_the_paper_profile_are_those_of_appendix_a_2(
    data, epochs, balance, george
):
    jtt, other = (settings(data, f"binary-{one}") for one in ("jtt", "george"))
    for one in (jtt, other):
        first = one["identification"]
        assert (first["epochs"], first["batch_size"], first["optimizer"]) == (epochs, 32, "sgd")
        assert (first["learning_rate"], first["weight_decay"]) == (1e-4, 0.1)
        assert one["balance"] is balance
        assert (one["training"]["optimizer"], one["training"]["batch_size"]) == ("sgd", 32)
    assert (jtt["training"]["learning_rate"], jtt["training"]["weight_decay"]) == (1e-4, 0)
    assert jtt["factor"] == "match"
    training = other["training"]
    assert (training["learning_rate"], training["weight_decay"]) == george
    assert training["epochs"] == 100
    assert (other["step_size"], other["adjustment"]) == (0.1, 3.0)


# Claims


def differences(metric, between):
    """What a difference of two models is in Table 1, for each task that it prints it for."""
    tasks = [task for name, task in COLUMNS if name == metric]
    return {
        task: printed(metric, task, between[0]) - printed(metric, task, between[1])
        for task in tasks
    }


def numbers(text):
    return [float(one) for one in re.findall(r"-?\d*\.\d+", str(text))]


def tasks_of(claim):
    chest = any(data in ("builtin-pneumothorax", "siim-acr") for data in claim["each"])
    skin = any("skin" in data or "isic" in data for data in claim["each"])
    return [task for task, there in (("chest", chest), ("skin", skin)) if there]


def swept(which):
    place = {"robust_smallest": 0, "robust_half": -1}[which]
    values = {model: pairs[place][0] for model, pairs in typed(TABLE_4).items()}
    return values | {"Binary-ERM": printed("robust_auroc", "chest", "Binary-ERM")}


def test_a_claims_published_number_is_that_of_the_tables():
    """Each rule, applied to the paper's own numbers, is met, and gives the numbers it cites."""
    judged = []
    for claim in CLAIMS["claims"]:
        rule, metric = claim["rule"], claim["metric"]
        cited, name = numbers(claim["published"]), claim["id"]
        between = rule.get("between", [rule.get("at")])
        known = {*typed(TABLE_1), *typed(TABLE_4)}
        if metric in ("variance", "robust_by_specificity") or not set(between) <= known:
            continue
        if claim["published"] == "not measured":
            continue
        if metric.startswith("robust_") and metric != "robust_auroc":
            values = [swept(metric)[model] for model in between]
            due, effects = [values[0] - values[1], *values], [values[0] - values[1]]
        elif rule["kind"] == "threshold":
            due = effects = [printed(metric, task, between[0]) for task in tasks_of(claim)]
        else:
            found = differences(metric, between)
            effects = [found[task] for task in tasks_of(claim)]
            both = [
                [value, *(printed(metric, task, model) for model in between)]
                for task, value in zip(tasks_of(claim), effects, strict=True)
            ]
            # Some cite what is subtracted as well.
            due = effects if len(cited) == len(effects) else [*chain(*both)]
        assert cited == pytest.approx(due), name
        for value in effects:
            beyond = rule["sign"] * (value - rule.get("threshold", 0.0))
            assert beyond > rule["window"]["size"] - EXACT, name
        judged.append(name)
    others = {
        "rises-at-every-step", "variance-falls-with-specificity", "overlapping-artefacts-cost-most",
        "overlap-limits-masks", "errors-are-those-misled", "clusters-know-the-shortcut",
        "masks-against-known-groups",
    }  # fmt: skip
    assert {claim["id"] for claim in CLAIMS["claims"]} - set(judged) == others


def test_orders_that_are_claimed_are_those_of_the_tables():
    claims = {claim["id"]: claim for claim in CLAIMS["claims"]}
    titles = [VARIANTS[variant] for variant, _ in LEVELS.values()]
    rises = claims["rises-at-every-step"]
    values = [printed("robust_auroc", "chest", title) for title in titles]
    assert numbers(rises["published"]) == values == sorted(values)
    assert rises["rule"]["sign"] == 1
    falls = claims["variance-falls-with-specificity"]
    rows = [[float(one) for one in line.split()] for line in TABLE_3.values()]
    assert numbers(falls["published"]) == [*chain(*rows)]
    assert all(row == sorted(row, reverse=True) for row in rows)
    assert falls["rule"]["sign"] == -1


def test_what_the_paper_has_no_number_of_is_said_to_be_without():
    for claim in CLAIMS["claims"]:
        ours = claim["sentence"].startswith("A question of ours.")
        assert ours == (claim["published"] == "not measured"), claim["id"]
        if ours:
            assert claim["rule"]["window"]["size"] == 0


def test_windows_are_the_spreads_that_they_are_said_to_be():
    windows = CLAIMS["windows"]
    assert windows["auroc"]["size"] == max(s for row in typed(TABLE_4).values() for _, s in row)
    assert windows["auroc"]["size"] == typed(TABLE_4)["BBox-ERM"][-1][1]
    assert windows["overall"]["size"] == max(row[0][1] for row in typed(TABLE_1).values())
    assert {windows[name]["size"] for name in windows.keys() - {"auroc", "overall"}} == {0.0}
