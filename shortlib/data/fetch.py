"""Getting the data sets that anyone may have, and saying what to do for the others."""

import hashlib
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tqdm import tqdm

from shortlib.data.archives import unpack
from shortlib.data.download import check_sha256, retrieve, sha256_of
from shortlib.data.file_lists import read_file_list
from shortlib.data.manifest import load_manifest
from shortlib.data.mirrors import copy_of, original_in, prepared_in
from shortlib.data.paths import inside
from shortlib.data.placing import is_taken, placed, read_record
from shortlib.data.prepare import check_prepared, preparation_of, prepare
from shortlib.data.problems import DataError
from shortlib.data.sets import read_index, root_of

# What was fetched and how, in the data set's folder.
RECORD = "fetched.json"
# What was begun, while it is being fetched.
BEGUN = ".begun"
WORKERS = 4


class NeedsAPersonError(ValueError):
    """The data set is not the program's to fetch; the message has the steps."""

    exit_code = 3  # of the command


@dataclass(frozen=True)
class Fetched:
    """What :func:`fetch` did.

    Parameters
    ----------
    path : pathlib.Path
        The data set's folder.
    mode : str
        ``"here"`` (it was there), ``"originals"`` or ``"prepared copy"``.
    sentences : tuple of str
        For the person who asked.
    """

    path: Path
    mode: str
    sentences: tuple[str, ...]


