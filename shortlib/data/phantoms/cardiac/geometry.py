"""The two ventricles as contours in polar coordinates about the axis of the left one.

Lengths are in mm, volumes in ml. Angles run counter-clockwise from the right of the
image, seen with its top up: 90 degrees is anterior, 180 septal, 270 inferior. Along
the long axis, ``z`` is 0 at the base and 1 at the tip of the left cavity.
"""

from dataclasses import dataclass

import numpy as np

N_ANGLES = 360
DEGREES = np.arange(N_ANGLES) * (360.0 / N_ANGLES)
ANGLES = np.deg2rad(DEGREES)
# Midpoints at which areas are summed up to volumes.
LEVELS = (np.arange(24) + 0.5) / 24
SEPTUM = 180.0
WIDEST = 0.22  # z at which the left cavity is widest


@dataclass(frozen=True)
class Heart:
    """What decides the shape of both ventricles at end-diastole and end-systole.

    Parameters
    ----------
    length : float
        From the base to the tip of the left cavity at end-diastole, mm.
    edv, ef : float
        Left volume at end-diastole (ml) and the fraction of it that is ejected. Where
        a wall moves too little for `ef`, the heart ejects what it can: see
        :func:`volumes`.
    wall : float
        Thickness of the left wall at end-diastole away from any bump or scar, mm.
    bump : tuple of float
        Thickening: centre and width (standard deviation) in degrees, extra mm.
    scar : tuple of float
        Infarct: centre and half width in degrees, share of the wall that is lost,
        share of the motion that is left (below 0: bulging), first and last ``z``.
    flatness : float
        How far the septum is pushed into the left cavity, as a share of its radius.
    rv_edv, rv_ef : float
        As `edv` and `ef`, of the right ventricle.
    rv_wall : float
        Thickness of the right free wall, mm.
    shortening : float
        Share of the length that is lost in systole; the base moves, not the tip.
    insertions : tuple of float
        Angles of the anterior and the inferior insertion of the right ventricle.
    oval, triangle : tuple of float
        Amplitude and angle (degrees) of the second and third harmonic of the cavity.
    skew : float
        Below 1, the right ventricle is widest nearer to its anterior insertion.
    corner : float
        How angular the right ventricle is, from 0 (round) to 0.25.
    """

    length: float
    edv: float
    ef: float
    wall: float
    rv_edv: float
    rv_ef: float
    bump: tuple = (SEPTUM, 40.0, 0.0)
    scar: tuple = (SEPTUM, 40.0, 0.0, 1.0, 0.0, 1.0)
    flatness: float = 0.0
    rv_wall: float = 3.0
    shortening: float = 0.14
    insertions: tuple = (112.0, 246.0)
    oval: tuple = (0.03, 60.0)
    triangle: tuple = (0.01, 0.0)
    skew: float = 0.85
    corner: float = 0.1


@dataclass(frozen=True)
class Contours:
    """Radii in mm at some levels, each of shape (levels, N_ANGLES).

    Or of shape (N_ANGLES,) for one slice. ``endo`` and ``epi`` bound the left wall;
    ``rv`` is the outer border of the right cavity, which lies between it and ``epi``;
    ``rv_epi`` is the outside of its wall.
    """

    endo: np.ndarray
    epi: np.ndarray
    rv: np.ndarray
    rv_epi: np.ndarray


def apart(centre):
    """Return the angle between each of DEGREES and a centre, in [0, 180]."""
    return np.abs((DEGREES - (centre - 540.0)) % 360.0 - 180.0)


def scar_weight(heart, z):
    """Return how far each place belongs to the scar, in [0, 1], shape (levels, N_ANGLES)."""
    centre, half, _, _, first, last = heart.scar
    z = np.asarray(z, dtype=float)[:, None]
    around = 1.0 / (1.0 + (apart(centre) / half) ** 8)
    along = 1.0 / (1.0 + np.exp(np.clip(-40.0 * (z - first), -60, 60)))
    return around * along / (1.0 + np.exp(np.clip(40.0 * (z - last), -60, 60)))


def bump_weight(heart, z):
    """Return how far each place belongs to the thickening, in [0, 1]."""
    centre, width, _ = heart.bump
    along = np.clip(1.3 - np.asarray(z, dtype=float), 0.2, 1.0)[:, None]
    return np.exp(-0.5 * (apart(centre) / width) ** 2) * along


def contours(heart, phase, position):
    """Return the contours of some slices.

    Parameters
    ----------
    heart : Heart
    phase : str
        ``"ED"`` or ``"ES"``.
    position : array_like of float, shape (k,)
        Distance of each slice from the base at end-diastole, mm.

    Returns
    -------
    Contours
        Zero where a slice does not meet the ventricle.
    """
    return Motion(heart).contours(phase, position)


