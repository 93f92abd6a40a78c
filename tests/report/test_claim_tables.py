from types import SimpleNamespace

import nbformat
import numpy as np
import pytest

from shortlib.metrics.estimate import Estimate
from shortlib.report.claim_tables import (
    contradictions,
    format_estimate,
    stands_on,
    tally,
    verdict_page_table,
    verdict_table,
    window_sensitivity,
)
from shortlib.studies.verdicts import VERDICTS, Verdict, judge


def spanning(low, high, n=50, seeds=3):
    return Estimate((low + high) / 2, np.repeat([low, high], 100), n, seeds)


def claim(name, size=0.1):
    return {
        "id": name,
        "sentence": f"{name} is\n  high.",
        "place": "Section 9",
        "published": "0.7",
        "metric": "m",
        "definition": "a\n  measure",
        "dial": "r",
        "rule": {
            "kind": "difference",
            "between": [40, 1],
            "sign": 1,
            "window": {"size": size, "from": "a guess"},
        },
    }


def verdict(name, low, high, group=""):
    asked, effect = claim(name), spanning(low, high)
    facts = {"selection": "test", "profile": "smoke", "data": "dots", "runs": ["one", "two"]}
    return Verdict(asked, group, judge(effect, asked["rule"]), effect, **facts)


UNTESTABLE = Verdict(claim("blind"), "g", VERDICTS[-1], None, reason="no runs at 40")


@pytest.fixture
def verdicts():
    return [
        verdict("clear", 0.25, 0.5),
        verdict("near", 0.15, 0.3, "g"),
        verdict("weak", 0.06, 0.3),
        verdict("open", -0.25, 0.5),
        verdict("wrong", -0.5, -0.25),
        UNTESTABLE,
    ]


@pytest.mark.parametrize(
    ("estimate", "digits", "text"),
    [
        (spanning(0.25, 0.5), 3, "0.375 [0.250, 0.500]"),
        (spanning(0.25, 0.75), 1, "0.5 [0.2, 0.8]"),
        (spanning(-1.0, -0.5), 2, "-0.75 [-1.00, -0.50]"),
        (Estimate(0.0038512, np.empty(0)), 3, "0.00385"),
        (Estimate(9.4878, np.empty(0)), 2, "9.5"),
        (None, 3, "–"),
    ],
)
def test_an_estimate_is_written_with_its_interval(estimate, digits, text):
    assert format_estimate(estimate, digits) == text


def test_a_table_has_a_row_a_verdict(verdicts):
    table = verdict_table(verdicts).set_index("id")
    assert list(table.index) == ["clear", "near-g", "weak", "open", "wrong", "blind-g"]
    row = table.loc["near-g"]
    assert row["claim"] == "near is high."
    assert (row["setting"], row["place"], row["published"]) == ("g", "Section 9", "0.7")
    assert row["ours [95% interval]"] == "0.225 [0.150, 0.300]"
    assert row["rule"] == "r = 40 minus r = 1 is above 0.1"
    assert (row["verdict"], row["n"], row["seeds"]) == ("reproduced", 50, 3)
    assert (row["profile"], row["data"]) == ("smoke", "dots")
    assert table.loc["clear", "setting"] == "any"
    blind = table.loc["blind-g"]
    assert blind["verdict"] == "not testable here (no runs at 40)"
    assert (blind["ours [95% interval]"], blind["n"], blind["seeds"]) == ("–", "–", "–")


def test_tables_of_no_verdicts_have_their_columns():
    assert list(verdict_table([])["verdict"]) == []
    assert verdict_page_table([]).empty


def test_a_page_carries_marks_that_the_check_can_read(verdicts, tmp_path):
    table = verdict_page_table(verdicts)
    cells = table.iloc[:, -1]
    assert "[reproduced]{.verdict .near-g}" in cells[1]
    assert "n = 50, 3 seeds" in cells[0]
    (tmp_path / "page.md").write_text("\n".join(cells))
    assert contradictions(tmp_path, verdicts) == []
    assert len(contradictions(tmp_path, [])) == len(verdicts)  # every mark was found


def test_what_a_verdict_stands_on_is_told(verdicts):
    text = stands_on(verdicts)
    assert text.count("\n: ") == len(verdicts)
    assert "`near-g`\n: Section 9. Metric: a measure. Window 0.1: a guess. Profile smoke" in text
    assert "epochs chosen by test loss" in text
    assert "Runs: `one`, `two`." in text
    assert text.rstrip().endswith("a guess. no runs at 40.")


def test_sensitivity_counts_the_verdicts_that_another_window_changes(verdicts):
    table = window_sensitivity(verdicts).set_index("windows")
    assert table.loc["halved", "verdicts that change"] == "1 of 6"
    assert table.loc["halved", "which"] == "weak: direction only → reproduced"
    assert table.loc["doubled", "verdicts that change"] == "1 of 6"
    assert table.loc["doubled", "which"] == "near-g: reproduced → direction only"
    quiet = window_sensitivity([verdict("clear", 0.25, 0.5)])
    assert list(quiet["which"]) == ["none", "none"]


def test_the_tally_counts_every_kind_in_order(verdicts):
    assert list(tally(verdicts).items()) == [
        ("reproduced", 2),
        ("direction only", 1),
        ("not reproduced", 1),
        ("inconclusive", 1),
        ("not testable here", 1),
    ]
    assert sum(tally([]).values()) == 0


def test_a_page_that_says_another_verdict_is_found(verdicts, tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/page.md").write_text(
        "We find it [not reproduced]{.verdict .clear} and [direction\nonly]{.verdict .weak}."
    )
    assert contradictions(tmp_path, verdicts) == [
        "page.md: says 'not reproduced' of clear, but the runs say 'reproduced'"
    ]


def test_a_verdict_on_no_claim_is_found(verdicts, tmp_path):
    (tmp_path / "page.md").write_text("[reproduced]{.verdict .imagined-g}")
    assert contradictions(tmp_path, verdicts) == ["page.md: no claim is called 'imagined-g'"]


def test_pages_that_agree_or_explain_the_words_are_left_alone(verdicts, tmp_path):
    (tmp_path / "page.md").write_text("[reproduced]{.verdict .near-g} [inconclusive]{.verdict}")
    (tmp_path / "data.csv").write_text("[reproduced]{.verdict .wrong}")
    assert contradictions(tmp_path, verdicts) == []


def test_notebooks_are_read_as_well(verdicts, tmp_path):
    lines = ["It is [not\n", "reproduced]{.verdict .wrong}, not\n", "[open]{.verdict .wrong}.\n"]
    cells = [nbformat.v4.new_markdown_cell("".join(lines)), nbformat.v4.new_code_cell("a[0]")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "book.ipynb")
    assert contradictions(tmp_path, verdicts) == [
        "book.ipynb: says 'open' of wrong, but the runs say 'not reproduced'"
    ]


def test_an_exact_effect_stands_on_no_cases():
    formula = Verdict(claim("formula"), "", "reproduced", Estimate(1.0, np.empty(0)))
    assert SimpleNamespace(**verdict_table([formula]).iloc[0]).n == "–"


def test_a_rounded_zero_has_no_sign():
    nearly = Estimate(-1e-6, np.array([-1e-6, 1e-6]), 10, 1)
    assert format_estimate(nearly, 2) == "0.00 [0.00, 0.00]"
