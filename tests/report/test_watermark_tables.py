from importlib.resources import files

import numpy as np
import pytest
import yaml

from shortlib.report.claim_tables import format_estimate
from shortlib.report.watermark_tables import (
    EMPTY,
    MAP_MEASURES,
    appendix_table,
    average_table,
    data_sentence,
    maps_table,
    mention_table,
    published_averages,
)
from shortlib.studies.clip_watermarks.controls import mention
from shortlib.studies.clip_watermarks.measures import MODELS, by_finding, estimates
from tests.studies.clip_runs import FINDINGS, VIEWS, made_run

FOLDER = files("shortlib.studies.clip_watermarks")
PUBLISHED = yaml.safe_load(FOLDER.joinpath("published.yml").read_text())
# What the paper would have printed had it looked at the findings of the runs made by hand.
SAME = {
    **PUBLISHED,
    "findings": FINDINGS,
    "tables": [
        {
            "view": view,
            "rows": [
                {"row": model, "average": 0.1234, "values": dict.fromkeys(FINDINGS, 0.5)}
                for model in MODELS
            ],
        }
        for view in VIEWS
    ],
}


@pytest.fixture(scope="module")
def reference():
    return [made_run(method, seed=seed) for seed in (0, 1) for method in ("cnn", "clip")]


@pytest.fixture(scope="module")
def here():
    return [made_run("cnn", seed=7)]


def test_a_model_has_a_row_for_each_source_that_has_it(reference, here):
    table = appendix_table(SAME, "aligned", reference, here)
    assert list(table.columns) == ["model", "source", "Average", *FINDINGS]
    assert list(dict.fromkeys(table["model"])) == list(MODELS)
    for model, part in table.groupby("model"):
        mine = ["this run"] if model.endswith("CNN") else []
        assert list(part["source"]) == ["published", "reference", *mine]
    assert not table.isna().to_numpy().any()
    keyed = table.set_index(["model", "source"])
    assert keyed.loc[("Real CNN", "published"), "Average"] == "0.123"
    ours = by_finding(reference, "aligned")["Fine-tuned Real CLIP"]
    for column in ("Average", *FINDINGS):
        cell = keyed.loc[("Fine-tuned Real CLIP", "reference"), column]
        assert cell == format_estimate(ours[column], 2)
    assert "[" in keyed.loc[("Real CNN", "this run"), "Edema"]


def test_the_papers_numbers_do_not_stand_over_other_findings(reference, here):
    table = appendix_table(PUBLISHED, "plain", reference, here)
    assert "published" not in set(table["source"])
    assert list(table.columns[3:]) == FINDINGS
    averages = average_table(PUBLISHED, reference, here)
    assert set(averages["published"]) == {EMPTY["published"]}
    assert published_averages(PUBLISHED, reference) == {}
    assert "are not the paper's" in data_sentence(PUBLISHED, reference)
    assert "are not the paper's" not in data_sentence(SAME, reference)


def test_without_a_run_the_papers_table_stands_alone():
    table = appendix_table(PUBLISHED, "adversarial", [], [])
    assert len(table) == 8
    assert set(table["source"]) == {"published"}
    row = table.set_index("model").loc["Fine-tuned Shortcut CLIP"]
    assert (row["Average"], row["Consolidation"]) == ("0.518", "0.929")
    averages = published_averages(PUBLISHED, [])
    assert averages["adversarial"]["Fine-tuned Shortcut CNN"] == 0.025
    assert averages["aligned"]["Fine-tuned Shortcut CNN"] == 0.996
    assert data_sentence(PUBLISHED, []).endswith("each model trained once.")


def test_a_finding_with_one_class_is_said_to_be_one():
    labels = (np.random.default_rng(0).random((20, 3)) < 0.4).astype(float)
    labels[:, 2] = 0
    table = appendix_table(SAME, "plain", [], [made_run("cnn", labels=labels)])
    cells = table[table["source"] == "this run"]
    assert set(cells[FINDINGS[2]]) == {EMPTY["finding"]}
    assert len(cells) == 4


def test_averages_have_a_row_for_every_view_and_model(reference, here):
    table = average_table(SAME, reference, here)
    assert len(table) == 24
    assert list(table.columns) == ["test view", "model", "published", "reference", "this run"]
    keyed = table.set_index(["test view", "model"])
    assert keyed.loc[("plain", "Real CNN"), "published"] == "0.123"
    expected = estimates("auroc_adversarial", reference)["Shortcut CNN"]
    cell = keyed.loc[("adversarial", "Shortcut CNN"), "reference"]
    assert cell == format_estimate(expected, 2)
    assert keyed.loc[("adversarial", "Zero-shot Real CLIP"), "this run"] == EMPTY["this run"]
    assert set(average_table(SAME, [], here)["reference"]) == {EMPTY["reference"]}


def test_maps_stand_side_by_side_with_their_paired_difference(reference, here):
    table = maps_table(reference, here)
    assert list(dict.fromkeys(table["measure"])) == list(MAP_MEASURES.values())
    keyed = table.set_index(["measure", "source"])
    title = MAP_MEASURES["consistency_testing"]
    found = estimates("consistency_testing", reference)
    row = keyed.loc[(title, "reference")]
    assert row["CLIP"] == format_estimate(found["CLIP"], 2)
    assert row["CLIP − CNN (paired)"] == format_estimate(found["CLIP"] - found["CNN"], 2)
    row = keyed.loc[(title, "this run")]
    assert (row["CLIP"], row["CLIP − CNN (paired)"]) == ("–", "–")
    assert len(maps_table([], [])) == 0


def test_the_control_is_tabulated_by_stage_and_view(reference):
    runs = [*reference, made_run("clip", variant="clip-mention")]
    table = mention_table(runs)
    assert len(table) == 6
    assert list(table["model"][:3]) == ["Zero-shot Shortcut CLIP"] * 3
    last = mention(runs)["adversarial"]
    assert table.iloc[-1]["difference (paired)"] == format_estimate(last["difference"], 2)
    assert len(mention_table(reference)) == 0


def test_the_data_stand_beside_the_table(reference):
    sentence = data_sentence(SAME, reference)
    assert "234 images of CheXpert" in sentence
    assert "builtin-chest, profile smoke, 30 images for testing, 2 seeds." in sentence
