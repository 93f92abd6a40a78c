"""What lies around the heart in a short-axis slice: chest wall, lungs, organs of the belly."""

from dataclasses import replace

import numpy as np

from shortlib.data.phantoms.cardiac.canvas import Canvas, direction, polar, rotation
from shortlib.data.phantoms.cardiac.chest import (
    AROUND,
    draw_chest_wall,
    thorax,
    thorax_radius,
    wall_distance,
    wobble,
)


def draw_torso(body, size, spacing, signals, level=0.0):
    """Draw everything but the heart.

    Parameters
    ----------
    body : Body
    size : tuple of int
        Height and width, pixels.
    spacing : float
        Of a pixel, mm.
    signals : dict of str to float
        Of each tissue.
    level : float
        How far the slice lies from the middle of the heart towards its tip, mm.

    Returns
    -------
    Canvas
        Its mark is 1 on the fat that depends on habitus.
    """
    rng = np.random.default_rng([*body.seed, 71])
    body = _at_level(body, level)
    canvas = Canvas(size, spacing, signals)
    canvas.fill(_frame(size, spacing), "lung", factor=float(0.7 + 0.5 * rng.random()))
    _lung_vessels(canvas, body, rng, level)
    _aorta(canvas, body, rng)
    if body.effusion:
        _pleural_effusion(canvas, body, rng)
    _belly(canvas, body, rng)
    _fat_pad(canvas, body, rng)
    draw_chest_wall(canvas, body, rng, level)
    return canvas


def _at_level(body, level):
    """Towards the tip of the heart the chest wall and the diaphragm come nearer."""
    level = float(np.clip(level, -60, 70))
    return replace(body, depth=body.depth - 0.4 * level, diaphragm=body.diaphragm - 0.32 * level)


def _frame(size, spacing):
    half = np.array([size[1], size[0]]) * spacing / 2 + 5
    return np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half


def _lung_vessels(canvas, body, rng, level):
    """Vessels of the left lung, more and larger towards the hilum behind the heart."""
    place = np.array(body.place)
    angles, far, sizes, bright = rng.uniform(-70, 125, 34), *rng.random((3, 34))
    for angle, away, size, light in zip(angles, far, sizes, bright, strict=True):
        away = 50 + 75 * away
        centre = place + away * direction(angle) + [0, 0.15 * level]
        width = (0.5 + 1.3 * size**3) * (1.3 if away < 80 else 0.8)
        shape = (width * (1 + 2.5 * light**4), width)
        canvas.ellipse(centre, shape, angle + 40 * (size - 0.5), "blood", factor=0.2 + 0.5 * light)


def _aorta(canvas, body, rng):
    """Descending aorta, with the tissue between it and the spine."""
    far, angle = rng.normal(92, 7), rng.normal(-20, 8)
    centre = np.array(body.place) + far * direction(angle)
    radius = rng.uniform(9.5, 13)
    behind = centre + 19 * direction(body.chest + 180)
    wide = (1 + wobble(rng, AROUND, 0.2))[:, None] * np.array([26.0, 20.0])
    canvas.fill(behind + wide * np.stack([np.cos(AROUND), np.sin(AROUND)], 1), "fat", factor=0.55)
    spine = behind + 22 * direction(body.chest + 185)
    canvas.ellipse(spine, (21, 18), body.chest, "cortex", factor=2.0)
    canvas.ellipse(spine, (19, 16), body.chest, "marrow", factor=0.9)
    canvas.ellipse(centre, (radius + 1.4, radius + 1.4), 0, "muscle")
    canvas.ellipse(centre, (radius, 0.95 * radius), rng.uniform(0, 180), "blood", factor=1.02)


def _pleural_effusion(canvas, body, rng):
    """Fluid in the dependent, posterior part of the left chest."""
    thick, span = rng.uniform(9, 22), rng.uniform(0.5, 0.8)
    centre, _ = thorax(body)
    angles = np.deg2rad(body.chest + 180) + np.linspace(-span, span + 0.35, 40)
    outer = polar(centre, angles, thorax_radius(body, angles) + 2)
    profile = np.sin(np.linspace(0, np.pi, 40)) ** 0.6
    inner = polar(centre, angles, thorax_radius(body, angles) - thick * profile)
    canvas.fill(np.concatenate([outer, inner[::-1]]), "fluid", factor=0.55)


def _belly(canvas, body, rng):
    """Diaphragm, liver on the left of the image, stomach and spleen on the right."""
    x0, y0 = body.place
    top = y0 + body.diaphragm
    x = np.linspace(-190, 190, 76)
    centre = x0 - 24 + 9 * rng.standard_normal()
    dome = top + (x - centre) ** 2 / np.where(x < centre, 900, 520)
    dome = dome + 1.6 * np.sin(x / 27 + rng.uniform(0, 6)) + 0.7 * np.sin(x / 8 + rng.uniform(0, 6))
    below = np.array([[190, 230], [-190, 230]])
    canvas.fill(np.concatenate([np.stack([x, dome], 1), below]), "muscle", factor=0.85)
    depth = 1.6 + np.clip((x - x0) / 12, 0, 3)
    canvas.fill(np.concatenate([np.stack([x, dome + depth], 1), below]), "fat", factor=0.5)
    for u, v, size, light in rng.random((9, 4)):
        loop = np.array([x0 + body.liver_edge + 8 + 75 * u, top + 18 + 55 * v])
        axes = np.array([6 + 9 * size, 4 + 5 * light])
        canvas.ellipse(loop, axes, 180 * size, "muscle", factor=0.8)
        canvas.ellipse(
            loop,
            axes - 1.8,
            180 * size,
            ("fat", "liver", "lung")[int(3 * v * 0.99)],
            factor=0.4 + 0.8 * light,
        )
    _spleen(canvas, body, rng, top)
    _stomach(canvas, body, rng, top)
    _liver(canvas, body, rng, x, dome)


