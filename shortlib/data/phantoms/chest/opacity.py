"""Findings that put water or tissue where the lungs hold air."""

import math

import numpy as np

from shortlib.data.phantoms.chest import anatomy
from shortlib.data.phantoms.chest.anatomy import LEFT, RIGHT
from shortlib.data.phantoms.chest.sheet import curve

PLATES = 0.5  # share of atelectases that are plates rather than a lobe that lost volume


def spot(person, side, across, down):
    """Return a point of one lung, from its midline side (0) to the ribs and tip to dome."""
    wall = anatomy.wall_points(person, side)
    y = down * person.domes[side > 0]
    reach = np.interp(y, wall[:, 1], np.abs(wall[:, 0]))
    inner = 2.0 * person.unit
    return np.array([side * (inner + (reach - inner) * across), y])


def _patch(scene, centre, wide, tall, tilt, rough, edge):
    # A blurred, ragged ellipse on the coarser grid: 1 inside, 0 outside.
    sheet = scene.sheet
    cos, sin = math.cos(tilt), math.sin(tilt)
    dx, dy = sheet.half_x - np.float32(centre[0]), sheet.half_y - np.float32(centre[1])
    r = np.hypot((cos * dx + sin * dy) * (1 / wide), (cos * dy - sin * dx) * (1 / tall))
    t = np.clip((1 - r + rough) * (0.5 / edge) + 0.5, 0, 1)
    return t * t * (3 - 2 * t)


def replace_air(scene, share, name, bar=0.4):
    """Let water take the place of a share of the air, and note where it does so most.

    Parameters
    ----------
    scene : shortlib.data.phantoms.chest.render.Scene
        Changed in place.
    share : numpy.ndarray, shape (h, w)
        In [0, 1]; may be on the coarser grid.
    name : str
        Of the finding.
    bar : float
        Share of the highest share from which on a pixel belongs to the finding;
        above 1 none does.
    """
    if share.shape != scene.air.shape:
        share = scene.sheet.enlarge(share.astype(np.float32))
    both = np.maximum(scene.cavity[RIGHT], scene.cavity[LEFT])
    share = np.clip(share, 0, 0.95) * both
    scene.air *= 1 - share
    mark(scene, name, (share > max(0.03, bar * float(share.max()))) & lungs(scene))


def lungs(scene):
    """Return the pixels of both lungs, bool, shape (h, w)."""
    return (scene.lung[RIGHT] + scene.lung[LEFT]) > 0.5


def mark(scene, name, where):
    """Add pixels to the mask of a finding."""
    scene.masks[name] = scene.masks[name] | where if name in scene.masks else where


def consolidation(scene, severity, where, kind, rng, name="Consolidation"):
    """Fill a part of a lobe, ragged but for the fissure that may hold it up."""
    u = scene.person.unit
    draw = rng.random((2, 8)).tolist()
    rough = 0.24 * scene.sheet.clouds(rng, 2.8 * u, half=True) + 0.06 * scene.sheet.clouds(
        rng, 1.0 * u, half=True
    )
    total = 0
    for side in where:
        d = draw[int(side > 0)]
        lobe = 0.25 + 0.68 * d[0] ** 0.7
        centre = spot(scene.person, side, 0.25 + 0.5 * d[1], lobe)
        size = (1.9 + 1.5 * d[2] + 2.6 * severity) * u
        patch = _patch(
            scene, centre, size, size * (0.75 + 0.5 * d[3]), d[4] * 3, rough, 0.35 + 0.3 * d[5]
        )
        if side == RIGHT and d[6] < 0.35:  # held up by the horizontal fissure
            level = 0.54 * scene.person.height + 0.06 * scene.sheet.half_x
            above = lobe < 0.55
            beyond = (scene.sheet.half_y - level) * (1 if above else -1)
            patch *= np.clip(0.5 - beyond / (0.5 * u), 0.12, 1)
        total = np.maximum(total, patch)
    texture = 1 + 0.10 * scene.sheet.clouds(rng, 0.9 * u, half=True)
    # Denser where it is one finding among five than where it is all there is to see.
    dense = 1.2 if name == "Consolidation" else 1.0
    replace_air(scene, dense * (0.24 + 0.46 * severity) * total * texture, name)


def atelectasis(scene, severity, where, kind, rng):
    """Draw plates above the diaphragm, or a lower lobe that lost its air."""
    u, person, sheet = scene.person.unit, scene.person, scene.sheet
    draw = rng.random((2, 3, 6)).tolist()
    rough = 0.15 * sheet.clouds(rng, 1.5 * u, half=True)
    share = np.zeros_like(scene.air)
    for side in where:
        if kind < PLATES:  # plates: bands a finger long, nearly level, above the diaphragm
            layer = sheet.layer()
            bands = 1 + int(2.99 * min(1.0, 0.6 * severity + 0.4 * draw[0][0][0]))
            for d in draw[int(side > 0)][:bands]:
                middle = spot(person, side, 0.25 + 0.5 * d[0], 0.74 + 0.2 * d[1])
                half = (1.4 + 1.4 * d[2] + 1.3 * severity) * u
                rise = (d[3] - 0.6) * 0.5
                line = np.array([[-side, 0], [0, 0.12 * (d[4] - 0.5)], [side, 0]])
                line = curve(line * half + [[0, rise * half], [0, 0], [0, -rise * half]]) + middle
                sheet.line(layer, line, (0.22 + 0.25 * d[5] + 0.2 * severity) * u, 255)
            share += (0.26 + 0.31 * severity) * sheet.blur(sheet.shrink(layer), 0.2 * u)
        else:  # a lower lobe that lost volume: a wedge from the hilum to the diaphragm's inner part
            d = draw[int(side > 0)][0]
            top, floor = 0.52 * person.height, person.domes[side > 0] + 0.1 * person.height
            out = (2.0 + (2.5 + 2.0 * d[0]) * (0.4 + 0.6 * severity)) * u
            wedge = np.array(
                [[1.2 * u, top], [2.2 * u, top], [2.2 * u + out, floor], [1.2 * u, floor]]
            )
            cover = sheet.blur(sheet.area(wedge * [side, 1]), (0.35 + 0.5 * d[1]) * u)
            share += (0.36 + 0.46 * severity) * cover * (1 + sheet.enlarge(rough))
    replace_air(scene, share, "Atelectasis")


