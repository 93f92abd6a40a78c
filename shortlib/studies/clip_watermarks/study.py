"""Which runs the study of watermarks and language supervision asks for."""

from shortlib.runs.request import Request
from shortlib.studies.clip_watermarks.fit import VERSION
from shortlib.studies.clip_watermarks.measures import estimates
from shortlib.studies.clip_watermarks.own_values import CHECKS
from shortlib.studies.clip_watermarks.sources import is_here, source_checksum
from shortlib.studies.stated import Stated

NAME = "clip-watermarks"
TITLE = "Language supervision and watermarks on chest radiographs"
CLAIMS_OF = (
    "Claims of {cite:t}`palepu2022selfsupervision`, each judged on drawn radiographs "
    "(*builtin-chest*) and on 621 real ones (*nih-cxr14-starter*), whose reports are sentences "
    "made from labels."
)
SELECTIONS = ("validation",)
OWN_PARAMETERS = tuple(CHECKS)
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


_STATED = Stated(__package__)
profiles, claims, published = _STATED.profiles, _STATED.claims, _STATED.published
groups = _STATED.groups


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
        ``saliency_cases`` is how many test cases have maps made of them; 0 makes none.

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
        for variant, method, changed in _variants(chosen, seed):
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
                    data_root=str(data_root) if data_root else None,
                )
            )
    return found


def _variants(chosen, seed):
    """Yield name, method and settings of every variant."""
    both, one = {"arms": ["real", "shortcut"]}, {"arms": ["shortcut"], "saliency": None}
    yield "cnn", "cnn", both
    yield "clip", "clip", {**both, "mention": False}
    if chosen.get("control", True):
        yield "clip-mention", "clip", {**one, "mention": True}
    for marked, correct in chosen["dial"] if seed == 0 else ():
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
        value = CHECKS[name](name, value)
        if name == "dial":
            chosen["dial"] = value
        elif name == "saliency_cases":
            saliency = {**chosen["settings"]["saliency"], "cases": value} if value else None
            chosen["settings"] = {**chosen["settings"], "saliency": saliency}
        elif value != {}:  # a watermark as usual is no setting of its own
            part = "clip" if name in _OF_CLIP else "settings"
            chosen[part] = {**chosen[part], name: value}
    if "finetune_epochs" in own:
        last = own["finetune_epochs"]
        watch = [epoch for epoch in chosen["settings"]["watch"] if epoch < last]
        chosen["settings"] = {**chosen["settings"], "watch": [*watch, last]}
    return chosen
