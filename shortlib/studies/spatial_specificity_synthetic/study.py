"""Which runs the synthetic study asks for."""

from functools import lru_cache
from importlib.resources import files

import yaml

from shortlib.runs.request import Request
from shortlib.studies.spatial_specificity_synthetic.fit import VERSION

NAME = "spatial-specificity-synthetic"
METHOD = "segmentation"


@lru_cache(maxsize=1)
def profiles():
    """Return the study's sizes by profile, as ``profiles.yml`` states them."""
    return yaml.safe_load(files(__package__).joinpath("profiles.yml").read_text())


def variant_name(batch, r):
    """Name of a variant, e.g. ``"minibatch-r04"``."""
    return f"{batch}-r{r:02d}"


def requests(profile, *, data="squares", seeds=None, data_root=None):
    """List the runs of a profile: every batch setting, specificity and seed.

    Parameters
    ----------
    profile : str
    data : str
        Only ``"squares"``; the study's data are a recipe.
    seeds : int, optional
        How many seeds, counted from 0; the profile's number by default.
    data_root : str, optional
        Not used: the data are built in.

    Returns
    -------
    list of shortlib.runs.request.Request
        Ordered by seed, then by batch setting, then by r.
    """
    book = profiles()
    chosen = book["profiles"][profile]
    return [
        Request(
            study=NAME,
            method=METHOD,
            variant=variant_name(batch, r),
            settings={**chosen["settings"], "r": r, "batch_size": size},
            seed=seed,
            data=data,
            data_checksum=f"built-in recipe, version {VERSION}",
            version=VERSION,
            profile=profile,
            data_root=data_root,
        )
        for seed in range(chosen["seeds"] if seeds is None else seeds)
        for batch, size in book["batches"].items()
        for r in chosen["r"]
    ]
