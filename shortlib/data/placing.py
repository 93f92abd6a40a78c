"""Folders that appear under their name only when they are complete."""

import json
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


def new_folder(root):
    """Return a folder as a path, and insist that nothing is in it yet.

    Parameters
    ----------
    root : str or pathlib.Path

    Returns
    -------
    pathlib.Path

    Raises
    ------
    DataError
        If there is something in the folder already.
    """
    if is_taken(root):
        raise DataError("folder is taken", "give a new or empty folder", path=root)
    return Path(root)


def read_record(path, has, remedy):
    """Read what was recorded in a data set's folder.

    Parameters
    ----------
    path : pathlib.Path
        Of the record, JSON.
    has : sequence of str
        Entries it must have, each a mapping.
    remedy : str
        What to do about a broken one, e.g. ``"make the set again"``.

    Returns
    -------
    dict or None
        None where there is no such file.

    Raises
    ------
    DataError
        If the record is there and cannot be read.
    """
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        for name in has:
            record[name].items()
    except (ValueError, KeyError, AttributeError, TypeError, OSError) as error:
        raise DataError("broken record", f"{error!r}; {remedy}", path=path) from error
    return record


def _rename(filling, target):
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        os.replace(target, old)
    os.replace(filling, target)
    shutil.rmtree(old, ignore_errors=True)
