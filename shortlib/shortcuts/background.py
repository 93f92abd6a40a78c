"""Heart and background of cine images apart, to see which of them carries the class."""

import hashlib
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from shortlib.data.cine import PHASES
from shortlib.data.streamed import Streamed
from shortlib.shortcuts.discs import covering_radius, discs, fill_disc

REGIMES = ("full", "seg", "bg", "bg-outline")
FILLS = ("filled", "outline")


def heart_masks(cohort):
    """Return the heart of each phase: all of its structures together.

    Parameters
    ----------
    cohort : shortlib.data.Cohort
        Of two phases, with anatomy masks whose planes are named after a structure and
        a phase, e.g. ``"LV ED"``.

    Returns
    -------
    numpy.ndarray of bool, shape (n, 2, h, w)
        ED and ES. In memory, also where the masks are streamed.

    Raises
    ------
    ValueError
        If the images have not two channels, a phase has no plane, or a case has no
        heart in a phase; the sentence names the cases.

    References
    ----------
    Nakashima et al. (2023), Section 3.1: the contours are one mask of the heart.
    """
    masks, names = cohort.require("anatomy_masks"), cohort.anatomy_names
    n, channels, h, w = cohort.images.shape
    if channels != len(PHASES):
        raise ValueError(
            f"images must have a channel for each of {', '.join(PHASES)}, got {channels}"
        )
    planes = {p: [k for k, name in enumerate(names) if name.endswith(f" {p}")] for p in PHASES}
    for phase, found in planes.items():
        if not found:
            raise ValueError(
                f"anatomy_masks must have a plane of {phase}, e.g. 'LV {phase}', got "
                f"{', '.join(names) or 'one without a name'}"
            )
    hearts, start = np.empty((n, len(PHASES), h, w), bool), 0
    for block in _blocks(masks):
        for channel, phase in enumerate(PHASES):
            hearts[start : start + len(block), channel] = block[:, planes[phase]].any(axis=1)
        start += len(block)
    missing = np.argwhere(~hearts.any(axis=(2, 3)))
    if len(missing):
        said = ", ".join(f"{cohort.case_ids[case]} {PHASES[phase]}" for case, phase in missing[:5])
        raise ValueError(
            f"anatomy_masks must show a heart in each phase; {len(missing)} are empty: {said}"
            + (", …" if len(missing) > 5 else "")
        )
    return hearts


def heart_only(images, hearts):
    """Black out all but the heart (Seg).

    Parameters
    ----------
    images : numpy.ndarray, shape (n, 2, h, w)
        uint8 or float; not changed.
    hearts : numpy.ndarray of bool, shape (n, 2, h, w)

    Returns
    -------
    numpy.ndarray
        As `images`; 0 outside the hearts.

    Raises
    ------
    ValueError
        If the shapes differ or `hearts` is not bool.

    References
    ----------
    Nakashima et al. (2023), Section 4.2.
    """
    _check(images, hearts)
    return np.where(hearts, images, np.zeros((), images.dtype))


def background_only(images, hearts, fill="filled", *, radius=None):
    """Take the heart out of the images (BG).

    Parameters
    ----------
    images : numpy.ndarray, shape (n, 2, h, w)
        uint8 or float; not changed.
    hearts : numpy.ndarray of bool, shape (n, 2, h, w)
        None of them empty.
    fill : str
        ``"outline"``: the heart is black and its silhouette stays, a cue in itself.
        ``"filled"``: a disc about the heart is filled from what surrounds it. All
        discs are of one size, and that of a case is the same in both phases, so that
        neither the shape nor the size nor the motion of the heart shows. Where it lies
        still shows. The disc's centre is that of the heart's box over both phases,
        which a heart that is large to one side moves by some pixels.
    radius : int, optional
        Of the discs, pixels; give the same one to all parts of a study. By default that
        of :func:`shortlib.shortcuts.discs.covering_radius` for these hearts.

    Returns
    -------
    numpy.ndarray
        As `images`, and the very same pixels outside the disc, or the outline. What the
        heart looked like decides none of the others.

    Raises
    ------
    ValueError
        If the shapes differ, `hearts` is not bool, `fill` is unknown, a heart is empty or
        larger than the disc, or the disc leaves nothing of an image to fill it from.

    References
    ----------
    Nakashima et al. (2023), Section 4.2, who do not say how the heart is removed.
    """
    _check(images, hearts)
    if fill not in FILLS:
        raise ValueError(f"fill must be one of {', '.join(FILLS)}, got {fill!r}")
    if fill == "outline":
        return np.where(hearts, np.zeros((), images.dtype), images)
    radius = covering_radius(hearts) if radius is None else radius
    filled = np.empty_like(images)
    for case, disc in enumerate(discs(hearts, radius)):
        if disc.all():
            raise ValueError(
                f"radius must leave some of each image, got {radius}, which covers all of image "
                f"{case} of {images.shape[2:]} pixels"
            )
        for phase, image in enumerate(images[case]):
            filled[case, phase] = fill_disc(image, disc)
    return filled


