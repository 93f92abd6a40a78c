import re

import pandas as pd
import pytest

from shortlib.report.claim_tables import IN_PROSE
from shortlib.report.claims_export import (
    all_verdicts,
    export_verdicts,
    other_verdicts,
    selection_table,
)
from shortlib.runs import Store
from shortlib.studies.registry import STUDIES, load_study
from shortlib.studies.verdicts import VERDICTS, verdicts_of

STUDY = "spatial-specificity-synthetic"
STUDY_WORDS = load_study(STUDY).SELECTION_WORDS
RULES = ("test", "validation")
NO_RUNS = {STUDY: []}


@pytest.fixture(scope="module")
def judged(make_run):
    """Verdicts under both selection rules; the scores depend on the rule."""

    def score(test, rule):
        return test.labels.astype(float) if rule == "test" else test.shortcut.astype(float)

    runs = [
        make_run(r, batch=b, scores=score) for b in ("printed", "minibatch") for r in (1, 4, 40)
    ]
    return {rule: verdicts_of(load_study(STUDY), runs, selection=rule) for rule in RULES}


def test_verdicts_of_an_empty_store_say_that_nothing_is_testable(tmp_path):
    found = all_verdicts(Store(tmp_path))
    assert list(found) == list(STUDIES)
    assert {v.verdict for v in found[STUDY]} == {VERDICTS[-1]}
    with pytest.raises(ValueError, match="profile must be one of"):
        all_verdicts(Store(tmp_path), profile="huge")
    with pytest.raises(ValueError, match=r"selection must be one of validation, last, paper.*test"):
        all_verdicts(Store(tmp_path), selection="luck")


def test_all_that_the_pages_include_is_written(judged, tmp_path):
    folder = tmp_path / "generated/claims"
    export_verdicts({STUDY: judged["test"]}, {STUDY: judged["validation"]}, NO_RUNS, folder)
    assert {path.name for path in folder.iterdir()} == {
        f"{STUDY}.csv",
        f"{STUDY}-selection.csv",
        f"{STUDY}-stands-on.md",
        f"{STUDY}.card.md",
        "sensitivity.csv",
        "studies.md",
        "tally.md",
    }
    table = pd.read_csv(folder / f"{STUDY}.csv")
    ids = [v.id for v in judged["test"]]
    marks = [mark for cell in table.iloc[:, -1] for mark in IN_PROSE.findall(cell)]
    assert marks == [(v.verdict, v.id) for v in judged["test"]]
    assert all(f"`{name}`\n: " in (folder / f"{STUDY}-stands-on.md").read_text() for name in ids)
    assert list(pd.read_csv(folder / "sensitivity.csv")["windows"]) == ["halved", "doubled"]
    counted = (folder / "tally.md").read_text()
    for kind in VERDICTS:
        n = sum(v.verdict == kind for v in judged["test"])
        assert (f"**{n}** {kind}" in counted) == (n > 0)


def test_of_a_study_with_one_rule_no_second_one_is_told(judged, tmp_path, monkeypatch):
    monkeypatch.setattr(load_study(STUDY), "SELECTIONS", ("validation",))
    store = Store(tmp_path / "runs")
    assert other_verdicts(store, studies=[STUDY]) == {}
    assert {
        v.selection for v in all_verdicts(store, studies=[STUDY])[STUDY] if v.effect is None
    } == {"validation"}
    export_verdicts({STUDY: judged["validation"]}, {}, NO_RUNS, tmp_path / "out")
    assert not (tmp_path / "out" / f"{STUDY}-selection.csv").exists()
    assert "selection" not in (tmp_path / "out/studies.md").read_text()
    with pytest.raises(ValueError, match="selection must be one of validation, got 'test'"):
        all_verdicts(store, selection="test", studies=[STUDY])


def test_the_second_rule_is_judged_for_studies_that_have_two(tmp_path):
    other = other_verdicts(Store(tmp_path))
    assert {v.selection for v in other[STUDY] if v.effect is None} == {"validation"}
    first = all_verdicts(Store(tmp_path), selection="test")
    assert set(first) == {name for name in STUDIES if "test" in load_study(name).SELECTIONS}


def test_the_page_has_a_section_a_study_that_names_only_what_is_written(judged, tmp_path):
    folder = tmp_path / "generated/claims"
    export_verdicts({STUDY: judged["test"]}, {STUDY: judged["validation"]}, NO_RUNS, folder)
    text = (folder / "studies.md").read_text()
    assert text.startswith(f"## {load_study(STUDY).TITLE}\n\n{load_study(STUDY).CLAIMS_OF}\n\n")
    named = re.findall(r"generated/claims/[\w.-]*\w", text)
    assert len(named) == 4
    assert all((tmp_path / name).is_file() for name in named)
    assert re.findall(r"^:name: (.*)$", text, re.M) == [
        f"tab-claims-{STUDY}",
        f"tab-selection-{STUDY}",
    ]
    assert text.count("```") == 2 * text.count("```{")


def test_exporting_again_replaces_what_was_there(judged, tmp_path):
    export_verdicts({STUDY: judged["test"]}, {STUDY: judged["validation"]}, NO_RUNS, tmp_path)
    before = (tmp_path / "tally.md").read_text()
    export_verdicts({STUDY: []}, {STUDY: []}, NO_RUNS, tmp_path)
    assert (tmp_path / "tally.md").read_text() != before
    assert len(pd.read_csv(tmp_path / f"{STUDY}.csv")) == 0


def test_the_selection_table_shows_what_depends_on_the_choice_of_the_epoch(judged):
    table = selection_table(judged["test"], judged["validation"], STUDY_WORDS).set_index("claim")
    row = table.loc["`segmentation-ignores-shortcut-printed`"]
    assert (row["epoch by test loss"], row["verdict"]) == ("1.000 [1.000, 1.000]", "reproduced")
    assert row["epoch by validation loss"] == "0.000 [0.000, 0.000]"
    assert row["verdict then"] == "not reproduced"
    # Neither what needs no epoch nor what is kept for one rule only is among them.
    metrics = {v.id: v.claim["metric"] for v in judged["test"]}
    assert {metrics[name.strip("`")] for name in table.index} == {"robust_auroc"}


def test_the_selection_table_says_so_when_nothing_depends_on_it(judged):
    (cell,) = selection_table(judged["test"], judged["test"], STUDY_WORDS)["claim"]
    assert cell.startswith("none")
