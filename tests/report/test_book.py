from types import SimpleNamespace

import pytest

from shortlib.report import book
from shortlib.report.book import BookFailedError, build_book, stage


@pytest.fixture
def checkout(tmp_path):
    root = tmp_path / "checkout"
    (root / "book/static").mkdir(parents=True)
    (root / "_config.yml").write_text("title: A book")
    (root / "_toc.yml").write_text("root: book/index")
    (root / "book/index.md").write_text("# Welcome")
    (root / "book/static/book.css").write_text("p {}")
    return root


def files(folder):
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


STAGED = {"_config.yml", "_toc.yml", "book/index.md", "book/static/book.css"}


def test_pages_are_staged_at_the_paths_that_they_have_in_the_checkout(checkout, tmp_path):
    stage(checkout, tmp_path / "new/source")
    assert files(tmp_path / "new/source") == STAGED


def test_static_folders_that_the_configuration_names_are_there(checkout, tmp_path):
    """Sphinx warns of one that is not, and a warning fails the book."""
    (checkout / "_config.yml").write_text(
        "sphinx: {config: {html_static_path: [book/static, book/generated/a/static]}}"
    )
    source = tmp_path / "source"
    stage(checkout, source)
    assert list((source / "book/generated/a/static").iterdir()) == []
    (source / "book/generated/a/static/made.js").write_text("made by a notebook")
    stage(checkout, source)
    assert files(source) == STAGED | {"book/generated/a/static/made.js"}


def test_stale_pages_go_and_what_was_made_elsewhere_stays(checkout, tmp_path):
    source = tmp_path / "source"
    for name in ("book/generated/claims/tally.md", "notebooks/a.ipynb", "book/old.md"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("made before")
    (source / "book/gone").mkdir()
    (source / "book/gone/page.md").write_text("made before")
    (source / "book/index.md").write_text("an older welcome")
    # What stands under that name in a checkout is no page either.
    (checkout / "book/generated").mkdir()
    (checkout / "book/generated/stray.md").write_text("stray")
    stage(checkout, source)
    stage(checkout, source)
    assert files(source) == STAGED | {"book/generated/claims/tally.md", "notebooks/a.ipynb"}
    assert (source / "book/index.md").read_text() == "# Welcome"


@pytest.fixture
def builder(monkeypatch):
    """Stands for jupyter-book: keeps its words, writes a page, exits as told."""
    told = SimpleNamespace(code=0, words=None)

    def run(words):
        told.words = [str(word) for word in words]
        scratch = words[words.index("--path-output") + 1]
        assert not scratch.exists()  # nothing is left that could hide a warning
        (scratch / "_build/html").mkdir(parents=True)
        (scratch / "_build/html/index.html").write_text("new")
        return SimpleNamespace(returncode=told.code)

    monkeypatch.setattr(book.subprocess, "run", run)
    return told


def test_a_book_replaces_the_one_before_and_any_warning_counts(checkout, tmp_path, builder):
    build = tmp_path / "build"
    (build / "html").mkdir(parents=True)
    (build / "html/old.html").write_text("old")
    (build / "jupyter-book/left").mkdir(parents=True)
    page = build_book(checkout, tmp_path / "source", build)
    assert page == build / "html/index.html"
    assert files(build / "html") == {"index.html"}
    assert {"-W", "-n", "--keep-going"} <= set(builder.words)
    assert str(tmp_path / "source") in builder.words


def test_a_book_with_a_warning_is_not_built(checkout, tmp_path, builder):
    builder.code = 1
    build = tmp_path / "build"
    with pytest.raises(BookFailedError, match="not built"):
        build_book(checkout, tmp_path / "source", build)
    assert not (build / "html").exists()
