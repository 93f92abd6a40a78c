"""Unpacking what others packed: nothing is written before every member was looked at."""

import stat
import tarfile
import zipfile
from pathlib import Path

from shortlib.data.images import decoding
from shortlib.data.paths import inside
from shortlib.data.problems import DataError

MEMBERS = 2_000_000
# Text packs to a tenth or a fiftieth; a thousandth is a trap. Small archives may do as they like.
RATIO, HARMLESS = 200, 1 << 30


def unpack(archive, folder):
    """Unpack a tar or zip archive.

    Parameters
    ----------
    archive : pathlib.Path
    folder : pathlib.Path
        Must exist. Nothing is written outside of it.

    Raises
    ------
    DataError
        Before anything is written, if the file is no such archive, or a member is
        absolute, climbs with ``..``, is a link or a device, is encrypted, or the
        whole is far larger than its archive explains. Links are refused even where
        they stay inside: no data set needs them.
    """
    archive, folder = Path(archive), Path(folder)
    with decoding(archive, "archive"):
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                _check_all(opened.infolist(), _checked_zip, archive, folder)
                opened.extractall(folder)
        elif tarfile.is_tarfile(archive):
            with tarfile.open(archive) as opened:
                _check_all(opened, _checked_tar, archive, folder)
                opened.extractall(folder, filter="data")
        else:
            raise DataError("no archive", "neither tar nor zip", path=archive)


def _check_all(members, check, archive, folder):
    """Look at one member after the other, so that a bomb is noticed before its end."""
    limit = max(RATIO * archive.stat().st_size, HARMLESS)
    total = 0
    for count, member in enumerate(members, start=1):
        total += check(member, archive, folder)
        if total > limit or count > MEMBERS:
            raise DataError(
                "hostile archive",
                f"holds more than {limit} bytes or {MEMBERS} files, far more than its own size "
                "explains; nothing was unpacked",
                path=archive,
            )


def _checked_tar(member, archive, folder):
    _check_name(member.name, archive, folder)
    if not (member.isfile() or member.isdir()):
        raise _hostile(archive, member.name, "is a link or a device")
    return member.size


def _checked_zip(member, archive, folder):
    _check_name(member.filename, archive, folder)
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _hostile(archive, member.filename, "is a link or a device")
    if member.flag_bits & 1:
        raise _hostile(archive, member.filename, "is encrypted")
    return member.file_size


def _check_name(name, archive, folder):
    try:
        inside(folder, name)
    except DataError as error:
        raise _hostile(archive, name, "points outside") from error


def _hostile(archive, name, why):
    return DataError(
        "hostile archive", f"member {name!r} {why}; nothing was unpacked", path=archive
    )
