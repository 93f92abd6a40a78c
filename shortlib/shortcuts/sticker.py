"""A coloured disc on the skin, of which a chosen share lies on the lesion."""

import cv2
import numpy as np

# Part of the disc's colour that covers what is below it; the rest shines through.
OPACITY = 0.85
COLOUR = (64, 92, 196)


def sticker_places(mask, radius):
    """Return the share of a disc that lies on a mask, for every place of the disc.

    Parameters
    ----------
    mask : numpy.ndarray of bool, shape (h, w)
    radius : int
        Of the disc, in pixels.

    Returns
    -------
    numpy.ndarray of float32, shape (h - 2 radius, w - 2 radius)
        Element (i, j) is of the disc whose middle is pixel (radius + i, radius + j): those are all
        places at which the whole disc lies in the image.

    Raises
    ------
    ValueError
        If the radius is none, or the disc does not fit into the image.
    """
    if type(radius) is not int or radius < 0:
        raise ValueError(f"radius must be a whole number of pixels, 0 or more, got {radius!r}")
    disc = _disc(radius)
    if min(mask.shape) < len(disc):
        raise ValueError(
            f"radius must leave the disc in the image of {mask.shape[0]} x {mask.shape[1]} px, got "
            f"{radius}"
        )
    kernel = disc.astype(np.float32) / disc.sum()
    shares = cv2.filter2D(mask.astype(np.float32), cv2.CV_32F, kernel)
    return shares[radius : mask.shape[0] - radius, radius : mask.shape[1] - radius]


def place_sticker(mask, *, overlap, radius, rng):
    """Choose a place for a disc at which a share of it lies on a mask.

    Parameters
    ----------
    mask : numpy.ndarray of bool, shape (h, w)
        Of the lesion.
    overlap : float
        The share wanted, in [0, 1].
    radius : int
        Of the disc, in pixels.
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray of bool, shape (h, w)
        The disc: at random among the places whose share is within 0.05 of the one that is wanted,
        or at the one that comes closest. A lesion smaller than the disc, or one that leaves no
        room, cannot be met exactly.

    Raises
    ------
    ValueError
        If `overlap` is no share, or the disc does not fit into the image.
    """
    if not 0 <= overlap <= 1:
        raise ValueError(f"overlap is a share in [0, 1], got {overlap}")
    away = np.abs(sticker_places(mask, radius) - overlap)
    usable = np.argwhere(away <= max(0.05, float(away.min())))
    row, column = usable[rng.integers(len(usable))]
    placed = np.zeros(mask.shape, dtype=bool)
    placed[row : row + 2 * radius + 1, column : column + 2 * radius + 1] = _disc(radius)
    return placed


def draw_sticker(image, placed):
    """Draw a sticker into a picture.

    Parameters
    ----------
    image : numpy.ndarray of uint8, shape (3, h, w)
        Not changed.
    placed : numpy.ndarray of bool, shape (h, w)
        See :func:`place_sticker`.

    Returns
    -------
    numpy.ndarray of uint8, shape (3, h, w)
        The very same pixels outside the disc.
    """
    colour = np.array(COLOUR, np.float32)[:, None, None]
    covered = np.rint(OPACITY * colour + (1 - OPACITY) * image).astype(np.uint8)
    return np.where(placed, covered, image)


def _disc(radius):
    rows, columns = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    return rows**2 + columns**2 <= radius**2
