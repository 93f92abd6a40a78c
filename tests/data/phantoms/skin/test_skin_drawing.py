"""The drawing's parts against closed forms: absorption, symmetry, noise."""

import numpy as np
import pytest

from shortlib.data.phantoms.skin.noise import fractal, grid, smoothstep
from shortlib.data.phantoms.skin.outline import Place, draw_outline, draw_place
from shortlib.data.phantoms.skin.severity import Findings
from shortlib.data.phantoms.skin.structures import network, spots
from shortlib.data.phantoms.skin.tissue import ABSORPTION, PALE, Tissue


def flat(value, size=8):
    return np.full((size, size), value, np.float32)


def test_light_decays_exponentially_with_what_absorbs():
    tissue = Tissue(flat(0.7), flat(0.2), flat(0.1))
    expected = [
        PALE[c] * np.exp(-0.7 * ABSORPTION[0, c] - 0.2 * ABSORPTION[1, c] - 0.1 * ABSORPTION[2, c])
        for c in range(3)
    ]
    np.testing.assert_allclose(tissue.light()[3, 4], expected, rtol=1e-5)


def test_melanin_is_brown_and_blood_is_red():
    clear = Tissue(flat(0), flat(0), flat(0)).light()[0, 0]
    brown = Tissue(flat(0.6), flat(0), flat(0)).light()[0, 0] / clear
    red = Tissue(flat(0), flat(0.6), flat(0)).light()[0, 0] / clear
    assert brown[0] > brown[1] > brown[2]
    assert red[0] > red[2] > red[1]


def outline(asymmetry, border=0, seed=0):
    place = Place(0.0, 0.0, 0.5, 0.0, 1.2)
    findings = Findings(asymmetry, border, ("light brown",), ("network",), 0.0, False)
    return draw_outline(np.random.default_rng(seed), place, findings, flat(0, 64))


@pytest.mark.parametrize("seed", range(5))
def test_asymmetry_counts_the_axes_that_mirror_nothing(seed):
    turn = np.arange(256)
    about_long, about_short = -turn % 256, (128 - turn) % 256
    mirrored = []
    for asymmetry in (0, 1, 2):
        reach = outline(asymmetry, seed=seed).reach
        mirrored.append([np.allclose(reach, reach[m]) for m in (about_long, about_short)])
    assert mirrored == [[True, True], [True, False], [False, False]]


def test_the_border_is_abrupt_in_the_eighths_that_say_so():
    def fading(border):
        cover = outline(0, border, seed=4).cover
        return ((cover > 0.02) & (cover < 0.98)).mean()

    assert fading(8) < fading(4) < fading(0)


def test_the_mask_is_the_ellipse_where_nothing_deforms_it():
    drawn = outline(0)
    x, y = grid(64)
    inside = (x / 0.5 / np.sqrt(1.2)) ** 2 + (y / 0.5 * np.sqrt(1.2)) ** 2 < 1
    overlap = (drawn.mask & inside).sum() / (drawn.mask | inside).sum()
    assert overlap > 0.85


def test_lesions_keep_to_the_image():
    rng = np.random.default_rng(0)
    for severity in np.linspace(-3, 3, 200):
        place = draw_place(rng, severity)
        assert abs(place.x) <= 0.75
        assert abs(place.y) <= 0.75
        assert 0.034 < np.pi * place.radius**2 / 4 < 0.63


def test_places_turn_with_the_long_axis():
    place = Place(0.1, -0.2, 0.5, np.pi / 2, 1.44)
    np.testing.assert_allclose(place.at(1.0, 0.0), (0.1, -0.2 + 0.6))
    np.testing.assert_allclose(place.at(1.0, np.pi / 2), (0.1 - 0.5 / 1.2, -0.2), atol=1e-12)


def test_noise_has_mean_zero_and_unit_spread():
    fields = np.stack([fractal(np.random.default_rng(k), 64, channels=2) for k in range(60)])
    assert fields.shape == (60, 64, 64, 2)
    assert abs(fields.mean()) < 0.1
    assert fields.std() == pytest.approx(1, abs=0.15)


def test_noise_on_a_small_image_is_left_without_the_finest_grids():
    assert fractal(np.random.default_rng(0), 32, first=16, octaves=5).shape == (32, 32)


def test_smoothstep_rises_from_zero_to_one():
    np.testing.assert_allclose(smoothstep(np.array([-1, 0, 0.5, 1, 2.0]), 0, 1), [0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(smoothstep(np.array([0, 1.0]), 1, 0), [1, 0])


def test_a_network_has_as_many_holes_as_its_mesh_says():
    import cv2

    lines = network(np.random.default_rng(0), 128, 0.1, 0.0, flat(0, 128))
    holes, _ = cv2.connectedComponents((lines < 0.1).astype(np.uint8))
    # A honeycomb with meshes of a tenth of the side: 10 columns of 10 / 0.87 rows.
    assert holes == pytest.approx(115, rel=0.12)


def test_clods_cover_the_area_of_their_discs():
    place = Place(0.0, 0.0, 0.5, 0.0, 1.0)
    one = spots(np.random.default_rng(0), 128, place, 1, (0.05, 0.05), 0.5, (0.0, 0.0))
    assert one.sum() == pytest.approx(np.pi * (0.05 * 128) ** 2, rel=0.2)
