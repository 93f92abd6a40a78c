"""Small pictures of an image and of where a model looks, as HTML that needs no other file."""

import base64
import io
from html import escape

import numpy as np
from matplotlib import colormaps
from PIL import Image

COLOURS = "plasma"  # from blue to yellow: seen on grey, told apart by the colour-blind as well
OPAQUE = 0.75  # share of the colour where the map is 1
GAP = 3  # white pixels between the two halves
LEAST = "11rem"  # width of a card, for two buttons beside each other
SPACE = 8  # pixels between cards

STYLE = """<style>
.exemplar-case { margin: 0; line-height: 1.35; }
.exemplar-case img { display: block; width: 100%; height: auto; background: white; }
.exemplar-case figcaption { margin: 0.25rem 0 0; overflow-wrap: anywhere; text-align: left; }
.exemplar-scale { display: inline-block; width: 5rem; height: 0.8rem; vertical-align: middle; }
.exemplar-grid { display: grid; margin: 0.5rem 0; }
.exemplar-slot { width: 20rem; max-width: 100%; margin: 0.5rem 1.5rem 0.5rem 0; }
</style>"""


def overlay(image, attention):
    """Lay a map over an image, the more opaque the higher it is.

    Parameters
    ----------
    image : numpy.ndarray of uint8, shape (h, w)
    attention : numpy.ndarray of float, shape (h, w)
        In [0, 1]. Where it is 0 the image stays as it is.

    Returns
    -------
    numpy.ndarray of uint8, shape (h, w, 3)
    """
    share = OPAQUE * attention[..., None]
    mixed = share * colormaps[COLOURS](attention)[..., :3] * 255 + (1 - share) * image[..., None]
    return np.rint(mixed).astype(np.uint8)


def pair_png(image, attention):
    """Draw an image and, on its right, the same image with its map laid over.

    Parameters
    ----------
    image, attention
        As for :func:`overlay`.

    Returns
    -------
    bytes
        A PNG, h pixels high and 2 w + `GAP` wide.
    """
    plain = np.repeat(image[..., None], 3, axis=2)
    gap = np.full((len(image), GAP, 3), 255, np.uint8)
    drawn = np.concatenate([plain, gap, overlay(image, attention)], axis=1)
    written = io.BytesIO()
    Image.fromarray(drawn).save(written, "PNG")
    return written.getvalue()


def figure_html(candidates, place):
    """Show one case: its image without and with the map, and what the model makes of it.

    Parameters
    ----------
    candidates : shortlib.report.exemplar_candidates.Candidates
    place : int

    Returns
    -------
    str
        A ``figure``, the picture inside as a data URL.
    """
    case = escape(str(candidates.case_ids[place]))
    label, predicted = (
        escape(candidates.label_names[numbers[place]])
        for numbers in (candidates.labels, candidates.predicted)
    )
    right = candidates.labels[place] == candidates.predicted[place]
    png = pair_png(candidates.images[place], candidates.maps[place])
    source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    return (
        f'<figure class="exemplar-case"><img src="{source}" alt="Image {case}, without and with '
        f'the map of attention"><figcaption><strong>{case}</strong><br>class: {label}<br>'
        f"predicted: {predicted} ({'right' if right else 'wrong'})<br>"
        f"confidence: {candidates.confidence[place]:.0%}</figcaption></figure>"
    )


def scale_html():
    """Say in words and colours how a map is read.

    Returns
    -------
    str
    """
    steps = np.linspace(0, 1, 9)
    grey = np.full((1, len(steps)), 128, np.uint8)
    colours = (f"rgb({r}, {g}, {b})" for r, g, b in overlay(grey, steps[None])[0].tolist())
    return (
        "<span>Each picture: the image alone, and with the model's attention laid over it, from "
        "none</span> "
        f'<span class="exemplar-scale" style="background: linear-gradient(to right, '
        f'{", ".join(colours)})"></span> <span>to the most.</span>'
    )


def grid_columns(columns):
    """Return the value of ``grid-template-columns`` for cards beside each other.

    Parameters
    ----------
    columns : int
        As many, and fewer where they would be too narrow.

    Returns
    -------
    str
        For a grid with gaps of `SPACE` pixels.
    """
    share = f"calc((100% - {(columns - 1) * SPACE}px) / {columns})"
    return f"repeat(auto-fill, minmax(max({LEAST}, {share}), 1fr))"
