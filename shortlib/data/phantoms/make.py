"""Writing the built-in data sets to disk, whole or not at all."""

import inspect
import json
from importlib import import_module
from pathlib import Path

from shortlib.data.counting import counts_of
from shortlib.data.download import sha256_of
from shortlib.data.manifest import load_manifest, manifest_names
from shortlib.data.mirrors import copy_of
from shortlib.data.placing import is_taken, placed, read_record
from shortlib.data.problems import DataError
from shortlib.data.sets import read_index, root_of

# What a manifest names as its writer. Each takes (root, **parameters) and fills an empty
# folder, the same way for the same parameters.
WRITERS = {
    "write_mimic": "shortlib.data.phantoms.mimic_files",
    "write_chexpert": "shortlib.data.phantoms.chexpert_files",
    "write_covid": "shortlib.data.phantoms.covid_files",
    "write_siim": "shortlib.data.phantoms.siim_files",
    "write_acdc": "shortlib.data.phantoms.cardiac_files",
    "write_cm": "shortlib.data.phantoms.cardiac_files",
    "write_isic2018": "shortlib.data.phantoms.skin_files",
}
# What was made and how, in the data set's folder.
RECORD = "made.json"


def built_in_names():
    """Return the names of the data sets that can be made, sorted."""
    return [name for name in manifest_names() if load_manifest(name).access == "built-in"]


def make(name, root=None, *, seed=None, n_jobs=None, force=False, **overrides):
    """Write a built-in data set, in the layout of the real one.

    Parameters
    ----------
    name : str
        Of a manifest whose access is ``built-in``.
    root : str or pathlib.Path, optional
        See :func:`shortlib.data.sets.root_of`.
    seed : int, optional
        The manifest's by default. Same parameters and seed, same files.
    n_jobs : int, optional
        Processes that draw, for a writer that takes several.
    force : bool
        Replace what is there, once the new one is complete.
    **overrides
        Of the writer's parameters, before those that the manifest states.

    Returns
    -------
    pathlib.Path
        The data set's folder. When several processes make the same set at the same
        time, one does and the others wait for it.

    Raises
    ------
    ValueError
        If the set is not built in or its writer has no such parameter.
    DataError
        If there is something in the folder already and `force` is not given, or what
        was written cannot be listed.
    """
    manifest, target = load_manifest(name), root_of(name, root)
    if manifest.make is None:
        raise ValueError(
            f"{name} is not made by the program; built in are {', '.join(built_in_names())}"
        )
    write = _writer(manifest.make.writer)
    given = overrides if seed is None else {**overrides, "seed": seed}
    parameters = {**manifest.make.parameters, **given}
    known = _checked(manifest.make.writer, write, parameters)
    if is_taken(target) and not force:
        raise DataError(
            "folder is taken", "it is there already; force (--force) replaces it", path=target
        )
    jobs = {"n_jobs": n_jobs} if n_jobs is not None and "n_jobs" in known else {}
    with placed(target, force=force) as filling:
        if filling is not None:
            write(filling, **parameters, **jobs)
            record = _record(manifest, filling, parameters)
            (filling / RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")
    return target


def made(root):
    """Return what :func:`make` recorded in a data set's folder, or None.

    Returns
    -------
    dict
        ``name``, ``parameters``, ``counts`` (see
        :func:`shortlib.data.counting.counts_of`) and ``sha256`` by file.

    Raises
    ------
    DataError
        If the record is there and cannot be read.
    """
    return read_record(
        Path(root) / RECORD, ["parameters", "sha256", "counts"], "make the set again"
    )


def _writer(name):
    try:
        return getattr(import_module(WRITERS[name]), name)
    except KeyError:
        raise ValueError(f"writer must be one of {', '.join(WRITERS)}, got {name!r}") from None


def _checked(name, write, parameters):
    """Return the writer's parameters after a look at the names of those that were given."""
    known = inspect.signature(write).parameters
    passes_on = any(p.kind is p.VAR_KEYWORD for p in known.values())  # the generator tells then
    unknown = [key for key in parameters if key not in known and not passes_on]
    if unknown:
        names = ", ".join(key for key in known if key != "root")
        raise ValueError(f"{name} has no parameter {unknown[0]!r}; it has {names}")
    return known


def _record(manifest, filling, parameters):
    index = read_index(manifest.name, filling)
    return {
        "name": manifest.name,
        "parameters": parameters,
        "counts": counts_of(index),
        "sha256": {file: sha256_of(filling / file) for file in copy_of(filling)},
    }
