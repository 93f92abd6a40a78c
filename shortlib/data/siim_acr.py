"""SIIM-ACR pneumothorax: DICOM radiographs, masks as run lengths, chest tubes by image id.

``dicom-images-train/<study>/<series>/<ImageId>.dcm`` of 1024 px and ``train-rle.csv``
with the columns ``ImageId, EncodedPixels`` [1]_; an image without pneumothorax has
``-1``, one with several has several rows. ``cxr_tube_labels.csv`` (``ImageId,tube``) or
``cxr_tube_dict.pkl`` says which of 1,951 images show a chest tube [2]_: the first 951
are for validation, the others for testing, and all other images for training.

.. [1] SIIM-ACR Pneumothorax Segmentation, Kaggle, 2019.
.. [2] Saab et al., "Reducing Reliance on Spurious Features in Medical Image
   Classification with Spatial Specificity", MLHC 2022.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from shortlib.data.chest_tubes import read_tubes
from shortlib.data.dicom import read_dicom, read_header, read_size
from shortlib.data.drawn_splits import split_by_shares
from shortlib.data.images import fit_mask
from shortlib.data.index import Index
from shortlib.data.paths import data_set_root, existing, inside
from shortlib.data.problems import DataError
from shortlib.data.siim_rows import join_rows, united

NAME = "SIIM-ACR"
SIZE = 512
IMAGES = "dicom-images-train"
TABLE = "train-rle.csv"
UNANNOTATED = ("problem", "leave out")
TUBES = ("cxr_tube_labels.csv", "cxr_tube_dict.pkl")
TUBE = "chest tube"
LABELS = ("No Pneumothorax", "Pneumothorax")
FRACTIONS = {"train": 0.8, "validation": 0.1, "test": 0.1}

# 1, 0, or -1 where nobody looked for a tube.
_KNOWN_TUBE = "tube_label"
_LARGEST = 8192  # a damaged header must not ask for gigabytes of mask


class SiimIndex(Index):
    """An index whose shortcut is there for those splits in which every tube is known."""

    def of(self, split):
        """Return the index of one split; see :meth:`shortlib.data.index.Index.of`."""
        chosen = super().of(split)
        if chosen.shortcuts or (chosen.cases[_KNOWN_TUBE] < 0).any():
            return chosen
        cases = chosen.cases.assign(**{TUBE: chosen.cases[_KNOWN_TUBE] == 1})
        return replace(chosen, cases=cases, shortcuts=(TUBE,))

    def cohort(self, split=None, **options):
        """Read the cases of a split; see :meth:`shortlib.data.index.Index.cohort`."""
        return Index.cohort(self.of(split), split, **options)


def read_index(
    root,
    *,
    problems,
    images=IMAGES,
    table=TABLE,
    tubes=None,
    tubes_only=False,
    unannotated="problem",
    n_validation=951,
    side=None,
    headers=None,
    fractions=None,
    seed=0,
    fit="crop",
):
    """List the cases of a tree in the layout of SIIM-ACR.

    Parameters
    ----------
    root : str or pathlib.Path
    problems : shortlib.data.problems.Problems
    images : str or sequence of str
        Folders with images at any depth, below `root`.
    table : str
        The run lengths, below `root`.
    tubes : str or pathlib.Path, optional
        Chest-tube labels: a path, or a name in `root`. By default
        ``cxr_tube_labels.csv`` or ``cxr_tube_dict.pkl`` in `root`, where there is one.
    tubes_only : bool
        Leave out images without a chest-tube label, which all of the training split
        is.
    unannotated : str
        What an image is that the table has no row of, neither a mask nor ``-1``: a
        ``"problem"``, or to ``"leave out"``; the index then notes how many.
    n_validation : int
        So many of the first chest-tube labels are for validation (951 in the
        released file), the others for testing.
    side : int, optional
        Height and width of the images in pixels, on which run lengths count; 1024 in the
        real data. By default that of the first image that can be read.
    headers : bool, optional
        Read the header of each image for patient, age, sex and view, which takes about
        half a millisecond an image. By default only where no chest-tube labels give
        the split, since a split by patient must know the patients. Without it each
        image is a patient of its own, and nothing can be said of patients who are in
        two of the released splits.
    fractions : dict of str to float, optional
        Shares of the patients where there are no chest-tube labels; by default 0.8,
        0.1 and 0.1 for train, validation and test.
    seed : int
        Of that split.
    fit : str
        See :func:`shortlib.data.images.fit_to`.

    Returns
    -------
    shortlib.data.index.Index
        Labels are 1 where a mask has any pixel. Abnormality masks unite the rows of an
        image; a pixel of a smaller one is inside when any pixel that it covers was (the
        maximum, as in the paper). The shortcut ``chest tube`` is there for a split in
        which every case has a label for it: the unlabelled are not free of tubes.

    Raises
    ------
    DataError
        If the root, a folder, a table or a column is missing.
    ValueError
        If `n_validation` or `side` is no positive whole number, or `unannotated` is
        unknown.
    """
    if unannotated not in UNANNOTATED:
        raise ValueError(f"unannotated must be one of {UNANNOTATED}, got {unannotated!r}")
    given = {"n_validation": n_validation, **({} if side is None else {"side": side})}
    for name, value in given.items():
        if isinstance(value, bool) or int(value) != value or value < 1:
            raise ValueError(f"{name} must be a whole number, at least 1; got {value!r}")
    folders = [images] if isinstance(images, str) else list(images)
    root = data_set_root(root, NAME, holds=[*folders, table])
    path = existing(root, table, "table")
    listed = _listed(root, folders, problems)
    cases, without = join_rows(listed, path, problems, unannotated=unannotated)
    tubes_path = _tubes_path(root, tubes)
    cases = _with_tubes(cases, tubes_path, n_validation, problems)
    if tubes_only:
        if tubes_path is None:
            raise DataError("missing tube labels", f"needs {' or '.join(TUBES)}", path=root)
        cases = cases[cases[_KNOWN_TUBE] >= 0].reset_index(drop=True)
    if not len(cases):
        raise DataError("no cases", "no image has a row in the table", path=path)
    side = _first_side(cases, root, problems) if side is None else side
    covariates = ()
    cases["patient_id"] = cases["case_id"]
    if headers or (headers is None and tubes_path is None):
        cases, covariates = _with_headers(cases, root, problems), ("age", "sex", "view")
    if tubes_path is None:
        cases["split"] = split_by_shares(
            cases, fractions or FRACTIONS, strata="label", seed=seed, root=root
        )
    note = f"{without} of {len(listed)} images have no row in {table} and are left out"
    return SiimIndex(
        name=NAME,
        root=root,
        cases=cases,
        readers={"images": _image(root, side, fit), "abnormality_masks": _mask(path, side, fit)},
        size=min(SIZE, side),
        files=("image",),
        labels=("label",),
        label_names=LABELS,
        covariates=covariates,
        fit=fit,
        problems=problems,
        notes=(note,) if without else (),
    )


def _image(root, side, fit):
    def read(case, size):
        path = existing(root, case["image"], "image")
        return read_dicom(path, size=size, fit=fit, expected=(side, side))

    return read


def _mask(table, side, fit):
    def read(case, size):
        mask = united(case["runs"], case["lines"], side, table)
        return fit_mask(mask, size, fit, keep="any" if size < side else "half")

    return read


def _listed(root, folders, problems):
    """List the images below the folders by their id, which is the file's name."""
    found = {}
    for folder in folders:
        place = inside(root, folder)
        if not place.is_dir():
            raise DataError("missing folder", "the images are in it", path=Path(root) / folder)
        for path in sorted(place.rglob("*.[dD][cC][mM]")):
            if path.name.startswith("."):
                continue  # what macOS keeps beside a file on foreign disks
            relative = f"{folder}/{path.relative_to(place).as_posix()}"
            if path.stem in found:
                again = f"{found[path.stem]} has the same image id"
                problems.add(DataError("duplicate image", again, path=root / relative))
                continue
            found[path.stem] = relative
    if not found:
        raise DataError("no images", f"no .dcm below {', '.join(folders)}", path=root)
    cases = pd.DataFrame({"case_id": list(found), "image": list(found.values())}, dtype=str)
    return cases.sort_values("case_id", ignore_index=True)


