"""The seven artefacts laid over a picture, each with the mask of the pixels it touches."""

import numpy as np

from shortlib.data.phantoms.skin.association import SHORTCUTS
from shortlib.data.phantoms.skin.gel import draw_gel_border, draw_gel_bubbles
from shortlib.data.phantoms.skin.hair import draw_hair
from shortlib.data.phantoms.skin.marks import (
    draw_dark_corner,
    draw_ink,
    draw_patches,
    draw_ruler,
)

# From the skin up to the lens.
_LAYERS = {
    "ink": draw_ink,
    "patches": draw_patches,
    "hair": draw_hair,
    "ruler": draw_ruler,
    "gel_border": draw_gel_border,
    "gel_bubble": draw_gel_bubbles,
    "dark_corner": draw_dark_corner,
}

# Opacity below this is not drawn: it would change no pixel that can be seen.
_LEAST = np.float32(0.03)


def lay_artefacts(streams, canvas, place, present):
    """Lay the artefacts that are present over a picture.

    Parameters
    ----------
    streams : callable
        Gives the random stream of an artefact by its name, so that one artefact is
        the same whatever others are there.
    canvas : numpy.ndarray of float32, shape (3, h, w)
        The picture, in [0, 255]; changed in place.
    place : shortlib.data.phantoms.skin.outline.Place
        Of the lesion.
    present : numpy.ndarray of bool, shape (7,)
        In the order of `SHORTCUTS`.

    Returns
    -------
    numpy.ndarray of bool, shape (7, h, w)
        The pixels that each artefact touches, less those that an opaque one above it
        hides. No pixel outside an artefact's mask depends on it.
    """
    masks = np.zeros((len(SHORTCUTS), *canvas.shape[1:]), bool)
    for name, draw in _LAYERS.items():
        row = SHORTCUTS.index(name)
        if not present[row]:
            continue
        alpha, colour = draw(streams(name), canvas, place)
        drawn = alpha >= _LEAST
        opaque = alpha >= 1
        if opaque.any():
            masks &= ~opaque
        masks[row] = drawn
        alpha = alpha * drawn
        canvas += alpha * (colour - canvas)
    return masks
