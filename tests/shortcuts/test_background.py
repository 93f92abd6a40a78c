from dataclasses import fields

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlib.data.cohort import Cohort
from shortlib.data.phantoms.cardiac.cohort import cardiac
from shortlib.data.streamed import Streamed
from shortlib.shortcuts.background import (
    REGIMES,
    background_only,
    heart_masks,
    heart_only,
    regime,
    swap_backgrounds,
)
from shortlib.shortcuts.discs import covering_radius, discs, fill_disc

SIDE = 32
READ = ("images", "anatomy_masks")  # of a case, from disk
PLANES = ("RV ED", "myocardium ED", "LV ED", "RV ES", "myocardium ES", "LV ES")


def box(top, left, height, width, side=SIDE):
    mask = np.zeros((side, side), bool)
    mask[top : top + height, left : left + width] = True
    return mask


def noise(shape, seed=0, kind=np.float32):
    drawn = np.random.default_rng(seed).random(shape, dtype=np.float32)
    return (drawn * 255).astype(np.uint8) if kind is np.uint8 else drawn


@pytest.fixture
def hearts():
    """Three cases: ES within ED, in its middle, and beside it."""
    ed = [box(10, 8, 9, 12), box(12, 12, 6, 5), box(13, 9, 3, 14)]
    es = [box(11, 9, 5, 8), box(13, 13, 3, 3), box(13, 7, 2, 14)]
    return np.stack([np.stack(pair) for pair in zip(ed, es, strict=True)])


@pytest.fixture(scope="module")
def built_in():
    return cardiac(5, size=48, seed=3, field_of_view=240.0)


def test_the_heart_is_all_structures_of_its_phase(built_in):
    found = heart_masks(built_in)
    for case in range(len(built_in)):
        for phase, name in enumerate(("ED", "ES")):
            parts = [built_in.plane("anatomy_masks", n)[case] for n in PLANES if name in n]
            np.testing.assert_array_equal(found[case, phase], parts[0] | parts[1] | parts[2])


def cohort_of(masks, names, images=None):
    n = len(masks)
    images = noise((n, 2, SIDE, SIDE)) if images is None else images
    ids = np.array([f"case-{i}" for i in range(n)])
    return Cohort("made", ids, images, anatomy_masks=masks, anatomy_names=names)


def test_structures_that_nobody_drew_are_not_needed(hearts):
    cohort = cohort_of(hearts, ("LV ED", "LV ES"))
    np.testing.assert_array_equal(heart_masks(cohort), hearts)
    np.testing.assert_array_equal(
        heart_masks(cohort_of(hearts[:, ::-1].copy(), ("LV ES", "LV ED"))), hearts
    )


def test_a_missing_phase_plane_or_heart_is_said(hearts):
    with pytest.raises(ValueError, match=r"anatomy_masks must have a plane of ES, e.g. 'LV ES', "):
        heart_masks(cohort_of(hearts, ("LV ED", "RV ED")))
    with pytest.raises(ValueError, match="got one without a name"):
        heart_masks(cohort_of(hearts[:, 0], ()))
    empty = hearts.copy()
    empty[1, 1] = empty[2, 0] = False
    with pytest.raises(ValueError, match=r"each phase; 2 are empty: case-1 ES, case-2 ED$"):
        heart_masks(cohort_of(empty, ("LV ED", "LV ES")))
    single = cohort_of(hearts, ("LV ED", "LV ES"), noise((3, 1, SIDE, SIDE)))
    with pytest.raises(ValueError, match="a channel for each of ED, ES, got 1"):
        heart_masks(single)


@pytest.mark.parametrize("kind", [np.float32, np.uint8])
def test_the_heart_alone_and_its_black_outline_make_up_the_image(hearts, kind):
    images = noise(hearts.shape, kind=kind)
    seg, outline = heart_only(images, hearts), background_only(images, hearts, "outline")
    assert seg.dtype == outline.dtype == kind
    assert not seg[~hearts].any()
    assert not outline[hearts].any()
    np.testing.assert_array_equal(seg + outline, images)


def far_from_centre(heart):
    """Farthest pixel from the middle of the box, by trying all."""
    pixels = [(r, c) for r in range(SIDE) for c in range(SIDE) if heart[r, c]]
    rows, columns = zip(*pixels, strict=True)
    middle = (min(rows) + max(rows)) // 2, (min(columns) + max(columns)) // 2
    return max(np.hypot(r - middle[0], c - middle[1]) for r, c in pixels)


