"""Cardiac volumes from NIfTI files, checked, and brought to one grid slice by slice."""

from dataclasses import dataclass
from functools import lru_cache

import nibabel
import numpy as np
from nibabel.openers import ImageOpener
from scipy import ndimage, sparse

from shortlib.data.images import decoding
from shortlib.data.problems import DataError

# A short-axis pixel is 0.7 to 3 mm, a slice 5 to 10 mm thick; beyond these bounds a
# header is in other units or damaged.
_SPACING = (0.1, 50.0)
_LONGEST_SIDE, _MOST_VOXELS = 4096, 2**28
# How far a code may lie from a whole number.
_OFF = 1e-3


@dataclass(frozen=True)
class Header:
    """What a file says of its voxels.

    Parameters
    ----------
    shape : tuple of int
        ``(slices, h, w)``, or ``(phases, slices, h, w)`` of a cine.
    spacing : tuple of float
        Millimetres from row to row and from column to column.
    thickness : float
        Millimetres from slice to slice.
    """

    shape: tuple[int, ...]
    spacing: tuple[float, float]
    thickness: float


def read_header(path, *, axes=3):
    """Read shape and spacing, not the voxels.

    The spacing is the header's ``pixdim``: the oblique matrices of cine files are
    often without scale.

    Parameters
    ----------
    path : pathlib.Path
    axes : int
        3 for one phase, 4 for a whole cine. Further axes of length 1 are dropped.

    Returns
    -------
    Header

    Raises
    ------
    DataError
        If the file is no NIfTI file, has another number of axes, an empty or an
        absurdly long one, or a spacing that no scanner has.
    """
    return _opened(path, axes, "volume")[1]


def read_volume(path, *, axes=3):
    """Read the intensities of one phase or of a whole cine.

    Parameters
    ----------
    path, axes
        As in :func:`read_header`.

    Returns
    -------
    values : numpy.ndarray of float32, shape (slices, h, w) or (phases, slices, h, w)
        Rows run along the file's second axis and columns along its first, so that a
        slice is seen as it was scanned.
    header : Header

    Raises
    ------
    DataError
        If the file is damaged, cut short or not as :func:`read_header` wants it, if
        a voxel is not a finite number, or if all voxels are equal.
    """
    values, header = _voxels(path, axes, "volume")
    with np.errstate(over="ignore"):
        values = values.astype(np.float32)
    if not np.isfinite(values).all():
        n = int((~np.isfinite(values)).sum())
        raise DataError("not a number", f"{n} voxels are NaN or infinite", path=path)
    if values.min() == values.max():
        raise DataError(
            "constant volume", f"every voxel is {values.flat[0]:g}; nothing is seen", path=path
        )
    return values, header


def read_codes(path, *, codes, like, what="ground truth"):
    """Read a mask whose voxels are codes of structures.

    Parameters
    ----------
    path : pathlib.Path
    codes : sequence of int
        Those that there may be, zero among them.
    like : Header
        Of the image that the mask belongs to.
    what : str
        What the file is; names the problem.

    Returns
    -------
    numpy.ndarray of uint8, shape (slices, h, w)

    Raises
    ------
    DataError
        If the file is damaged, holds other values than `codes`, or its shape or
        spacing is not the image's; a spacing of 1 mm, which is what a header says that
        was never filled in, is not compared.
    """
    values, header = _voxels(path, 3, what)
    if header.shape != like.shape:
        raise DataError(
            f"wrong size of {what}",
            f"slices, rows and columns are {header.shape}, those of its image {like.shape}",
            path=path,
        )
    # A header that nobody filled in says 1 mm; the mask then lies on its image's grid.
    stated = not np.allclose(header.spacing, 1.0)
    if stated and not np.allclose(header.spacing, like.spacing, rtol=0.01):
        raise DataError(
            f"wrong spacing of {what}",
            f"{_mm(header.spacing)} mm, that of its image is {_mm(like.spacing)} mm",
            path=path,
        )
    # Codes that a program stored with a slope come back a little off: 0.99998 for 1.
    whole = np.rint(values)
    odd = values[~np.isin(whole, codes) | ~(np.abs(values - whole) < _OFF)]
    if odd.size:
        due = ", ".join(map(str, codes))
        raise DataError(
            f"unknown code in {what}",
            f"{odd.size} voxels are none of {due}; the first is {odd[0]:g}",
            path=path,
        )
    return whole.astype(np.uint8)


def resample(values, spacing, *, to=1.5, side=224):
    """Bring the slices of a volume to square pixels and a square, by cubic splines.

    The grid shares its centre with the slice. It is cut or filled with zeros around
    the centre, as in the preparation that the released code of Nakashima et al. 2023
    uses; the third axis stays.

    Parameters
    ----------
    values : numpy.ndarray, shape (..., h, w)
    spacing : tuple of float
        Millimetres between rows and between columns.
    to : float
        Millimetres between pixels afterwards.
    side : int
        Pixels of a side afterwards.

    Returns
    -------
    numpy.ndarray of float32, shape (..., side, side)
        Within the range of `values`, and zero outside the scanned field: what a
        spline overshoots is clipped.
    """
    rows = _spline(values.shape[-2], float(spacing[0]), float(to), int(side))
    columns = _spline(values.shape[-1], float(spacing[1]), float(to), int(side))
    h, w = values.shape[-2:]
    stack = values.reshape(-1, h, w).astype(np.float32)
    out = (rows @ stack.transpose(1, 0, 2).reshape(h, -1)).reshape(side * len(stack), w)
    out = (columns @ out.T).reshape(side, side, len(stack)).transpose(2, 1, 0)
    low, high = stack.min(axis=(1, 2), keepdims=True), stack.max(axis=(1, 2), keepdims=True)
    seen = np.diff(rows.indptr)[:, None] * np.diff(columns.indptr) > 0
    out = np.where(seen, np.clip(out, low, high), np.float32(0))
    return np.ascontiguousarray(out).reshape(*values.shape[:-2], side, side)


