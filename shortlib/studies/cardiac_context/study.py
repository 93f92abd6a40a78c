"""Which runs the study of context in cardiac MR asks for."""

from shortlib.runs.request import Request
from shortlib.studies.cardiac_context.fit import VERSION
from shortlib.studies.cardiac_context.measures import estimates
from shortlib.studies.cardiac_context.own_values import CHECKS
from shortlib.studies.cardiac_context.sources import source_checksum, sources_here
from shortlib.studies.stated import Stated

NAME = "cardiac-context"
TITLE = "Contrastive pre-training and context in cardiac MR"
CLAIMS_OF = (
    "Claims of {cite:t}`nakashima2023contextual`, each judged on drawn hearts (*builtin-cine*): "
    "a cohort of cardiomyopathies in which habitus goes with disease, and another hospital's in "
    "which it does not."
)
SELECTIONS = ("last",)
OWN_PARAMETERS = tuple(CHECKS)

# Own parameters that stand in a part of the settings, or say how patients are drawn.
_PARTS = {
    "epochs": ("training", "epochs"),
    "learning_rate": ("training", "learning_rate"),
    "pretrain_epochs": ("pretraining", "epochs"),
}
_DRAWN = {"cm_association": "cm", "acdc_association": "acdc", "systemic": "systemic"}

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
        Any of `OWN_PARAMETERS`. ``dial`` is a list of pairs: how far habitus goes with
        disease in the cohort that is trained on, and in the other hospital; at each the
        variants ``dialled`` are trained with the first seed.

    Returns
    -------
    list of shortlib.runs.request.Request
        Ordered by seed; of each the variants, then the dial's.

    Raises
    ------
    ValueError
        If one of the study's own parameters is unknown or makes no sense.
    shortlib.data.problems.DataError
        If a real data set is there and not as its layout says.
    """
    chosen = _profile(profile, data, own)
    stated, found = profiles()["data"][data], []
    checksum = stated.get("checksum") or "the data are not here"
    if sources_here(stated["source"], data_root):
        on_error = chosen["settings"]["on_error"]
        checksum = source_checksum(stated["source"], data_root=data_root, on_error=on_error)
    for seed in range(chosen["seeds"] if seeds is None else seeds):
        for variant, method, settings in _variants(chosen, stated["source"], seed):
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


def dial_name(variant, cm, acdc):
    """Name a variant at another setting of the dial, e.g. ``"full-cm100-acdcm70"``."""
    parts = (f"{name}{'m' if value < 0 else ''}{abs(round(100 * value)):03d}" for name, value in
             (("cm", cm), ("acdc", acdc)))  # fmt: skip
    return "-".join([variant, *parts])


def _variants(chosen, source, seed):
    """Yield name, method and settings of every variant."""
    for variant in chosen["variants"]:
        yield variant, *_settings(chosen, variant, source, chosen.get("association"))
    for cm, acdc in chosen["dial"] if seed == 0 else ():
        association = {**chosen["association"], "cm": cm, "acdc": acdc}
        for variant in chosen["dialled"]:
            method, settings = _settings(chosen, variant, source, association)
            # Maps are not asked for their worth at every point of the dial.
            yield dial_name(variant, cm, acdc), method, {**settings, "shuffled": False}


def _settings(chosen, variant, source, association):
    stated = profiles()["variants"][variant]
    method = stated["method"]
    settings = {**chosen["settings"], "regime": stated["regime"]}
    settings["shuffled"] = stated.get("shuffled", False)
    own = chosen["methods"].get(method)
    if own is None:
        settings["pretraining"] = None
    else:
        changed = {**settings["pretraining"], **own.get("pretraining", {})}
        settings["pretraining"] = {**changed, "options": own["options"]}
    if method == "probe":
        settings["training"] = None
    settings["source"] = source
    if "patients" in chosen:
        settings["source"] = _drawn(source, chosen["patients"], association)
    return method, settings


def _drawn(source, patients, association):
    """Say how many patients the built-in sources draw, and how habitus goes with disease."""
    found = dict(source)
    for name, n in patients.items():
        if name in source:
            drawn = {**source[name]["drawn"], "n": n, "habitus_association": association[name]}
            if name == "cm":
                drawn["systemic"] = association["systemic"]
            found[name] = {**source[name], "drawn": drawn}
    return found


def _profile(profile, data, own):
    """Return a profile with what the data and the study's own parameters change."""
    book = profiles()
    chosen = {"variants": list(book["variants"]), **book["profiles"][profile]}
    chosen |= book["changed"].get(data, {}).get(profile, {})
    for name, value in own.items():
        if name not in OWN_PARAMETERS:
            known = ", ".join(OWN_PARAMETERS)
            raise ValueError(f"{NAME} has no parameter {name!r}; it has {known}")
        value = CHECKS[name](name, value)
        if name in ("dial", "dialled", "variants"):
            chosen[name] = value
        elif name in _DRAWN:
            if "patients" not in chosen:
                raise ValueError(f"{name} is for drawn patients; {data} has real ones")
            chosen["association"] = {**chosen["association"], _DRAWN[name]: value}
        elif name in _PARTS:
            part, key = _PARTS[name]
            changed = {**chosen["settings"][part], key: value}
            chosen["settings"] = {**chosen["settings"], part: changed}
        else:
            chosen["settings"] = {**chosen["settings"], name: value}
    return chosen