def test_discs_cover_both_phases_with_some_to_spare_and_are_of_one_size(hearts):
    radius = covering_radius(hearts)
    farthest = max(far_from_centre(heart.any(axis=0)) for heart in hearts)
    assert farthest * 1.1 <= radius < farthest * 1.1 + 1
    found = discs(hearts)
    assert not (hearts & ~found[:, None]).any()
    areas = found.sum(axis=(1, 2))
    assert len(set(areas)) == 1
    assert areas[0] == pytest.approx(np.pi * radius**2, rel=0.05)
    np.testing.assert_array_equal(discs(hearts, radius), found)
    assert discs(hearts, radius + 3).sum() > found.sum()


@pytest.mark.parametrize("kind", [np.float32, np.uint8])
def test_nothing_of_the_heart_is_left_and_nothing_else_is_touched(hearts, kind):
    images = noise(hearts.shape, kind=kind)
    kept, filled = images.copy(), background_only(images, hearts)
    covered = np.repeat(discs(hearts)[:, None], 2, axis=1)
    np.testing.assert_array_equal(images, kept)
    assert filled.dtype == kind
    np.testing.assert_array_equal(filled[~covered], images[~covered])
    other = images.copy()
    other[covered] = noise(hearts.shape, seed=1, kind=kind)[covered]
    np.testing.assert_array_equal(background_only(other, hearts), filled)
    for case, phase in np.ndindex(3, 2):
        disc = covered[case, phase]
        inside, outside = filled[case, phase][disc], images[case, phase][~disc]
        assert outside.min() <= inside.min() <= inside.max() <= outside.max()


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_neither_shape_nor_size_nor_motion_of_the_heart_shows(data):
    # Hearts of any shape between two boxes about one centre, on the same surroundings.
    sides = st.sampled_from([3, 5, 7, 9])
    made = []
    for _ in range(2):
        height, width = data.draw(sides), data.draw(sides)
        ed = box(16 - height // 2, 14 - width // 2, height, width)
        es = ed & (noise(ed.shape, data.draw(st.integers(0, 99))) > 0.4)
        made.append(np.stack([ed, es]))
    images = noise((1, 2, SIDE, SIDE), data.draw(st.integers(0, 99)))
    filled = [background_only(images, heart[None], radius=8) for heart in made]
    np.testing.assert_array_equal(filled[0], filled[1])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 31), st.integers(0, 31), st.integers(1, 12), st.floats(0, 1, width=32))
