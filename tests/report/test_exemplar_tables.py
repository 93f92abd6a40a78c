"""Tables of the exemplar study from runs made by hand, whose numbers are known beforehand."""

import numpy as np
import pytest

from shortlib.report.absent import absent_figure, absent_table
from shortlib.report.exemplar_pairs import pairs_table
from shortlib.report.exemplar_tables import (
    EVEN,
    SAME,
    caption,
    differences_table,
    measured_by,
    relatives_table,
    sizes_table,
    table_1,
    weights_in_words,
)
from shortlib.report.side_by_side import EMPTY, side_by_side
from shortlib.studies.registry import load_study
from tests.report.exemplar_runs import AREA, JOINTS_AREA, STAGES, made_pairs, made_run

PUBLISHED = load_study("exemplary-explanations").published()
AP = {("unrefined", 0.0): 0.25, ("continued", 0.0): 0.3, ("exbl", 0.3): 0.5, ("exbl", 1.0): 0.4}
MODELS = ["Unrefined", "Fine-tuned", "eXBL", "eXBL, weight 1", "eXBL, code's distance", "Masked"]


@pytest.fixture(scope="module")
def runs():
    """Two seeds; validation prefers eXBL at 0.3 in the first and at 1 in the second."""
    other = {**AP, ("exbl", 1.0): 0.6}
    empty = {("masked", 1.0): 0.5}
    return [made_run(ap=AP, empty=empty), made_run(seed=1, ap=other, empty=empty)]


def test_the_papers_numbers_stand_above_ours(runs):
    table = table_1(PUBLISHED, runs, [])
    assert list(table.columns) == ["row", "source", "Unrefined", "eXBL", "eXBL, weight 1"]
    assert list(table["source"]) == ["published", "reference", "this run"] * 4
    ap = table[table["row"] == "activation precision on test"].set_index("source")
    assert list(ap.loc["published"][1:]) == ["0.32", "0.35", SAME]
    # Every case has the same value, so only the seeds vary.
    assert ap.loc["reference", "Unrefined"] == "0.25 [0.25, 0.25]"
    assert ap.loc["reference", "eXBL"] == "0.55 [0.50, 0.60]"  # 0.5 and 0.6, as chosen
    assert ap.loc["reference", "eXBL, weight 1"] == "0.50 [0.40, 0.60]"
    assert set(ap.loc["this run"][1:]) == {EMPTY["this run"]}
    accuracy = table[table["row"] == "accuracy on test"].set_index("source")
    assert accuracy.loc["reference", "eXBL"].startswith("0.75 [")
    assert accuracy.loc["published", "eXBL"] == "0.90"


def test_without_any_run_the_papers_numbers_are_left():
    table = table_1(PUBLISHED, [], [])
    assert len(table) == 12
    assert set(table.loc[table["source"] == "reference", "eXBL"]) == {EMPTY["reference"]}


def test_an_empty_cell_says_which_source_lacks_it():
    lines = [("a", "said", {"x": "1"}, "published"), ("a", "this run", {}, "this run")]
    table = side_by_side(lines, ["x", "y"])
    assert table.to_numpy().tolist() == [
        ["a", "said", "1", EMPTY["published"]],
        ["a", "this run", EMPTY["this run"], EMPTY["this run"]],
    ]


def test_relatives_stand_above_an_even_map(runs):
    table = relatives_table(runs).set_index("model")
    assert list(table.index) == [*MODELS, "RRR", EVEN]
    assert table.loc["eXBL", "weight"] == "0.3, 1"
    assert table.loc["RRR", "weight"] == "0.01 (fixed)"
    assert table.loc["Unrefined", "weight"] == "–"
    assert table.loc["Masked", "empty maps"].startswith("0.50 [")
    assert table.loc["eXBL", "AKS"] == "0.40 [0.40, 0.40]"
    assert table.loc[EVEN, "activation precision"] == table.loc[EVEN, "AKS"] == f"{AREA:.2f}"
    assert table.loc[EVEN, "on the joints"] == f"{JOINTS_AREA:.2f}"
    assert table.loc[EVEN, "accuracy"] == "–"
    # Of flipped cases the last quarter is wrong; half of the wrong ones cross the ages.
    assert table.loc["eXBL", "flipped, by age"].startswith("0.12 [")


