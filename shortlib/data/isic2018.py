"""ISIC 2018, Task 1 (Codella et al. 2019), with the trap sets of Bissoto et al. 2020.

Images lie in ``ISIC2018_Task1-2_Training_Input/<id>.jpg``, lesions in
``ISIC2018_Task1_Training_GroundTruth/<id>_segmentation.png``; small copies have ``images`` and
``masks`` instead. The tables ``isic_annotated_{train,val,test}{1..5}.csv`` and ``isic_bias.csv``
lie in the root, in ``annotations`` or in ``trap_sets``.
"""

import os
import re

import pandas as pd
from PIL import Image

from shortlib.data.drawn_splits import split_by_shares
from shortlib.data.images import FITS, decoding, read_image, read_mask
from shortlib.data.index import Index
from shortlib.data.paths import data_set_root, existing, inside
from shortlib.data.problems import DataError
from shortlib.data.rows import first_of_each, leave_out
from shortlib.data.tables import read_table

NAME = "ISIC 2018"
SIZE = 256
SHORTCUTS = ("dark_corner", "hair", "gel_border", "gel_bubble", "ruler", "ink", "patches")
LABELS = ("benign", "malignant")
LEAK = ("remove", "keep")
# Where a trap set names an image twice, the later of these keeps it.
PARTS = ("train", "val", "test")
FRACTIONS = {"train": 0.7, "val": 0.1, "test": 0.2}

_FOLDERS = (
    ("ISIC2018_Task1-2_Training_Input", "ISIC2018_Task1_Training_GroundTruth"),
    ("images", "masks"),
)
_TABLES = ("", "annotations", "trap_sets")
_MASK = "_segmentation"


def read_index(root, *, problems, trap_set=1, leak="remove", fractions=None, seed=0, fit="stretch"):
    """List the images of a trap set.

    Parameters
    ----------
    root : str or pathlib.Path
    problems : shortlib.data.problems.Problems
    trap_set : int or None
        1 to 5. With None the labels and flags of all images come from
        ``isic_bias.csv`` and the split is drawn.
    leak : str
        The published tables of all five trap sets name every one of the 259 validation
        images among the training images too. ``"remove"`` takes them out of
        ``train``, which leaves 1,563 of 1,822; ``"keep"`` reads the tables as they were
        published; a case is then in both parts, which cannot be joined into one cohort.
        Either way `notes` of the index says how many there are, and the covariate
        ``in_two_parts`` which.
    fractions : dict of str to float, optional
        Of the drawn split; 0.7 ``train``, 0.1 ``val``, 0.2 ``test`` by default.
    seed : int
        Of the drawn split.
    fit : str
        How an image becomes a square; see :func:`shortlib.data.images.fit_to`.

    Returns
    -------
    shortlib.data.index.Index
        Labels benign (0) and malignant (1), the seven artefacts as shortcuts, the
        lesion as abnormality. Nobody published which images are of one patient, so
        every image counts as a patient of its own.

    Raises
    ------
    DataError
        If the folder is not as the layout says.
    ValueError
        If an option is none of those that there are.
    """
    if trap_set is not None and (isinstance(trap_set, bool) or trap_set not in range(1, 6)):
        raise ValueError(f"trap_set must be 1 to 5, or None for all images, got {trap_set!r}")
    if leak not in LEAK:
        raise ValueError(f"leak must be one of {', '.join(LEAK)}, got {leak!r}")
    if fit not in FITS:
        raise ValueError(f"fit must be one of {FITS}, got {fit!r}")
    root = data_set_root(root, NAME, holds=[images for images, _ in _FOLDERS])
    folders = next(pair for pair in _FOLDERS if (root / pair[0]).exists())
    if trap_set is None:
        cases, notes = _drawn(root, fractions or FRACTIONS, seed, problems), []
    else:
        cases, notes = _trap_set(root, trap_set, leak, problems)
    cases = cases.assign(
        patient_id=cases["case_id"],
        image=f"{folders[0]}/" + cases["case_id"] + ".jpg",
        mask=f"{folders[1]}/" + cases["case_id"] + f"{_MASK}.png",
    )
    cases, unlisted = _with_files(cases, root, folders, problems)
    if unlisted:
        notes.append(f"{unlisted} images with a mask are in no table that was read")

    def read_lesion(case, size):
        path = existing(root, case["image"], "image")
        with decoding(path, "image"), Image.open(path) as image:
            expected = (image.height, image.width)
        mask = existing(root, case["mask"], "mask")
        return read_mask(mask, size=size, fit=fit, expected=expected)

    return Index(
        name="isic2018",
        root=root,
        cases=cases.reset_index(drop=True),
        readers={
            "images": lambda case, size: read_image(
                existing(root, case["image"], "image"), channels=3, size=size, fit=fit
            ),
            "abnormality_masks": read_lesion,
        },
        size=SIZE,
        files=("image", "mask"),
        labels=("label",),
        label_names=LABELS,
        shortcuts=SHORTCUTS,
        covariates=tuple(name for name in ("vasc", "in_two_parts") if name in cases),
        fit=fit,
        problems=problems,
        notes=tuple(notes),
    )


