"""From thickness to grey: attenuation, scatter, quantum noise, grain and the display."""

from dataclasses import dataclass

import numpy as np

# Attenuation per cm at the mean energy of a chest tube's beam (120 kV, filtered), after Hubbell
# and Seltzer's tables at 60 to 70 keV: water 0.2, cortical bone 0.5 and more.
SOFT, BONE, METAL = 0.195, 0.5, 6.0
# Density of aerated lung relative to soft tissue.
LUNG = 0.26


@dataclass
class Exposure:
    """How one image was exposed, read out and displayed.

    `hardness` scales attenuation (tube voltage), `scatter` is the scattered
    share of what reaches the detector behind a thin part, `dose` the quanta per
    0.1 cm pixel in thousands, `grain` the detector's own noise, `dark` and
    `bright` the log-attenuations shown black and white, `gamma` the curve
    between, `flatten` how much the broad differences are compressed, `sharpen`
    how much edges are raised, `blur` the unsharpness in cm.
    """

    hardness: float
    scatter: float
    dose: float
    grain: float
    dark: float
    bright: float
    gamma: float
    flatten: float
    sharpen: float
    blur: float


def expose(sheet, soft, bone, metal, exposure, rng):
    """Return the image of what lies between tube and detector.

    Parameters
    ----------
    sheet : shortlib.data.phantoms.chest.sheet.Sheet
    soft, bone, metal : numpy.ndarray of float32, shape (h, w)
        Thickness of soft tissue and of dense bone, in cm; of metal, or None.
    exposure : Exposure
    rng : numpy.random.Generator
        Draws the quanta and the grain, as many numbers whatever is imaged.

    Returns
    -------
    numpy.ndarray of uint8, shape (h, w)
        Dense parts bright, as radiographs are read.

    Notes
    -----
    The primary beam follows Beer and Lambert's law; scatter is the primary,
    blurred widely and less attenuated, added to it; counting noise has the
    variance of the counts. The display takes the logarithm, compresses what is
    broad, raises edges and applies a window, as digital systems do.
    """
    depth = SOFT * np.maximum(soft, 0) + BONE * bone
    depth *= exposure.hardness
    if metal is not None:
        depth += METAL * metal
    primary = np.exp(-depth)
    primary = sheet.blur(primary, exposure.blur)
    spread = sheet.blur(np.minimum(primary, 0.35), 3.5)
    total = primary + exposure.scatter * spread + 0.004
    noise = rng.standard_normal((sheet.size, sheet.size), dtype=np.float32)
    # Quanta per pixel grow with its area; half the exponent keeps grain in sight on small images.
    quanta = 1e3 * exposure.dose * (sheet.pixel / 0.1)
    total += np.sqrt(total * np.float32(1 / quanta)) * noise
    value = -np.log(np.maximum(total, 1e-3))
    value += np.float32(1.6 * exposure.grain) * sheet.clouds(rng, 0.45)
    broad = sheet.blur(np.clip(value, exposure.dark - 0.3, exposure.bright + 0.5), 2.2)
    middle = 0.5 * (exposure.dark + exposure.bright)
    value += exposure.sharpen * (value - sheet.blur(value, 0.45))
    value -= exposure.flatten * (broad - middle)
    shown = (value - exposure.dark) * (1 / (exposure.bright - exposure.dark))
    # A window with soft ends: straight in the middle, never quite black or white inside the body.
    shown = 0.5 + 0.5 * np.tanh(1.9 * (shown - 0.5)) / np.tanh(0.95)
    shown = np.clip(shown, 0, 1) ** exposure.gamma
    return np.rint(shown * 255).astype(np.uint8)
