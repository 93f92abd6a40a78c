"""Discs of one size that cover the hearts, and what fills them."""

import cv2
import numpy as np

# How many times as far as the farthest pixel of a heart its disc goes.
_BEYOND = 1.1
# Pixels around an unknown one from which its value is made.
_NEAR = 3.0


def covering_radius(hearts):
    """Return the radius at which a disc about each heart's centre covers every heart.

    Parameters
    ----------
    hearts : numpy.ndarray of bool, shape (n, 2, h, w)
        See :func:`shortlib.shortcuts.background.heart_masks`; none of them empty. Give
        the hearts of all parts of a study together, so that one radius serves them all.

    Returns
    -------
    int
        Pixels; a tenth more than the farthest pixel of a heart asks for, since the wall of
        the right ventricle and the fat about the heart, which contours leave out, follow
        its shape.

    Raises
    ------
    ValueError
        If there is no heart, or one is empty.
    """
    if not len(hearts):
        raise ValueError("hearts must hold at least one case, got none")
    return int(np.ceil(_BEYOND * np.sqrt(_reaches(hearts).max())))


def discs(hearts, radius=None):
    """Return a disc about each heart, the same in both phases.

    Parameters
    ----------
    hearts : numpy.ndarray of bool, shape (n, 2, h, w)
        None of them empty.
    radius : int, optional
        By default the :func:`covering_radius`.

    Returns
    -------
    numpy.ndarray of bool, shape (n, h, w)
        Of one size, but for what lies beyond the image's border.

    Raises
    ------
    ValueError
        If a heart is empty or larger than the disc.
    """
    radius = covering_radius(hearts) if radius is None else radius
    reaches = _reaches(hearts)
    if not (reaches <= radius**2).all():
        case = int(reaches.argmax())
        raise ValueError(
            f"radius must be at least {np.ceil(np.sqrt(reaches[case])):.0f} pixels to cover the "
            f"heart of case {case}, got {radius}"
        )
    rows, columns = np.ogrid[: hearts.shape[2], : hearts.shape[3]]
    found = np.empty((len(hearts), *hearts.shape[2:]), bool)
    for case, heart in enumerate(hearts.any(axis=1)):
        row, column = _centre(heart)
        found[case] = (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
    return found


def fill_disc(image, disc):
    """Fill a disc from what surrounds it.

    Parameters
    ----------
    image : numpy.ndarray, shape (h, w)
        uint8 or float32; not changed.
    disc : numpy.ndarray of bool, shape (h, w)
        Not all of the image.

    Returns
    -------
    numpy.ndarray
        As `image`, and the very same pixels outside the disc. Those inside lie between the
        darkest and the brightest of them, and do not depend on what was there.

    References
    ----------
    Bertalmio, Bertozzi and Sapiro (2001), as OpenCV has it.
    """
    # Blank first, so that nothing of the disc can be read. Telea's way, OpenCV's other
    # one, adds a term of about 1 to each pixel, a grey level of 255, which ruins images
    # in [0, 1].
    blank = np.where(disc, 0, image).astype(np.float32)
    scale = np.float32(255 if image.dtype == np.uint8 else 1)
    made = cv2.inpaint(blank / scale, disc.astype(np.uint8), _NEAR, cv2.INPAINT_NS) * scale
    made = np.rint(made) if image.dtype == np.uint8 else made
    return np.where(disc, made.astype(image.dtype), image)


def _centre(heart):
    """Middle of a heart's box, in whole pixels, so that all discs have the same outline."""
    lines = (np.flatnonzero(heart.any(axis=axis)) for axis in (1, 0))
    return tuple(int(line[0] + line[-1]) // 2 for line in lines)


def _reaches(hearts):
    """Squared distance from each heart's centre to its farthest pixel, shape (n,)."""
    found = np.zeros(len(hearts), np.int64)
    for case, heart in enumerate(hearts.any(axis=1)):
        if not heart.any():
            raise ValueError(f"hearts must not be empty, case {case} is")
        pixels = np.argwhere(heart) - _centre(heart)
        found[case] = (pixels**2).sum(axis=1).max()
    return found
