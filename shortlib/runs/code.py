"""Which code made a run: a fingerprint of the modules that a fit stands on."""

import ast
import hashlib
import os
import sys
from functools import cache
from pathlib import Path

# Rooms that decide what a fit computes; of the metrics, those that a fit calls. Storage and
# reports do not.
FITTING_ROOMS = ("data", "shortcuts", "models", "methods", "explain", "metrics", "studies")

PACKAGE = Path(__file__).resolve().parents[1]


def fit_module(study):
    """Return the dotted name of the module that holds a study's ``fit``."""
    return f"shortlib.studies.{study.replace('-', '_')}.fit"


def fingerprint(module):
    """Hash the code that a fit stands on, module by module.

    Follows the imports of `module` through the package's fitting rooms. Comments,
    docstrings and formatting do not count. A process reads each file once: a file
    that is edited later is not the code that the process has loaded and fits with.

    Parameters
    ----------
    module : str
        Dotted name of the module that holds the fit, e.g.
        ``"shortlib.studies.spatial_specificity_synthetic.fit"``.

    Returns
    -------
    dict of str to str
        Module name to the first 16 digits of the SHA-256 of its code, sorted.
    """
    found, waiting = {}, [module]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        path = _path(name)
        if path is None:
            continue
        found[name], imported = _read(path)
        waiting += [target for target in imported if _counts(target)]
    # A package's __init__ that only passes names on is not code of its own.
    return dict(sorted((k, v) for k, v in found.items() if _path(k).name != "__init__.py"))


def code_version(module):
    """Return one hash over :func:`fingerprint`, 8 digits."""
    text = "\n".join(f"{k} {v}" for k, v in fingerprint(module).items())
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def changed_modules(module, recorded):
    """Return the modules whose code differs from a recorded fingerprint, sorted."""
    now = fingerprint(module)
    return sorted(n for n in now.keys() | recorded.keys() if now.get(n) != recorded.get(n))


def _counts(name):
    parts = name.split(".")
    return parts[0] == "shortlib" and len(parts) > 1 and parts[1] in FITTING_ROOMS


def _imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def _path(name):
    """Return the file of one of the package's modules, or None; nothing is imported."""
    place = PACKAGE.joinpath(*name.split(".")[1:])
    for file in (place / "__init__.py", place.with_suffix(".py")):
        # Listed, not asked for by name: some file systems take Cohort.py for cohort.py.
        if file.is_file() and file.name in os.listdir(file.parent):
            return file
    return None


@cache
def _read(path):
    """Return the hash of a file's code and the names that it imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = tuple(_imports(tree))
    return hashlib.sha256(_without_docstrings(tree).encode()).hexdigest()[:16], imported


def _without_docstrings(tree):
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                node.body = body[1:] or [ast.Pass()]
    return _dump(tree)


def _dump(tree):
    """Write a syntax tree down in the same way on every version of Python."""
    shown = {"show_empty": True} if sys.version_info >= (3, 13) else {}
    return ast.dump(tree, **shown).replace(", type_params=[]", "")  # new in Python 3.12
