import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlib.shortcuts.sticker import COLOUR, OPACITY, draw_sticker, place_sticker, sticker_places


def disc_at(shape, middle, radius):
    """Pixels no further than the radius from the middle, one by one."""
    disc = np.zeros(shape, dtype=bool)
    for i in range(shape[0]):
        for j in range(shape[1]):
            disc[i, j] = (i - middle[0]) ** 2 + (j - middle[1]) ** 2 <= radius**2
    return disc


def slow_places(mask, radius):
    """The share of every disc that is wholly in the image, by counting its pixels."""
    height, width = mask.shape
    shares = np.zeros((height - 2 * radius, width - 2 * radius))
    for i in range(height - 2 * radius):
        for j in range(width - 2 * radius):
            disc = disc_at(mask.shape, (radius + i, radius + j), radius)
            shares[i, j] = mask[disc].sum() / disc.sum()
    return shares


def blob(shape, seed, radius=4):
    """A round lesion somewhere in the image, perhaps cut off at its border."""
    rng = np.random.default_rng(seed)
    return disc_at(shape, [rng.integers(0, side) for side in shape], radius)


@st.composite
def scenes(draw):
    """A mask and a radius whose disc fits."""
    radius = draw(st.integers(0, 3))
    shape = [2 * radius + draw(st.integers(1, 7)) for _ in range(2)]
    seed, kind = draw(st.integers(0, 10_000)), draw(st.sampled_from(["blob", "noise", "none"]))
    if kind == "blob":
        return blob(shape, seed), radius
    return np.random.default_rng(seed).random(shape) < (0.4 if kind == "noise" else 0), radius


@given(scenes())
@settings(deadline=None, max_examples=40)
def test_shares_are_those_of_a_count_at_every_place(scene):
    mask, radius = scene
    np.testing.assert_allclose(sticker_places(mask, radius), slow_places(mask, radius), atol=1e-5)


def test_a_large_disc_is_counted_as_well():
    """OpenCV goes another way for kernels this large."""
    mask, radius = blob((40, 37), 0, radius=9), 12
    found = sticker_places(mask, radius)
    assert found.shape == (16, 13)
    np.testing.assert_allclose(found, slow_places(mask, radius), atol=1e-5)


@given(scenes(), st.floats(0, 1), st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_the_share_is_met_where_it_can_be_and_else_the_nearest_is_taken(scene, overlap, seed):
    mask, radius = scene
    before = mask.copy()
    placed = place_sticker(mask, overlap=overlap, radius=radius, rng=np.random.default_rng(seed))
    assert placed.dtype == bool
    # A whole disc, nowhere cut off by the border of the image.
    rows, columns = (np.flatnonzero(placed.any(axis=axis)) for axis in (1, 0))
    middle = (rows[0] + radius, columns[0] + radius)
    np.testing.assert_array_equal(placed, disc_at(mask.shape, middle, radius))
    assert len(rows) == len(columns) == 2 * radius + 1
    away = abs(mask[placed].mean() - overlap)
    assert away <= max(0.05, np.abs(slow_places(mask, radius) - overlap).min()) + 1e-5
    np.testing.assert_array_equal(mask, before)


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_on_a_lesion_that_is_larger_than_the_sticker_every_share_is_met(overlap):
    mask, rng = disc_at((64, 64), (30, 34), 14), np.random.default_rng(0)
    shares = [
        mask[place_sticker(mask, overlap=overlap, radius=5, rng=rng)].mean() for _ in range(20)
    ]
    assert shares == pytest.approx([overlap] * 20, abs=0.05 + 1e-6)


def test_a_lesion_that_is_too_small_is_covered_as_a_whole():
    mask = disc_at((32, 32), (15, 17), 2)  # 13 pixels, and the disc has 81
    placed = place_sticker(mask, overlap=0.9, radius=5, rng=np.random.default_rng(0))
    assert (placed >= mask).all()
    assert mask[placed].mean() == pytest.approx(13 / 81)


def test_a_lesion_that_leaves_no_room_is_touched_as_little_as_can_be():
    mask = np.ones((20, 20), dtype=bool)
    mask[:, :3] = False
    placed = place_sticker(mask, overlap=0.0, radius=4, rng=np.random.default_rng(0))
    assert np.flatnonzero(placed.any(axis=0))[0] == 0  # at the edge that is free
    assert mask[placed].mean() == pytest.approx(slow_places(mask, 4).min())


@pytest.mark.parametrize("overlap", [0.25, 0.6])
def test_all_places_that_will_do_are_taken_in_turn_and_a_draw_is_repeatable(overlap):
    mask, found = disc_at((14, 15), (6, 8), 3), set()
    for seed in range(400):
        one, again = (
            place_sticker(mask, overlap=overlap, radius=3, rng=np.random.default_rng(seed))
            for _ in range(2)
        )
        np.testing.assert_array_equal(one, again)
        found.add(tuple(int(axis.min()) for axis in np.nonzero(one)))
    shares = slow_places(mask, 3)
    will_do = np.abs(shares - overlap) <= 0.05
    assert len(set(shares[will_do])) > 1  # not those alone that come closest
    assert found == {tuple(place) for place in np.argwhere(will_do).tolist()}


@given(st.integers(0, 99), st.integers(0, 2))
@settings(deadline=None, max_examples=20)
def test_a_drawn_sticker_changes_no_pixel_outside_and_mixes_those_inside(seed, radius):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (3, 9, 11), dtype=np.uint8)
    before = image.copy()
    placed = disc_at((9, 11), (rng.integers(radius, 9 - radius), 5), radius)
    drawn = draw_sticker(image, placed)
    assert drawn.dtype == np.uint8
    np.testing.assert_array_equal(drawn[:, ~placed], before[:, ~placed])
    for channel, colour in enumerate(COLOUR):
        due = OPACITY * colour + (1 - OPACITY) * before[channel, placed].astype(float)
        np.testing.assert_allclose(drawn[channel, placed], due, atol=0.5 + 1e-4)
    np.testing.assert_array_equal(image, before)


def test_the_sticker_is_seen_on_black_and_on_white_and_is_blue_on_both():
    placed = np.ones((4, 4), dtype=bool)
    for value in (0, 255):
        image = np.full((3, 4, 4), value, dtype=np.uint8)
        drawn = draw_sticker(image, placed).astype(int)
        assert np.abs(drawn - value).max(axis=0).min() > 100
        red, green, blue = drawn[:, 0, 0]
        assert blue > max(red, green) + 50


@pytest.mark.parametrize("overlap", [-0.1, 1.1, float("nan")])
def test_a_share_that_is_none_is_refused(overlap):
    with pytest.raises(ValueError, match=rf"overlap is a share in \[0, 1\], got {overlap}"):
        place_sticker(
            np.ones((9, 9), bool), overlap=overlap, radius=2, rng=np.random.default_rng(0)
        )


def test_a_disc_that_does_not_fit_is_refused():
    assert sticker_places(np.ones((9, 12), bool), 4).shape == (1, 4)
    with pytest.raises(ValueError, match="disc in the image of 9 x 12 px, got 5"):
        sticker_places(np.ones((9, 12), bool), 5)


@pytest.mark.parametrize("radius", [-1, 1.5, True])
def test_a_radius_that_is_none_is_said(radius):
    with pytest.raises(ValueError, match="radius must be a whole number"):
        sticker_places(np.zeros((9, 9), bool), radius)
