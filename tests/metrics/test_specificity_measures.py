import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import mutual_info_score

from shortlib.data import specificity_labels
from shortlib.data.phantoms import squares
from shortlib.metrics import (
    mutual_information,
    mutual_information_closed_form,
    positive_fraction,
    variance_closed_form,
    variance_measure,
)

PAPER = {"n": 40, "a": 8, "b": 12, "mu_a": 2, "mu_s": -10, "sigma": 1}
OTHERS = [
    {"n": 30, "a": 10, "b": 20, "mu_a": 1.5, "mu_s": 4.0, "sigma": 0.5},
    {"n": 64, "a": 5, "b": 6, "mu_a": -3.0, "mu_s": -8.0, "sigma": 2.0},
    {"n": 20, "a": 12, "b": 16, "mu_a": 0.0, "mu_s": 5.0, "sigma": 0.0},  # shortcut all around
    {"n": 17, "a": 1, "b": 1, "mu_a": 4.0, "mu_s": -1.0, "sigma": 1.0},
]


def sizes(model):
    return {name: model[name] for name in ("n", "a", "b")}


# The variance measure


@given(st.data(), st.booleans())
@settings(deadline=None, max_examples=60)
def test_variance_is_that_of_the_marked_pixels(data, channels):
    shape = (3, 2, 4, 5) if channels else (3, 4, 5)
    whole = st.integers(-50, 50).map(float)
    images = data.draw(arrays(float, shape, elements=whole))
    labels = data.draw(arrays(bool, (3, 4, 5)))
    labels[0, 0, 0] = True
    chosen = []
    for m, i, j in np.argwhere(labels):
        chosen += [images[m, c, i, j] for c in range(2)] if channels else [images[m, i, j]]
    mean = sum(chosen) / len(chosen)
    slow = sum((x - mean) ** 2 for x in chosen) / len(chosen)
    assert variance_measure(images, labels) == pytest.approx(slow, abs=1e-9)


def test_variance_of_constructed_images():
    images = np.zeros((2, 1, 4, 4), dtype=np.uint8)
    images[0, 0, 0] = 200
    labels = np.zeros((2, 4, 4), dtype=int)
    labels[0, 0] = 1
    assert variance_measure(images, labels) == 0.0
    labels[0, 1] = 1  # as many zeros: 100 away from the mean on either side
    assert variance_measure(images, labels) == 10_000.0
    assert variance_measure(torch.tensor(images), torch.tensor(labels)) == 10_000.0
    assert variance_measure(images.tolist(), labels.tolist()) == 10_000.0


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.ones((2, 3, 3)), np.zeros((2, 3, 3)), "labels mark no pixel as positive in 2 images"),
        (np.ones((2, 3, 3)), np.full((2, 3, 3), 2), "labels must hold only 0 and 1, got 2"),
        (np.ones((2, 3, 3)), np.ones((2, 3, 4)), r"got \(2, 3, 3\) with \(2, 3, 4\)"),
        (np.ones((1, 2, 3, 3)), np.ones((2, 3, 3)), r"got \(1, 2, 3, 3\) with \(2, 3, 3\)"),
        (np.ones((3, 3)), np.ones((3, 3)), r"images must have shape \(m, h, w\) or"),
        (np.full((1, 2, 2), np.nan), np.ones((1, 2, 2)), "images must be finite"),
    ],
)
def test_variance_says_what_is_wrong(images, labels, message):
    with pytest.raises(ValueError, match=message):
        variance_measure(images, labels)


# Mutual information


def entropy(p):
    return -sum(x * np.log(x) for x in (p, 1 - p) if x > 0)


maps = arrays(bool, (2, 4, 5))


@given(maps, maps)
@settings(deadline=None)
def test_information_agrees_with_scikit_learn_and_is_symmetric(a, b):
    found = mutual_information(a, b)
    assert found == pytest.approx(mutual_info_score(a.ravel(), b.ravel()), abs=1e-12)
    assert found == pytest.approx(mutual_information(b, a), abs=1e-12)
    assert found == pytest.approx(mutual_information(~a, b), abs=1e-12)
    assert 0 <= found <= min(entropy(a.mean()), entropy(b.mean())) + 1e-12


@given(maps)
@settings(deadline=None, max_examples=50)
def test_information_of_a_map_with_itself_is_its_entropy(a):
    assert mutual_information(a, a) == pytest.approx(entropy(a.mean()), abs=1e-12)
    assert mutual_information(a, ~a) == pytest.approx(entropy(a.mean()), abs=1e-12)
    assert mutual_information(a, np.ones_like(a)) == 0.0


@given(maps, maps, maps)
@settings(deadline=None, max_examples=50)
def test_where_restricts_the_pixels(a, b, where):
    where[0, 0, 0] = True
    assert mutual_information(a, b, where) == mutual_information(a[where], b[where])
    assert mutual_information(a, b, np.ones_like(a)) == mutual_information(a, b)


