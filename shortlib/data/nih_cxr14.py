"""NIH ChestX-ray14: frontal radiographs with 14 findings mined from reports, and some boxes.

``Data_Entry_2017*.csv`` (here ``Data_Entry_subset.csv``) has a row an image,
``BBox_List_2017.csv`` (``BBox_subset.csv``) a row a box [1]_. Images are in ``images/``
or in the ``images_001/images/`` ... of the download, 1024 px, or smaller in the prepared
subset, which names its files in a column ``file``.

.. [1] Wang et al., "ChestX-ray8: Hospital-scale Chest X-ray Database and Benchmarks",
   CVPR 2017.
"""

import re

import numpy as np
import pandas as pd

from shortlib.data.drawn_splits import split_by_shares
from shortlib.data.images import read_image
from shortlib.data.index import Index
from shortlib.data.paths import data_set_root, existing, inside
from shortlib.data.problems import DataError
from shortlib.data.rows import first_of_each, leave_out
from shortlib.data.tables import read_table, to_number

NAME = "NIH ChestX-ray14"
SIZE = 320
# Boxes are in pixels of the originals, whatever the size of the images here.
ORIGINAL = 1024
ENTRIES = (
    "Data_Entry_subset.csv",
    "Data_Entry_2017_v2020.csv",
    "Data_Entry_2017.csv",
    "Data_Entry_2017_v2020.csv.gz",
)
BOXES = ("BBox_subset.csv", "BBox_List_2017.csv", "BBox_List_2017.csv.gz")
OFFICIAL = ("train_val_list.txt", "test_list.txt")
FINDINGS = (
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Effusion",
    "Emphysema",
    "Fibrosis",
    "Hernia",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pleural_Thickening",
    "Pneumonia",
    "Pneumothorax",
)
NO_FINDING = "No Finding"
FRACTIONS = {"train": 0.7, "validation": 0.1, "test": 0.2}

_OLDEST = 120
# The table of boxes has a name of its own for one finding.
_IN_BOXES = {"Infiltrate": "Infiltration"}
_AGE = re.compile(r"[0-9]{1,4}[YMD]?")
_COLUMNS = {
    "Image Index": "name",
    "Finding Labels": "findings",
    "Patient ID": "patient_id",
    "Patient Age": "age",
    "Patient Gender": "sex",
    "View Position": "view",
}


def read_index(root, *, problems, side=None, fractions=None, official=None, seed=0, fit="crop"):
    """List the cases of a tree in the layout of NIH ChestX-ray14.

    Parameters
    ----------
    root : str or pathlib.Path
    problems : shortlib.data.problems.Problems
    side : int, optional
        Height and width that every image has, in pixels: 1024 in the original, 320
        in the prepared subset. By default any.
    fractions : dict of str to float, optional
        Shares of the patients; by default 0.7, 0.1 and 0.2 for train, validation and
        test.
    official : bool, optional
        Take the test patients of ``test_list.txt``, and draw the other parts from
        ``train_val_list.txt``. By default when both files are there.
    seed : int
        Of the split.
    fit : str
        See :func:`shortlib.data.images.fit_to`.

    Returns
    -------
    shortlib.data.index.Index
        Labels are 1 or 0 for each of `FINDINGS`; all are 0 for "No Finding". Ages
        above 120 years, of which the original has some, are taken as unknown.

    Raises
    ------
    DataError
        If the root, a table or a column is missing.
    """
    root = data_set_root(root, NAME, holds=ENTRIES)
    path = existing(root, _first(root, ENTRIES), "table")
    cases = read_table(path, list(_COLUMNS), optional=["file"]).rename(columns=_COLUMNS)
    cases = first_of_each(cases, ["name"], path, problems)
    cases = _with_labels(cases, path, problems)
    cases = leave_out(
        cases,
        cases["patient_id"] == "",
        "bad cell",
        lambda row: f"'Patient ID' of {row['name']!r} is empty",
        path,
        problems,
    )
    cases = _with_years(cases, path, problems)
    cases["case_id"] = cases["name"].str.rsplit(".", n=1).str[0]
    cases = first_of_each(cases, ["case_id"], path, problems)
    cases["image"] = _places(root, cases["file" if "file" in cases else "name"])
    cases = cases.reset_index(drop=True)
    if not len(cases):
        raise DataError("no cases", "the table has no row that can be used", path=path)
    there = all((root / name).is_file() for name in OFFICIAL)
    fractions = fractions or FRACTIONS
    if official or (official is None and there):
        cases = _official(cases, root, fractions, seed, problems)
    else:
        cases["split"] = split_by_shares(cases, fractions, strata=None, seed=seed, root=root)
    return Index(
        name=NAME,
        root=root,
        cases=cases,
        readers={"images": _image(root, side, fit)},
        size=SIZE,
        files=("image",),
        labels=FINDINGS,
        label_names=FINDINGS,
        covariates=("age", "sex", "view"),
        fit=fit,
        problems=problems,
    )


