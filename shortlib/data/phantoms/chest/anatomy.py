"""Shapes of the chest in centimetres: lungs, heart, great vessels, airways, lung vessels."""

from dataclasses import dataclass

import numpy as np

from shortlib.data.phantoms.chest.sheet import curve

RIGHT, LEFT = -1, 1  # the patient's sides: sign of x


@dataclass
class Person:
    """One patient's build, and how this image was taken.

    All lengths are in cm. `width` is half the inner width of the thorax,
    `height` the distance from a lung's tip to the right dome at full
    inspiration, `rib_drop` how steep the ribs are (1 for an adult), `fat` and
    `wall` the thickness of the soft tissue around the ribs, `thick` the
    thickness of the trunk from front to back, `ctr` the cardiothoracic ratio,
    `bones` the mineral of the bones (1 for a young adult). `domes` are the
    heights y of the two diaphragms' tops, `lean` how far the front of the chest
    is turned to the patient's left, `vessels` the calibre of the upper and the
    lower vessels of the lungs (1 on average), `arms` how high the arms are held
    (0 down, 1 up).
    """

    adult: bool
    female: bool
    age: float
    width: float
    height: float
    rib_drop: float
    rib_gap: float
    fat: float
    wall: float
    thick: float
    ctr: float
    bones: float
    knob: float
    breast: float
    flat: float
    thymus: float
    domes: tuple
    lean: float
    arms: float
    scapula: float
    clavicle: float
    heart_tilt: float
    vessels: tuple

    @property
    def unit(self):
        """Length that is 1 cm in an adult of mean build and scales with the body."""
        return self.width / 13.5


def wall_points(person, side):
    """Return the inner chest wall of one side, from the lung's tip to the angle at its base."""
    w, h = person.width, person.height
    low = person.domes[side > 0] + 0.2 * h
    y = np.array([0.0, 0.03, 0.1, 0.23, 0.42, 0.65])
    across = np.array([0.36, 0.50, 0.645, 0.785, 0.895, 0.97])
    points = np.column_stack([across * w, y * h])
    tail = [[1.0 * w, 0.65 * h + 0.5 * (low - 0.65 * h)], [0.985 * w, low]]
    points = np.concatenate([points, tail])
    points[:, 0] *= side
    return points


def dome_points(person, side, raised=0.0):
    """Return the diaphragm of one side, from the angle at the ribs to the midline."""
    w, h = person.width, person.height
    top, low = person.domes[side > 0], person.domes[side > 0] + 0.2 * h
    top = top - raised
    depth = low - top
    across = np.array([0.985, 0.93, 0.80, 0.62, 0.45, 0.28, 0.10])
    down = np.array([1.0, 0.6, 0.24, 0.04, 0.0, 0.14, 0.42])
    down[1:] += (1 - down[1:]) * 0.25 * person.flat
    return np.column_stack([across * w * side, top + down * depth])


def cavity(person, side, raised=0.0):
    """Return the outline of one half of the chest's inside, mediastinum included."""
    u, h = person.unit, person.height
    wall = curve(wall_points(person, side))
    dome = curve(dome_points(person, side, raised))
    inner = np.array([[0.2, 0.9 * h], [0.2, 0.3 * h], [0.9, 0.14 * h], [1.8, 0.06 * h]])
    inner = inner * [u * side, 1]
    tip = curve(np.array([[1.8 * u * side, 0.06 * h], [3.0 * u * side, 0.012 * h], wall[0]]))
    return np.concatenate([wall, dome[1:], inner, tip[1:]])


def heart(person, ctr):
    """Return the outline of the heart whose width is `ctr` times that of the thorax."""
    w, h = person.width, person.height
    wide = 2 * w * ctr
    floor = 0.5 * (person.domes[0] + person.domes[1])
    right, left = 0.345 * wide, 0.655 * wide
    left -= person.heart_tilt * 0.06 * wide
    right += person.heart_tilt * 0.06 * wide
    top = 0.42 * h
    tall = floor + 0.06 * h - top
    grow = (ctr / 0.45 - 1) * 0.35  # a big heart is also rounder and higher
    points = np.array(
        [
            [-0.60 * right, top - 0.02 * h],
            [-0.80 * right, top + (0.24 - grow * 0.3) * tall],
            [-0.97 * right, top + 0.50 * tall],
            [-1.00 * right, top + 0.68 * tall],
            [-0.80 * right, top + 0.92 * tall],
            [-0.10 * right, top + 1.06 * tall],
            [0.45 * left, top + 1.08 * tall],
            [0.88 * left, top + 1.00 * tall],
            [1.00 * left, top + (0.83 - grow * 0.2) * tall],
            [0.95 * left, top + (0.60 - grow * 0.35) * tall],
            [0.79 * left, top + (0.36 - grow * 0.4) * tall],
            [0.58 * left, top + (0.17 - grow * 0.3) * tall],
            [0.40 * left, top + 0.0 * tall],
            [0.05 * left, top - 0.05 * h],
        ]
    )
    points[:, 0] += 0.5 * person.lean * person.unit
    return curve(np.concatenate([points, points[:1]]), 5)


