"""A stack of short-axis slices from base to tip, as it is stored in a file."""

import gzip

import nibabel
import numpy as np

from shortlib.data.phantoms.cardiac.rendering import Renderer
from shortlib.data.phantoms.cardiac.scanner import window_top

WINDOW = 600.0  # stored value of the brightest tissue but for a few pixels
GAPS = (8.0, 9.0, 10.0)  # mm from slice to slice


class Stack:
    """The slices of one patient from base to tip.

    Parameters
    ----------
    patient : Patient
    spacing : float or None
        Of a pixel, mm; None for that of the acquisition.
    field_of_view : float
        Width of an image, mm; the height is 0.9 of it.
    """

    def __init__(self, patient, spacing, field_of_view):
        spacing = patient.acquired if spacing is None else spacing
        self.spacing = round(float(spacing), 4)
        rng = np.random.default_rng([*patient.seed, 13])
        self.gap = float(rng.choice(GAPS))
        size = (round(0.9 * field_of_view / self.spacing), round(field_of_view / self.spacing))
        self._renderer = Renderer(patient, size, self.spacing)
        self._positions, self._numbers = self._renderer.positions(self.gap)
        self._scanner, self._top = patient.scanner, None

    def render(self, systoles=(0.0, 1.0)):
        """Return a list of slices, see :class:`shortlib.data.phantoms.cardiac.rendering.Slice`."""
        slices = [
            self._renderer.slice(position, int(number), systoles)
            for position, number in zip(self._positions, self._numbers, strict=True)
        ]
        if self._top is None:
            middle = slices[int(np.flatnonzero(self._numbers == 0)[0])].signal
            self._top = window_top(middle, self._scanner)
        return slices

    def stored(self, signal):
        """Return signals as the numbers of a file."""
        return np.clip(np.rint(signal * (WINDOW / self._top)), 0, 4095).astype(np.int16)

    def file(self, values, period=None):
        """Return the bytes of a NIfTI file of an array of shape (slices, h, w) or (t, slices, ...).

        Columns come first in the file, then rows, slices and phases.
        """
        image = nibabel.Nifti1Image(np.ascontiguousarray(values.T), self._affine(values.shape))
        image.header.set_xyzt_units("mm", "sec")
        if period is not None:
            image.header.set_zooms((self.spacing, self.spacing, self.gap, period))
        return gzip.compress(image.to_bytes(), 6, mtime=0)

    def _affine(self, shape):
        """Where voxels are in the patient: mm to the right, the front and the head.

        Slices run from the base to the tip of the heart, that is to the left, forward
        and down; rows go down the image, columns from the patient's right to the left.
        """
        tip = np.array([-0.62, 0.55, -0.56])
        tip /= np.linalg.norm(tip)
        down = np.array([0.0, -0.35, -1.0])
        down -= (down @ tip) * tip
        down /= np.linalg.norm(down)
        right = np.cross(tip, down)
        right *= -np.sign(right[0])
        scaled = np.stack([right * self.spacing, down * self.spacing, tip * self.gap], axis=1)
        affine = np.eye(4)
        affine[:3, :3] = scaled
        affine[:3, 3] = -scaled @ ((np.array(shape[-3:])[::-1] - 1) / 2)
        return affine
