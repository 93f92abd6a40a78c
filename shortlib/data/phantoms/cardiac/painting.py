"""The heart of one slice and phase, painted over the torso, with its masks."""

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from shortlib.data.phantoms.cardiac.geometry import N_ANGLES, apart

PAPILLARY = (-32.0, 236.0)  # degrees: 4 and 7 o'clock


class Grid:
    """Polar coordinates of the pixels about the axis of the left ventricle.

    Parameters
    ----------
    size : tuple of int
        Height and width, pixels.
    spacing : float
        Of a pixel, mm.
    place : tuple of float
        The axis, mm from the centre of the image.
    """

    def __init__(self, size, spacing, place):
        x = (np.arange(size[1]) - (size[1] - 1) / 2) * spacing - place[0]
        y = (np.arange(size[0]) - (size[0] - 1) / 2) * spacing - place[1]
        x, y = np.meshgrid(x.astype(np.float32), -y.astype(np.float32))
        self.radius, angle = cv2.cartToPolar(x, y, angleInDegrees=True)
        self.index = np.rint(angle * np.float32(N_ANGLES / 360)).astype(np.int32) % N_ANGLES
        self.spacing, self.place, self.size = spacing, place, size

    def inside(self, radii):
        """Return the share of each pixel that lies inside a curve, float32 in [0, 1]."""
        edge = np.take((radii / self.spacing + 0.5).astype(np.float32), self.index)
        edge -= self.radius * np.float32(1 / self.spacing)
        return np.clip(edge, 0, 1, out=edge)


def roughness(seed):
    """Return the depth of the trabeculae at each angle, as a share of the cavity's radius.

    The septum is smooth, the free wall is not.
    """
    rng = np.random.default_rng(seed)
    waves = [
        gaussian_filter1d(rng.standard_normal(N_ANGLES), width, mode="wrap") * np.sqrt(3.5 * width)
        for width in (2, 4, 11)
    ]
    free = 1 / (1 + np.exp(-(apart(180.0) - 70) / 14))
    mixed = 0.6 * waves[0] + 0.7 * waves[1] + 0.6 * waves[2]
    return np.clip(mixed + 0.15, 0, 2.4) * (0.012 + 0.05 * free)


def papillary(seed, turn):
    """Return centre angle, distance and half axes of the papillary muscles' parts.

    Distances and sizes are shares of the cavity's radius.
    """
    rng = np.random.default_rng(seed)
    parts = []
    for middle in PAPILLARY:
        angle, far = middle + turn + rng.normal(0, 8), rng.uniform(0.68, 0.84)
        parts.append((angle, far, rng.uniform(0.17, 0.28), rng.uniform(0.10, 0.15)))
        for _ in range(rng.integers(0, 3)):
            side, away = angle + rng.normal(0, 16), far + rng.uniform(0.0, 0.16)
            parts.append((side, away, rng.uniform(0.07, 0.16), rng.uniform(0.05, 0.10)))
    return parts


def sac(shape, epicardial, seed):
    """Return the radius of the pericardium: over both ventricles, with fat in the grooves."""
    outside = np.maximum(shape.epi, shape.rv_epi)
    if not outside.any():
        return outside
    rng = np.random.default_rng(seed)
    waves = gaussian_filter1d(rng.standard_normal(N_ANGLES), 17, mode="wrap") * 8
    bridged = gaussian_filter1d(maximum_filter1d(outside, 17, mode="wrap"), 8, mode="wrap")
    # Little fat over the lateral wall, more over the right ventricle and in the grooves.
    right = 0.12 + 0.7 / (1 + np.exp((apart(195.0) - 70) / 12))
    layer = epicardial * np.clip(right * (1 + 0.8 * waves), 0, 2.5)
    return np.maximum(outside, bridged - 1.2) + 0.5 + layer * (outside > 0)


