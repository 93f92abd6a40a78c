"""Which code made a run: a fingerprint of the modules that a fit stands on."""

import ast
import hashlib
import importlib.util
from functools import cache
from pathlib import Path

# Rooms that decide what a fit computes. Storage, metrics and reports do not.
FITTING_ROOMS = ("data", "shortcuts", "models", "methods", "explain", "studies")


def fingerprint(module):
    """Hash the code that a fit stands on, module by module.

    Follows the imports of `module` through the package's fitting rooms. Comments,
    docstrings and formatting do not count.

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
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found[name] = hashlib.sha256(_without_docstrings(tree).encode()).hexdigest()[:16]
        waiting += [target for target in _imports(tree) if _counts(target)]
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
    try:
        spec = importlib.util.find_spec(name)
    except (ModuleNotFoundError, AttributeError):
        return None
    return Path(spec.origin) if spec and spec.origin else None


def _without_docstrings(tree):
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                node.body = body[1:] or [ast.Pass()]
    return ast.dump(tree, include_attributes=False)