def edema(scene, severity, where, kind, rng):
    """Draw haze around both hila and septal lines at the ribs; the vessels are drawn wider."""
    u, sheet = scene.person.unit, scene.sheet
    clouds = sheet.clouds(rng, 1.6 * u, half=True)
    mesh = sheet.clouds(rng, 0.45 * u, half=True)
    draw = rng.random((2, 9, 4)).tolist()
    share = 0
    for side in where:
        root = anatomy.hilum(scene.person, side) + np.array([side * 1.6, 1.4]) * u
        haze = _patch(
            scene,
            root,
            (4.6 + 2.4 * severity) * u,
            (6.2 + 2.4 * severity) * u,
            0,
            0.14 * clouds,
            0.9,
        )
        share = np.maximum(share, haze)
    mask = sheet.enlarge(share)
    share = (0.04 + 0.17 * severity) * share * (1 + 0.16 * clouds + 0.10 * mesh)
    layer = sheet.layer()
    for side in where:  # septal lines: short, level, at the ribs above the diaphragm
        for d in draw[int(side > 0)][: int(3 + 6 * severity)]:
            start = spot(scene.person, side, 0.985, 0.68 + 0.32 * d[0])
            end = start + np.array([-side * (0.9 + 0.9 * d[1]), (d[2] - 0.5) * 0.25]) * u
            sheet.line(layer, np.stack([start, end]), 0.11 * u, 255)
    lines = sheet.shrink(layer)
    share = sheet.enlarge(share) + (0.06 + 0.10 * severity) * lines
    replace_air(scene, share, "Edema", bar=2)
    mark(scene, "Edema", ((mask > 0.5) | (lines > 0.5)) & lungs(scene))


def covid(scene, severity, where, kind, rng):
    """Draw ground glass in patches on both sides, near the ribs and low."""
    u, person, sheet = scene.person.unit, scene.person, scene.sheet
    draw = rng.random((2, 5, 6)).tolist()
    rough = 0.25 * sheet.clouds(rng, 2.0 * u, half=True) + 0.12 * sheet.clouds(
        rng, 0.8 * u, half=True
    )
    total = 0
    for side in where:
        for d in draw[int(side > 0)][: 2 + int(3 * severity * (0.5 + 0.5 * draw[0][0][0]) + 0.5)]:
            centre = spot(person, side, 0.72 + 0.26 * d[0], 0.28 + 0.65 * d[1] ** 0.75)
            wide = (1.2 + 1.1 * d[2] + 0.9 * severity) * u
            tilt = side * 0.25 + 0.5 * (d[3] - 0.5)
            patch = _patch(scene, centre, wide, wide * (1.2 + 0.7 * d[4]), tilt, rough, 0.6)
            total = np.maximum(total, patch * (0.6 + 0.4 * d[5]))
    texture = 1 + 0.16 * sheet.clouds(rng, 0.6 * u, half=True)
    replace_air(scene, (0.08 + 0.22 * severity) * total * texture, "COVID")


def viral(scene, severity, where, kind, rng):
    """Draw streaks and cuffs along the bronchi that leave both hila."""
    u, sheet = scene.person.unit, scene.sheet
    clouds = sheet.clouds(rng, 1.4 * u, half=True)
    draw = rng.random((2, 40, 5))
    layer = sheet.layer()
    share = 0
    for side in where:
        root = anatomy.hilum(scene.person, side)
        middle = root + np.array([side * 1.2, 0.8]) * u
        haze = _patch(scene, middle, 4.5 * u, 6.0 * u, 0, 0.15 * clouds, 0.9)
        share = np.maximum(share, haze)
        angle = (draw[int(side > 0)][:, 0] - 0.45) * 2.6
        far = (1.2 + 4.8 * draw[int(side > 0)][:, 1]) * u
        way = np.column_stack([np.cos(angle) * side, np.sin(angle)])
        start = root + way * far[:, None] + (draw[int(side > 0)][:, 2:4] - 0.5) * 1.2 * u
        end = start + way * (0.9 + 1.4 * draw[int(side > 0)][:, 4:]) * u
        lines = np.stack([start, end], 1)[: int(14 + 26 * severity)]
        sheet.line(layer, lines, 0.3 * u, 255)
        side_step = np.column_stack([-way[:, 1], way[:, 0]])[: len(lines), None] * 0.32 * u
        sheet.line(layer, lines + side_step, 0.14 * u, 200)
    streaks = sheet.blur(sheet.shrink(layer), 0.08 * u)
    mask = sheet.enlarge(share) > 0.5
    share = (0.03 + 0.10 * severity) * share * (1 + 0.2 * clouds)
    share = sheet.enlarge(share) + (0.05 + 0.10 * severity) * streaks
    replace_air(scene, share, "Viral Pneumonia", bar=2)
    mark(scene, "Viral Pneumonia", mask & lungs(scene))
