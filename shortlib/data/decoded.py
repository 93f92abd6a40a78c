"""A data set decoded once: small images in one file, mapped into memory, for many epochs.

A folder of decoded images holds

- ``images.npy``: case ``i`` of those listed is row ``i``; a case left out is all zeros;
- ``cases.parquet``: ``case_id`` of the cases kept, in order, and their ``reports``;
- ``decoded.json``: what was decoded and how, and which cases were left out and why.
"""

import hashlib
import json
import os
import re
import shutil
import sys
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.lib.format import open_memmap
from tqdm import tqdm

from shortlib.data.locations import data_folder
from shortlib.data.placing import placed, read_record
from shortlib.data.problems import DataError, Problems
from shortlib.data.streamed import Streamed

IMAGES, CASES, RECORD = "images.npy", "cases.parquet", "decoded.json"
FIELDS = ("images", "reports")
VERSION = 1  # of the folder's layout; part of the identity
WORKERS = min(os.cpu_count() or 1, 8)
REMEDY = "give another folder, or delete this one to have it made"


def decoded(index, split=None, *, size=None, folder=None, workers=WORKERS):
    """Read every case of a split once and keep its image at the size that is wanted.

    The first call decodes; each further one opens what is there, in seconds. Images
    then come from a file that is mapped into memory, so that no more than is asked for is
    in memory and no damaged file can stop an epoch.

    Parameters
    ----------
    index : shortlib.data.index.Index
        A case that cannot be read stops or is left out, as its `problems` say.
    split : str, optional
        As in :meth:`shortlib.data.index.Index.cohort`.
    size : int, optional
        Side of the images in pixels; the reader's own by default.
    folder : str or pathlib.Path, optional
        Where the decoded images are or will be, for these cases at this size alone. By
        default ``decoded/<set>-<identity>`` in
        :func:`shortlib.data.locations.data_folder`, so that what was decoded from other
        cases or files, or otherwise, is never taken for these.
    workers : int
        Threads that decode. At most four cases for each of them are in memory.

    Returns
    -------
    shortlib.data.Cohort
        Its images are :class:`shortlib.data.streamed.Streamed`, its reports in memory;
        masks are left out, so nothing of them is read or checked.

    Raises
    ------
    DataError
        If a case cannot be read and cases are not skipped (then nothing is left
        behind), none can, the disk is too full, or the folder holds something else.
    ValueError
        If `workers` is less than 1.

    Notes
    -----
    The identity is a SHA-256 of the listed cases, the sizes in bytes of their files, the
    size and fit of the images, and the first case as it is decoded here and now. A
    file that was replaced by one of as many bytes goes unnoticed, and so does a report
    that is kept outside the data set's folder.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    size = index.size if size is None else size
    index = index.of(split)
    readers = {name: read for name, read in index.readers.items() if name in FIELDS}
    cases = index.cases.reset_index(drop=True)
    index = replace(index, cases=cases, readers=readers, planes={})
    first = _first(index, size)
    identity = _identity(index, size, first)
    if folder is None:
        name = re.sub(r"[^\w.-]+", "-", index.name) or "images"
        folder = data_folder() / "decoded" / f"{name}-{identity[:16]}"
    folder = Path(folder)
    try:
        with placed(folder) as filling:
            if filling is not None:  # else another process filled it while this one waited
                skipped = _fill(filling, index, size, first["images"], workers)
                about = {"name": index.name, "split": split, "size": size, "fit": index.fit}
                about |= {"identity": identity, "cases": len(index), "skipped": skipped}
                (filling / RECORD).write_text(json.dumps(about, indent=1), encoding="utf-8")
    except DataError as error:
        if error.kind != "folder is taken":  # by what an earlier call decoded, as a rule
            raise
    images, table, skipped = _opened(folder, index, first["images"], identity)
    return _cohort(index, split, images, table, skipped, identity)


def _case(row, index, size, shape=None):
    """Return a case's fields, or what is wrong with it."""
    try:
        found = {name: read(row, size) for name, read in index.readers.items()}
        if shape not in (None, found["images"].shape):
            sentence = f"case {row['case_id']!r} has {found['images'].shape}, the first one {shape}"
            raise DataError("another shape", sentence)
        return found
    except DataError as error:
        return error


def _first(index, size):
    """Return the first case that can be read."""
    problems, last = Problems(index.problems.on_error), ""
    for i in range(len(index)):
        found = _case(index.cases.iloc[i].to_dict(), index, size)
        if not isinstance(found, DataError):
            return found
        problems.add(found)
        last = f"; the last: {found}"
    raise DataError("no cases", f"none of {len(index)} could be read{last}", path=index.root)


