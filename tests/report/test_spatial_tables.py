"""Tables of the spatial-specificity study from runs made by hand, whose numbers are known."""

import numpy as np
import pytest

from shortlib.report.spatial_label_tables import (
    artefact_table,
    cost_table,
    inferred_table,
    table_3,
    table_4,
)
from shortlib.report.spatial_tables import (
    LABELS,
    RULES,
    caption,
    joined,
    measured_by,
    selection_table,
    table_1,
    worst_group_table,
)
from shortlib.studies.registry import load_study
from shortlib.studies.spatial_specificity.groups import best_threshold, group_accuracies
from tests.studies.specificity_runs import (
    CHEST,
    ISIC,
    SIIM,
    VARIANCES,
    inferred_where,
    made_run,
    pixels_where,
)

PUBLISHED = load_study("spatial-specificity").published()


def perfect(labels, shortcut, view, selection, rng):
    return labels + 0.0


def by_shortcut(labels, shortcut, view, selection, rng):
    return shortcut + 0.0


def by_selection(labels, shortcut, view, selection, rng):
    return labels if selection == "oracle" else 1 - labels


def test_the_papers_table_stands_above_ours():
    runs = [made_run("masks", seed=s, score=perfect) for s in (0, 1)]
    runs += [made_run("binary-erm", seed=s, score=by_shortcut) for s in (0, 1)]
    table = table_1(PUBLISHED, runs, [], task="chest")
    assert list(table["source"]) == ["published", "reference", "this run"] * 2
    robust = table[table["row"].str.startswith("robust")].set_index("source")
    assert robust.loc["published", "Seg-ERM"] == "0.820 ± 0.039"
    assert robust.loc["reference", "Seg-ERM"] == "1.000 [1.000, 1.000]"
    assert robust.loc["reference", "Binary-ERM"] == "0.000 [0.000, 0.000]"
    assert robust.loc["reference", "Binary-JTT"] == "no reference run"
    assert robust.loc["this run", "Seg-ERM"] == "not run here"
    # What the paper has no number of is not in the table unless it was run.
    assert "Quadrant-ERM" not in table


def test_skin_has_one_row_since_overall_and_robust_are_one():
    table = table_1(PUBLISHED, [], [], task="skin")
    assert list(table["source"]) == ["published", "reference", "this run"]
    assert table.loc[0, "BBox-ERM"] == "0.305 ± 0.084"


def test_each_rule_has_its_column():
    rules = ("paper", "oracle")
    table = selection_table([made_run("masks", score=by_selection, selections=rules)])
    row = table.set_index("model").loc["Seg-ERM"]
    assert row[RULES["paper"]] == "0.000 [0.000, 0.000]"
    assert row[RULES["oracle"]] == "1.000 [1.000, 1.000]"
    assert row[RULES["worst-group"]] == "–"


def test_variances_stand_beside_the_papers():
    runs = [made_run("masks", tables={"pixels": pixels_where()})]
    table = table_3(PUBLISHED, runs).set_index("labels")
    assert list(table.index) == list(LABELS.values())
    assert table.loc[["image label", "quadrants", "mask"], "published"].tolist() == [
        "0.99", "–", "0.42"
    ]  # fmt: skip
    for kind, title in LABELS.items():
        assert table.loc[title, "variance"].startswith(f"{VARIANCES[kind]:.2f} [")
    skin = [made_run("masks", data=ISIC, tables={"pixels": pixels_where()})]
    assert table_3(PUBLISHED, skin).set_index("labels").loc["mask", "published"] == "0.88"


def test_the_sweep_names_the_papers_number_of_samples():
    runs = [made_run("masks", share=share, score=perfect) for share in (0.125, 0.5)]
    table = table_4(PUBLISHED, runs, [])
    first = table[table["model"] == "Seg-ERM"].set_index("source")
    assert first.loc["published", "0.125 of the cases"] == "0.656 ± 0.038 (600)"
    assert first.loc["published", "0.5 of the cases"] == "0.749 ± 0.018 (2200)"
    assert first.loc["reference", "0.5 of the cases"] == "1.000 [1.000, 1.000]"


