import numpy as np
import pandas as pd
import pytest

from shortlib.report.watermark_controls import completeness_table, new_head_table, views_table
from shortlib.studies.clip_watermarks.measures import MODELS, by_finding
from tests.studies.clip_runs import FINDINGS, made_run


def with_stage(run):
    table = run.predictions
    added = table[(table["clean"] == 20) & (table["epoch"] == 3)].assign(stage="new head")
    run.predictions = pd.concat([table, added])
    return run


def test_heads_have_a_row_for_each_view_and_source():
    here = [with_stage(made_run("cnn")), made_run("clip")]
    table = new_head_table([], here)
    assert list(table["test view"]) == ["plain"] * 2 + ["aligned"] * 2 + ["adversarial"] * 2
    cells = table.set_index(["test view", "source"])
    assert (cells.xs("reference", level="source") == "no reference run").all(axis=None)
    mine = cells.xs("this run", level="source")
    # The stage was made from the very scores of the layer that was kept.
    assert (mine["CNN, last layer new"] == mine["CNN, last layer kept"]).all()
    assert mine["CLIP − CNN with new layer (paired)"].str.contains(r"\[").all()


def test_gaps_are_of_the_sum_against_the_difference():
    maps = {"sum_real": 0.75, "difference_real": 1.0, "sum_shortcut": -2.0}
    run = made_run("cnn", maps={**maps, "difference_shortcut": -2.0})
    run.settings["saliency"] = {"cases": 30}
    table = completeness_table([run, made_run("clip", variant="clip-mention")])
    assert list(table["model"]) == [
        "CNN, trained on real images",
        "CNN, trained with symbols",
    ]
    assert list(table["mean gap / mean difference"]) == ["25.0%", "0.0%"]
    assert list(table["gap (95th percentile)"]) == ["0.250", "0.000"]
    assert set(table["maps"]) == {30 * len(FINDINGS) - 1}  # one label is unknown
    run.settings["saliency"] = None
    assert completeness_table([run]).iloc[0, 0] == "no maps were asked for"


def test_each_data_set_has_its_models_or_says_that_there_is_no_run():
    runs = [made_run("cnn"), made_run("clip")]
    table = views_table({"one": runs}, ["one", "two"])
    assert list(table["data"]) == ["one"] * len(MODELS) + ["two"]
    assert list(table["model"]) == [*MODELS, "no reference run"]
    value = by_finding(runs, "adversarial")["Shortcut CNN"]["Average"].value
    (row,) = table[table["model"] == "Shortcut CNN"].to_dict("records")
    assert float(row["adversarial"].split()[0]) == pytest.approx(value, abs=0.005)
    assert row["n"] == 30
    assert not table.isna().to_numpy().any()
    assert np.array_equal(table.columns, ["data", "model", "plain", "aligned", "adversarial", "n"])