def _identity(index, size, first):
    about = f"{VERSION}|{index.name}|{size}|{index.fit}|{index.checksum()}|"
    digest = hashlib.sha256(about.encode())
    for column in index.files:
        lengths = [_length(index.root, path) for path in index.cases[column]]
        digest.update(np.array(lengths, dtype="<i8").tobytes())
    # The first case stands for whatever else decides the values: a reader's options, the decoder.
    for name, value in first.items():
        value = np.asarray(value)
        digest.update(f"|{name}|{value.shape}|{value.dtype.str}|".encode())
        digest.update(str(value).encode() if value.dtype.kind == "U" else value.tobytes())
    return digest.hexdigest()


def _length(root, path):
    try:
        return os.stat(f"{root}/{path}").st_size if path else -1
    except (OSError, ValueError):  # it is not there, or the name cannot be one
        return -2


def _fill(folder, index, size, image, workers):
    """Write images and reports; return what was left out, as JSON has it."""
    needed, free = len(index) * image.nbytes, shutil.disk_usage(folder).free
    if needed > free:  # a mapped file that the disk has no room for ends the process
        sentence = f"{needed / 1e9:.1f} GB are needed, {free / 1e9:.1f} GB are free"
        raise DataError("disk is too full", f"{sentence}; give another folder", path=folder.parent)
    shape = (len(index), *image.shape)
    images = open_memmap(folder / IMAGES, mode="w+", dtype=image.dtype, shape=shape)
    problems, skipped, kept = Problems(index.problems.on_error), [], []
    for i, found in enumerate(_in_order(index, size, image.shape, workers)):
        if isinstance(found, DataError):
            problems.add(found)
            path = None if found.path is None else str(found.path)
            error = {"kind": found.kind, "sentence": found.sentence, "path": path, "row": found.row}
            skipped.append({"case": i, **error})
        else:
            images[i] = found.pop("images")
            kept.append({"case_id": index.cases["case_id"].iloc[i], **found})
    images.flush()
    del images  # some systems do not rename a file that is mapped
    pd.DataFrame(kept).to_parquet(folder / CASES, index=False, compression="zstd")
    return skipped


def _in_order(index, size, shape, workers):
    """Yield every case's fields or problem, at most four cases a worker in memory."""
    names, waiting = list(index.cases.columns), deque()
    about = {"total": len(index), "desc": f"decoding {index.name}", "unit": "case", "leave": False}
    with (
        tqdm(**about, disable=not sys.stderr.isatty()) as bar,
        ThreadPoolExecutor(workers) as pool,
    ):
        for values in index.cases.itertuples(index=False, name=None):
            row = dict(zip(names, values, strict=True))
            waiting.append(pool.submit(_case, row, index, size, shape))
            if len(waiting) >= 4 * workers:
                yield waiting.popleft().result()
                bar.update(1)
        for future in waiting:
            yield future.result()
            bar.update(1)


def _opened(folder, index, image, identity):
    """Return the mapped images, the table of kept cases, and by position what was left out."""
    record = read_record(folder / RECORD, [], REMEDY)
    if record is None:
        raise DataError(
            "no decoded images", f"it has no {RECORD}; give a new or empty one", path=folder
        )
    try:
        if record["identity"] != identity:
            sentence = f"of other cases or files, or decoded otherwise; {REMEDY}"
            raise DataError("other decoded images", sentence, path=folder)
        skipped = {entry.pop("case"): DataError(**entry) for entry in record["skipped"]}
        table = pd.read_parquet(folder / CASES)
        ids = index.cases["case_id"].drop(index=list(skipped)).to_list()
        if table["case_id"].to_list() != ids or set(table) - {"case_id"} != set(index.readers) - {
            "images"
        }:
            raise ValueError(f"{CASES} has other cases or columns than are due")
        images = open_memmap(folder / IMAGES, mode="r")
        found = images.shape, images.dtype, (folder / IMAGES).stat().st_size
        due = (len(index), *image.shape), image.dtype, images.offset + images.nbytes
        if found != due:
            raise ValueError(f"{IMAGES} has shape, type and bytes {found}, due are {due}")
    except DataError:
        raise
    except Exception as error:  # three decoders on damaged bytes raise whatever they like
        said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise DataError("damaged decoded images", f"{said}; {REMEDY}", path=folder) from error
    return images, table, skipped


def _cohort(index, split, images, table, skipped, identity):
    problems = Problems(index.problems.on_error, list(index.problems.found))
    for error in skipped.values():  # it may have been decoded for someone who skips
        problems.add(error)
    streamed = Streamed(
        lambda i: np.array(images[i]),  # a copy: what is in the map cannot be written to
        len(index),
        images.shape[1:],
        images.dtype,
        identity=identity,
    ).take(np.delete(np.arange(len(index)), list(skipped)))
    kept = replace(
        index,
        cases=index.cases.drop(index=list(skipped)).reset_index(drop=True),
        readers={"images": lambda case, size: images[0]},
        files=(),
        problems=problems,
    )
    reports = table["reports"].to_numpy(dtype=object) if "reports" in table else None
    return replace(kept.cohort(split, stream=True), images=streamed, reports=reports)
