"""Tables of real data sets, read strictly: every cell is what its column says."""

import csv
import zlib

import pandas as pd

from shortlib.data.paths import existing, inside
from shortlib.data.problems import DataError


def table_path(root, name):
    """Return the path of a table that may be compressed, e.g. ``x.csv`` or ``x.csv.gz``.

    Raises
    ------
    DataError
        If neither is there, or the file is empty.
    """
    packed = f"{name}.gz"
    if not inside(root, name).is_file() and inside(root, packed).is_file():
        return existing(root, packed, "table")
    return existing(root, name, "table")


def read_table(path, columns, *, optional=(), sep=","):
    """Read a CSV table whose cells are text, checked and stripped.

    A byte order mark, Windows line ends, spaces around names and cells, and
    compression are taken as they come.

    Parameters
    ----------
    path : pathlib.Path
    columns : sequence of str
        Columns that must be there.
    optional : sequence of str
        Columns that are read when they are there.
    sep : str

    Returns
    -------
    pandas.DataFrame of str
        The wanted columns in the order asked for; an empty cell is ``""``. Row
        ``i`` of the frame is line ``i + 2`` of a file without line ends in cells.

    Raises
    ------
    DataError
        If the file is no table, is not UTF-8, lacks a column, has one twice, or a
        row has more or fewer cells than the header.
    """
    try:
        table = pd.read_csv(
            path,
            sep=sep,
            dtype=str,
            keep_default_na=False,
            na_values=[],
            encoding="utf-8-sig",
            skipinitialspace=True,
            index_col=False,
            header=None,
            on_bad_lines="error",
            low_memory=False,
        )
    except UnicodeDecodeError as error:
        raise DataError("table is not UTF-8", str(error), path=path) from error
    except pd.errors.EmptyDataError as error:
        raise DataError("empty table", "there is not even a header", path=path) from error
    except (pd.errors.ParserError, csv.Error, OSError, EOFError, zlib.error, ValueError) as error:
        raise DataError("broken table", " ".join(str(error).split()), path=path) from error
    header = [str(name).strip() for name in table.iloc[0].fillna("")]
    wanted = list(columns) + [name for name in optional if name in header]
    for name in wanted:
        if header.count(name) != 1:
            found = ", ".join(filter(None, header)) or "none"
            kind = "column twice" if name in header else "missing column"
            raise DataError(
                kind, f"{name!r} must be there once; columns are {found}"[:1000], path=path
            )
    short = table.isna().any(axis=1)
    if short.any():
        row = int(short.to_numpy().argmax())
        n = int(table.iloc[row].notna().sum())
        raise DataError(
            "short row", f"has {n} cells, the header has {len(header)}", path=path, row=row + 1
        )
    body = table.iloc[1:, [header.index(name) for name in wanted]].reset_index(drop=True)
    body.columns = wanted
    return body.apply(lambda column: column.str.strip())


def to_number(table, column, path, *, allowed=None, low=None, high=None, empty=None, whole=False):
    """Turn a column of text into numbers.

    Parameters
    ----------
    table : pandas.DataFrame
        As :func:`read_table` returns it.
    column : str
    path : pathlib.Path
        Of the table, for the error.
    allowed : sequence of float, optional
        The only values there may be.
    low, high : float, optional
        The least and the largest value.
    empty : float, optional
        What an empty cell stands for; by default it is an error.
    whole : bool
        Whether numbers must be integers; the result is then int64.

    Returns
    -------
    pandas.Series

    Raises
    ------
    DataError
        Naming the line and the cell.
    """
    text = table[column]
    numbers = pd.to_numeric(text.where(text != "", None), errors="coerce").astype(float)
    blank = text == ""
    bad = numbers.isna() & ~(blank if empty is not None else False)
    due = "a number"
    if allowed is not None:
        due = f"one of {', '.join(f'{value:g}' for value in allowed)}"
        bad |= ~numbers.isin(allowed) & numbers.notna()
    if low is not None or high is not None:
        due = f"a number from {'-inf' if low is None else low} to {'inf' if high is None else high}"
        bad |= (numbers < (low if low is not None else -float("inf"))) | (
            numbers > (high if high is not None else float("inf"))
        )
    if whole:
        due = due.replace("a number", "a whole number")
        bad |= numbers.notna() & (numbers % 1 != 0)
    if bad.any():
        row = int(bad.to_numpy().argmax())
        raise DataError(
            "bad cell", f"{column!r} must be {due}, got {text.iloc[row]!r}", path=path, row=row + 2
        )
    if empty is not None:
        numbers = numbers.mask(blank, empty)
    return numbers.astype("int64") if whole else numbers


def unique(table, columns, path, problems):
    """Leave out rows whose key occurred before.

    Parameters
    ----------
    table : pandas.DataFrame
    columns : list of str
        The key.
    path : pathlib.Path
    problems : shortlib.data.problems.Problems
        Is given one ``"duplicate row"`` for each row that is left out.

    Returns
    -------
    pandas.DataFrame
    """
    again = table.duplicated(columns).to_numpy()
    for row in again.nonzero()[0]:
        key = ", ".join(f"{name} {table[name].iloc[row]!r}" for name in columns)
        problems.add(
            DataError("duplicate row", f"{key} occurs before", path=path, row=int(row) + 2)
        )
    return table[~again].reset_index(drop=True)
