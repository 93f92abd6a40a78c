"""Copy runs to the folder that is committed, without their weights."""

import os
import shutil
import uuid

from shortlib.runs.folder import OPTIONAL_FILES


def keep_run(run, committed):
    """Copy a run folder to the committed results, whole or not at all.

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
        os.rename(unfinished, target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return target
