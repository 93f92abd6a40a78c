import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics.pairwise import cosine_similarity

from shortlib.metrics import map_cosine_similarity, mass_inside

maps = arrays(np.float64, (4, 3, 5), elements=st.floats(-1e3, 1e3).map(lambda x: round(x, 3)))


@given(maps, maps)
def test_cosine_agrees_with_scikit_learn_case_by_case(a, b):
    ours = map_cosine_similarity(a, b)
    for i in range(4):
        theirs = cosine_similarity(a[i].reshape(1, -1), b[i].reshape(1, -1))[0, 0]
        assert ours[i] == pytest.approx(theirs, abs=1e-9)


def test_cosine_on_constructed_truth():
    one = np.zeros((1, 2, 2))
    one[0, 0, 0] = 1
    other = one[:, ::-1]
    uniform = np.ones((1, 2, 2))
    assert map_cosine_similarity(one, 3 * one) == 1
    assert map_cosine_similarity(one, -one) == -1
    assert map_cosine_similarity(one, other) == 0
    assert map_cosine_similarity(one, uniform) == pytest.approx(0.5)
    assert map_cosine_similarity(one, 0 * one) == 0
    tiny = np.full((1, 2, 2), 1e-200)
    assert map_cosine_similarity(tiny, uniform) == pytest.approx(1)


def test_mass_on_constructed_truth():
    mask = np.zeros((1, 4, 4), bool)
    mask[0, :2, :2] = True
    assert mass_inside(mask.astype(float), mask) == 1
    assert mass_inside((~mask).astype(float), mask) == 0
    assert mass_inside(np.ones((1, 4, 4)), mask) == pytest.approx(mask.mean())
    assert mass_inside(-np.ones((1, 4, 4)), mask) == pytest.approx(mask.mean())
    assert mass_inside(np.ones((1, 4, 4)), ~mask & mask) == 0
    assert np.isnan(mass_inside(np.zeros((1, 4, 4)), mask)).all()


@pytest.mark.parametrize(
    ("a", "b", "sentence"),
    [
        (np.zeros((2, 2)), np.zeros((2, 2)), r"a must have shape \(n, h, w\)"),
        (np.zeros((1, 2, 2)), np.zeros((1, 2, 3)), "a and b must have the same shape"),
        (np.zeros((1, 2, 2)), np.full((1, 2, 2), np.nan), "b must be finite, case 0"),
    ],
)
def test_maps_that_cannot_be_compared(a, b, sentence):
    with pytest.raises(ValueError, match=sentence):
        map_cosine_similarity(a, b)


def test_a_mask_must_fit_and_be_binary():
    with pytest.raises(ValueError, match="mask must have the maps' shape"):
        mass_inside(np.ones((1, 2, 2)), np.ones((1, 2, 3)))
    with pytest.raises(ValueError, match="mask must hold only 0 and 1"):
        mass_inside(np.ones((1, 2, 2)), np.full((1, 2, 2), 0.5))
