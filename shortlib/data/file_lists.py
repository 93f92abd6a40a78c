"""Which files of a data set may be fetched, from where, and what their checksums are."""

import re
from dataclasses import dataclass

from shortlib.data.paths import inside
from shortlib.data.problems import DataError, Problems
from shortlib.data.rows import first_of_each
from shortlib.data.tables import read_table, to_number

COLUMNS = ["file", "repository", "commit", "path", "bytes", "sha256"]


@dataclass(frozen=True)
class Remote:
    """One original.

    Parameters
    ----------
    file : str
        Where the prepared file goes, below the data set's root.
    url : str
    below : str
        Where it lies below the URL or the folder of a mirror.
    sha256 : str
    bytes : int or None
    unpack : bool
        Whether it is an archive to unpack into `file`.
    """

    file: str
    url: str
    below: str
    sha256: str
    bytes: int | None = None
    unpack: bool = False


def read_file_list(manifest):
    """List the originals of a data set, in the order of its list.

    Parameters
    ----------
    manifest : shortlib.data.manifest.Manifest

    Returns
    -------
    list of Remote
        Empty for a data set that is not fetched.

    Raises
    ------
    DataError
        If the table beside the manifest is broken: a column is missing, a path leads
        out of the root, a file is there twice, a checksum is none.
    """
    remotes = [
        Remote(
            item.path,
            item.url,
            f"{manifest.name}/{item.path}",
            item.sha256,
            item.bytes,
            item.unpack,
        )
        for item in manifest.files
    ]
    if manifest.file_list is None:
        return remotes
    path = manifest.list_path()
    table = first_of_each(read_table(path, COLUMNS), ["file"], path, Problems("raise"))
    table["bytes"] = to_number(table, "bytes", path, low=0, whole=True)
    for row, entry in enumerate(table.to_dict("records"), start=2):
        _check(entry, path, row)
        below = f"{entry['repository']}/{entry['commit']}/{entry['path']}"
        url = manifest.file_list.address(entry)
        remotes.append(Remote(entry["file"], url, below, entry["sha256"], int(entry["bytes"])))
    return remotes


def _check(entry, path, row):
    for column, pattern, due in (
        ("sha256", r"[0-9a-f]{64}", "64 hexadecimal digits"),
        ("commit", r"[0-9a-f]{40}", "40 hexadecimal digits"),
        ("repository", r"[\w.-]+/[\w.-]+", "owner/name"),
    ):
        if not re.fullmatch(pattern, entry[column]):
            raise DataError(
                "bad cell", f"{column!r} must be {due}, got {entry[column]!r}", path=path, row=row
            )
    for column in ("file", "path"):
        inside(path.parent, entry[column])
