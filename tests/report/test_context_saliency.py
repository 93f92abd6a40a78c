"""Tables of saliency, of pre-training, and the figures that stand on them, from made runs."""

import numpy as np
import pytest

from shortlib.report.context_pretraining import pretraining_table, read_pretraining
from shortlib.report.context_saliency import (
    even_share,
    real_table,
    sanity_table,
    truth_table,
)
from tests.report.context_runs import AREA, made_run, made_study


@pytest.fixture(scope="module")
def runs():
    return made_study(variants=("zero", "full"), aks={"cm": 0.5, "acdc": 0.4}, truth=0.7)


def test_checks_stand_beside_the_maps_that_they_doubt(runs):
    table = sanity_table(runs)
    assert list(table["model"]) == ["Zero", "Zero", "Full", "Full"]
    aks, alike = table.iloc[2], table.iloc[3]
    assert (aks["an even map"], aks["the model"]) == ("0.20", "0.50 [0.50, 0.50]")
    assert list(aks[-3:]) == [f"{value} [{value}, {value}]" for value in ("0.10", "0.20", "0.30")]
    assert list(alike[-3:]) == [f"{value} [{value}, {value}]" for value in ("0.00", "0.20", "0.40")]
    # A check that was not made, and one in which every map is constant.
    assert table.iloc[0]["trained on shuffled labels"] == "–"
    assert table.iloc[1]["last layer made anew"] == "–"
    assert len(sanity_table([])) == 0


def test_an_even_map_scores_the_share_of_the_cases_that_have_one(runs):
    """Class 0 has nothing that carries it, so its empty mask is no part of the share."""
    assert even_share(runs, "aks", "cm") == pytest.approx(AREA[""])
    assert even_share(runs, "truth", "cm") == pytest.approx(AREA["truth"])
    assert even_share([made_run("full", drawn=False)], "truth", "cm") is None
    assert even_share([], "aks", "cm") is None


def test_truth_stands_above_an_even_map(runs):
    table = truth_table(runs)
    assert list(table["task"].unique()) == ["CM", "ACDC", "CM→ACDC"]
    first, full = table.iloc[0], table.iloc[2]
    assert list(first[1:]) == ["an even map", "0.20", "0.10", "0.05", "–"]
    assert full["in what carries the class"] == "0.70 [0.70, 0.70]"
    assert full["in the heart (AKS)"] == "0.50 [0.50, 0.50]"
    assert full["empty maps"] == "6.2%"  # one case of sixteen
    real = truth_table([made_run("full", drawn=False)])
    assert set(real["in what carries the class"]) == {"–"}
    assert len(truth_table([])) == 0


def test_a_resample_without_a_case_that_has_a_value_tells_nothing():
    run = made_run("full")
    looked = run.table("saliency")
    looked["cue"] = looked["cue"].where(looked["case_id"].isin(["cm-00", "acdc-00"]))
    cells = truth_table([run])["in the fat of a heavy habitus"]
    assert not cells.str.contains("nan").any()
    assert cells.iloc[1].split()[0] in cells.iloc[1].split("[")[1]  # of one case, no spread


def test_real_studies_have_a_row_a_phase_and_the_range_of_the_seeds():
    runs = made_study(seeds=(0, 1), variants=("full", "seg"), real=2, data="sunnybrook-cine")
    table = real_table(runs)
    assert list(table.columns) == ["study", "phase", "an even map", "Full", "Seg"]
    assert len(table) == 6
    ed = table[table["phase"] == "ED"].iloc[0]
    assert list(ed) == ["SCD0", "ED", "0.04", "0.35 (0.30–0.40)", "0.35 (0.30–0.40)"]
    mean, empty = table.iloc[4], table.iloc[5]
    assert mean["Full"] == "0.25 (0.20–0.30)"  # 0.3 and 0.1, then a tenth more
    assert empty["Full"] == "4 of 8"
    assert real_table(made_study(variants=("full",), real=2)).iloc[0]["Full"] == "0.30"
    for runs in ([made_run("full")], []):
        ((said,),) = real_table(runs).to_numpy().tolist()
        assert said.startswith("no run that looks at real studies")


def test_a_collapse_is_said():
    runs = made_study(seeds=(0, 1), variants=("full", "simclr", "moco"))
    table = pretraining_table(runs)
    assert list(table["method"]) == ["SimCLR", "SimCLR", "MoCo", "MoCo"]
    assert list(table["collapsed"]) == ["no", "no", "yes", "yes"]
    assert list(table["seed"]) == [0, 1, 0, 1]
    assert table.iloc[1]["spread of projections"] == "0.300 → 0.600"
    assert set(table["epochs"]) == {3}
    assert set(pretraining_table(runs, threshold=0.9)["collapsed"]) == {"yes"}
    read = read_pretraining(runs)
    assert np.isfinite(read[["train_loss", "feature_std", "projection_std"]]).all(axis=None)
    assert len(read_pretraining(runs[:1])) == 0
    assert len(pretraining_table([])) == 0
