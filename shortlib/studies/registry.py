"""Which studies there are, and which runs one of them asks for."""

from importlib import import_module

STUDIES = (
    "clip-watermarks",
    "cardiac-context",
    "exemplary-explanations",
    "spatial-specificity",
    "spatial-specificity-synthetic",
)
PROFILES = ("smoke", "workshop", "reference", "paper")


def load_study(name):
    """Return a study's module.

    Parameters
    ----------
    name : str
        One of `STUDIES`.

    Returns
    -------
    module
        Has ``NAME``, ``TITLE``, ``CLAIMS_OF``, ``SELECTIONS`` (and, where there are several,
        ``SELECTION_WORDS``, each in words), ``OWN_PARAMETERS``,
        ``profiles()``, ``claims()``, ``published()``,
        ``requests(profile, data=..., seeds=..., data_root=...)``, ``groups(runs)`` and
        ``estimates(metric, runs, selection=...)``.

    Raises
    ------
    ValueError
        If there is no such study; lists those there are.
    """
    if name not in STUDIES:
        raise ValueError(f"study must be one of {', '.join(STUDIES)}, got {name!r}")
    return import_module(f"shortlib.studies.{name.replace('-', '_')}.study")


def data_sets(study, profile):
    """List the data sets on which a study has a profile, its first one first.

    Raises
    ------
    ValueError
        If there is no such study or profile; lists those there are.
    """
    combinations = load_study(study).profiles()["combinations"]
    if profile not in PROFILES:
        raise ValueError(f"profile must be one of {', '.join(PROFILES)}, got {profile!r}")
    return [data for data, profiles in combinations.items() if profile in profiles]


def plan(study, profile, *, data=None, data_root=None, seeds=None, **own):
    """List the runs that a study asks for, after checking what was asked.

    Parameters
    ----------
    study : str
    profile : str
        One of `PROFILES`: the size of the work.
    data : str, optional
        Data set; by default the first one on which the study has the profile. It need
        not be on this machine.
    data_root : str, optional
        Folder of a real data set.
    seeds : int, optional
        Number of seeds, counted from 0; the profile's by default.
    **own
        The study's own parameters; see its ``requests``.

    Returns
    -------
    list of shortlib.runs.request.Request

    Raises
    ------
    ValueError
        Names the parameter, the value it got and the values that make sense.
    """
    module, usable = load_study(study), data_sets(study, profile)
    if data not in usable if data else not usable:
        known = "; ".join(
            f"{name} with {', '.join(profiles)}"
            for name, profiles in module.profiles()["combinations"].items()
        )
        on = f"on data {data!r} " if data else ""
        raise ValueError(f"{study} does not run {on}with profile {profile!r}; it runs on {known}")
    data = data or usable[0]
    if seeds is not None and (type(seeds) is not int or seeds < 1):
        raise ValueError(f"seeds is a whole number of seeds, at least 1, got {seeds!r}")
    return module.requests(profile, data=data, data_root=data_root, seeds=seeds, **own)
