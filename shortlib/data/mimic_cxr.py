"""MIMIC-CXR-JPG: chest radiographs with the labels and the reports of their studies."""

from pathlib import Path

import pandas as pd

from shortlib.data.chexpert_labels import FIVE, checked_names, to_labels
from shortlib.data.images import read_image
from shortlib.data.index import Index
from shortlib.data.paths import data_set_root, existing
from shortlib.data.problems import DataError
from shortlib.data.rows import first_of_each, leave_out
from shortlib.data.tables import read_table, table_path

SIZE = 224
SPLITS = ("train", "validate", "test")
UNLABELLED = ("problem", "blank")
LABELLERS = ("chexpert", "negbio")

_SPLIT = "mimic-cxr-2.0.0-split.csv"
_METADATA = "mimic-cxr-2.0.0-metadata.csv"
_IDS = ["subject_id", "study_id"]


def read_index(
    root,
    *,
    problems,
    reports=True,
    reports_root=None,
    labels=FIVE,
    views=None,
    labeller="chexpert",
    unlabelled="problem",
):
    """List MIMIC-CXR-JPG.

    Parameters
    ----------
    root : str or pathlib.Path
        Holds ``mimic-cxr-2.0.0-split.csv``, ``mimic-cxr-2.0.0-chexpert.csv``, either
        as ``.csv.gz`` or not, and ``files/p10/p<subject>/s<study>/<image>.jpg``.
    problems : shortlib.data.problems.Problems
    reports : bool
        Whether reports are read. A report that is missing, empty (no word in it) or
        not UTF-8 is a problem of its case.
    reports_root : str or pathlib.Path, optional
        Holds ``files/p10/p<subject>/s<study>.txt``: the folder of MIMIC-CXR, where
        its files were not put into `root`.
    labels : sequence of str
        Two or more of :data:`shortlib.data.chexpert_labels.FINDINGS`.
    views : sequence of str, optional
        Keep images of these views only, e.g. ``("PA", "AP")``; needs
        ``mimic-cxr-2.0.0-metadata.csv``, which leaves the view of some images blank.
        All views by default.
    labeller : str
        ``"chexpert"`` or ``"negbio"``: whose table of labels.
    unlabelled : str
        What an image is whose study has no row of labels: a ``"problem"``, or
        ``"blank"``, a case without a mention of any finding. The real data have
        8 such studies among 227,835.

    Returns
    -------
    shortlib.data.index.Index
        One case an image, named by its ``dicom_id``; patients are the subjects; the
        official splits train, validate and test; labels 1 present, 0 absent, -1
        uncertain, NaN not mentioned; covariates ``study_id`` and, where there are
        metadata, ``view``.

    Raises
    ------
    DataError
        If a table or a column is missing, or a row is wrong and rows are not
        skipped.
    ValueError
        If a parameter is none of the above.

    References
    ----------
    Johnson et al. (2019), MIMIC-CXR-JPG, arXiv:1901.07042.
    """
    labels = checked_names(labels)
    for name, value, due in (
        ("labeller", labeller, LABELLERS),
        ("unlabelled", unlabelled, UNLABELLED),
    ):
        if value not in due:
            raise ValueError(f"{name} must be one of {due}, got {value!r}")
    if isinstance(views, str) or (views is not None and not tuple(views)):
        raise ValueError(f"views must be a sequence of names of views or None, got {views!r}")
    root = data_set_root(root, "MIMIC-CXR-JPG", holds=[_SPLIT, f"{_SPLIT}.gz"])
    texts = _reports_root(root, reports_root) if reports else None

    images, split_path = _images(root, problems)
    studies, labels_path, bad = _studies(root, f"mimic-cxr-2.0.0-{labeller}.csv", labels, problems)
    _without_image(studies, images, labels_path, problems)
    images = _joined(images, studies, bad, split_path, problems, unlabelled)
    images, seen = _with_view(images, root, views, problems)

    cases = _cases(images, labels, seen, reports)
    readers = {"images": _image_reader(root)}
    if reports:
        readers["reports"] = _report_reader(texts)
    return Index(
        name="mimic-cxr-jpg",
        root=root,
        cases=cases,
        readers=readers,
        size=SIZE,
        files=("image", "report") if reports and texts == root else ("image",),
        labels=labels,
        covariates=("study_id", "view") if seen else ("study_id",),
        problems=problems,
    )


def _reports_root(root, reports_root):
    if reports_root is None:
        return root
    return data_set_root(Path(reports_root), "MIMIC-CXR's reports", holds=["files"])


