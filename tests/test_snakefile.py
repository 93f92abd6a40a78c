"""What the workflow runs and what it leaves alone, with a stand-in for the command itself."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from shortlib.studies.registry import STUDIES, plan

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("Snakefile", "_config.yml", "_toc.yml", "book", "notebooks", "shortlib")
NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))

# Makes the files that the real command would make, and keeps its words.
STAND_IN = """#!/bin/sh
echo "$*" >> calls.txt
echo "$OMP_NUM_THREADS" >> threads.txt
case $1 in
notebook)
    if [ -e broken ]; then echo "cell 3 failed" >&2; exit 1; fi
    mkdir -p "$(dirname "$3")" && cp "$2" "$3" ;;
claims) mkdir -p "$3" && echo "none" > "$3/tally.md" ;;
book) mkdir -p "$3/html" && echo "page" > "$3/html/index.html" ;;
esac
"""

# Snakemake and the package are imported once for all steps.
DRIVER = """
import pathlib, sys
from snakemake.cli import main

words = ["book", "--cores", "1", "--config", "profile=smoke", "build=out", "results_dir=runs"]
for step in sys.argv[1:]:
    more = []
    if step == "broken":
        pathlib.Path("broken").touch()
    elif step == "mended":
        pathlib.Path("broken").unlink()
    elif step == "dry":
        more = ["--dry-run"]
    elif step != "-":
        with open(step, "a") as file:
            file.write(" \\n")
    with open("calls.txt", "a") as calls:
        calls.write(f"== {step}\\n")
    try:
        main([*words, *more])
    except SystemExit as stopped:
        with open("calls.txt", "a") as calls:
            calls.write(f"exit {stopped.code or 0}\\n")
"""

CHAPTER, NOTEBOOK = "book/guide.md", f"notebooks/{NOTEBOOKS[0]}.ipynb"
CODE = "shortlib/report/export.py"
STEPS = ("dry", "-", "-", CHAPTER, NOTEBOOK, CODE, "broken", CHAPTER, NOTEBOOK, "mended")


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """Take every step in a copy of the checkout."""
    root = tmp_path_factory.mktemp("checkout")
    for part in PARTS:
        if (ROOT / part).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", "generated")
            shutil.copytree(ROOT / part, root / part, ignore=ignored)
        else:
            shutil.copy(ROOT / part, root)
    (root / "bin").mkdir()
    (root / "bin/shortlib").write_text(STAND_IN)
    (root / "bin/shortlib").chmod(0o755)
    (root / "driver.py").write_text(DRIVER)
    environment = {**os.environ, "PATH": f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [sys.executable, "driver.py", *STEPS],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return root, done.stdout + done.stderr


@pytest.fixture(scope="module")
def steps(copy):
    """By step: the commands that were run, and the exit code."""
    found = []
    for part in (copy[0] / "calls.txt").read_text().split("== ")[1:]:
        _, *lines = part.splitlines()
        found.append((sorted(line for line in lines[:-1]), int(lines[-1].removeprefix("exit "))))
    return found


def kinds(commands):
    return [command.split()[0] for command in commands]


pytestmark = pytest.mark.slow


def test_a_dry_run_runs_nothing_and_says_why(copy, steps):
    assert steps[0] == ([], 0)
    assert "Reason: Missing output files" in copy[1]


def test_the_first_call_fits_then_runs_notebooks_then_builds(copy, steps):
    commands, code = steps[1]
    assert code == 0
    expected = [*["book", "claims"], *["fit"] * len(STUDIES), *["notebook"] * len(NOTEBOOKS)]
    assert kinds(commands) == expected
    order = kinds((copy[0] / "calls.txt").read_text().split("== ")[2].splitlines()[1:])
    assert order[-2] == "book"  # the last word is the exit code
    study = next(c for c in commands if c.startswith(f"notebook notebooks/{STUDIES[0]}"))
    for given in ("profile=smoke", "device=auto", "results_dir=", "export_dir="):
        assert f" {given}" in study
    fits = [command for command in commands if command.startswith("fit")]
    assert all(plan(study, "smoke") for study in STUDIES)
    for study, said in zip(sorted(STUDIES), sorted(fits), strict=True):
        assert said.startswith(f"fit {study} --profile smoke --device auto --results-dir ")
        assert said.endswith("/runs --jobs 1")


def test_a_second_call_has_nothing_to_do(steps):
    assert steps[2] == ([], 0)


def test_a_change_of_prose_runs_no_fit_and_no_notebook(steps):
    assert kinds(steps[3][0]) == ["book", "claims"]


def test_a_change_of_a_notebook_runs_that_one(steps):
    commands, _ = steps[4]
    assert kinds(commands) == ["book", "claims", "notebook"]
    assert commands[2].startswith(f"notebook {NOTEBOOK} ")


def test_a_change_of_how_results_are_reported_runs_no_fit(steps):
    assert kinds(steps[5][0]) == ["book", "claims", *["notebook"] * len(NOTEBOOKS)]


def test_a_notebook_that_fails_stops_the_book(copy, steps):
    # The notebook is as it was: nothing to do. Then prose alone, then the notebook.
    assert steps[6] == ([], 0)
    assert kinds(steps[7][0]) == ["book", "claims"]
    commands, code = steps[8]
    assert "notebook" in kinds(commands)
    assert "book" not in kinds(commands)
    assert code != 0
    assert "cell 3 failed" in copy[1]


def test_once_it_is_mended_the_book_is_built(steps):
    commands, code = steps[9]
    assert code == 0
    assert kinds(commands)[0] == "book"
    assert kinds(commands)[-1] == "notebook"


def test_processes_do_not_share_cores(copy):
    assert set((copy[0] / "threads.txt").read_text().split()) == {"1"}
