"""``Info.cfg``: what ACDC says of one patient, a key and a value on each line."""

import re

import numpy as np

from shortlib.data.problems import DataError

# Phases are counted from 1.
_WHOLE, _MEASURE = ("ED", "ES", "NbFrame"), ("Height", "Weight")
_NEEDED = ("ED", "ES", "Group")


def read_info(path):
    """Read and check an ``Info.cfg``.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    dict
        ``ED`` and ``ES`` (int, from 1), ``Group`` (str) and, where they are there,
        ``NbFrame`` (int), ``Height`` in cm and ``Weight`` in kg (float); other keys
        as text.

    Raises
    ------
    DataError
        If the file is no text, a line is no ``key: value``, a key is there twice or
        missing, a value is no number where one is due, or a phase is outside the
        cine.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (UnicodeDecodeError, OSError) as error:
        raise DataError("broken Info.cfg", str(error), path=path) from error
    info = {}
    for row, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        key, colon, value = (part.strip() for part in line.partition(":"))
        if not colon or not key:
            raise DataError(
                "broken Info.cfg", f"'key: value' is due, got {line[:80]!r}", path=path, row=row
            )
        if key in info:
            raise DataError("key twice", f"{key!r} occurs before", path=path, row=row)
        info[key] = _value(key, value, path, row)
    for key in _NEEDED:
        if key not in info:
            there = ", ".join(info) or "nothing"
            raise DataError("missing key", f"{key!r} is due; the file has {there}"[:500], path=path)
    _check_phases(info, path)
    return info


def _value(key, text, path, row):
    if key in _WHOLE:
        if not re.fullmatch(r"[0-9]{1,4}", text) or int(text) < 1:
            raise DataError(
                "bad value",
                f"{key!r} is a whole number from 1, got {text[:80]!r}",
                path=path,
                row=row,
            )
        return int(text)
    if key in _MEASURE:
        try:
            number = float(text)
        except ValueError:
            number = np.nan
        if not 0 < number < 1000:
            due = "cm" if key == "Height" else "kg"
            raise DataError(
                "bad value", f"{key!r} is a number in {due}, got {text[:80]!r}", path=path, row=row
            )
        return number
    if key == "Group" and not text:
        raise DataError("bad value", "'Group' is empty", path=path, row=row)
    return text


def _check_phases(info, path):
    frames = info.get("NbFrame")
    for phase in ("ED", "ES"):
        if frames is not None and info[phase] > frames:
            raise DataError(
                "frame out of range",
                f"{phase} is frame {info[phase]}, the cine has {frames} (NbFrame)",
                path=path,
            )
    if info["ED"] == info["ES"]:
        raise DataError("frame out of range", f"ED and ES are both frame {info['ED']}", path=path)
