"""A miniature MIMIC-CXR-JPG and CheXpert in their real layouts, with what real folders suffer."""

import gzip
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from shortlib.data.chexpert_labels import FIVE
from shortlib.data.phantoms.make import RECORD, make
from shortlib.data.sets import read_index

MIMIC, CHEXPERT = "mimic-cxr-jpg", "chexpert"
FOLDERS = {MIMIC: "mimic-cxr", CHEXPERT: "chexpert"}
# Latin-1, as an old system wrote it: the last byte of "fusi\xf3n" begins no letter of UTF-8.
LATIN = "FINDINGS: Peque\xf1a efusi\xf3n.\n".encode("latin-1")
# Sections that are named and say nothing; there are words in the file, so it is a report.
EMPTY_SECTIONS = b"FINAL REPORT\n\nFINDINGS:\n\nIMPRESSION:\n\n"


@dataclass
class Hostile:
    """What was damaged, by the name of the manifest that reads the folder.

    Parameters
    ----------
    roots : dict of str to pathlib.Path
    lost : dict of str to dict
        By case id, the kind of problem and the file: cases that cannot be read.
    odd : dict of str to dict
        By kind of oddity, the ids of cases that are read all the same: "empty sections",
        "nothing mentioned" (each label NaN), "all uncertain" (each label -1).
    """

    roots: dict
    lost: dict = field(default_factory=lambda: {MIMIC: {}, CHEXPERT: {}})
    odd: dict = field(default_factory=lambda: {MIMIC: {}, CHEXPERT: {}})


def hostile_tree(folder, *, n=96, pixels=64):
    """Write ``<folder>/mimic-cxr`` and ``<folder>/chexpert`` and damage them.

    Parameters
    ----------
    folder : str or pathlib.Path
    n : int
        Images of each data set, at least 48; what is damaged does not grow with it.
    pixels : int
        Side of the images.

    Returns
    -------
    Hostile
        Most damage is to the official training part; one image is missing in the part
        that each study tests on.
    """
    folder = Path(folder)
    roots = {name: folder / place for name, place in FOLDERS.items()}
    for name, root in roots.items():
        make(f"builtin-{name.removesuffix('-jpg')}", root, n=n, size=pixels, n_jobs=1)
        shutil.rmtree(root / "annotations")  # the real ones have no masks
        (root / RECORD).unlink()
    done = Hostile(roots)
    _damage_mimic(done)
    _damage_chexpert(done)
    return done


def _damage_mimic(done):
    root = done.roots[MIMIC]
    cases = read_index(MIMIC, root).cases
    # One study after the other, so that no case has two things wrong with it.
    train = iter([part for _, part in _studies(cases, "train")])
    test = iter([part for _, part in _studies(cases, "test")])
    for part in (next(train), next(test)):
        _lose(done, MIMIC, part[:1], "image", "missing image", Path.unlink)
    _lose(done, MIMIC, next(train)[:1], "image", "unreadable image", _truncate)
    _lose(done, MIMIC, next(train), "report", "missing report", Path.unlink)
    for content, kind in ((LATIN, "report is not UTF-8"), (b" \n\n", "empty report")):
        _lose(done, MIMIC, next(train), "report", kind, lambda path, c=content: path.write_bytes(c))
    part = next(train)
    (root / part["report"].iloc[0]).write_bytes(EMPTY_SECTIONS)
    done.odd[MIMIC]["empty sections"] = part["case_id"].tolist()
    blank, uncertain = next(train), next(train)
    path = root / "mimic-cxr-2.0.0-chexpert.csv.gz"
    table = pd.read_csv(path)
    _set_labels(done, MIMIC, table, table["study_id"].astype(str), blank, uncertain, "study_id")
    path.write_bytes(gzip.compress(table.to_csv(index=False).encode()))


def _damage_chexpert(done):
    root = done.roots[CHEXPERT]
    cases = read_index(CHEXPERT, root).cases
    train, valid = (cases[cases["split"] == split] for split in ("train", "valid"))
    _lose(done, CHEXPERT, train[:1], "image", "missing image", Path.unlink)
    _lose(done, CHEXPERT, valid[:1], "image", "missing image", Path.unlink)
    _lose(done, CHEXPERT, train[1:2], "image", "unreadable image", _truncate)
    path = root / "CheXpert-v1.0-small" / "train.csv"
    table = pd.read_csv(path)
    _set_labels(done, CHEXPERT, table, table["Path"], train[2:3], train[3:4], "image")
    path.write_bytes(table.to_csv(index=False).encode())


def _studies(cases, split):
    return cases[cases["split"] == split].groupby("study_id", sort=False)


def _lose(done, name, cases, column, kind, damage):
    path = done.roots[name] / cases[column].iloc[0]
    damage(path)
    done.lost[name] |= {case: (kind, path) for case in cases["case_id"]}


def _truncate(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _set_labels(done, name, table, keys, blank, uncertain, column):
    for kind, part, value in (
        ("nothing mentioned", blank, np.nan),
        ("all uncertain", uncertain, -1.0),
    ):
        rows = keys == part[column].iloc[0]
        assert rows.any()
        table.loc[rows, list(FIVE)] = value
        done.odd[name][kind] = part["case_id"].tolist()
