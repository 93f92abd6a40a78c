"""A run on disk: what files it has, how they are written whole and checked."""

import json
import os
import re
import shutil
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from shortlib.runs.code import changed_modules, fit_module
from shortlib.runs.disk import flush, flush_names, sha256

REQUIRED_FILES = ("history.csv", "predictions.parquet", "provenance.json", "request.json")
PREDICTION_COLUMNS = ("case_id", "split", "view", "label", "shortcut", "selection", "score")
OPTIONAL_FILES = ("weights.safetensors",)  # left out of what is committed
TABLE_NAME = re.compile(r"[\w-]+", re.ASCII)


class DamagedRunError(ValueError):
    """A run folder that is incomplete or was altered."""


@dataclass
class Fitted:
    """What a fit hands over to be kept.

    Attributes
    ----------
    predictions : pandas.DataFrame
        One row a case, test view and selection rule: `PREDICTION_COLUMNS`, then
        the study's own columns, which tell further rows of a case apart.
    history : pandas.DataFrame
        One row an epoch.
    weights : dict of str to torch.Tensor
    embeddings : dict of str to torch.Tensor
        By selection rule, shape (k, d), for the cases of `embedded_ids`.
    embedded_ids : list of str
    facts : dict
        Further provenance, e.g. the best epochs and the compute settings.
    tables : dict of str to pandas.DataFrame
        Further tables of the study's own, by a name of letters, digits, ``-`` and ``_``.
    examples : dict of str to torch.Tensor
        A few images and what belongs to them. Only of built-in data: a run may be
        committed.
    """

    predictions: pd.DataFrame
    history: pd.DataFrame
    weights: dict
    embeddings: dict = field(default_factory=dict)
    embedded_ids: list = field(default_factory=list)
    facts: dict = field(default_factory=dict)
    tables: dict = field(default_factory=dict)
    examples: dict = field(default_factory=dict)


def write_run(path, fitted, request, provenance):
    """Write a run folder under a temporary name and move it into place.

    A process that dies at any moment leaves nothing under `path`; of two processes
    that finish the same run, the first one's folder stays.
    """
    path = Path(path)
    missing = set(PREDICTION_COLUMNS) - set(fitted.predictions.columns)
    if missing:
        raise ValueError(f"predictions lack the columns {sorted(missing)}")
    for name in fitted.tables:
        if name == "predictions" or not TABLE_NAME.fullmatch(name):
            raise ValueError(
                f"tables are named by letters, digits, - and _, and not 'predictions', got {name!r}"
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.parent / f".unfinished-{path.name}-{uuid.uuid4().hex[:8]}"
    unfinished.mkdir()
    try:
        further = [c for c in fitted.predictions.columns if c not in PREDICTION_COLUMNS]
        predictions = fitted.predictions[[*PREDICTION_COLUMNS, *further]]
        for name, table in {"predictions": predictions, **fitted.tables}.items():
            table.to_parquet(unfinished / f"{name}.parquet", index=False, compression="zstd")
        fitted.history.to_csv(unfinished / "history.csv", index=False)
        save_file(fitted.weights, unfinished / "weights.safetensors")
        if fitted.embeddings:
            save_file(
                fitted.embeddings,
                unfinished / "embeddings.safetensors",
                metadata={"case_ids": json.dumps(fitted.embedded_ids)},
            )
        if fitted.examples:
            save_file(fitted.examples, unfinished / "examples.safetensors")
        _write_json(unfinished / "request.json", request.to_dict())
        _write_json(unfinished / "provenance.json", {**provenance, **fitted.facts})
        listed = {f.name: _file_facts(f) for f in sorted(unfinished.iterdir())}
        _write_json(unfinished / "files.json", listed)
        flush(unfinished)
        try:
            os.rename(unfinished, path)
        except OSError:
            if not path.exists():
                raise
        flush_names(path.parent)
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


def _check_file(path, name, expected, checksum):
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
    if name not in OPTIONAL_FILES and sha256(file) != checksum:
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
        """Per-case predictions: `PREDICTION_COLUMNS`, then the study's own columns."""
        return pd.read_parquet(self.path / "predictions.parquet")

    def table(self, name):
        """Return one of the study's own tables by its name."""
        return pd.read_parquet(self._kept(f"{name}.parquet", f"a table {name!r}"))

    def examples(self):
        """Return the tensors of the run's examples by name."""
        return load_file(self._kept("examples.safetensors", "examples"))

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
        file = self._kept("embeddings.safetensors", "embeddings")
        with safe_open(file, framework="pt") as tensors:
            ids = json.loads(tensors.metadata()["case_ids"])
        return ids, load_file(file)

    def _kept(self, name, what):
        """Return a file that not every run has, or a clear error."""
        file = self.path / name
        if not file.exists():
            raise FileNotFoundError(f"run {self.path.name} was fitted without {what}")
        return file


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
    return {"bytes": path.stat().st_size, "sha256": sha256(path)}
