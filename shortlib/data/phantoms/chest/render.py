"""One chest put together: the thickness of tissue, air and bone that each ray meets."""

from dataclasses import dataclass, field

import numpy as np

from shortlib.data.phantoms.chest import anatomy, skeleton
from shortlib.data.phantoms.chest.anatomy import LEFT, RIGHT, Person
from shortlib.data.phantoms.chest.exposure import LUNG
from shortlib.data.phantoms.chest.sheet import Sheet, curve, round_profile


@dataclass
class Scene:
    """What lies between tube and detector.

    Pictures are float32 of the size of the image: `soft` and `bone` in cm of
    soft tissue and of dense bone, `air` the cm of aerated lung that the ray
    meets, `metal` in cm, `vessels` the cm of blood within the lungs. `lung` is
    how much of each pixel either lung covers, per side; `heart` the same for
    the heart. `masks` has one bool picture for each finding and device drawn.
    """

    sheet: Sheet
    person: Person
    soft: np.ndarray
    air: np.ndarray
    bone: np.ndarray
    vessels: np.ndarray
    metal: np.ndarray
    lung: dict
    cavity: dict
    heart: np.ndarray
    masks: dict = field(default_factory=dict)


def healthy(sheet, person, rng, *, ctr, raised=(0.0, 0.0), gain=(1.0, 1.0)):
    """Return the chest of a person without findings.

    Parameters
    ----------
    sheet : Sheet
    person : Person
    rng : numpy.random.Generator
        Draws the course of the lungs' vessels and what lies in the belly.
    ctr : float
        Cardiothoracic ratio.
    raised : tuple of float
        How far each diaphragm (right, left) is drawn up, in cm.
    gain : tuple of float
        Factor of the calibre of the vessels in the upper and the lower half of the lungs.

    Returns
    -------
    Scene
    """
    u, h = person.unit, person.height
    trunk = _trunk(sheet, person)
    cavity = {
        side: sheet.area(anatomy.cavity(person, side, raised[side > 0])) for side in (RIGHT, LEFT)
    }
    heart = sheet.area(anatomy.heart(person, ctr))
    great = sheet.area(anatomy.great_vessels(person))
    both = np.maximum(cavity[RIGHT], cavity[LEFT])
    thickness = _thickness(sheet, person)
    soft = sheet.blur(thickness * trunk * round_profile(sheet.depth(trunk), 7.0 * u), 0.2)
    soft += _arms(sheet, person)
    soft += _breasts(sheet, person)
    soft += _head(sheet, person)

    chord = np.maximum(0.78 * thickness - 1.1 * person.wall, 3.0 * u)
    # The lung thins towards the ribs, but ends in a step where the ray grazes a dome.
    side, top, low = 0.985 * person.width, 0.55 * h, 1.5 * h
    column = sheet.area(np.array([[-side, top], [side, top], [side, low], [-side, low]]))
    air = chord * both * round_profile(sheet.depth(np.maximum(both, column)), 5.5 * u)
    # Lungs are not evenly filled with blood and air, and a turned chest shows one side darker.
    uneven = 0.045 * sheet.clouds(rng, 5.0 * u, half=True)
    uneven += 0.03 * sheet.clouds(rng, 1.1 * u, half=True)
    uneven += 1 + np.float32(0.07 * person.lean / person.width) * sheet.half_x
    air *= sheet.enlarge(uneven)
    filled = 0.45 * person.thick * round_profile(sheet.depth(heart), 4.2 * u) * heart
    vessels_thick = 6.0 * u * round_profile(sheet.depth(great), 2.4 * u) * great
    air = np.maximum(air - np.maximum(filled, vessels_thick), 0)
    # The heart rests on the diaphragm: less and less lung lies behind it further down.
    floor = 0.5 * sum(person.domes)
    corners = np.array([[-2.4 * u, 0], [2.4 * u, 0], [2.4 * u, h], [-2.4 * u, h]])
    spine = sheet.area(corners + np.array([0, floor - 0.04 * h]))
    great = np.maximum(great, spine)
    air *= 1 - spine
    air *= 1 - heart * sheet.enlarge(_step(sheet.half_y, floor - 0.33 * h, floor + 0.02 * h))
    # The lungs reach down behind the domes: it is a little lighter just below them.
    below = sheet.blur(both, 1.5 * u) * (1 - both) * trunk
    air += 2.2 * u * below * sheet.enlarge(_step(sheet.half_y, 0.75 * h, 0.95 * h))
    lung = {side: cavity[side] * (1 - np.maximum(heart, great)) for side in (RIGHT, LEFT)}
    soft += 1.0 * u * _aorta(sheet, person)
    soft -= _airways(sheet, person)
    soft -= _belly(sheet, person, rng, both)
    vessels = _vessels(sheet, person, rng, gain)
    bone = skeleton.draw_ribs(sheet, person) + skeleton.draw_frame(sheet, person)
    return Scene(
        sheet=sheet,
        person=person,
        soft=soft,
        air=air,
        bone=bone,
        vessels=vessels * both,
        metal=np.zeros_like(soft),
        lung=lung,
        cavity=cavity,
        heart=heart,
    )


