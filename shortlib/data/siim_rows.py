"""The rows of run lengths of SIIM-ACR, of which an image has one or several."""

import numpy as np

from shortlib.data.problems import DataError
from shortlib.data.rle import NO_MASK, decode
from shortlib.data.rows import first_of_each, leave_out
from shortlib.data.tables import read_table


def join_rows(cases, path, problems, *, unannotated="problem"):
    """Join images to their rows of run lengths.

    Parameters
    ----------
    cases : pandas.DataFrame
        With ``case_id`` and ``image``, a path below the folder of the table.
    path : pathlib.Path
        Of the table, with the columns ``ImageId`` and ``EncodedPixels``.
    problems : shortlib.data.problems.Problems
        Is given images without a row, rows without an image, rows that occur twice,
        empty cells, and images with masks and ``-1``.
    unannotated : str
        What an image without a row is: a ``"problem"``, or to ``"leave out"``.

    Returns
    -------
    cases : pandas.DataFrame
        The images that have sound rows, with ``label`` (1: has a mask), ``runs``
        (parted by ``|``, empty without a mask) and ``lines`` of the table.
    without : int
        How many images have no row.
    """
    rows = read_table(path, ["ImageId", "EncodedPixels"])
    said = set(rows["ImageId"])
    empty = rows["EncodedPixels"] == ""
    negative = rows["EncodedPixels"] == NO_MASK
    both = negative.groupby(rows["ImageId"]).transform("nunique") > 1
    spoilt = set(rows.loc[empty | both, "ImageId"])
    rows = leave_out(
        rows,
        empty,
        "no run lengths",
        lambda row: f"{row['ImageId']!r} has an empty cell; {NO_MASK} says that there is no mask",
        path,
        problems,
    )
    rows = leave_out(
        rows,
        both[rows.index],
        "contradiction",
        lambda row: f"{row['ImageId']!r} has rows with a mask and a row with {NO_MASK}",
        path,
        problems,
    )
    rows = first_of_each(rows, ["ImageId", "EncodedPixels"], path, problems)
    rows = leave_out(
        rows,
        ~rows["ImageId"].isin(cases["case_id"]),
        "missing image",
        lambda row: f"there is no image {row['ImageId']!r}",
        path,
        problems,
    )
    without = cases.loc[~cases["case_id"].isin(said), "image"]
    if unannotated == "problem":
        for image in without:
            problems.add(
                DataError("no row", f"the image has none in {path.name}", path=path.parent / image)
            )
    rows = rows[~rows["ImageId"].isin(spoilt)].assign(line=lambda table: table.index + 2)
    rows["line"] = rows["line"].astype(str)
    joined = rows.groupby("ImageId").agg(runs=("EncodedPixels", "|".join), lines=("line", " ".join))
    cases = cases.join(joined, on="case_id", how="inner").reset_index(drop=True)
    cases["label"] = (cases["runs"] != NO_MASK).astype(np.int64)
    cases["runs"] = cases["runs"].where(cases["label"] == 1, "")
    return cases, len(without)


def united(runs, lines, side, path):
    """Decode the masks of one image and unite them.

    Parameters
    ----------
    runs, lines : str
        As :func:`join_rows` gives them.
    side : int
        Height and width of the image in pixels.
    path : pathlib.Path
        Of the table, for the error.

    Returns
    -------
    numpy.ndarray of bool, shape (side, side)

    Raises
    ------
    DataError
        Naming the line whose run lengths are wrong.
    """
    mask = np.zeros((side, side), bool)
    if not runs:
        return mask
    for line, text in zip(lines.split(), runs.split("|"), strict=True):
        try:
            mask |= decode(text, (side, side))
        except ValueError as error:
            raise DataError("bad run lengths", str(error), path=path, row=int(line)) from error
    return mask
