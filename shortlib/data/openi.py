"""Open-i (Indiana University): radiology reports as XML in one archive, and their radiographs.

``NLMCXR_reports.tgz`` holds ``ecgen-radiology/<n>.xml``, a report each, which names the
images that it is about [1]_; ``images/`` holds as many of these as there are, as
``<image id>.png``. The archive is read as it is: nothing is unpacked.

.. [1] Demner-Fushman et al., "Preparing a collection of radiology examinations for
   distribution and retrieval", JAMIA 23(2), 2016.
"""

import os
import tarfile
import xml.etree.ElementTree as ET
from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from shortlib.data.drawn_splits import split_by_shares
from shortlib.data.images import decoding, read_image
from shortlib.data.index import Index
from shortlib.data.paths import data_set_root, existing, inside
from shortlib.data.problems import DataError, Problems
from shortlib.data.tables import read_table

NAME = "Open-i"
SIZE = 224
ARCHIVE = "NLMCXR_reports.tgz"
IMAGES = "images"
HEADERS = "nlmcxr_dicom_metadata.csv.gz"
SECTIONS = ("indication", "comparison", "findings", "impression")
LABELS = ("normal", "abnormal")

_MOST_BYTES = 1 << 20  # of a report; the largest has 12 kB
# What the indexers wrote instead of a term.
_NORMAL, _NOT_INDEXED = "normal", "No Indexing"


def reports(root, *, problems=None):
    """Read all reports from the archive.

    Parameters
    ----------
    root : str or pathlib.Path
        The folder that holds ``NLMCXR_reports.tgz``.
    problems : shortlib.data.problems.Problems, optional
        By default the first problem is raised.

    Returns
    -------
    pandas.DataFrame
        A row a report, in the archive's order: ``uid``; the text of each of
        `SECTIONS`, empty where a report has none; ``mesh`` (terms that indexers gave,
        parted by ``|``), ``automatic`` (terms that a program found), and ``images``
        (ids, parted by ``|``).

    Raises
    ------
    DataError
        If the archive is missing or damaged, or, one by one, for a member whose path
        leads out of it, that is a link or a device, is larger than a megabyte, is no
        report, declares a document type (which reports do not, and entities that grow
        without end need), or has the uid of another.
    """
    problems = Problems() if problems is None else problems
    path = existing(data_set_root(root, NAME, holds=[ARCHIVE]), ARCHIVE, "archive")
    rows = {}
    with decoding(path, "archive"), tarfile.open(path, "r|gz") as archive:
        for member in archive:
            if member.isdir():
                continue
            try:
                row = _parsed(_bytes(archive, member, path), f"{path}:{member.name}")
                if row["uid"] in rows:
                    raise DataError(
                        "duplicate report", f"uid {row['uid']!r} occurs before", path=path
                    )
            except DataError as error:
                problems.add(error)
                continue
            rows[row["uid"]] = row
    columns = ["uid", *SECTIONS, "mesh", "automatic", "images"]
    return pd.DataFrame(list(rows.values()), columns=columns, dtype=str)


def read_index(root, *, problems, labelled=True, fractions=None, seed=0, fit="pad"):
    """List the images that are there, with the report of each.

    Parameters
    ----------
    root : str or pathlib.Path
    problems : shortlib.data.problems.Problems
    labelled : bool
        Label an image 0 when the indexers called its report normal, and 1 when they
        gave it other terms. Images of reports that were not indexed are then a
        problem; without labels they are read too.
    fractions : dict of str to float, optional
        Shares of the reports that are drawn for each part. By default all are
        ``"all"``: there are four images in the prepared folder.
    seed : int
        Of the split.
    fit : str
        See :func:`shortlib.data.images.fit_to`.

    Returns
    -------
    shortlib.data.index.Index
        A report counts as a patient: its images are of one examination. Who came
        twice is not known. Reports have the sections that are not empty, each after
        its name in capitals.

    Raises
    ------
    DataError
        If the archive is missing or damaged, or no image is there.
    """
    root = data_set_root(root, NAME, holds=[ARCHIVE])
    cases = _of_images(root, reports(root, problems=problems), problems)
    if labelled:
        cases = _with_labels(cases, root, problems)
    if not len(cases):
        raise DataError("no images", "no image has a report", path=root / IMAGES)
    covariates = ("mesh",)
    if (root / HEADERS).exists():
        cases, covariates = _with_views(cases, root), ("mesh", "view")
    cases["split"] = "all"
    if fractions is not None:
        cases["split"] = split_by_shares(cases, fractions, strata=None, seed=seed, root=root)
    return Index(
        name=NAME,
        root=root,
        cases=cases,
        readers={"images": _image(root, fit), "reports": _report},
        size=SIZE,
        files=("image",),
        labels=("label",) if labelled else (),
        label_names=LABELS if labelled else (),
        covariates=covariates,
        fit=fit,
        problems=problems,
    )


