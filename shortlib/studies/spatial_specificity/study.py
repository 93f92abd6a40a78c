"""Which runs the study of spatial specificity asks for."""

import copy

from shortlib.runs.request import Request
from shortlib.studies.spatial_specificity.fit import VERSION
from shortlib.studies.spatial_specificity.measures import estimates
from shortlib.studies.spatial_specificity.own_values import CHECKS
from shortlib.studies.spatial_specificity.sources import source_checksum, sources_here
from shortlib.studies.spatial_specificity.sweeping import SWEPT
from shortlib.studies.spatial_specificity.training import OF_IMAGES
from shortlib.studies.spatial_specificity.variants import VARIANTS, variant_name
from shortlib.studies.spatial_specificity.watching import AUROC, ORACLE, PAPER, WORST
from shortlib.studies.spatial_specificity.watching import SELECTIONS as RULES
from shortlib.studies.stated import Stated
from shortlib.studies.value_checks import checked

NAME = "spatial-specificity"
TITLE = "Spatial specificity of the labels, on chest radiographs and skin"
CLAIMS_OF = (
    "Claims of {cite:t}`saab2022spatial`, Sections 4 and 5, judged on drawn radiographs with chest "
    "tubes (*builtin-pneumothorax*), drawn skin (*builtin-skin*, *builtin-stickers*) and the trap "
    "sets of ISIC 2018 (*isic2018-task1-256*)."
)
SELECTIONS = (PAPER, WORST, AUROC, ORACLE)
SELECTION_WORDS = RULES
OWN_PARAMETERS = tuple(CHECKS)

