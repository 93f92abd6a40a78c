"""Where the patients come from: a cardiomyopathy cohort, ACDC, and what else is looked at."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from shortlib.data.locations import data_folder
from shortlib.data.phantoms.cardiac import cardiac
from shortlib.data.sets import read_index
from shortlib.shortcuts.background import heart_masks
from shortlib.shortcuts.discs import covering_radius
from shortlib.studies.data_here import require_checksum

# Sources that a study may have; `cm` is always there.
SOURCES = ("cm", "acdc", "real")


def load_cohorts(settings, *, data_root=None):
    """Read all patients of the study.

    Parameters
    ----------
    settings : dict
        ``source`` (see ``profiles.yml``), ``side`` (of the images, in pixels) and
        ``on_error``.
    data_root : str or pathlib.Path, optional
        Of real data; a folder that holds both sets where there are two.

    Returns
    -------
    dict of str to shortlib.data.Cohort
        ``"cm train"`` and ``"cm test"``; where there is such a source ``"acdc train"`` and
        ``"acdc test"``, and ``"real"``, studies that are looked at and not classified. Of
        drawn patients also ``"cm adversarial"``: those of ``"cm test"``, with habitus going
        with disease the other way round.
    """
    found, side = {}, settings["side"]
    for name in ("cm", "acdc"):
        source = settings["source"].get(name)
        if source is None:
            continue
        if "drawn" not in source:
            index = _index(source, settings["on_error"], data_root)
            for part in ("train", "test"):
                found[f"{name} {part}"] = index.cohort(part, size=side)
            continue
        drawn, n = source["drawn"], source["drawn"]["n"]
        training = n - round(source["test_share"] * n)
        parts = {
            "train": {**drawn, "n": training},
            "test": {**drawn, "n": n - training, "first": training},
        }
        if name == "cm" and drawn["habitus_association"]:
            reverse = -drawn["habitus_association"]
            parts["adversarial"] = {**parts["test"], "habitus_association": reverse}
        for part, parameters in parts.items():
            found[f"{name} {part}"] = _drawn(side, tuple(sorted(parameters.items())))
    if "real" in settings["source"]:
        index = _index(settings["source"]["real"], settings["on_error"], data_root)
        found["real"] = index.cohort(None, size=side)
    return found


@lru_cache(maxsize=8)
def _drawn(side, parameters):
    """Draw patients, or return those that were drawn before: the variants share them."""
    return cardiac(size=side, **dict(parameters))


def _index(source, on_error, data_root):
    options = source.get("options", {})
    return read_index(source["set"], _folder(source, data_root), on_error=on_error, **options)


def _folder(source, data_root):
    if not data_root:
        return data_folder() / source["set"]
    return Path(data_root) / source["set"] if source.get("beside") else Path(data_root)


def common_radius(cohorts):
    """Return the radius of discs that cover the hearts of all cohorts, in pixels."""
    return covering_radius(np.concatenate([heart_masks(one) for one in cohorts.values()]))


def sources_here(source, data_root=None):
    """Return whether the folders of all real data of a source are there."""
    real = [source[name] for name in SOURCES if "set" in source.get(name, {})]
    return all(_folder(one, data_root).is_dir() for one in real)


def source_checksum(source, *, data_root=None, on_error="raise"):
    """Return what stands for a source's data in a run's key.

    Drawn data are a recipe, so their parameters, which are settings, and its version
    will do; of others it is what the tables list.
    """
    stated = [source[name] for name in SOURCES if name in source]
    real = [_index(one, on_error, data_root).checksum() for one in stated if "set" in one]
    drawn = any("drawn" in one for one in stated)
    return "+".join([*([f"built-in recipe, version {source['version']}"] if drawn else []), *real])


def check_source(settings, checksum, *, data_root=None):
    """Check that the data are those that a run was asked for on.

    Raises
    ------
    shortlib.data.problems.DataError
        If they are others, or not here.
    """
    found = source_checksum(settings["source"], data_root=data_root, on_error=settings["on_error"])
    require_checksum(found, checksum, data_root=data_root)
