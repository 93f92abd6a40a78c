"""Which runs the study of watermarks and language supervision asks for."""

from functools import cache
from importlib.resources import files

import yaml

from shortlib.methods.clip import TERMS
from shortlib.models.cnn import NETWORKS
from shortlib.models.text import ENCODERS
from shortlib.runs.request import Request
from shortlib.studies.clip_watermarks.fit import VERSION
from shortlib.studies.clip_watermarks.measures import estimates
from shortlib.studies.clip_watermarks.sources import is_here, source_checksum

NAME = "clip-watermarks"
TITLE = "Language supervision and watermarks on chest radiographs"
CLAIMS_OF = (
    "Claims of {cite:t}`palepu2022selfsupervision`, each judged on drawn radiographs "
    "(*builtin-chest*) and on 621 real ones (*nih-cxr14-starter*), whose reports are sentences "
    "made from labels."
)
SELECTIONS = ("validation",)
OWN_PARAMETERS = (
    *("epochs", "finetune_epochs", "clean", "p_marked", "p_correct", "network", "weights"),
    *("text_encoder", "frozen_layers", "terms", "n_prompts", "dial", "on_error"),
)
# Where in a profile the study's own parameters stand; all others are settings of both methods.
_OF_CLIP = ("text_encoder", "frozen_layers", "terms", "n_prompts")

__all__ = [
    "CLAIMS_OF",
    "NAME",
    "OWN_PARAMETERS",
    "SELECTIONS",
    "TITLE",
    "claims",
    "estimates",
    "groups",
    "profiles",
    "published",
    "requests",
]


@cache
def _stated(name):
    return yaml.safe_load(files(__package__).joinpath(f"{name}.yml").read_text())


def profiles():
    """Return the study's sizes by profile, as ``profiles.yml`` states them."""
    return _stated("profiles")


def claims():
    """Return the paper's claims as rules, as ``claims.yml`` states them."""
    stated = _stated("claims")
    return [
        {**claim, "definition": stated["metrics"][claim["metric"]], "dial": stated["dial"]}
        for claim in stated["claims"]
    ]


def published():
    """Return the paper's numbers, as ``published.yml`` states them."""
    return _stated("published")


def groups(runs):
    """Sort runs by data set, in the order of ``profiles.yml``; absent ones are left out."""
    by_data = {
        data: [run for run in runs if run.request["data"] == data]
        for data in profiles()["combinations"]
    }
    return {data: chosen for data, chosen in by_data.items() if chosen}


def requests(profile, *, data, seeds=None, data_root=None, **own):
    """List the runs of a profile.

    Parameters
    ----------
    profile : str
    data : str
        A key of ``data`` in ``profiles.yml``.
    seeds : int, optional
        How many seeds, counted from 0; the profile's number by default.
    data_root : str, optional
        Folder of a real data set; of both, side by side under their manifests' names,
        where the study uses two.
    **own
        Any of `OWN_PARAMETERS`. ``dial`` is a list of pairs (p_marked, p_correct) at
        which the shortcut arms are trained beside the main ones, with the first seed.

    Returns
    -------
    list of shortlib.runs.request.Request
        Ordered by seed; of each the main runs, the control, and the dial's.

    Raises
    ------
    ValueError
        If one of the study's own parameters is unknown or makes no sense.
    shortlib.data.problems.DataError
        If a real data set is there and not as its layout says.
    """
    chosen = _profile(profile, data, own)
    stated = profiles()["data"][data]
    source = _source(stated["source"], chosen)
    if not is_here(source, data_root):
        # The runs can still be named, and those that came with the project be found.
        checksum = stated.get("checksum", "the data are not here")
    else:
        checksum = source_checksum(
            source, data_root=data_root, on_error=chosen["settings"]["on_error"]
        )
    common = {**chosen["settings"], "source": source}
    common |= {"findings": stated["findings"], "symbols": stated["symbols"]}
    found = []
    for seed in range(chosen["seeds"] if seeds is None else seeds):
        for variant, method, changed in _variants(chosen["dial"] if seed == 0 else []):
            settings = {**common, **chosen[method], **changed}
            found.append(
                Request(
                    study=NAME,
                    method=method,
                    variant=variant,
                    settings=settings,
                    seed=seed,
                    data=data,
                    data_checksum=checksum,
                    version=VERSION,
                    profile=profile,
                    data_root=data_root and str(data_root),
                )
            )
    return found


