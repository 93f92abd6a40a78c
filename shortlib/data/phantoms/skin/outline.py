"""The outline of a lesion: where it lies, how large it is, and how its border ends."""

from dataclasses import dataclass

import cv2
import numpy as np

from shortlib.data.phantoms.skin.noise import grid, smoothstep

# One look-up table has room for as many directions as there are bytes.
_ANGLES = 256
# Smallest and largest share of the image that a lesion's ellipse may cover.
_SHARE = (0.035, 0.62)


@dataclass(frozen=True)
class Place:
    """Where a lesion lies; image coordinates run from -1 to 1.

    Parameters
    ----------
    x, y : float
        Centre.
    radius : float
        Of the disc with the lesion's area.
    axis : float
        Direction of the long axis, in radians.
    stretch : float
        Long axis over short axis, 1 or more.
    """

    x: float
    y: float
    radius: float
    axis: float
    stretch: float

    def at(self, distance, angle):
        """Return the point at `distance` (1 is the border) and `angle` from the long axis."""
        u = distance * self.radius * np.sqrt(self.stretch) * np.cos(angle)
        v = distance * self.radius / np.sqrt(self.stretch) * np.sin(angle)
        return (
            self.x + u * np.cos(self.axis) - v * np.sin(self.axis),
            self.y + u * np.sin(self.axis) + v * np.cos(self.axis),
        )


@dataclass(frozen=True)
class Outline:
    """A lesion's outline on the pixels.

    Parameters
    ----------
    depth : numpy.ndarray of float32, shape (h, w)
        1 at the centre, 0 on the outline, below 0 outside.
    cover : numpy.ndarray of float32, shape (h, w)
        How much of the lesion's pigment is there, in [0, 1].
    mask : numpy.ndarray of bool, shape (h, w)
        True inside the smooth line that a reader would draw round the lesion.
    reach : numpy.ndarray of float, shape (256,)
        Distance of the outline from the centre in each direction, as a multiple
        of the ellipse's.
    """

    depth: np.ndarray
    cover: np.ndarray
    mask: np.ndarray
    reach: np.ndarray


def draw_place(rng, severity):
    """Draw a lesion's place; a severe one is on average a little larger.

    The median share of the image is 16% at severity -1 and 21% at +1, about what
    benign lesions and melanomas would have in ISIC 2018 if those that fill the frame
    were left out.
    """
    share = np.exp(np.log(0.185) + 0.13 * np.clip(severity, -2, 2) + 0.55 * rng.standard_normal())
    radius = float(np.sqrt(np.clip(share, *_SHARE) * 4 / np.pi))
    room = min(0.32, max(0.04, 0.75 - radius))
    x, y = np.clip(rng.normal(0, 0.11, 2), -room, room)
    return Place(float(x), float(y), radius, rng.uniform(0, np.pi), rng.uniform(1.0, 1.45))


def draw_outline(rng, place, findings, texture):
    """Draw the outline: symmetric and fading for a mole, lobed and abrupt for a melanoma.

    With asymmetry 0 the radius has even harmonics only, so both axes mirror it; with 1
    odd ones in phase with the long axis, which alone mirrors it; with 2 odd ones
    at any phase. In `findings.border` of the eight sectors the border is notched and
    ends within a few pixels; elsewhere it fades.

    Parameters
    ----------
    rng : numpy.random.Generator
    place : Place
    findings : shortlib.data.phantoms.skin.severity.Findings
    texture : numpy.ndarray of float32, shape (h, w)
        Noise that frays the border.

    Returns
    -------
    Outline
    """
    angle = np.arange(_ANGLES) * (2 * np.pi / _ANGLES)
    abrupt = _sectors(rng, findings.border, angle)
    reach = 1 + rng.uniform(-0.04, 0.04) * np.cos(4 * angle)
    amount = (0.0, 0.13, 0.17)[findings.asymmetry] * rng.uniform(0.75, 1.35)
    strength = rng.dirichlet((1.2, 1.2, 0.8)) * rng.choice((-1, 1), 3)
    phases = rng.uniform(0, 2 * np.pi, 3) * (findings.asymmetry > 1)
    for order, weight, phase in zip((2, 3, 5), strength, phases, strict=True):
        if findings.asymmetry == 1 and order == 2:
            order = 1
        reach += 1.5 * amount * weight * np.cos(order * angle + phase)
    reach += 0.055 * abrupt * _notches(rng, angle)
    fade = rng.uniform(0.15, 0.48)
    width = fade + abrupt * (0.09 - fade)
    fray = 0.04 + 0.02 * abrupt

    x, y = grid(texture.shape[0])
    c, s = np.float32(np.cos(place.axis)), np.float32(np.sin(place.axis))
    dx, dy = x - np.float32(place.x), y - np.float32(place.y)
    long = np.float32(1 / (place.radius * np.sqrt(place.stretch)))
    short = np.float32(np.sqrt(place.stretch) / place.radius)
    u, v = (c * dx + s * dy) * long, (c * dy - s * dx) * short
    distance, degrees = cv2.cartToPolar(u, v, angleInDegrees=True)
    turn = cv2.convertScaleAbs(degrees, alpha=_ANGLES / 360)
    inverse, sharpness, fray = (
        cv2.LUT(turn, table.astype(np.float32)[None])
        for table in (1 / np.clip(reach, 0.35, 2), 1 / width, fray)
    )
    depth = 1 - distance * inverse
    smooth = depth + 0.5 * fray * texture
    cover = smoothstep((depth + 1.6 * fray * texture) * sharpness, -0.5, 0.5)
    side = max(3, texture.shape[0] // 32 * 2 + 1)
    mask = cv2.GaussianBlur(smooth, (side, side), 0) > 0
    return Outline(depth, cover, mask, reach)


def _sectors(rng, count, angle):
    """1 in `count` of the eight sectors of the border and 0 in the others, joined smoothly."""
    chosen = np.zeros(8)
    # Abrupt sectors lie side by side more often than not.
    chosen[(rng.integers(8) + np.arange(count)) % 8] = 1
    if count and rng.random() < 0.4:
        chosen = rng.permutation(chosen)
    table = np.repeat(chosen, _ANGLES // 8)
    kernel = np.ones(15) / 15
    return np.convolve(np.r_[table[-7:], table, table[:7]], kernel, mode="valid")


def _notches(rng, angle):
    """Scallops of the border: random harmonics of order 6 to 16, standard deviation 1."""
    orders = np.arange(6, 17)
    phases = rng.uniform(0, 2 * np.pi, len(orders))
    weights = rng.standard_normal(len(orders)) * (10 / orders)
    table = np.cos(np.outer(angle, orders) + phases) @ weights
    return table / max(table.std(), 1e-6)
