import re

import pandas as pd
import pytest

from shortlib.data.manifest import load_manifest, manifest_names
from shortlib.data.verify import Check, Report
from shortlib.report.data_cards import card, names_by_access, overview, show_built_in, show_cards


@pytest.mark.parametrize("name", manifest_names())
def test_a_card_says_what_the_manifest_says(name):
    manifest = load_manifest(name)
    text = card(manifest)
    assert text.startswith(f"### {manifest.title}\n")
    for said in (manifest.summary, manifest.licence.name, manifest.splits.rule, "| not here |"):
        assert said in text
    for sentence in (*manifest.steps, *manifest.quirks):
        assert f"- {sentence}\n" in text
    # A row of the table is a line; a line end or a bar in a manifest's text would break it.
    table = re.findall(r"^\|.*\|$", text, re.M)
    assert [row.count("|") for row in table] == [3] * 9


def test_every_data_set_is_in_the_overview_once():
    assert sorted(row["name"].strip("`") for row in overview()) == manifest_names()
    assert next(iter(names_by_access())) == "built-in"


def test_failed_checks_stand_on_the_card(tmp_path):
    checks = (
        Check("cases", "480", "479", "failed"),
        Check("layout", "", "", "ok"),
        Check("cases that can be read", "200 (a sample of 479)", "200", "ok"),
    )
    manifest = load_manifest("covid-cxr-lungmask")
    report = Report(manifest.name, tmp_path, checks, labels=pd.DataFrame())
    text = card(manifest, report)
    assert "**1 of 3 checks failed**: cases; cases opened: 200 (a sample of 479) |" in text
    assert "479 here, 480 stated" in text
    good = Report(manifest.name, tmp_path, checks[1:], labels=pd.DataFrame())
    assert "all of 2 checks passed" in card(manifest, good)


@pytest.mark.slow
def test_a_built_in_set_is_made_checked_and_shown_once(tmp_path, capsys):
    name = "builtin-covid-radiography"
    figure = show_built_in(name, tmp_path, {name: {"n_per_class": 4}})
    assert len(figure.axes) >= 12
    made = (tmp_path / name / "made.json").stat().st_mtime_ns
    show_built_in(name, tmp_path, {name: {"n_per_class": 9}})
    assert (tmp_path / name / "made.json").stat().st_mtime_ns == made


def test_sets_that_are_not_here_have_cards_without_a_check(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr("shortlib.report.data_cards.display", lambda m: shown.append(m.data))
    show_cards(["chexpert", "acdc"], tmp_path)
    assert [("| not here |" in text) for text in shown] == [True, True]
