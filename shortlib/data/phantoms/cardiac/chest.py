"""The wall of the chest: its outline in a short-axis slice, ribs, muscle, fat and skin."""

import numpy as np

from shortlib.data.phantoms.cardiac.canvas import direction, polar

AROUND = np.linspace(0, 2 * np.pi, 96, endpoint=False)


def wobble(rng, angles, amplitude, harmonics=(2, 3, 4, 5)):
    """Return a smooth closed random curve around 0, of the shape of `angles` (radians)."""
    phases, sizes = rng.uniform(0, 2 * np.pi, len(harmonics)), rng.standard_normal(len(harmonics))
    waves = [
        s * np.cos(k * angles + p) / k for k, p, s in zip(harmonics, phases, sizes, strict=True)
    ]
    return amplitude * np.sum(waves, axis=0)


def thorax(body):
    """Return the centre of the thorax (mm) and its half depth and half width."""
    half = np.array([96.0, 122.0]) * (body.height / 172) * (1 + 0.006 * (body.bmi - 25))
    front = direction(body.chest)
    return np.array(body.place) + front * (body.depth - half[0]), half


def wall_distance(body, angle):
    """Return how far the inner chest wall is from the axis of the left ventricle, mm."""
    centre, _ = thorax(body)
    away = np.arange(40.0, 160.0, 2.0)
    x, y = (np.array(body.place) + away[:, None] * direction(angle) - centre).T
    within = np.hypot(x, y) < thorax_radius(body, np.arctan2(-y, x))
    return float(away[within].max(initial=40.0))


def thorax_radius(body, angles):
    """Return how far the inner chest wall is from the centre of the thorax at each angle."""
    _, half = thorax(body)
    rel = angles - np.deg2rad(body.chest)
    flat = np.abs(np.cos(rel) / (half[0])) ** 2.5 + np.abs(np.sin(rel) / (half[1])) ** 2.5
    return flat ** (-1 / 2.5)


def draw_chest_wall(canvas, body, rng, level):
    """Draw muscle, ribs, fat and skin around the thorax, and the air outside.

    The fat under the skin is marked.
    """
    centre, _ = thorax(body)
    rel = (AROUND - np.deg2rad(body.chest) + np.pi) % (2 * np.pi) - np.pi
    ripple = wobble(rng, AROUND, 1.5, (4, 5, 7, 9, 12))
    inner = thorax_radius(body, AROUND) + ripple
    # The wall is thin over the breastbone, thicker where chest and back muscles are.
    muscle = 12 + 7 * np.sin(rel) ** 2 + 14 / (1 + np.exp((2.2 - np.abs(rel)) / 0.12))
    muscle = muscle * (1 + wobble(rng, AROUND, 0.18))
    # Fat is thinnest over the breastbone and most of it lies at the flanks.
    fat = body.fat * (0.75 + 0.5 * np.sin(rel) ** 2) * (1 + wobble(rng, AROUND, 0.16))
    fat = np.maximum(fat, 2.5)
    rings = np.cumsum([inner, muscle, fat, np.full(len(rel), 1.6), np.full(len(rel), 400.0)], 0)
    curves = [polar(centre, AROUND, radii) for radii in rings]
    canvas.fill([curves[0], curves[1]], "muscle", factor=0.95)
    _ribs(canvas, centre, body, rng, rings, level)
    canvas.fill([curves[1], curves[2]], "fat", factor=0.95, mark=1.0)
    _septa(canvas, centre, rng, rings)
    canvas.fill([curves[2], curves[3]], "muscle", factor=1.1)
    canvas.fill([curves[3], curves[4]], "lung", factor=0.0)


def _ribs(canvas, centre, body, rng, rings, level):
    """Ribs and cartilage, cut obliquely, between layers of muscle with fat in between."""
    layers = rings[0] + (rings[1] - rings[0]) * rng.uniform(0.66, 0.82)
    canvas.line(polar(centre, AROUND, layers), "fat", max(1.1, canvas.spacing), factor=0.6)
    canvas.line(polar(centre, AROUND, rings[0] + 0.8), "fat", canvas.spacing, factor=0.5)
    start = body.chest + np.rad2deg(0.004 * level)
    for number, (jitter, long, thick, light) in enumerate(rng.random((11, 4))):
        angle = start + 22 * (number - 5) + 9 * jitter
        place = round(angle / 360 * len(AROUND)) % len(AROUND)
        middle = polar(centre, AROUND[[place]], rings[0][[place]] + 5.0 + 2 * light)[0]
        axes = np.array([8 + 8 * long, 2.6 + 1.6 * thick])
        turn = angle + 90 + 16 * (light - 0.5)
        canvas.ellipse(middle, axes + 1.0, turn, "cortex", factor=1.5)
        canvas.ellipse(middle, axes, turn, "marrow", factor=0.55 + 0.5 * light)


def _septa(canvas, centre, rng, rings):
    """Thin strands of connective tissue in the fat under the skin."""
    for start, depth, slope in rng.random((9, 3)):
        at = slice(place := int(start * (len(AROUND) - 9)), place + 9)
        depth = np.clip(0.15 + 0.7 * depth + np.linspace(0, 0.5 * slope - 0.25, 9), 0, 1)
        radii = rings[1][at] + depth * (rings[2][at] - rings[1][at])
        canvas.line(polar(centre, AROUND[at], radii), "fat", canvas.spacing, factor=0.55, mark=1.0)
