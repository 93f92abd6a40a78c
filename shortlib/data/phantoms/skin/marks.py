"""What a clinician puts beside the lesion: a ruler, marker ink, a coloured patch."""

import cv2
import numpy as np

from shortlib.data.phantoms.skin.noise import fractal, grid, smoothstep

_SHIFT = 4
_INKS = np.array([(0.42, 0.30, 0.78), (0.34, 0.34, 0.80), (0.36, 0.20, 0.58)], np.float32)
_STICKERS = np.array(
    [
        (38, 128, 196),
        (236, 142, 38),
        (62, 168, 110),
        (96, 178, 178),
        (160, 140, 200),
        (214, 70, 96),
        (238, 206, 60),
    ],
    np.float32,
)


def draw_ruler(rng, canvas, place):
    """Draw a ruler: tick marks at even steps, longer at every fifth and tenth.

    It lies near one side of the image, at a slight angle, with or without a base
    line and figures.

    Parameters
    ----------
    rng : numpy.random.Generator
    canvas : numpy.ndarray of float32, shape (3, h, w)
        The picture so far, in [0, 255].
    place : shortlib.data.phantoms.skin.outline.Place
        Not used.

    Returns
    -------
    alpha : numpy.ndarray of float32, shape (h, w)
        Opacity in [0, 1].
    colour : numpy.ndarray of float32, shape (3, 1, 1)
    """
    size = canvas.shape[1]
    side = 2 * size
    layer = np.zeros((side, side), np.uint8)
    turn = rng.choice((0, 0, 1, 3)) * np.pi / 2 + rng.normal(0, 0.10)
    along = np.array([np.cos(turn), np.sin(turn)])
    inward = np.array([np.sin(turn), -np.cos(turn)])
    bar = rng.random() < 0.6
    spacing = rng.uniform(0.035, 0.055) if bar else rng.uniform(0.09, 0.2)
    half = 10 if bar else int(1.0 / spacing)
    origin = -inward * rng.uniform(0.60, 0.86) + along * rng.normal(0, 0.12)
    short = rng.uniform(0.018, 0.03) if bar else rng.uniform(0.05, 0.09)
    ticks = np.arange(-half, half + 1)
    lengths = short * np.where(ticks % 10 == half % 10, 2.0, np.where(ticks % 5 == 0, 1.5, 1.0))
    feet = origin + np.outer(ticks * spacing, along)
    tips = feet + np.outer(lengths, inward)
    thick = max(1, round(rng.uniform(0.7, 1.4) * side / 256))
    pixels = [np.rint((p + 1) * side / 2 * 2**_SHIFT).astype(int) for p in (feet, tips)]
    for foot, tip in zip(pixels[0].tolist(), pixels[1].tolist(), strict=True):
        cv2.line(layer, foot, tip, 255, thick, cv2.LINE_AA, _SHIFT)
    if bar or rng.random() < 0.3:
        ends = pixels[0][[0, -1]].tolist()
        cv2.line(layer, ends[0], ends[1], 255, thick, cv2.LINE_AA, _SHIFT)
    _figures(layer, feet, lengths, inward, ticks, half, bar)
    alpha = cv2.resize(layer, (size, size), interpolation=cv2.INTER_AREA)
    shade = rng.uniform(15, 70)
    opacity = rng.uniform(0.75, 0.97)
    colour = np.array([shade, shade, shade * 1.05], np.float32)[:, None, None]
    return alpha.astype(np.float32) * np.float32(opacity / 255), colour


def _figures(layer, feet, lengths, inward, ticks, half, bar):
    """Write "mm" at a bar's end, or the centimetres at a scale's long ticks."""
    side = layer.shape[0]
    scale = side / 256 * 0.34
    places = [0] if bar else np.flatnonzero(ticks % 10 == half % 10)
    for number, k in enumerate(places):
        text = "mm" if bar else str(number + 1)
        at = feet[k] + (lengths[k] + 0.09) * inward
        x, y = ((at + 1) * side / 2).astype(int).tolist()
        corner = (x - int(8 * scale), y + int(8 * scale))
        cv2.putText(layer, text, corner, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, 1, cv2.LINE_AA)