def swap_backgrounds(images, hearts, backgrounds, donors):
    """Put each heart before the background of another case of the batch (Rand).

    Parameters
    ----------
    images : torch.Tensor, shape (n, 2, h, w)
        Not changed.
    hearts : torch.Tensor of bool, shape (n, 2, h, w)
    backgrounds : torch.Tensor, as `images`
        The same cases with their hearts removed and filled: see :func:`background_only`.
        A donor's own heart, or its outline, would be a second one.
    donors : torch.Tensor of int64, shape (n,)
        Whose background each case gets, in both phases: a permutation of the batch.

    Returns
    -------
    torch.Tensor
        As `images`: own pixels in the heart, the donor's elsewhere.

    Raises
    ------
    ValueError
        If the shapes or types do not fit, or `donors` is no permutation.

    References
    ----------
    Nakashima et al. (2023), Section 4.2, after Xiao et al. (2020). The released code draws
    donors from all training cases and leaves their hearts in.
    """
    _check(images, hearts)
    if backgrounds.shape != images.shape or backgrounds.dtype != images.dtype:
        raise ValueError(
            f"backgrounds must be as images, {images.dtype} of shape {tuple(images.shape)}, got "
            f"{backgrounds.dtype} of shape {tuple(backgrounds.shape)}"
        )
    everyone = torch.arange(len(images), device=donors.device)
    if donors.dtype != torch.int64 or not torch.equal(donors.sort().values, everyone):
        raise ValueError(
            f"donors must be a permutation of the {len(images)} cases of the batch, got "
            f"{donors.tolist()}"
        )
    return torch.where(hearts, images, backgrounds[donors.to(backgrounds.device)])


def regime(cohort, name, *, radius=None):
    """Return the cohort with the images of one regime.

    Parameters
    ----------
    cohort : shortlib.data.Cohort
        Of two phases, with the heart's anatomy. Streamed images stay streamed.
    name : str
        ``"full"``: as they are; ``"seg"``: :func:`heart_only`; ``"bg"`` and
        ``"bg-outline"``: :func:`background_only`, filled and in its outline.
    radius : int, optional
        Of the discs of ``"bg"``; see :func:`background_only`.

    Returns
    -------
    shortlib.data.Cohort
        All but the images are as they were.

    Raises
    ------
    ValueError
        If the regime is unknown, or a heart is missing.
    """
    if name not in REGIMES:
        raise ValueError(f"name must be one of {', '.join(REGIMES)}, got {name!r}")
    if name == "full":
        return cohort
    hearts, images = heart_masks(cohort), cohort.images
    if name == "bg" and radius is None:
        radius = covering_radius(hearts)
    change = {
        "seg": heart_only,
        "bg": partial(background_only, radius=radius),
        "bg-outline": partial(background_only, fill="outline"),
    }[name]
    if not isinstance(images, Streamed):
        return replace(cohort, images=change(images, hearts))
    if name == "bg":
        discs(hearts, radius)  # what would be refused when a case is read is refused now
    where = hashlib.sha256(np.packbits(hearts)).hexdigest()
    changed = images.map(
        lambda case, i: change(case[None], hearts[i : i + 1])[0], f"{name} {radius} {where}"
    )
    return replace(cohort, images=changed)


def _blocks(masks, size=64):
    if isinstance(masks, Streamed):
        return masks.batches(size)
    return (masks[start : start + size] for start in range(0, len(masks), size))


def _check(images, hearts):
    if images.ndim != 4 or hearts.shape != images.shape:
        raise ValueError(
            f"hearts must have the images' shape (n, 2, h, w), got {tuple(hearts.shape)} and "
            f"{tuple(images.shape)}"
        )
    if hearts.dtype not in (bool, torch.bool):
        raise ValueError(f"hearts must be bool, got {hearts.dtype}")
