"""The project's own rules: pins, direction of imports, names, documentation, notebooks."""

import ast
import inspect
import json
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import shortlib

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "shortlib").rglob("*.py"))
VAGUE_NAMES = {"utils", "util", "helpers", "common", "misc", "base"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def requirement_lines():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    return [line for line in lines if not line.startswith("#")]


def environment():
    return yaml.safe_load((ROOT / "environment.yml").read_text())


def relative(path):
    return str(path.relative_to(ROOT))


# Pins


def test_requirements_hold_nothing_but_pins():
    pin = re.compile(r"[a-z0-9][a-z0-9-]*==[0-9][a-z0-9.]*( ; [a-z_0-9 .'\"=!<>()*A-Z-]+)?")
    odd = [line for line in requirement_lines() if not pin.fullmatch(line)]
    assert odd == []


def test_environment_and_requirements_hold_the_same_pins():
    (by_pip,) = (d["pip"] for d in environment()["dependencies"] if isinstance(d, dict))
    assert by_pip == requirement_lines()


def test_environment_takes_only_python_and_pip_from_conda():
    names = [d for d in environment()["dependencies"] if isinstance(d, str)]
    assert [re.split("[=<>]", name)[0] for name in names] == ["python", "pip"]
    assert environment()["channels"] == ["conda-forge", "nodefaults"]
    version = Requirement(names[0].replace("=", "==")).specifier
    assert all(PROJECT["project"]["requires-python"] == f">={s.version}" for s in version)


@pytest.mark.parametrize("name", ["requirements.txt", "environment.yml"])
def test_pinned_files_name_no_host(name):
    text = (ROOT / name).read_text()
    host = r"://|\bwww\.|\b[\w-]+\.(com|org|io|net|dev|local)\b|(index|find-links|extra)[-_]?url"
    assert re.findall(host, text, flags=re.IGNORECASE) == []


def test_every_dependency_is_pinned_within_its_bound():
    pins = {}
    for line in requirement_lines():
        pinned = Requirement(line)
        (specifier,) = pinned.specifier
        pins.setdefault(canonicalize_name(pinned.name), []).append(specifier.version)
    optional = PROJECT["project"]["optional-dependencies"].values()
    stated = [*PROJECT["project"]["dependencies"], *(d for group in optional for d in group)]
    stated += PROJECT["tool"]["uv"]["constraint-dependencies"] + PROJECT["build-system"]["requires"]
    for bound in map(Requirement, stated):
        versions = pins.get(canonicalize_name(bound.name), [])
        assert versions, f"{bound.name} is not in requirements.txt; run `make lock`"
        assert all(bound.specifier.contains(v) for v in versions), f"{bound}, pinned {versions}"


# Imports


def lint_imports(folder):
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [program, "--no-logo", "--no-cache"], cwd=folder, capture_output=True, text=True
    )


def test_imports_point_one_way():
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def copied_project(tmp_path):
    shutil.copytree(ROOT / "shortlib", tmp_path / "shortlib")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_an_import_against_the_direction_is_caught(copied_project):
    with open(copied_project / "shortlib/data/seeds.py", "a") as module:
        module.write("\nfrom shortlib.runs.request import Request\n")
    done = lint_imports(copied_project)
    assert done.returncode != 0
    assert "shortlib.data.seeds -> shortlib.runs.request" in done.stdout


def test_a_room_without_a_place_is_caught(copied_project):
    (copied_project / "shortlib/attic.py").write_text('"""Left over."""\n')
    done = lint_imports(copied_project)
    assert done.returncode != 0
    assert "attic" in done.stdout


# Modules


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_a_module_is_named_documented_and_short(path):
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), f"{relative(path)} has no docstring"
    assert not VAGUE_NAMES & {path.stem, path.parent.name}
    length = len(text.splitlines())
    assert length <= 300, f"{relative(path)} has {length} lines; split it by idea"


def public_objects():
    packages = sorted(p.parent for p in MODULES if p.name == "__init__.py")
    for package in packages:
        name = ".".join(package.relative_to(ROOT).parts)
        module = import_module(name)
        for public in getattr(module, "__all__", ()):
            yield f"{name}.{public}", getattr(module, public)


def section(docstring, title):
    """Text of one section of a NumPy-style docstring, or None."""
    following = r"(?=^\S[^\n]*\n-{3,}$|\Z)"
    found = re.search(rf"^{title}\n-+\n(.*?){following}", docstring, re.M | re.S)
    return found and found.group(1)


def returns_something(function):
    (tree,) = ast.parse(inspect.cleandoc("\n" + inspect.getsource(function))).body
    inner = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n is not tree]
    skipped = {id(node) for function in inner for node in ast.walk(function)}
    returns = [n for n in ast.walk(tree) if isinstance(n, ast.Return) and id(n) not in skipped]
    return any(node.value is not None for node in returns)


def test_public_names_are_documented():
    missing = []
    for name, thing in public_objects():
        docstring = inspect.getdoc(thing)
        if not docstring or docstring == inspect.getdoc(object):
            missing.append(f"{name}: no docstring")
        if not inspect.isfunction(thing) or not docstring:
            continue
        stated = section(docstring, "Parameters") or ""
        heads = [line for line in stated.splitlines() if line and not line[0].isspace()]
        known = {word for head in heads for word in re.findall(r"\w+", head.split(" :")[0])}
        undocumented = [p for p in inspect.signature(thing).parameters if p not in known]
        missing += [f"{name}: parameter {parameter}" for parameter in undocumented]
        if returns_something(thing) and not section(docstring, "Returns"):
            missing.append(f"{name}: no section Returns")
    assert missing == []


def test_every_name_in_all_exists_once():
    names = [name for name, _ in public_objects()]
    assert len(names) == len(set(names))


# Notebooks and documents


def test_notebooks_are_stored_without_outputs():
    for path in sorted((ROOT / "notebooks").rglob("*.ipynb")):
        if ".ipynb_checkpoints" in path.parts:
            continue
        for number, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
            if cell["cell_type"] == "code":
                where = f"{relative(path)}, cell {number}: run `make format`"
                assert (cell["outputs"], cell["execution_count"]) == ([], None), where


def test_citation_states_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["version"] == shortlib.__version__
    assert citation["license"] == PROJECT["project"]["license"]


def test_changelog_names_this_version():
    assert shortlib.__version__ in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_licence_is_complete():
    text = (ROOT / "LICENSE").read_text()
    assert "Version 2.0, January 2004" in text
    assert "APPENDIX: How to apply the Apache License to your work." in text
    assert "Copyright [yyyy] [name of copyright owner]" in text


def make_targets():
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.M))


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_commands_in_documents_are_targets(name):
    if not (ROOT / name).exists():
        pytest.skip(f"there is no {name}")
    text = (ROOT / name).read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^[ $]*|`)make ([a-z]+)", text, flags=re.M))
    assert named <= make_targets()


def test_help_lists_every_target():
    done = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    listed = set(re.findall(r"^  ([a-z]+) ", done.stdout, flags=re.M))
    assert listed == make_targets()


def test_continuous_integration_can_be_run():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert "make test" in script.read_text()
