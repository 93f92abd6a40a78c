"""Images and masks from files, at the size a cohort wants them."""

from contextlib import contextmanager

import cv2
import numpy as np
from PIL import Image

from shortlib.data.problems import DataError

FITS = ("crop", "stretch", "pad")

# How far the channels of a grey image that was stored in colour may lie apart; JPEG
# moves them by a few levels.
GREY_TOLERANCE = 12

# Share of a mask that may be neither black nor white.
GREY_EDGES = 0.05

_GREY, _COLOUR = ("L", "1"), ("RGB", "P", "YCbCr")


@contextmanager
def decoding(path, what):
    """Turn whatever a decoder raises on a damaged file into a :class:`DataError`."""
    try:
        yield
    except DataError:
        raise
    # Decoders raise OSError, SyntaxError, struct.error, zlib.error, IndexError and more on
    # bytes that are not theirs; all of them mean the same here.
    except Exception as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"unreadable {what}", said[:300], path=path) from error


def read_image(path, *, channels=1, size=None, fit="crop", expected=None):
    """Read an 8-bit image.

    Parameters
    ----------
    path : pathlib.Path
    channels : int
        1 for grey, 3 for colour. A file stored in colour whose channels agree is
        grey.
    size : int, optional
        Side of the result in pixels; by default the image keeps its size.
    fit : str
        See :func:`fit_to`.
    expected : tuple of int, optional
        ``(height, width)`` that every image of the data set has.

    Returns
    -------
    numpy.ndarray of uint8, shape (channels, h, w)

    Raises
    ------
    DataError
        If the file cannot be decoded, has another size than `expected`, is 16-bit,
        transparent, or is colour where grey is due or the reverse.
    """
    with decoding(path, "image"), Image.open(path) as image:
        _check_size(image, expected, path, "image")
        if size is not None:
            image.draft(None, (2 * size, 2 * size))  # a JPEG is decoded at a fraction of its size
        pixels = _pixels(image, path, "image")
    if channels == 1 and pixels.ndim == 3:
        pixels = _as_grey(pixels, path, "image")
    if channels == 3 and pixels.ndim == 2:
        raise DataError("grey image", "images of this data set are in colour", path=path)
    if size is not None:
        pixels = fit_to(pixels, size, fit)
    return pixels[None] if channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def read_mask(path, *, size=None, fit="crop", expected=None):
    """Read a mask: zero is outside, 255 (or 1) is inside.

    Greys along an edge, as resampling or JPEG leave them, count from 128 on as inside.

    Parameters
    ----------
    path, size, fit, expected
        As in :func:`read_image`.

    Returns
    -------
    numpy.ndarray of bool, shape (h, w)

    Raises
    ------
    DataError
        If the file cannot be decoded, has another size than `expected`, or is not
        black and white: more than `GREY_EDGES` of it is neither.
    """
    with decoding(path, "mask"), Image.open(path) as image:
        _check_size(image, expected, path, "mask")
        pixels = _pixels(image, path, "mask")
    if pixels.ndim == 3:
        pixels = _as_grey(pixels, path, "mask")
    top = int(pixels.max(initial=0))
    mask = pixels >= (128 if top > 1 else 1)
    between = (pixels > GREY_TOLERANCE) & (pixels < 255 - GREY_TOLERANCE)
    if 1 < top < 255 - GREY_TOLERANCE or between.mean() > GREY_EDGES:
        values = np.unique(pixels)[:6].tolist()
        raise DataError("mask is not binary", f"holds {values}; a mask is 0 and 255", path=path)
    return mask if size is None else fit_mask(mask, size, fit)


def same_field(path, image):
    """Refuse a mask whose sides are in another proportion than its image's.

    Parameters
    ----------
    path, image : pathlib.Path
        Of the mask and of the image; only their headers are read.

    Raises
    ------
    DataError
        If the mask at the image's size would be more than a pixel wider or narrower.
    """
    with decoding(image, "image"), Image.open(image) as opened:
        width, height = opened.size
    with decoding(path, "mask"), Image.open(path) as opened:
        across, down = opened.size
    if abs(across * height - width * down) > max(width, height, across, down):
        raise DataError(
            "wrong size of mask",
            f"{across}x{down} px do not cover the field of its image of {width}x{height} px",
            path=path,
        )


