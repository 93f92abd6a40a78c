"""Copy runs to the folder that is committed, without their weights."""

import json
import os
import shutil
import uuid

from shortlib.runs.disk import sha256
from shortlib.runs.folder import OPTIONAL_FILES


def keep_run(run, committed):
    """Copy a run folder to the committed results, whole or not at all.

    Where the data lay is left out: it is no part of the run's key, and a path of one
    machine says nothing on another.

    Parameters
    ----------
    run : shortlib.runs.Run
    committed : pathlib.Path
        The ``results`` folder of a checkout.

    Returns
    -------
    pathlib.Path or None
        The new folder; None if the run is there already.
    """
    target = committed / run.request["study"] / run.path.name
    if target.exists():
        return None
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".unfinished-{target.name}-{uuid.uuid4().hex[:8]}")
    try:
        shutil.copytree(run.path, unfinished, ignore=shutil.ignore_patterns(*OPTIONAL_FILES, ".*"))
        for file in unfinished.iterdir():
            file.chmod(0o644)  # safetensors are written for their owner alone
        _forget_place(unfinished)
        os.rename(unfinished, target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return target


def _forget_place(folder):
    """Take the data's path out of a run's request, and state the file's new checksum."""
    request, files = folder / "request.json", folder / "files.json"
    asked = json.loads(request.read_text(encoding="utf-8"))
    if asked.get("data_root") is None:
        return
    _write(request, {**asked, "data_root": None})
    listed = json.loads(files.read_text(encoding="utf-8"))
    listed[request.name] = {"bytes": request.stat().st_size, "sha256": sha256(request)}
    _write(files, listed)


def _write(path, value):
    path.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")
