"""Classes of disease as distributions of a heart's parameters."""

from dataclasses import dataclass

import numpy as np

from shortlib.data.phantoms.cardiac.geometry import SEPTUM, Heart

# Infarcts lie where one of the three coronary arteries goes (AHA segments): centre and
# its spread in degrees, and the share of patients.
TERRITORIES = ((128.0, 16.0, 0.5), (268.0, 14.0, 0.3), (330.0, 14.0, 0.2))


# How far a disease has gone: 0 would be a normal heart, 1 what `KINDS` says.
MILDEST, WORST = 0.15, 1.05


EVEN = 400.0  # degrees; a thickening as wide as that goes all around


@dataclass(frozen=True)
class Kind:
    """Mean and standard deviation of what a class of hearts has in advanced disease.

    Volumes are per m^2 of lean body surface, in ml; fractions in [0, 1]; walls in mm. A
    ``bump`` is the thickening of the septum, a ``scar`` the share of the wall lost in
    an infarct. ``even`` is the share of patients in whom a thickening goes all around.
    ``heavy`` says whether the class goes with a heavy habitus when habitus is
    associated with disease; ``age`` is in years.
    """

    edv: tuple = (78, 13)
    ef: tuple = (0.60, 0.06)
    wall: tuple = (8.0, 1.1)
    rv_edv: tuple = (82, 14)
    rv_ef: tuple = (0.57, 0.06)
    bump: tuple = (1.0, 0.8)
    even: float = 0.0
    scar: tuple = (0.0, 0.0)
    flatness: tuple = (0.02, 0.02)
    rv_wall: tuple = (3.2, 0.5)
    age: tuple = (52.0, 15.0)
    heavy: bool = False


# The normal heart has reference values of adults (Kawel-Boehm et al. 2020); the others
# follow the definitions of the ACDC challenge (Bernard et al. 2018) and, for amyloid,
# Maceira et al. 2008. Spreads are wide and disease may be early, so that classes overlap.
KINDS = {
    "NOR": Kind(age=(46, 16)),
    "DCM": Kind(
        edv=(135, 27), ef=(0.26, 0.08), wall=(7.8, 1.4), rv_edv=(96, 20), rv_ef=(0.40, 0.10),
        heavy=True,
    ),
    "HCM": Kind(
        edv=(74, 13), ef=(0.66, 0.07), wall=(9.6, 1.6), rv_edv=(76, 14), bump=(8.5, 3.0),
        even=0.25, age=(50, 15), heavy=True,
    ),
    "MINF": Kind(
        edv=(106, 22), ef=(0.32, 0.08), wall=(8.6, 1.4), rv_ef=(0.50, 0.08), scar=(0.45, 0.14),
        age=(60, 11), heavy=True,
    ),
    "RV": Kind(
        ef=(0.56, 0.07), rv_edv=(130, 22), rv_ef=(0.37, 0.08), flatness=(0.16, 0.06),
        rv_wall=(4.8, 0.9), age=(45, 17),
    ),
    "NICM": Kind(
        edv=(118, 28), ef=(0.34, 0.11), wall=(8.6, 1.7), rv_edv=(92, 20), rv_ef=(0.44, 0.10),
        age=(54, 15),
    ),
    "ICM": Kind(
        edv=(114, 26), ef=(0.33, 0.10), wall=(8.6, 1.5), rv_edv=(86, 18), rv_ef=(0.46, 0.10),
        scar=(0.40, 0.14), age=(63, 11), heavy=True,
    ),
    "AMYL": Kind(
        edv=(72, 15), ef=(0.50, 0.11), wall=(13.4, 2.4), rv_edv=(80, 16), rv_ef=(0.46, 0.09),
        bump=(1.8, 1.8), rv_wall=(5.8, 1.2), age=(70, 10),
    ),
}  # fmt: skip
CLASSES = {"cm": ("NICM", "ICM", "AMYL", "HCM"), "acdc": ("NOR", "DCM", "HCM", "MINF", "RV")}


