"""Radiographs stored as DICOM: their pixels as 8-bit grey, and a few words of their headers."""

import numpy as np
import pydicom
from pydicom.pixels import apply_modality_lut, apply_voi_lut

from shortlib.data.images import decoding, fit_to
from shortlib.data.problems import DataError

# What a header tells, by the name it gets here.
FIELDS = {
    "image_id": "SOPInstanceUID",
    "patient_id": "PatientID",
    "sex": "PatientSex",
    "age": "PatientAge",
    "view": "ViewPosition",
}

_YEARS = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}
_OLDEST = 120
# What changes stored values on their way to the screen.
_SHOWN = ("ModalityLUTSequence", "RescaleSlope", "VOILUTSequence", "WindowWidth")


def read_dicom(path, *, size=None, fit="crop", expected=None):
    """Read one radiograph as 8-bit grey, bright where X-rays were stopped.

    Stored values go through what the file says: rescaling (or its look-up table), then
    the first window (or its look-up table). Without a window, 8-bit values that are
    not rescaled stay as they are, and deeper ones are stretched from the image's
    least to its largest value. MONOCHROME1 is inverted.

    Parameters
    ----------
    path : pathlib.Path
        Uncompressed, RLE or JPEG baseline; other kinds of compression if pydicom
        has a decoder for them.
    size : int, optional
        Side of the result in pixels; by default the image keeps its size.
    fit : str
        See :func:`shortlib.data.images.fit_to`.
    expected : tuple of int, optional
        ``(height, width)`` that every image of the data set has.

    Returns
    -------
    numpy.ndarray of uint8, shape (1, h, w)

    Raises
    ------
    DataError
        If the file is no DICOM, is damaged or cut, has several frames, colour, more
        than 16 bits, no pixels, or another size than `expected`.
    """
    with decoding(path, "image"):
        file = pydicom.dcmread(path)
        _check(file, expected, path)
        grey = _grey(file, path)
    if size is not None:
        grey = fit_to(grey, size, fit)
    return grey[None]


def read_header(path):
    """Read what the header says about the image, without its pixels.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    dict
        ``image_id``, ``patient_id``, ``sex`` (``"M"``, ``"F"``, ``"O"`` or ``""``) and
        ``view`` as text, empty where the header does not say; ``age`` in years, NaN
        where it does not say or says more than 120.

    Raises
    ------
    DataError
        If the file is no DICOM, or its age is no age.
    """
    with decoding(path, "header"):
        file = pydicom.dcmread(
            path, stop_before_pixels=True, specific_tags=[*FIELDS.values(), "Modality"]
        )
        found = {name: _text(file, tag) for name, tag in FIELDS.items()}
        return {**found, "age": _years(found["age"], path)}


def read_size(path):
    """Read the height and width in pixels from the header.

    Returns
    -------
    tuple of int

    Raises
    ------
    DataError
        If the file is no DICOM or does not say.
    """
    with decoding(path, "header"):
        file = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["Rows", "Columns"])
        return int(file.Rows), int(file.Columns)


def _text(file, tag):
    # The raw bytes: real files hold values that break the standard ("51" for "051Y"),
    # of which pydicom warns whenever it converts one.
    element = file.get_item(tag) if tag in file else None
    value = "" if element is None else element.value
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    return str(value or "").strip(" \0")


def _years(text, path):
    number, unit = (text[:-1], text[-1]) if text[-1:].isalpha() else (text, "Y")
    if not text:
        return float("nan")
    if unit not in _YEARS or not number.isascii() or not number.isdecimal():
        raise DataError("bad age", f"PatientAge is like 051Y or 51, got {text[:20]!r}", path=path)
    years = int(number) * _YEARS[unit]
    return years if years <= _OLDEST else float("nan")


def _check(file, expected, path):
    if "PixelData" not in file:
        raise DataError("no pixels", "the file has a header and no image", path=path)
    frames = int(file.get("NumberOfFrames") or 1)
    if frames != 1:
        raise DataError("several frames", f"has {frames}; a radiograph has one", path=path)
    kind = str(file.get("PhotometricInterpretation", ""))
    if int(file.get("SamplesPerPixel", 1)) != 1 or kind not in ("MONOCHROME1", "MONOCHROME2"):
        raise DataError(
            "colour image", f"stored as {kind or 'nothing'}; MONOCHROME1 or 2 is due", path=path
        )
    bits = int(file.BitsStored)
    if not 1 < bits <= 16 or file.BitsAllocated not in (8, 16):
        raise DataError(
            "depth of image", f"{bits} bits in {file.BitsAllocated}; 8 to 16 are due", path=path
        )
    found = (int(file.Rows), int(file.Columns))
    if expected is not None and found != tuple(expected):
        raise DataError(
            "wrong size of image",
            f"{found[1]}x{found[0]} px, in this data set it is {expected[1]}x{expected[0]} px",
            path=path,
        )


def _grey(file, path):
    stored = file.pixel_array
    inverted = file.PhotometricInterpretation == "MONOCHROME1"
    if stored.dtype == np.uint8 and file.BitsStored == 8 and not any(t in file for t in _SHOWN):
        return 255 - stored if inverted else stored.copy()
    values = np.asarray(apply_modality_lut(stored, file), np.float64)
    if "VOILUTSequence" in file:
        deepest = 2.0 ** int(file.VOILUTSequence[0].LUTDescriptor[2]) - 1
        shown = apply_voi_lut(values.astype(np.int64), file, prefer_lut=True) / deepest
    elif _first(file, "WindowWidth") is not None:
        shown = _windowed(values, file, path)
    elif file.BitsStored == 8 and np.array_equal(values, stored) and stored.min() >= 0:
        shown = values / 255
    else:
        low, high = values.min(), values.max()
        shown = (values - low) / max(high - low, 1e-12)
    if inverted:
        shown = 1 - shown
    return np.rint(np.clip(shown, 0, 1) * 255).astype(np.uint8)


def _first(file, tag):
    """Return the first of one or several numbers, or None."""
    value = file.get(tag)
    if value is None or value == "":
        return None
    return float(value if np.isscalar(value) else value[0])


def _windowed(values, file, path):
    """Map a window to [0, 1]; the three functions of DICOM PS3.3, C.11.2.1."""
    center, width = _first(file, "WindowCenter"), _first(file, "WindowWidth")
    kind = file.get("VOILUTFunction") or "LINEAR"
    if center is None or width < 1 or not np.isfinite([center, width]).all():
        raise DataError("bad window", f"center {center}, width {width}", path=path)
    if kind == "SIGMOID":
        return 1 / (1 + np.exp(-4 * np.clip((values - center) / width, -50, 50)))
    if kind == "LINEAR_EXACT":
        return (values - center) / width + 0.5
    if kind != "LINEAR":
        raise DataError("bad window", f"VOILUTFunction is {str(kind)[:30]!r}", path=path)
    return (values - (center - 0.5)) / max(width - 1, 1e-6) + 0.5
