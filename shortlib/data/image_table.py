"""Anyone's own images: a folder and one table that says what each image is.

``cases.csv`` in the root has a row for each image:

- ``image``: path below the root;
- ``label``: a class, by name or number; or one ``label:<name>`` column for each finding, with
  1, 0, -1 (uncertain) or nothing (not mentioned);
- ``patient``, optional: keeps a patient's images in one part of a split;
- ``split``, optional: part of each image; drawn by patient where it is missing;
- ``abnormality`` and ``anatomy``, optional: paths of masks; an image without an abnormality has an
  empty cell;
- ``shortcut:<name>``, optional: 1 or 0;
- ``report``, optional: the text itself;
- any other column goes along as a covariate.
"""

import numpy as np

from shortlib.data.drawn_splits import split_by_shares
from shortlib.data.images import read_image, read_mask
from shortlib.data.index import Index
from shortlib.data.paths import data_set_root, existing
from shortlib.data.rows import first_of_each, leave_out
from shortlib.data.tables import read_table, table_columns, table_path, to_number, typed

SIZE = 224
TABLE = "cases.csv"
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
    root = data_set_root(root, "a folder of images with a table", holds=[TABLE])
    path = table_path(root, TABLE)
    columns = table_columns(path)
    findings = tuple(name for name in columns if name.startswith("label:"))
    labels = findings or ("label",)
    cases = first_of_each(
        read_table(path, ["image", *labels], optional=columns), ["image"], path, problems
    )
    label_names = ()
    if findings:
        for name in findings:
            cases[name] = to_number(cases, name, path, allowed=(0, 1, -1), empty=np.nan)
        names = [name.removeprefix("label:") for name in findings]
        cases = cases.rename(columns=dict(zip(findings, names, strict=True)))
        labels = tuple(names)
    else:
        label_names = tuple(sorted(set(cases["label"]) - {""}) if classes is None else classes)
        cases = leave_out(
            cases,
            ~cases["label"].isin(label_names),
            "bad cell",
            lambda row: f"'label' must be one of {', '.join(label_names)}, got {row['label']!r}",
            path,
            problems,
        )
        cases["label"] = cases["label"].map({name: k for k, name in enumerate(label_names)})
    flags = [name for name in columns if name.startswith("shortcut:")]
    for name in flags:
        cases[name] = to_number(cases, name, path, allowed=(0, 1), whole=True).astype(bool)
    cases = cases.rename(columns={name: name.removeprefix("shortcut:") for name in flags})
    cases["case_id"] = cases["image"].str.replace(r"\.[^./]*$", "", regex=True)
    cases = first_of_each(cases, ["case_id"], path, problems)
    cases["patient_id"] = cases["patient"] if "patient" in columns else cases["case_id"]
    if "split" not in columns:
        cases["split"] = split_by_shares(
            cases, fractions or FRACTIONS, strata=list(labels), seed=seed, root=root
        )
    cases = cases.reset_index(drop=True)
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
        shortcuts=tuple(name.removeprefix("shortcut:") for name in flags),
        covariates=tuple(covariates),
        fit=fit,
        problems=problems,
    )


def _readers(root, masks, channels, fit, reports):
    def image(case, size):
        path = existing(root, case["image"], "image")
        return read_image(path, channels=channels, size=size, fit=fit)

    readers = {"images": image}
    for name in masks:

        def mask(case, size, name=name):
            if name == "abnormality" and not case[name]:
                return np.zeros((size, size), bool)
            return read_mask(existing(root, case[name], f"{name} mask"), size=size, fit=fit)

        readers[MASKS[name]] = mask
    if reports:
        readers["reports"] = lambda case, size: case["report"]
    return readers
