"""Bones of the chest, each as the thickness of bone that a ray meets."""

import numpy as np

from shortlib.data.phantoms.chest.anatomy import LEFT, RIGHT, wall_points
from shortlib.data.phantoms.chest.sheet import curve

RIBS = 11


def ribs(person, side, angle):
    """Return points of all ribs of one side.

    A rib leaves the spine level, turns down as it nears the side of the chest
    and goes on down and inwards at the front, so its back part slopes down to
    the side and its front part the other way.

    Parameters
    ----------
    person : shortlib.data.phantoms.chest.anatomy.Person
    side : int
        -1 for the patient's right, 1 for the left.
    angle : numpy.ndarray, shape (11, m)
        Way around the chest, 0 at the spine, pi/2 at the side.

    Returns
    -------
    numpy.ndarray, shape (11, m, 2)
        In cm.
    """
    h, u = person.height, person.unit
    start = (-0.02 + 0.0975 * person.rib_gap * np.arange(RIBS)) * h
    drop = _DROP * h * person.rib_drop
    wall = wall_points(person, side)
    reach = np.interp(start + 0.45 * drop, wall[:, 1], np.abs(wall[:, 0])) + 0.35 * u
    start, drop, reach = start[:, None], drop[:, None], reach[:, None]
    root, sine = 1.9 * u, np.sin(angle)
    x = np.where(angle > np.pi / 2, reach * sine, root + (reach - root) * sine**0.85)
    y = start + drop * (1 - np.cos(angle)) / 2
    y -= 0.25 * u * np.sin(np.minimum(2 * angle, np.pi))
    return np.stack([side * x, y], -1)


_DROP = np.array((0.17, 0.28, 0.36, 0.41, 0.45, 0.48, 0.50, 0.50, 0.46, 0.40, 0.30))
_END = np.deg2rad((158, 152, 148, 144, 141, 138, 134, 128, 118, 110, 104))
# Angles along each rib: its back, its turn at the side, its front.
_ALL = np.concatenate(
    [
        np.linspace(0, np.pi / 2 - 0.3, 15) * np.ones((RIBS, 1)),
        np.linspace(np.pi / 2 - 0.38, np.pi / 2 + 0.22, 9) * np.ones((RIBS, 1)),
        np.linspace(np.full(RIBS, np.pi / 2 + 0.2), _END, 11, axis=1),
    ],
    axis=1,
)


def draw_ribs(sheet, person):
    """Return the bone of the ribs, in cm of dense bone, shape (h, w).

    A rib is a tube: little bone in its middle, more along its edges, and the
    back part, which is nearly round, more than the flat front.
    """
    back, front = sheet.layer(), sheet.layer()
    u = person.unit
    broad = (1.15 if person.adult else 0.85) * u * np.ones((RIBS, 1))
    broad[[0, -1]] *= 0.75
    lines = np.stack([ribs(person, side, _ALL) for side in (RIGHT, LEFT)])
    behind, turn, before = np.split(lines, (15, 24), axis=2)
    before[..., 0] += np.linspace(0, person.lean * 0.5 * u, 11)
    broad = np.concatenate([broad, broad])
    _bands(sheet, back, behind.reshape(2 * RIBS, 15, 2), 0.9 * broad, 105, 215)
    _bands(sheet, front, turn.reshape(2 * RIBS, 9, 2), 0.9 * broad, 70, 110)
    widening = np.linspace(0.9, 1.25, 11)
    _bands(sheet, front, before.reshape(2 * RIBS, 11, 2), broad * widening, 75, 130)
    return 0.78 * person.bones * (sheet.shrink(back) + sheet.shrink(front))


