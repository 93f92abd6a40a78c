"""Radiographs with clinical notes: the part of the COVID-19 image data collection that has both.

``images/`` and ``metadata.csv`` with the columns ``file``, ``patientid``, ``finding``,
``clinical_notes`` and what is known of the patient and the licence [1]_. Images are of
all sizes; in the prepared folder their longest side is 384 px and all are grey. In the
collection itself some are tinted scans of print or photographs of a film; see `tinted`.

.. [1] Cohen et al., "COVID-19 Image Data Collection: Prospective Predictions Are the
   Future", MELBA 2020.
"""

import numpy as np

from shortlib.data.drawn_splits import split_by_shares
from shortlib.data.images import fit_to, read_image
from shortlib.data.index import Index
from shortlib.data.paths import data_set_root, existing
from shortlib.data.problems import DataError
from shortlib.data.rows import first_of_each, leave_out, numbers_of_each
from shortlib.data.tables import read_table

NAME = "COVID-19 image-text pairs"
SIZE = 224
METADATA = "metadata.csv"
COVID = "COVID-19"
LABELS = ("covid", "finding")
TINTED = ("refuse", "luminance")
FRACTIONS = {"train": 0.6, "validation": 0.2, "test": 0.2}

# ITU-R BT.601, as Pillow and OpenCV turn colour into grey.
_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)


def read_index(
    root,
    *,
    problems,
    label="covid",
    tinted="refuse",
    longest=None,
    fractions=None,
    seed=0,
    fit="pad",
):
    """List the image-text pairs.

    Parameters
    ----------
    root : str or pathlib.Path
    problems : shortlib.data.problems.Problems
    label : str
        ``"covid"``: whether the finding names COVID-19, alone or with another.
        ``"finding"``: the finding as it is written, in alphabetical order.
    tinted : str
        What happens to an image whose channels differ. ``"refuse"``: it is a problem.
        ``"luminance"``: it is turned into grey by its luminance.
    longest : int, optional
        The most pixels a side may have (384 in the prepared folder). By default any.
    fractions : dict of str to float, optional
        Shares of the patients; by default 0.6, 0.2 and 0.2 for train, validation
        and test.
    seed : int
        Of the split.
    fit : str
        See :func:`shortlib.data.images.fit_to`. The default keeps the whole image,
        with burnt-in letters near its border.

    Returns
    -------
    shortlib.data.index.Index
        Reports are the clinical notes.

    Raises
    ------
    DataError
        If the root, the table or a column is missing.
    ValueError
        If `label` or `tinted` is unknown.
    """
    if label not in LABELS:
        raise ValueError(f"label must be one of {LABELS}, got {label!r}")
    if tinted not in TINTED:
        raise ValueError(f"tinted must be one of {TINTED}, got {tinted!r}")
    root = data_set_root(root, NAME, holds=[METADATA])
    path = existing(root, METADATA, "table")
    cases = _listed(path, problems)
    if not len(cases):
        raise DataError("no cases", "the table has no row that can be used", path=path)
    if label == "covid":
        names = (f"no {COVID}", COVID)
        cases["label"] = cases["finding"].str.contains(COVID, regex=False).astype(np.int64)
    else:
        names = tuple(sorted(cases["finding"].unique()))
        cases["label"] = cases["finding"].map(names.index).astype(np.int64)
    cases["split"] = split_by_shares(
        cases, fractions or FRACTIONS, strata="label", seed=seed, root=root
    )
    present = [n for n in ("age", "sex", "view", "finding", "licence") if n in cases]
    return Index(
        name=NAME,
        root=root,
        cases=cases,
        readers={"images": _image(root, tinted, longest, fit), "reports": _report},
        size=SIZE,
        files=("image",),
        labels=("label",),
        label_names=names,
        covariates=tuple(present),
        fit=fit,
        problems=problems,
    )


def _listed(path, problems):
    columns = ["file", "patientid", "finding", "clinical_notes"]
    cases = read_table(path, columns, optional=["age", "sex", "view", "license"])
    if "age" in cases:
        cases = numbers_of_each(cases, "age", path, problems, low=0, high=120, empty=float("nan"))
    for column in columns:
        cases = leave_out(
            cases,
            cases[column] == "",
            "empty cell",
            lambda row, column=column: f"{column!r} of {row['file']!r} is empty",
            path,
            problems,
        )
    cases = first_of_each(cases, ["file"], path, problems).reset_index(drop=True)
    names = {"patientid": "patient_id", "clinical_notes": "report", "license": "licence"}
    return cases.rename(columns=names).assign(
        case_id=cases["file"], image="images/" + cases["file"]
    )


def _image(root, tinted, longest, fit):
    def read(case, size):
        path = existing(root, case["image"], "image")
        try:
            image = read_image(path)
        except DataError as error:
            if tinted == "refuse" or error.kind != "colour image":
                raise
            colour = read_image(path, channels=3).astype(np.float32)
            image = np.rint(np.tensordot(_LUMINANCE, colour, axes=1)).astype(np.uint8)[None]
        if longest is not None and max(image.shape) > longest:
            raise DataError(
                "wrong size of image",
                f"{image.shape[2]}x{image.shape[1]} px, a side is at most {longest} px",
                path=path,
            )
        return fit_to(image[0], size, fit)[None]

    return read


def _report(case, _):
    return case["report"]