class Motion:
    """A heart with the radii and the shortening that give its volumes.

    The shape of the left cavity is fixed up to its radius, which follows from the
    volume. In systole each place of the inner border moves inward by the same share,
    less in a scar; that share is the root of a quadratic equation in the volume that
    is left. The wall keeps its volume, so it thickens where it moves.
    """

    def __init__(self, heart):
        self.heart = heart
        unit, move = self._unit(LEVELS), self._move(LEVELS)
        self.radius = np.sqrt(heart.edv * 1e3 / (heart.length * area(unit).mean()))
        end_length = heart.length * (1 - heart.shortening)
        # Area that is left in systole: a - 2 s b + s^2 c for the share s.
        endo = self.radius * unit
        a, b, c = (_area2(endo**2 * move**k).mean() for k in range(3))
        left = heart.edv * (1 - heart.ef) * 1e3 / end_length
        self.share = (b - np.sqrt(max(b * b - c * (a - left), 0.0))) / c
        reach = self._rv_reach(LEVELS)
        self.width, self._volumes = {}, {}
        for phase, length, volume in (
            ("ED", heart.length, heart.rv_edv),
            ("ES", end_length, heart.rv_edv * (1 - heart.rv_ef)),
        ):
            endo, epi = self._left(phase, LEVELS)
            # Width that gives the right ventricle its mean area.
            b, c = 2 * _area2(epi * reach).mean(), _area2(reach**2).mean()
            width = (np.sqrt(b * b + 4 * c * volume * 1e3 / length) - b) / (2 * c)
            self.width[phase] = width
            right = (b * width + c * width**2) * length / 1e3
            self._volumes[f"lv_{phase.lower()}v"] = float(area(endo).mean() * length / 1e3)
            self._volumes[f"rv_{phase.lower()}v"] = float(right)

    def contours(self, phase, position):
        """See :func:`contours`."""
        heart, position = self.heart, np.asarray(position, dtype=float)
        if phase == "ES":
            position = position - heart.shortening * heart.length
        z = position / (heart.length * (1 - heart.shortening * (phase == "ES")))
        endo, epi = self._left(phase, z)
        reach = self._rv_reach(z)
        rv = epi + self.width[phase] * reach
        wall = heart.rv_wall * np.minimum(reach * 4.0, 1.0)
        return Contours(endo, epi, rv, rv + wall)

    def volumes(self):
        """Return EDV and ESV of the left and the right ventricle in ml, as they are drawn."""
        return dict(self._volumes)

    def _unit(self, z):
        """Shape of the left cavity at end-diastole for a radius of 1."""
        heart = self.heart
        z = np.asarray(z, dtype=float)
        down = 1 - np.clip((z - WIDEST) / (1 - WIDEST), 0, 1) ** 2.4
        up = 1 - 0.14 * np.clip((WIDEST - z) / WIDEST, 0, 1) ** 2
        profile = np.sqrt(down) * up * (z >= 0)
        outline = (
            1
            + heart.oval[0] * np.cos(2 * (ANGLES - np.deg2rad(heart.oval[1])))
            + heart.triangle[0] * np.cos(3 * (ANGLES - np.deg2rad(heart.triangle[1])))
            - heart.flatness * np.exp(-0.5 * (apart(SEPTUM) / 34.0) ** 2)
        )
        return profile[:, None] * outline

    def _wall(self, z):
        """Thickness at end-diastole."""
        heart = self.heart
        z = np.asarray(z, dtype=float)
        even = heart.wall * (1 - 0.3 * np.clip((z - 0.55) / 0.45, 0, 1))[:, None]
        thick = even + heart.bump[2] * bump_weight(heart, z)
        thick = thick * (1 - heart.scar[2] * scar_weight(heart, z))
        # Beyond the tip of the cavity the wall closes like a cap.
        beyond = np.clip(z - 1, 0, None)[:, None] * heart.length
        cap = np.sqrt(np.clip(1 - (beyond / thick) ** 2, 0, 1))
        return thick * cap * (z >= 0)[:, None]

    def _move(self, z):
        return 1 - (1 - self.heart.scar[3]) * scar_weight(self.heart, z)

    def _left(self, phase, z):
        endo = self.radius * self._unit(z)
        epi = endo + self._wall(z)
        if phase == "ED":
            return endo, epi
        inner = endo * np.clip(1 - self.share * self._move(z), 0.1, None)
        muscle = (epi**2 - endo**2) / (1 - self.heart.shortening)
        return inner, np.sqrt(inner**2 + muscle)

    def _rv_reach(self, z):
        """Shape of the right cavity beyond the left ventricle, 1 where it is widest."""
        heart = self.heart
        first, last = heart.insertions
        z = np.asarray(z, dtype=float)
        along = np.clip(1 - np.clip(z / 0.93, 0, 1) ** 1.5, 0, 1) ** 0.8 * (z >= 0)
        u = np.clip((DEGREES - first) / (last - first), 0, 1)
        reach = np.sin(np.pi * u**heart.skew) ** 0.62
        # A corner at the acute margin, where the free wall meets the diaphragm.
        corner = 1 + heart.corner * np.cos(3 * (ANGLES - np.deg2rad((first + 2 * last) / 3 + 6)))
        return along[:, None] * reach * corner


def volumes(heart):
    """Return ``lv_edv``, ``lv_esv``, ``rv_edv`` and ``rv_esv`` in ml, of the heart as drawn."""
    return Motion(heart).volumes()


def area(radius):
    """Return the area inside a curve, mm^2, given its radius at each of `DEGREES`."""
    return _area2(radius**2)


def _area2(squared):
    """Area inside a curve whose squared radius is given at every angle."""
    return squared.sum(axis=-1) * (np.pi / N_ANGLES)
