"""Which runs the study of exemplary explanations asks for."""

import copy
from dataclasses import replace

from shortlib.runs.request import Request
from shortlib.studies.exemplary_explanations.choice import came_from, read_choice
from shortlib.studies.exemplary_explanations.exemplars import DRAWN, PERSON
from shortlib.studies.exemplary_explanations.fit import VERSION
from shortlib.studies.exemplary_explanations.measures import estimates
from shortlib.studies.exemplary_explanations.own_values import CHECKS
from shortlib.studies.exemplary_explanations.refinements import CONTINUED
from shortlib.studies.exemplary_explanations.sources import source_checksum, sources_here
from shortlib.studies.stated import Stated
from shortlib.studies.value_checks import checked

NAME = "exemplary-explanations"
TITLE = "Unlearning by exemplary explanations in chest radiographs"
CLAIMS_OF = (
    "Claims of {cite:t}`hagos2023unlearning`, each judged on real radiographs in which class and "
    "age go together (*covid-cxr-lungmask*), on drawn ones (*builtin-radiographs*), or on both."
)
SELECTIONS = ("validation",)
OWN_PARAMETERS = tuple(CHECKS)

# Own parameters that stand in a part of the settings.
_PARTS = {
    "epochs": [("training", "epochs")],
    "refine_epochs": [("refinement", "epochs")],
    "learning_rate": [("training", "learning_rate"), ("refinement", "learning_rate")],
}

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
        How many seeds, counted from 0; the profile's number by default. On real data each seed
        is a split of its own.
    data_root : str, optional
        Folder that holds the real data sets.
    **own
        Any of `OWN_PARAMETERS`. ``exemplars`` is a file that the picker wrote: the two
        explanations in it replace those of the automatic rule, for the seed whose run they were
        chosen from.

    Returns
    -------
    list of shortlib.runs.request.Request
        Ordered by seed; of the first seed also the run with many pairs.

    Raises
    ------
    ValueError
        If one of the study's own parameters is unknown or makes no sense, or the exemplars were
        chosen from another run.
    shortlib.data.problems.DataError
        If a real data set is there and not as its layout says.
    """
    own = checked(NAME, CHECKS, own)
    chosen = _profile(profile, data, own)
    checksum = _checksum(chosen["settings"], data, data_root)
    found = []
    for seed in range(chosen["seeds"] if seeds is None else seeds):
        for variant in ("refined", "pairs") if seed == 0 else ("refined",):
            found.append(
                Request(
                    study=NAME,
                    method="eXBL and its relatives",
                    variant=variant,
                    settings=_settings(chosen, variant),
                    seed=seed,
                    data=data,
                    data_checksum=checksum,
                    version=VERSION,
                    profile=profile,
                    data_root=str(data_root) if data_root else None,
                )
            )
    return _with_choice(found, own["exemplars"]) if "exemplars" in own else found


def _with_choice(requests, path):
    """Put a person's exemplars in place of the automatic ones, in the run they were chosen from."""
    choice = read_choice(path)
    refined = [request for request in requests if request.variant == "refined"]
    for request in refined:
        if came_from(choice, request.name):
            person = {"rule": PERSON, "good": choice.good, "bad": choice.bad}
            return [replace(request, settings={**request.settings, "exemplars": person})]
    raise ValueError(
        f"the exemplars in {path} were chosen from the maps of run {choice.run}; with these "
        f"parameters they would go to {' or '.join(request.name for request in refined)}: choose "
        "them anew there, or ask for the parameters and the seed of that run"
    )


def _checksum(settings, data, data_root):
    stated = profiles()["data"][data]
    if not sources_here(settings["source"], data_root):
        return stated.get("checksum") or "the data are not here"
    return source_checksum(settings["source"], data_root=data_root, on_error=settings["on_error"])


def _settings(chosen, variant):
    """Return what a variant's run is made with."""
    stated = profiles()["variants"][variant]
    settings = {**chosen["settings"], "exemplars": stated["exemplars"]}
    settings["refinements"] = stated.get("refinements", chosen["refinements"])
    if stated["exemplars"]["rule"] == DRAWN:
        settings["exemplars"] = {**stated["exemplars"], **chosen["pairs"]}
    return settings


def _profile(profile, data, own):
    """Return a profile with what the data and the study's own parameters change."""
    book = profiles()
    stated, changed = book["data"][data], book["changed"].get(data, {}).get(profile, {})
    chosen = copy.deepcopy({**book["profiles"][profile], **changed})
    settings = chosen["settings"]
    settings["children"], settings["source"] = stated["children"], copy.deepcopy(stated["source"])
    if "drawn" in settings["source"]:
        settings["source"]["drawn"]["n"] = chosen["cases"]
    for name, value in own.items():
        if name == "association":
            if "drawn" not in settings["source"]:
                raise ValueError(f"{name} is for drawn radiographs; {data} has real ones")
            settings["source"]["drawn"][name] = value
        elif name == "refinements":
            usual = chosen["refinements"]
            chosen[name] = {one: usual[one] for one in value}
        elif name == "loss_weights":
            chosen["refinements"] = {
                method: weights if method == CONTINUED else value
                for method, weights in chosen["refinements"].items()
            }
        elif name in ("careful", "blind"):
            chosen["pairs"][name] = value
        elif name in _PARTS:
            for part, key in _PARTS[name]:
                settings[part][key] = value
        elif name != "exemplars":
            settings[name] = value
    return chosen
