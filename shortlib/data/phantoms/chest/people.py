"""Build of one patient, and how one image of them is taken."""

import math

import numpy as np

from shortlib.data.phantoms.chest.anatomy import Person
from shortlib.data.phantoms.chest.exposure import SOFT, Exposure


def build(lasting, passing, *, adult, female, view):
    """Draw a person as they stand or lie in front of the detector.

    Parameters
    ----------
    lasting : numpy.random.Generator
        Draws what stays the same in every image of a patient.
    passing : numpy.random.Generator
        Draws what changes from image to image: breath, rotation, position.
    adult, female : bool
    view : str
        ``"PA"`` or ``"AP"``.

    Returns
    -------
    shortlib.data.phantoms.chest.anatomy.Person
    """
    # Plain floats: a numpy scalar would turn every picture that it scales into doubles.
    g = np.clip(lasting.standard_normal(16), -2.2, 2.2).tolist()
    old = float(lasting.random())
    z = np.clip(passing.standard_normal(12), -2.2, 2.2).tolist()
    raised = float(passing.random())
    ap = view == "AP"
    if adult:
        age = float(np.clip(np.round(56 + 17 * g[0]), 18, 92))
        width = (12.5 if female else 13.6) + 0.75 * g[1]
        height = (21.4 if female else 23.2) + 1.2 * g[2]
        fat = 2.0 * math.exp(0.32 * g[3])
        thick = 20.5 + 1.5 * (fat - 2) + 1.0 * g[4]
        arms = 0.08 * raised
        ctr = 0.44 + 0.026 * g[5] + 0.0007 * (age - 56)
        bones = 1.0 - 0.005 * max(age - 50, 0) + 0.08 * g[6]
        rib_drop, rib_gap = 1.0 + 0.09 * g[8], 1.0 + 0.03 * g[9]
        knob = 3.15 + 0.014 * (age - 50) + 0.25 * g[7]
        thymus = 0.0
        wall = 2.4 + 0.45 * fat
    else:
        age = float(np.round(1 + 12 * old**1.2, 1))
        width = 7.0 + 0.36 * age + 0.3 * g[1]
        height = width * (1.42 + 0.014 * age + 0.06 * g[2])
        fat = 1.1 * math.exp(0.3 * g[3])
        thick = width * (1.42 + 0.05 * g[4]) + fat
        arms = 0.12 + 0.75 * raised**1.3
        ctr = 0.49 - 0.004 * age + 0.024 * g[5]
        bones = 0.62 + 0.015 * age + 0.05 * g[6]
        rib_drop, rib_gap = 0.55 + 0.022 * age + 0.06 * g[8], 1.02 + 0.03 * g[9]
        knob = 2.6 + 0.15 * g[7]
        thymus = max(0.0, 1.3 - 0.33 * age) * (1 + 0.3 * g[10])
        wall = (2.2 + 0.8 * fat) * width / 13.5
    breath = 0.035 + 0.03 * z[0] + 0.05 * ap
    right = height * (1 - breath)
    left = right + height * (0.055 + 0.017 * z[1] + 0.008 * g[11])
    return Person(
        adult=adult,
        female=female,
        age=age,
        width=width,
        height=height,
        rib_drop=rib_drop,
        rib_gap=rib_gap,
        fat=fat,
        wall=wall,
        thick=thick,
        ctr=ctr * (1.07 if ap and adult else 1.0) + 0.008 * z[2] + 0.12 * max(0.0, breath - 0.04),
        bones=bones,
        knob=knob,
        breast=(0.55 + 0.45 * old + 0.12 * (fat - 2)) * (female and (adult or age > 12)),
        flat=float(np.clip(0.05 + 0.1 * g[12], 0, 0.3)),
        thymus=thymus,
        domes=(right, left),
        lean=(0.6 if ap else 0.3) * z[3],
        arms=float(np.clip(arms + 0.03 * z[4], 0, 1)),
        scapula=float(np.clip((1.6 if ap else 0.3) + 0.45 * z[5], -0.4, 2.4)),
        clavicle=(1.2 if ap else 0.0) + 0.4 * z[6],
        heart_tilt=float(g[13]) * 0.4,
        vessels=(0.92 * math.exp(0.14 * g[14] + 0.12 * ap), 1.0 * math.exp(0.14 * g[15])),
    )


def exposure(rng, person, view):
    """Draw how one image is exposed and displayed.

    Returns
    -------
    shortlib.data.phantoms.chest.exposure.Exposure
    """
    z = np.clip(rng.standard_normal(9), -2.2, 2.2).tolist()
    ap = view == "AP"
    hardness = 1.0 + 0.04 * z[0]
    scatter = (0.55 if ap else 0.32) * math.exp(0.3 * z[1])
    # The window is set for the patient's thickness, as automatic exposure does it: from what a
    # healthy lung and the belly would show, never from the image itself.
    lung = 0.32 * person.thick + 0.81 * person.wall
    belly = 1.06 * person.thick
    through = np.exp(-hardness * SOFT * np.array([lung, belly]))
    darker, brighter = -np.log(through + 0.004 + 0.3 * scatter * through[0])
    return Exposure(
        hardness=hardness,
        scatter=scatter,
        dose=(7.0 if ap else 10.0) * math.exp(0.4 * z[2]),
        grain=0.006 * math.exp(0.35 * z[3]),
        dark=float(darker) - 0.95 + 0.13 * z[4],
        bright=float(brighter) + 0.45 + 0.13 * z[5],
        gamma=math.exp(0.14 * z[6]),
        flatten=float(np.clip(0.22 + 0.12 * z[7], 0, 0.5)),
        sharpen=float(np.clip(0.5 + 0.3 * z[8], 0, 1.2)),
        blur=0.05 if not ap else 0.07,
    )


def framing(rng, person):
    """Draw the detector's side, the patient's point at its middle, and the rotation.

    Returns
    -------
    field : float
        In cm.
    centre : tuple of float
        In cm.
    turn : float
        In radians.
    """
    z = np.clip(rng.standard_normal(4), -2.0, 2.0).tolist()
    u, h = person.unit, person.height
    field = (36.6 if person.adult else 38.0) * u * (1 + 0.04 * z[0])
    field = max(field, 1.42 * h)
    centre = (0.8 * u * z[1], 0.545 * h - (0.0 if person.adult else 0.05 * h) + 0.9 * u * z[2])
    return float(field), centre, float(np.deg2rad(1.6 * z[3]))
