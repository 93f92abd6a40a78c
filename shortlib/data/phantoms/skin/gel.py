"""Immersion gel: the line at which it ends, and the bubbles in it."""

import cv2
import numpy as np

from shortlib.data.phantoms.skin.noise import fractal, grid, smoothstep


def draw_gel_border(rng, canvas, place):
    """Draw the edge of the gel: a wavy line, bright on one side and dark on the other.

    Beyond it the dry skin scatters more and looks paler. The gel covers the lesion.

    Parameters
    ----------
    rng : numpy.random.Generator
    canvas : numpy.ndarray of float32, shape (3, h, w)
        The picture so far, in [0, 255].
    place : shortlib.data.phantoms.skin.outline.Place

    Returns
    -------
    alpha : numpy.ndarray of float32, shape (h, w)
        Opacity in [0, 1].
    colour : numpy.ndarray of float32, shape (1, h, w)
    """
    size = canvas.shape[1]
    x, y = grid(size)
    heading = rng.uniform(0, 2 * np.pi)
    # The rim of a large drop: a circle whose nearest point lies between lesion and frame.
    start = rng.uniform(0.52, 0.8)
    radius = rng.uniform(0.9, 2.6)
    ox, oy = (start - radius) * np.cos(heading), (start - radius) * np.sin(heading)
    wave = fractal(rng, size, channels=2, first=3, octaves=4, gain=0.55)
    beyond = cv2.magnitude(x - np.float32(ox), y - np.float32(oy)) - np.float32(radius)
    beyond += np.float32(rng.uniform(0.015, 0.05)) * wave[:, :, 0]
    pixel = 2 / size
    width = np.float32(rng.uniform(0.6, 1.5) * max(pixel, 2 / 128))
    rim = cv2.exp(-((beyond / width) ** 2))
    shadow = cv2.exp(-(((beyond + 2 * width) / (1.5 * width)) ** 2))
    dry = smoothstep(beyond, 0, 0.02) * smoothstep(beyond, 0.55, 0.1)
    # The rim glistens in stretches.
    glint = smoothstep(wave[:, :, 1], -0.6, 0.8)
    white = rng.uniform(0.25, 0.65) * rim * (0.25 + 0.75 * glint)
    pale = rng.uniform(0.08, 0.22) * dry
    dark = rng.uniform(0.08, 0.28) * shadow
    alpha = np.minimum(white + pale + dark, np.float32(0.95))
    tone = (np.float32(246) * (white + pale) + np.float32(52) * dark) / (white + pale + dark + 1e-6)
    return alpha, tone[None]


def draw_gel_bubbles(rng, canvas, place):
    """Draw air bubbles: a dark ring, a paler inside and one bright glint each.

    They come in a cluster with stragglers; about half of the images have one on the
    lesion (Saab et al., 2022, Section 5.1, count the same in ISIC 2018).

    Parameters
    ----------
    rng : numpy.random.Generator
    canvas : numpy.ndarray of float32, shape (3, h, w)
        The picture so far, in [0, 255].
    place : shortlib.data.phantoms.skin.outline.Place

    Returns
    -------
    alpha : numpy.ndarray of float32, shape (h, w)
        Opacity in [0, 1].
    colour : numpy.ndarray of float32, shape (1, h, w)
    """
    size = canvas.shape[1]
    alpha = np.zeros((size, size), np.float32)
    tone = np.zeros((size, size), np.float32)
    count = 1 + min(int(rng.geometric(0.14)), 24)
    centre = rng.uniform(-0.75, 0.75, 2)
    spread = rng.uniform(0.08, 0.5)
    light = rng.uniform(0, 2 * np.pi)
    for _ in range(count):
        cx, cy = np.clip(rng.normal(centre, spread), -0.93, 0.93)
        radius = (0.012 + rng.gamma(1.6, 0.012)) * size
        _bubble(rng, alpha, tone, (cx + 1) * size / 2, (cy + 1) * size / 2, radius, light)
    return alpha, tone[None]


def _bubble(rng, alpha, tone, cx, cy, radius, light):
    """Lay one bubble over `alpha` and `tone`, in place."""
    size = alpha.shape[0]
    reach = radius + 2
    x0, x1 = max(0, int(cx - reach)), min(size, int(cx + reach) + 2)
    y0, y1 = max(0, int(cy - reach)), min(size, int(cy + reach) + 2)
    dx = np.arange(x0, x1, dtype=np.float32) + np.float32(0.5 - cx)
    dy = np.arange(y0, y1, dtype=np.float32)[:, None] + np.float32(0.5 - cy)
    distance = np.sqrt(dx * dx + dy * dy)
    thick = max(0.8, 0.16 * radius)
    ring = np.exp(-(((distance - radius + thick) / thick) ** 2))
    # The ring is darkest away from the light and bright towards it.
    facing = (dx * np.cos(light) + dy * np.sin(light)) / (distance + 1e-3)
    disc = smoothstep(distance, radius + 0.6, radius - 0.6)
    gx, gy = 0.45 * radius * np.cos(light), 0.45 * radius * np.sin(light)
    spot = np.exp(-((dx - gx) ** 2 + (dy - gy) ** 2) / (0.6 + 0.18 * radius) ** 2)
    white = 0.85 * spot + 0.12 * disc + 0.35 * ring * np.maximum(facing, 0)
    dark = rng.uniform(0.3, 0.55) * ring * (0.55 - 0.45 * facing)
    total = (white + dark) * disc
    here = np.minimum(total, 0.92)
    shade = (250 * white + 40 * dark) / (white + dark + 1e-6)
    below = alpha[y0:y1, x0:x1]
    stronger = here > below
    tone[y0:y1, x0:x1] = np.where(stronger, shade, tone[y0:y1, x0:x1])
    alpha[y0:y1, x0:x1] = np.where(stronger, here, below)
