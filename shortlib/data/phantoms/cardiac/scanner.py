"""Two scanners: field, coils, resolution and noise, from tissue to the stored image."""

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Scanner:
    """What an acquisition does to the signal of tissue.

    Parameters
    ----------
    name : str
    field : float
        Tesla; decides the contrast, see :mod:`tissue`.
    spacing : tuple of float
        Smallest and largest acquired pixel, mm; the finest detail follows from it.
    noise : float
        Standard deviation of each of the two channels, blood being 1, where the
        coils are as sensitive as at the heart.
    falloff : float
        Distance in mm over which the sensitivity of a coil halves.
    uniform : float
        Share of the coils' shading that the scanner removes.
    banding : float
        Depth of dark bands where the field is off resonance.
    window : float
        Share of pixels that are brighter than the stored range, in percent.
    """

    name: str
    field: float
    spacing: tuple
    noise: float
    falloff: float
    uniform: float
    banding: float
    window: float


SCANNERS = {
    "A": Scanner("A", 1.5, (1.3, 1.6), 0.022, 75.0, 0.15, 0.0, 0.4),
    "B": Scanner("B", 3.0, (1.45, 1.8), 0.036, 62.0, 0.50, 0.5, 1.2),
}


def shading(scanner, size, spacing, chest, rng):
    """Return the sensitivity of the coils over an image, 1 near its centre.

    Parameters
    ----------
    scanner : Scanner
    size : tuple of int
        Height and width in pixels.
    spacing : float
        Of a pixel, mm.
    chest : float
        Angle of the anterior chest wall, degrees; coils lie in front of it and behind
        the back.
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray of float32, shape (height, width)
    """
    coarse = 24
    height, width = size
    y = ((np.arange(coarse) + 0.5) / coarse - 0.5)[:, None] * height * spacing
    x = ((np.arange(coarse) + 0.5) / coarse - 0.5)[None, :] * width * spacing
    angle = np.deg2rad(chest + rng.normal(0, 6))
    front = np.array([np.cos(angle), -np.sin(angle)])
    along = np.array([-front[1], front[0]])
    places = [105 * front + 60 * along, 105 * front - 60 * along]
    places += [-140 * front + 50 * along, -140 * front - 50 * along]
    total = np.zeros((coarse, coarse))
    for place, gain in zip(places, (1.0, 1.0, 0.9, 0.9), strict=True):
        gain = gain * np.exp(rng.normal(0, 0.15))
        far = np.hypot(x - place[0], y - place[1])
        total += gain**2 / (1 + (far / scanner.falloff) ** 2) ** 2
    total = np.sqrt(total)
    total = (total / total[coarse // 2, coarse // 2]) ** (1 - scanner.uniform)
    return cv2.resize(total.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)


def bands(scanner, size, spacing, rng):
    """Return the factor by which off-resonance darkens an image, or None.

    A dark band lies where the phase that builds up in one repetition nears pi.
    """
    height, width = size
    angle, offset, depth = rng.uniform(0, np.pi), rng.normal(0, 20), rng.random()
    if not scanner.banding:
        return None
    y = ((np.arange(24) + 0.5) / 24 - 0.5)[:, None] * height * spacing
    x = ((np.arange(24) + 0.5) / 24 - 0.5)[None, :] * width * spacing
    phase = 2.0 * (x * np.cos(angle) + y * np.sin(angle) + offset) / 90.0
    # The shim is best at the heart, so the bands bend away from it.
    phase = phase + 0.5 * np.sign(phase) * ((x**2 + y**2) / 90.0**2)
    dip = np.exp(-0.5 * ((np.abs(phase) - np.pi) / 0.35) ** 2)
    factor = (1 - scanner.banding * depth * dip).astype(np.float32)
    return cv2.resize(factor, (width, height), interpolation=cv2.INTER_CUBIC)


def acquire(scene, gain, scanner, blur, spacing, rng):
    """Return the magnitude image of a scene.

    Fat and water precess apart, and at the echo of a bSSFP sequence they are in
    opposition: a pixel that holds both is dark, which draws the fine black line
    around every organ that lies in fat.

    Parameters
    ----------
    scene : numpy.ndarray of float32, shape (h, w)
        Signal of water minus that of fat, blood being 1.
    gain : numpy.ndarray of float32, shape (h, w)
        Sensitivity.
    scanner : Scanner
    blur : float
        Standard deviation of the point spread, in pixels.
    spacing : float
        Of a pixel, mm; larger ones average more noise away.
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray of float32, shape (h, w)
        With Rician noise.
    """
    signal = cv2.GaussianBlur(scene, (0, 0), blur) * gain
    noise = rng.standard_normal((2, *signal.shape), dtype=np.float32)
    # Stored images are interpolated from fewer samples, so noise is not quite white;
    # 1.6 makes up for what the smoothing takes away.
    deviation = 1.6 * scanner.noise * float(np.clip(1.5 / spacing, 0.5, 1.25))
    first, second = (deviation * cv2.GaussianBlur(part, (3, 3), 0.55) for part in noise)
    return cv2.magnitude(signal + first, second)


def window_top(images, scanner):
    """Return the signal that is stored as the brightest value of a patient's images."""
    sample = images.reshape(-1)[::3]
    place = int(len(sample) * (1 - scanner.window / 100))
    return float(np.partition(sample, place)[place])


def store(images, scanner):
    """Return images of one patient as ``uint8``, scaled together.

    Parameters
    ----------
    images : numpy.ndarray of float32, shape (k, h, w)
    scanner : Scanner

    Returns
    -------
    numpy.ndarray of uint8, shape (k, h, w)
    """
    scaled = images * np.float32(255.0 / window_top(images, scanner)) + np.float32(0.5)
    return np.minimum(scaled, 255).astype(np.uint8)