@given(st.integers(0, 6), st.integers(0, 6), st.integers(1, 6), st.integers(1, 6))
@settings(deadline=None, max_examples=50)
def test_information_of_independent_maps_is_exactly_zero(on_a, on_b, off_a, off_b):
    a, b = np.arange(on_a + off_a) < on_a, np.arange(on_b + off_b) < on_b
    rows, columns = np.meshgrid(a, b)  # every value of a meets every value of b equally often
    assert mutual_information(rows, columns) == 0.0


def test_information_accepts_lists_numbers_and_tensors():
    a, b = [[0, 1], [1, 1]], [[0.0, 1.0], [0.0, 1.0]]
    truth = mutual_info_score([0, 1, 1, 1], [0, 1, 0, 1])
    assert mutual_information(a, b) == pytest.approx(truth, abs=1e-12)
    assert mutual_information(torch.tensor(a), torch.tensor(b)) == pytest.approx(truth, abs=1e-12)


@pytest.mark.parametrize(
    ("a", "b", "where", "message"),
    [
        ([0, 1], [0, 1, 1], None, r"b must have the shape of a, \(2,\), got \(3,\)"),
        ([0, 1], [0, 1], [[0, 1]], r"where must have the shape of a, \(2,\), got \(1, 2\)"),
        ([0, 2], [0, 1], None, "a must hold only 0 and 1, got 2"),
        ([0, 1], [0, 0.5], None, "b must hold only 0 and 1, got 0.5"),
        ([0, 1], [0, 1], [0, 7], "where must hold only 0 and 1, got 7"),
        ([0, 1], [0, 1], [0, 0], "where selects no pixel"),
        ([], [], None, "a is empty"),
    ],
)
def test_information_says_what_is_wrong(a, b, where, message):
    with pytest.raises(ValueError, match=message):
        mutual_information(a, b, where)


# The closed forms


def test_closed_forms_on_the_papers_parameters():
    assert variance_closed_form(1, **PAPER) == pytest.approx(9.488, abs=5e-4)
    assert variance_closed_form(40, **PAPER) == 1.0
    assert mutual_information_closed_form(1, **sizes(PAPER)) == pytest.approx(0.00385, abs=5e-6)
    assert mutual_information_closed_form(20, **sizes(PAPER)) == pytest.approx(0.0355, abs=5e-5)
    assert mutual_information_closed_form(40, **sizes(PAPER)) == 0.0
    assert positive_fraction(1, n=40, a=8) == 0.04
    assert positive_fraction(20, n=40, a=8) == 0.64
    assert positive_fraction(39, n=40, a=8) == 0.64  # the ceiling of 40 / 39 is 2
    assert positive_fraction(40, n=40, a=8) == 1.0


def joint_table(r, n, a, b):
    """Probability of (S, Y) under a positive label, by the chain rule."""
    side = next(k for k in range(n + 1) if k * r >= n)  # the ceiling of n / r, by counting
    gamma = a * a / min(n, a + 2 * (side - 1)) ** 2
    w = b * b / (n * n - a * a)
    return np.array([[(1 - w) * (1 - gamma), gamma], [w * (1 - gamma), 0.0]])


@pytest.mark.parametrize("model", [PAPER, *OTHERS])
def test_closed_forms_agree_with_the_joint_table(model):
    n = model["n"]
    for r in range(1, n + 1):
        table = joint_table(r, **sizes(model))
        weights = np.array([table[0, 0], table[0, 1], table[1, 0]])
        means = np.array([0.0, model["mu_a"], model["mu_s"]])
        within, between = model["sigma"] ** 2, weights @ (means - weights @ means) ** 2
        assert variance_closed_form(r, **model) == pytest.approx(within + between, abs=1e-9)

        s, y = table.sum(axis=1), table.sum(axis=0)
        shared = entropy(s[0]) + entropy(y[0]) + sum(p * np.log(p) for p in weights if p > 0)
        found = mutual_information_closed_form(r, **sizes(model))
        assert found == pytest.approx(shared, abs=1e-12)
        assert positive_fraction(r, n=n, a=model["a"]) == pytest.approx(y[1], abs=1e-12)


