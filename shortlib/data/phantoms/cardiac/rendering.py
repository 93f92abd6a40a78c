"""Slices of a patient at end-diastole and end-systole, with masks."""

from dataclasses import dataclass

import cv2
import numpy as np

from shortlib.data.phantoms.cardiac.findings import finding
from shortlib.data.phantoms.cardiac.geometry import Contours
from shortlib.data.phantoms.cardiac.painting import Grid, paint
from shortlib.data.phantoms.cardiac.scanner import acquire, bands, shading
from shortlib.data.phantoms.cardiac.tissue import FIELDS, tissue_signals
from shortlib.data.phantoms.cardiac.torso import draw_torso

PHASES = ("ED", "ES")
STRUCTURES = ("RV", "myocardium", "LV")
FLUID = 7.0  # thickness of a pericardial effusion, mm
SIGNALS = {field: tissue_signals(field) for field in FIELDS}


@dataclass(frozen=True)
class Slice:
    """Phases of one slice, by default ED and ES; arrays have shape (phases, h, w).

    ``signal`` is float32 with blood at the heart near 1; ``anatomy`` holds the masks
    of `STRUCTURES` and has shape (phases, 3, h, w); ``abnormality`` marks what shows the
    disease, ``habitus`` the fat that depends on the patient's habitus.
    """

    signal: np.ndarray
    anatomy: np.ndarray
    abnormality: np.ndarray
    habitus: np.ndarray


class Renderer:
    """What the slices of a patient share.

    Parameters
    ----------
    patient : Patient
    size : tuple of int
        Height and width, pixels.
    spacing : float
        Of a pixel, mm.
    """

    def __init__(self, patient, size, spacing):
        self.patient, self.size, self.spacing = patient, size, spacing
        self.motion = patient.motion
        self.signals = SIGNALS[patient.scanner.field]
        self.grid = Grid(size, spacing, patient.body.place)
        rng = np.random.default_rng([*patient.seed, 5])
        self.gain = shading(patient.scanner, size, spacing, patient.body.chest, rng)
        self.bands = bands(patient.scanner, size, spacing, rng)
        self.texture = _texture(rng, size)

    def slice(self, position, number=0, systoles=(0.0, 1.0)):
        """Render one slice.

        Parameters
        ----------
        position : float
            Distance from the base at end-diastole, mm.
        number : int
            Counts slices from the middle of the heart; decides the noise.
        systoles : sequence of float
            Phases of the cycle, 0 at end-diastole and 1 at end-systole.

        Returns
        -------
        Slice
            With as many phases.
        """
        patient, body = self.patient, self.patient.body
        level = position - patient.middle
        torso = draw_torso(body, self.size, self.spacing, self.signals, level)
        background, fat = torso.planes()
        blur = max(0.4, 0.5 * patient.acquired / self.spacing)
        gain = self.gain if self.bands is None else self.gain * self.bands
        parts = []
        for systole in systoles:
            scene, marks = background.copy(), fat.copy()
            shape, depth = self.shape(position, systole)
            ventricular = depth >= 0
            masks = paint(
                scene,
                marks,
                self.grid,
                shape,
                self.signals,
                systole=systole,
                epicardial=body.epicardial,
                fluid=FLUID if body.effusion else 0.0,
                seed=(*patient.seed[:2], 7),
                turn=body.turn,
                depth=depth,
            )
            if not ventricular:
                masks = {name: np.zeros_like(mask) for name, mask in masks.items()}
            scene *= self.texture
            rng = np.random.default_rng([*patient.seed, 6, number + 100, round(1000 * systole)])
            signal = acquire(scene, gain, patient.scanner, blur, self.spacing, rng)
            anatomy = np.stack([masks[name] for name in STRUCTURES])
            found = finding(patient, masks, shape, self.grid, systole, position)
            fatty = (marks >= 0.5) if body.heavy else np.zeros(self.size, bool)
            parts.append((signal, anatomy, found & ventricular, fatty))
        return Slice(*(np.stack(part) for part in zip(*parts, strict=True)))

    def shape(self, position, systole):
        """Return the contours of one slice and its depth.

        Parameters
        ----------
        position, systole : float
            As in :meth:`slice`.

        Returns
        -------
        shape : Contours
        depth : float
            0 at the base and 1 at the tip of the left cavity. Above the base, which
            moves down in systole, it is negative, and the contours are those of the
            atria: thin walls around blood.
        """
        heart = self.patient.heart
        shift = heart.shortening * heart.length
        # Between the two phases the same place of the muscle is followed.
        depth = (position - systole * shift) / (heart.length - systole * shift)
        inside = max(depth, 0.0)
        names = ("endo", "epi", "rv", "rv_epi")
        shape = dict.fromkeys(names, 0.0)
        for phase, weight, base in (("ED", 1 - systole, 0.0), ("ES", systole, shift)):
            if weight:
                place = base + inside * (heart.length - base)
                radii = self.motion.contours(phase, [place])
                shape = {k: shape[k] + weight * getattr(radii, k)[0] for k in names}
        if depth < 0:
            shape["epi"] = shape["endo"] + 2.0
            shape["rv"] = np.maximum(shape["rv"] - 6.0, shape["epi"])
            shape["rv_epi"] = shape["rv"] + 2.0 * (shape["rv"] > shape["epi"])
        return Contours(**shape), depth

    def positions(self, gap):
        """Return positions and numbers of a stack from base to tip, `gap` mm apart.

        The stack covers the ventricles at end-diastole, and slice number 0 is the
        mid-ventricular one.
        """
        heart = self.patient.heart
        first = -int((self.patient.middle - 1.0) // gap)
        last = int((heart.length + 4.0 - self.patient.middle) // gap)
        numbers = np.arange(first, last + 1)
        return self.patient.middle + gap * numbers, numbers


def _texture(rng, size):
    """Slow unevenness of tissue, around 1."""
    total = np.ones(size, np.float32)
    for cells, amount in ((7, 0.05), (24, 0.04), (60, 0.03)):
        field = rng.standard_normal((cells, cells), dtype=np.float32)
        total += amount * cv2.resize(field, size[::-1], interpolation=cv2.INTER_CUBIC)
    return total