def boxes(root, *, size=ORIGINAL):
    """Read the boxes that radiologists drew.

    Parameters
    ----------
    root : str or pathlib.Path
    size : int
        Side in pixels of the square images that the boxes are for: coordinates in
        the table are those of the original 1024 px, and are scaled by
        ``size / 1024``.

    Returns
    -------
    pandas.DataFrame
        ``case_id``, ``finding`` (one of `FINDINGS`), ``x``, ``y`` (the upper left
        corner), ``width`` and ``height`` in pixels of an image of `size`.

    Raises
    ------
    DataError
        If there is no such table, or a box is no box.
    """
    root = data_set_root(root, NAME, holds=BOXES)
    path = existing(root, _first(root, BOXES), "table")
    # The header's own name has commas in it: "Bbox [x,y,w,h]".
    table = read_table(path, ["Image Index", "Finding Label", "Bbox [x", "y", "w", "h]"])
    found = pd.DataFrame({"case_id": table["Image Index"].str.rsplit(".", n=1).str[0]})
    found["finding"] = table["Finding Label"].replace(_IN_BOXES)
    unknown = ~found["finding"].isin(FINDINGS)
    if unknown.any():
        row = int(unknown.to_numpy().argmax())
        label = table["Finding Label"][row]
        raise DataError("unknown finding", f"got {label!r}", path=path, row=row + 2)
    for column, name in (("Bbox [x", "x"), ("y", "y"), ("w", "width"), ("h]", "height")):
        low = 0 if name in "xy" else 1e-6
        found[name] = to_number(table, column, path, low=low, high=ORIGINAL) * size / ORIGINAL
    return found


def _image(root, side, fit):
    def read(case, size):
        path = existing(root, case["image"], "image")
        return read_image(path, size=size, fit=fit, expected=None if side is None else (side, side))

    return read


def _first(root, names):
    return next(name for name in names if (root / name).exists())


def _with_labels(cases, path, problems):
    """Turn ``"Mass|Nodule"`` into columns of 0 and 1."""
    found = cases["findings"].str.get_dummies("|")
    known = [*FINDINGS, NO_FINDING]
    unknown = [name for name in found.columns if name not in known]
    nothing = found.reindex(columns=[NO_FINDING], fill_value=0)[NO_FINDING] == 1
    bad = found[unknown].any(axis=1) | (
        nothing == found.drop(columns=NO_FINDING, errors="ignore").any(axis=1)
    )
    labels = found.reindex(columns=FINDINGS, fill_value=0).astype(np.float32)
    return leave_out(
        cases.join(labels),
        bad,
        "bad labels",
        lambda row: (
            f"{row['findings']!r} should be findings parted by |, or {NO_FINDING!r} alone; "
            f"findings are {', '.join(FINDINGS)}"
        ),
        path,
        problems,
    ).copy()


def _with_years(cases, path, problems):
    """Read ``58``, ``058Y`` or ``011M``; nobody is older than 120."""
    cases = leave_out(
        cases,
        (cases["age"] != "") & ~cases["age"].str.fullmatch(_AGE),
        "bad cell",
        lambda row: f"'Patient Age' is like 58 or 058Y, got {row['age']!r}",
        path,
        problems,
    )
    ages = cases["age"]
    unit = ages.str[-1:].map({"M": 1 / 12, "D": 1 / 365.25}).astype(float).fillna(1.0)
    years = pd.to_numeric(ages.str.rstrip("YMD").where(ages != "", None)).astype(float) * unit
    return cases.assign(age=years.where(years <= _OLDEST))


def _places(root, names):
    """Return the path of each image below the root, without opening any."""
    parts = sorted(p.name for p in root.glob("images_[0-9]*") if p.is_dir())
    if not parts or inside(root, "images").is_dir():
        return "images/" + names
    where = {}
    for part in parts:
        folder = f"{part}/images" if (root / part / "images").is_dir() else part
        where.update((p.name, f"{folder}/{p.name}") for p in inside(root, folder).iterdir())
    return names.map(where).fillna("images/" + names)


def _official(cases, root, fractions, seed, problems):
    part = {}
    for name in OFFICIAL:
        path = existing(root, name, "list of images")
        try:
            lines = path.read_text(encoding="utf-8-sig").split()
        except UnicodeDecodeError as error:
            raise DataError("list is not UTF-8", str(error), path=path) from error
        part.update(dict.fromkeys(lines, name))
    listed = cases["name"].map(part)
    for name in cases.loc[listed.isna(), "name"]:
        problems.add(DataError("no split", f"{name!r} is in neither list", path=root / OFFICIAL[0]))
    cases = cases[listed.notna()].reset_index(drop=True)
    drawn = cases["name"].map(part) == OFFICIAL[0]
    cases["split"] = "test"
    shares = {name: share for name, share in fractions.items() if name != "test"}
    shares = {name: share / sum(shares.values()) for name, share in shares.items()}
    cases.loc[drawn, "split"] = split_by_shares(
        cases[drawn], shares, strata=None, seed=seed, root=root
    )
    return cases
