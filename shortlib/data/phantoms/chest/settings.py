"""What a cohort of chests is drawn with: the defaults, and what is refused."""

from dataclasses import dataclass

from shortlib.data.phantoms.chest.devices import OTHERS
from shortlib.data.phantoms.chest.findings import PNEUMONIAS, PNEUMOTHORAX
from shortlib.data.phantoms.chest.population import FINDINGS, Population, check_share

CLASSES = ("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia")
# The findings that each task labels, each with a plane of masks.
TASKS = {
    "findings": FINDINGS,
    "pneumonia": PNEUMONIAS,
    "pneumothorax": (PNEUMOTHORAX,),
}
_SHARES = {
    "findings": dict(zip(FINDINGS, (0.30, 0.28, 0.22, 0.25, 0.35), strict=True)),
    "pneumonia": dict.fromkeys(CLASSES, 0.25),
    "pneumothorax": {
        PNEUMOTHORAX: 0.35,
        **dict(zip(FINDINGS, (0.15, 0.12, 0.10, 0.08, 0.18), strict=True)),
    },
}
_DEVICES = {"ECG leads": 0.08, "central line": 0.08, "pacemaker": 0.04, "marker": 0.0}
_TUBES = {0: 0.05, 1: 0.45}


@dataclass(frozen=True)
class Settings:
    """What decides every case, see :func:`shortlib.data.phantoms.chest.chest`."""

    task: str
    seed: int
    findings: dict
    population: Population
    p_tube: dict
    devices: dict


def make_settings(task, seed, findings=None, population=None, p_tube=None, devices=None):
    """Fill in the defaults of a task and refuse what cannot be.

    Returns
    -------
    Settings

    Raises
    ------
    ValueError
        If the task or a name is not known, or a probability is not in [0, 1].
    """
    if task not in TASKS:
        raise ValueError(f"task must be one of {tuple(TASKS)}, got {task!r}")
    shares = _merged(_SHARES[task], findings, "findings")
    if task == "pneumonia" and sum(shares.values()) == 0:
        raise ValueError("findings must give at least one class a share above 0")
    if p_tube is not None and task != "pneumothorax":
        raise ValueError(f"p_tube is for the task 'pneumothorax'; the task is {task!r}")
    none = {} if task == "findings" else dict.fromkeys(_DEVICES, 0.0)
    settings = Settings(
        task=task,
        seed=int(seed),
        findings=shares,
        population=Population() if population is None else population,
        p_tube=_merged(_TUBES, p_tube, "p_tube"),
        devices=_merged({**_DEVICES, **none}, devices, "devices"),
    )
    groups = {"findings": (), "pneumonia": CLASSES, "pneumothorax": (0, 1)}[task]
    if isinstance(settings.population.adult, dict):
        _known(settings.population.adult, groups, "population.adult")
    assert set(settings.devices) == set(OTHERS)
    return settings


def erased_names(erase, settings):
    """Return the names of the findings to leave out, as a tuple.

    Raises
    ------
    ValueError
        If one does not occur in the task.
    """
    if erase is True:
        return TASKS[settings.task]
    names = (erase,) if isinstance(erase, str) else tuple(erase or ())
    _known(names, [name for name in settings.findings if name != "Normal"], "erase")
    return names


def _merged(defaults, given, parameter):
    given = given or {}
    _known(given, defaults, parameter)
    for key, share in given.items():
        check_share(share, f"{parameter}[{key!r}]")
    return {**defaults, **given}


def _known(names, known, parameter):
    for name in names:
        if name not in known:
            raise ValueError(
                f"{parameter} has {name!r}; it may have {', '.join(map(repr, known)) or 'none'}"
            )
