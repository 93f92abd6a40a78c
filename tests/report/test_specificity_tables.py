import pytest

from shortlib.report.claim_tables import format_estimate
from shortlib.report.specificity_tables import (
    EMPTY,
    auroc_table,
    measure_groups,
    published_table,
)
from shortlib.studies.registry import load_study
from shortlib.studies.spatial_specificity_synthetic.measures import estimates

STUDY = load_study("spatial-specificity-synthetic")
COSINES = ("cosine_normal", "cosine_abnormal")


@pytest.fixture(scope="module")
def runs(make_run):
    return [make_run(r, batch=b) for b in ("minibatch", "printed") for r in (40, 8, 1)]


def test_measures_come_by_batch_metric_and_specificity(runs):
    found = measure_groups(STUDY, runs, ("auroc", "robust_auroc"))
    assert list(found) == ["printed", "minibatch"]
    assert list(found["printed"]) == ["auroc", "robust_auroc"]
    assert list(found["printed"]["auroc"]) == [1, 8, 40]
    printed = [run for run in runs if run.request["variant"].startswith("printed")]
    truth = estimates("auroc", printed)
    assert found["printed"]["auroc"][8].value == truth[8].value


def test_a_published_table_shows_every_number_and_says_why_a_cell_is_empty(runs):
    here = measure_groups(STUDY, runs, COSINES)
    table = published_table(STUDY, "table-2", {}, here)
    stated = STUDY.published()["tables"][0]["rows"]
    for row in stated:
        part = table[table["row"] == row["row"]]
        assert sorted(set(part["r"])) == sorted({*row["values"], 1, 8, 40})
        for r, value in row["values"].items():
            assert set(part.loc[part["r"] == r, "published"]) == {f"{value:.2f}"}
    keyed = table.set_index(["row", "r"])
    name = stated[0]["row"]
    ours = here["printed"]["cosine_normal"]
    assert keyed.loc[(name, 40), "this run, printed"] == format_estimate(ours[40], 2)
    assert keyed.loc[(name, 8), "published"] == EMPTY["published"]
    assert keyed.loc[(name, 2), "this run, printed"] == EMPTY["this run"]
    assert set(keyed["reference, minibatch"]) == {EMPTY["reference"]}
    assert not table.isna().to_numpy().any()
    assert (table.astype(str) != "").to_numpy().all()


def test_reference_and_this_run_stand_in_their_own_columns(make_run, runs):
    reference = measure_groups(STUDY, [make_run(20, batch="minibatch")], COSINES)
    table = published_table(STUDY, "table-2", reference, measure_groups(STUDY, runs, COSINES))
    assert list(table.columns[2:]) == [
        "published",
        "reference, printed",
        "reference, minibatch",
        "this run, printed",
        "this run, minibatch",
    ]
    name = STUDY.published()["tables"][0]["rows"][1]["row"]
    row = table.set_index(["row", "r"]).loc[(name, 20)]
    expected = reference["minibatch"]["cosine_abnormal"][20]
    assert row["reference, minibatch"] == format_estimate(expected, 2)
    assert row["reference, printed"] == EMPTY["reference"]
    assert (row["published"], row["this run, minibatch"]) == ("0.93", EMPTY["this run"])


@pytest.fixture(scope="module")
def by_selection(make_run):
    """Scores that see the label under the test rule and the shortcut under the other."""

    def score(test, rule):
        return test.labels.astype(float) if rule == "test" else test.shortcut.astype(float)

    runs = [make_run(r, scores=score) for r in (1, 40)]
    metrics = ("auroc", "robust_auroc")
    return {s: measure_groups(STUDY, runs, metrics, selection=s) for s in ("test", "validation")}


def test_both_aurocs_stand_under_both_rules(by_selection):
    table = auroc_table(by_selection)
    assert list(table.columns) == [
        "batch",
        "r",
        "overall, by test loss",
        "overall, by validation loss",
        "robust, by test loss",
        "robust, by validation loss",
        "robust, difference",
    ]
    assert list(zip(table["batch"], table["r"], strict=True)) == [("printed", 1), ("printed", 40)]
    assert set(table["robust, by test loss"]) == {"1.00 [1.00, 1.00]"}
    assert set(table["robust, by validation loss"]) == {"0.00 [0.00, 0.00]"}


def test_what_the_leak_is_worth_is_the_paired_difference(by_selection):
    table = auroc_table(by_selection)
    assert set(table["robust, difference"]) == {"1.00 [1.00, 1.00]"}
    same = {"test": by_selection["test"], "validation": by_selection["test"]}
    assert set(auroc_table(same)["robust, difference"]) == {"0.00 [0.00, 0.00]"}
