"""COVID-19 Radiography: a folder for each class, with images and masks of the lungs.

``COVID-19_Radiography_Dataset/<class>/images/<class>-<n>.png`` of 299 px and
``.../masks/<class>-<n>.png`` of 256 px; the masks cover the same field as the images
[1]_. The outer folder may be missing, as in ``covid-cxr-lungmask``, which has
``Bacterial Pneumonia`` in place of ``Lung_Opacity`` and a ``metadata.csv`` that says
where each image is from.

.. [1] Chowdhury et al., "Can AI help in screening viral and COVID-19 pneumonia?",
   IEEE Access 8, 2020; Rahman et al., Computers in Biology and Medicine 132, 2021.
"""

import os
import re

import pandas as pd

from shortlib.data.drawn_splits import split_by_quota, split_by_shares
from shortlib.data.images import read_image, read_mask
from shortlib.data.index import Index
from shortlib.data.paths import data_set_root, existing, inside
from shortlib.data.problems import DataError
from shortlib.data.rows import first_of_each, leave_out
from shortlib.data.tables import read_table, to_number

NAME = "COVID-19 Radiography"
OUTER = "COVID-19_Radiography_Dataset"
SIZE = 299
MASK_SIZE = 256
CLASSES = ("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia")
CLASSES_OF_LUNGMASK = ("COVID", "Bacterial Pneumonia", "Normal", "Viral Pneumonia")
FRACTIONS = {"train": 0.6, "validation": 0.2, "test": 0.2}
METADATA = "metadata.csv"
ADULT = "adult"
ADULT_AGE = 18

# Where images are from says how old patients are: the first collection is of adults, the
# second of children of one to five years.
_SOURCE_IS_ADULT = {"ieee8023": True, "kermany": False}
# File names of Kermany et al. hold the person or the study.
_KERMANY = re.compile(
    r"(?P<person>person\d+)_(?:bacteria|virus)_\d+|(?P<study>(?:NORMAL2-)?IM-\d+)-"
)
_NO_CASES = ("thumbs.db", "desktop.ini")


def read_index(root, *, problems, classes=None, per_class=None, fractions=None, seed=0):
    """List the cases of a tree in the layout of COVID-19 Radiography.

    Parameters
    ----------
    root : str or pathlib.Path
        The folder that holds ``COVID-19_Radiography_Dataset``, or the classes.
    problems : shortlib.data.problems.Problems
    classes : sequence of str, optional
        Folders to read, in the order of the labels. By default the four of the
        data set, or those of ``covid-cxr-lungmask`` where there is a folder
        ``Bacterial Pneumonia``.
    per_class : dict of str to int, optional
        Cases of each class in each part, e.g. ``{"train": 800, "validation": 300,
        "test": 200}`` (exemplary-explanations, section 4.1); what is left over is
        ``"unused"``.
    fractions : dict of str to float, optional
        Shares of the patients, where `per_class` is not given; by default 0.6, 0.2
        and 0.2 for train, validation and test.
    seed : int
        Of the split.

    Returns
    -------
    shortlib.data.index.Index
        Labels are classes. Anatomy masks are of both lungs, in one plane. Patients
        are those of ``metadata.csv``; an image without one is a patient of its own.
        The shortcut ``adult`` is there when age or source of every case is known:
        18 years or more, else whether the image's collection is of adults.

    Raises
    ------
    DataError
        If the root, a class's folder or a column is missing, or a class has too few
        images for `per_class`.
    """
    root = data_set_root(root, NAME, holds=[OUTER, CLASSES[0], CLASSES[2]])
    base = OUTER if (root / OUTER).is_dir() else ""
    if classes is None:
        lungmask = inside(root, _join(base, CLASSES_OF_LUNGMASK[1])).is_dir()
        classes = CLASSES_OF_LUNGMASK if lungmask else CLASSES
    cases = pd.concat(
        [_listed(root, base, kind, problems).assign(label=i) for i, kind in enumerate(classes)],
        ignore_index=True,
    )
    if not len(cases):
        raise DataError("no cases", f"no image of {', '.join(classes)} has a mask", path=root)
    cases, covariates, shortcuts = _with_metadata(cases, root, base, problems)
    if per_class is not None:
        kinds = [classes[label] for label in cases["label"]]
        cases["split"] = split_by_quota(
            cases["patient_id"], kinds, per_class, seed=seed, name=f"{NAME} in {root}"
        )
    else:
        cases["split"] = split_by_shares(
            cases, fractions or FRACTIONS, strata="label", seed=seed, root=root
        )
    return Index(
        name=NAME,
        root=root,
        cases=cases,
        readers={"images": _image(root), "anatomy_masks": _mask(root)},
        size=SIZE,
        files=("image", "mask"),
        labels=("label",),
        label_names=tuple(classes),
        shortcuts=shortcuts,
        covariates=covariates,
        problems=problems,
    )


def _image(root):
    def read(case, size):
        path = existing(root, case["image"], "image")
        return read_image(path, size=size, expected=(SIZE, SIZE))

    return read


def _mask(root):
    def read(case, size):
        path = existing(root, case["mask"], "mask")
        return read_mask(path, size=size, expected=(MASK_SIZE, MASK_SIZE))

    return read