def _step(value, low, high):
    t = np.clip((value - low) * (1 / (high - low)), 0, 1)
    return t * t * (3 - 2 * t)


def _thickness(sheet, person):
    # Front to back: neck, upper chest, full chest, belly.
    h, thick = person.height, person.thick
    y = sheet.half_y
    share = 0.56 + 0.34 * _step(y, -0.15 * h, 0.5 * h) + 0.16 * _step(y, 0.5 * h, 1.1 * h)
    return np.float32(thick) * sheet.enlarge(share)


def _trunk(sheet, person):
    u, h, w, wall = person.unit, person.height, person.width, person.wall
    lift = 5.0 * u * max(person.arms - 0.15, 0)
    half = np.array(
        [
            [5.6 * u, -0.60 * h],
            [5.8 * u, -0.34 * h],
            [7.6 * u, -0.24 * h],
            [11.0 * u, -0.175 * h - 0.5 * lift],
            [15.0 * u, -0.12 * h - lift],
            [18.6 * u, -0.06 * h - lift],
            [20.6 * u, 0.08 * h - lift],
            [17.6 * u + 0.2 * wall, 0.30 * h - 0.6 * lift],
            [w + wall + 0.3 * u, 0.46 * h],
            [w + wall, 0.62 * h],
            [w + wall * 1.05, 0.95 * h],
            [w + wall * 1.0, 1.3 * h],
            [w + wall * 1.0, 1.7 * h],
        ]
    )
    right = curve(half)
    return sheet.area(np.concatenate([right, right[::-1] * [-1, 1]]))


def _arms(sheet, person):
    # Cylinders, computed on every other pixel: they have no fine detail.
    x, y = sheet.half_x, sheet.half_y
    total = 0
    radius = (3.6 + 0.55 * person.fat) * person.unit
    for side in (RIGHT, LEFT):
        (x0, y0), (x1, y1) = skeleton.arm_line(person, side)
        length = float(np.hypot(x1 - x0, y1 - y0))
        ux, uy = float((x1 - x0) / length), float((y1 - y0) / length)
        dx, dy = x - np.float32(x0), y - np.float32(y0)
        along = np.clip(dx * ux + dy * uy, 0, length)
        square = (dx - along * ux) ** 2 + (dy - along * uy) ** 2
        start = _step(along, -1.0, 7.0 * person.unit) * 0.7 + 0.3
        total = total + 1.5 * start * np.sqrt(np.maximum(radius**2 - square, 0))
    return sheet.enlarge(total)


def _breasts(sheet, person):
    if person.breast <= 0:
        return 0
    u, w, h = person.unit, person.width, person.height
    wide, tall = (0.42 + 0.07 * person.breast) * w, (0.20 + 0.05 * person.breast) * h
    y = (sheet.half_y - np.float32((0.66 + 0.09 * person.breast) * h)) * (1 / tall)
    across, square = sheet.half_x, np.where(y < 0, 0.45, 1.0).astype(np.float32) * y * y
    total = 0
    for side in (RIGHT, LEFT):
        x = (across - side * np.float32((0.60 + 0.05 * person.breast) * w)) * (1 / wide)
        total = total + np.sqrt(np.maximum(1 - x * x - square, 0))
    # Full below, running out above: the lower edge is seen, the upper is not.
    total *= 3.4 * u * person.breast * np.clip(0.75 + 0.45 * y, 0, 1)
    return sheet.enlarge(total)


