"""End-diastole and end-systole of a short-axis study, as one case of two images."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from shortlib.data.images import fit_mask, fit_to
from shortlib.data.nifti import (
    min_max,
    read_codes,
    read_header,
    read_volume,
    resample,
    resample_codes,
)
from shortlib.data.paths import existing, inside
from shortlib.data.problems import DataError

PHASES = ("ED", "ES")
STRUCTURES = {"RV": 1, "myocardium": 2, "LV": 3}
PLANES = tuple(f"{structure} {phase}" for phase in PHASES for structure in STRUCTURES)
SPACING, SIDE = 1.5, 224

# What is known of made data lies beside the frame it belongs to, under this folder.
TRUTH = "annotations"
TRUTHS = ("abnormality", "shortcut")


def volume_file(root, stem):
    """Return the path below `root` of a volume that may be unpacked, as text.

    Parameters
    ----------
    root : pathlib.Path
    stem : str
        Below `root`, without ``.nii.gz``.
    """
    packed, plain = f"{stem}.nii.gz", f"{stem}.nii"
    there = inside(root, plain).is_file() and not inside(root, packed).is_file()
    return plain if there else packed


def truth_files(root, frame):
    """Return the files that say where the truth of one frame lies, by kind.

    Parameters
    ----------
    root : pathlib.Path
    frame : str
        Path of the frame below `root`.

    Returns
    -------
    dict of str to str
        ``"abnormality"`` and ``"shortcut"``; empty text where there is none.
    """
    stem = frame.removesuffix(".gz").removesuffix(".nii")
    found = {}
    for kind in TRUTHS:
        path = f"{TRUTH}/{stem}_{kind}.nii.gz"
        found[kind] = path if inside(root, path).is_file() else ""
    return found


def middle_slice(ed, es):
    """Return the mid-ventricular slice.

    Parameters
    ----------
    ed, es : numpy.ndarray of uint8, shape (slices, h, w)
        Ground truth of both phases.

    Returns
    -------
    int
        The middle one of the slices that hold the LV cavity in both phases, the later
        of two. Without such a slice the middle of the stack.
    """
    cavity = STRUCTURES["LV"]
    held = [(codes == cavity).any(axis=(1, 2)) for codes in (ed, es)]
    slices = np.flatnonzero(held[0] & held[1])
    return int(slices[len(slices) // 2]) if len(slices) else len(ed) // 2


def check_grid(spacing, side, planes):
    """Refuse a grid or planes that cannot be; returns the planes as a tuple."""
    if not 0 < spacing <= 20:
        raise ValueError(f"spacing is in mm, above 0 and at most 20, got {spacing!r}")
    if isinstance(side, bool) or int(side) != side or side < 1:
        raise ValueError(f"side is in pixels, at least 1, got {side!r}")
    planes = tuple(planes)
    if not set(planes) <= set(PLANES) or len(set(planes)) != len(planes):
        raise ValueError(f"planes are some of {', '.join(PLANES)}, got {planes}")
    return planes


@dataclass(frozen=True)
class Pair:
    """How the two phases of a case are read; rows have their paths by phase.

    Columns of a row: ``ED``, ``ES``, with ``truth`` also ``ED_gt``, ``ES_gt``, and
    ``ED_abnormality`` and so on where the data have it.

    Parameters
    ----------
    root : pathlib.Path
    spacing : float
        Millimetres between pixels.
    side : int
        Pixels of a side at that spacing; other sizes show the same field of view.
    planes : tuple of str
        Of the anatomy masks, some of :data:`PLANES`.
    truth : bool
        Whether there is ground truth, which decides the slice. Without it the slice
        is the middle of the stack.
    """

    root: Path
    spacing: float = SPACING
    side: int = SIDE
    planes: tuple[str, ...] = PLANES
    truth: bool = True
    _middles: dict = field(default_factory=dict, repr=False, compare=False)

    def readers(self, cases):
        """Return the readers that an index needs, and the names of the planes.

        Parameters
        ----------
        cases : pandas.DataFrame

        Returns
        -------
        readers : dict of str to callable
        planes : dict of str to tuple of str
        """
        readers, planes = {"images": self.images}, {}
        if self.truth and self.planes:
            readers["anatomy_masks"], planes["anatomy_masks"] = self.anatomy, self.planes
        if self._has(cases, "abnormality"):
            readers["abnormality_masks"] = self.abnormality
            planes["abnormality_masks"] = PHASES
        if self._has(cases, "shortcut"):
            readers["shortcut_masks"] = self.shortcut
        return readers, planes

    def images(self, case, size):
        """Read the mid-ventricular slices of ED and ES.

        Returns
        -------
        numpy.ndarray of float32, shape (2, size, size)
            In [0, 1], each phase scaled by its whole volume.
        """
        planes = []
        for phase in PHASES:
            values, header = read_volume(existing(self.root, case[phase], "image"))
            grid = min_max(resample(values, header.spacing, to=self.spacing, side=self.side))
            planes.append(fit_to(grid[self._middle(case)], size, "stretch"))
        return np.stack(planes)

    def anatomy(self, case, size):
        """Read the structures of the heart.

        Returns
        -------
        numpy.ndarray of bool, shape (len(planes), size, size)
        """
        codes = {phase: self._codes(case, phase) for phase in PHASES}
        out = []
        for plane in self.planes:
            structure, phase = plane.rsplit(" ", 1)
            volume, code = codes[phase], STRUCTURES[structure]
            if not (volume == code).any():
                raise DataError(
                    "incomplete ground truth",
                    f"no voxel is {structure} ({code}); leave {plane!r} out of planes if nobody "
                    "drew it",
                    path=self.root / case[f"{phase}_gt"],
                )
            out.append(self._plane(case, phase, volume == code, size))
        return np.stack(out)

    def abnormality(self, case, size):
        """Read where the abnormality of made data is: bool, shape (2, size, size)."""
        return np.stack([self._truth(case, phase, "abnormality", size) for phase in PHASES])

    def shortcut(self, case, size):
        """Read where the shortcut of made data is in either phase: bool, (size, size)."""
        ed, es = (self._truth(case, phase, "shortcut", size) for phase in PHASES)
        return ed | es

    def _has(self, cases, kind):
        columns = [f"{phase}_{kind}" for phase in PHASES]
        return all(column in cases for column in columns) and (cases[columns] != "").any(axis=None)

    def _header(self, case, phase):
        return read_header(existing(self.root, case[phase], "image"))

    def _codes(self, case, phase):
        path = existing(self.root, case[f"{phase}_gt"], "ground truth")
        codes = (0, *STRUCTURES.values())
        return read_codes(path, codes=codes, like=self._header(case, phase))

    def _truth(self, case, phase, kind, size):
        relative = case[f"{phase}_{kind}"]
        if not relative:
            raise DataError(
                "missing annotation",
                f"other cases have {phase} {kind}, {case['case_id']!r} has none",
                path=self.root / TRUTH,
            )
        path = existing(self.root, relative, "annotation")
        found = read_codes(path, codes=(0, 1), like=self._header(case, phase), what="annotation")
        return self._plane(case, phase, found == 1, size)

    def _plane(self, case, phase, mask, size):
        spacing = self._header(case, phase).spacing
        plane = mask[self._middle(case)]
        return fit_mask(
            resample_codes(plane, spacing, to=self.spacing, side=self.side), size, "stretch"
        )

    def _middle(self, case):
        key = case["case_id"]
        if key not in self._middles:
            shapes = [self._header(case, phase).shape for phase in PHASES]
            if shapes[0] != shapes[1]:
                raise DataError(
                    "phases disagree",
                    f"ED is {shapes[0]}, ES is {shapes[1]} (slices, rows, columns)",
                    path=self.root / case["ES"],
                )
            self._middles[key] = (
                middle_slice(*(self._codes(case, phase) for phase in PHASES))
                if self.truth
                else shapes[0][0] // 2
            )
        return self._middles[key]
