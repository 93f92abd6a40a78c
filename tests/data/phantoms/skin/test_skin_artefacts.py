"""Artefact masks are exact: a picture with and without differs nowhere else."""

import numpy as np
import pytest

from shortlib.data.phantoms.skin import SHORTCUTS, skin

ALWAYS = {name: {"all": 1.0, "train": (1.0, 1.0), "test": (1.0, 1.0)} for name in SHORTCUTS}


@pytest.fixture(scope="module")
def full():
    return skin(6, size=128, association=0, prevalence=ALWAYS)


def changed(one, other):
    return (one.images != other.images).any(axis=1)


@pytest.mark.parametrize("name", SHORTCUTS)
def test_alone_it_changes_the_pixels_of_its_mask(name):
    k = SHORTCUTS.index(name)
    with_it = skin(6, size=128, association=0, prevalence=ALWAYS, artefacts=(name,))
    without = skin(6, size=128, association=0, prevalence=ALWAYS, artefacts=())
    mask, differs = with_it.shortcut_masks[:, k], changed(with_it, without)
    assert with_it.shortcut[:, k].all()
    assert with_it.shortcut.sum() == 6
    assert not (differs & ~mask).any()
    # A pixel of the same colour as what is laid over it does not change.
    assert (differs & mask).sum() > 0.9 * mask.sum()
    assert not with_it.shortcut_masks[:, [j for j in range(7) if j != k]].any()


@pytest.mark.parametrize("name", SHORTCUTS)
def test_among_the_others_it_changes_no_pixel_outside_its_mask(name, full):
    rest = tuple(other for other in SHORTCUTS if other != name)
    without = skin(6, size=128, association=0, prevalence=ALWAYS, artefacts=rest)
    mask = full.shortcut_masks[:, SHORTCUTS.index(name)]
    assert not (changed(full, without) & ~mask).any()
    assert (changed(full, without) & mask).any(axis=(1, 2)).all()


def test_an_artefact_that_is_there_can_be_seen_and_one_that_is_not_has_no_mask():
    cohort = skin(150, size=64, association=0)
    seen = cohort.shortcut_masks.any(axis=(2, 3))
    assert not (seen & ~cohort.shortcut).any()
    # A dark corner or a sticker may hide a stroke of ink now and then.
    assert (seen | ~cohort.shortcut).mean() > 0.995


def test_dark_corners_are_dark_and_frame_the_lesion(full):
    mask = full.shortcut_masks[:, SHORTCUTS.index("dark_corner")]
    assert mask[:, [0, 0, -1, -1], [0, -1, 0, -1]].mean() > 0.9
    assert not mask[:, 50:78, 50:78].any()
    corners = full.images[:, :, 0, 0].max(axis=1)
    assert np.median(corners) < 30


def test_bubbles_lie_on_the_lesion_in_about_half_of_the_pictures():
    # As Saab et al. (2022), Section 5.1, count in ISIC 2018.
    cohort = skin(80, size=64, association=0, prevalence=ALWAYS, artefacts=("gel_bubble",))
    bubbles = cohort.shortcut_masks[:, SHORTCUTS.index("gel_bubble")]
    overlap = (bubbles & cohort.abnormality_masks).any(axis=(1, 2)).mean()
    assert 0.3 < overlap < 0.75
