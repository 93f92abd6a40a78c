"""The commands that the workflow calls: claims, notebook and book."""

import pytest
from typer.testing import CliRunner

from shortlib.cli import app

CLAIM = "robust-auroc-rises-printed"


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Call the command where there are no runs; returns exit code and words."""
    monkeypatch.setattr("shortlib.runs.locations.project_root", lambda: None)
    monkeypatch.setenv("SHORTLIB_RESULTS", str(tmp_path / "runs"))
    monkeypatch.setenv("COLUMNS", "200")

    def called(*words):
        result = CliRunner().invoke(app, [str(word) for word in words])
        return result.exit_code, result.output

    return called


@pytest.fixture
def page(tmp_path):
    """Write a page with a verdict on a claim; returns its folder."""

    def write(said, folder="book"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "page.md").write_text(f"[{said}]{{.verdict .{CLAIM}}}")
        return tmp_path / folder

    return write


def test_claims_are_printed_and_nothing_is_fitted(call, tmp_path):
    code, said = call("claims")
    assert code == 0
    assert "spatial-specificity-synthetic, profile reference, epochs chosen by test loss" in said
    assert CLAIM in said
    assert "not testable here" in said
    assert not (tmp_path / "runs").exists()


def test_a_page_that_says_otherwise_fails_the_check(call, page):
    assert call("claims", "--check", page("not testable here"))[0] == 0
    code, said = call("claims", "--check", page("reproduced", "other"))
    assert code == 1
    assert f"says 'reproduced' of {CLAIM}, but the runs say 'not testable here'" in said


def test_several_folders_are_checked(call, page):
    right, wrong = page("not testable here"), page("inconclusive", "notebooks")
    assert call("claims", "--check", right, "--check", wrong)[0] == 1
    assert call("claims", "--check", wrong, "--check", right)[0] == 1


def test_tables_are_exported_before_the_check_fails(call, page, tmp_path):
    code, _ = call("claims", "--export", tmp_path / "out", "--check", page("reproduced"))
    assert code == 1
    assert (tmp_path / "out/tally.md").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--profile", "huge"), "profile must be one of smoke"),
        (
            ("--selection", "luck"),
            "selection must be one of validation, last, paper, worst-group, validation-auroc",
        ),
        (
            ("--study", "spatial-specificity-synthetic", "--selection", "luck"),
            "selection must be one of test, validation, got 'luck'",
        ),
        (("--study", "saliency"), "study must be one of clip-watermarks, cardiac-context"),
        (("--check", "/no/such/folder"), "does not exist"),
    ],
)
def test_claims_refuses_what_makes_no_sense(call, words, sentence):
    code, said = call("claims", *words)
    assert code == 2
    assert sentence in said


@pytest.fixture
def executed(monkeypatch):
    """What the command hands to the execution of a notebook."""
    calls = []
    monkeypatch.setattr("shortlib.report.execute.execute", lambda *given: calls.append(given))
    return calls


def test_values_of_parameters_are_read_as_python_where_they_are(call, executed, tmp_path):
    (tmp_path / "a.ipynb").touch()
    words = ["profile=smoke", "seeds=3", "rho=0.9", "specificities=[1, 40]", "epochs=None"]
    words += ["results_dir=/runs/a=b", "export_dir="]
    assert call("notebook", tmp_path / "a.ipynb", tmp_path / "out.ipynb", *words)[0] == 0
    assert executed[0][2] == {
        "profile": "smoke",
        "seeds": 3,
        "rho": 0.9,
        "specificities": [1, 40],
        "epochs": None,
        "results_dir": "/runs/a=b",
        "export_dir": "",
    }


@pytest.mark.parametrize("word", ["seeds", "=3", "two words=3"])
def test_a_parameter_without_a_name_or_a_value_is_named(call, executed, tmp_path, word):
    (tmp_path / "a.ipynb").touch()
    code, said = call("notebook", tmp_path / "a.ipynb", tmp_path / "out.ipynb", word)
    assert code == 2
    assert f"a parameter is written name=value, got '{word}'" in said
    assert executed == []


def test_a_notebook_that_is_not_there_is_named(call, executed, tmp_path):
    code, said = call("notebook", tmp_path / "none.ipynb", tmp_path / "out.ipynb")
    assert code == 2
    assert "does not exist" in said
