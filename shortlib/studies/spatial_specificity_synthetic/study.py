"""Which runs the synthetic study asks for."""

from math import isfinite

from shortlib.data.phantoms.squares import squares
from shortlib.runs.request import Request
from shortlib.studies.spatial_specificity_synthetic.fit import VERSION
from shortlib.studies.spatial_specificity_synthetic.measures import estimates
from shortlib.studies.stated import Stated

NAME = "spatial-specificity-synthetic"
TITLE = "Spatial specificity of the labels, on squares in noise"
CLAIMS_OF = (
    "Claims of {cite:t}`saab2022spatial`, Section 3, each judged for both settings of the batch: "
    "*printed* (one step an epoch) and *minibatch*."
)
METHOD = "segmentation"
SELECTIONS = ("test", "validation")  # by which loss the epoch is chosen; the paper's first
SELECTION_WORDS = {"test": "test loss", "validation": "validation loss"}
OWN_PARAMETERS = ("specificities", "epochs", "rho", "mu_a", "mu_s")

__all__ = [
    "CLAIMS_OF",
    "METHOD",
    "NAME",
    "OWN_PARAMETERS",
    "SELECTIONS",
    "SELECTION_WORDS",
    "TITLE",
    "claims",
    "estimates",
    "groups",
    "profiles",
    "published",
    "requests",
]


_STATED = Stated(__package__)
profiles, claims, published = _STATED.profiles, _STATED.claims, _STATED.published


def groups(runs):
    """Sort runs by batch setting, in the order of ``profiles.yml``; absent ones are left out."""
    sorted_runs = {
        batch: [run for run in runs if run.request["variant"].startswith(f"{batch}-")]
        for batch in profiles()["batches"]
    }
    return {batch: chosen for batch, chosen in sorted_runs.items() if chosen}


def variant_name(batch, r):
    """Name of a variant, e.g. ``"minibatch-r04"``."""
    return f"{batch}-r{r:02d}"


def requests(profile, *, data="squares", seeds=None, data_root=None, **own):
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
    **own
        Any of `OWN_PARAMETERS`.

    Returns
    -------
    list of shortlib.runs.request.Request
        Ordered by seed, then by batch setting, then by r.

    Raises
    ------
    ValueError
        If one of the study's own parameters is unknown or makes no sense.
    """
    book = profiles()
    chosen = book["profiles"][profile]
    settings = _own_settings(chosen["settings"], own)
    specificities = own.get("specificities", chosen["r"])
    side = settings["data_model"]["n"]
    usable = isinstance(specificities, list | tuple) and specificities
    if not usable or any(type(r) is not int or not 1 <= r <= side for r in specificities):
        raise ValueError(
            f"specificities is a list of whole numbers from 1 to {side}, got {specificities!r}"
        )
    return [
        Request(
            study=NAME,
            method=METHOD,
            variant=variant_name(batch, r),
            settings={**settings, "r": r, "batch_size": size},
            seed=seed,
            data=data,
            data_checksum=f"built-in recipe, version {VERSION}",
            version=VERSION,
            profile=profile,
            data_root=data_root,
        )
        for seed in range(chosen["seeds"] if seeds is None else seeds)
        for batch, size in book["batches"].items()
        for r in sorted(set(specificities))
    ]


def _own_settings(settings, own):
    """Put the study's own parameters into a profile's settings."""
    for name in own:
        if name not in OWN_PARAMETERS:
            known = ", ".join(OWN_PARAMETERS)
            raise ValueError(f"{NAME} has no parameter {name!r}; it has {known}")
    epochs = own.get("epochs", settings["epochs"])
    if type(epochs) is not int or epochs < 1:
        raise ValueError(f"epochs is a whole number of epochs, at least 1, got {epochs!r}")
    model = {**settings["data_model"]}
    for name in model.keys() & own.keys():
        if type(own[name]) not in (int, float) or not isfinite(own[name]):
            raise ValueError(f"{name} is a finite number, got {own[name]!r}")
        model[name] = float(own[name])
    squares(1, **model)  # says what is wrong with a value that makes no sense
    return {**settings, "data_model": model, "epochs": epochs}
