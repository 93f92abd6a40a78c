"""Tables of real data sets, read strictly: every cell is what its column says."""

import csv
import gzip
import zlib
from contextlib import contextmanager

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
    with _rows(path, sep) as (header, rows):
        places = _places(header, columns, optional, path)
        body = {name: [] for name in places}
        for row in rows:
            if len(row) != len(header):
                if not row:
                    continue  # a blank line, often the last
                raise DataError(
                    "uneven row",
                    f"has {len(row)} cells, the header has {len(header)}",
                    path=path,
                    row=rows.line_num,
                )
            for name, place in places.items():
                body[name].append(row[place].strip())
    return pd.DataFrame(body, dtype=str)


def table_columns(path, *, sep=","):
    """Return the names of a table's columns.

    Raises
    ------
    DataError
        If the file is no table or has no header.
    """
    with _rows(path, sep) as (header, _):
        return header


@contextmanager
def _rows(path, sep):
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, delimiter=sep, skipinitialspace=True, strict=True)
            header = [name.strip() for name in next(rows, [])]
            if not any(header):
                raise DataError("empty table", "there is not even a header", path=path)
            yield header, rows
    except UnicodeDecodeError as error:
        raise DataError("table is not UTF-8", str(error), path=path) from error
    except (csv.Error, OSError, EOFError, zlib.error) as error:
        raise DataError("broken table", " ".join(str(error).split()), path=path) from error


def _places(header, columns, optional, path):
    places = {}
    for name in [*columns, *(name for name in optional if name in header)]:
        if header.count(name) != 1:
            kind = "column twice" if name in header else "missing column"
            found = ", ".join(filter(None, header))
            raise DataError(
                kind, f"{name!r} must be there once; columns are {found}"[:1000], path=path
            )
        places[name] = header.index(name)
    return places


def to_number(table, column, path, *, allowed=None, low=None, high=None, empty=None, whole=False):
    """Turn a column of text into numbers.

    Parameters
    ----------
    table : pandas.DataFrame
        As :func:`read_table` returns it, or rows of it with their index.
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
    numbers, bad, due = judged(
        table[column], allowed=allowed, low=low, high=high, empty=empty, whole=whole
    )
    if bad.any():
        row = bad.idxmax()
        sentence = f"{column!r} must be {due}, got {table.at[row, column]!r}"
        raise DataError("bad cell", sentence, path=path, row=int(row) + 2)
    return numbers.astype("int64") if whole else numbers


def judged(text, *, allowed=None, low=None, high=None, empty=None, whole=False):
    """Turn text into numbers and say which cells are not what is due.

    Parameters
    ----------
    text : pandas.Series of str
    allowed, low, high, empty, whole
        As in :func:`to_number`.

    Returns
    -------
    numbers : pandas.Series of float
    bad : pandas.Series of bool
    due : str
        What would be right.
    """
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
    return numbers if empty is None else numbers.mask(blank, empty), bad, due


def typed(table, columns):
    """Turn those of the columns into numbers that hold nothing but numbers and gaps.

    Parameters
    ----------
    table : pandas.DataFrame
        As :func:`read_table` returns it.
    columns : sequence of str

    Returns
    -------
    pandas.DataFrame
        A copy; a gap in a column of numbers is NaN.
    """
    table = table.copy()
    for name in columns:
        numbers = pd.to_numeric(table[name].where(table[name] != "", None), errors="coerce")
        if numbers.notna().sum() == (table[name] != "").sum() > 0:
            table[name] = numbers.astype(float)
    return table
