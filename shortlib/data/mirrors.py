"""Folders that stand in for the hosts: prepared data sets, or originals by repository."""

import os
from pathlib import Path

from shortlib.data.paths import existing, inside
from shortlib.data.problems import DataError


def prepared_in(folder, manifest, listed):
    """Return the prepared data set in a mirror, or None if the mirror holds originals.

    Parameters
    ----------
    folder : pathlib.Path
        The mirror: the data set itself, or a folder that holds it under its name;
        hyphens of the name may be underscores.
    manifest : shortlib.data.manifest.Manifest
    listed : list of shortlib.data.file_lists.Remote

    Returns
    -------
    pathlib.Path or None

    Raises
    ------
    DataError
        If there is neither.
    """
    named = [folder / manifest.name, folder / manifest.name.replace("-", "_")]
    if not listed:
        # Without a list only the reader can say whether the folder is the data set.
        return next((place for place in named if place.is_dir()), folder)
    for place in (*named, folder):
        if any((place / entry.file).is_file() for entry in listed):
            return place
    if any((folder / entry.below).is_file() for entry in listed):
        return None
    raise DataError(
        "nothing in the mirror",
        f"neither {manifest.name} as it is prepared ({listed[0].file}) nor its originals "
        f"({listed[0].below})",
        path=folder,
    )


def original_in(folder, entry):
    """Return the path of an original in a mirror; see :class:`Remote` for where it lies."""
    return existing(folder, entry.below, "original")


def copy_of(source):
    """List the files of a folder, hidden ones left out.

    Returns
    -------
    list of str
        Below `source`, with forward slashes, sorted.

    Raises
    ------
    DataError
        If a symbolic link leads out of `source`.
    """
    source, found = Path(source), []
    for place, folders, files in os.walk(source):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            if not name.startswith("."):
                file = (Path(place) / name).relative_to(source).as_posix()
                inside(source, file)
                found.append(file)
    return sorted(found)
