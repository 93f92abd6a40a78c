"""A melanocytic lesion drawn into the skin from what a reader would find in it."""

import cv2
import numpy as np

from shortlib.data.phantoms.skin import structures
from shortlib.data.phantoms.skin.noise import fractal, grid, smoothstep

_BLUE_GREY = np.array([98.0, 106.0, 132.0], np.float32)
_SCAR = np.array([224.0, 210.0, 208.0], np.float32)


def draw_lesion(streams, tissue, place, outline, findings):
    """Draw a lesion into the skin.

    Pigment and blood are added to `tissue`; what scatters rather than absorbs (the
    blue-grey veil and the white of regression) is laid over the light that comes
    back from it.

    Parameters
    ----------
    streams : tuple of numpy.random.Generator
        One for the pigment and one for the structures.
    tissue : shortlib.data.phantoms.skin.tissue.Tissue
        Changed in place.
    place : shortlib.data.phantoms.skin.outline.Place
    outline : shortlib.data.phantoms.skin.outline.Outline
    findings : shortlib.data.phantoms.skin.severity.Findings

    Returns
    -------
    numpy.ndarray of float32, shape (h, w, 3)
        The light that comes back, in [0, 255].
    """
    rng, detail_rng = streams
    size = outline.cover.shape[0]
    noise = fractal(rng, size, channels=4, first=4, octaves=3, gain=0.7)
    grain = fractal(rng, size, channels=1, first=32, octaves=2, gain=0.9)
    coarse = [np.ascontiguousarray(noise[:, :, k]) for k in range(4)]
    cover, depth = outline.cover, outline.depth

    # The ground colour: light brown, else dark brown, else hardly any pigment.
    ground = next((name for name in ("light brown", "dark brown") if name in findings.colours), "")
    density = 0.44 * np.exp(rng.normal(0, 0.35))
    density *= {"light brown": 1.0, "dark brown": 1.8}.get(ground, 0.4)
    slope = np.float32(rng.uniform(0.15, 0.6) * rng.choice((1, 1, 1, -0.6)))
    brown = np.float32(density) * (1 + slope * (depth - np.float32(0.35)))
    brown *= cv2.exp(0.22 * coarse[0] + 0.24 * grain)
    brown *= _lean(rng, findings.asymmetry, place, size)

    dense, blood = np.zeros_like(brown), np.float32(rng.uniform(0.0, 0.08)) * cover
    veil = scar = None
    noises = (coarse[1], coarse[2], coarse[3], -coarse[1], -coarse[2], -coarse[3])
    for colour, edge_noise in zip(findings.colours, noises, strict=False):
        if colour == ground:
            continue
        region = _region(rng, findings.asymmetry, place, outline, edge_noise, colour)
        region *= np.float32(rng.uniform(0.8, 1.2))
        if colour == "dark brown":
            brown += np.float32(0.55) * region * (1 + np.float32(0.2) * grain)
        elif colour == "black":
            dense += np.float32(0.85) * region
            brown += np.float32(0.55) * region
        elif colour == "red":
            blood += np.float32(0.30) * region
            brown *= 1 - np.float32(0.4) * np.minimum(region, 1)
        elif colour == "blue-grey":
            veil = np.float32(rng.uniform(0.4, 0.62)) * region
            brown += np.float32(0.35) * region
        elif colour == "white":
            scar = np.float32(rng.uniform(0.15, 0.4)) * region
            brown *= 1 - np.float32(0.65) * np.minimum(region, 1)

    structured = _structures(detail_rng, size, place, outline, findings, coarse[3], tissue)
    tissue.melanin += cover * cv2.max(brown, 0.02) * structured
    tissue.dense += cover * dense
    tissue.blood += blood
    light = tissue.light()
    for layer, tint in ((veil, _BLUE_GREY), (scar, _SCAR)):
        if layer is not None:
            layer = (layer * cover)[:, :, None]
            light += layer * (tint - light)
    return light


