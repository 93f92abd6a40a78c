"""One patient: a disease, a body, a heart and a scanner, all drawn from one seed."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from shortlib.data.phantoms.cardiac.body import EFFUSION_SHARE, Body, draw_body
from shortlib.data.phantoms.cardiac.disease import KINDS, draw_heart
from shortlib.data.phantoms.cardiac.geometry import Heart, Motion
from shortlib.data.phantoms.cardiac.scanner import SCANNERS, Scanner

# Where the mid-ventricular slice lies, as a share of the length at end-diastole.
MIDDLE, MIDDLE_SPREAD = 0.45, 0.05
SYSTEMIC_SHARE = 0.75  # of amyloid patients with an effusion, at a systemic sign of 1


@dataclass(frozen=True)
class Patient:
    """A patient in a scanner.

    ``kind`` is the disease of the patient, ``shown`` that of the heart: they differ
    where the heart was replaced by a normal one. ``severity`` is 0 for a normal heart and 1
    in advanced disease, ``aim`` the level of the mid-ventricular slice, 0 at the base and
    1 at the tip, ``acquired`` the side of an
    acquired pixel in mm; ``seed`` decides textures and noise.
    """

    kind: str
    shown: str
    age: int
    severity: float
    aim: float
    body: Body
    heart: Heart
    scanner: Scanner
    acquired: float
    seed: tuple

    @property
    def middle(self):
        """Distance of the mid-ventricular slice from the base at end-diastole, mm."""
        return self.aim * self.heart.length

    @cached_property
    def motion(self):
        """The heart's :class:`shortlib.data.phantoms.cardiac.geometry.Motion`."""
        return Motion(self.heart)


def draw_patient(
    seed, index, kind, *, study=0, association=0.0, systemic=0.0, scanner=None, erase=False
):
    """Draw a patient.

    Parameters
    ----------
    seed, index : int
        Which data set and which patient of it.
    kind : str
        One of `KINDS`.
    study : int
        Of several studies of one patient, which: the body stays, the heart has changed
        a little, the slice is planned anew and the scanner may be another.
    association : float
        Of habitus with disease, from -1 to 1: see
        :func:`shortlib.data.phantoms.cardiac.body.heavy_share`.
    systemic : float
        From 0 to 1: how often amyloid patients have an effusion.
    scanner : str, optional
        ``"A"`` or ``"B"``; by default either, with equal probability.
    erase : bool
        Show a normal heart in the same body, scanner and noise.

    Returns
    -------
    Patient
    """
    key = (int(seed), int(index))
    share = EFFUSION_SHARE
    if kind == "AMYL":
        share += systemic * (SYSTEMIC_SHARE - EFFUSION_SHARE)
    body = draw_body(
        (*key, 1),
        expected_heavy=KINDS[kind].heavy,
        association=association,
        effusion_share=share,
        study=study,
    )
    shown = "NOR" if erase else kind
    heart, severity = draw_heart((*key, 2), shown, body, study=study)
    rng = np.random.default_rng((*key, 3, int(study)))
    choice, fine, aim = rng.random(), rng.random(), rng.normal()
    years = np.random.default_rng((*key, 4)).normal()
    device = SCANNERS[scanner or ("A" if choice < 0.5 else "B")]
    mean, spread = KINDS[kind].age
    age = int(np.clip(round(mean + spread * years), 18, 90)) + study
    acquired = device.spacing[0] + fine * (device.spacing[1] - device.spacing[0])
    aim = MIDDLE + MIDDLE_SPREAD * float(np.clip(aim, -2, 2))
    return Patient(
        kind, shown, age, severity, aim, body, heart, device, acquired, (*key, int(study))
    )


def describe(patient):
    """Return what is known of a patient, by name.

    Returns
    -------
    dict
        Age in years, ``sex`` ("F" or "M"), height in cm, weight in kg, ``bmi`` in
        kg/m^2, ``habitus`` ("heavy" or "light"), ``effusion``, ``scanner``,
        ``field`` in tesla, volumes in ml, ejection fractions in [0, 1], thickness of
        the left wall at end-diastole at mid-ventricular level in mm (mean and
        maximum) and ``acquired_spacing`` in mm.
    """
    motion, body = patient.motion, patient.body
    volumes = motion.volumes()
    shape = motion.contours("ED", [patient.middle])
    wall = (shape.epi - shape.endo)[0]
    return {
        "group": patient.kind,
        "severity": round(patient.severity, 3),
        "age": patient.age,
        "sex": body.sex,
        "height": round(body.height, 1),
        "weight": round(body.weight, 1),
        "bmi": round(body.bmi, 2),
        "habitus": "heavy" if body.heavy else "light",
        "effusion": body.effusion,
        "scanner": patient.scanner.name,
        "field": patient.scanner.field,
        **{name: round(value, 2) for name, value in volumes.items()},
        "lv_ef": round(1 - volumes["lv_esv"] / volumes["lv_edv"], 4),
        "rv_ef": round(1 - volumes["rv_esv"] / volumes["rv_edv"], 4),
        "wall_mean": round(float(wall.mean()), 2),
        "wall_max": round(float(wall.max()), 2),
        "acquired_spacing": round(patient.acquired, 3),
    }