def _images(root, problems):
    path = table_path(root, _SPLIT)
    table = read_table(path, ["dicom_id", "study_id", "subject_id", "split"])
    table = _whole_ids(table, path, problems)
    table = leave_out(
        table,
        ~table["dicom_id"].str.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*"),
        "hostile path",
        lambda row: f"'dicom_id' must be letters, digits and hyphens, got {row['dicom_id']!r}",
        path,
        problems,
    )
    table = leave_out(
        table,
        ~table["split"].isin(SPLITS),
        "unknown split",
        lambda row: f"'split' must be one of {', '.join(SPLITS)}, got {row['split']!r}",
        path,
        problems,
    )
    return first_of_each(table, ["dicom_id"], path, problems), path


def _studies(root, name, labels, problems):
    """Return the labels by study, and the keys of the studies whose row is wrong."""
    path = table_path(root, name)
    table = read_table(path, [*_IDS, *labels])
    table = first_of_each(_whole_ids(table, path, problems), _IDS, path, problems)
    right = to_labels(table, labels, path, problems)
    bad = table.loc[table.index.difference(right.index), _IDS] if len(right) < len(table) else None
    return right, path, bad


def _whole_ids(table, path, problems):
    for name in _IDS:
        table = leave_out(
            table,
            ~table[name].str.fullmatch("[0-9]{1,12}"),
            "bad id",
            lambda row, name=name: f"{name!r} must be a whole number, got {row[name]!r}",
            path,
            problems,
        )
    return table


def _key(table):
    return pd.MultiIndex.from_frame(table[_IDS])


def _without_image(studies, images, path, problems):
    leave_out(
        studies,
        pd.Series(~_key(studies).isin(_key(images)), index=studies.index),
        "labels without image",
        lambda row: (
            f"study {row['study_id']} of subject {row['subject_id']} is in no row of the "
            "table of splits"
        ),
        path,
        problems,
    )


def _joined(images, studies, bad, path, problems, unlabelled):
    if bad is not None:  # counted already, with the row of labels
        images = images[~_key(images).isin(_key(bad))]
    joined = images.merge(studies, on=_IDS, how="left", indicator=True, validate="many_to_one")
    joined.index = images.index
    if unlabelled == "problem":
        joined = leave_out(
            joined,
            joined["_merge"] == "left_only",
            "image without labels",
            lambda row: (
                f"study {row['study_id']} of subject {row['subject_id']} has no row in the "
                "table of labels; unlabelled='blank' keeps it with no finding mentioned"
            ),
            path,
            problems,
        )
    return joined.drop(columns="_merge")


def _with_view(images, root, views, problems):
    try:
        path = table_path(root, _METADATA)
    except DataError as error:
        if views is None and error.kind == "missing table":
            return images, False
        raise
    table = read_table(path, ["dicom_id", "ViewPosition"])
    table = first_of_each(table, ["dicom_id"], path, problems)
    view = table.set_index("dicom_id")["ViewPosition"].str.upper()
    images = images.assign(view=images["dicom_id"].map(view))
    if views is None:
        return images.fillna({"view": ""}), True
    images = leave_out(
        images,
        images["view"].isna(),
        "no metadata",
        lambda row: f"image {row['dicom_id']!r} has no row; views=None keeps it",
        path,
        problems,
    )
    return images[images["view"].isin([name.upper() for name in views])], True


def _cases(images, labels, seen, reports):
    subject = "p" + images["subject_id"]
    study = "files/" + subject.str[:3] + "/" + subject + "/s" + images["study_id"]
    cases = pd.DataFrame(
        {
            "case_id": images["dicom_id"],
            "patient_id": images["subject_id"],
            "split": images["split"],
            "image": study + "/" + images["dicom_id"] + ".jpg",
        }
    )
    if reports:
        cases["report"] = study + ".txt"
    cases["study_id"] = images["study_id"]
    if seen:
        cases["view"] = images["view"]
    return cases.join(images[list(labels)]).reset_index(drop=True)


def _image_reader(root):
    def read(case, size):
        return read_image(existing(root, case["image"], "image"), size=size)

    return read


def _report_reader(root):
    def read(case, size):
        path = existing(root, case["report"], "report")
        try:
            text = path.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DataError("report is not UTF-8", str(error), path=path) from error
        except OSError as error:
            raise DataError("unreadable report", str(error), path=path) from error
        if not text.strip():
            raise DataError("empty report", "there is no word in it", path=path)
        return text.replace("\r\n", "\n")

    return read
