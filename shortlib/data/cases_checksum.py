"""One checksum for a table of cases, the same wherever and by whatever the table was read."""

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd


def cases_checksum(cases, roles, root):
    """Return a SHA-256 over a table of cases, in the order of its rows.

    Columns enter by name, not by place or type: whether a label is 1, 1.0 or True
    depends on its neighbours and on the version of pandas.

    Parameters
    ----------
    cases : pandas.DataFrame
    roles : dict of str to sequence of str
        What else is to be the same, e.g. which columns are labels.
    root : pathlib.Path
        Left out of the paths in the table.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    roles = {name: list(values) for name, values in roles.items()}
    checksum = hashlib.sha256(json.dumps([len(cases), roles], sort_keys=True).encode())
    for name in sorted(cases.columns):
        values = [_plain(value, root) for value in cases[name].tolist()]
        checksum.update(json.dumps([name, values]).encode())
    return checksum.hexdigest()


def _plain(value, root):
    """Return a cell as JSON has it."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Path):
        return (value.relative_to(root) if value.is_relative_to(root) else value).as_posix()
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(part, root) for part in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(value[key], root) for key in sorted(value)}
    if pd.isna(value):
        return None
    if isinstance(value, bool | int):
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return int(value) if value.is_integer() else value
    return str(value)
