"""What a cohort says of each case beside its image: labels, shortcuts, covariates."""

import numpy as np

from shortlib.data.phantoms.chest import devices
from shortlib.data.phantoms.chest.cases import tube_side
from shortlib.data.phantoms.chest.population import FINDINGS, stream
from shortlib.data.phantoms.chest.settings import CLASSES

LABEL_NAMES = {
    "findings": FINDINGS,
    "pneumonia": CLASSES,
    "pneumothorax": ("No Pneumothorax", "Pneumothorax"),
}
_SAME = 0.15  # a change of severity that a reader would call none


def labels(cases, task):
    """Return the labels: float (n, 5) for findings, else int (n,)."""
    if task != "findings":
        return np.array([case.label for case in cases], dtype=np.int64)
    return np.array([[case.severity[name] > 0 for name in FINDINGS] for case in cases], float)


def shortcut_names(settings):
    """Return the names of the shortcuts that can occur."""
    first = {"pneumonia": ("adult",), "pneumothorax": (devices.TUBE,)}.get(settings.task, ())
    return (*first, *(name for name in devices.OTHERS if settings.devices[name] > 0))


def carries(case, shortcut):
    """Return whether a case carries a shortcut."""
    return case.adult if shortcut == "adult" else shortcut in case.devices


def row(case, person, settings):
    """Return the covariates of one case, as a dict."""
    patient = f"{settings.seed}-{case.patient:07d}"
    found = {
        "case": case.number,
        "patient": patient,
        "study": f"{patient}-{case.study}",
        "study_index": case.study,
        "image_index": case.image,
        "view": case.view,
        "age": person.age,
        "sex": "F" if case.female else "M",
        "adult": case.adult,
        "ctr": round(person.ctr, 4),
        "prior": case.before is not None,
    }
    names = [name for name in settings.findings if name != "Normal"]
    for name in names:
        now = case.severity.get(name, 0.0)
        column = name.lower().replace(" ", "_")
        found[f"{column}_severity"] = now
        found[f"{column}_side"] = case.layouts[name][0] if now else ""
        found[f"{column}_change"] = _change(
            now, None if case.before is None else case.before.get(name, 0.0)
        )
    shown = [devices.TUBE] if settings.task == "pneumothorax" else []
    for name in (*shown, *(name for name in devices.OTHERS if settings.devices[name] > 0)):
        found[name.lower().replace(" ", "_")] = name in case.devices
    if settings.task == "pneumothorax":
        side = ""
        if devices.TUBE in case.devices:
            sign = tube_side(case, stream(settings.seed, "device", case.number, 0))
            side = "left" if sign > 0 else "right"
        found["chest_tube_side"] = side
    return found


def _change(now, before):
    if before is None or not (now or before):
        return ""
    if not before:
        return "new"
    if not now:
        return "resolved"
    if abs(now - before) < _SAME:
        return "unchanged"
    return "worse" if now > before else "better"