def _trap_set(root, number, leak, problems):
    tables = []
    for part in PARTS:
        path = _table(root, f"isic_annotated_{part}{number}.csv")
        tables.append(_rows(path, ",", problems).assign(split=part, table=str(path)))
    cases = pd.concat(tables, ignore_index=True)
    twice = cases.duplicated("case_id", keep=False)
    told = ["label", *SHORTCUTS]
    apart = cases[twice].groupby("case_id")[told].nunique().gt(1).any(axis=1)
    for case_id in apart[apart].index:
        problems.add(
            DataError(
                "tables disagree",
                f"{case_id} has another label or other flags in each of its rows",
                path=" and ".join(cases.loc[cases["case_id"] == case_id, "table"]),
            )
        )
    cases = cases[~cases["case_id"].isin(apart[apart].index)].drop(columns="table")
    twice = cases.duplicated("case_id", keep=False)
    cases = cases.assign(in_two_parts=twice)
    notes = []
    for part in PARTS[1:]:
        of_part = cases["case_id"][twice & (cases["split"] == part)]
        n = of_part.isin(cases["case_id"][cases["split"] == "train"]).sum()
        if n:
            done = "taken out of train" if leak == "remove" else "kept in both"
            notes.append(
                f"{n} of {(cases['split'] == part).sum()} images of {part} are in train too in "
                f"the tables of trap set {number}; they are {done} (leak={leak!r})"
            )
    if leak == "remove":
        cases = cases.drop_duplicates("case_id", keep="last")
    return cases, notes


def _drawn(root, fractions, seed, problems):
    cases = _rows(_table(root, "isic_bias.csv"), ";", problems)
    cases = cases.assign(patient_id=cases["case_id"])
    parts = split_by_shares(cases, fractions, strata="label", seed=seed, root=root)
    return cases.assign(split=parts)


def _table(root, name):
    for folder in _TABLES:
        relative = f"{folder}/{name}".lstrip("/")
        if inside(root, relative).exists():
            return existing(root, relative, "table")
    raise DataError(
        "missing table",
        f"{name} is neither in the root nor in {' or '.join(_TABLES[1:])}; it comes with the trap "
        "sets of Bissoto et al. 2020 (trap_set=None reads isic_bias.csv instead)",
        path=root,
    )


def _rows(path, sep, problems):
    columns = ["image", *SHORTCUTS, "label", "label_string"]
    table = read_table(path, columns, optional=["vasc"], sep=sep)
    table = leave_out(
        table,
        table["image"].str.contains(r"[/\\:]|^\.\.", regex=True),
        "hostile path",
        lambda row: f"'image' is the name of a file, got {row['image']!r}",
        path,
        problems,
    )
    table = leave_out(
        table,
        ~table["image"].str.fullmatch(r"[A-Za-z0-9_-]{1,100}\.(?:png|jpg)"),
        "bad cell",
        lambda row: f"'image' must be like ISIC_0000000.png, got {row['image']!r}",
        path,
        problems,
    )
    flags = [*SHORTCUTS, *({"vasc"} & set(table))]
    for name in (*flags, "label"):
        table = leave_out(
            table,
            ~table[name].isin(("0", "1")),
            "bad cell",
            lambda row, name=name: f"{name!r} must be 0 or 1, got {row[name]!r}",
            path,
            problems,
        )
        kind = bool if name in SHORTCUTS else "int64"
        table = table.assign(**{name: (table[name] == "1").astype(kind)})
    due = table["label"].map(dict(enumerate(LABELS)))
    table = leave_out(
        table,
        table["label_string"] != due,
        "labels disagree",
        lambda row: (
            f"label {row['label']} is {LABELS[row['label']]!r}, label_string says "
            f"{row['label_string']!r}"
        ),
        path,
        problems,
    )
    table.insert(0, "case_id", table["image"].str.replace(r"\.\w+$", "", regex=True))
    table = first_of_each(table, ["case_id"], path, problems)
    return table.drop(columns=["image", "label_string"])


def _with_files(cases, root, folders, problems):
    """Leave out cases of which one of the two files is missing; count those without a row.

    A case that has neither is found when it is read.
    """
    images = _stems(root, folders[0], r"(.+)\.jpg")
    masks = _stems(root, folders[1], rf"(.+){_MASK}\.png")
    for found, others, kind, file in (
        (images, masks, "image without mask", f"{folders[0]}/%s.jpg"),
        (masks, images, "mask without image", f"{folders[1]}/%s{_MASK}.png"),
    ):
        for stem in sorted(found - others):
            problems.add(
                DataError(
                    kind, f"{stem} has no partner in the other folder", path=root / (file % stem)
                )
            )
    kept = cases[~cases["case_id"].isin(images ^ masks)]
    return kept, len((images & masks) - set(cases["case_id"]))


def _stems(root, folder, pattern):
    """Return the names in a folder that are like the pattern, without what is around them."""
    try:
        with os.scandir(inside(root, folder)) as entries:
            names = (re.fullmatch(pattern, entry.name) for entry in entries)
            return {name[1] for name in names if name and not name[1].startswith(".")}
    except OSError as error:
        raise DataError("missing folder", str(error), path=root / folder) from error