def test_what_surrounds_a_disc_fills_it_wherever_it_lies(row, column, radius, grey):
    rows, columns = np.ogrid[:SIDE, :SIDE]
    disc = (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
    constant = np.full((SIDE, SIDE), grey, np.float32)
    np.testing.assert_allclose(fill_disc(np.where(disc, 1, constant), disc), constant, atol=1e-5)
    halves = np.where(columns < SIDE // 2, np.float32(0.2), np.float32(0.7)) + 0 * constant
    made = fill_disc(halves, disc)
    assert 0.2 - 1e-5 <= made.min() <= made.max() <= 0.7 + 1e-5


def test_whole_greys_are_filled_as_shares_of_one(hearts):
    images = noise(hearts.shape, kind=np.uint8)
    whole, shares = (background_only(x, hearts) for x in (images, images / np.float32(255)))
    assert np.abs(whole - shares * 255).max() <= 0.5 + 1e-3


def test_discs_that_do_not_fit_are_refused(hearts):
    images = noise(hearts.shape)
    with pytest.raises(ValueError, match=r"radius must be at least 9 pixels .* case 2, got 3"):
        background_only(images, hearts, radius=3)
    with pytest.raises(ValueError, match=r"radius must leave some of each image, got 99, "):
        background_only(images, hearts, radius=99)
    with pytest.raises(ValueError, match="hearts must not be empty, case 0 is"):
        background_only(images, np.zeros_like(hearts))
    with pytest.raises(ValueError, match="hearts must hold at least one case"):
        covering_radius(hearts[:0])
    with pytest.raises(ValueError, match=r"fill must be one of filled, outline, got 'black'"):
        background_only(images, hearts, "black")
    with pytest.raises(ValueError, match=r"hearts must have the images' shape .* got \(2, "):
        heart_only(images, hearts[:2])
    with pytest.raises(ValueError, match="hearts must be bool, got uint8"):
        heart_only(images, hearts.astype(np.uint8))


def swapped(images, hearts, donors):
    """Results for arrays, with backgrounds made from the images."""
    parts = images, hearts, background_only(images, hearts)
    return swap_backgrounds(*map(torch.from_numpy, parts), torch.tensor(donors)).numpy()


@pytest.mark.parametrize("kind", [np.float32, np.uint8])
def test_each_heart_stands_before_its_donors_background_in_both_phases(hearts, kind):
    images, donors = noise(hearts.shape, kind=kind), [2, 0, 1]
    result, backgrounds = swapped(images, hearts, donors), background_only(images, hearts)
    for case, phase in np.ndindex(3, 2):
        for row, column in np.ndindex(SIDE, SIDE):
            own = hearts[case, phase, row, column]
            due = images[case] if own else backgrounds[donors[case]]
            assert result[case, phase, row, column] == due[phase, row, column]


def test_a_donors_heart_leaves_no_trace(hearts):
    images, donors = noise(hearts.shape), [1, 2, 0]
    other = images.copy()
    other[1][hearts[1]] = 1 - other[1][hearts[1]]  # case 1 is the donor of case 0
    before, after = swapped(images, hearts, donors), swapped(other, hearts, donors)
    np.testing.assert_array_equal(after[[0, 2]], before[[0, 2]])
    np.testing.assert_array_equal(after[1][hearts[1]], other[1][hearts[1]])
    assert (after[1] != before[1]).any()


def test_a_case_may_be_its_own_donor(hearts):
    images = noise(hearts.shape)
    filled = background_only(images, hearts)
    result = swapped(images, hearts, [0, 1, 2])
    np.testing.assert_array_equal(result, np.where(hearts, images, filled))


def test_donors_and_backgrounds_that_do_not_fit_are_refused(hearts):
    parts = [torch.from_numpy(x) for x in (noise(hearts.shape), hearts, noise(hearts.shape))]
    for donors in ([0, 0, 1], [0, 1], [1, 2, 3]):
        with pytest.raises(ValueError, match="donors must be a permutation of the 3 cases"):
            swap_backgrounds(*parts, torch.tensor(donors))
    with pytest.raises(ValueError, match=r"backgrounds must be as images, torch.float32 of "):
        swap_backgrounds(*parts[:2], parts[2][:2], torch.arange(3))
    with pytest.raises(ValueError, match=r"hearts must be bool, got torch\.float32"):
        swap_backgrounds(parts[0], parts[0], parts[2], torch.arange(3))


@pytest.mark.parametrize("name", REGIMES)
def test_a_regime_changes_the_images_and_nothing_else(built_in, name):
    made, hearts = regime(built_in, name), heart_masks(built_in)
    for field in fields(built_in):
        if field.name != "images":
            assert getattr(made, field.name) is getattr(built_in, field.name)
    due = {
        "full": lambda x: x,
        "seg": lambda x: heart_only(x, hearts),
        "bg": lambda x: background_only(x, hearts),
        "bg-outline": lambda x: background_only(x, hearts, "outline"),
    }[name](built_in.images)
    np.testing.assert_array_equal(made.images, due)


def test_train_and_test_can_share_a_radius(built_in):
    radius = covering_radius(heart_masks(built_in))
    whole = regime(built_in, "bg").images
    alone = [regime(built_in[i], "bg", radius=radius).images[0] for i in range(len(built_in))]
    np.testing.assert_array_equal(alone, whole)


def streamed(array, identity):
    return Streamed(array.__getitem__, len(array), array.shape[1:], array.dtype, identity=identity)


@pytest.mark.parametrize("name", REGIMES)
def test_streamed_images_stay_streamed_and_are_the_same(built_in, name):
    parts = {field: streamed(getattr(built_in, field), field) for field in READ}
    made = regime(Cohort("streamed", built_in.case_ids, **parts, anatomy_names=PLANES), name)
    assert isinstance(made.images, Streamed)
    np.testing.assert_array_equal(made.images[[3, 1]], regime(built_in, name).images[[3, 1]])


def test_the_checksum_of_streamed_images_tells_regimes_apart(built_in):
    parts = {field: streamed(getattr(built_in, field), field) for field in READ}
    cohort = Cohort("streamed", built_in.case_ids, **parts, anatomy_names=PLANES)
    made = [regime(cohort, name) for name in REGIMES] + [regime(cohort, "bg", radius=20)]
    assert len({part.checksum() for part in made}) == len(made)
    assert regime(cohort, "bg").checksum() == regime(cohort, "bg").checksum()
    with pytest.raises(ValueError, match="radius must be at least"):
        regime(cohort, "bg", radius=2)


def test_an_unknown_regime_is_named(built_in):
    with pytest.raises(ValueError, match="name must be one of full, seg, bg, bg-outline, got 'x'"):
        regime(built_in, "x")