def read_planes(path, count, *, size=None, fit="crop", keep="half"):
    """Read masks that share one 8-bit file, a bit each.

    Parameters
    ----------
    path : pathlib.Path
    count : int
        Planes that there may be.
    size, fit, keep
        See :func:`fit_mask`.

    Returns
    -------
    numpy.ndarray of bool, shape (count, h, w)
    """
    with decoding(path, "mask"), Image.open(path) as image:
        bits = _pixels(image, path, "mask")
    if bits.ndim != 2 or bits.max(initial=0) >= 1 << count:
        raise DataError("mask is not binary", f"more than {count} planes", path=path)
    planes = [(bits >> k & 1).astype(bool) for k in range(count)]
    return np.stack(
        planes if size is None else [fit_mask(plane, size, fit, keep=keep) for plane in planes]
    )


def fit_to(pixels, size, fit="crop"):
    """Bring an image to a square of `size` pixels.

    Parameters
    ----------
    pixels : numpy.ndarray, shape (h, w) or (h, w, 3)
    size : int
    fit : str
        ``"crop"``: the middle square, as large as fits, becomes `size`. ``"pad"``: the
        longer side becomes `size`, zeros fill the rest. ``"stretch"``: both sides
        become `size`, proportions change.

    Returns
    -------
    numpy.ndarray, shape (size, size) or (size, size, 3)

    Raises
    ------
    ValueError
        If `fit` is unknown or `size` is no positive whole number.
    """
    if fit not in FITS:
        raise ValueError(f"fit must be one of {FITS}, got {fit!r}")
    if isinstance(size, bool) or int(size) != size or size < 1:
        raise ValueError(f"size is a side in pixels, at least 1, got {size!r}")
    height, width = pixels.shape[:2]
    if fit == "stretch":
        return _resize(pixels, size, size)
    if fit == "crop":
        # Cut before resizing, so that a strip of an image does not become a huge one.
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        return _resize(pixels[top : top + side, left : left + side], size, size)
    scale = size / max(height, width)
    pixels = _resize(pixels, max(round(height * scale), 1), max(round(width * scale), 1))
    height, width = pixels.shape[:2]
    out = np.zeros((size, size, *pixels.shape[2:]), pixels.dtype)
    top, left = (size - height) // 2, (size - width) // 2
    out[top : top + height, left : left + width] = pixels
    return out


def fit_mask(mask, size, fit="crop", *, keep="half"):
    """Bring a mask to a square of `size` pixels, the way :func:`fit_to` brings its image.

    Parameters
    ----------
    mask : numpy.ndarray of bool, shape (h, w)
    size : int
    fit : str
    keep : str
        A pixel of the result is inside when at least ``"half"`` of it was, or
        ``"any"`` of it, which thin structures need.

    Returns
    -------
    numpy.ndarray of bool, shape (size, size)
    """
    share = fit_to(mask.astype(np.float32), size, fit)
    return share >= 0.5 if keep == "half" else share > 1e-3


def _resize(pixels, height, width):
    if pixels.shape[:2] == (height, width):
        return pixels
    smaller = height < pixels.shape[0] or width < pixels.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return cv2.resize(pixels, (width, height), interpolation=how)


def _check_size(image, expected, path, what):
    found = (image.height, image.width)
    if expected is not None and found != tuple(expected):
        raise DataError(
            f"wrong size of {what}",
            f"{found[1]}x{found[0]} px, in this data set it is {expected[1]}x{expected[0]} px",
            path=path,
        )


def _pixels(image, path, what):
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa"):
        image = image.convert("RGBA")
        if image.getextrema()[3][0] < 255:
            raise DataError(f"transparent {what}", "every pixel must be opaque", path=path)
        image = image.convert("RGB")
    elif image.mode in _COLOUR:
        image = image.convert("RGB")
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode not in _GREY:
        deep = image.mode[0] in "IF"
        kind = f"{what} is not 8-bit" if deep else f"colours of {what}"
        raise DataError(kind, f"stored as {image.mode}; 8-bit grey or RGB is due", path=path)
    return np.array(image)


def _as_grey(pixels, path, what):
    low = pixels.min(axis=2)
    apart = int((pixels.max(axis=2) - low).max(initial=0))
    if apart > GREY_TOLERANCE:
        raise DataError(
            f"colour {what}", f"channels differ by up to {apart} levels; grey is due", path=path
        )
    return np.ascontiguousarray(pixels[..., 1])