def _bytes(archive, member, path):
    parts = PurePosixPath(member.name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or not member.isfile():
        kind = "a path out of the archive" if member.isfile() else "a link or a device"
        raise DataError("hostile member", f"{member.name[:200]!r} is {kind}", path=path)
    if parts.suffix != ".xml":
        raise DataError("no report", f"{member.name[:200]!r} is no XML file", path=path)
    if member.size > _MOST_BYTES:
        raise DataError(
            "hostile member", f"{member.name[:200]!r} has {member.size} bytes", path=path
        )
    return archive.extractfile(member).read()


class _NoDocumentType(ET.TreeBuilder):
    """Stops at a document type: it is the one place where entities can be declared."""

    def doctype(self, name, pubid, system):
        raise DataError("hostile report", f"declares a document type, {name[:40]!r}")


def _parsed(data, where):
    with decoding(where, "report"):
        try:
            top = ET.fromstring(data, ET.XMLParser(target=_NoDocumentType()))
        except DataError as error:
            raise DataError(error.kind, error.sentence, path=where) from None
    uid = top.find("uId")
    if uid is None or not uid.get("id"):
        raise DataError("no report", "has no uId", path=where)
    row = {"uid": uid.get("id"), **dict.fromkeys(SECTIONS, "")}
    for text in top.iter("AbstractText"):
        name = (text.get("Label") or "").lower()
        if name in SECTIONS:
            row[name] = " ".join(filter(None, [row[name], _flat("".join(text.itertext()))]))
    row["mesh"] = _joined(top.iter("major"), lambda term: _flat(term.text))
    row["automatic"] = _joined(top.iter("automatic"), lambda term: _flat(term.text))
    row["images"] = _joined(top.iter("parentImage"), lambda image: image.get("id"))
    return row


def _flat(text):
    return " ".join((text or "").split())


def _joined(elements, read):
    return "|".join(filter(None, map(read, elements)))


def _of_images(root, table, problems):
    """Join the images that are there to the reports that name them."""
    place = inside(root, IMAGES)
    if not place.is_dir():
        raise DataError("no images", "the images should be in it", path=root / IMAGES)
    by_image = table.assign(case_id=table["images"].str.split("|")).explode("case_id")
    by_image = by_image[by_image["case_id"] != ""].drop_duplicates("case_id").set_index("case_id")
    there = []
    for name in sorted(os.listdir(place)):
        case_id, suffix = os.path.splitext(name)
        if name.startswith(".") or suffix.lower() != ".png":
            continue
        if case_id not in by_image.index:
            problems.add(
                DataError("missing report", f"no report names {case_id!r}", path=place / name)
            )
            continue
        there.append({"case_id": case_id, "image": f"{IMAGES}/{name}"})
    cases = pd.DataFrame(there, columns=["case_id", "image"], dtype=str)
    return cases.join(by_image, on="case_id").rename(columns={"uid": "patient_id"})


def _with_labels(cases, root, problems):
    indexed = ~cases["mesh"].isin(["", _NOT_INDEXED])
    for _, case in cases[~indexed].iterrows():
        problems.add(
            DataError(
                "not indexed", "its report has no terms, so no label", path=root / case["image"]
            )
        )
    label = (cases["mesh"] != _NORMAL).astype(np.int64)
    return cases.assign(label=label)[indexed].reset_index(drop=True)


def _with_views(cases, root):
    path = existing(root, HEADERS, "table")
    table = read_table(path, ["imageid", "View Position"]).drop_duplicates("imageid")
    view = cases["case_id"].map(table.set_index("imageid")["View Position"])
    return cases.assign(view=view.fillna(""))


def _image(root, fit):
    def read(case, size):
        return read_image(existing(root, case["image"], "image"), size=size, fit=fit)

    return read


def _report(case, _):
    return "\n".join(f"{name.upper()}: {case[name]}" for name in SECTIONS if case[name])
