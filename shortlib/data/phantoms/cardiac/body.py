"""The patient around the heart: sex, age, size, habitus, and where things lie."""

from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtr, ndtri

HEAVY_BMI = 30.0  # kg/m^2, obesity as the WHO defines it
BMI_MEDIAN, BMI_SPREAD = 27.3, 0.17  # of a log-normal distribution
LEAN_BMI = 25.0
HEAVY_SHARE = float(1 - ndtr(np.log(HEAVY_BMI / BMI_MEDIAN) / BMI_SPREAD))
# With an association of 1 this share of a class agrees with its habitus.
STRONGEST = 0.95
FEMALE_SHARE = 0.35
EFFUSION_SHARE = 0.06


@dataclass(frozen=True)
class Body:
    """What is drawn around the heart; lengths in mm, angles in degrees.

    ``place`` is the axis of the left ventricle from the centre of the image, x to the
    right and y down. ``chest`` is the angle at which the anterior chest wall lies and
    ``depth`` its distance from that axis. ``seed`` decides the remaining small things.
    """

    sex: str
    height: float
    bmi: float
    heavy: bool
    effusion: bool
    fat: float
    epicardial: float
    place: tuple
    turn: float
    chest: float
    depth: float
    diaphragm: float
    liver_edge: float
    seed: tuple = field(default=(0,))

    @property
    def weight(self):
        """Weight in kg."""
        return self.bmi * (self.height / 100) ** 2

    @property
    def lean_surface(self):
        """Body surface area in m^2 (Mosteller 1987) that the height goes with.

        Hearts are scaled by it: what habitus adds does not change the heart, so that
        habitus can be associated with disease and with nothing in the heart.
        """
        return float(np.sqrt(self.height * LEAN_BMI * (self.height / 100) ** 2 / 3600))


def heavy_share(expected, association):
    """Return the probability that a patient is heavy.

    Parameters
    ----------
    expected : bool
        Whether the class is one that goes with a heavy habitus.
    association : float
        0: whatever the class. 1: 0.95 where it is expected, 0.05 where it is not.
        -1: the reverse. Linear in between.

    Returns
    -------
    float
    """
    target = STRONGEST if expected == (association > 0) else 1 - STRONGEST
    return HEAVY_SHARE + abs(association) * (target - HEAVY_SHARE)


def draw_body(
    seed, *, expected_heavy=False, association=0.0, effusion_share=EFFUSION_SHARE, study=0
):
    """Draw a patient.

    Parameters
    ----------
    seed : tuple of int
        Decides everything, together with the other arguments.
    expected_heavy, association
        See :func:`heavy_share`. Only the body mass index and what follows from it
        depend on them.
    effusion_share : float
        Probability of a pleural and a pericardial effusion.
    study : int
        Another one of the same patient is planned a little differently.

    Returns
    -------
    Body
    """
    rng = np.random.default_rng(seed)
    u, z = rng.random(4), rng.standard_normal(12)
    # How a slice is planned differs between studies of a patient; the body does not.
    plan = z[3:6] if study == 0 else np.random.default_rng([*seed, study]).standard_normal(3)
    heavy = bool(u[0] < heavy_share(expected_heavy, association))
    # The index is drawn from the part of its distribution on that side of 30.
    quantile = 1 - HEAVY_SHARE * u[1] if heavy else (1 - HEAVY_SHARE) * u[1]
    bmi = BMI_MEDIAN * np.exp(BMI_SPREAD * ndtri(np.clip(quantile, 0.004, 0.996)))
    female = bool(u[2] < FEMALE_SHARE)
    height = float(np.clip((163 if female else 176) + 6.5 * z[0], 145, 200))
    over = bmi - 18
    size = (height / 172) ** 0.75
    return Body(
        sex="F" if female else "M",
        height=height,
        bmi=float(bmi),
        heavy=heavy,
        effusion=bool(u[3] < effusion_share),
        fat=float((3 + (1.25 if female else 1.05) * over) * np.exp(0.15 * z[1])),
        epicardial=float((1.2 + 0.17 * over) * np.exp(0.25 * z[2])),
        place=(float(9 + 6 * plan[0]), float(-4 + 6 * plan[1])),
        turn=float(np.clip(8 * plan[2], -18, 18)),
        chest=float(np.clip(126 + 10 * z[6], 104, 148)),
        depth=float((57 + 0.5 * (bmi - 25) + 6 * z[7]) * size),
        diaphragm=float((42 + 3.5 * z[8] - 0.25 * (bmi - 25)) * size),
        liver_edge=float(8 + 16 * z[9] + 1.4 * (bmi - 25)),
        seed=tuple(seed),
    )
