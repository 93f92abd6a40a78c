"""A drawing surface in mm whose pixels hold water, fat and a mark."""

import math

import cv2
import numpy as np

SHIFT = 4  # bits of a pixel's fraction that OpenCV takes
LEVEL = 150.0  # stored value of blood; the brightest fluid still fits into 8 bits
TURN = np.linspace(0, 2 * np.pi, 28, endpoint=False)
ROUND = np.stack([np.cos(TURN), np.sin(TURN)], axis=1)


class Canvas:
    """Water and fat (blood being 1) and a mark in [0, 1], drawn with soft edges.

    Points are in mm from the centre of the image, x to the right and y down.

    Parameters
    ----------
    size : tuple of int
        Height and width, pixels.
    spacing : float
        Of a pixel, mm.
    signals : dict of str to float
        Signal of each tissue, see :func:`tissue_signals`.
    """

    def __init__(self, size, spacing, signals):
        self.size, self.spacing, self.signals = size, spacing, signals
        # From mm to fractions of a pixel, counted from the middle of the first one.
        self._scale = (1 << SHIFT) / spacing
        self._shift = (1 << SHIFT) * np.array([(size[1] - 1) / 2, (size[0] - 1) / 2])
        self._pixels = np.zeros((*size, 3), np.uint8)

    def fill(self, points, tissue, *, factor=1.0, mark=0.0):
        """Fill the area inside one closed curve, or between two, with a tissue.

        Parameters
        ----------
        points : numpy.ndarray of shape (k, 2), or list of two such
        tissue : str
        factor : float
            Of the tissue's signal.
        mark : float
        """
        curves = points if isinstance(points, list) else [points]
        cv2.fillPoly(
            self._pixels,
            [self._fixed(curve) for curve in curves],
            self._colour(tissue, factor, mark),
            cv2.LINE_AA,
            SHIFT,
        )

    def line(self, points, tissue, width, *, factor=1.0, mark=0.0):
        """Draw a line of a width in mm; below one pixel it fades instead of thinning."""
        width = width / self.spacing
        colour = self._colour(tissue, factor, mark)
        if width < 1:
            beneath = self._pixels.copy()
        cv2.polylines(
            self._pixels,
            [self._fixed(points)],
            False,
            colour,
            max(1, round(width)),
            cv2.LINE_AA,
            SHIFT,
        )
        if width < 1:
            cv2.addWeighted(self._pixels, width, beneath, 1 - width, 0, dst=self._pixels)

    def ellipse(self, centre, axes, turn, tissue, *, factor=1.0, mark=0.0):
        """Fill an ellipse of half axes in mm, turned by degrees counter-clockwise."""
        self.fill(ellipse(centre, axes, turn), tissue, factor=factor, mark=mark)

    def planes(self):
        """Return water minus fat and the mark, float32 of shape (h, w) each."""
        water, fat, mark = cv2.split(self._pixels)
        signal = cv2.subtract(water, fat, dtype=cv2.CV_32F)
        return signal * np.float32(1 / LEVEL), mark.astype(np.float32) * np.float32(1 / 255)

    def _colour(self, tissue, factor, mark):
        value = min(self.signals[tissue] * factor * LEVEL, 255)
        return (0, value, 255 * mark) if tissue == "fat" else (value, 0, 255 * mark)

    def _fixed(self, points):
        return np.rint(points * self._scale + self._shift).astype(np.int32)


def ellipse(centre, axes, turn):
    """Return the outline of an ellipse, shape (28, 2)."""
    c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    along, across = axes
    return ROUND @ np.array([[along * c, -along * s], [across * s, across * c]]) + centre


def rotation(turn):
    """Return the matrix that turns row vectors (y down) counter-clockwise on the screen."""
    c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    return np.array([[c, -s], [s, c]])


def direction(angle):
    """Return the unit vector of an angle in degrees, y down."""
    return np.array([math.cos(math.radians(angle)), -math.sin(math.radians(angle))])


def polar(centre, angles, radii):
    """Return the curve of given radii (mm) at given angles (radians) about a centre."""
    return np.asarray(centre) + np.stack([radii * np.cos(angles), -radii * np.sin(angles)], axis=1)
