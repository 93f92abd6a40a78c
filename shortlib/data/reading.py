"""Reading every case of a data set once, in parallel, holding a few of them at a time."""

import hashlib
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from tqdm import tqdm

from shortlib.data.cohort import PLANES
from shortlib.data.problems import DataError

KEPT = 20  # problems of a kind whose sentences are kept


@dataclass
class Seen:
    """What reading found.

    Parameters
    ----------
    read : int
        Cases that were read.
    counts : collections.Counter
        Problems by kind.
    problems : list of DataError
        At most :data:`KEPT` of a kind.
    marks : dict of int to bytes
        Position of a case to 16 bytes that stand for its image's pixels; blank images
        have none.
    blank : int
        Images of one value.
    shape : tuple of int or None
        Of the images.
    empty_masks : collections.Counter
        Cases whose mask has no pixel, by field.
    """

    read: int = 0
    counts: Counter = field(default_factory=Counter)
    problems: list = field(default_factory=list)
    marks: dict = field(default_factory=dict)
    blank: int = 0
    shape: tuple | None = None
    empty_masks: Counter = field(default_factory=Counter)

    def add(self, error):
        """Count a problem and keep its sentence if few of its kind were kept."""
        self.counts[error.kind] += 1
        if self.counts[error.kind] <= KEPT:
            self.problems.append(error)


def read_all(index, positions, *, workers, progress=False):
    """Read every field of the cases and forget them again.

    Parameters
    ----------
    index : shortlib.data.index.Index
    positions : sequence of int
        The cases.
    workers : int
        Threads. At most four cases for each of them are in memory, whatever the
        number of cases.
    progress : bool

    Returns
    -------
    Seen
    """
    seen, waiting = Seen(), deque()
    bar = tqdm(
        total=len(positions), desc=index.name, unit="case", disable=not progress, leave=False
    )
    with bar, ThreadPoolExecutor(workers) as pool:
        for position in positions:
            waiting.append((position, pool.submit(_look, index, position)))
            if len(waiting) >= 4 * workers:
                _take(seen, index, *waiting.popleft())
                bar.update(1)
        for position, future in waiting:
            _take(seen, index, position, future)
            bar.update(1)
    return seen


def twins(marks, parts):
    """Find images that are the same pixel by pixel.

    Parameters
    ----------
    marks : dict of int to bytes
    parts : sequence of str
        Part of every case, by position.

    Returns
    -------
    across, within : list of tuple of int
        Groups of positions: those that span parts, and those in one part.
    """
    groups = {}
    for position, mark in marks.items():
        groups.setdefault(mark, []).append(position)
    several = [tuple(group) for group in groups.values() if len(group) > 1]
    across = [group for group in several if len({parts[i] for i in group}) > 1]
    return across, [group for group in several if group not in set(across)]


def _look(index, position):
    """Reduce a case to what is worth keeping, in the thread that read it."""
    try:
        found = index.case(position)
    except DataError as error:
        return error
    image = np.ascontiguousarray(found["images"])
    blank = image.min() == image.max()
    mark = None if blank else hashlib.blake2b(image.tobytes(), digest_size=16).digest()
    shapes = {name: np.shape(value) for name, value in found.items()}
    finite = image.dtype.kind != "f" or bool(np.isfinite(image).all())
    empty = [name for name in PLANES if name in found and not found[name].any()]
    return mark, shapes, finite, empty


def _take(seen, index, position, future):
    found = future.result()
    if isinstance(found, DataError):
        seen.add(found)
        return
    mark, shapes, finite, empty = found
    case_id = index.cases["case_id"].iloc[position]
    seen.shape = seen.shape or shapes["images"]
    if shapes["images"] != seen.shape:
        seen.add(
            DataError(
                "another shape",
                f"case {case_id!r} has images of {shapes['images']}, others have {seen.shape}",
            )
        )
    for name in PLANES:
        if name in shapes and shapes[name][-2:] != shapes["images"][-2:]:
            seen.add(DataError("mask off its image", f"case {case_id!r}: {name} {shapes[name]}"))
    if not finite:
        seen.add(DataError("not a number", f"case {case_id!r} has pixels that are no numbers"))
    seen.read += 1
    seen.blank += mark is None
    seen.empty_masks.update(empty)
    if mark is not None:
        seen.marks[position] = mark