def fetch(name, root=None, *, source=None, progress=True, workers=WORKERS):
    """Fetch a data set; what was begun is taken up.

    Parameters
    ----------
    name : str
        Of a manifest.
    root : str or pathlib.Path, optional
        Where it goes; see :func:`shortlib.data.sets.root_of`.
    source : str or pathlib.Path, optional
        A mirror instead of the hosts that the manifest names: the URL below which the
        originals lie, or a folder that holds the originals
        (``<repository>/<commit>/<path>``) or the prepared data set, itself or in a
        folder of its name (hyphens may be underscores).
    progress : bool
        Whether a bar shows what has arrived.
    workers : int
        Files at a time.

    Returns
    -------
    Fetched

    Raises
    ------
    NeedsAPersonError
        If access goes through an agreement or by hand; nothing was tried.
    DataError
        If a host is not reached, a checksum is wrong, or a mirror lacks a file. What
        arrived whole waits for the next attempt; nothing stands under the data set's
        name before all of it is there and checked.
    ValueError
        If the set is built in, or `source` is neither URL nor folder.
    """
    manifest, target = load_manifest(name), root_of(name, root)
    if manifest.access == "built-in":
        raise ValueError(f"{name} is not fetched; {manifest.how_to_get()}")
    if is_taken(target):
        return _here(manifest, target)
    folder = _folder(source)
    if manifest.access in ("credentialed", "own") or (manifest.access != "open" and not source):
        raise NeedsAPersonError(_steps(manifest, target))
    if manifest.access != "open" and folder is None:
        raise ValueError(f"{name} has no list of files to take from a URL; give a folder")
    listed = read_file_list(manifest)
    copied = folder and prepared_in(folder, manifest, listed)
    if copied:
        # Says whether this is the data set at all, before anything is copied.
        read_index(name, copied, on_error="skip")
    with placed(target, keep=True) as filling:
        if filling is None:
            return _here(manifest, target)
        _take_up(filling, f"{'copy' if copied else 'originals'} {manifest.list_checksum()}")
        if copied:
            record = _copy(manifest, listed, copied, filling, progress, workers)
        else:
            base = None if folder else source
            record = _originals(manifest, listed, folder, base, filling, progress, workers)
        (filling / RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")
        (filling / BEGUN).unlink()
    return Fetched(target, record["mode"], _told(manifest, target, record))


def recorded(root):
    """Return what :func:`fetch` recorded in a data set's folder, or None.

    Raises
    ------
    DataError
        If the record is there and cannot be read.
    """
    return read_record(Path(root) / RECORD, ["sha256"], "fetch the set again")


def _take_up(filling, what):
    """Leave what was begun, unless it was begun from another list or another way."""
    begun = filling / BEGUN
    if not begun.exists() or begun.read_text() != what:
        shutil.rmtree(filling)
        filling.mkdir()
        begun.write_text(what)


def _copy(manifest, listed, source, filling, progress, workers):
    """Copy a prepared data set: the listed files of an open one, all files of another."""
    found = copy_of(source)
    missing = [entry.file for entry in listed if entry.file not in found]
    if missing:
        raise DataError(
            "missing file",
            f"{len(missing)} of {len(listed)} are not there",
            path=source / missing[0],
        )

    def take(file):
        path = filling / file
        if not path.exists():
            prepare(inside(source, file), path)
        preparation = preparation_of(manifest, file) if manifest.file_list else None
        if preparation:
            check_prepared(path, preparation)
        return sha256_of(path)

    with _bar(progress, manifest.name, len(found), "file") as bar:
        sums = _each(take, found, workers, bar)
    return _record(manifest, listed, "prepared copy", str(source), sums)


def _originals(manifest, listed, folder, base, filling, progress, workers):
    """Bring every original that is not prepared yet, check it, and prepare it."""
    waiting = filling / ".originals"
    waiting.mkdir(exist_ok=True)
    bar = _bar(progress, manifest.name, sum(entry.bytes or 0 for entry in listed), "B")

    def take(entry):
        path = inside(filling, entry.file)
        if entry.unpack:
            done = waiting / f"{entry.sha256}.unpacked"
            if not done.exists():
                original = get(entry)
                path.mkdir(parents=True, exist_ok=True)
                unpack(original, path)
                done.touch()
            return {f"{entry.file}/{file}": sha256_of(path / file) for file in copy_of(path)}
        if not path.exists():
            original = get(entry)
            prepare(original, path, preparation_of(manifest, entry.file))
            if folder is None:
                original.unlink()
        else:
            bar.update(entry.bytes or 0)
        return {entry.file: sha256_of(path)}

    def get(entry):
        if folder is not None:
            original = original_in(folder, entry)
            check_sha256(original, entry.sha256)
            bar.update(entry.bytes or 0)
            return original
        url = entry.url if base is None else f"{base.rstrip('/')}/{quote(entry.below)}"
        waits = hashlib.sha256(entry.file.encode()).hexdigest()
        return retrieve(url, entry.sha256, waiting, waits, size=entry.bytes, tick=bar.update)

    with bar:
        sums = _each(take, listed, workers)
    sums = {file: checksum for found in sums.values() for file, checksum in found.items()}
    for left in waiting.iterdir():
        left.unlink()
    waiting.rmdir()
    where = str(folder) if folder else base or "the hosts of the manifest"
    return _record(manifest, listed, "originals", where, sums)


def _each(function, items, workers, bar=None):
    """Call `function` on the items in threads; the first error stops the rest."""
    with ThreadPoolExecutor(workers) as pool:
        futures = {item: pool.submit(function, item) for item in items}
        try:
            results = {}
            for item, future in futures.items():
                results[item] = future.result()
                if bar is not None:
                    bar.update(1)
            return results
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _bar(progress, name, total, unit):
    scaled = unit == "B"
    return tqdm(
        total=total, desc=name, unit=unit, unit_scale=scaled, disable=not progress, leave=False
    )


def _record(manifest, listed, mode, source, sums):
    return {
        "name": manifest.name,
        "mode": mode,
        "source": source,
        "files": len(sums),
        "list_sha256": manifest.list_checksum(),
        "sha256": dict(sorted(sums.items())),
    }


def _folder(source):
    """Return the folder that `source` is, or None if it is a URL or nothing."""
    if source is None or str(source).startswith(("http://", "https://")):
        return None
    folder = Path(source)
    if not folder.is_dir():
        raise ValueError(f"a mirror is a folder or a URL with http, got {str(source)!r}")
    return folder


def _here(manifest, target):
    record = recorded(target)
    if record is None:
        said = f"{target} is there, and fetch did not write it; it stays as it is"
    else:
        said = f"{manifest.name} is here: {target} ({record['files']} files, {record['mode']})"
        if record["list_sha256"] != manifest.list_checksum():
            said += "; the list of files has changed since, so move it away and fetch again"
    return Fetched(target, "here", (said, f"check it with `shortlib data verify {manifest.name}`"))


def _told(manifest, target, record):
    told = [f"{record['files']} files in {target}"]
    if record["mode"] == "prepared copy":
        why = "they" if manifest.file_list else "nobody published checksums, so they"
        told.append(
            f"taken as prepared from {record['source']}: {why} could not be checked against the "
            "SHA-256 of the originals; their own are kept in fetched.json"
        )
    else:
        told.append("every original had its SHA-256; the prepared files' own are in fetched.json")
    for item in manifest.by_hand:
        if not (target / item.path).exists():
            needed = "still needed" if item.needed else "may be added"
            told.append(f"{needed}, by hand: {item.path} from {item.url}. {item.why}")
    return tuple(told)


def _steps(manifest, target):
    steps = "\n".join(f"  {n}. {step}" for n, step in enumerate(manifest.steps, start=1))
    return (
        f"{manifest.name} is not fetched by the program (access: {manifest.access}). "
        f"What a person does:\n{steps}\nIts place here would be {target}"
    )
