"""The parameters of a notebook: names checked, runs planned and fitted or loaded."""

import ast
from dataclasses import dataclass, field

from shortlib.runs.locations import default_store
from shortlib.runs.parallel import fit_or_load_all
from shortlib.studies.registry import data_sets, load_study, plan

INJECTED = "# Parameters"  # how papermill begins the cell that it adds


@dataclass
class Chapter:
    """What a notebook works with, once its parameters make sense.

    Attributes
    ----------
    study : module
    runs : list of shortlib.runs.Run
        Of this run's profile: loaded or, where missing, just fitted.
    reference : list of shortlib.runs.Run
        Of the ``reference`` profile, as far as they are on disk, on all of the study's data
        sets: real ones stand beside drawn ones. ``study.groups`` sorts them.
    profile, data : str
    changed : dict
        The study's own parameters that were given a value.
    """

    study: object
    runs: list
    reference: list
    profile: str
    data: str
    changed: dict = field(default_factory=dict)


def prepare(study, namespace, *, own=()):
    """Check a notebook's parameters and fetch its runs.

    Parameters
    ----------
    study : str
        Name of the study.
    namespace : dict
        ``globals()`` of the notebook, in the first cell after the parameters.
    own : sequence of str
        Names of the study's own parameters; ``None`` leaves the profile's value.

    Returns
    -------
    Chapter

    Raises
    ------
    ValueError
        Names the parameter that is not known, or the value that makes no sense, and
        lists what is known.
    """
    standard = ("profile", "data", "data_root", "seeds", "device", "results_dir", "export_dir")
    known = (*standard, *own)
    for name in injected_names(namespace.get("In", ())):
        if name not in known:
            raise ValueError(f"this notebook has no parameter {name!r}; it has {', '.join(known)}")
    value = {name: namespace[name] for name in known}
    changed = {name: value[name] for name in own if value[name] is not None}
    requests = plan(
        study,
        value["profile"],
        data=value["data"],
        data_root=value["data_root"] or None,
        seeds=value["seeds"],
        **changed,
    )
    store = default_store(value["results_dir"])
    runs = fit_or_load_all(store, requests, device=value["device"])
    return Chapter(
        study=load_study(study),
        runs=runs,
        reference=reference_runs(study, store),
        profile=value["profile"],
        data=value["data"] or requests[0].data,
        changed=changed,
    )


def reference_runs(study, store, *, data=None, profile="reference"):
    """Return the runs of a profile that are on disk, fitting none.

    A seed of which runs are missing is left out as long as another one is complete,
    so that all that is compared stands on the same seeds. Each data set is taken by
    itself: runs on different data are not paired.

    Parameters
    ----------
    study : str
    store : shortlib.runs.Store
    data : str, optional
        By default all data sets on which the study has the profile, in its order.
    profile : str

    Returns
    -------
    list of shortlib.runs.Run
        Empty for data on which the study has no such profile.
    """
    usable = data_sets(study, profile)
    if data and data not in load_study(study).profiles()["combinations"]:
        plan(study, profile, data=data)  # says what there is
    wanted = [name for name in usable if name == data] if data else usable
    return [run for name in wanted for run in _on_disk(store, plan(study, profile, data=name))]


def _on_disk(store, requests):
    """Return the runs of one data set, of complete seeds if there are any."""
    found = {request: store.find(request) for request in requests}
    incomplete = {request.seed for request, run in found.items() if run is None}
    complete = [run for run in found.values() if run and run.seed not in incomplete]
    return complete or [run for run in found.values() if run]


def injected_names(cells):
    """Return the names that papermill's own cell assigns, in order.

    Parameters
    ----------
    cells : sequence of str
        Sources that the kernel has run, i.e. IPython's ``In``.
    """
    names = []
    for source in cells:
        if source.lstrip().startswith(INJECTED):
            for node in ast.parse(source).body:
                if isinstance(node, ast.Assign):
                    names += [t.id for t in node.targets if isinstance(t, ast.Name)]
    return names