def great_vessels(person):
    """Return outlines of the upper mediastinum: the vascular pedicle and the aortic knob."""
    u, h = person.unit, person.height
    shift = 0.5 * person.lean * u
    knob = person.knob * u
    right = np.array([[1.7, -0.02], [2.0, 0.1], [2.35, 0.22], [2.65, 0.34], [2.7, 0.46]])
    right = right * [-u, h] + [shift, 0]
    left = np.array([[1.6, -0.02], [1.9, 0.10], [2.2, 0.18]]) * [u, h]
    arch = np.array([[0.55, 0.215], [0.98, 0.255], [1.0, 0.30], [0.72, 0.36]]) * [knob, h]
    trunk = np.array([[2.35, 0.385], [2.9, 0.43], [2.7, 0.50]]) * [u, h]
    left = np.concatenate([left, arch, trunk])
    left[:, 0] += shift
    if person.thymus > 0:  # a sail to the right, a wave to the left
        bulge = person.thymus * u
        right[:, 0] -= bulge * np.array([0.5, 1.0, 1.5, 1.7, 0.9])
        left[:, 0] += bulge * np.array([0.5, 0.9, 1.1, 1.1, 0.9, 0.8, 0.8, 0.6, 0.4, 0.2])
    return np.concatenate([curve(right), curve(left)[::-1]])


def airway(person):
    """Return the centre lines and widths of the trachea and the two main bronchi."""
    u, h = person.unit, person.height
    fork = np.array([0.25 * u + 0.3 * person.lean * u, 0.345 * h])
    trachea = np.array([[0.1 * u, -0.4 * h], [0, 0.0], [0.05 * u - 0.1, 0.2 * h], fork])
    right = np.array([fork, [-1.6 * u, 0.43 * h], [-3.0 * u, 0.50 * h]])
    left = np.array([fork, [2.0 * u, 0.43 * h], [4.0 * u, 0.49 * h]])
    return [(curve(trachea), 1.75 * u), (curve(right), 1.2 * u), (curve(left), 1.0 * u)]


def hilum(person, side):
    """Return the point from which the vessels of one lung come."""
    y = 0.50 if side == RIGHT else 0.47
    return np.array([side * 3.6 * person.unit, y * person.height])


def lung_vessels(person, rng):
    """Return the vessels of both lungs by calibre.

    Returns
    -------
    list of (numpy.ndarray, float)
        Curves of shape (k, m, 2) and the width of their vessels, in cm.
    """
    u, count = person.unit, 17
    side = np.repeat([RIGHT, LEFT], count)
    angle = np.deg2rad(np.tile(np.linspace(-82, 96, count), 2) + rng.normal(0, 5, 2 * count))
    long = person.height * (0.40 + 0.16 * rng.random(2 * count)) * (1 + 0.25 * (angle > 0.6))
    root = np.repeat([hilum(person, RIGHT), hilum(person, LEFT)], count, axis=0)
    start = root + np.column_stack([0.5 * np.cos(angle) * side, 1.5 * np.sin(angle)]) * u
    parent = _arcs(start, angle, long, rng.normal(0, 0.25, 2 * count), side, 7)
    width = 0.36 * u
    levels = [(parent, width)]
    for per, share, spread, samples in ((4, 0.50, 0.55, 5), (2, 0.52, 0.65, 4)):
        k, m, _ = parent.shape
        at = rng.uniform(0.22, 0.92, (k, per))
        index = at * (m - 1)
        low = np.minimum(index.astype(int), m - 2)
        rows = np.arange(k)[:, None]
        step = parent[rows, low + 1] - parent[rows, low]
        start = parent[rows, low] + (index - low)[..., None] * step
        signs = np.where(np.arange(per) % 2, 1, -1) * rng.choice([-1, 1], (k, 1))
        angle = np.arctan2(step[..., 1], step[..., 0] * side[:, None])
        angle = angle + signs * spread * rng.uniform(0.6, 1.3, (k, per))
        long = long[:, None] * share * rng.uniform(0.6, 1.2, (k, per)) * (1.1 - 0.5 * at)
        width *= 0.62
        side, long = np.repeat(side, per), long.ravel()
        bend = rng.normal(0, 0.3, k * per)
        parent = _arcs(start.reshape(-1, 2), angle.ravel(), long, bend, side, samples)
        levels.append((parent, width))
    return [*levels, *_trunks(person, rng)]


_TRUNKS = np.array(
    [
        [[-0.6, -1.8], [0.3, 0.2], [1.2, 2.8], [1.7, 5.2]],  # the artery to the lower lobe
        [[-0.3, 0.3], [0.5, -1.5], [1.3, -3.4], [2.0, -5.0]],
        [[-1.2, 3.0], [0.8, 3.4], [2.6, 4.4], [4.0, 5.6]],  # the lower vein
    ]
)


def _trunks(person, rng):
    u = person.unit
    lines = np.stack([_TRUNKS * [side * u, u] + hilum(person, side) for side in (RIGHT, LEFT)], 1)
    lines[0] += rng.normal(0, 0.35 * u, (2, 4, 2))
    for pair, width in zip(lines, (1.15, 0.75, 0.7), strict=True):
        pair = curve(pair, 4)
        # A vessel grows thin in steps, each a curve from its root.
        for share, part in ((1.0, 5), (0.8, 8), (0.6, 11), (0.42, 13)):
            yield pair[:, :part], width * share * u


def _arcs(start, angle, length, bend, side, samples):
    # Curves that leave at an angle (0 is straight to the side, positive down) and bend evenly.
    turned = angle[:, None] + bend[:, None] * np.linspace(0, 1, samples)
    step = np.stack([np.cos(turned) * side[:, None], np.sin(turned)], -1)
    step *= (length / (samples - 1))[:, None, None]
    return start[:, None] + np.cumsum(step, 1) - step