def _liver(canvas, body, rng, x, dome):
    edge = body.place[0] + body.liver_edge
    under = np.interp(edge, x, dome)
    along = np.linspace(0, 1, 14)[:, None]
    # The lower border runs from a sharp edge under the heart down to the left.
    tip, end = np.array([edge, under + 5.0]), np.array([edge - 75, under + 120])
    bulge = np.sin(np.pi * along) * rng.uniform(6, 18) + 1.5 * np.sin(9 * along + rng.uniform(0, 6))
    lower = tip + (end - tip) * along**1.15 + bulge * np.array([0.86, 0.5])
    inside = x < edge
    top = np.stack([x, dome + 1.9], 1)[inside]
    outline = np.concatenate([top, lower, [[-190, 240]]])
    canvas.fill(outline, "muscle", factor=0.5)
    canvas.fill(outline + np.array([-0.7, 0.9]), "liver")
    for u, v, size, light in rng.random((14, 4)):
        centre = np.array([edge - 18 - 105 * u, 0.0])
        centre[1] = np.interp(centre[0], x, dome) + 9 + 60 * v
        shape = (1.2 + 5 * size**2, 0.8 + 1.0 * light)
        canvas.ellipse(centre, shape, 120 * size - 60, "liver", factor=1.2 + 0.45 * light)


def _stomach(canvas, body, rng, top):
    place = body.place[0] + body.liver_edge + rng.uniform(16, 36)
    centre = np.array([place, top + rng.uniform(18, 32)])
    turn, gas, mixed = rng.uniform(-30, 30), *rng.random(2)
    shape = (1 + wobble(rng, AROUND, 0.22))[:, None] * np.array(
        [rng.uniform(18, 30), rng.uniform(9, 16)]
    )
    outline = shape * np.stack([np.cos(AROUND), np.sin(AROUND)], 1) @ rotation(turn)
    canvas.fill(centre + 1.16 * outline, "muscle", factor=1.1)
    canvas.fill(centre + outline, "lung" if gas < 0.35 else "liver", factor=0.6 + 0.9 * mixed)
    for u, v, size, light in rng.random((7, 4)):
        spot = centre + (np.array([u, v]) - 0.5) * [22, 11]
        canvas.ellipse(spot, (2 + 5 * size, 1.5 + 3 * light), turn, "spleen", factor=0.4 + light)


def _spleen(canvas, body, rng, top):
    centre = np.array([body.place[0] + rng.uniform(74, 96), top + rng.uniform(24, 42)])
    radii = 1 + wobble(rng, AROUND, 0.22)
    points = np.stack([np.cos(AROUND) * radii * 17, np.sin(AROUND) * radii * 32], axis=1)
    points = points @ rotation(rng.uniform(-25, 25))
    canvas.fill(centre + points * 1.04, "muscle", factor=0.5)
    canvas.fill(centre + points, "spleen", factor=0.85)


def _fat_pad(canvas, body, rng):
    """Fat of the mediastinum between the heart and the breastbone, and at the apex."""
    place = np.array(body.place)
    amount = body.epicardial
    wall = wall_distance(body, 168 + 0.4 * body.turn)
    for angle, far, shape, turn in (
        (168, 0.5 * (wall + 42), (0.5 * (wall - 42) + 14, 24 + 2.2 * amount), -12),
        (202, 62, (31 + 1.8 * amount, 17 + 1.2 * amount), 6),
    ):
        turn = turn + 8 * rng.standard_normal()
        centre = place + far * direction(angle + 0.4 * body.turn)
        bumps = (1 + wobble(rng, AROUND, 0.2, (2, 3, 5, 8)))[:, None] * np.array(shape)
        outline = bumps * np.stack([np.cos(AROUND), np.sin(AROUND)], 1) @ rotation(turn)
        canvas.fill(centre + outline, "fat", factor=0.68, mark=1.0)
        for u, v, size, light in rng.random((6, 4)):
            spot = centre + 1.3 * (np.array([u, v]) - 0.5) * shape
            canvas.ellipse(
                spot,
                (3 + 9 * size, 2 + 4 * light),
                90 * u,
                "fat",
                factor=0.45 + 0.4 * light,
                mark=1.0,
            )
        _strands(canvas, rng, centre, 0.8 * np.array(shape), 6)


def _strands(canvas, rng, centre, spread, count):
    """Vessels and connective tissue that run through fat."""
    starts, steps = rng.normal(0, 0.6, (count, 2)) * spread, rng.normal(0, 4.5, (count, 2, 2))
    for start, step, light in zip(starts, steps, rng.random(count), strict=True):
        path = np.asarray(centre) + start + np.cumsum([[0, 0], step[0], 0.6 * step[0] + step[1]], 0)
        canvas.line(path, "fat", canvas.spacing, factor=0.3 + 0.3 * light, mark=1.0)
        if light > 0.6:
            canvas.ellipse(path[1], (1.1, 1.4), 0, "blood", factor=1.2 * light)
