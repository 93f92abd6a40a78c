"""From a case's number to all that is drawn at random for it, and to its image."""

from dataclasses import dataclass, field

import numpy as np

from shortlib.data.phantoms.chest import devices, findings, skeleton
from shortlib.data.phantoms.chest.exposure import expose
from shortlib.data.phantoms.chest.people import build, exposure, framing
from shortlib.data.phantoms.chest.population import roster, severities, stream
from shortlib.data.phantoms.chest.render import assemble, healthy
from shortlib.data.phantoms.chest.settings import CLASSES
from shortlib.data.phantoms.chest.sheet import Sheet


@dataclass
class Case:
    """One image before it is rendered; `before` is the severity in the study before, or None."""

    number: int
    patient: int
    study: int
    image: int
    adult: bool
    female: bool
    view: str
    label: int | None
    severity: dict
    before: dict | None
    layouts: dict
    devices: tuple = field(default_factory=tuple)


def draw(number, settings):
    """Draw one case from its number and the settings alone.

    Returns
    -------
    Case
    """
    seed, population = settings.seed, settings.population
    patient, study, image = roster(number, seed, population)
    person = stream(seed, "illness", patient, 0, 0).random(4)
    severity, label = _severity(settings, patient, study, person[:2])
    before = _severity(settings, patient, study - 1, person[:2])[0] if study else None
    layouts = {
        name: findings.layout(name, severity[name], stream(seed, "finding", patient, place))
        for place, name in enumerate(findings.ALL)
        if severity.get(name, 0) or (before and before.get(name, 0))
    }
    group = CLASSES[label] if settings.task == "pneumonia" else label
    chance = stream(seed, "device", number).random(8)
    ap = population.ap + population.ap_if_ill * max(severity.values(), default=0)
    found = []
    if settings.task == "pneumothorax" and chance[0] < settings.p_tube[label]:
        found.append(devices.TUBE)
    for place, name in enumerate(devices.OTHERS, 1):
        if chance[place] < settings.devices.get(name, 0):
            found.append(name)
    return Case(
        number=number,
        patient=patient,
        study=study,
        image=image,
        adult=bool(person[2] < population.adult_share(group)),
        female=bool(person[3] < population.female),
        view="AP" if chance[7] < ap else "PA",
        label=label,
        severity=severity,
        before=before,
        layouts=layouts,
        devices=tuple(found),
    )


def _severity(settings, patient, study, chance):
    # Severities of all findings in one study, and the class where there is one.
    task, shares = settings.task, settings.findings
    if task == "findings":
        return severities(settings.seed, patient, study, shares), None
    if task == "pneumonia":
        shares = np.cumsum([shares[name] for name in CLASSES])
        label = int(np.searchsorted(shares, chance[0] * shares[-1], side="right"))
        name = CLASSES[label]
        return ({} if name == "Normal" else {name: float(chance[1])}), label
    others = {name: share for name, share in shares.items() if name != findings.PNEUMOTHORAX}
    found = severities(settings.seed, patient, study, others)
    label = int(chance[0] < shares[findings.PNEUMOTHORAX])
    found[findings.PNEUMOTHORAX] = float(chance[1]) if label else 0.0
    return found, label


def render(case, settings, size, erase=()):
    """Render one case.

    Parameters
    ----------
    case : Case
    settings : Settings
    size : int
        Side of the image, in pixels.
    erase : tuple of str
        Findings to leave out; all else, the noise included, stays.

    Returns
    -------
    image : numpy.ndarray of uint8, shape (size, size)
    scene : shortlib.data.phantoms.chest.render.Scene
        What was drawn, with its masks.
    """
    seed, number = settings.seed, case.number
    person = build(
        stream(seed, "patient", case.patient),
        stream(seed, "image", number),
        adult=case.adult,
        female=case.female,
        view=case.view,
    )
    technique = stream(seed, "exposure", number)
    beam = exposure(technique, person, case.view)
    sheet = Sheet(size, *framing(technique, person))
    severity = {name: s for name, s in case.severity.items() if s > 0 and name not in erase}
    scene = healthy(
        sheet,
        person,
        stream(seed, "vessels", case.patient),
        **findings.before_building(person, severity, case.layouts),
    )
    for place, name in enumerate(findings.ALL):
        if name in severity:
            rng = stream(seed, "finding", case.patient, place)
            side, kind = findings.layout(name, severity[name], rng)
            findings.add(scene, name, severity[name], side, kind, rng)
    for place, name in enumerate((devices.TUBE, *devices.OTHERS)):
        if name in case.devices:
            rng = stream(seed, "device", number, place)
            if name == devices.TUBE:
                scene.masks[name] = devices.chest_tube(scene, tube_side(case, rng), rng)
            else:
                scene.masks[name] = devices.device(scene, name, rng)
    if settings.task == "pneumonia":
        scene.masks["adult"] = skeleton.age_cue(sheet, person) > 0.5
    soft, bone = assemble(scene)
    return expose(sheet, soft, bone, scene.metal, beam, stream(seed, "noise", number)), scene


def tube_side(case, rng):
    """Return the side of the chest tube: that of the air, else of the fluid, else any."""
    anywhere = "right" if rng.random() < 0.5 else "left"
    for name in (findings.PNEUMOTHORAX, "Pleural Effusion"):
        if case.severity.get(name, 0):
            side = case.layouts[name][0]
            return findings.sides(anywhere if side == "bilateral" else side)[0]
    return findings.sides(anywhere)[0]