def draw_heart(seed, kind, body, *, study=0):
    """Draw the heart of a patient.

    Parameters
    ----------
    seed : tuple of int
        The same seed and body with another kind give the heart that the patient would
        have with another disease: each number is as far from its mean as before.
    kind : str
        One of `KINDS`.
    body : Body
    study : int
        Of another study of the same patient, most numbers are close to the first.

    Returns
    -------
    heart : Heart
    severity : float
        How far the disease has gone, 0 for a normal heart.
    """
    rng = np.random.default_rng(seed)
    z, u = rng.standard_normal(20), rng.random(8)
    if study:
        later = np.random.default_rng([*seed, study]).standard_normal(20)
        stays = np.isin(np.arange(20), (2, 6, 7, 18))  # where a bump or a scar is
        z = np.where(stays, z, np.sqrt(1 - 0.3**2) * z + 0.3 * later)
    z = np.clip(z, -2.3, 2.3)
    normal, ill, surface = KINDS["NOR"], KINDS[kind], body.lean_surface
    severity = 0.0 if kind == "NOR" else MILDEST + (WORST - MILDEST) * u[6]

    def value(name, place, low, high):
        (m0, s0), (m1, s1) = getattr(normal, name), getattr(ill, name)
        mean, spread = m0 + severity * (m1 - m0), s0 + severity * (s1 - s0)
        return float(np.clip(mean + spread * z[place], low, high))

    edv, ef = value("edv", 0, 38, 220) * surface, value("ef", 1, 0.12, 0.78)
    bump, even = value("bump", 2, 0, 16), u[0] < ill.even
    # A larger cavity is also longer, less than it is wider.
    length = (88 + 4 * z[4]) * (edv / 150) ** 0.24 * (body.height / 172) ** 0.4
    heart = Heart(
        length=float(length),
        edv=float(edv),
        ef=ef,
        wall=value("wall", 5, 5.0, 19) * (surface / 1.9) ** 0.25,
        bump=(SEPTUM - 22 + 24 * z[6] + body.turn, EVEN, 0.7 * bump)
        if even
        else (SEPTUM - 22 + 24 * z[6] + body.turn, 36 + 8 * z[7], bump),
        scar=_scar(value("scar", 3, 0.0, 0.68), severity, z, u, body.turn),
        flatness=value("flatness", 8, 0, 0.3),
        rv_edv=value("rv_edv", 9, 40, 200) * surface,
        rv_ef=value("rv_ef", 10, 0.15, 0.75),
        rv_wall=value("rv_wall", 13, 2.2, 9),
        shortening=float(0.03 + 0.19 * ef),
        insertions=(112 + body.turn + 4 * float(z[11]), 246 + body.turn + 4 * float(z[12])),
        oval=(float(0.035 + 0.015 * z[14]), float(60 + 35 * z[15])),
        triangle=(float(0.012 * z[16]), float(120 * u[5])),
        skew=float(0.85 * np.exp(0.12 * z[17])),
        corner=float(0.05 + 0.2 * u[4]),
    )
    return heart, float(severity)


def _scar(lost, severity, z, u, turn):
    """Where an infarct is and what it does; a heart without one moves evenly but for chance."""
    shares = np.cumsum([share for *_, share in TERRITORIES])
    centre, spread, _ = TERRITORIES[int(np.searchsorted(shares, u[1]))]
    half = float(np.clip(42 + 10 * z[18], 20, 66))
    first, last = 0.05 + 0.3 * u[2], 0.7 + 0.4 * u[3]
    left = 1 - severity * (0.75 + 0.2 * z[19]) if lost else 1 - max(0.12 * z[19], 0)
    return (
        float(centre + spread * z[2] + turn),
        half,
        lost,
        float(left),
        float(first),
        float(last),
    )
