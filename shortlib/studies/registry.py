"""Which studies there are, and which runs one of them asks for."""

from importlib import import_module

STUDIES = ("spatial-specificity-synthetic",)
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
        Has ``NAME``, ``TITLE``, ``profiles()``, ``claims()``, ``published()``,
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


def plan(study, profile, *, data=None, data_root=None, seeds=None, **own):
    """List the runs that a study asks for, after checking what was asked.

    Parameters
    ----------
    study : str
    profile : str
        One of `PROFILES`: the size of the work.
    data : str, optional
        Data set; the study's first one by default.
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
    module = load_study(study)
    combinations = module.profiles()["combinations"]
    if profile not in PROFILES:
        raise ValueError(f"profile must be one of {', '.join(PROFILES)}, got {profile!r}")
    data = data or next(iter(combinations))
    if profile not in combinations.get(data, ()):
        known = "; ".join(f"{d} with {', '.join(p)}" for d, p in combinations.items())
        raise ValueError(
            f"{study} does not run on data {data!r} with profile {profile!r}; it runs on {known}"
        )
    if seeds is not None and (type(seeds) is not int or seeds < 1):
        raise ValueError(f"seeds is a whole number of seeds, at least 1, got {seeds!r}")
    return module.requests(profile, data=data, data_root=data_root, seeds=seeds, **own)