def _lean(rng, asymmetry, place, size):
    """Uneven pigment: none, along the long axis, or along any direction."""
    tilt = rng.uniform(0.35, 0.75) * (asymmetry > 0)
    turn = rng.choice((0, np.pi)) if asymmetry == 1 else rng.uniform(0, 2 * np.pi)
    x, y = grid(size)
    heading = place.axis + turn
    along = (x - place.x) * np.cos(heading) + (y - place.y) * np.sin(heading)
    return cv2.max((1 + tilt * along / place.radius).astype(np.float32), 0.35)


def _region(rng, asymmetry, place, outline, noise, colour):
    """Where a further colour lies: about the centre, on the long axis, or anywhere."""
    size = noise.shape[0]
    distance = rng.uniform(*((0, 0.12), (0.3, 0.6), (0.3, 0.7))[asymmetry])
    angle = rng.choice((0, np.pi)) if asymmetry == 1 else rng.uniform(0, 2 * np.pi)
    cx, cy = place.at(distance, angle)
    widest = {"dark brown": 0.75, "red": 0.7, "white": 0.45}.get(colour, 0.55)
    radius = place.radius * rng.uniform(0.3, widest)
    x, y = grid(size)
    away = cv2.magnitude(x - np.float32(cx), y - np.float32(cy)) * np.float32(1 / radius)
    edge = rng.uniform(0.3, 0.6)
    region = smoothstep(away + np.float32(0.42) * noise, 1 + edge, 1 - edge)
    return region * smoothstep(outline.depth, -0.02, 0.10)


def _structures(rng, size, place, outline, findings, coarse, tissue):
    """Return the factor by which structures change the pigment; add streaks and vessels."""
    atypia = findings.atypia
    factor = np.ones((size, size), np.float32)
    centre = (0.0 if findings.asymmetry == 0 else 0.45 * rng.random(), rng.uniform(0, 2 * np.pi))
    if "network" in findings.structures:
        lines = structures.network(rng, size, rng.uniform(0.028, 0.044), atypia, coarse)
        contrast = np.float32(rng.uniform(0.35, 0.8) * (0.8 + 0.6 * atypia))
        # It is plain in some parts of a lesion and faint in others.
        contrast = contrast * (0.35 + 0.65 * smoothstep(coarse, -1.2, 0.6))
        factor += contrast * (lines - np.float32(0.5))
    if "homogeneous" in findings.structures:
        # A structureless area: the structures of the rest fade there.
        x, y = grid(size)
        cx, cy = place.at(*centre)
        radius = place.radius * rng.uniform(0.25, 0.55)
        away = cv2.magnitude(x - np.float32(cx), y - np.float32(cy)) * np.float32(1 / radius)
        calm = smoothstep(away + np.float32(0.25) * coarse, 1.3, 0.7)
        factor += calm * (1 - factor) * np.float32(0.85)
    if "globules" in findings.structures:
        count = int(rng.integers(14, 40))
        large = 0.012 + 0.012 * atypia
        clods = structures.spots(rng, size, place, count, (0.007, large), 0.85, centre)
        factor += np.float32(rng.uniform(0.6, 1.1)) * clods
    if "dots" in findings.structures:
        spread = 0.9 - 0.4 * atypia
        dots = structures.spots(
            rng, size, place, int(rng.integers(20, 60)), (0.003, 0.007), spread, centre
        )
        factor += np.float32(rng.uniform(0.7, 1.5)) * dots
        tissue.dense += np.float32(0.15) * dots * outline.cover
    if "streaks" in findings.structures:
        lines = structures.streaks(rng, size, place, outline.reach, atypia)
        tissue.melanin += np.float32(rng.uniform(0.5, 1.0)) * lines
        tissue.dense += np.float32(0.15) * lines
    if findings.vessels:
        lines = structures.vessels(rng, size, place, int(rng.integers(4, 12)))
        tissue.blood += np.float32(rng.uniform(0.25, 0.6)) * lines
    return cv2.max(factor, 0.15)
