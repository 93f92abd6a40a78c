"""Drawing in centimetres on layers of pixels."""

import cv2
import numpy as np

# Fixed-point bits of the coordinates that OpenCV draws with.
_BITS = 4
# Shapes are drawn at this side or more, then averaged down, so that a vessel thinner than a
# pixel is faint rather than a pixel wide.
_FINE = 256


class Sheet:
    """A square detector in front of a patient, and where a point of the patient falls on it.

    Patient coordinates are centimetres: x grows to the patient's left, which is
    the right of the image, y grows downwards, and (0, 0) is the midline at the
    height of the lungs' tips.

    Parameters
    ----------
    size : int
        Side of the image, in pixels.
    field : float
        Side of the detector, in cm at the patient.
    centre : tuple of float
        The patient's point (x, y) at the middle of the image, in cm.
    turn : float
        Rotation of the patient in the image, in radians.
    """

    def __init__(self, size, field, centre, turn):
        self.size, self.factor = size, max(1, -(-_FINE // size))
        self.fine = size * self.factor
        self.scale = self.fine / field
        # Averaging the fine layers smooths edges as well as slow anti-aliased drawing would.
        self._style = cv2.LINE_8 if self.factor > 1 else cv2.LINE_AA
        self.pixel = field / size
        cos, sin = np.cos(turn), np.sin(turn)
        matrix = self.scale * np.array([[cos, sin], [-sin, cos]])
        self._units = matrix * (1 << _BITS)
        # Pixel (0, 0) has its middle at 0; the last half rounds what is cut to whole numbers.
        shift = self.fine / 2 - np.asarray(centre) @ matrix - 0.5
        self._offset = shift * (1 << _BITS) + 0.5
        self._way, self._centre, self._field = (cos, sin), centre, field
        self.x, self.y = self._grid(size)
        # A coarser grid, for what has no fine detail; `enlarge` brings it to full size.
        self.half = (size + 1) // 2
        self.half_x, self.half_y = self._grid(self.half)

    def _grid(self, side):
        # The patient's point, in cm, at the middle of each pixel.
        (cos, sin), (x, y) = self._way, self._centre
        pixels = ((np.arange(side) + 0.5 - side / 2) * (self._field / side)).astype(np.float32)
        across, down = pixels[None, :], pixels[:, None]
        cos, sin = np.float32(cos), np.float32(sin)
        return cos * across + sin * down + np.float32(x), cos * down - sin * across + np.float32(y)

    def layer(self):
        """Return an empty fine layer, uint8."""
        return np.zeros((self.fine, self.fine), np.uint8)

    def points(self, xy):
        """Return patient points, shape (..., 2) in cm, as OpenCV's fixed-point pixels."""
        # One flat product: numpy multiplies stacks of small matrices one by one.
        flat = np.asarray(xy, float).reshape(-1, 2) @ self._units + self._offset
        return flat.astype(np.int32).reshape(np.shape(xy))

    def fill(self, layer, xy, value=255):
        """Fill the polygon `xy`, shape (m, 2), on a fine layer."""
        self.fill_points(layer, self.points(xy), value)

    def fill_points(self, layer, points, value=255):
        """Fill a polygon of points that :meth:`points` returned."""
        cv2.fillPoly(layer, [points], value, self._style, _BITS)

    def line(self, layer, xy, width, value=255, *, closed=False):
        """Draw one curve (m, 2) or several (k, m, 2), `width` cm wide, on a fine layer.

        A line thinner than a pixel of the fine layer is drawn a pixel wide and
        as much fainter.
        """
        thick = max(1, round(width * self.scale))
        value = min(255, round(value * min(1.0, width * self.scale)))
        points = self.points(xy)
        points = [points] if points.ndim == 2 else points
        cv2.polylines(layer, points, closed, value, thick, self._style, _BITS)

    def disc(self, layer, centre, radius, value=255):
        """Fill a circle of `radius` cm on a fine layer."""
        x, y = self.points(np.asarray(centre, dtype=float))
        cv2.circle(
            layer,
            (int(x), int(y)),
            round(radius * self.scale * (1 << _BITS)),
            value,
            -1,
            self._style,
            _BITS,
        )

    def shrink(self, layer):
        """Return a fine layer as float32 in [0, 1] at the size of the image."""
        if self.factor > 1:
            layer = cv2.resize(layer, (self.size, self.size), interpolation=cv2.INTER_AREA)
        return layer.astype(np.float32) * np.float32(1 / 255)

    def area(self, *polygons):
        """Return how much of each pixel the polygons cover, float32 in [0, 1]."""
        layer = self.layer()
        for xy in polygons:
            self.fill(layer, xy)
        return self.shrink(layer)

    def blur(self, picture, sigma):
        """Blur by `sigma` cm; a wide blur is made on a coarser grid."""
        sigma = sigma / self.pixel
        if sigma < 0.3:
            return picture
        step = 1
        while sigma / step > 6 and self.size // (2 * step) >= 16:
            step *= 2
        if step == 1:
            return cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        side = self.size // step
        small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
        small = cv2.GaussianBlur(small, (0, 0), sigma / step, borderType=cv2.BORDER_REPLICATE)
        return cv2.resize(small, (self.size, self.size), interpolation=cv2.INTER_LINEAR)

    def enlarge(self, picture):
        """Return a coarser picture at the size of the image."""
        return cv2.resize(picture, (self.size, self.size), interpolation=cv2.INTER_LINEAR)

    def depth(self, cover):
        """Return the distance to the edge of what `cover` covers, in cm, 0 outside."""
        inside = (cover > 0.5).astype(np.uint8)
        return cv2.distanceTransform(inside, cv2.DIST_L2, 3) * np.float32(self.pixel)

    def clouds(self, rng, grain, *, half=False):
        """Return smooth noise of standard deviation near 1 whose clouds are `grain` cm wide.

        Their layout is the same at every size. With `half` they are on the coarser grid.
        """
        side = int(np.clip(round(self._field / grain), 4, 96))
        noise = rng.standard_normal((side, side), dtype=np.float32)
        size = self.half if half else self.size
        return 1.4 * cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)


def round_profile(depth, radius):
    """Return the chord of a body with round edges, as a share of its full thickness.

    Parameters
    ----------
    depth : numpy.ndarray
        Distance to the edge, in cm.
    radius : float
        Distance from which on the body is as thick as it gets, in cm.
    """
    away = 1 - np.minimum(depth * np.float32(1 / radius), 1)
    return np.sqrt(1 - away * away)


def curve(points, samples=6):
    """Return open Catmull-Rom splines through `points`, shape (..., m, 2), as polylines.

    Returns
    -------
    numpy.ndarray, shape (..., (m - 1) * samples + 1, 2)
    """
    points = np.asarray(points, dtype=float)
    return _basis(points.shape[-2], samples) @ points


_BASES = {}


def _basis(m, samples):
    # The spline is linear in its points, so one matrix serves every curve of as many points.
    if (m, samples) not in _BASES:
        u = np.arange(samples) / samples
        weights = 0.5 * np.stack(
            [-u + 2 * u**2 - u**3, 2 - 5 * u**2 + 3 * u**3, u + 4 * u**2 - 3 * u**3, u**3 - u**2]
        )
        rows = np.zeros(((m - 1) * samples + 1, m))
        for segment in range(m - 1):
            for k in range(4):
                knot = segment + k - 1
                part = slice(segment * samples, (segment + 1) * samples)
                if knot < 0:  # the ends go on in a straight line
                    rows[part, 0] += 2 * weights[k]
                    rows[part, 1] -= weights[k]
                elif knot >= m:
                    rows[part, m - 1] += 2 * weights[k]
                    rows[part, m - 2] -= weights[k]
                else:
                    rows[part, knot] += weights[k]
        rows[-1, -1] = 1
        _BASES[m, samples] = rows
    return _BASES[m, samples]
