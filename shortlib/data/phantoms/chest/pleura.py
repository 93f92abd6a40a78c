"""Findings between lung and ribs: fluid that sinks, air that rises."""

import numpy as np

from shortlib.data.phantoms.chest import anatomy
from shortlib.data.phantoms.chest.opacity import mark, replace_air
from shortlib.data.phantoms.chest.sheet import curve


def effusion(scene, severity, where, kind, rng):
    """Fill the angle at the ribs with fluid, whose edge rises towards them."""
    u, h, sheet = scene.person.unit, scene.person.height, scene.sheet
    draw = rng.random((2, 4)).tolist()
    ripple = 0.12 * u * sheet.clouds(rng, 1.6 * u, half=True)
    total = 0
    for side in where:
        d = draw[int(side > 0)]
        wall = anatomy.wall_points(scene.person, side)
        low = float(wall[-1, 1])
        deep = (0.07 + 0.07 * d[0] + 0.37 * severity**1.85 * (1 if len(where) == 1 else 0.7)) * h
        reach = np.interp(sheet.half_y, wall[:, 1], np.abs(wall[:, 0])).astype(np.float32)
        gap = np.clip((reach - side * sheet.half_x) * (1 / scene.person.width), 0, 1)
        level = low - deep * (0.60 + 0.40 * np.exp(-gap * (1 / (0.10 + 0.08 * d[1])))) + ripple
        soft = (0.35 + 0.5 * d[2] + 0.8 * severity) * u
        t = np.clip((sheet.half_y - level) * (1 / soft) + 0.35, 0, 1)
        share = scene.sheet.enlarge((t * t * (3 - 2 * t)).astype(np.float32))
        total = np.maximum(total, share * scene.cavity[side])
    replace_air(scene, 0.93 * total, "Pleural Effusion")


def pneumothorax(scene, severity, where, kind, rng):
    """Draw the lung's own line away from the ribs, and beyond it air without vessels."""
    u, sheet = scene.person.unit, scene.sheet
    draw = rng.random(4).tolist()
    for side in where:
        wall = curve(anatomy.wall_points(scene.person, side))
        tip = curve(
            np.array([[1.9 * u * side, 0.07 * scene.person.height], [2.8 * u * side, 0.0], wall[0]])
        )
        edge = np.concatenate([tip[:-1], wall])
        way = np.gradient(edge, axis=0)
        inward = np.column_stack([-way[:, 1], way[:, 0]]) * side
        inward /= np.linalg.norm(inward, axis=1, keepdims=True)
        t = np.linspace(0, 1, len(edge))[:, None]
        most = (0.7 + 0.5 * draw[0] + 3.4 * severity**1.5) * u
        # Air rises: the gap is widest near the tip, and goes down to the angle when there is much.
        base = np.clip(0.1 + 0.7 * severity * (0.5 + draw[1]), 0, 1)
        gap = most * (np.clip(t / 0.13, 0, 1) * (base + (1 - base) * np.clip(1.15 - t, 0, 1)))
        gap = gap * (1 + 0.08 * np.sin(9 * t + 6 * draw[2]))
        pleura = edge + gap * inward
        free = sheet.area(np.concatenate([edge, pleura[::-1]])) * scene.cavity[side]
        scene.vessels *= 1 - free
        # Bare air for lung in part of the ray, and a lung that is denser as it shrinks.
        scene.air *= 1 + free * np.float32(0.13) - (1 - free) * scene.cavity[side] * 0.10 * severity
        layer = sheet.layer()
        sheet.line(layer, pleura[: int(0.93 * len(pleura))], 0.13 * u, 255)
        line = sheet.shrink(layer) * scene.cavity[side]
        scene.soft += (0.42 + 0.2 * draw[3]) * line
        mark(scene, "Pneumothorax", (free > 0.5) & (scene.lung[side] > 0.5))
