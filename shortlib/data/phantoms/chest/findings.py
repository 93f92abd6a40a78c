"""What illness adds to a chest: each finding, and the pixels that show it."""

from functools import partial

from shortlib.data.phantoms.chest import opacity, pleura
from shortlib.data.phantoms.chest.anatomy import LEFT, RIGHT
from shortlib.data.phantoms.chest.population import FINDINGS

PNEUMONIAS = ("COVID", "Lung_Opacity", "Viral Pneumonia")
PNEUMOTHORAX = "Pneumothorax"
ALL = (*FINDINGS, *PNEUMONIAS, PNEUMOTHORAX)
# Probability that a finding is in both lungs, at the lowest and the highest severity; then that
# one that is in one lung is in the right one.
_BOTH = {
    "Atelectasis": (0.15, 0.35, 0.45),
    "Cardiomegaly": (1.0, 1.0, 0.5),
    "Consolidation": (0.05, 0.30, 0.58),
    "Edema": (1.0, 1.0, 0.5),
    "Pleural Effusion": (0.15, 0.60, 0.55),
    "COVID": (1.0, 1.0, 0.5),
    "Lung_Opacity": (0.10, 0.45, 0.58),
    "Viral Pneumonia": (1.0, 1.0, 0.5),
    "Pneumothorax": (0.0, 0.0, 0.55),
}


def layout(name, severity, rng):
    """Draw where a finding is and of which kind it is.

    Returns
    -------
    side : str
        ``"left"``, ``"right"`` or ``"bilateral"``.
    kind : float
        In [0, 1]; decides between the forms that some findings take.
    """
    both, side, kind = rng.random(3)
    low, high, right = _BOTH[name]
    if both < low + (high - low) * severity:
        return "bilateral", kind
    return "right" if side < right else "left", kind


def sides(side):
    """Return the signs of the sides that a word stands for."""
    return {"left": (LEFT,), "right": (RIGHT,), "bilateral": (RIGHT, LEFT)}[side]


def before_building(person, severity, layouts):
    """Return what the findings change in the build of the chest.

    Parameters
    ----------
    person : shortlib.data.phantoms.chest.anatomy.Person
    severity : dict of str to float
    layouts : dict of str to tuple
        What :func:`layout` drew for each finding.

    Returns
    -------
    dict
        ``ctr``, ``raised`` and ``gain`` of :func:`~.render.healthy`.
    """
    big = severity.get("Cardiomegaly", 0)
    ctr = person.ctr + (0.025 + 0.105 * big if big else 0)
    raised = [0.0, 0.0]
    if severity.get("Atelectasis", 0):
        where, kind = layouts["Atelectasis"]
        for side in sides(where):
            lift = 0.3 if kind < opacity.PLATES else 0.8
            raised[side > 0] = lift * (1.2 + 2.2 * severity["Atelectasis"]) * person.unit
    wet = severity.get("Edema", 0)
    viral = severity.get("Viral Pneumonia", 0)
    more = 0.04 + 0.24 * viral if viral else 0.0
    upper = person.vessels[0] * (1 + (0.12 + 0.55 * wet if wet else 0.0) + more)
    lower = person.vessels[1] * (1 + 0.25 * wet + more)
    return {"ctr": min(ctr, 0.72), "raised": tuple(raised), "gain": (upper, lower)}


def add(scene, name, severity, side, kind, rng):
    """Draw one finding into a scene and note its mask.

    Parameters
    ----------
    scene : shortlib.data.phantoms.chest.render.Scene
        Changed in place.
    name : str
        One of `ALL`.
    severity : float
        In (0, 1].
    side, kind : str, float
        What :func:`layout` drew.
    rng : numpy.random.Generator
        Draws the details; the same at every severity.
    """
    _DRAW[name](scene, severity, sides(side), kind, rng)


def _heart(scene, severity, where, kind, rng):
    # The scene was built with a heart of its size; all of it is the finding.
    opacity.mark(scene, "Cardiomegaly", scene.heart > 0.5)


_DRAW = {
    "Atelectasis": opacity.atelectasis,
    "Cardiomegaly": _heart,
    "Consolidation": opacity.consolidation,
    "Edema": opacity.edema,
    "Pleural Effusion": pleura.effusion,
    "COVID": opacity.covid,
    "Lung_Opacity": partial(opacity.consolidation, name="Lung_Opacity"),
    "Viral Pneumonia": opacity.viral,
    "Pneumothorax": pleura.pneumothorax,
}