def paint(scene, marks, grid, shape, signals, *, systole, epicardial, fluid, seed, turn, depth):
    """Paint a heart over a scene, in place.

    Parameters
    ----------
    scene, marks : numpy.ndarray of float32, shape (h, w)
        Water minus fat with blood at 1, and the share of fat that depends on habitus.
    grid : Grid
    shape : Contours
        Of this slice, each of shape (N_ANGLES,).
    signals : dict of str to float
    systole : float
        0 at end-diastole, 1 at end-systole.
    epicardial, fluid : float
        Thickness of the fat under the pericardium and of an effusion, mm.
    seed : tuple of int
        Of the trabeculae and papillary muscles, the same in both phases.
    turn : float
        Degrees by which the heart is turned.
    depth : float
        Level of the slice, 0 at the base and 1 at the tip; below 0 the atria are shown.

    Returns
    -------
    dict of str to numpy.ndarray
        ``"RV"``, ``"myocardium"`` and ``"LV"``, bool of shape (h, w), disjoint.
    """
    # Fluid gathers where the sac hangs lowest in a patient who lies on the back.
    fluid = fluid * (0.45 + 0.75 * np.exp(-0.5 * (apart(320.0) / 60) ** 2))
    border = sac(shape, epicardial, [*seed, 4])
    muscle = np.float32(signals["myocardium"])
    blood = np.float32(signals["blood"])
    if border.any():
        _over(scene, grid.inside(border + fluid + 1.2), np.float32(signals["muscle"] * 0.6))
        if fluid.any():
            _over(scene, grid.inside(border + fluid), np.float32(0.6 * signals["fluid"]))
        within = grid.inside(border)
        _over(scene, within, np.float32(-0.75 * signals["fat"]))
        marks *= 1 - within
        marks += within
    outer, epi = grid.inside(shape.rv_epi), grid.inside(shape.epi)
    heart = np.maximum(outer, epi)
    _over(scene, heart, muscle)
    marks *= 1 - heart
    right = grid.inside(shape.rv) * (1 - epi)
    rough = roughness([*seed, 1])
    _over(
        scene,
        grid.inside(shape.rv - 14 * rough * (shape.rv > shape.epi + 2)) * (1 - epi),
        0.97 * blood,
    )
    left = grid.inside(shape.endo)
    if depth < 0.04:
        rough = rough * 0.2
    _over(scene, grid.inside(shape.endo * (1 - rough)), blood)
    _cords(scene, grid, shape, left, right, signals, seed, turn, depth, systole)
    cavity = left >= 0.5
    wall = (epi >= 0.5) & ~cavity
    return {"RV": (right >= 0.5) & ~wall & ~cavity, "myocardium": wall, "LV": cavity}


def _over(scene, share, value):
    scene += share * (value - scene)


def _cords(scene, grid, shape, left, right, signals, seed, turn, depth, systole):
    """Papillary muscles in the left cavity, the moderator band and trabeculae in the right."""
    cover = np.zeros(grid.size, np.uint8)
    middle = np.array([(grid.size[1] - 1) / 2, (grid.size[0] - 1) / 2])
    middle += np.array(grid.place) / grid.spacing

    def pixel(angle, radius):
        a = np.deg2rad(angle)
        return middle + np.array([radius * np.cos(a), -radius * np.sin(a)]) / grid.spacing

    if 0.12 < depth < 0.85 and shape.endo.any():
        grow = 1 + 0.25 * systole
        for angle, far, along, across in papillary([*seed, 2], turn):
            radius = shape.endo[int(angle / 360 * N_ANGLES) % N_ANGLES]
            axes = np.array([along, across]) * grow * (0.55 * radius + 8) / grid.spacing
            _blob(cover, pixel(angle, far * radius), axes, angle)
    _over(scene, cover.astype(np.float32) * (left / 255), np.float32(1.15 * signals["myocardium"]))
    cover[:] = 0
    width = shape.rv - shape.epi
    if width.max() > 8:
        rng = np.random.default_rng([*seed, 3])
        for _ in range(5):
            angle = rng.normal(195, 26) + turn
            place = int(angle / 360 * N_ANGLES) % N_ANGLES
            start = pixel(angle, shape.rv[place] + 1)
            length = min(rng.uniform(4, 11), 0.6 * width[place]) / grid.spacing
            end = (
                start + length * (pixel(angle + 180 + rng.normal(0, 35), 1) - middle) * grid.spacing
            )
            ends = np.rint(np.stack([start, end]) * 16).astype(int)
            cv2.line(
                cover,
                ends[0].tolist(),
                ends[1].tolist(),
                200,
                max(1, round(1.6 / grid.spacing)),
                cv2.LINE_AA,
                4,
            )
        if 0.35 < depth < 0.75 and rng.random() < 0.25:
            angle = turn + 200 + rng.normal(0, 8)
            place = int(angle / 360 * N_ANGLES) % N_ANGLES
            ends = [pixel(angle - 22, shape.epi[place]), pixel(angle + 8, shape.rv[place])]
            ends = np.rint(np.stack(ends) * 16).astype(int)
            cv2.line(
                cover,
                ends[0].tolist(),
                ends[1].tolist(),
                130,
                max(1, round(2.2 / grid.spacing)),
                cv2.LINE_AA,
                4,
            )
        _over(scene, cover.astype(np.float32) * (right / 255), np.float32(signals["myocardium"]))


def _blob(cover, centre, axes, angle):
    cv2.ellipse(
        cover,
        np.rint(centre * 16).astype(int).tolist(),
        np.rint(axes * 16).astype(int).tolist(),
        -angle,
        0,
        360,
        255,
        -1,
        cv2.LINE_AA,
        4,
    )
