"""The book's sources: what they name exists, and what a reader needs is there."""

import ast
import json
import re
from pathlib import Path

import pandas as pd
import papermill
import pytest
import yaml
from markdown_it import MarkdownIt

from shortlib.report.book import stage
from shortlib.report.claim_tables import IN_PROSE, contradictions
from shortlib.report.claims_export import all_verdicts, export_verdicts, other_verdicts
from shortlib.report.parameters import injected_names
from shortlib.runs import Store
from shortlib.studies.registry import STUDIES, load_study

ROOT = Path(__file__).resolve().parents[1]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
PAGES = sorted((ROOT / "book").glob("*.md"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
STANDARD = ("profile", "data", "data_root", "seeds", "device", "results_dir")
DIRECTIVE = re.compile(r"^(`{3,}|:{3,})\{([\w-]+)\} *(.*?)\n(.*?)^\1$", re.M | re.S)


def cells(path, kind):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == kind]


def prose(path):
    return path.read_text("utf-8") if path.suffix == ".md" else "\n\n".join(cells(path, "markdown"))


def directives(path, *names):
    """Yield (name, argument, options, content) of a page's directives."""
    for _, name, argument, body in DIRECTIVE.findall(prose(path)):
        if name in names:
            options = dict(re.findall(r"^:([\w-]+): *(.*)$", body, re.M))
            content = re.sub(r"^:[\w-]+:.*\n", "", body, flags=re.M).strip()
            yield name, argument.strip(), options, content


def name_of(path):
    return path.name


everywhere = pytest.mark.parametrize("path", [*PAGES, *NOTEBOOKS], ids=name_of)
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)


def test_tables_that_notebooks_print_become_tables():
    """Markdown of an output is parsed by the preset named here; plain CommonMark has no tables."""
    preset = {"gfm": "gfm-like"}[CONFIG["sphinx"]["config"]["nb_render_markdown_format"]]
    printed = pd.DataFrame({"a": ["x"]}).to_markdown(index=False)
    assert "<table>" in MarkdownIt(preset).render(printed)


# The table of contents


def entries():
    def walk(node):
        if isinstance(node, dict):
            for key, value in node.items():
                if key in ("root", "file"):
                    yield value
                else:
                    yield from walk(value)
        elif isinstance(node, list):
            for item in node:
                yield from walk(item)

    return list(walk(yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))))


def test_every_entry_is_one_page_or_notebook():
    assert len(entries()) == len(set(entries()))
    for entry in entries():
        found = [suffix for suffix in (".md", ".ipynb") if (ROOT / f"{entry}{suffix}").is_file()]
        assert len(found) == 1, entry


def test_every_page_and_notebook_is_an_entry():
    written = {str(p.relative_to(ROOT).with_suffix("")) for p in (*PAGES, *NOTEBOOKS)}
    assert written == set(entries())


def test_launch_buttons_point_at_files_of_the_repository(tmp_path):
    """A button's link is the page's path in the staged book, so that must be the repository's."""
    assert "path_to_docs" not in {**CONFIG["repository"], **CONFIG["launch_buttons"]}
    assert CONFIG["repository"]["url"].startswith("https://")
    stage(ROOT, tmp_path)
    for page in PAGES:
        assert (tmp_path / page.relative_to(ROOT)).read_bytes() == page.read_bytes()
    workflow = (ROOT / "Snakefile").read_text()
    assert 'source="notebooks/{notebook}.ipynb"' in workflow
    assert 'f"{SOURCE}/notebooks/{{notebook}}.ipynb"' in workflow


def test_no_page_is_executed_by_the_book_itself():
    assert CONFIG["execute"]["execute_notebooks"] == "off"


# Figures and tables


ENDINGS = {"figure": "svg", "table": "csv", "dial": "html"}


