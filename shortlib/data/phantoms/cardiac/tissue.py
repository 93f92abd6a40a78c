"""Signal of tissues in balanced steady-state free precession (bSSFP) cine imaging."""

import numpy as np

# T1 and T2 in ms at 1.5 T and 3 T and proton density relative to water. Relaxation
# times: Stanisz et al. 2005 (blood, myocardium, muscle, liver), de Bazelaire et al.
# 2004 (spleen, fat, marrow); fluid and lung are rounded textbook values.
RELAXATION = {
    "blood": ((1441, 290), (1932, 275), 0.92),
    "myocardium": ((1030, 40), (1471, 47), 0.85),
    "muscle": ((1008, 44), (1412, 50), 0.80),
    "liver": ((576, 46), (812, 42), 0.80),
    "spleen": ((1057, 79), (1328, 61), 0.85),
    "fat": ((343, 58), (382, 68), 0.95),
    "marrow": ((549, 49), (586, 49), 0.75),
    "fluid": ((3000, 1100), (3800, 1100), 1.00),
    "lung": ((1171, 41), (1397, 38), 0.17),
    "cortex": ((300, 1.0), (300, 1.0), 0.20),
}
FIELDS = (1.5, 3.0)
FLIP = {1.5: 60.0, 3.0: 45.0}  # degrees; the power that tissue may absorb limits it at 3 T


def bssfp_signal(t1, t2, flip, density=1.0):
    """Return the steady-state signal for a repetition time far below T1 and T2.

    Parameters
    ----------
    t1, t2 : float or numpy.ndarray
        Relaxation times, in the same unit; only their ratio counts.
    flip : float
        Flip angle in degrees.
    density : float or numpy.ndarray
        Proton density, 1 for water.

    Returns
    -------
    float or numpy.ndarray
        Fraction of the equilibrium magnetisation, at most 0.5 for ``t1 == t2``.

    References
    ----------
    Scheffler and Lehnhardt (2003), European Radiology 13, the limit TR << T2.
    """
    ratio, angle = t1 / t2, np.deg2rad(flip)
    return density * np.sin(angle) / ((ratio + 1) - np.cos(angle) * (ratio - 1))


def tissue_signals(field):
    """Return the signal of every tissue, with blood at 1.

    Parameters
    ----------
    field : float
        1.5 or 3.0 tesla.

    Returns
    -------
    dict of str to float

    Raises
    ------
    ValueError
        If `field` is neither.
    """
    if field not in FIELDS:
        raise ValueError(f"field is one of {FIELDS} tesla, got {field}")
    place = FIELDS.index(field)
    signals = {
        name: float(bssfp_signal(*entry[place], FLIP[field], entry[2]))
        for name, entry in RELAXATION.items()
    }
    return {name: value / signals["blood"] for name, value in signals.items()}
