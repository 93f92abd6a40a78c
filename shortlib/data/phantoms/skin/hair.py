"""Hair over the lesion: long curved hairs, or the stubble of a shaved site."""

import cv2
import numpy as np

# Dark brown, black, blond, grey.
_COLOURS = np.array([(46, 30, 24), (22, 20, 22), (140, 100, 62), (150, 144, 138)], np.float32)
_SHARES = (0.45, 0.35, 0.14, 0.06)
_SHIFT = 4


def draw_hair(rng, canvas, place):
    """Draw hairs.

    Long hairs are quadratic curves that share a direction of growth loosely; their
    width is half a pixel to two pixels at 128 px. Stubble is short and straight.

    Parameters
    ----------
    rng : numpy.random.Generator
    canvas : numpy.ndarray of float32, shape (3, h, w)
        The picture so far, in [0, 255].
    place : shortlib.data.phantoms.skin.outline.Place
        Not used: hair grows anywhere.

    Returns
    -------
    alpha : numpy.ndarray of float32, shape (h, w)
        Opacity in [0, 1].
    colour : numpy.ndarray of float32, shape (3, 1, 1)
    """
    size = canvas.shape[1]
    side = 2 * size
    layer = np.zeros((side, side), np.uint8)
    growth = rng.uniform(0, 2 * np.pi)
    stubble = rng.random() < 0.25
    count = int(rng.integers(12, 40)) if stubble else 2 + int(rng.geometric(0.16))
    thick = rng.uniform(0.45, 1.2)
    for _ in range(min(count, 40)):
        heading = growth + rng.normal(0, 0.35 if rng.random() < 0.8 else 1.5)
        length = rng.uniform(0.05, 0.14) if stubble else rng.uniform(0.4, 1.9)
        middle = rng.uniform(-0.95, 0.95, 2)
        bend = rng.normal(0, 0.04 if stubble else 0.16) * length
        points = _curve(middle, heading, length, bend)
        width = max(1, round(thick * rng.uniform(0.6, 1.4) * side / 128 * 0.75))
        shade = int(255 * rng.uniform(0.6, 1.0))
        points = np.rint((points + 1) * side / 2 * 2**_SHIFT).astype(np.int32)
        # A hair thins towards its tip.
        cut = len(points) * 2 // 3
        parts = ((points[: cut + 1], width), (points[cut:], max(1, width - 1)))
        for part, broad in parts:
            cv2.polylines(layer, [part], False, shade, broad, cv2.LINE_AA, _SHIFT)
    alpha = cv2.resize(layer, (size, size), interpolation=cv2.INTER_AREA)
    colour = _COLOURS[rng.choice(len(_COLOURS), p=_SHARES)][:, None, None]
    return alpha.astype(np.float32) * np.float32(0.95 / 255), colour


_T = np.linspace(-0.5, 0.5, 13)


def _curve(middle, heading, length, bend):
    """Points along a parabola through `middle`."""
    along, across = _T * length, (0.25 - _T**2) * 4 * bend
    c, s = np.cos(heading), np.sin(heading)
    return np.stack(
        [middle[0] + c * along - s * across, middle[1] + s * along + c * across], axis=1
    )
