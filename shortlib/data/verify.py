"""Whether a data set on disk is what its manifest says."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from shortlib.data.counting import counts_of, label_table
from shortlib.data.download import sha256_of
from shortlib.data.fetch import recorded
from shortlib.data.manifest import load_manifest
from shortlib.data.paths import existing
from shortlib.data.phantoms.make import made
from shortlib.data.problems import DataError
from shortlib.data.reading import read_all, twins
from shortlib.data.sets import read_index, root_of
from shortlib.data.splits import leaking_patients

OK, FAILED, NOT_KNOWN, NOTED = "ok", "failed", "not known", "noted"
WORKERS = min(os.cpu_count() or 1, 8)


@dataclass(frozen=True)
class Check:
    """One line of a report.

    Parameters
    ----------
    what, due, found : str
    state : str
        ``"ok"``, ``"failed"``, ``"not known"`` (there is nothing to compare with, or
        it was not looked at) or ``"noted"`` (neither right nor wrong).
    """

    what: str
    due: str
    found: str
    state: str


@dataclass(frozen=True)
class Report:
    """What :func:`verify` found.

    Parameters
    ----------
    name : str
    root : pathlib.Path
    checks : tuple of Check
    problems : tuple of DataError
        A few of each kind.
    labels : pandas.DataFrame or None
        See :func:`shortlib.data.counting.label_table`.
    notes : tuple of str
        Of the data set's reader.
    """

    name: str
    root: Path
    checks: tuple[Check, ...]
    problems: tuple = ()
    labels: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()

    @property
    def ok(self):
        """Whether no check failed."""
        return all(check.state != FAILED for check in self.checks)

    def table(self):
        """Return the checks, one row each.

        Returns
        -------
        pandas.DataFrame
            With the columns ``what``, ``due``, ``found`` and ``state``.
        """
        return pd.DataFrame([vars(check) for check in self.checks])

    def histogram(self):
        """Return how often each label is in each part.

        Returns
        -------
        pandas.DataFrame or None
            A row a label, a column a part. Where there are several findings, a cell is
            ``present / absent / uncertain / not mentioned``.
        """
        if self.labels is None or not len(self.labels):
            return None
        cells = self.labels.astype(str).agg(" / ".join, axis=1)
        parts = self.labels.index.get_level_values("part").unique()
        return cells.unstack("part", sort=False)[list(parts)].reset_index()


def verify(name, root=None, *, workers=WORKERS, deep=True, sample=None, seed=0, progress=False):
    """Check layout, counts, checksums, every image, splits and labels of a data set.

    Parameters
    ----------
    name : str
        Of a manifest.
    root : str or pathlib.Path, optional
        See :func:`shortlib.data.sets.root_of`.
    workers : int
        Threads that read.
    deep : bool
        Whether files are opened: without it only tables and names are checked.
    sample : int, optional
        Open this many cases, drawn at random, instead of all.
    seed : int
        Of that draw.
    progress : bool

    Returns
    -------
    Report

    Raises
    ------
    DataError
        If the data set is not there; what is wrong with one that is there is in the
        report.
    ValueError
        If `sample` or `workers` is less than 1.
    """
    for what, value in (("sample", sample), ("workers", workers)):
        if value is not None and value < 1:
            raise ValueError(f"{what} must be at least 1, got {value}")
    manifest, place = load_manifest(name), root_of(name, root)
    if not place.is_dir():
        raise DataError("no data", manifest.how_to_get(), path=place)
    try:
        index = read_index(name, place, on_error="skip")
    except DataError as error:
        check = Check("layout", f"as {manifest.layout}", str(error), FAILED)
        return Report(name, place, (check,), (error,))
    record = _record(place)
    listed = list(index.problems.found)
    counts = ", ".join(f"{n} {kind}" for kind, n in index.problems.counts().items())
    checks = [
        Check("layout", f"as {manifest.layout}", "so it is", OK),
        _equal("rows and files that cannot be listed", "none", counts or "none"),
        *_counts(manifest, index, record),
        _leakage(index),
    ]
    checks += _checksums(place, record, workers) if deep else [_not_looked_at("checksums")]
    problems = listed[:20]
    if deep and len(index):
        positions = np.arange(len(index))
        if sample is not None and sample < len(index):
            positions = np.sort(
                np.random.default_rng(seed).choice(positions, sample, replace=False)
            )
        seen = read_all(index, positions.tolist(), workers=workers, progress=progress)
        problems += seen.problems
        checks += _read(index, seen, len(positions))
    else:
        checks.append(_not_looked_at("images"))
    return Report(name, place, tuple(checks), tuple(problems), label_table(index), index.notes)


def _record(place):
    """Return what was recorded when the set was fetched or made, or why that is broken."""
    try:
        return recorded(place) or made(place)
    except DataError as error:
        return error


def _counts(manifest, index, record):
    due, found = manifest.counts.model_dump(), counts_of(index)
    parameters = record.get("parameters") if isinstance(record, dict) else None
    if parameters is not None and manifest.make and parameters != manifest.make.parameters:
        due = record["counts"]  # made with other parameters than the manifest's
    checks = [
        _equal(what, due[what], found[what])
        if due.get(what) is not None
        else _open(what, found[what])
        for what in ("cases", "patients")
    ]
    names = due["splits"] or dict.fromkeys(manifest.splits.names)
    for part in {**names, **found["splits"]}:
        there = found["splits"].get(part, 0)
        if names.get(part) is not None:
            checks.append(_equal(f"cases in {part}", names[part], there))
        elif part in names:
            state = OK if there else FAILED
            checks.append(Check(f"cases in {part}", "at least 1", str(there), state))
        else:
            checks.append(Check(f"cases in {part}", "no such part", str(there), NOTED))
    for label, number in due["labels"].items():
        checks.append(_equal(f"cases with {label}", number, found["labels"].get(label, 0)))
    return checks


def _leakage(index):
    cases = index.cases
    if (cases["case_id"].astype(str) == cases["patient_id"].astype(str)).all():
        return Check("patients in two parts", "none", "each case counts as a patient", NOTED)
    leaking = leaking_patients(cases["patient_id"], cases["split"])
    first = "".join(f", e.g. {p} in {' and '.join(s)}" for p, s in list(leaking.items())[:1])
    return _equal("patients in two parts", "none", f"{len(leaking)}{first}" if leaking else "none")


def _checksums(place, record, workers):
    """Compare files with what was recorded when they were fetched or made."""
    if isinstance(record, DataError):
        return [Check("checksums", "as recorded", str(record), FAILED)]
    if record is None:
        return [Check("checksums", "nothing is recorded", "not looked at", NOT_KNOWN)]

    def state(item):
        file, due = item
        try:
            return "" if sha256_of(existing(place, file, "file")) == due else "changed"
        except DataError as error:
            return error.kind

    items = list(record["sha256"].items())
    with ThreadPoolExecutor(workers) as pool:
        states = list(pool.map(state, items))
    bad = [f"{file} ({how})" for (file, _), how in zip(items, states, strict=True) if how]
    found = (
        f"{len(bad)} of {len(items)} are not, the first: {bad[0]}"
        if bad
        else f"{len(items)} files are"
    )
    checks = [Check("checksums", "as recorded", found, FAILED if bad else OK)]
    if record.get("mode") == "prepared copy":
        due = "as listed" if record["list_sha256"] else "nobody published any"
        found = "it is a prepared copy"
        checks.append(Check("checksums of the originals", due, found, NOT_KNOWN))
    return checks


def _read(index, seen, number):
    """Say what reading the cases showed."""
    asked = f"{number}" if number == len(index) else f"{number} (a sample of {len(index)})"
    kinds = "".join(f", {n} {kind}" for kind, n in seen.counts.most_common())
    checks = [
        Check(
            "cases that can be read", asked, f"{seen.read}{kinds}", FAILED if seen.counts else OK
        ),
        _equal("images of one value", 0, seen.blank),
    ]
    across, within = twins(seen.marks, index.cases["split"].to_list())
    first = ""
    if across:
        ids = index.cases["case_id"].iloc[list(across[0])]
        first = f", e.g. {' and '.join(ids)}"
    checks.append(
        _equal("same image in two parts", "none", f"{len(across)}{first}" if across else "none")
    )
    if within:
        checks.append(Check("same image twice in a part", "", f"{len(within)} times", NOTED))
    for field, empty in seen.empty_masks.items():
        checks.append(Check(f"cases without a pixel in {field}", "", str(empty), NOTED))
    return checks


def _equal(what, due, found):
    return Check(what, str(due), str(found), OK if due == found else FAILED)


def _open(what, found):
    return Check(what, "not stated", str(found), NOT_KNOWN)


def _not_looked_at(what):
    return Check(what, "", "not looked at", NOT_KNOWN)
