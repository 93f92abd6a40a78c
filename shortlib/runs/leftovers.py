"""What killed processes leave in a study's folder, and when it is removed."""

import shutil
import time
from contextlib import suppress
from pathlib import Path

from shortlib.methods.checkpoint_parts import SUFFIX

DAY = 86400.0
KEPT_DAYS = 30  # a checkpoint that nobody came back to


def lock_path(run_folder):
    """Return the file that a process locks while it fits a run."""
    return run_folder.with_name(f".{run_folder.name}.lock")


def checkpoint_path(run_folder):
    """Return the file that a fit's state is kept in; its name holds the code's version."""
    return run_folder.with_name(f".{run_folder.name}{SUFFIX}")


def set_aside_path(path):
    """Return a hidden name beside `path` for what is damaged."""
    return path.with_name(f".damaged-{path.name.lstrip('.')}-{time.time_ns()}")


def clear_leftovers(folder):
    """Remove what no process can be using any more.

    That is: run folders and checkpoints whose writing was cut short and checkpoints of
    finished runs, after a day; other checkpoints, after 30 days. Damaged runs that were
    set aside stay, and so do lock files, which are empty: removing one could let two
    processes hold the same lock.

    Parameters
    ----------
    folder : pathlib.Path
        A study's folder in a store.
    """
    for path in sorted(Path(folder).glob(".*")):
        days = _days_to_keep(path)
        with suppress(OSError):  # another process may be clearing as well
            if days is None or time.time() - path.stat().st_mtime < days * DAY:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _days_to_keep(path):
    name = path.name
    if name.startswith(".unfinished-"):
        return 1
    if name.startswith("..") and SUFFIX in name:  # a checkpoint that was being saved
        return 1
    if name.startswith(".damaged-") and SUFFIX in name:
        return KEPT_DAYS
    if name.endswith(SUFFIX):
        run = name.removeprefix(".").removesuffix(SUFFIX)
        whole = run.rpartition(".")[0] or run  # if it is the checkpoint of a part
        finished = any(path.with_name(folder).exists() for folder in (run, whole))
        return 1 if finished else KEPT_DAYS
    return None