def _variants(dial):
    """Yield name, method and settings of every variant."""
    both, one = {"arms": ["real", "shortcut"]}, {"arms": ["shortcut"], "saliency": None}
    yield "cnn", "cnn", both
    yield "clip", "clip", {**both, "mention": False}
    yield "clip-mention", "clip", {**one, "mention": True}
    for marked, correct in dial:
        chances = {**one, "p_marked": marked, "p_correct": correct}
        name = f"m{round(100 * marked):03d}-c{round(100 * correct):03d}"
        yield f"cnn-{name}", "cnn", chances
        yield f"clip-{name}", "clip", {**chances, "mention": False}


def _source(source, chosen):
    """Put what the profile has drawn into a built-in source."""
    if "made" not in chosen or not source.get("training", {}).get("set", "").startswith("builtin"):
        return source
    parts = {of: {**source[of], "made": chosen["made"][of]} for of in ("training", "clinic")}
    return {**source, **parts}


def _profile(profile, data, own):
    """Return a profile with what the data and the study's own parameters change."""
    book = profiles()
    chosen = dict(book["profiles"][profile])
    for part, values in book["changed"].get(data, {}).get(profile, {}).items():
        chosen[part] = {**chosen[part], **values} if isinstance(values, dict) else values
    for name, value in own.items():
        if name not in OWN_PARAMETERS:
            known = ", ".join(OWN_PARAMETERS)
            raise ValueError(f"{NAME} has no parameter {name!r}; it has {known}")
        _CHECKS[name](name, value)
        if name == "dial":
            chosen["dial"] = [list(pair) for pair in value]
        else:
            part = "clip" if name in _OF_CLIP else "settings"
            chosen[part] = {**chosen[part], name: value}
    if "finetune_epochs" in own:
        last = own["finetune_epochs"]
        watch = [epoch for epoch in chosen["settings"]["watch"] if epoch < last]
        chosen["settings"] = {**chosen["settings"], "watch": [*watch, last]}
    return chosen


def _whole(name, value):
    if type(value) is not int or value < 1:
        raise ValueError(f"{name} is a whole number, at least 1, got {value!r}")


def _chance(name, value):
    if type(value) not in (int, float) or not 0 <= value <= 1:
        raise ValueError(f"{name} is a probability in [0, 1], got {value!r}")


def _numbers(name, value):
    usable = isinstance(value, list | tuple) and value
    if not usable or any(
        type(n) not in (int, float) or not n > 0 or (n >= 1 and n != int(n)) for n in value
    ):
        raise ValueError(
            f"{name} is a list of numbers of images, or of shares below 1, got {value!r}"
        )


def _pairs(name, value):
    if not isinstance(value, list | tuple) or any(
        not isinstance(pair, list | tuple) or len(pair) != 2 for pair in value
    ):
        raise ValueError(f"{name} is a list of pairs (p_marked, p_correct), got {value!r}")
    for pair in value:
        for chance in pair:
            _chance(name, chance)


def _one_of(*known):
    def check(name, value):
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")

    return check


def _terms(name, value):
    if not isinstance(value, list | tuple) or not value or set(value) - set(TERMS):
        raise ValueError(f"{name} is a list of some of {', '.join(TERMS)}, got {value!r}")


def _layers(name, value):
    if type(value) is not int or value < 0:
        raise ValueError(f"{name} is a whole number, at least 0, got {value!r}")


_CHECKS = {
    "epochs": _whole,
    "finetune_epochs": _whole,
    "n_prompts": _whole,
    "clean": _numbers,
    "p_marked": _chance,
    "p_correct": _chance,
    "network": _one_of(*NETWORKS),
    "weights": _one_of("random", "imagenet"),
    "text_encoder": _one_of(*ENCODERS),
    "frozen_layers": _layers,
    "terms": _terms,
    "dial": _pairs,
    "on_error": _one_of("raise", "skip"),
}
