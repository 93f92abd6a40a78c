"""Where the images of each part come from: two hospitals, or one data set cut in four."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from shortlib.data.decoded import decoded
from shortlib.data.label_sentences import label_sentences
from shortlib.data.locations import data_folder
from shortlib.data.phantoms.make import make
from shortlib.data.reports import shorten
from shortlib.data.seeds import derive_seed
from shortlib.data.sets import read_index
from shortlib.data.views import positives
from shortlib.studies.data_here import require_checksum

PARTS = ("train", "validation", "clean", "test")


def load_parts(settings, *, seed, data_root=None):
    """Read the four parts of the study.

    Parameters
    ----------
    settings : dict
        ``source`` (see ``profiles.yml``), ``findings``, ``stored`` (side of the images
        that the augmentation crops, in pixels), ``side`` (of what the network sees),
        ``clean`` (numbers of clean images), ``on_error`` and ``decode`` (whether training images
        are decoded to disk once instead of held in memory).
    seed : int
        Chooses the clean images.
    data_root : str or pathlib.Path, optional
        Of a real data set; a folder that holds both where there are two.

    Returns
    -------
    parts : dict of str to shortlib.data.Cohort
        ``train`` at `stored` pixels; ``validation``, ``clean`` (as many as the largest
        of the numbers, in the order in which they are taken) and ``test``, cropped to
        `side`. Labels have a column for each of the findings.
    counts : list of int
        Numbers of clean images, shares of the pool turned into numbers.
    """
    source = settings["source"]
    if "shares" in source:
        whole = _findings(_read(source, None, settings, data_root), settings, source)
        # The same parts for every seed, so that all seeds are tested on the same cases.
        parts = whole.split(source["shares"], seed=derive_seed(0, "parts"))
        counts = clean_counts(settings["clean"], len(parts["clean"]))
        parts["clean"] = parts["clean"][_chosen(len(parts["clean"]), max(counts), seed)]
    else:
        parts = {}
        for name, of in (("train", "training"), ("validation", "training"), ("test", "clinic")):
            cohort = _read(source[of], source[of]["parts"][name], settings, data_root, name)
            parts[name] = _findings(cohort, settings, source[of])
        pool = _index(source["clinic"], settings, data_root).of(source["clinic"]["parts"]["clean"])
        counts = clean_counts(settings["clean"], len(pool))
        rows = _chosen(len(pool), max(counts), seed)
        pool = replace(pool, cases=pool.cases.iloc[rows].reset_index(drop=True))
        parts["clean"] = _findings(pool.cohort(size=settings["stored"]), settings, source["clinic"])
    for name in ("validation", "clean", "test"):
        parts[name] = _cropped(parts[name], settings["side"])
    return {name: parts[name] for name in PARTS}, counts


def source_checksum(source, *, data_root=None, on_error="raise"):
    """Return what stands for a source's data in a run's key.

    Built-in data are a recipe, so their parameters will do; of others it is what the
    tables list, see :meth:`shortlib.data.index.Index.checksum`.
    """
    sets = [source] if "shares" in source else [source["training"], source["clinic"]]
    if all("made" in one for one in sets):
        return f"built-in recipe, version {source['version']}"
    settings = {"on_error": on_error}
    return "+".join(_index(one, settings, data_root).checksum() for one in sets)


def check_source(settings, checksum, *, data_root=None):
    """Check that the data are those that a run was asked for on.

    Parameters
    ----------
    settings : dict
    checksum : str
        Of the request.
    data_root : str or pathlib.Path, optional

    Raises
    ------
    shortlib.data.problems.DataError
        If they are others, or not here.
    """
    found = source_checksum(settings["source"], data_root=data_root, on_error=settings["on_error"])
    require_checksum(found, checksum, data_root=data_root)


def is_here(source, data_root=None):
    """Return whether the folders of a source are there, or can be made."""
    sets = [source] if "shares" in source else [source["training"], source["clinic"]]
    return all("made" in one or data_folder_of(one, data_root).is_dir() for one in sets)


def data_folder_of(source, data_root=None):
    """Return the folder of one data set of a source."""
    name, made = source["set"], source.get("made")
    if made:
        # Drawn data have their own place, whatever folder holds real ones.
        return data_folder() / "-".join(
            [name, *(f"{key}{value}" for key, value in sorted(made.items()))]
        )
    if not data_root:
        return data_folder() / name
    return Path(data_root) / name if source.get("beside") else Path(data_root)


def _index(source, settings, data_root):
    root, made = data_folder_of(source, data_root), source.get("made")
    if made and not root.is_dir():
        make(source["set"], root, **made)
    options = dict(source.get("options", {}))
    if source.get("reports_in"):
        # Reports lie over the images, as the data set's page has it, or in a folder of their own.
        beside = root.parent / source["reports_in"]
        options |= {"reports_root": beside} if beside.is_dir() else {}
    return read_index(source["set"], root, on_error=settings["on_error"], **options)


def _read(source, split, settings, data_root, part=None):
    index = _index(source, settings, data_root)
    if part == "train" and settings["decode"]:
        return decoded(index, split, size=settings["stored"])
    return index.cohort(split, size=settings["stored"])


def _chosen(pool, n, seed):
    """Choose the clean cases at random; fewer of them are the first of more."""
    return np.random.default_rng(derive_seed(seed, "clean")).permutation(pool)[:n]


def clean_counts(clean, pool):
    """Return numbers of clean images, of which those below 1 are shares of the pool.

    Raises
    ------
    ValueError
        If the pool is too small, a share makes no image, or two numbers are the same.
    """
    counts = [round(n * pool) if n < 1 else int(n) for n in clean]
    for asked, n in zip(clean, counts, strict=True):
        if not 1 <= n <= pool:
            raise ValueError(
                f"clean must ask for 1 to {pool} images, which is all there are, got {asked}"
                + (f", which makes {n}" if asked < 1 else "")
            )
    if len(set(counts)) < len(counts):
        raise ValueError(f"clean must be different numbers of images, got {counts}")
    return counts


def _findings(cohort, settings, source):
    """Keep what the study uses: images, reports, and one column of labels for each finding."""
    findings = settings["findings"]
    columns = [positives(cohort, name) for name in findings]
    if cohort.labels.ndim == 2:  # -1 is not the same as NaN to watermarks and zero-shot labels
        columns = [cohort.labels[:, cohort.label_names.index(name)] for name in findings]
    reports = cohort.reports
    if source.get("sentences"):
        reports = label_sentences(cohort.labels, cohort.label_names, seed=0)
    elif reports is not None:
        # Python's own strings: an array's would all be as long as the longest.
        reports = np.array([shorten(text) for text in reports], dtype=object)
    return replace(
        cohort,
        labels=np.stack(columns, axis=1).astype(np.float32),
        label_names=tuple(findings),
        reports=reports,
        abnormality_masks=None,
        abnormality_names=(),
        anatomy_masks=None,
        anatomy_names=(),
        shortcut=None,
        shortcut_masks=None,
        shortcut_names=(),
    )


def _cropped(cohort, side):
    """Cut the middle out of each image, as is done when nothing is augmented."""
    height = cohort.images.shape[-1]
    first = (height - side) // 2
    images = cohort.images[:, :, first : first + side, first : first + side]
    return replace(cohort, images=np.ascontiguousarray(images))
