import numpy as np
import pytest
from scipy.stats import binom, chisquare

from shortlib.data import Cohort
from shortlib.data.phantoms import squares

PAPER_SIZE = {"n": 40, "a": 8, "b": 12}


@pytest.fixture(scope="module")
def train():
    return squares(1500, seed=11)


@pytest.fixture(scope="module")
def test():
    return squares(1500, train=False, seed=11)


def within_binomial(count, n, p):
    """Whether a count is one that a binomial gives with all but one in a million draws."""
    low, high = binom.interval(1 - 1e-6, n, p)
    return low <= count <= high


def corner_and_side(mask):
    """Top left corner of the only block of a mask; fails if it is not one full square."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    assert mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    assert mask.sum() == len(rows) * len(columns)
    assert len(rows) == len(columns)
    return (int(rows[0]), int(columns[0])), len(rows)


def test_shapes_types_and_names(train, test):
    for cohort, part in ((train, "train"), (test, "test")):
        assert isinstance(cohort, Cohort)
        assert cohort.name == f"squares-{part}"
        assert len(cohort) == 1500
        assert cohort.images.shape == (1500, 1, 40, 40)
        assert cohort.images.dtype == np.float32
        assert cohort.labels.shape == cohort.shortcut.shape == (1500,)
        assert cohort.labels.dtype == np.int8
        assert set(cohort.labels) == {0, 1}
        assert cohort.shortcut.dtype == bool
        for masks in (cohort.abnormality_masks, cohort.shortcut_masks):
            assert masks.shape == (1500, 40, 40)
            assert masks.dtype == bool
        assert cohort.anatomy_masks is None
        assert cohort.reports is None
        assert all(case.startswith(f"squares-{part}-") for case in cohort.case_ids)


@pytest.mark.parametrize("part", ["train", "test"])
def test_blocks_are_whole_squares_that_do_not_overlap(part, request):
    cohort = request.getfixturevalue(part)
    assert not (cohort.abnormality_masks & cohort.shortcut_masks).any()
    for masks, flags, side in (
        (cohort.abnormality_masks, cohort.labels, 8),
        (cohort.shortcut_masks, cohort.shortcut, 12),
    ):
        np.testing.assert_array_equal(masks.sum(axis=(1, 2)), np.where(flags, side**2, 0))
        assert all(corner_and_side(mask)[1] == side for mask in masks[flags.astype(bool)])


@pytest.mark.parametrize("rho", [1.0, 0.7])
@pytest.mark.parametrize("mu_y", [0.9, 0.3])
def test_training_rates(mu_y, rho):
    cohort = squares(4000, n=12, a=2, b=3, mu_y=mu_y, rho=rho, seed=3)
    positive = cohort.labels == 1
    assert within_binomial(positive.sum(), 4000, mu_y)
    assert within_binomial(cohort.shortcut[positive].sum(), positive.sum(), rho)
    assert not cohort.shortcut[~positive].any()


def test_test_rates_are_a_fair_coin_for_either_label():
    cohort = squares(4000, n=12, a=2, b=3, mu_y=0.6, rho=0.7, train=False, seed=3)
    assert within_binomial((cohort.labels == 1).sum(), 4000, 0.6)
    for label in (0, 1):
        flags = cohort.shortcut[cohort.labels == label]
        assert within_binomial(flags.sum(), len(flags), 0.5)


def test_same_arguments_same_cohort_and_otherwise_not():
    options = {"m": 20, "n": 16, "a": 3, "b": 5}
    first = squares(**options, seed=4)
    assert squares(**options, seed=4).checksum() == first.checksum()
    for other in (squares(**options, seed=5), squares(**options, seed=4, train=False)):
        assert other.checksum() != first.checksum()
        assert not np.array_equal(other.images, first.images)
        assert not np.array_equal(other.abnormality_masks, first.abnormality_masks)
        assert not set(other.case_ids) & set(first.case_ids)


def test_abnormality_is_uniform_over_all_positions():
    cohort = squares(6000, n=10, a=6, b=2, mu_y=1.0, rho=0.0, seed=6)
    corners = [corner_and_side(mask)[0] for mask in cohort.abnormality_masks]
    places, counts = np.unique(corners, axis=0, return_counts=True)
    assert places.tolist() == [[i, j] for i in range(5) for j in range(5)]
    assert chisquare(counts).pvalue > 1e-6


def test_shortcut_is_uniform_over_the_places_that_are_left():
    cohort = squares(40_000, n=7, a=3, b=2, mu_y=1.0, seed=7)
    abnormality = [corner_and_side(mask)[0] for mask in cohort.abnormality_masks]
    chosen = np.array([corner == (2, 2) for corner in abnormality])
    corners = [corner_and_side(mask)[0] for mask in cohort.shortcut_masks[chosen]]
    free = [
        [i, j]
        for i in range(6)
        for j in range(6)
        # The abnormality covers rows 2 to 4 and columns 2 to 4.
        if not any(2 <= i + p <= 4 and 2 <= j + q <= 4 for p in (0, 1) for q in (0, 1))
    ]
    places, counts = np.unique(corners, axis=0, return_counts=True)
    assert places.tolist() == free
    assert chisquare(counts).pvalue > 1e-6


def test_shortcut_alone_is_uniform_over_all_positions():
    cohort = squares(4000, n=8, a=2, b=5, mu_y=0.0, train=False, seed=8)
    corners = [corner_and_side(mask)[0] for mask in cohort.shortcut_masks[cohort.shortcut]]
    places, counts = np.unique(corners, axis=0, return_counts=True)
    assert len(places) == 16
    assert chisquare(counts).pvalue > 1e-6


def test_pixels_are_gaussian_about_the_mean_of_their_region():
    cohort = squares(800, mu_a=3.0, mu_s=-6.0, sigma=2.0, train=False, mu_y=0.5, seed=9)
    pixels = cohort.images[:, 0]
    y, s = cohort.abnormality_masks, cohort.shortcut_masks
    for region, mean in ((y, 3.0), (s, -6.0), (~y & ~s, 0.0)):
        values = pixels[region].astype(float)
        assert values.mean() == pytest.approx(mean, abs=5 * 2 / np.sqrt(values.size))
        assert values.std() == pytest.approx(2.0, abs=5 * 2 / np.sqrt(2 * values.size))


def test_without_noise_the_image_is_the_masks():
    cohort = squares(30, sigma=0, mu_a=0.5, mu_s=-3.0, train=False, mu_y=0.5, seed=10)
    expected = 0.5 * cohort.abnormality_masks - 3.0 * cohort.shortcut_masks
    np.testing.assert_array_equal(cohort.images[:, 0], expected)


def test_blocks_that_only_just_fit_are_placed():
    cohort = squares(50, n=9, a=1, b=4, mu_y=1.0, seed=0)
    assert not (cohort.abnormality_masks & cohort.shortcut_masks).any()
    assert cohort.shortcut_masks.sum() == 50 * 16


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"m": 0}, "m must be at least 1 image, got 0"),
        ({"mu_y": 1.5}, r"mu_y is a probability in \[0, 1\], got 1.5"),
        ({"rho": -0.1}, r"rho is a probability in \[0, 1\], got -0.1"),
        ({"mu_y": float("nan")}, "mu_y is a probability"),
        ({"sigma": -1}, "sigma is a standard deviation, at least 0, got -1"),
        ({"a": 0}, "a is a side in pixels from 1 to n = 40, got 0"),
        ({"a": 41}, "a is a side in pixels from 1 to n = 40, got 41"),
        ({"b": 0}, "b is a side in pixels from 1 to n = 40, got 0"),
        ({"b": 50}, "b is a side in pixels from 1 to n = 40, got 50"),
        ({"n": 10}, "b is a side in pixels from 1 to n = 10, got 12"),
        ({"n": 16}, "no place is left for a shortcut of 12 px beside an abnormality of 8 px"),
    ],
)
def test_bad_parameters_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        squares(**{"m": 10, **PAPER_SIZE, **change})
