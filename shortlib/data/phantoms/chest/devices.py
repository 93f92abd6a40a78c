"""What staff have put in or on the patient, and the letter beside them."""

import cv2
import numpy as np

from shortlib.data.phantoms.chest import anatomy, skeleton
from shortlib.data.phantoms.chest.anatomy import LEFT, RIGHT
from shortlib.data.phantoms.chest.sheet import curve

TUBE = "chest tube"
OTHERS = ("ECG leads", "central line", "pacemaker", "marker")


def chest_tube(scene, side, rng):
    """Draw a chest tube: through a gap between two ribs, into the pleural space, up or back.

    The tube is plastic with a thin radio-opaque stripe, which is broken at the
    last side hole (the sentinel eye), inside the chest.

    Parameters
    ----------
    scene : shortlib.data.phantoms.chest.render.Scene
        Changed in place.
    side : int
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray of bool, shape (h, w)
        Pixels of the tube.
    """
    sheet, person = scene.sheet, scene.person
    u, h = person.unit, person.height
    d = rng.random(8)
    # Where the ribs turn from back to front, half way between the fifth to eighth of them.
    turns = skeleton.ribs(person, side, np.full((skeleton.RIBS, 1), np.pi / 2))[:, 0]
    above = 4 + int(2.99 * d[0])
    entry = 0.5 * (turns[above] + turns[above + 1])
    outside = entry + np.array([side * (person.wall + 4.5 * u), (2.0 + 4.0 * d[1]) * u])
    skin = entry + np.array([side * (person.wall * 0.8), (0.8 + 0.8 * d[1]) * u])
    wall = anatomy.wall_points(person, side)

    def inside(down, gap):
        y = down * h
        return np.array([side * (np.interp(y, wall[:, 1], np.abs(wall[:, 0])) - gap * u), y])

    if d[2] < 0.72:  # to the tip, for air
        end = np.array([side * (4.2 + 2.5 * d[3]) * u, (0.06 + 0.08 * d[4]) * h])
        way = [inside(entry[1] / h - 0.05, 1.1 + 1.2 * d[5]), inside(0.24, 1.2 + 2.0 * d[6])]
    else:  # to the base, for fluid
        end = np.array([side * (3.6 + 2.0 * d[3]) * u, (0.70 + 0.12 * d[4]) * h])
        way = [inside(entry[1] / h + 0.03, 1.5), inside(0.72, 4.0 + 2.0 * d[6])]
    line = curve(np.array([outside, skin, entry, *way, end]), 10)
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    width = (0.62 + 0.25 * d[7]) * u
    body, stripe = sheet.layer(), sheet.layer()
    sheet.line(body, line, width, 255)
    step = np.gradient(line, axis=0)
    normal = np.column_stack([-step[:, 1], step[:, 0]])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    track = line + 0.36 * width * normal
    eye = length[-1] - (3.4 + 1.5 * d[6]) * u
    for part in (length < eye - 0.45 * u, length > eye + 0.45 * u):
        if part.sum() > 1:
            sheet.line(stripe, track[part], 0.17 * u, 255)
    walls = sheet.layer()
    sheet.line(
        walls, np.stack([line - 0.45 * width * normal, line + 0.45 * width * normal]), 0.1, 255
    )
    shadow = sheet.shrink(body)
    scene.soft += 0.45 * shadow + 0.5 * sheet.shrink(walls)
    scene.metal += 0.055 * sheet.shrink(stripe)
    return shadow > 0.4


def device(scene, name, rng):
    """Draw one of `OTHERS` into the scene and return its pixels, bool, shape (h, w)."""
    layer = scene.sheet.layer()
    strength = _DRAW[name](scene, layer, rng)
    shadow = scene.sheet.shrink(layer)
    scene.metal += strength * shadow
    return shadow > 0.35


def _leads(scene, layer, rng):
    sheet, u, h, w = scene.sheet, scene.person.unit, scene.person.height, scene.person.width
    d = rng.random((3, 6))
    spots = np.array([[-0.75 * w, 0.18 * h], [0.78 * w, 0.2 * h], [0.72 * w, 0.85 * h]])
    exit_at = np.array([(d[0, 0] - 0.4) * 24 * u, 1.5 * h])
    for spot, e in zip(spots, d, strict=True):
        place = spot + (e[:2] - 0.5) * 3 * u
        sheet.disc(layer, place, 0.62 * u, 150)
        sheet.disc(layer, place, 0.3 * u, 255)
        # Each wire hangs in a bow of its own on its way to the others.
        bends = place + np.array([[0.25], [0.65]]) * (exit_at - place)
        bends += (e[2:].reshape(2, 2) - 0.5) * np.array([11 * u, 4 * u])
        wire = curve(np.concatenate([[place], bends, [exit_at]]), 12)
        sheet.line(layer, wire, 0.17 * u, 190)
    return 0.07


def _central_line(scene, layer, rng):
    u, h = scene.person.unit, scene.person.height
    d = rng.random(4)
    if d[0] < 0.6:  # by the neck
        start = [[-(4.5 + d[1]) * u, -0.35 * h], [-4.2 * u, -0.15 * h], [-2.6 * u, 0.08 * h]]
    else:  # from the arm
        start = [[-19 * u, 0.3 * h], [-13 * u, 0.09 * h], [-7 * u, 0.07 * h], [-3.2 * u, 0.1 * h]]
    end = [[-2.1 * u, 0.25 * h], [-1.9 * u, (0.40 + 0.1 * d[2]) * h]]
    scene.sheet.line(layer, curve(np.array(start + end), 8), 0.24 * u, 255)
    return 0.045


def _pacemaker(scene, layer, rng):
    sheet, u, h, w = scene.sheet, scene.person.unit, scene.person.height, scene.person.width
    d = rng.random(4)
    middle = np.array([0.72 * w, (0.17 + 0.05 * d[0]) * h])
    angle = np.linspace(0, 2 * np.pi, 40)
    shape = np.column_stack([np.cos(angle), np.sin(angle)])
    shape = np.sign(shape) * np.abs(shape) ** 0.65 * [2.3 * u, 1.9 * u]
    sheet.fill(layer, middle + shape, 220)
    sheet.fill(layer, middle + shape * 0.55 + [0, 0.4 * u], 255)
    lead = [middle, [0.42 * w, 0.10 * h], [0.12 * w, 0.15 * h], [-1.9 * u, 0.3 * h]]
    lead += [[-2.6 * u, 0.6 * h], [0.5 * u, 0.86 * h], [(4.0 + d[1]) * u, 0.87 * h]]
    sheet.line(layer, curve(np.array(lead), 8), 0.16 * u, 130)
    return 0.22


def _marker(scene, layer, rng):
    # A lead letter on the film beside the patient; it says which side is which.
    sheet, d = scene.sheet, rng.random(4)
    side = RIGHT if d[0] < 0.4 else LEFT
    text = "R" if side == RIGHT else "L"
    size = sheet.fine * (0.045 + 0.015 * d[1])
    x = sheet.fine * (0.5 + side * (0.44 - 0.02 * d[2])) - 0.4 * size
    y = sheet.fine * (0.07 + 0.1 * d[3]) + size
    thick = max(1, round(sheet.fine * 0.008))
    cv2.putText(
        layer,
        text,
        (round(x), round(y)),
        cv2.FONT_HERSHEY_SIMPLEX,
        size / 22,
        255,
        thick,
        cv2.LINE_AA,
    )
    return 0.5


_DRAW = {
    "ECG leads": _leads,
    "central line": _central_line,
    "pacemaker": _pacemaker,
    "marker": _marker,
}
