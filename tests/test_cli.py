import re
import shutil
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from shortlib.cli import app

STUDY = "spatial-specificity-synthetic"


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A results folder with two smoke runs, and what fitting them printed."""
    folder = tmp_path_factory.mktemp("results")
    words = ("fit", STUDY, "--jobs", "1", "--device", "cpu", "--results-dir", str(folder))
    said = [CliRunner().invoke(app, [*words, "--variant", v]) for v in VARIANTS]
    assert [result.exit_code for result in said] == [0, 0], said
    return folder, said


VARIANTS = ("printed-r01", "minibatch-r04")


@pytest.fixture
def shortlib(fitted, tmp_path, monkeypatch):
    """Call the command on a copy of the results folder; returns exit code and words."""
    folder = tmp_path / "results"
    shutil.copytree(fitted[0], folder)
    monkeypatch.setattr("shortlib.runs.locations.project_root", lambda: None)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*words, results_dir=folder):
        result = CliRunner().invoke(app, [*words, "--results-dir", str(results_dir)])
        return result.exit_code, result.output

    call.folder = folder / STUDY
    call.runs = sorted(folder.glob(f"{STUDY}/[!.]*"))
    return call


def test_help_is_quick_for_it_imports_nothing_heavy():
    told = "import sys, shortlib.cli; sys.exit(any(m in sys.modules for m in ('torch', 'pandas')))"
    assert subprocess.run([sys.executable, "-c", told], check=False).returncode == 0


def test_studies_lists_profiles_and_sizes():
    result = CliRunner().invoke(app, ["studies"])
    assert result.exit_code == 0
    lines = [line.split() for line in result.output.splitlines()]
    assert lines[0] == ["study", "data", "profile", "seeds", "runs", "measured"]
    sizes = {tuple(line[1:3]): (line[3], line[4]) for line in lines if line[0] == STUDY}
    assert sizes["squares", "reference"] == ("3", "42")


def test_fit_says_what_it_does_and_what_is_there(fitted):
    first = fitted[1][0]
    assert "0 of 1 runs are on disk; fitting 1, one at a time" in first.output
    assert "[1/1] printed-r01 seed 0: " in first.output
    assert f"all 1 runs asked of {STUDY} (smoke) are on disk: {fitted[0]}" in first.output


def test_fit_loads_what_is_there(shortlib):
    code, said = shortlib("fit", STUDY, "--variant", "printed-r01")
    assert code == 0
    assert "fitting" not in said


def test_a_single_seed_may_lie_beyond_the_profiles_number(shortlib):
    code, _ = shortlib("fit", STUDY, "--variant", "printed-r01", "--seed", "2")
    assert code == 0
    assert [path.name[:14] for path in sorted(shortlib.folder.glob("printed*"))] == [
        "printed-r01-s0",
        "printed-r01-s2",
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("no-such-study",), f"study must be one of .*{STUDY}.*, got 'no-such-study'"),
        ((STUDY, "--profile", "huge"), "profile must be one of smoke, .* got 'huge'"),
        ((STUDY, "--data", "circles"), "does not run on data 'circles' .* it runs on squares"),
        ((STUDY, "--seeds", "0"), "seeds is a .*number of seeds, at least 1, got 0"),
        ((STUDY, "--seed", "-1"), "seed must be at least 0, got -1"),
        ((STUDY, "--variant", "r9"), "variant must be one of printed-r01, .* got 'r9'"),
        ((STUDY, "--device", "tpu"), "device must be cpu, cuda or auto, got 'tpu'"),
        ((STUDY, "--set", "rho"), "a parameter is written name=value, got 'rho'"),
        ((STUDY, "--set", "rho=2"), "rho is a probability in .*, got 2.0"),
        ((STUDY, "--set", "rho=[1"), r"the value of rho is no YAML, got '\[1'"),
        ((STUDY, "--set", "sigma=2"), "has no parameter 'sigma'; it has specificities, epochs"),
        ((STUDY, "--set", "profile=paper"), "has no parameter 'profile'; it has"),
        ((STUDY, "--jobs", "0"), "jobs is a number of fits at a time, at least 1, got 0"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(shortlib, words, said):
    code, output = shortlib("fit", *words)
    assert code == 2
    assert output.startswith("shortlib: ")
    assert re.search(said, output)
    assert len(output.splitlines()) == 1


@pytest.fixture
def planned(monkeypatch):
    """What the command asks of the plan, and no fit."""
    asked = []

    def plan(*given, **options):
        asked.append((given, options))
        return []

    monkeypatch.setattr("shortlib.studies.registry.plan", plan)
    return asked


def test_data_and_own_parameters_reach_the_plan(shortlib, planned):
    words = ("--profile", "reference", "--data", "squares", "--data-root", "/d", "--seeds", "2")
    sets = ("specificities=[1, 40]", "rho=0.5", "mu_a=1e-1", "mu_s=-4", "epochs=null")
    code, said = shortlib("fit", STUDY, *words, *(w for s in sets for w in ("--set", s)))
    assert code == 0
    assert f"asked of {STUDY} (reference, squares) are on disk" in said
    ((given, options),) = planned
    assert given == (STUDY, "reference")
    assert options == {
        "data": "squares",
        "data_root": "/d",
        "seeds": 2,
        "specificities": [1, 40],
        "rho": 0.5,
        "mu_a": 0.1,
        "mu_s": -4,
        "epochs": None,
    }


@pytest.mark.parametrize("words", [(), ("--data", "squares")])
def test_runs_of_every_data_set_are_kept(shortlib, monkeypatch, tmp_path, words):
    """Two data sets share the smoke runs here, so that each run is met once for each."""
    from shortlib.studies.registry import load_study

    study = load_study(STUDY)
    book = {**study.profiles(), "combinations": {"squares": ["smoke"], "circles": ["smoke"]}}
    monkeypatch.setattr(study, "profiles", lambda: book)
    monkeypatch.setattr("shortlib.data.locations.project_root", lambda: tmp_path / "mine")
    code, said = shortlib("runs", "keep", STUDY, "--profile", "smoke", *words)
    assert code == 0
    of = 6 if words else 12
    assert f"2 runs copied to {tmp_path / 'mine' / 'results'}; of {of} in profile smoke" in said
    assert f"{of - 2} are not on disk" in said
    assert len(list((tmp_path / "mine" / "results" / STUDY).iterdir())) == 2


def test_a_results_dir_that_is_a_file_is_refused_in_a_sentence(shortlib, tmp_path):
    (tmp_path / "file").touch()
    code, output = shortlib("fit", STUDY, results_dir=tmp_path / "file")
    assert code == 2
    assert output.startswith(f"shortlib: results_dir {tmp_path / 'file'} is no folder")


def test_a_fit_that_fails_is_named_and_exits_with_one(shortlib, monkeypatch):
    def fail(request, **options):
        raise FloatingPointError("training loss is nan in epoch 3")

    monkeypatch.setattr("shortlib.studies.spatial_specificity_synthetic.fit.fit", fail)
    code, output = shortlib("fit", STUDY, "--variant", "printed-r04")
    assert code == 1
    assert "shortlib: fitting printed-r04 seed 0" in output
    assert "nan in epoch 3" in output
    assert "Traceback" not in output


def test_list_has_a_row_a_run(shortlib):
    code, output = shortlib("runs", "list")
    assert code == 0
    rows = output.splitlines()
    assert len(rows) == 3
    assert rows[1].split()[0] == shortlib.runs[0].name
    assert rows[1].split()[-2:] == ["local", "current"]
    assert shortlib("runs", "list", "--study", "another")[1].startswith("no runs in")


def test_show_tells_all_of_a_run(shortlib):
    code, output = shortlib("runs", "show", "printed")
    assert code == 0
    for part in ("learning_rate: 0.001", "wall_seconds:", "train_loss", "robust AUROC"):
        assert part in output
    assert output.rstrip().endswith(str(shortlib.runs[1]))


def test_a_name_that_is_unknown_or_ambiguous_lists_runs(shortlib):
    code, output = shortlib("runs", "show", "nothing")
    assert code == 2
    assert "no run is called 'nothing'; there are minibatch-r04-s0" in output
    code, output = shortlib("runs", "show", "s0")
    assert code == 2
    assert "'s0' is the name of several runs: minibatch-r04-s0" in output


def test_why_of_a_run(shortlib, monkeypatch):
    code, output = shortlib("runs", "why", "printed")
    assert code == 0
    assert output.endswith(": would be loaded\n")
    monkeypatch.setattr("shortlib.runs.folder.changed_modules", lambda *_: ["shortlib.models.x"])
    output = shortlib("runs", "why", "printed")[1]
    assert "would be fitted, because\n  shortlib.models.x has changed since" in output
    (shortlib.runs[1] / "history.csv").unlink()
    assert "history.csv is missing" in shortlib("runs", "why", "printed")[1]


def test_why_of_what_is_asked_for(shortlib):
    code, output = shortlib("runs", "why", "--study", STUDY, "--seeds", "2")
    assert code == 0
    assert output.count(": would be loaded") == 2
    assert output.count("would be fitted, because") == 10
    assert "no run of printed-r40 is on disk" in output
    assert "seed is 1, in the nearest run" in output
    code, output = shortlib("runs", "why", "--study", STUDY, "--profile", "workshop", "--seed", "0")
    assert "settings.epochs is 50, in the nearest run (printed-r01-s0-" in output
    assert shortlib("runs", "why")[0] == 2


def test_stale_finds_what_was_made_by_code_that_has_changed(shortlib, monkeypatch):
    assert shortlib("runs", "stale") == (0, "every run was made by the code as it is now\n")
    monkeypatch.setattr("shortlib.runs.folder.changed_modules", lambda *_: ["shortlib.a"])
    code, output = shortlib("runs", "stale")
    assert code == 0
    assert output.splitlines() == [f"{path.name}: shortlib.a" for path in shortlib.runs]


def test_verify_names_what_is_damaged(shortlib):
    assert shortlib("runs", "verify") == (0, "2 run folders checked, 0 damaged\n")
    (shortlib.runs[0] / "files.json").write_text("{")
    (shortlib.folder / "empty").mkdir()
    code, output = shortlib("runs", "verify")
    assert code == 1
    assert "empty: files.json cannot be read" in output
    assert output.splitlines()[-1] == "3 run folders checked, 2 damaged"


def test_list_warns_of_a_damaged_run_and_goes_on(shortlib):
    (shortlib.runs[0] / "files.json").unlink()
    code, output = shortlib("runs", "list")
    assert code == 0
    assert "warning: run " in output
    assert shortlib.runs[1].name in output