def draw_ink(rng, canvas, place):
    """Draw purple or blue skin marker: strokes beside the lesion that the skin's relief breaks up.

    Parameters
    ----------
    rng : numpy.random.Generator
    canvas : numpy.ndarray of float32, shape (3, h, w)
        The picture so far, in [0, 255]; ink absorbs, so what is below shows through.
    place : shortlib.data.phantoms.skin.outline.Place
        Strokes begin outside the lesion.

    Returns
    -------
    alpha : numpy.ndarray of float32, shape (h, w)
        Opacity in [0, 1].
    colour : numpy.ndarray of float32, shape (3, h, w)
    """
    size = canvas.shape[1]
    layer = np.zeros((size, size), np.uint8)
    first = rng.uniform(0, 2 * np.pi)
    for k in range(int(rng.integers(1, 4))):
        angle = first + k * rng.uniform(1.2, 2.6)
        distance = np.clip(place.radius * 1.25, 0.62, 0.82) + rng.uniform(0, 0.1)
        x, y = distance * np.cos(angle), distance * np.sin(angle)
        heading = angle + np.pi / 2 + rng.normal(0, 0.5)
        turns = heading + rng.normal(0, 0.15, 9).cumsum()
        step = rng.uniform(0.03, 0.11)
        path = np.stack([np.cos(turns), np.sin(turns)], axis=1).cumsum(axis=0) * step
        path += (x, y) - path.mean(axis=0)
        points = np.rint((path + 1) * size / 2 * 2**_SHIFT).astype(np.int32)
        thick = max(2, round(rng.uniform(0.025, 0.075) * size))
        cv2.polylines(layer, [points], False, 255, thick, cv2.LINE_AA, _SHIFT)
    layer = cv2.GaussianBlur(layer, (0, 0), 0.010 * size)
    relief = fractal(rng, size, channels=2, first=8, octaves=4, gain=0.75)
    broken = smoothstep(relief[:, :, 0], -1.6, 0.6)
    broken *= 0.6 + 0.4 * smoothstep(relief[:, :, 1], -1, 1)
    alpha = layer.astype(np.float32) * np.float32(rng.uniform(0.6, 0.95) / 255) * broken
    return alpha, canvas * _INKS[rng.integers(len(_INKS))][:, None, None]


def draw_patches(rng, canvas, place):
    """Draw coloured stickers at the image's side: a felt disc, or a ring round a disc.

    Parameters
    ----------
    rng : numpy.random.Generator
    canvas : numpy.ndarray of float32, shape (3, h, w)
        The picture so far, in [0, 255].
    place : shortlib.data.phantoms.skin.outline.Place
        A sticker stays clear of the lesion where the frame leaves room.

    Returns
    -------
    alpha : numpy.ndarray of float32, shape (h, w)
        Opacity in [0, 1]; 1 inside the sticker.
    colour : numpy.ndarray of float32, shape (3, h, w)
    """
    size = canvas.shape[1]
    x, y = grid(size)
    felt = fractal(rng, size, channels=1, first=32, octaves=3, gain=1.0)
    glow = np.float32(rng.uniform(0.8, 1.1))
    side = rng.integers(4)
    radius = np.float32(rng.uniform(0.35, 0.85))
    shown = np.clip(rng.uniform(0.15, 0.42), 0, max(0.15, 0.9 - place.radius))
    along = rng.uniform(-0.6, 0.6)
    outward = 1 - shown + radius
    cx, cy = ((outward, along), (-outward, along), (along, outward), (along, -outward))[side]
    distance = cv2.magnitude(x - np.float32(cx), y - np.float32(cy))
    edge = np.float32(2.0 / size)
    alpha = smoothstep(distance, radius + edge, radius - edge)
    outer, inner = _STICKERS[rng.permutation(len(_STICKERS))[:2]][:, :, None, None]
    colour = outer
    if rng.random() < 0.3:
        hole = smoothstep(distance, 0.62 * radius + edge, 0.62 * radius - edge)
        colour = colour + hole * (inner - colour)
    # Stickers are lit from above and stand off the skin, so their rim is darker.
    rim = 1 - np.float32(0.25) * smoothstep(distance, radius - 4 * edge, radius)
    shade = glow * rim * (1 + np.float32(0.045) * felt)
    return alpha, np.clip(colour * shade, 0, 255)


def draw_dark_corner(rng, canvas, place):
    """Draw the dark corners of a round dermatoscope.

    The aperture may be so small that the circle is seen whole or so large that only
    the corners are dark; frames that were squashed to a square make it an ellipse.

    Parameters
    ----------
    rng : numpy.random.Generator
    canvas : numpy.ndarray of float32, shape (3, h, w)
        The picture so far, in [0, 255].
    place : shortlib.data.phantoms.skin.outline.Place
        Not used: the aperture is in the middle of the image.

    Returns
    -------
    alpha : numpy.ndarray of float32, shape (h, w)
        Opacity in [0, 1]; 1 in the dark.
    colour : numpy.ndarray of float32, shape (3, 1, 1)
    """
    x, y = grid(canvas.shape[1])
    ox, oy = rng.normal(0, 0.04, 2)
    radius = rng.uniform(0.97, 1.30)
    aspect = rng.choice((1.0, 1.0, 1.15))
    across, down = x - np.float32(ox), (y - np.float32(oy)) * np.float32(aspect / 1.05)
    distance = cv2.magnitude(across, down)
    soft = rng.choice((0.02, 0.05, 0.14), p=(0.5, 0.35, 0.15))
    alpha = smoothstep(distance, radius - soft, radius + soft)
    shade = rng.uniform(3, 16)
    return alpha, np.array([shade, shade * 0.95, shade * 0.95], np.float32)[:, None, None]