def _head(sheet, person):
    # The chin of a child, whose image takes in more than the chest.
    u, h = person.unit, person.height
    across = sheet.half_x * (1 / (6.2 * u))
    down = (sheet.half_y + 0.80 * h) * (1 / (0.46 * h))
    if float(down[0].min()) > 1:
        return 0
    inside = np.maximum(1 - np.abs(across) ** 2.4 - np.abs(down) ** 2.4, 0)
    rim = (inside > 0) * np.exp(-6 * inside)
    return sheet.enlarge((u * (6.5 * np.sqrt(inside) + 1.6 * rim)).astype(np.float32))


def _aorta(sheet, person):
    # The descending aorta's edge beside the spine, seen through the heart.
    u, h = person.unit, person.height
    line = np.array([[0.72 * person.knob * u, 0.30 * h], [2.3 * u, 0.5 * h], [1.7 * u, 0.8 * h]])
    line = np.concatenate([line, [[1.0 * u, 1.1 * h]]])
    line[:, 0] += 0.2 * person.lean * u
    edge = curve(line)
    return sheet.area(np.concatenate([edge, [[0, 1.1 * h], [0, 0.3 * h]]]))


def _airways(sheet, person):
    layer = sheet.layer()
    for line, width in anatomy.airway(person):
        sheet.line(layer, line, width, 255)
    return 2.3 * person.unit * sheet.blur(sheet.shrink(layer), 0.2 * person.unit)


def _belly(sheet, person, rng, both):
    # Gas in the stomach under the left dome, and now and then in the bowel.
    u, h = person.unit, person.height
    draw = rng.random(12).tolist()
    gas = 0
    if draw[0] < 0.75:
        centre = (u * (5.0 + 2.5 * draw[1]), person.domes[1] + h * (0.085 + 0.05 * draw[2]))
        gas = _bubble(sheet, centre, u * (1.6 + 1.6 * draw[3]), u * (1.0 + 0.9 * draw[4]), draw[5])
        gas = gas * (1.2 + 2.8 * draw[6]) * u
    if draw[7] < 0.4:
        centre = (u * (8.0 + 2.0 * draw[8]), person.domes[1] + h * (0.13 + 0.1 * draw[9]))
        more = _bubble(sheet, centre, u * (1.0 + draw[10]), u * (0.8 + 0.6 * draw[11]), 0.9)
        gas = gas + more * 2.2 * u
    return gas * (1 - both)


def _bubble(sheet, centre, wide, tall, level):
    # Gas rises: round above, level below where there is fluid.
    angle = np.linspace(0, 2 * np.pi, 40)
    wobble = 1 + 0.09 * np.sin(3 * angle + 9 * level) + 0.06 * np.sin(5 * angle)
    x, y = np.cos(angle) * wobble, np.minimum(np.sin(angle) * wobble, 0.2 + level)
    outline = np.column_stack([x * wide, y * tall]) + centre
    return sheet.blur(sheet.area(outline), 0.12 * tall)


def _vessels(sheet, person, rng, gain):
    u, h = person.unit, person.height
    layer = sheet.layer()
    curves = anatomy.lung_vessels(person, rng)
    most = max(width for _, width in curves)
    for lines, width in sorted(curves, key=lambda c: c[1]):
        sheet.line(layer, lines, width, 255 * width / most)
    total = (2.6 * most) * sheet.blur(sheet.shrink(layer), 0.06)
    x, y = sheet.half_x, sheet.half_y
    haze = 0
    for side in (RIGHT, LEFT):  # the hila are hazy
        middle = anatomy.hilum(person, side) + np.array([0.7 * side * u, u])
        square = (x - np.float32(middle[0])) ** 2 + 0.36 * (y - np.float32(middle[1])) ** 2
        haze = haze + np.exp(square * np.float32(-0.5 / (1.5 * u) ** 2))
    total += 1.5 * u * sheet.enlarge(haze)
    # Calibre grows downwards in those who stand.
    lower = 0.75 + 0.4 * _step(y, 0.1 * h, 0.9 * h)
    lower *= gain[0] + (gain[1] - gain[0]) * _step(y, 0.3 * h, 0.65 * h)
    return total * sheet.enlarge(lower)


def assemble(scene):
    """Return the thickness of soft tissue and of bone that each ray meets, in cm."""
    air = np.maximum(scene.air, 0)
    # Blood cannot fill more of the ray than there is lung.
    blood = np.minimum(scene.vessels, 0.8 * air)
    soft = scene.soft - (1 - LUNG) * (air - blood)
    return np.maximum(soft, 0).astype(np.float32), scene.bone.astype(np.float32)
