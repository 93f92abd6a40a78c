"""Smooth random fields, which give skin and pigment their texture."""

from functools import lru_cache

import cv2
import numpy as np


def fractal(rng, size, *, channels=1, first=4, octaves=4, gain=0.6):
    """Draw fields whose detail is the sum of ever finer and weaker grids of noise.

    Parameters
    ----------
    rng : numpy.random.Generator
    size : int
        Side of the fields, in pixels.
    channels : int
        Number of independent fields, 1 to 4.
    first : int
        Cells across the coarsest grid.
    octaves : int
        Number of grids, each with twice the cells of the one before. Grids finer
        than the pixels are left out.
    gain : float
        Weight of each grid relative to the one before.

    Returns
    -------
    numpy.ndarray of float32, shape (size, size, channels), or (size, size) for one channel
        Mean about 0 and standard deviation about 1.
    """
    field, power = None, 0.0
    for octave in range(octaves):
        cells = first * 2**octave
        if octave and cells > size:
            break
        grain = rng.standard_normal((cells + 1, cells + 1, channels), dtype=np.float32)
        grain *= np.float32(gain**octave)
        if field is None:
            field = grain
        else:
            # Doubling a small grid again and again costs less than enlarging each to full size.
            coarse = cv2.resize(field, grain.shape[:2], interpolation=cv2.INTER_CUBIC)
            field = cv2.add(coarse, grain)
        # Interpolation between the points loses some of their variance.
        power += 0.77 * gain ** (2 * octave)
    field = cv2.resize(field, (size, size), interpolation=cv2.INTER_CUBIC)
    return field * np.float32(power**-0.5)


def smoothstep(field, low, high):
    """Return 0 below `low`, 1 above `high` and a smooth rise between; `low` may exceed `high`."""
    t = np.clip((field - np.float32(low)) * np.float32(1 / (high - low)), 0, 1)
    return t * t * (3 - 2 * t)


@lru_cache(maxsize=8)
def grid(size):
    """Return the pixels' ``(x, y)``, each (size, size) float32; the image spans -1 to 1."""
    line = ((np.arange(size, dtype=np.float32) + 0.5) * (2 / size) - 1).astype(np.float32)
    x, y = np.meshgrid(line, line)
    x.flags.writeable = y.flags.writeable = False
    return x, y