def _bands(sheet, layer, lines, width, middle, edge):
    # Bands along lines (k, m, 2) of a width (k, m) that may change along them.
    step = np.empty_like(lines)
    step[:, 1:-1] = lines[:, 2:] - lines[:, :-2]
    step[:, 0], step[:, -1] = lines[:, 1] - lines[:, 0], lines[:, -1] - lines[:, -2]
    across = np.stack([-step[..., 1], step[..., 0]], -1)
    across *= (0.5 * width / np.hypot(step[..., 0], step[..., 1]))[..., None]
    edges = np.concatenate([lines + across, (lines - across)[:, ::-1]], 1)
    for points in sheet.points(edges):
        sheet.fill_points(layer, points, middle)
    m = lines.shape[1]
    thick = max(0.1, 0.1 * float(np.max(width)))
    sheet.line(layer, np.concatenate([edges[:, :m], edges[:, m:]]), thick, edge)


def draw_frame(sheet, person):
    """Return the bone of spine, clavicles, shoulder blades and upper arms, shape (h, w), in cm."""
    spine, frame = sheet.layer(), sheet.layer()
    _spine(sheet, spine, person)
    blade = sheet.layer()
    for side in (RIGHT, LEFT):
        _blade(sheet, blade, person, side)
        _arm(sheet, frame, person, side)
    collar = sheet.layer()
    _clavicles(sheet, collar, person)
    return person.bones * (
        0.72 * sheet.shrink(spine)
        + 0.85 * sheet.shrink(frame)
        + 0.55 * sheet.shrink(blade)
        + 0.85 * sheet.shrink(collar)
    )


def _spine(sheet, layer, person):
    u, h = person.unit, person.height
    gap = 0.0975 * h * person.rib_gap
    shift = -0.35 * person.lean * u
    tops = np.arange(-6, 18) * gap * np.linspace(0.86, 1.12, 24)
    half = u * np.linspace(1.25, 1.95, 24)
    edges = np.array([[shift - half[0], tops[0]], [shift - half[-1], tops[-1]]])
    other = np.array([[shift + half[-1], tops[-1]], [shift + half[0], tops[0]]])
    sheet.fill(layer, np.concatenate([edges, other]), 120)
    sheet.line(layer, np.stack([edges, other]), 0.14 * u, 140)
    plates = np.stack([np.stack([shift - half, tops], -1), np.stack([shift + half, tops], -1)], 1)
    sheet.line(layer, plates, 0.28 * u, 85)
    rim = np.array([0, 0.22 * u])
    rims = np.concatenate([plates - rim, plates + rim])
    sheet.line(layer, rims, 0.12 * u, 185)
    middle = np.column_stack([np.full(24, shift + 0.3 * person.lean * u), tops + 0.55 * gap])
    ends = np.array([[[0, -0.28 * gap], [0, 0.2 * gap]]])
    spines = middle[:, None] + ends
    sheet.line(layer, spines, 0.5 * u, 165)
    out = np.column_stack([0.68 * half, np.full(24, -0.12 * gap)])
    feet = np.concatenate([middle + out, middle + out * [-1, 1]])
    ends = np.array([[[0, -0.12 * u], [0, 0.12 * u]]])
    sheet.line(layer, feet[:, None] + ends, 0.55 * u, 190)


def collar_line(person, side):
    """Return the middle line of one clavicle."""
    u = person.unit
    reach = np.array([1.7, 3.6, 6.6, 9.8, 12.6, 14.9]) * u
    rise = np.array([3.7, 3.2, 2.35, 1.65, 1.2, 0.9]) * u
    rise = rise - person.clavicle * u - np.linspace(0, 1, 6) * 2.2 * u * (person.arms - 0.3)
    reach = side * reach + np.linspace(0.45 * person.lean * u, 0, 6)
    return curve(np.column_stack([reach, rise]))


def _clavicles(sheet, layer, person):
    lines = np.stack([collar_line(person, side) for side in (RIGHT, LEFT)])
    along = np.linspace(0, 1, lines.shape[1])
    width = person.unit * (0.95 + 0.75 * (1 - along) ** 4 + 0.25 * along**3)
    width = width * (1 if person.adult else 0.8) * np.ones((2, 1))
    _bands(sheet, layer, lines, width, 150, 240)


def shoulder(person, side):
    """Return the middle of one humeral head."""
    u = person.unit
    return np.array([side * (16.1 + 0.4 * person.arms) * u, (3.4 - 2.6 * person.arms) * u])


