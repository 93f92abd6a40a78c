"""CheXpert: chest radiographs with findings, by path."""

from pathlib import Path

import numpy as np
import pandas as pd

from shortlib.data.chexpert_labels import FIVE, checked_names, to_labels
from shortlib.data.images import read_image
from shortlib.data.index import Index
from shortlib.data.paths import data_set_root, existing
from shortlib.data.rows import first_of_each, leave_out
from shortlib.data.tables import read_table, table_path

SIZE = 224
FOLDERS = ("CheXpert-v1.0-small", "CheXpert-v1.0")
SPLITS = ("train", "valid")

_COLUMNS = ["Path", "Sex", "Age", "Frontal/Lateral", "AP/PA"]
_VIEWS, _SEXES = ("Frontal", "Lateral"), ("Female", "Male", "Unknown")
_HOSTILE = r"^[/\\]|^.?:|(?:^|[/\\])\.\.(?:[/\\]|$)|\x00"
_PATH = (
    r"(?:CheXpert-v1\.0(?:-small)?)/"
    r"(?P<image>(?P<split>train|valid)/(?P<patient>patient[0-9]+)/[A-Za-z0-9_-]+/[A-Za-z0-9_-]+)"
    r"\.jpg"
)


def read_index(root, *, problems, labels=FIVE, frontal_only=False):
    """List CheXpert.

    Parameters
    ----------
    root : str or pathlib.Path
        The folder ``CheXpert-v1.0-small`` (or ``CheXpert-v1.0``), which holds
        ``train.csv`` and ``valid.csv``, or the folder that contains it.
    problems : shortlib.data.problems.Problems
    labels : sequence of str
        Two or more of :data:`shortlib.data.chexpert_labels.FINDINGS`.
    frontal_only : bool
        Leave out lateral views.

    Returns
    -------
    shortlib.data.index.Index
        One case an image, named by its path without what all paths share, e.g.
        ``train/patient00001/study1/view1_frontal``; the official splits train and
        valid; labels 1 present, 0 absent, -1 uncertain, NaN not mentioned (what to
        make of the latter two is the study's to decide); covariates ``sex``
        (``"Female"``, ``"Male"``, ``"Unknown"``), ``age`` (years; NaN where it is
        blank), ``view`` (``"Frontal"`` or ``"Lateral"``) and ``projection``
        (``"AP"``, ``"PA"``, ..., empty for lateral views).

    Raises
    ------
    DataError
        If a table or a column is missing, or a row is wrong and rows are not
        skipped.
    ValueError
        If `labels` are none of the labeller's.

    References
    ----------
    Irvin et al. (2019), CheXpert, arXiv:1901.07031.
    """
    labels = checked_names(labels)
    root = data_set_root(
        root, "CheXpert", holds=["train.csv", *(f"{folder}/train.csv" for folder in FOLDERS)]
    )
    within = next((name for name in FOLDERS if (root / name / "train.csv").exists()), "")
    if (root / "train.csv").exists():
        within = ""
    tables = [_table(root, within, split, labels, problems) for split in SPLITS]
    cases = pd.concat(tables, ignore_index=True)
    if frontal_only:
        cases = cases[cases["view"] == "Frontal"].reset_index(drop=True)
    return Index(
        name="chexpert",
        root=root,
        cases=cases,
        readers={"images": _image_reader(root)},
        size=SIZE,
        files=("image",),
        labels=labels,
        covariates=("sex", "age", "view", "projection"),
        problems=problems,
    )


def _table(root, within, split, labels, problems):
    path = table_path(root, str(Path(within) / f"{split}.csv"))
    table = read_table(path, [*_COLUMNS, *labels])
    parts = table["Path"].str.extract(f"^{_PATH}$")
    table = table.assign(**parts)
    due = f"CheXpert-v1.0-small/{split}/patientNNNNN/studyN/viewN_<view>.jpg"
    for kind, bad in (
        ("hostile path", table["Path"].str.contains(_HOSTILE)),
        ("bad path", table["split"] != split),  # where nothing matched this is true, too
    ):
        table = leave_out(
            table,
            bad[table.index],
            kind,
            lambda row: f"'Path' must look like {due}, got {row['Path']!r}",
            path,
            problems,
        )
    for name, allowed in (("Frontal/Lateral", _VIEWS), ("Sex", _SEXES)):
        table = leave_out(
            table,
            ~table[name].isin(allowed),
            "bad cell",
            lambda row, name=name, allowed=allowed: (
                f"{name!r} must be {' or '.join(allowed)}, got {row[name]!r}"
            ),
            path,
            problems,
        )
    age = pd.to_numeric(table["Age"], errors="coerce")
    table = leave_out(
        table.assign(age=age),
        ~age.between(0, 130) & (table["Age"] != ""),
        "bad cell",
        lambda row: f"'Age' must be years from 0 to 130, got {row['Age']!r}",
        path,
        problems,
    )
    table = first_of_each(table, ["image"], path, problems)
    table = to_labels(table, labels, path, problems)
    front = f"{within}/" if within else ""
    return pd.DataFrame(
        {
            "case_id": table["image"],
            "patient_id": table["patient"],
            "split": table["split"],
            "image": front + table["image"] + ".jpg",
            "sex": table["Sex"],
            "age": table["age"].astype(np.float64),
            "view": table["Frontal/Lateral"],
            "projection": table["AP/PA"],
            **{name: table[name] for name in labels},
        }
    )


def _image_reader(root):
    def read(case, size):
        return read_image(existing(root, case["image"], "image"), size=size)

    return read