__all__ = [
    "CLAIMS_OF",
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
groups = _STATED.groups
# Methods that have settings of their own in a profile.
_METHODS = ("erm", "jtt", "george", "group-dro", "ssl", "spl")
_SIMILAR = ("ssl", "spl")
# What some data have of their own instead of the profile's.
_REPLACED = ("shares", "cases", "seeds")


def requests(profile, *, data, seeds=None, data_root=None, **own):
    """List the runs of a profile.

    Parameters
    ----------
    profile : str
    data : str
        A key of ``data`` in ``profiles.yml``.
    seeds : int, optional
        How many seeds, counted from 0; the profile's number by default. On ISIC 2018 each seed is
        a trap set of its own.
    data_root : str, optional
        Folder that holds the real data sets.
    **own
        Any of `OWN_PARAMETERS`.

    Returns
    -------
    list of shortlib.runs.request.Request
        Ordered by seed, then by variant, then by the share of training cases with a mask or box;
        of stickers, then by the share of a sticker that lies on the lesion.

    Raises
    ------
    ValueError
        If one of the study's own parameters is unknown or makes no sense.
    shortlib.data.problems.DataError
        If a real data set is there and not as its layout says.
    """
    own = checked(NAME, CHECKS, own)
    chosen = _profile(profile, data, own)
    asked = range(chosen["seeds"] if seeds is None else seeds)
    checksums = [_checksum(chosen, data, data_root, seed) for seed in asked]
    return [
        Request(
            study=NAME,
            method=VARIANTS[variant],
            variant=variant_name(variant, share, overlap),
            settings=_settings(chosen, variant, share, overlap),
            seed=seed,
            data=data,
            data_checksum=checksums[seed],
            version=VERSION,
            profile=profile,
            data_root=str(data_root) if data_root else None,
        )
        for seed in asked
        for variant, shares in chosen["shares"].items()
        for share in shares
        for overlap in chosen["overlaps"]
    ]


def _profile(profile, data, own):
    """Return a profile with what the data and the study's own parameters change."""
    book = profiles()
    stated, changed = book["data"][data], book["changed"].get(data, {}).get(profile, {})
    chosen = copy.deepcopy(book["profiles"][profile])
    chosen |= {name: copy.deepcopy(changed[name]) for name in _REPLACED if name in changed}
    _merge(chosen["settings"], changed.get("settings", {}))
    chosen["source"], chosen["facts"] = copy.deepcopy(stated["source"]), stated["facts"]
    chosen["overlaps"] = stated.get("overlaps", [None])
    if "drawn" in chosen["source"]:
        chosen["source"]["drawn"]["n"] = chosen["cases"]
    for name in OWN_PARAMETERS:
        if name in own:
            _change(chosen, data, name, own[name])
    _leave_images_without_masks(chosen["shares"])
    return chosen


def _change(chosen, data, name, value):
    """Put one of the study's own parameters in its place."""
    settings, source = chosen["settings"], chosen["source"]
    if name == "variants":
        known = chosen["shares"]
        chosen["shares"] = {one: known.get(one, [1.0]) for one in value}
    elif name == "shares":
        chosen["shares"] = {
            one: value if one in SWEPT else usual for one, usual in chosen["shares"].items()
        }
    elif name in ("epochs", "learning_rate"):
        settings["training"][name] = value
        for method in _METHODS:
            if "training" in settings.get(method, {}):
                settings[method]["training"][name] = value
    elif name == "identification_epochs":
        settings["identification"]["epochs"] = value
    elif name in ("image_network", "pixel_network"):
        settings["of_images" if name == "image_network" else "of_pixels"]["network"] = value
    elif name == "similarity_weight":
        for method in _SIMILAR:
            settings[method][name] = value
    elif name == "carries":
        key = {"chest": "tubes", "sticker": "stickers"}.get(source.get("drawn", {}).get("kind"))
        if key is None:
            raise ValueError(f"{name} is for drawn radiographs or stickers; {data} has neither")
        source["drawn"][key] = value
    elif name == "overlaps":
        if chosen[name] == [None]:
            raise ValueError(f"{name} are those of stickers; {data} has no stickers")
        chosen[name] = value
    elif name == "trap_sets":
        if name not in source:
            raise ValueError(f"{name} are those of ISIC 2018; {data} has none")
        source[name] = value
    else:
        settings[name] = value


def _leave_images_without_masks(shares):
    """Take the share 1 from semi-supervised training, which learns from images without a mask."""
    if "masks-ssl" in shares:
        shares["masks-ssl"] = [share for share in shares["masks-ssl"] if share < 1]
        if not shares["masks-ssl"]:
            raise ValueError(
                "variant masks-ssl learns from training cases without a mask too, so it needs a "
                "share below 1; name one in shares, or other variants in variants"
            )


def _settings(chosen, variant, share, overlap):
    """Return what a variant's run is made with, and nothing else."""
    stated = profiles()["variants"][variant]
    usual, method = chosen["settings"], stated["method"]
    settings = {
        "source": chosen["source"],
        "method": method,
        "supervision": stated["supervision"],
        "share": share,
        **{k: v for k, v in chosen["facts"].items() if k != "balance"},
        **{name: usual[name] for name in ("side", "weights", "on_error", "augment", "training")},
        **usual["of_images" if method in OF_IMAGES else "of_pixels"],
        **usual.get(method, {}),
    }
    if method in ("jtt", "george"):
        settings["balance"] = chosen["facts"]["balance"]
        settings["identification"] = usual["identification"]
    settings = copy.deepcopy(settings)
    if overlap is not None:
        settings["source"]["drawn"]["overlap"] = overlap
    return settings


def _checksum(chosen, data, data_root, seed):
    source, on_error = chosen["source"], chosen["settings"]["on_error"]
    if sources_here(source, data_root):
        return source_checksum(source, seed=seed, data_root=data_root, on_error=on_error)
    numbers = source.get("trap_sets", [None])
    stated = profiles()["data"][data].get("checksums", {})
    return stated.get(numbers[seed % len(numbers)], "the data are not here")


def _merge(settings, changes):
    """Put changes into settings, part by part; an empty part stands for none."""
    for name, value in changes.items():
        if isinstance(value, dict) and value and isinstance(settings.get(name), dict):
            if name == "augment":
                settings[name] = copy.deepcopy(value)
            else:
                _merge(settings[name], value)
        else:
            settings[name] = copy.deepcopy(value)
