"""Tables of the cardiac study from runs made by hand, whose numbers are known beforehand."""

import numpy as np
import pytest

from shortlib.metrics.estimate import Estimate
from shortlib.report.claim_tables import format_estimate
from shortlib.report.context_correlation import correlation_table, published_points
from shortlib.report.context_scores import (
    background_table,
    blind_auroc,
    blind_table,
    released,
    released_table,
)
from shortlib.report.context_tables import (
    caption,
    habitus_table,
    measured_by,
    models_of,
    paper_table,
    printed,
    probe_table,
)
from shortlib.report.side_by_side import EMPTY
from shortlib.studies.cardiac_context.measures import correlation, estimates
from shortlib.studies.registry import load_study
from tests.report.context_runs import made_run, made_study

PUBLISHED = load_study("cardiac-context").published()


def perfect(labels, k, rng, **where):
    return 9.0 * (labels[:, None] == np.arange(k))


def blind(labels, k, rng, **where):
    return np.zeros((len(labels), k))


def own_alone(labels, k, rng, *, seen, **where):
    """Know all on the images of the regime, nothing on whole ones."""
    return (perfect if seen == "own" else blind)(labels, k, rng)


@pytest.fixture(scope="module")
def reference():
    """Two seeds of three models; every map of a class holds a tenth more than the one before."""
    aks = {"cm": 0.1 * (np.arange(16) % 4 + 1), "transfer": 0.25}
    return made_study(seeds=(0, 1), variants=("full", "seg", "simclr"), aks=aks)


def test_the_papers_numbers_stand_above_ours(reference):
    table = paper_table(PUBLISHED, "table-1", ["auroc", "aks"], reference, [])
    models = ["Zero", "Full", "Seg", "BG", "BG, outline", "Rand"]
    assert list(table.columns) == ["row", "source", *models]
    rows = list(dict.fromkeys(table["row"]))
    assert rows == [f"{m} {task}" for m in ("AUC", "AKS") for task in ("CM", "ACDC", "CM→ACDC")]
    assert len(table) == 3 * len(rows)
    first = table[table["row"] == "AUC CM"].reset_index(drop=True)
    assert first.loc[0, "Full"] == "0.833 ± 0.047"
    assert "Hanley–McNeil" in first.loc[0, "source"]
    assert list(first["source"][1:]) == ["reference", "this run"]
    assert list(first["BG, outline"]) == [EMPTY[k] for k in ("published", "reference", "this run")]
    assert first.loc[1, "Full"] == format_estimate(estimates("auroc_cm", reference)["Full"], 2)
    looks = table[(table["row"] == "AKS CM→ACDC") & (table["source"] == "reference")]
    assert looks["Seg"].item() == "0.25 [0.25, 0.25]"
    assert "not of the AKS" in table[table["row"] == "AKS CM"]["source"].iloc[0]


def test_a_row_that_is_misnamed_in_print_has_its_right_name_and_says_so():
    table = paper_table(PUBLISHED, "table-2", ["aks", "dice"], [], [])
    rows = list(dict.fromkeys(table["row"]))
    right, slip = "AKS CM→ACDC", "AKS CM→ACDC (printed as DSC CM→ACDC)"
    assert rows == ["AKS CM", slip, right, "DSC CM", "DSC CM→ACDC"]
    assert list(table["row"][3:6]) == [slip, right, right]
    assert table.iloc[3]["Full"] == "0.072 ± 0.087"


def test_classes_have_rows_of_their_own(reference):
    table = paper_table(PUBLISHED, "table-3", ["aks"], reference, [])
    ours = table[table["source"] == "reference"].set_index("row")["Full"]
    assert dict(ours) == {
        f"AKS {name}": f"{value} [{value}, {value}]"
        for name, value in zip(("NICM", "ICM", "AMYL", "HCM"),
                               ("0.10", "0.20", "0.30", "0.40"), strict=True)
    }  # fmt: skip
    assert table.iloc[0]["SimCLR"] == "0.125 ± 0.109"
    assert "spread of cases" in table.iloc[0]["source"]


def test_models_are_the_papers_with_ours_beside_the_one_that_it_is_like():
    assert models_of(PUBLISHED, "table-2") == ["Full", "Seg", "SimCLR", "MoCo", "BYOL"]
    assert printed(PUBLISHED, "auroc_transfer")["BYOL"] == 0.925
    assert len(printed(PUBLISHED, "aks_cm")) == 8


def test_probes_stand_below_fine_tuned_models(reference):
    table = probe_table(reference, [made_run("zero")])
    assert list(table.columns) == ["task", "head", "source", "Full", "Seg", "SimCLR"]
    keyed = table.set_index(["task", "head", "source"])
    assert keyed.loc[("CM", "linear probe", "reference"), "Full"] == "–"  # trained end to end
    cell = keyed.loc[("CM→ACDC", "linear probe", "reference"), "Full"]
    assert cell == format_estimate(estimates("auroc_transfer_probe", reference)["Full"], 2)
    assert (keyed.xs("this run", level="source") == "–").all(axis=None)


def test_what_cannot_be_measured_is_left_out():
    assert measured_by("auroc_cm", []) == {}
    assert measured_by("aks_auroc_correlation", [made_run("full")]) == {}
    with pytest.raises(ValueError, match="metric must be one of"):
        measured_by("luck", [made_run("full")])


