"""Folders that appear under their name only when they are complete."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from shortlib.data.problems import DataError


@contextmanager
def placed(target, *, keep=False, force=False):
    """Fill a folder beside `target` and give it that name when nothing went wrong.

    Parameters
    ----------
    target : pathlib.Path
    keep : bool
        Whether what was filled in stays when it goes wrong, so that the next attempt
        finds it. It never stands under the name of `target`.
    force : bool
        Replace a folder that is there when the new one is complete.

    Yields
    ------
    pathlib.Path or None
        The folder to fill; None when another process placed `target` meanwhile, so
        that there is nothing left to do.

    Raises
    ------
    DataError
        If `target` is there and `force` is not given.
    """
    target = Path(target)
    if is_taken(target) and not force:
        raise DataError("folder is taken", "there is something in it already", path=target)
    target.parent.mkdir(parents=True, exist_ok=True)
    filling = target.with_name(f".{target.name}.partial")
    with FileLock(target.with_name(f".{target.name}.lock")):
        if is_taken(target) and not force:
            yield None
            return
        if not keep:
            shutil.rmtree(filling, ignore_errors=True)
        filling.mkdir(exist_ok=True)
        try:
            yield filling
        except BaseException:
            if not keep:
                shutil.rmtree(filling, ignore_errors=True)
            raise
        _rename(filling, target)


def is_taken(target):
    """Return whether something other than an empty folder has this name."""
    target = Path(target)
    return target.exists() and not (target.is_dir() and next(target.iterdir(), None) is None)


def _rename(filling, target):
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        os.replace(target, old)
    os.replace(filling, target)
    shutil.rmtree(old, ignore_errors=True)
