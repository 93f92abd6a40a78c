"""Rows of a table that cannot be used: each is raised or counted, then left out."""

from shortlib.data.problems import DataError
from shortlib.data.splits import leaking_patients
from shortlib.data.tables import judged


def leave_out(table, bad, kind, sentence, path, problems):
    """Leave out rows, and say why for each of them.

    Parameters
    ----------
    table : pandas.DataFrame
        Its index is the one that :func:`shortlib.data.tables.read_table` gave, so
        that a row's line is known after other rows were left out.
    bad : array_like of bool, shape (n,)
    kind : str
        Of the problem.
    sentence : callable
        ``sentence(row)`` with a bad row as a mapping returns what was found and
        what would be right.
    path : pathlib.Path
        Of the table.
    problems : shortlib.data.problems.Problems

    Returns
    -------
    pandas.DataFrame
        The same one when no row is bad.
    """
    bad = bad.to_numpy(dtype=bool)
    if not bad.any():
        return table
    found = table[bad]
    for line, row in zip(found.index + 2, found.to_dict("records"), strict=True):
        problems.add(DataError(kind, sentence(row), path=path, row=int(line)))
    return table[~bad]


def first_of_each(table, columns, path, problems):
    """Leave out rows whose key occurred before.

    Parameters
    ----------
    table, path, problems
        As for :func:`leave_out`.
    columns : list of str
        The key.

    Returns
    -------
    pandas.DataFrame
    """
    return leave_out(
        table,
        table.duplicated(columns),
        "duplicate row",
        lambda row: f"{', '.join(f'{name} {row[name]!r}' for name in columns)} occurs before",
        path,
        problems,
    )


def numbers_of_each(table, column, path, problems, **due):
    """Turn a column of text into numbers, and leave out rows in which it is none.

    Parameters
    ----------
    table, path, problems
        As for :func:`leave_out`.
    column : str
    **due
        What the numbers must be; see :func:`shortlib.data.tables.to_number`.

    Returns
    -------
    pandas.DataFrame
        With the column as float.
    """
    numbers, bad, right = judged(table[column], **due)
    kept = leave_out(
        table,
        bad,
        "bad cell",
        lambda row: f"{column!r} must be {right}, got {row[column]!r}",
        path,
        problems,
    )
    return kept.assign(**{column: numbers[kept.index]})


def patients_in_one_part(table, path, problems):
    """Leave out the rows of patients that are in more than one part of a split.

    Parameters
    ----------
    table, path, problems
        As for :func:`leave_out`; the columns are ``patient`` and ``split``.

    Returns
    -------
    pandas.DataFrame
    """
    leaking = leaking_patients(table["patient"], table["split"])
    return leave_out(
        table,
        table["patient"].isin(list(leaking)),
        "patient in two parts",
        lambda row: f"{row['patient']!r} is in {' and '.join(leaking[row['patient']])}",
        path,
        problems,
    )