def _tubes_path(root, tubes):
    if tubes is None:
        tubes = next((name for name in TUBES if (root / name).exists()), None)
        return None if tubes is None else existing(root, tubes, "tube labels")
    path = Path(tubes)
    if path.is_absolute() or path.exists():
        return existing(path.parent, path.name, "tube labels")
    return existing(root, tubes, "tube labels")


def _first_side(cases, root, problems):
    for image in cases["image"]:
        try:
            height, width = read_size(path := existing(root, image, "image"))
            if height != width or not 1 <= height <= _LARGEST:
                due = f"{width}x{height} px; images are square, of at most {_LARGEST} px"
                raise DataError("wrong size of image", due, path=path)
            return height
        except DataError as error:
            last = error
            if problems.on_error == "raise":
                raise
    raise DataError("no cases", f"no image can be read; the last: {last}", path=root)


def _with_tubes(cases, path, n_validation, problems):
    if path is None:
        return cases.assign(**{_KNOWN_TUBE: -1})
    flags = read_tubes(path, problems)
    split = np.where(np.arange(len(flags)) < n_validation, "validation", "test")
    for image in flags.index[~flags.index.isin(cases["case_id"])]:
        problems.add(DataError("tube of no image", f"there is no image {image!r}", path=path))
    split = pd.Series(split, index=flags.index)
    return cases.assign(
        split=cases["case_id"].map(split).fillna("train").astype(str),
        **{_KNOWN_TUBE: cases["case_id"].map(flags.astype(int)).fillna(-1).astype(int)},
    )


def _with_headers(cases, root, problems):
    rows, kept = [], []
    for place, (case_id, image) in enumerate(zip(cases["case_id"], cases["image"], strict=True)):
        try:
            path = existing(root, image, "image")
            found = read_header(path)
            if found["image_id"] != case_id:
                raise DataError(
                    "wrong image id", f"SOPInstanceUID is {found['image_id']!r}", path=path
                )
        except DataError as error:
            problems.add(error)
            continue
        kept.append(place)
        rows.append({**found, "patient_id": found["patient_id"] or case_id})
    if not rows:
        raise DataError("no cases", "no header could be read", path=root)
    cases = cases.iloc[kept].reset_index(drop=True)
    return cases.assign(**pd.DataFrame(rows)[["patient_id", "age", "sex", "view"]])