@pytest.mark.parametrize(
    ("classes", "value"),
    [("aabbcc", 0.5), ("aaab", 0.75), ([3] * 9 + [1], 0.9)],
)
def test_who_sees_nothing_earns_the_shares(classes, value):
    """With two classes micro AUROC is the larger share: only ties and sure wins."""
    assert blind_auroc(list(classes)) == pytest.approx(value)


def test_the_papers_classes_earn_two_thirds_to_who_sees_nothing():
    table = blind_table(PUBLISHED, [made_run("full")]).set_index("data")
    assert table.loc["the paper's CM", "micro AUROC, seeing nothing"] == "0.675"
    assert table.loc["CM here, test cases", "micro AUROC, seeing nothing"] == "0.500"
    assert table.loc["CM here, test cases", "cases"] == "NICM 4, ICM 4, AMYL 4, HCM 4"
    assert len(blind_table(PUBLISHED, [])) == 1


def test_the_released_interval_is_that_of_the_formula():
    """At an AUROC of one half the formula is that of Wilcoxon's test, (n + 1) / 12 over n0 n1."""
    found = released([made_run("full", score=blind), made_run("full", seed=1, score=blind)], "cm")
    half = 1.96 * np.sqrt((16 + 1) / (12 * 4 * 12))
    assert found == {"Full": (pytest.approx(0.5), pytest.approx(half))}
    assert released([made_run("full", score=perfect)], "cm") == {"Full": (1.0, 0.0)}
    assert released([made_run("zero")], "transfer") == released([made_run("zero")], "acdc")
    assert released([], "cm") == {}


def test_the_released_interval_stands_beside_a_bootstrap():
    table = released_table([made_run("full", score=perfect)], [])
    assert len(table) == 12
    mine = table[(table["task"] == "CM") & (table["source"] == "reference")]
    assert list(mine["Full"]) == ["1.00 ± 0.00", "1.00 [1.00, 1.00]"]
    assert set(table["MoCo"]) == {EMPTY["reference"], EMPTY["this run"]}


def test_backgrounds_are_compared_in_pairs():
    runs = [made_run("bg", score=blind), made_run("bg-outline", score=own_alone)]
    table = background_table(runs, runs[:1])
    assert len(table) == 18
    keyed = table.set_index(["task", "AUROC", "source"])
    row = keyed.loc[("CM", "mean over classes (chance .5)", "reference")]
    values = [row[name].split()[0] for name in ("BG", "BG, outline", "outline − filled (paired)")]
    assert values == ["0.50", "1.00", "0.50"]
    row = keyed.loc[("CM", "micro, whole images shown", "reference")]
    assert row["outline − filled (paired)"].split()[0] == "0.00"
    row = keyed.loc[("CM→ACDC", "micro", "this run")]
    assert row["outline − filled (paired)"] == EMPTY["this run"]


def test_figure_2_of_the_paper_has_eight_points_and_a_wide_interval(reference):
    points = published_points(PUBLISHED)
    assert len(points) == 8
    assert points["Rand"] == (0.132, 0.884)
    table = correlation_table(PUBLISHED, reference, reference[:2])
    keyed = table.set_index(["saliency", "source"])
    row = keyed.loc[("AKS CM→ACDC (Figure 2)", "published")]
    assert list(row) == [8, "0.38", "[-0.44, 0.86]"]  # the errata page has the computation
    row = keyed.loc[("DSC CM", "reference")]
    expected = correlation(reference, "dice", at="cm")[1]
    assert isinstance(expected, Estimate)
    # Up to three models say nothing about other models.
    assert list(row) == [3, format_estimate(expected, 2), "[-1.00, 1.00]"]
    assert "this run" not in set(table["source"])  # two models make no correlation


def test_the_habitus_of_the_test_patients_is_counted_by_class():
    run = made_run("full")
    heavy = run.predictions["case_id"].str.endswith(("01", "05", "04"))  # ICM, ICM, NICM
    turned = run.predictions["view"] == "adversarial"
    run.predictions["shortcut"] = (heavy != turned).astype("int8")
    table = habitus_table([run, made_run("seg")]).set_index("class")
    assert list(table.columns) == ["CM", "CM, turned round", "ACDC"]
    assert list(table.loc["ICM"]) == ["50%", "50%", "–"]
    assert list(table.loc["NICM"]) == ["25%", "75%", "–"]
    assert table.loc["DCM", "ACDC"] == "33%"  # one of three
    run.predictions["shortcut"] = -1  # of real patients
    assert habitus_table([run]).empty
    assert habitus_table([]).empty


def test_a_caption_says_what_its_numbers_stand_on(reference):
    said = caption("Where they look.", reference, [made_run("full")], []).data
    # Of two studies each.
    two = "Profile smoke on builtin-cine: 2 seeds, test patients CM 8, ACDC 8."
    one = "Profile smoke on builtin-cine: 1 seed, test patients CM 8, ACDC 8."
    assert said.startswith(f"*Where they look. {two} {one} Intervals")
    assert "resample patients" in said
    assert "last epoch" in said
    assert caption("Again.", reference, reference).data.count("Profile") == 1
    assert caption("Alone.", []).data == "*Alone.*"
