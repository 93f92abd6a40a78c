"""Which pixels of a slice show the disease."""

import numpy as np

from shortlib.data.phantoms.cardiac.geometry import apart, bump_weight, scar_weight


def finding(patient, masks, shape, grid, systole, position):
    """Return the pixels that show the disease of a heart.

    Dilated cavity (NICM, DCM), infarcted wall (ICM, MINF), all of the muscle of both
    ventricles (AMYL), the thickened part of the wall (HCM), the right cavity and the
    septum that it flattens (RV). A normal heart has none.

    Parameters
    ----------
    patient : Patient
    masks : dict of str to numpy.ndarray
        As :func:`shortlib.data.phantoms.cardiac.painting.paint` returns.
    shape : Contours
    grid : Grid
    systole : float
        0 at end-diastole, 1 at end-systole.
    position : float
        Distance of the slice from the base at end-diastole, mm.

    Returns
    -------
    numpy.ndarray of bool, shape (h, w)
    """
    kind, heart = patient.shown, patient.heart
    moved = heart.shortening * heart.length * systole
    z = [(position - moved) / (heart.length - moved)]
    wall = masks["myocardium"]
    if kind in ("NICM", "DCM"):
        return masks["LV"].copy()
    if kind in ("ICM", "MINF"):
        return wall & (scar_weight(heart, z)[0] > 0.5)[grid.index]
    if kind == "AMYL":
        return wall | ((grid.inside(shape.rv_epi) >= 0.5) & ~masks["RV"] & ~masks["LV"])
    if kind == "HCM":
        extra = heart.bump[2] * bump_weight(heart, z)[0]
        return wall & (extra > 0.5 * extra.max())[grid.index]
    if kind == "RV":
        return masks["RV"] | (wall & (apart(180.0) < 40)[grid.index])
    return np.zeros(grid.size, bool)