def exported(path):
    """Names that a notebook gives to ``export.figure`` and its like, by method."""
    found = {method: set() for method in ENDINGS}
    for source in cells(path, "code"):
        for node in ast.walk(ast.parse(source)):
            called = getattr(node, "func", None)
            if isinstance(called, ast.Attribute) and getattr(called.value, "id", "") == "export":
                found[called.attr].add(node.args[1].value)
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Every file under ``generated/`` that the notebooks and the claims write."""
    folder = tmp_path_factory.mktemp("generated")
    store = Store(folder / "no-runs")
    verdicts = all_verdicts(store)
    other = other_verdicts(store)
    export_verdicts(verdicts, other, {study: [] for study in verdicts}, folder / "claims")
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    for path in NOTEBOOKS:
        for method, ending in ENDINGS.items():
            for name in exported(path)[method]:
                names |= {f"{path.stem}/{name}.{ending}", f"{path.stem}/{name}.card.md"}
    return names


@everywhere
def test_what_a_page_takes_from_the_runs_is_made(path, made):
    used = re.findall(r"generated/([\w./-]*\w)", prose(path))
    assert [name for name in used if name not in made] == []


def test_each_exported_name_is_given_once():
    for path in NOTEBOOKS:
        found = exported(path)
        assert len(set.union(*found.values())) == sum(map(len, found.values()))


@everywhere
def test_figures_have_a_name_a_caption_and_a_text_for_those_who_cannot_see_them(path):
    for _, source, options, caption in directives(path, "figure"):
        assert options.get("name", "").startswith("fig-"), source
        assert len(options.get("alt", "")) > 40, source
        assert caption.endswith("."), source


@everywhere
def test_tables_have_a_name_a_caption_and_a_file(path):
    for _, caption, options, _ in directives(path, "csv-table"):
        assert options.get("name", "").startswith("tab-"), caption
        assert caption.endswith("."), caption
        assert {"file", "header-rows"} <= options.keys(), caption


def test_names_of_figures_and_tables_are_given_once():
    names = [
        options["name"]
        for path in (*PAGES, *NOTEBOOKS)
        for *_, options, _ in directives(path, "figure", "csv-table")
    ]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_a_figure_or_table_of_a_notebook_comes_with_its_card(path):
    text = prose(path)
    for _, argument, options, _ in directives(path, "figure", "csv-table", "raw"):
        file = options.get("file", argument)
        if file.startswith("generated/claims/"):
            continue  # the claims page says which runs each verdict stands on
        card = re.sub(r"\.(svg|csv|html)$", ".card.md", file)
        assert f"{{include}} {card}" in text, file


# Words


@everywhere
def test_cited_works_are_in_the_bibliography(path):
    known = set()
    for name in CONFIG["bibtex_bibfiles"]:
        known |= set(re.findall(r"^@\w+\{([^,\s]+),", (ROOT / name).read_text("utf-8"), re.M))
    used = re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", prose(path))
    keys = {key.strip() for group in used for key in group.split(",")}
    assert keys <= known


@everywhere
def test_every_exercise_has_one_solution(path):
    labels = [options["label"] for *_, options, _ in directives(path, "exercise")]
    solved = [argument for _, argument, *_ in directives(path, "solution")]
    assert sorted(labels) == sorted(solved)


def test_every_chapter_has_exercises_and_says_what_it_cannot_support():
    for study in STUDIES:
        chapters = [p for p in PAGES if f"notebooks/{study}" in prose(p) and p.stem != "guide"]
        assert chapters, study
        for path in chapters:
            assert list(directives(path, "exercise")), path.name
            headings = re.findall(r"^## (.+)$", prose(path), re.M)
            assert any("can't support" in heading for heading in headings), path.name
            assert {"Verdicts", "Summary", "Exercises"} <= set(headings), path.name


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    found = all_verdicts(Store(tmp_path_factory.mktemp("no-runs")))
    return [v for judged in found.values() for v in judged]


@everywhere
def test_verdicts_in_prose_are_about_claims_that_exist(path, verdicts):
    marked = {claim for _, claim in IN_PROSE.findall(prose(path))}
    assert marked <= {v.id for v in verdicts}


@everywhere
def test_a_mark_without_a_claim_only_explains_a_word(path):
    unbound = re.findall(r"\[[^\[\]]+\]\{\.verdict\}", prose(path))
    assert not unbound or path.stem == "guide"


def test_the_check_finds_every_mark_of_the_books_pages(tmp_path, verdicts):
    """With no claim at all, each mark is a contradiction: none slips through the check."""
    marks = sum(len(IN_PROSE.findall(prose(path))) for path in PAGES)
    assert len(contradictions(ROOT / "book", [])) == marks


# Parameters of notebooks


@each_notebook
def test_each_parameter_has_a_type_and_a_comment_that_papermill_shows(path):
    known = papermill.inspect_notebook(path)
    assert known
    for name, facts in known.items():
        assert len(facts["help"]) > 8, name
        assert facts["inferred_type_name"] not in ("", "None"), name


@pytest.mark.parametrize("study", STUDIES)
def test_a_studys_notebook_has_the_standard_parameters_and_the_studys_own(study):
    path = ROOT / "notebooks" / f"{study}.ipynb"
    own = load_study(study).OWN_PARAMETERS
    known = papermill.inspect_notebook(path)
    assert list(known) == [*STANDARD, "export_dir", *own]
    defaults = {name: ast.literal_eval(facts["default"]) for name, facts in known.items()}
    assert all(defaults[name] is None for name in own)  # the profile's value
    assert defaults["data"] == next(iter(load_study(study).profiles()["combinations"]))
    # The notebook hands on the names that the study takes.
    (handed,) = (
        ast.literal_eval(node.value)
        for source in cells(path, "code")
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "own"
    )
    assert handed == own


@each_notebook
def test_a_cell_of_the_notebook_is_not_taken_for_papermills_own(path):
    assert injected_names(cells(path, "code")) == []


@each_notebook
def test_a_notebook_holds_no_logic_that_a_test_would_want_to_call(path):
    for source in cells(path, "code"):
        for node in ast.walk(ast.parse(source)):
            assert not isinstance(node, ast.ClassDef), node.name
            if isinstance(node, ast.FunctionDef):  # a formula of a paper, written out
                assert len(node.body) <= 4, node.name