@pytest.mark.parametrize("model", [PAPER, *OTHERS])
@pytest.mark.parametrize("part", [1, 2, 5])
def test_closed_forms_agree_with_a_simulation_of_their_model(model, part):
    r, draws = max(1, model["n"] // part), 200_000
    rng = np.random.default_rng([part, model["n"]])
    table = joint_table(r, **sizes(model))
    abnormal = rng.random(draws) < table[0, 1]
    w = model["b"] ** 2 / (model["n"] ** 2 - model["a"] ** 2)
    shortcut = ~abnormal & (rng.random(draws) < w)
    pixels = rng.normal(
        np.where(abnormal, model["mu_a"], np.where(shortcut, model["mu_s"], 0.0)), model["sigma"]
    )
    everywhere = np.ones((1, 1, draws), dtype=bool)

    deviations = (pixels - pixels.mean()) ** 2
    found = variance_measure(pixels[None, None], everywhere)
    error = deviations.std() / np.sqrt(draws)
    assert found == pytest.approx(variance_closed_form(r, **model), abs=5 * error + 1e-9)

    # The standard deviation of the pointwise information, for the estimate's own error.
    with np.errstate(divide="ignore", invalid="ignore"):
        pointwise = np.log(table / (table.sum(1, keepdims=True) * table.sum(0)))
    pointwise = pointwise[shortcut.astype(int), abnormal.astype(int)]
    error = pointwise.std() / np.sqrt(draws) + 1 / draws
    truth = mutual_information_closed_form(r, **sizes(model))
    assert mutual_information(shortcut, abnormal) == pytest.approx(
        truth, abs=5 * (error + 1 / draws)
    )


def test_closed_forms_take_arrays_and_give_floats_for_numbers():
    r = np.array([[1, 2], [20, 40]])
    for function, options in (
        (variance_closed_form, PAPER),
        (mutual_information_closed_form, sizes(PAPER)),
        (positive_fraction, {"n": 40, "a": 8}),
    ):
        found = function(r, **options)
        assert found.shape == (2, 2)
        assert type(function(2, **options)) is float
        assert found[0, 1] == function(2, **options)
        np.testing.assert_array_equal(function([1, 2, 20, 40], **options), found.ravel())
        np.testing.assert_array_equal(function(torch.tensor([1, 40]), **options), found.diagonal())


def test_shortcut_everywhere_but_on_the_abnormality():
    # b² = n² - a²: outside the abnormality every pixel is the shortcut, so S = not Y.
    found = mutual_information_closed_form([1, 5], n=5, a=3, b=4)
    assert found == pytest.approx([entropy(9 / 25), 0.0], abs=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"r": 0}, "r must be a whole number from 1 to n = 40, got 0"),
        ({"r": [1, 41]}, "r must be a whole number from 1 to n = 40, got 41"),
        ({"r": 2.5}, "r must be a whole number from 1 to n = 40, got 2.5"),
        ({"r": np.nan}, "r must be a whole number from 1 to n = 40, got nan"),
        ({"n": 0}, "n must be a whole number of pixels, at least 1, got 0"),
        ({"n": 40.5}, "n must be a whole number of pixels, at least 1, got 40.5"),
        ({"a": 0}, "a must be a whole number of pixels, from 1 to n = 40, got 0"),
        ({"a": 41}, "a must be a whole number of pixels, from 1 to n = 40, got 41"),
        ({"a": 40}, "b must leave the abnormality free: b² at most n² - a² = 0, got b = 12"),
        ({"b": 0}, "b must be a whole number of pixels, from 1 to n = 40, got 0"),
        ({"b": 40}, "b must leave the abnormality free: b² at most n² - a² = 1536, got b = 40"),
        ({"b": float("inf")}, "b must be a whole number of pixels, from 1 to n = 40, got inf"),
        ({"sigma": -1}, "sigma is a standard deviation, at least 0, got -1"),
        ({"sigma": np.nan}, "sigma must be finite, got nan"),
        ({"mu_a": np.inf}, "mu_a must be finite, got inf"),
        ({"mu_s": np.nan}, "mu_s must be finite, got nan"),
    ],
)
def test_closed_forms_name_the_parameter_that_is_wrong(change, message):
    options = {"r": 4, **PAPER, **change}
    with pytest.raises(ValueError, match=message.replace("²", ".")):
        variance_closed_form(**options)
    if change.keys() <= {"r", "n", "a", "b"}:
        with pytest.raises(ValueError, match=message.replace("²", ".")):
            mutual_information_closed_form(**{k: options[k] for k in ("r", "n", "a", "b")})


# Both, on drawn images. Between r = 1 and r = n they differ, and neither is monotone.


def test_drawn_images_meet_the_closed_forms_at_both_ends():
    cohort = squares(2000, seed=1)
    images, masks, spots = cohort.images, cohort.abnormality_masks, cohort.shortcut_masks
    found = {r: variance_measure(images, specificity_labels(masks, r)) for r in (1, 2, 40)}
    assert found[1] == pytest.approx(variance_closed_form(1, **PAPER), abs=0.06)
    assert found[2] == pytest.approx(10.22, abs=0.1)  # above the formula, and above r = 1
    assert found[40] == pytest.approx(variance_closed_form(40, **PAPER), abs=0.03)

    # Every abnormal image holds a² and b² pixels of each kind: no sampling error at r = 1.
    for r in (1, 40):
        where = specificity_labels(masks, r)
        truth = mutual_information_closed_form(r, **sizes(PAPER))
        assert mutual_information(spots, masks, where) == pytest.approx(truth, abs=1e-12)


def test_noiseless_images_meet_the_variance_formula_exactly():
    model = {"n": 24, "a": 4, "b": 6, "mu_a": 3.0, "mu_s": -5.0, "sigma": 0.0}
    cohort = squares(50, mu_y=0.5, seed=2, **model)
    labels = specificity_labels(cohort.abnormality_masks, 1)
    truth = variance_closed_form(1, **model)
    assert variance_measure(cohort.images, labels) == pytest.approx(truth, abs=1e-9)
