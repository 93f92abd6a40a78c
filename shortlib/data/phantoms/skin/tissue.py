"""Skin as light sees it: melanin and blood that absorb, and the camera that looks on."""

from dataclasses import dataclass

import cv2
import numpy as np

from shortlib.data.phantoms.skin.noise import fractal, grid, smoothstep

# Absorption of one unit of melanin, blood and carbon-black pigment in red, green and blue.
# Melanin's is the ratio of the logarithms of lesion to skin in ISIC 2018: medians 160, 108,
# 86 inside the masks of benign lesions and 195, 165, 155 outside.
MELANIN = np.array([0.33, 0.72, 1.00], np.float32)
BLOOD = np.array([0.10, 1.00, 0.78], np.float32)
DENSE = np.array([1.00, 0.92, 0.88], np.float32)
ABSORPTION = np.stack([MELANIN, BLOOD, DENSE])

# Light that comes back from skin without any pigment, in [0, 255].
PALE = np.array([246.0, 242.0, 238.0], np.float32)

# Minus the absorption and plus the logarithm of what comes back without any.
_TO_LIGHT = np.concatenate([-ABSORPTION.T, np.log(PALE)[:, None]], axis=1)

# Melanin of skin of Fitzpatrick type 1 to 6, and how many of each: dermoscopy archives
# hold few dark skins.
SKIN_TYPES = (0.06, 0.13, 0.22, 0.38, 0.65, 1.0)
SKIN_TYPE_SHARES = (0.16, 0.40, 0.29, 0.10, 0.04, 0.01)


@dataclass
class Tissue:
    """What absorbs in each pixel.

    Parameters
    ----------
    melanin, blood, dense : numpy.ndarray of float32, shape (h, w)
        Optical depths; `dense` is melanin so thick that it looks black.
    """

    melanin: np.ndarray
    blood: np.ndarray
    dense: np.ndarray

    def light(self):
        """Return what comes back, shape (h, w, 3), float32 in [0, 255] (Beer-Lambert)."""
        depths = cv2.merge([self.melanin, self.blood, self.dense])
        return cv2.exp(cv2.transform(depths, _TO_LIGHT))


def draw_skin(rng, size, skin_type, tone):
    """Draw healthy skin: mottled, with lines, pores, fine vessels and at times freckles.

    Parameters
    ----------
    rng : numpy.random.Generator
    size : int
    skin_type : int
        Fitzpatrick type, 1 to 6.
    tone : float
        Standard normal: paler or darker than the type's middle, and how red.

    Returns
    -------
    Tissue
    """
    coarse = fractal(rng, size, channels=4, first=3, octaves=3, gain=0.7)
    fine = fractal(rng, size, channels=3, first=32, octaves=2, gain=0.9)
    melanin_noise, blood_noise, bend, freckle_noise = cv2.split(coarse)
    grain, capillaries, pores = cv2.split(fine)
    melanin = np.float32(SKIN_TYPES[skin_type - 1] * np.exp(0.2 * tone))
    blood = np.float32(np.clip(0.10 + 0.02 * tone + rng.normal(0, 0.035), 0.02, 0.35))

    pigment = melanin * (1 + 0.10 * melanin_noise + 0.10 * grain) + _lines(rng, size, bend)
    pigment += rng.uniform(0.02, 0.07) * smoothstep(pores, 1.7, 2.6)
    if rng.random() < 0.22:
        freckles = smoothstep(freckle_noise + 0.3 * grain, 0.7, 2.8)
        pigment += rng.uniform(0.08, 0.3) * freckles
    flush = rng.uniform(0.06, 0.22) * blood_noise + rng.uniform(0.02, 0.13) * capillaries
    blood_map = blood * cv2.exp(flush)
    # A capillary plexus shows as thin red ridges where the noise crosses zero.
    if rng.random() < 0.35:
        ridge = 1 - smoothstep(np.abs(capillaries + 0.4 * blood_noise), 0, 0.35)
        blood_map += rng.uniform(0.02, 0.07) * ridge * smoothstep(blood_noise, -0.3, 1.2)
    return Tissue(pigment, blood_map, np.zeros((size, size), np.float32))


def _lines(rng, size, bend):
    """Criss-cross furrows of the skin, two families of wavy parallel lines."""
    x, y = grid(size)
    total = np.zeros((size, size), np.float32)
    heading = rng.uniform(0, np.pi)
    for turn in (0, rng.uniform(0.7, 1.4)):
        c, s = np.cos(heading + turn), np.sin(heading + turn)
        pitch = np.float32(rng.uniform(50, 95))
        wave = (x * np.float32(c) + y * np.float32(s) + np.float32(0.035) * bend) * pitch
        total += np.float32(rng.uniform(0.002, 0.015)) * np.sin(wave)
    return total


def photograph(rng, light, dial=1.0):
    """Take the picture: focus, light that falls off, white balance, exposure and contrast.

    Parameters
    ----------
    rng : numpy.random.Generator
    light : numpy.ndarray of float32, shape (h, w, 3)
    dial : float
        Scale of the colour casts; 0 for a neutral camera.

    Returns
    -------
    numpy.ndarray of float32, shape (3, h, w)
        In [0, 255].
    """
    size = light.shape[0]
    blur = rng.uniform(0.25, 0.75) * size / 128
    light = cv2.GaussianBlur(light, (0, 0), blur)
    x, y = grid(size)
    ox, oy = rng.normal(0, 0.25, 2).astype(np.float32)
    fall = np.float32(rng.uniform(0.0, 0.13)) * ((x - ox) ** 2 + (y - oy) ** 2)
    cast = rng.choice(4, p=(0.68, 0.12, 0.12, 0.08))
    gains = np.exp(
        dial
        * (
            np.array([(0, 0, 0), (0.08, -0.16, -0.17), (-0.14, -0.02, 0.08), (0.02, 0.0, -0.16)])[
                cast
            ]
            * rng.uniform(0.4, 1.2)
            + rng.normal(0, 0.03, 3)
        )
    )
    exposure = np.exp(rng.normal(-0.10, 0.13))
    contrast = rng.uniform(0.95, 1.25)
    # Contrast about the middle of skin, so that it does not change the exposure.
    shade = cv2.pow(light * np.float32(1 / 185), contrast)
    falling = 1 - fall
    picture = np.empty((3, size, size), np.float32)
    for plane, gain, shade_of in zip(picture, gains, cv2.split(shade), strict=True):
        np.multiply(shade_of, falling * np.float32(185 * exposure * gain), out=plane)
    return np.minimum(picture, np.float32(255), out=picture)


def sensor(rng, size):
    """Draw the sensor's noise, shape (3, h, w), in grey levels: fine in light, coarse in colour."""
    level = np.float32(rng.uniform(0.8, 3.0))
    grain = rng.standard_normal((size, size), dtype=np.float32)
    grain *= np.float32(0.9) * level
    colour = rng.standard_normal((3, size // 3, size // 3), dtype=np.float32)
    colour *= np.float32(0.6) * level
    return np.stack([cv2.resize(plane, (size, size)) for plane in colour]) + grain