def resample_codes(codes, spacing, *, to=1.5, side=224):
    """Bring the slices of a mask to the grid of :func:`resample`, by the nearest pixel.

    Parameters
    ----------
    codes : numpy.ndarray of uint8 or bool, shape (..., h, w)
    spacing, to, side
        As in :func:`resample`.

    Returns
    -------
    numpy.ndarray of the same dtype, shape (..., side, side)
    """
    rows, rows_seen = _places(codes.shape[-2], spacing[0], to, side)
    columns, columns_seen = _places(codes.shape[-1], spacing[1], to, side)
    rows, columns = (np.floor(place + 0.5).astype(int) for place in (rows, columns))
    out = codes[..., rows[:, None], columns]
    return np.where(rows_seen[:, None] & columns_seen, out, out.dtype.type(0))


def min_max(volume):
    """Scale the intensities of a volume to [0, 1] by the range of its voxels that are not zero.

    Parameters
    ----------
    volume : numpy.ndarray of float32

    Returns
    -------
    numpy.ndarray of float32
        Voxels of zero, which lie outside the scanned field, stay zero.
    """
    seen = volume != 0
    if not seen.any():
        return np.zeros_like(volume)
    low, high = volume[seen].min(), volume[seen].max()
    scale = high - low
    scaled = (volume - low) / scale if scale > 0 else np.ones_like(volume)
    return np.where(seen, scaled, np.float32(0)).astype(np.float32)


def _places(n, spacing, to, side):
    """Where on an axis of `n` pixels each of `side` new pixels lies, and whether it is on it."""
    there = max(round(n * spacing / to), 1)  # pixels that the axis has after resampling
    place = np.arange(side) - (side - there) // 2
    seen = (place >= 0) & (place < there)
    place = (place - (there - 1) / 2) * to / spacing + (n - 1) / 2
    return np.clip(place, 0, n - 1), seen


@lru_cache(maxsize=64)
def _spline(n, spacing, to, side):
    """Matrix of cubic spline interpolation; interpolation is linear in the pixels."""
    place, seen = _places(n, spacing, to, side)
    columns = [
        ndimage.map_coordinates(unit, place[None], order=3, mode="mirror")
        for unit in np.eye(n, dtype=np.float64)
    ]
    matrix = np.stack(columns, axis=1) * seen[:, None]
    # Weights fall off by a factor of 4 a pixel. A product with the few that count needs
    # no linear algebra of several threads, which the threads that read would fight over.
    matrix[np.abs(matrix) < 1e-8] = 0
    return sparse.csr_array(matrix.astype(np.float32))


def _opened(path, axes, what):
    with decoding(path, what):
        image = nibabel.load(path)
        shape = tuple(int(n) for n in image.shape)
        zooms = tuple(float(zoom) for zoom in image.header.get_zooms())
        dtype = image.get_data_dtype()
        if 1.0 in zooms[:3]:  # which nibabel puts in the place of a zero
            with ImageOpener(str(path)) as file:
                stated = type(image.header).from_fileobj(file, check=False)["pixdim"][1:4]
            zooms = (*(abs(float(zoom)) for zoom in stated), *zooms[3:])[: len(shape)]
    while len(shape) > axes and shape[-1] == 1:
        shape, zooms = shape[:-1], zooms[:-1]
    if len(shape) != axes:
        raise DataError(
            f"wrong axes of {what}", f"shape {shape} has {len(shape)}, {axes} are due", path=path
        )
    if min(shape) < 1 or max(shape) > _LONGEST_SIDE or np.prod(shape, dtype=float) > _MOST_VOXELS:
        raise DataError(
            f"wrong size of {what}", f"shape {shape} is not that of a cine study", path=path
        )
    if dtype.kind not in "iuf":
        raise DataError(f"wrong voxels of {what}", f"{dtype}; one number is due", path=path)
    low, high = _SPACING
    if not all(low <= zoom <= high for zoom in zooms[:3]):
        raise DataError(
            "wrong spacing", f"{_mm(zooms[:3])} mm; from {low:g} to {high:g} mm is due", path=path
        )
    header = Header(shape[::-1], (zooms[1], zooms[0]), zooms[2])
    return image, header


def _voxels(path, axes, what):
    image, header = _opened(path, axes, what)
    with decoding(path, what), np.errstate(all="ignore"):
        values = np.asarray(image.dataobj).reshape(header.shape[::-1], order="F")
    return np.ascontiguousarray(values.T), header


def _mm(spacing):
    return " x ".join(f"{value:g}" for value in spacing)
