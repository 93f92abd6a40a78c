"""Where the images of each part come from: drawn ones, ISIC 2018's trap sets, or SIIM-ACR."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from shortlib.data.cohort import Cohort
from shortlib.data.phantoms.chest import chest
from shortlib.data.phantoms.skin import skin
from shortlib.data.seeds import derive_seed
from shortlib.data.sets import read_index
from shortlib.shortcuts.sticker import draw_sticker, place_sticker
from shortlib.studies.data_here import require_checksum, set_folder

PARTS = ("train", "validation", "test")
# Validation and test cases again, with the shortcut where the label is negative and there alone.
TURNED = {"validation": "validation-turned", "test": "test-turned"}
STICKER = "sticker"


def load_parts(settings, *, seed, data_root=None):
    """Read the images of one run.

    Parameters
    ----------
    settings : dict
        ``source`` (see ``profiles.yml``), ``side`` (of the images, in pixels) and ``on_error``.
    seed : int
        Of the split of a real data set: a trap set of ISIC 2018, or the negatives of SIIM-ACR that
        are kept. Drawn training cases are others for each seed, test cases the same.
    data_root : str or pathlib.Path, optional
        Folder that holds the real data sets, or the one that there is.

    Returns
    -------
    dict of str to shortlib.data.Cohort
        ``"train"``, ``"validation"`` and ``"test"``, with abnormality masks of one plane, and where
        the source can turn the shortcut round those of `TURNED`.
    """
    source, side = settings["source"], settings["side"]
    if "drawn" in source:
        return {name: _drawn(source, side, name, seed) for name in _names(source)}
    index = _index(source, settings["on_error"], data_root, **_options(source, seed))
    splits = source.get("splits", {})
    parts = {name: _one_plane(index.cohort(splits.get(name, name), size=side)) for name in PARTS}
    if "negatives" in source:
        parts["train"] = keep_negatives(parts["train"], source["negatives"], seed=seed)
    return parts


def source_checksum(source, *, seed=0, data_root=None, on_error="raise"):
    """Return what stands for a source's data in the key of a seed's run.

    Drawn data are a recipe, so their parameters, which are settings, and its version will do; of
    others it is what the tables list, of ISIC 2018 with the seed's own trap set.
    """
    if "drawn" in source:
        return f"built-in recipe, version {source['version']}"
    return _index(source, on_error, data_root, **_options(source, seed)).checksum()


def sources_here(source, data_root=None):
    """Return whether a source's data are there, or can be drawn."""
    return "drawn" in source or set_folder(source["set"], data_root).is_dir()


def check_source(settings, checksum, *, seed=0, data_root=None):
    """Check that the data are those that a run was asked for on.

    Raises
    ------
    shortlib.data.problems.DataError
        If they are others, or not here.
    """
    options = {"seed": seed, "data_root": data_root, "on_error": settings["on_error"]}
    found = source_checksum(settings["source"], **options)
    require_checksum(found, checksum, data_root=data_root)


def keep_negatives(cohort, share, *, seed):
    """Keep all positive cases of a cohort and a share of the negative ones, in their order."""
    negative = np.flatnonzero(cohort.labels == 0)
    rng = np.random.default_rng(derive_seed(seed, "negatives"))
    kept = rng.permutation(negative)[: round(share * len(negative))]
    return cohort[np.sort(np.concatenate([np.flatnonzero(cohort.labels == 1), kept]))]


def supervised_cases(labels, share, *, seed):
    """Choose the training cases that an annotator gets to see.

    Parameters
    ----------
    labels : numpy.ndarray of int, shape (n,)
    share : float
        Of the cases of each label, in (0, 1]; at least one of each.
    seed : int
        A smaller share of one seed is a part of a larger one.

    Returns
    -------
    numpy.ndarray of bool, shape (n,)
    """
    chosen = np.zeros(len(labels), dtype=bool)
    rng = np.random.default_rng(derive_seed(seed, "supervised"))
    for label in np.unique(labels):
        cases = rng.permutation(np.flatnonzero(labels == label))
        chosen[cases[: max(1, round(share * len(cases)))]] = True
    return chosen


def _names(source):
    turned = TURNED.values() if source["drawn"]["kind"] != "skin" else ()
    return (*PARTS, *turned)


def _drawn(source, side, name, seed):
    """Draw a part; only training cases depend on the seed."""
    drawn = source["drawn"]
    part = name.removesuffix("-turned")
    stream = seed if part == "train" else PARTS.index(part) + 1000
    options = {key: value for key, value in drawn.items() if key not in ("kind", "n")}
    frozen = tuple(sorted((k, tuple(v) if isinstance(v, list) else v) for k, v in options.items()))
    makers = {"chest": _chest, "skin": _skin, "sticker": _stickered}
    return makers[drawn["kind"]](side, name, drawn["n"][part], stream, frozen)


@lru_cache(maxsize=8)
def _chest(side, name, n, stream, options):
    """Draw radiographs, or return those that were drawn before: the variants share them."""
    tubes = dict(options)["tubes"]
    shares = {0: 1.0, 1: 0.0} if name.endswith("-turned") else dict(enumerate(tubes))
    drawn = chest(n, task="pneumothorax", size=side, seed=stream, p_tube=shares)
    return _one_plane(replace(drawn, name=f"drawn radiographs, {name}"))


@lru_cache(maxsize=8)
def _skin(side, name, n, stream, options):
    part = {"validation": "val"}.get(name, name)
    drawn = skin(n, part=part, size=side, seed=stream, **dict(options))
    return replace(drawn, name=f"drawn skin, {name}")


@lru_cache(maxsize=8)
def _stickered(side, name, n, stream, options):
    """Draw clean skin and put a sticker on most cases of one label, or turn that round."""
    options = dict(options)
    shares, overlap = options.pop("stickers"), options.pop("overlap")
    radius = round(options.pop("radius") * side)
    clean = skin(n, part="all", size=side, seed=stream, association=0.0, artefacts=(), **options)
    images = clean.images.copy()
    masks = np.zeros_like(clean.abnormality_masks)
    # A case's draw does not depend on the view, so that its sticker only comes or goes.
    rng = np.random.default_rng(derive_seed(stream, "sticker", name.removesuffix("-turned")))
    carries = rng.random(n) < np.where(clean.labels == 1, shares[1], shares[0])
    if name.endswith("-turned"):
        carries = clean.labels == 0
    for case in range(n):
        placed = place_sticker(
            clean.abnormality_masks[case], overlap=overlap, radius=radius, rng=rng
        )
        if carries[case]:
            images[case], masks[case] = draw_sticker(images[case], placed), placed
    return replace(
        clean,
        name=f"drawn skin with stickers, {name}",
        images=images,
        shortcut=carries,
        shortcut_masks=masks,
        shortcut_names=(STICKER,),
    )


def _one_plane(cohort: Cohort):
    masks = np.asarray(cohort.require("abnormality_masks"))
    if masks.ndim == 4:
        masks = masks.any(axis=1)
    return replace(cohort, abnormality_masks=masks, abnormality_names=(), covariates=None)


def _options(source, seed):
    """Return the reader's options, those that follow the seed among them."""
    options = dict(source.get("options", {}))
    if "trap_sets" in source:
        numbers = source["trap_sets"]
        options["trap_set"] = numbers[seed % len(numbers)]
    return options


def _index(source, on_error, data_root, **options):
    return read_index(
        source["set"], set_folder(source["set"], data_root), on_error=on_error, **options
    )
