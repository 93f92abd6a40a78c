"""What a data set on disk lists, before any image is read."""

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from shortlib.data.cases_checksum import cases_checksum
from shortlib.data.cohort import PLANES, Cohort
from shortlib.data.problems import DataError, Problems
from shortlib.data.streamed import WORKERS, Streamed


@dataclass(frozen=True)
class Index:
    """The cases of a data set and how each of their fields is read.

    Parameters
    ----------
    name : str
        Of the data set.
    root : pathlib.Path
    cases : pandas.DataFrame
        One row a case: ``case_id``, ``patient_id``, ``split``, and the columns
        named below. No path in it has been opened yet.
    readers : dict of str to callable
        By field of :class:`shortlib.data.Cohort`: ``read(case, size)`` with a row of
        `cases` as a mapping returns the array (or text) of that case, or raises
        :class:`shortlib.data.problems.DataError`.
    size : int
        Side of the images in pixels when nobody asks for another.
    files : tuple of str
        Columns with paths below `root`; empty text where a case has no such file.
    labels : tuple of str
        Columns of the labels: one column holds classes, several hold one finding
        each.
    label_names : tuple of str
        Of the classes, where there is one column.
    shortcuts : tuple of str
        Columns that say whether a case carries a shortcut.
    covariates : tuple of str
        Columns that go along.
    planes : dict of str to tuple of str
        Names of the planes of each field of masks that has several.
    fit : str
        How images are brought to a square; see :func:`shortlib.data.images.fit_to`.
    problems : shortlib.data.problems.Problems
        What was wrong when the cases were listed, and whether to stop at the next one.
    notes : tuple of str
        What is as the data set has it and still worth knowing, e.g. images that its
        own tables name in two parts.
    """

    name: str
    root: Path
    cases: pd.DataFrame
    readers: Mapping[str, Callable]
    size: int
    files: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    label_names: tuple[str, ...] = ()
    shortcuts: tuple[str, ...] = ()
    covariates: tuple[str, ...] = ()
    planes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fit: str = "crop"
    problems: Problems = field(default_factory=Problems)
    notes: tuple[str, ...] = ()

    def __len__(self):
        return len(self.cases)

    def of(self, split):
        """Return the index of one split, or of several joined by ``+``.

        Raises
        ------
        DataError
            If no case is in it; the sentence lists the splits that there are.
        """
        if split is None:
            return self
        wanted = split.split("+")
        present = self.cases["split"].value_counts(sort=False)
        for name in wanted:
            if not present.get(name):
                there = ", ".join(f"{part} ({n})" for part, n in present.items()) or "none"
                raise DataError(
                    "empty split",
                    f"{self.name} has no case in {name!r}; it has {there}",
                    path=self.root,
                )
        chosen = self.cases[self.cases["split"].isin(wanted)].reset_index(drop=True)
        return replace(self, cases=chosen)

    def checksum(self):
        """Return a SHA-256 over what the index lists.

        Covers the table of cases in its order (ids, patients, splits, labels, paths
        below `root` and all other columns) and which columns are labels and shortcuts.
        It is the same on every machine and with every version of pandas. Neither the
        place of the data set nor what its files hold enters: an image that was
        replaced by another of the same name goes unnoticed.

        Returns
        -------
        str
            64 hexadecimal digits.
        """
        roles = {"labels": self.labels, "label_names": self.label_names}
        return cases_checksum(self.cases, {**roles, "shortcuts": self.shortcuts}, self.root)

    def cohort(self, split=None, *, size=None, stream=False, workers=WORKERS):
        """Read the cases of a split.

        Parameters
        ----------
        split : str, optional
            All cases by default.
        size : int, optional
            Side of the images in pixels.
        stream : bool
            Leave images, masks and reports on disk and read them when they are
            indexed. A case that cannot be read then raises at that moment, whatever
            `on_error` says: run ``shortlib data verify`` first.
        workers : int
            Threads that read.

        Returns
        -------
        Cohort

        Raises
        ------
        DataError
            If a case cannot be read and cases are not skipped, or none is left.
        """
        # Problems of reading are this cohort's own: not of the next split, nor counted twice.
        problems = replace(self.problems, found=list(self.problems.found))
        chosen = replace(self.of(split), problems=problems)
        if not len(chosen):
            raise DataError("no cases", f"nothing of {self.name} is left to read", path=self.root)
        size = self.size if size is None else size
        read = chosen._streamed if stream else chosen._read
        kept, arrays = read(size, workers)
        rows = chosen.cases.iloc[kept].reset_index(drop=True)
        problems.warn(self.name)
        several = len(self.labels) > 1
        return Cohort(
            name=f"{self.name}-{split}" if split else self.name,
            case_ids=rows["case_id"].to_numpy(dtype=str),
            patient_ids=rows["patient_id"].to_numpy(dtype=str),
            labels=_columns(rows, self.labels, np.float32 if several else np.int64),
            label_names=self.labels if several else self.label_names,
            shortcut=_columns(rows, self.shortcuts, bool),
            shortcut_names=self.shortcuts,
            covariates=rows[list(self.covariates)] if self.covariates else None,
            skipped=tuple(problems.found),
            **arrays,
            **{
                PLANES[name]: names
                for name, names in self.planes.items()
                if name != "shortcut_masks"
            },
        )

    def case(self, position, size=None):
        """Read every field of one case.

        Returns
        -------
        dict of str to numpy.ndarray or str
        """
        row = self.cases.iloc[position].to_dict()
        size = self.size if size is None else size
        return {name: read(row, size) for name, read in self.readers.items()}

    def _read(self, size, workers):
        rows = self.cases.to_dict("records")

        def read(row):
            try:
                return {name: reader(row, size) for name, reader in self.readers.items()}
            except DataError as error:
                return error

        kept, arrays = [], {}
        with ThreadPoolExecutor(workers) as pool:
            for place, found in enumerate(pool.map(read, rows)):
                if isinstance(found, DataError):
                    self.problems.add(found)
                    continue
                for name, value in found.items():
                    if name not in arrays:
                        arrays[name] = _room(value, len(rows))
                    arrays[name][len(kept)] = value
                kept.append(place)
        if not kept:
            first = self.problems.found[-1]
            raise DataError(
                "no cases", f"none of {len(rows)} could be read; the last: {first}", path=self.root
            )
        return kept, {name: array[: len(kept)] for name, array in arrays.items()}

    def _streamed(self, size, workers):
        first = self.case(0, size)
        identity = f"{self.name}|{size}|{self.fit}|{self.cases.to_csv(index=False)}|{self._sizes()}"
        identity = hashlib.sha256(identity.encode()).hexdigest()
        arrays = {}
        for name, read in self.readers.items():
            value = np.asarray(first[name])
            text = value.dtype.kind == "U"
            arrays[name] = Streamed(
                lambda i, read=read: read(self.cases.iloc[i].to_dict(), size),
                len(self),
                value.shape,
                object if text else value.dtype,
                identity=f"{name}|{identity}",
                workers=workers,
            )
        return np.arange(len(self)), arrays

    def _sizes(self):
        """Bytes of every file, so that a file that was replaced changes the checksum."""
        paths = (self.root / path for column in self.files for path in self.cases[column] if path)
        return [path.stat().st_size if path.is_file() else None for path in paths]


def _room(value, n):
    value = np.asarray(value)
    return np.empty((n, *value.shape), object if value.dtype.kind == "U" else value.dtype)


def _columns(rows, names, dtype):
    if not names:
        return None
    values = rows[list(names)].to_numpy(dtype=dtype)
    return values[:, 0] if len(names) == 1 else values
