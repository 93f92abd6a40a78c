"""Dermoscopic structures: pigment network, globules, dots, streaks and vessels."""

import cv2
import numpy as np

from shortlib.data.phantoms.skin.noise import smoothstep

# Positions are given to OpenCV in 1/16 of a pixel.
_SHIFT = 4


def network(rng, size, mesh, irregularity, coarse):
    """Draw a pigment network: the ridges between the cells of a jittered honeycomb.

    Parameters
    ----------
    rng : numpy.random.Generator
    size : int
        Side of the image, in pixels.
    mesh : float
        Distance between neighbouring holes, as a share of the side.
    irregularity : float
        0 (typical: even meshes, thin lines) to 1 (atypical: uneven meshes, thick
        and broken lines).
    coarse : numpy.ndarray of float32, shape (h, w)
        Noise that thickens and breaks the lines.

    Returns
    -------
    numpy.ndarray of float32, shape (h, w)
        1 on the lines, 0 in the holes.
    """
    # Twice the pixels, so that holes of three pixels are still round.
    side = 2 * size
    pitch = mesh * side
    rows = int(side / (0.87 * pitch)) + 2
    columns = int(side / pitch) + 3
    points = np.mgrid[:rows, :columns].reshape(2, -1).T * (0.87 * pitch, pitch)
    points[:, 1] -= (np.arange(len(points)) // columns % 2) * 0.5 * pitch
    points += rng.normal(0, (0.14 + 0.14 * irregularity) * pitch, points.shape)
    points = points.astype(int)
    inside = ((points >= 0) & (points < side)).all(axis=1)
    holes = np.full((side, side), 255, np.uint8)
    holes[points[inside, 0], points[inside, 1]] = 0
    distance = cv2.distanceTransform(holes, cv2.DIST_L2, 3)
    distance = cv2.resize(distance, (size, size), interpolation=cv2.INTER_AREA)
    level = 0.34 - irregularity * np.float32(0.10) * coarse
    lines = smoothstep(distance * np.float32(1 / pitch) - level, -0.12, 0.18)
    if irregularity > 0.3:
        lines *= smoothstep(coarse, -1.6, -0.2)
    return lines


def spots(rng, size, place, count, radii, spread, centre):
    """Draw round clods: globules or dots.

    Parameters
    ----------
    rng : numpy.random.Generator
    size : int
        Side of the image, in pixels.
    place : shortlib.data.phantoms.skin.outline.Place
    count : int
    radii : tuple of float
        Smallest and largest radius, as a share of the side.
    spread : float
        Radius, in units of the lesion's, of the disc that they fill.
    centre : tuple of float
        Distance and angle of that disc's centre; see `Place.at`.

    Returns
    -------
    numpy.ndarray of float32, shape (h, w)
        1 on the clods, 0 elsewhere.
    """
    canvas = np.zeros((size, size), np.uint8)
    distance = spread * np.sqrt(rng.random(count))
    angle = rng.uniform(0, 2 * np.pi, count)
    dx, dy = centre[0] * np.cos(centre[1]), centre[0] * np.sin(centre[1])
    u, v = distance * np.cos(angle) + dx, distance * np.sin(angle) + dy
    x, y = place.at(np.hypot(u, v), np.arctan2(v, u))
    radius = rng.uniform(*radii, count) * size
    points = np.stack([(x + 1) * size / 2, (y + 1) * size / 2, radius], axis=1)
    for px, py, r in np.rint(points * 2**_SHIFT).astype(int).tolist():
        cv2.circle(canvas, (px, py), r, 255, -1, cv2.LINE_AA, _SHIFT)
    return canvas.astype(np.float32) * np.float32(1 / 255)


def streaks(rng, size, place, reach, irregularity):
    """Draw streaks: lines, some with a bulb at the end, that leave the border radially.

    Regular ones run round the whole border, irregular ones leave one side of it.

    Parameters
    ----------
    rng : numpy.random.Generator
    size : int
    place : shortlib.data.phantoms.skin.outline.Place
    reach : numpy.ndarray of float, shape (256,)
        See `shortlib.data.phantoms.skin.outline.Outline`.
    irregularity : float
        In [0, 1].

    Returns
    -------
    numpy.ndarray of float32, shape (h, w)
        1 on the streaks, 0 elsewhere.
    """
    canvas = np.zeros((size, size), np.uint8)
    arc = 2 * np.pi if rng.random() > irregularity else rng.uniform(1.2, 3.0)
    count = int(arc * rng.uniform(2.5, 6.5))
    angle = rng.uniform(0, 2 * np.pi) + np.linspace(0, arc, count, endpoint=False)
    angle += rng.normal(0, 0.06 + 0.1 * irregularity, count)
    border = np.take(reach, np.rint(angle / (2 * np.pi) * len(reach)).astype(int) % len(reach))
    length = (0.01 + rng.gamma(1.5, 0.03, count)) * (1 + 0.7 * irregularity)
    inner = np.stack(place.at(border * 0.93, angle), axis=1)
    outer = np.stack(place.at(border * (1.0 + length), angle + rng.normal(0, 0.04, count)), axis=1)
    inner, outer = (np.rint((p + 1) * size / 2 * 2**_SHIFT).astype(int) for p in (inner, outer))
    thick = max(1, round(size / 128))
    bulb = int(size * 0.006 * 2**_SHIFT)
    ends = rng.random(count) < 0.4
    for a, b, end in zip(inner.tolist(), outer.tolist(), ends, strict=True):
        cv2.line(canvas, a, b, 255, thick, cv2.LINE_AA, _SHIFT)
        if end:
            cv2.circle(canvas, b, bulb, 255, -1, cv2.LINE_AA, _SHIFT)
    canvas = cv2.GaussianBlur(canvas, (0, 0), size / 256)
    return canvas.astype(np.float32) * np.float32(1 / 255)


def vessels(rng, size, place, count):
    """Draw fine branching vessels in and about a lesion.

    Returns
    -------
    numpy.ndarray of float32, shape (h, w)
        1 on the vessels, 0 elsewhere.
    """
    canvas = np.zeros((size, size), np.uint8)
    step = size * 0.02
    for _ in range(count):
        x, y = place.at(1.05 * np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi))
        turns = rng.normal(0, 0.5, int(rng.integers(5, 14))).cumsum() + rng.uniform(0, 2 * np.pi)
        path = np.stack([np.cos(turns), np.sin(turns)], axis=1).cumsum(axis=0) * step
        path += ((x + 1) * size / 2, (y + 1) * size / 2)
        points = np.rint(path * 2**_SHIFT).astype(np.int32)
        cv2.polylines(canvas, [points], False, 150, 1, cv2.LINE_AA, _SHIFT)
    return canvas.astype(np.float32) * np.float32(1 / 255)
