"""Masks, shortcuts and covariates beside a data set whose own layout has no place for them.

A folder ``annotations`` in the root of any data set holds

- ``annotations.yml``: by field of masks, the names of its planes;
- ``<field>/<case id>.png``: 8-bit, one bit a plane, of the same field as the image;
- ``cases.csv``: ``case_id``, ``shortcut:<name>`` (0 or 1) and covariates.

Built-in data keep there what is known because they are made; anyone may add masks to a
real data set the same way.
"""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import yaml

from shortlib.data.cohort import PLANES
from shortlib.data.images import read_planes, same_field
from shortlib.data.paths import existing, inside
from shortlib.data.problems import DataError
from shortlib.data.rows import first_of_each
from shortlib.data.tables import read_table, table_columns, to_number, typed

FOLDER, LIST = "annotations", "annotations.yml"
PREFIX = "shortcut:"
_PICTURES = (".png", ".jpg", ".jpeg")  # whose size can be read without their pixels


def write_annotations(root, cohort, *, fields=tuple(PLANES)):
    """Write what a layout has no place for; batches of cases may follow each other.

    Parameters
    ----------
    root : pathlib.Path
        Of the data set.
    cohort : shortlib.data.Cohort
        Its case ids are those that the data set's reader gives.
    fields : sequence of str
        The masks to write, those that the cohort has.
    """
    folder = Path(root) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    present = dict(cohort.arrays())
    planes = {}
    for field in fields:
        if field in present:
            planes[field] = list(getattr(cohort, PLANES[field]))
            (folder / field).mkdir(exist_ok=True)
            for case_id, masks in zip(cohort.case_ids, present[field], strict=True):
                path = inside(folder, f"{field}/{_file_name(case_id)}")
                cv2.imwrite(str(path), _bits(np.asarray(masks)), [cv2.IMWRITE_PNG_COMPRESSION, 3])
    (folder / LIST).write_text(yaml.safe_dump(planes, sort_keys=True))
    table = pd.DataFrame({"case_id": cohort.case_ids})
    if cohort.shortcut is not None:
        flags = cohort.shortcut.reshape(len(cohort), -1).astype(int)
        for name, column in zip(cohort.shortcut_names or ("shortcut",), flags.T, strict=True):
            table[PREFIX + name] = column
    if cohort.covariates is not None:
        table = table.join(cohort.covariates.reset_index(drop=True))
    path = folder / "cases.csv"
    table.to_csv(path, mode="a", header=not path.exists(), index=False, lineterminator="\n")


def with_annotations(index):
    """Add what the folder ``annotations`` holds to an index.

    Parameters
    ----------
    index : shortlib.data.index.Index

    Returns
    -------
    shortlib.data.index.Index
        The same one where there is no such folder, or it holds none of the three: some
        data sets keep tables of their own in a folder of that name. What the data
        set's own layout holds goes before: a field that is read already stays as it is.

    Raises
    ------
    DataError
        If the folder's files are not as this module says, or a case has no row.
    """
    folder = index.root / FOLDER
    stated = any((folder / name).exists() for name in (LIST, *PLANES))
    if not stated and not (folder / "cases.csv").exists():
        return index
    planes = _stated_planes(folder) if stated else {}
    readers, names = dict(index.readers), dict(index.planes)
    for field, planes_of_field in planes.items():
        if field not in readers:
            readers[field] = _reader(index, folder, field, planes_of_field)
            names[field] = tuple(planes_of_field)
    index = _with_cases(replace(index, readers=readers, planes=names), folder)
    _check_shortcuts(index, folder)
    return index


def _with_cases(index, folder):
    if not (folder / "cases.csv").exists():
        return index
    path = existing(folder, "cases.csv", "table")
    header = table_columns(path)
    flags = [name for name in header if name.startswith(PREFIX)]
    known = {"", "case_id", *flags, *index.cases.columns}  # spreadsheets add columns without a name
    others = [name for name in header if name not in known]
    table = first_of_each(
        read_table(path, ["case_id", *flags, *others]), ["case_id"], path, index.problems
    )
    for name in flags:
        table[name] = to_number(table, name, path, allowed=(0, 1), whole=True).astype(bool)
    table = typed(table, others)
    missing = ~index.cases["case_id"].isin(table["case_id"])
    for case_id in index.cases.loc[missing, "case_id"]:
        index.problems.add(DataError("no annotation", f"case {case_id!r} has no row", path=path))
    own = bool(index.shortcuts)  # the data set says itself which case carries what
    kept = table[["case_id", *([] if own else flags), *others]]
    cases = index.cases[~missing].merge(kept, on="case_id", how="left", validate="many_to_one")
    shortcuts = index.shortcuts
    if flags and not own:
        shortcuts = tuple(name.removeprefix(PREFIX) for name in flags)
        cases = cases.rename(columns=dict(zip(flags, shortcuts, strict=True)))
    return replace(index, cases=cases, shortcuts=shortcuts, covariates=(*index.covariates, *others))


def _check_shortcuts(index, folder):
    shortcuts, planes = index.shortcuts, index.planes.get("shortcut_masks", ())
    twice = [name for name in shortcuts if list(index.cases.columns).count(name) > 1]
    if twice:
        raise DataError(
            "column twice", f"{twice[0]!r} is a shortcut and another column", path=folder
        )
    if planes and len(planes) != len(shortcuts):
        raise DataError(
            "shortcuts disagree",
            f"masks are of {', '.join(planes)}; flags are of {', '.join(shortcuts) or 'none'}",
            path=folder,
        )


def _stated_planes(folder):
    path = existing(folder, LIST, "list of planes")
    try:
        planes = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError("broken list of planes", " ".join(str(error).split()), path=path) from error
    ok = isinstance(planes, dict) and all(
        field in PLANES and isinstance(names, list) and len(names) <= 8
        for field, names in planes.items()
    )
    if not ok:
        raise DataError(
            "broken list of planes", f"by field ({', '.join(PLANES)}) at most 8 names", path=path
        )
    return planes


def _reader(index, folder, field, names):
    # Shortcuts are often thin: a hair, a tube. They must not vanish where images are made small.
    keep = "any" if field == "shortcut_masks" else "half"

    def read(case, size):
        path = existing(folder, f"{field}/{_file_name(case['case_id'])}", "annotation")
        image = case.get("image", "")
        if image.lower().endswith(_PICTURES):
            same_field(path, existing(index.root, image, "image"))
        masks = read_planes(path, len(names) or 1, size=size, fit=index.fit, keep=keep)
        return masks if names else masks[0]

    return read


def _bits(masks):
    masks = masks[None] if masks.ndim == 2 else masks
    weights = (1 << np.arange(len(masks), dtype=np.uint8)).astype(np.uint8)
    return (masks * weights[:, None, None]).sum(axis=0, dtype=np.uint8)


def _file_name(case_id):
    return f"{str(case_id).replace('/', '_')}.png"