def test_what_the_data_do_not_know_has_no_column():
    table = relatives_table([made_run(data="covid-cxr-lungmask", flipped=False)])
    assert "on the joints" not in table
    assert not [name for name in table if "flipped" in name]
    assert relatives_table([]).empty
    assert differences_table([]).empty


def test_a_choice_is_said_where_there_is_one(runs):
    assert weights_in_words(runs, "eXBL") == "0.3, 1"
    assert weights_in_words(runs, "eXBL, weight 1") == "1 (fixed)"
    assert weights_in_words(runs[:1], "Masked") == "1 (fixed)"
    assert weights_in_words([made_run(stages=STAGES[:2])], "Fine-tuned") == "–"


def test_differences_are_paired(runs):
    table = differences_table(runs)
    assert list(table["against"]) == ["Unrefined"] * 6 + ["Fine-tuned"] * 5
    assert "Unrefined" not in set(table["model"])
    keyed = table.set_index(["model", "against"])
    # The same cases are right in both models, so nothing is left to vary.
    assert keyed.loc[("Masked", "Unrefined"), "accuracy"] == "0.000 [0.000, 0.000]"
    cell = keyed.loc[("Fine-tuned", "Unrefined"), "activation precision"]
    assert cell == "0.050 [0.050, 0.050]"
    assert keyed.loc[("eXBL", "Fine-tuned"), "activation precision"] == "0.250 [0.200, 0.300]"


def test_sizes_count_cases_once_by_class_and_age(runs):
    table = sizes_table({"covid-cxr-lungmask": [], "builtin-radiographs": runs})
    assert list(table["class"]) == ["no run", "COVID", "Lung_Opacity", "Normal", "Viral Pneumonia"]
    ours = table[1:]
    assert list(ours["age in training"]) == ["adults"] * 3 + ["children"]
    assert (ours[["train", "validation", "test", "flipped"]] == 4).all(axis=None)
    alone = sizes_table({"a": [made_run(flipped=False)]})
    assert set(alone["flipped"]) == {0}


def test_captions_say_what_they_stand_on(runs):
    said = caption("Shown.", runs, []).data
    assert "Profile smoke on builtin-radiographs: 2 seeds, 16 test cases, 16 flipped ones." in said
    assert "lowest validation loss" in said
    assert "flipped" not in caption("A.", [made_run(flipped=False)]).data
    assert caption("Alone.", []).data == "*Alone.*"


def test_what_cannot_be_measured_is_left_out():
    assert measured_by("ap_test", []) == {}
    assert measured_by("accuracy_flipped", [made_run(flipped=False)]) == {}
    with pytest.raises(ValueError, match="metric must be one of"):
        measured_by("luck", [made_run()])


def test_pairs_are_described_by_themselves_and_against_models_without():
    careful = [0.2, 0.4, 0.6, 0.8]
    run = made_pairs(careful, [0.1, 0.3])
    table = pairs_table({"real": [], "drawn": [run]})
    assert list(table["pairs"][:1]) == ["no run"]
    keyed = table[1:].set_index(["measure", "pairs"])
    row = keyed.loc[("activation precision", "careful pairs")]
    assert row["n pairs"] == 4
    assert row["mean"].startswith("0.500 [")
    assert row["SD over pairs"] == f"{np.std(careful, ddof=1):.3f}"
    assert (row["least"], row["greatest"]) == ("0.200", "0.800")
    assert row["above Unrefined"] == "3 of 4"  # above 0.3
    assert row["above Fine-tuned"] == "2 of 4"  # above 0.5
    blind = keyed.loc[("activation precision", "blind pairs")]
    assert blind["above Unrefined"] == "0 of 2"  # one is as high, none is higher
    apart = keyed.loc[("activation precision", "careful pairs − blind pairs"), "mean"]
    assert apart.startswith("0.300 [")
    assert set(keyed.xs("accuracy, flipped", level="measure")["least"]) == {"0.750", "–"}


def test_one_pair_has_no_spread_and_no_flipped_cases_no_row():
    table = pairs_table({"a": [made_pairs([0.4], [0.1], flipped=False)]})
    assert set(table["SD over pairs"]) == {"–"}
    assert set(table["measure"]) == {"activation precision", "accuracy"}


def test_absence_is_said_in_words():
    said = "No run on covid-cxr-lungmask is on disk."
    assert absent_table(said).to_numpy().tolist() == [[said]]
    (axis,) = absent_figure(said).axes
    assert [text.get_text() for text in axis.texts] == [said]
