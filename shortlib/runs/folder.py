"""A run on disk: what files it has, how they are written whole and checked."""

import hashlib
import json
import os
import shutil
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from shortlib.runs.code import changed_modules, fit_module

REQUIRED_FILES = ("history.csv", "predictions.parquet", "provenance.json", "request.json")
PREDICTION_COLUMNS = ("case_id", "split", "view", "label", "shortcut", "selection", "score")
OPTIONAL_FILES = ("weights.safetensors",)  # left out of what is committed


class DamagedRunError(ValueError):
    """A run folder that is incomplete or was altered."""


@dataclass
class Fitted:
    """What a fit hands over to be kept.

    Attributes
    ----------
    predictions : pandas.DataFrame
        One row a case, test view and selection rule: `PREDICTION_COLUMNS`.
    history : pandas.DataFrame
        One row an epoch.
    weights : dict of str to torch.Tensor
    embeddings : dict of str to torch.Tensor
        By selection rule, shape (k, d), for the cases of `embedded_ids`.
    embedded_ids : list of str
    facts : dict
        Further provenance, e.g. the best epochs and the compute settings.
    """

    predictions: pd.DataFrame
    history: pd.DataFrame
    weights: dict
    embeddings: dict = field(default_factory=dict)
    embedded_ids: list = field(default_factory=list)
    facts: dict = field(default_factory=dict)


def write_run(path, fitted, request, provenance):
    """Write a run folder under a temporary name and move it into place.

    A process that dies at any moment leaves nothing under `path`; of two processes
    that finish the same run, the first one's folder stays.
    """
    path = Path(path)
    missing = set(PREDICTION_COLUMNS) - set(fitted.predictions.columns)
    if missing:
        raise ValueError(f"predictions lack the columns {sorted(missing)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.parent / f".unfinished-{path.name}-{uuid.uuid4().hex[:8]}"
    unfinished.mkdir()
    try:
        columns = list(PREDICTION_COLUMNS)
        fitted.predictions[columns].to_parquet(
            unfinished / "predictions.parquet", index=False, compression="zstd"
        )
        fitted.history.to_csv(unfinished / "history.csv", index=False)
        save_file(fitted.weights, unfinished / "weights.safetensors")
        if fitted.embeddings:
            save_file(
                fitted.embeddings,
                unfinished / "embeddings.safetensors",
                metadata={"case_ids": json.dumps(fitted.embedded_ids)},
            )
        _write_json(unfinished / "request.json", request.to_dict())
        _write_json(unfinished / "provenance.json", {**provenance, **fitted.facts})
        listed = {f.name: _file_facts(f) for f in sorted(unfinished.iterdir())}
        _write_json(unfinished / "files.json", listed)
        _flush(unfinished)
        try:
            os.rename(unfinished, path)
        except OSError:
            if not path.exists():
                raise
        _flush_names(path.parent)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def check_run(path):
    """Check that a run folder is whole.

    Raises
    ------
    DamagedRunError
        Names the folder, the file and what is wrong with it.
    """
    path = Path(path)
    listed = _read_json(path, "files.json")
    if missing := set(REQUIRED_FILES) - set(listed):
        raise DamagedRunError(f"run {path}: files.json does not list {sorted(missing)}")
    for name, facts in listed.items():
        try:
            _check_file(path, name, facts["bytes"], facts["sha256"])
        except (KeyError, TypeError) as error:
            raise DamagedRunError(f"run {path}: files.json says too little of {name}") from error
        except OSError as error:
            raise DamagedRunError(f"run {path}: {name} cannot be read ({error})") from error


def _check_file(path, name, expected, sha256):
    file = path / name
    if not file.exists():
        if name in OPTIONAL_FILES:
            return
        raise DamagedRunError(f"run {path}: {name} is missing")
    size = file.stat().st_size
    if size != expected:
        raise DamagedRunError(
            f"run {path}: {name} has {size} bytes, it was written with {expected}"
        )
    # Weights are large and nothing is computed from them here: their size will do.
    if name not in OPTIONAL_FILES and _sha256(file) != sha256:
        raise DamagedRunError(f"run {path}: {name} was altered (its SHA-256 differs)")


class Run:
    """A finished run, read lazily from its folder.

    Parameters
    ----------
    path : pathlib.Path
        The folder; checked when opened.
    committed : bool
        Whether it came with the project, rather than being fitted here.

    Raises
    ------
    DamagedRunError
        As ``check_run``.
    """

    def __init__(self, path, *, committed=False):
        self.path = Path(path)
        self.committed = committed
        check_run(self.path)
        self.request = _read_json(self.path, "request.json")
        self.provenance = _read_json(self.path, "provenance.json")

    def __repr__(self):
        return f"Run({self.path.name})"

    @property
    def settings(self):
        """Settings as they took effect."""
        return self.request["settings"]

    @property
    def seed(self):
        """The run's seed."""
        return self.request["seed"]

    @property
    def changed_modules(self):
        """Modules of the fitting code that differ from those that made this run."""
        return changed_modules(fit_module(self.request["study"]), self.provenance["code"])

    @property
    def predictions(self):
        """Per-case predictions; columns are `PREDICTION_COLUMNS`."""
        return pd.read_parquet(self.path / "predictions.parquet")

    @property
    def history(self):
        """One row an epoch."""
        # The slower engine gives back every digit, whatever the version of pandas.
        return pd.read_csv(self.path / "history.csv", engine="python")

    @property
    def weights(self):
        """Weights by name, or a clear error where they are not kept."""
        file = self.path / "weights.safetensors"
        if not file.exists():
            raise FileNotFoundError(
                f"run {self.path.name} is kept without weights; fit it in a folder of your own "
                "(results_dir) to have them"
            )
        return load_file(file)

    def embeddings(self):
        """Return ``(case ids, {selection rule: tensor of shape (k, d)})``."""
        file = self.path / "embeddings.safetensors"
        if not file.exists():
            raise FileNotFoundError(f"run {self.path.name} was fitted without embeddings")
        with safe_open(file, framework="pt") as tensors:
            ids = json.loads(tensors.metadata()["case_ids"])
        return ids, load_file(file)


def _read_json(folder, name):
    """Read a JSON object of a run folder, or say what is wrong with the file."""
    try:
        value = json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DamagedRunError(f"run {folder}: {name} cannot be read ({error})") from error
    if not isinstance(value, dict):
        raise DamagedRunError(f"run {folder}: {name} holds no JSON object")
    return value


def _write_json(path, value):
    path.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _file_facts(path):
    return {"bytes": path.stat().st_size, "sha256": _sha256(path)}


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(folder):
    """Force the files to disk before the folder gets its final name."""
    for file in folder.iterdir():
        with open(file, "rb") as handle:
            os.fsync(handle.fileno())
    _flush_names(folder)


def _flush_names(folder):
    """Force a folder's own entries to disk, where the system lets one open a folder."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
