"""Why a run would be fitted anew, or was never fitted."""

from shortlib.runs.code import changed_modules, fit_module
from shortlib.runs.folder import DamagedRunError, Run, check_run


def damaged_runs(store, study=None):
    """Return ``(folder, what is wrong with it)`` for every damaged run of a store."""
    found = []
    for path, _ in store.folders(study):
        try:
            check_run(path)
        except DamagedRunError as error:
            found.append((path, str(error)))
    return found


def why_refit(path):
    """Say why the run of a folder would be fitted anew today.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    list of str
        Empty if it would be loaded.
    """
    try:
        run = Run(path)
    except DamagedRunError as error:
        return [str(error)]
    return [f"{name} has changed since" for name in run.changed_modules]


def why_request(store, request):
    """Say why a request has no run that could be loaded.

    Parameters
    ----------
    store : shortlib.runs.Store
    request : shortlib.runs.request.Request

    Returns
    -------
    list of str
        Empty if its run would be loaded. Else what is wrong with its folder, or what
        has changed since it was fitted, or in what the nearest run differs.
    """
    path = store.path(request)
    if path.exists():
        return why_refit(path)
    same, others = [], []
    for folder, committed in store.folders(request.study):
        try:
            run = Run(folder, committed=committed)
        except DamagedRunError:
            continue
        if folder.name.startswith(f"{request.name}-"):
            if committed:
                return []
            same.append(run)
        elif run.request["variant"] == request.variant:
            others.append(run)
    if same:
        latest = max(same, key=lambda run: run.provenance["started"])
        # Code is compared with the module that fits now: the folder's name holds its version.
        changed = changed_modules(fit_module(request.study), latest.provenance["code"])
        return [f"{name} has changed since {latest.path.name} was fitted" for name in changed] or [
            f"{latest.path.name} was fitted by another version of the code"
        ]
    if not others:
        return [f"no run of {request.variant} is on disk"]
    differing = {run: _differences(run.request, request.to_dict()) for run in others}
    nearest = min(others, key=lambda run: (run.seed != request.seed, len(differing[run])))
    return [
        f"{name} is {wanted!r}, in the nearest run ({nearest.path.name}) it is {had!r}"
        for name, (had, wanted) in differing[nearest].items()
    ]


def _differences(had, wanted):
    """Return ``{dotted name: (had, wanted)}`` of what differs and enters the key."""
    had, wanted = (
        {k: v for k, v in _flat(x).items() if k not in ("profile", "data_root", "variant")}
        for x in (had, wanted)
    )
    absent = "absent"
    return {
        name: (had.get(name, absent), wanted.get(name, absent))
        for name in sorted(had.keys() | wanted.keys())
        if had.get(name, absent) != wanted.get(name, absent)
    }


def _flat(nested, prefix=""):
    flat = {}
    for name, value in nested.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
