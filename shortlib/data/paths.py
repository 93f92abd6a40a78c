"""Paths that tables and archives name, kept inside the data set's folder."""

from pathlib import Path, PurePosixPath

from shortlib.data.problems import DataError


def inside(root, relative):
    """Resolve a path that a table names against the data set's root.

    Parameters
    ----------
    root : pathlib.Path
    relative : str or pathlib.PurePath
        Below `root`, with forward slashes.

    Returns
    -------
    pathlib.Path
        With symbolic links followed.

    Raises
    ------
    DataError
        If the path is absolute, climbs with ``..``, or a symbolic link leads out
        of `root`. The root itself may be a link.
    """
    text = str(relative)
    parts = PurePosixPath(text.replace("\\", "/"))
    if not text or "\0" in text or parts.is_absolute() or ".." in parts.parts or ":" in text[:2]:
        raise DataError(
            "hostile path", f"{text!r} is not a path below the data set's root", path=root
        )
    root = Path(root).resolve()
    try:
        path = (root / parts).resolve()
    except (OSError, RuntimeError) as error:  # a link that leads to itself
        raise DataError("broken link", str(error), path=root / parts) from error
    if not path.is_relative_to(root):
        raise DataError(
            "link out of the root",
            f"leads to {path}; copy the file into the folder",
            path=root / parts,
        )
    return path


def existing(root, relative, what):
    """Resolve like :func:`inside` and insist on a file that has something in it.

    Parameters
    ----------
    root : pathlib.Path
    relative : str or pathlib.PurePath
    what : str
        What the file is, e.g. ``"image"``; names the problem.

    Raises
    ------
    DataError
        ``"missing <what>"`` or ``"empty <what>"`` besides what `inside` raises.
    """
    path = inside(root, relative)
    try:
        if not path.is_file():
            raise DataError(f"missing {what}", "there is no such file", path=Path(root) / relative)
        if path.stat().st_size == 0:
            raise DataError(f"empty {what}", "the file has no bytes", path=path)
    except OSError as error:  # a name that is too long, a folder that may not be read
        raise DataError(f"unreadable {what}", str(error), path=Path(root) / relative) from error
    return path


def data_set_root(root, name, *, holds):
    """Check that a folder is the root of a data set.

    Parameters
    ----------
    root : str or pathlib.Path
    name : str
        The data set.
    holds : sequence of str
        Files and folders of which the root has at least one.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    DataError
        If there is no such folder or it holds none of these; the sentence points to
        the right folder when it is one level up or down.
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError("no data", f"{name} needs a folder; there is none here", path=root)
    if any((root / entry).exists() for entry in holds):
        return root
    nearby = [root.parent, *sorted(p for p in root.iterdir() if p.is_dir())]
    right = next((p for p in nearby if any((p / entry).exists() for entry in holds)), None)
    hint = f"; {right} has it: give that folder as the root" if right else ""
    raise DataError(
        "wrong root",
        f"the root of {name} holds {' or '.join(holds)}, this folder does not{hint}",
        path=root,
    )