def test_an_artefact_that_one_label_never_has_says_so():
    ids = np.arange(40)
    flags = {"hair": ids % 2 == 0, "ink": (ids // 2 % 2 == 0) & (ids % 3 == 0)}
    pixels = {"pixels": pixels_where()}
    runs = [made_run("masks", data=ISIC, artefacts=flags, score=perfect, tables=pixels)]
    table = artefact_table(runs).set_index("artefact")
    assert table.loc["hair", "on the lesion"] == "1.00 (stated)"
    assert table.loc["hair", "benign / malignant with it"] == "10 / 10"
    assert table.loc["hair", ["model", "gap"]].tolist() == ["Seg-ERM", "0.00 [0.00, 0.00]"]
    assert table.loc["ink", ["model", "gap"]].tolist() == ["–", "one class only"]


def test_the_worst_group_of_a_model_that_follows_the_shortcut_is_misled():
    runs = [made_run("masks", score=by_shortcut, n=100)]
    row = worst_group_table(runs).set_index("model").loc["Seg-ERM"]
    assert row["accuracy there"] == "0.00 [0.00, 0.00]"
    assert row["worst group"] in (
        "positive, without chest tube",
        "negative, with chest tube",
    )
    table = group_accuracies(runs)
    assert table["n"].sum() == 100
    misled = table["label"] != table["shortcut"]
    assert set(table.loc[misled, "accuracy"]) == {0.0}
    assert set(table.loc[~misled, "accuracy"]) == {1.0}


def test_without_known_shortcuts_there_is_no_group():
    runs = [made_run("masks", data=SIIM, shortcut=np.full(40, -1))]
    assert worst_group_table(runs).empty


@pytest.mark.parametrize(
    ("labels", "scores", "above", "below"),
    [([0, 1], [0.2, 0.6], 0.6, 0.2), ([0, 0, 1, 1], [0.1, 0.3, 0.4, 0.9], 0.4, 0.3)],
)
def test_the_threshold_parts_what_can_be_parted(labels, scores, above, below):
    assert below < best_threshold(labels, scores) < above


def test_the_threshold_weighs_both_labels_alike():
    # Nine negatives and one positive: accuracy alone would call all of them negative.
    labels = np.array([0] * 9 + [1])
    scores = np.array([0.1] * 6 + [0.8] * 3 + [0.5])
    assert 0.1 < best_threshold(labels, scores) < 0.5


def test_guesses_stand_beside_chance():
    errors = inferred_where(error=lambda labels, carries: labels != carries)
    groups = inferred_where(group=lambda labels, carries: 2 * labels + carries)
    runs = [
        made_run("binary-jtt", tables={"inferred": errors}),
        made_run("binary-george", tables={"inferred": groups}),
    ]
    table = inferred_table({CHEST: runs}).set_index("method")
    assert table.loc["Binary-JTT", "precision"] == "1.00"
    assert table.loc["Binary-JTT", "recall"] == "1.00"
    assert table.loc["Binary-JTT", "by chance"] == "0.20"
    assert table.loc["Binary-GEORGE", "purity"] == "1.00"
    # Four groups in two classes that are 80% pure.
    assert 0.80 <= float(table.loc["Binary-GEORGE", "by chance"]) <= 0.82
    assert table.loc["Binary-GEORGE", "precision"] == "–"


def test_the_papers_example_of_costs_is_met_to_its_rounding():
    table = cost_table(PUBLISHED).set_index("labels")
    for kind, digits in (("box", -1), ("mask", -2)):
        ours, theirs = (
            float(table.loc[kind, column].replace(",", ""))
            for column in ("beyond labels", "the paper's")
        )
        assert round(ours, digits) == theirs


def test_tables_of_several_data_sets_name_them():
    runs = [made_run("masks", score=perfect)]
    table = joined({CHEST: runs, ISIC: []}, selection_table)
    assert list(table["data"]) == [CHEST]
    assert table.columns[0] == "data"


def test_a_caption_says_what_numbers_stand_on():
    said = caption("A table.", [made_run("masks", n=40)], selection="oracle").data
    assert "40 test cases, 20 of them positive" in said
    assert "which nobody can choose by" in said


def test_what_runs_cannot_tell_is_left_out():
    assert measured_by("robust_smallest", [made_run("masks")]) == {}
    assert measured_by("robust_auroc", []) == {}