def _direction(person, side):
    # From the shoulder along the upper arm: down and out, or up and out.
    angle = np.deg2rad(72 - 125 * person.arms)
    return np.array([side * np.cos(angle), np.sin(angle)])


def arm_line(person, side):
    """Return the shoulder's and the elbow's point of one arm."""
    top = shoulder(person, side)
    return np.stack([top, top + _direction(person, side) * 27 * person.unit])


def _blade(sheet, layer, person, side):
    u = person.unit
    inwards = 1.8 * person.scapula
    outline = np.array(
        [
            [10.3 - inwards, 1.3],
            [10.4 - inwards, 4.6],
            [11.3 - inwards, 9.4],
            [12.6 - inwards, 14.0],
            [13.4 - inwards, 14.2],
            [14.3 - 0.6 * inwards, 9.0],
            [15.0, 5.6],
            [14.7, 3.0],
            [13.0, 2.2],
        ]
    )
    outline = outline * [side * u, u] - [0, 1.4 * u * (person.arms - 0.2)]
    sheet.fill(layer, outline, 70)
    sheet.line(layer, outline[1:4], 0.2 * u, 125)
    sheet.line(layer, outline[4:7], 0.5 * u, 150)
    ridge = np.array([[10.4 - inwards, 3.4], [13.0, 1.6], [16.6, -0.2]]) * [side * u, u]
    sheet.line(layer, curve(ridge) - [0, 1.4 * u * (person.arms - 0.2)], 0.7 * u, 120)


def _arm(sheet, layer, person, side):
    u = person.unit
    top, way = shoulder(person, side), _direction(person, side)
    across = np.array([-way[1], way[0]]) * side
    radius = (2.35 if person.adult else 2.1) * u
    elbow = top + 27 * u * way
    neck = top + way * radius * 0.75
    shaft = np.array(
        [
            neck + across * radius * 0.95,
            neck + way * 2.2 * u + across * 1.3 * u,
            elbow + across * 1.2 * u,
            elbow - across * 1.2 * u,
            neck + way * 2.2 * u - across * 1.2 * u,
            neck - across * radius * 0.9,
        ]
    )
    sheet.fill(layer, shaft, 120)
    sheet.line(layer, np.stack([shaft[1:3], shaft[3:5][::-1]]), 0.42 * u, 215)
    if person.adult:
        sheet.disc(layer, top, radius, 120)
        head = curve(_ring(top, way, radius, 180))
        sheet.line(layer, head, 0.2 * u, 165)
        return
    # A child's head is a cap of its own: cartilage, dark, lies between it and the shaft.
    cap = radius * (0.62 + 0.38 * min(1.0, person.age / 12))
    gap = (0.5 - 0.28 * min(1.0, person.age / 16)) * u
    centre = top - way * (0.1 * radius)
    ring = _ring(centre, way, cap, 105)
    sheet.fill(layer, ring, 150)
    sheet.line(layer, ring, 0.2 * u, 210, closed=True)
    ends = np.stack([shaft[-1], shaft[0]]) + way * (gap + cap * 0.1 - radius * 0.35)
    middle = ends.mean(0) - way * 0.35 * u
    plate = np.stack([ends[0], middle, ends[1]])
    sheet.fill(layer, np.concatenate([plate, shaft[[1, 4]]]), 130)
    sheet.line(layer, plate, 0.22 * u, 235)


def _ring(centre, way, radius, half):
    # Arc of a circle around the side that faces away from the shaft.
    middle = np.arctan2(-way[1], -way[0])
    angle = middle + np.deg2rad(np.linspace(-half, half, 25))
    return centre + radius * np.column_stack([np.cos(angle), np.sin(angle)])


def age_cue(sheet, person):
    """Return the pixels around both humeral heads, where growth plates show, as coverage."""
    layer = sheet.layer()
    for side in (RIGHT, LEFT):
        place = shoulder(person, side) + _direction(person, side) * 1.2 * person.unit
        sheet.disc(layer, place, 3.6 * person.unit, 255)
    return sheet.shrink(layer)
