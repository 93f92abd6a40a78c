"""Anyone's own images: a folder and one table that says what each image is.

``cases.csv`` in the root has a row for each image:

- ``image``: path below the root;
- ``label``: a class, by name or number; or one ``label:<name>`` column for each finding, with
  1, 0, -1 (uncertain) or nothing (not mentioned); one finding alone is 1 or 0;
- ``patient``, optional: keeps a patient's images in one part of a split;
- ``split``, optional: part of each image, the same for all of a patient; drawn by patient where it
  is missing;
- ``abnormality`` and ``anatomy``, optional: paths of masks, which cover the field of the image at
  any resolution; an image without an abnormality has an empty cell;
- ``shortcut:<name>``, optional: 1 or 0;
- ``report``, optional: the text itself;
- any other column goes along as a covariate.
"""

import numpy as np

from shortlib.data.drawn_splits import split_by_shares
from shortlib.data.images import read_image, read_mask, same_field
from shortlib.data.index import Index
from shortlib.data.paths import data_set_root, existing
from shortlib.data.problems import DataError
from shortlib.data.rows import first_of_each, leave_out, numbers_of_each, patients_in_one_part
from shortlib.data.tables import read_table, table_columns, table_path, typed

SIZE = 224
TABLE = "cases.csv"
LABEL, SHORTCUT = "label:", "shortcut:"
# Columns that an index has of its own, and what to call them in a table.
TAKEN = {"patient_id": "'patient'", "case_id": "called otherwise: the image's path is the id"}
FRACTIONS = {"train": 0.7, "validation": 0.1, "test": 0.2}
MASKS = {"abnormality": "abnormality_masks", "anatomy": "anatomy_masks"}


def read_index(root, *, problems, classes=None, channels=1, fit="crop", fractions=None, seed=0):
    """List the cases of a folder of images with a table.

    Parameters
    ----------
    root : str or pathlib.Path
        Holds ``cases.csv``; see the module's description for its columns.
    problems : shortlib.data.problems.Problems
    classes : sequence of str, optional
        The values of ``label`` in the order of the classes; of two, the second one
        counts as positive. By default those that occur, sorted.
    channels : int
        1 for grey images, 3 for colour.
    fit : str
        How an image becomes a square: ``"crop"``, ``"pad"`` or ``"stretch"``.
    fractions : dict of str to float, optional
        Parts of the split and their share of the patients, where the table has no
        ``split``; 0.7 train, 0.1 validation, 0.2 test by default.
    seed : int
        Of that split.

    Returns
    -------
    shortlib.data.index.Index
        A case is known by its image's path without the ending.

    Raises
    ------
    DataError
        If the root has no such table, a column is missing or a cell is not what its
        column says.
    """
    root = data_set_root(root, "a folder of images with a table", holds=[TABLE, f"{TABLE}.gz"])
    path = table_path(root, TABLE)
    columns = _columns(path)
    findings = [name for name in columns if name.startswith(LABEL)]
    flags = [name for name in columns if name.startswith(SHORTCUT)]
    cases = read_table(path, ["image", *(findings or ["label"])], optional=columns)
    cases = first_of_each(cases, ["image"], path, problems)
    if findings and "label" in columns:
        raise DataError(
            "two kinds of labels", f"'label' stands beside {findings[0]!r}; keep one", path=path
        )
    for name in ("patient", "split", "anatomy"):
        if name in columns:
            cases = leave_out(
                cases,
                cases[name] == "",
                "bad cell",
                lambda row, name=name: f"{name!r} of {row['image']!r} is empty",
                path,
                problems,
            )
    cases, label_names = _with_labels(cases, findings, classes, path, problems)
    labels = tuple(map(_plain, findings)) or ("label",)
    for name in flags:
        cases = numbers_of_each(cases, name, path, problems, allowed=(0, 1))
        cases[name] = cases[name].astype(bool)
    cases = cases.rename(columns=_plain)
    cases["case_id"] = cases["image"].str.replace(r"\.[^./]*$", "", regex=True)
    cases = first_of_each(cases, ["case_id"], path, problems)
    if {"patient", "split"} <= set(columns):
        cases = patients_in_one_part(cases, path, problems)
    cases = cases.reset_index(drop=True)
    if not len(cases):
        raise DataError("no cases", "no row of the table can be used", path=path)
    cases["patient_id"] = cases["patient"] if "patient" in columns else cases["case_id"]
    if "split" not in columns:
        cases["split"] = split_by_shares(
            cases, fractions or FRACTIONS, strata=list(labels), seed=seed, root=root
        )
    known = {"image", "patient", "split", "report", "label", *findings, *flags, *MASKS}
    covariates = [name for name in columns if name not in known]
    masks = [name for name in MASKS if name in columns]
    return Index(
        name=root.name,
        root=root,
        cases=typed(cases, covariates),
        readers=_readers(root, masks, channels, fit, "report" in columns),
        size=SIZE,
        files=("image", *masks),
        labels=labels,
        label_names=label_names,
        shortcuts=tuple(map(_plain, flags)),
        covariates=tuple(covariates),
        fit=fit,
        problems=problems,
    )


def _plain(name):
    return name.removeprefix(LABEL).removeprefix(SHORTCUT)


def _columns(path):
    """Return the names of the columns; spreadsheets add some without one."""
    columns = [name for name in table_columns(path) if name]
    for name, right in TAKEN.items():
        if name in columns:
            raise DataError("column name is taken", f"{name!r} should be {right}", path=path)
    plain = list(map(_plain, columns))
    twice = next((name for name in plain if plain.count(name) > 1), None)
    if twice is not None:
        raise DataError(
            "column twice", f"{twice!r} names two of {', '.join(columns)}"[:1000], path=path
        )
    return columns


def _with_labels(cases, findings, classes, path, problems):
    """Turn labels into numbers; return the names of the classes, too."""
    # One finding alone is read as two classes, which have no place for uncertain and unknown.
    due = {"allowed": (0, 1, -1), "empty": np.nan} if len(findings) > 1 else {"allowed": (0, 1)}
    for name in findings:
        cases = numbers_of_each(cases, name, path, problems, **due)
    if findings:
        return cases, ()
    names = sorted(set(cases["label"]) - {""}) if classes is None else map(str, classes)
    names = tuple(names)
    if not names:
        raise DataError("no labels", "'label' is empty in every row", path=path)
    cases = leave_out(
        cases,
        ~cases["label"].isin(names),
        "bad cell",
        lambda row: f"'label' must be one of {', '.join(names)}, got {row['label']!r}",
        path,
        problems,
    )
    return cases.assign(label=cases["label"].map({name: k for k, name in enumerate(names)})), names


def _readers(root, masks, channels, fit, reports):
    def image(case, size):
        path = existing(root, case["image"], "image")
        return read_image(path, channels=channels, size=size, fit=fit)

    readers = {"images": image}
    for name in masks:

        def mask(case, size, name=name):
            if name == "abnormality" and not case[name]:
                return np.zeros((size, size), bool)
            path = existing(root, case[name], f"{name} mask")
            same_field(path, existing(root, case["image"], "image"))
            return read_mask(path, size=size, fit=fit)

        readers[MASKS[name]] = mask
    if reports:
        readers["reports"] = lambda case, size: case["report"]
    return readers
