"""Stage the book's sources beside the executed notebooks and build it without a warning."""

import shutil
import subprocess
import sys
from pathlib import Path

import yaml

MADE_ELSEWHERE = ("generated",)  # inside book/: exported by notebooks and by the claims


class BookFailedError(ValueError):
    """The book was not built."""


def build_book(root, source, build):
    """Build the book from staged sources.

    Parameters
    ----------
    root : pathlib.Path
        The checkout: ``_config.yml``, ``_toc.yml`` and ``book/`` are taken from here.
    source : pathlib.Path
        Where executed notebooks and exported figures are already; hand-written pages
        are copied beside them, at the same paths as in the checkout, so that launch
        buttons point at files of the repository.
    build : pathlib.Path
        The page goes to ``build/html``.

    Returns
    -------
    pathlib.Path
        ``index.html``.

    Raises
    ------
    BookFailedError
        If anything gives a warning.
    """
    root, source, build = Path(root), Path(source), Path(build)
    stage(root, source)
    scratch = build / "jupyter-book"
    shutil.rmtree(scratch, ignore_errors=True)  # incremental builds hide warnings
    program = Path(sys.executable).with_name("jupyter-book")
    options = ["--path-output", scratch, "-W", "-n", "--keep-going"]
    if subprocess.run([program, "build", source, *options]).returncode:
        raise BookFailedError("the book was not built: see the warnings above")
    html = build / "html"
    shutil.rmtree(html, ignore_errors=True)
    shutil.move(scratch / "_build" / "html", html)
    return html / "index.html"


def stage(root, source):
    """Copy the hand-written pages; remove staged ones that are gone from the checkout."""
    for name in ("_config.yml", "_toc.yml"):
        source.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, source / name)
    staged = source / "book"
    if staged.exists():
        for path in staged.iterdir():
            if path.name not in MADE_ELSEWHERE:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(
        root / "book",
        staged,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns(*MADE_ELSEWHERE),
    )
    # Sphinx warns of a static folder that is not there; a notebook that was not executed, or
    # has no interactive figure to show, has not made its own.
    config = yaml.safe_load((source / "_config.yml").read_text(encoding="utf-8")) or {}
    for name in config.get("sphinx", {}).get("config", {}).get("html_static_path", []):
        (source / name).mkdir(parents=True, exist_ok=True)