def _listed(root, base, kind, problems):
    """Pair the images and masks of a class, in the order of their numbers."""
    found = {}
    for what in ("image", "mask"):
        found[what] = _names(root, _join(base, kind, f"{what}s"), kind, what, problems)
    for what, other in (("mask", "image"), ("image", "mask")):
        for case_id in sorted(found[other].keys() - found[what].keys(), key=_number):
            due = f"the {other} has no {what} {_join(base, kind, f'{what}s', case_id)}.png"
            problems.add(DataError(f"missing {what}", due, path=root / found[other][case_id]))
    both = sorted(found["image"].keys() & found["mask"].keys(), key=_number)
    columns = {"case_id": both, **{what: [found[what][i] for i in both] for what in found}}
    return pd.DataFrame(columns, dtype=str)


def _names(root, folder, kind, what, problems):
    """Return case id to path, for the files of a folder."""
    place = inside(root, folder)
    if not place.is_dir():
        raise DataError(
            "missing folder",
            f"each class has one of {what}s, called {folder!r}",
            path=root / folder,
        )
    expected = re.compile(rf"{re.escape(kind)}-[0-9]+\.png", re.IGNORECASE)
    found = {}
    for name in sorted(os.listdir(place)):
        if name.startswith(".") or name.lower() in _NO_CASES:
            continue
        case_id = name[: -len(".png")]
        if not expected.fullmatch(name) or case_id in found:
            again = "occurs twice" if case_id in found else f"should be {kind}-<number>.png"
            problems.add(DataError(f"name of {what}", f"{name!r} {again}", path=root / folder))
            continue
        found[case_id] = _join(folder, name)
    return found


def _number(case_id):
    return int(case_id.rsplit("-", 1)[1]), case_id


def _join(*parts):
    return "/".join(part for part in parts if part)


def _with_metadata(cases, root, base, problems):
    """Add patients, covariates and the shortcut, where a table has them."""
    cases["patient_id"] = cases["case_id"]
    relative = next((p for p in (_join(base, METADATA), METADATA) if (root / p).exists()), None)
    if relative is None:
        return cases, (), ()
    path = existing(root, relative, "table")
    optional = ("patient", "age", "sex", "view", "source", "source_file", "license")
    table = read_table(path, ["cls", "name"], optional=optional)
    table = first_of_each(table, ["name"], path, problems)
    if "age" in table:
        table["age"] = to_number(table, "age", path, low=0, high=120, empty=float("nan"))
    table = table.rename(columns={"name": "case_id", "license": "licence"})
    table = _of_these_cases(table, cases, path, problems)
    cases = cases[cases["case_id"].isin(table["case_id"])]
    cases = cases.merge(table, on="case_id", validate="one_to_one")
    cases["patient_id"] = _patients(cases)
    covariates = tuple(
        name for name in ("age", "sex", "view", "source", "licence") if name in cases
    )
    adult = _adults(cases)
    if adult.isna().any():
        return cases, covariates, ()
    return cases.assign(**{ADULT: adult.astype(bool)}), covariates, (ADULT,)


def _of_these_cases(table, cases, path, problems):
    """Leave out rows without images or of another class, and report cases without a row."""
    folder = cases.set_index("case_id")["image"].str.split("/").str[-3]
    there = folder.unique().tolist()
    table = table[table["cls"].isin(there)]  # others were not asked for
    own = table["case_id"].map(folder)
    table = leave_out(
        table,
        own.isna(),
        "missing image",
        lambda row: f"there is no image and mask of {row['case_id']!r}",
        path,
        problems,
    )
    table = leave_out(
        table,
        table["case_id"].map(folder) != table["cls"],
        "wrong class",
        lambda row: f"{row['case_id']!r} is not in the folder {row['cls']!r}",
        path,
        problems,
    )
    for case_id in cases.loc[~cases["case_id"].isin(table["case_id"]), "case_id"]:
        problems.add(DataError("no row", f"case {case_id!r} is not in the table", path=path))
    return table.drop(columns="cls")


def _patients(cases):
    """Name patients so that numbers of different collections do not meet."""
    source = cases["source"] if "source" in cases else pd.Series("", index=cases.index)
    patient = cases["patient"] if "patient" in cases else pd.Series("", index=cases.index)
    file = cases["source_file"] if "source_file" in cases else pd.Series("", index=cases.index)
    names = []
    for case_id, of, number, name in zip(cases["case_id"], source, patient, file, strict=True):
        match = _KERMANY.search(name)
        if number:
            names.append(f"{of.split('/')[0]}-{number}" if of else number)
        else:
            names.append((match["person"] or match["study"]) if match else case_id)
    return names


def _adults(cases):
    """Return 1, 0, or NaN where neither age nor source is known."""
    adult = pd.Series(float("nan"), index=cases.index)
    if "source" in cases:
        for word, is_adult in _SOURCE_IS_ADULT.items():
            adult = adult.mask(cases["source"].str.lower().str.contains(word), float(is_adult))
    if "age" in cases:
        adult = adult.mask(cases["age"].notna(), (cases["age"] >= ADULT_AGE).astype(float))
    return adult
