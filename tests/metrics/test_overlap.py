import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shortlib.metrics import anatomic_knowledge_score, empty_maps, mass_inside, soft_dice

maps = arrays(np.float64, (3, 4, 5), elements=st.floats(0, 1).map(lambda x: round(x, 3)))
masks = arrays(bool, (3, 4, 5))


@given(maps, masks)
@settings(deadline=None, max_examples=60)
def test_both_agree_with_a_sum_over_pixels_one_by_one(saliency, mask):
    aks, dice = anatomic_knowledge_score(saliency, mask), soft_dice(saliency, mask)
    for i in range(3):
        looked = hit = marked = 0.0
        for row, truth in zip(saliency[i], mask[i], strict=True):
            for x, y in zip(row, truth, strict=True):
                looked, marked, hit = looked + x, marked + y, hit + x * y
        assert aks[i] == pytest.approx(hit / looked if looked else 0, abs=1e-12)
        assert dice[i] == pytest.approx(
            2 * hit / (looked + marked) if looked + marked else 0, abs=1e-12
        )


@given(maps, masks, st.floats(1e-3, 1e3))
@settings(deadline=None, max_examples=60)
def test_they_lie_between_0_and_1_and_only_dice_sees_the_scale(saliency, mask, factor):
    aks, dice = anatomic_knowledge_score(saliency, mask), soft_dice(saliency, mask)
    assert ((aks >= 0) & (aks <= 1) & (dice >= 0) & (dice <= 1)).all()
    assert ((aks > 0) == (dice > 0)).all()  # both are 0 where nothing is hit
    np.testing.assert_allclose(anatomic_knowledge_score(factor * saliency, mask), aks)
    half = soft_dice(saliency / 2, mask)
    total, area = saliency.sum(axis=(1, 2)), mask.sum(axis=(1, 2))
    np.testing.assert_allclose(half * (total / 2 + area) * 2, dice * (total + area), atol=1e-12)


def test_constructed_truth():
    mask = np.zeros((1, 4, 4), bool)
    mask[0, :2, :2] = True
    inside, outside = mask.astype(np.float32), (~mask).astype(np.float32)
    assert anatomic_knowledge_score(inside, mask) == soft_dice(inside, mask) == 1
    assert anatomic_knowledge_score(outside, mask) == soft_dice(outside, mask) == 0
    uniform = np.ones((1, 4, 4))
    assert anatomic_knowledge_score(uniform, mask) == pytest.approx(mask.mean())
    assert soft_dice(uniform, mask) == pytest.approx(2 * 4 / (16 + 4))
    # One pixel of the heart: all of the map is inside, but it covers a quarter of the mask.
    focus = np.zeros((1, 4, 4))
    focus[0, 1, 1] = 1
    assert anatomic_knowledge_score(focus, mask) == 1
    assert soft_dice(focus, mask) == pytest.approx(2 * 1 / (1 + 4))


def test_an_empty_map_earns_nothing_and_is_counted():
    saliency = np.zeros((3, 2, 2))
    saliency[1, 0, 0] = 1
    mask = np.ones((3, 2, 2), np.uint8)
    mask[2] = 0
    assert anatomic_knowledge_score(saliency, mask).tolist() == [0, 1, 0]
    assert soft_dice(saliency, mask)[[0, 2]].tolist() == [0, 0]
    assert empty_maps(saliency).tolist() == [True, False, True]
    # No case is dropped: the mean over three cases is not that over the one that hits.
    assert anatomic_knowledge_score(saliency, mask).mean() == pytest.approx(1 / 3)


def test_an_empty_mask_gives_nothing_to_find():
    saliency = np.ones((1, 2, 2))
    nothing = np.zeros((1, 2, 2), bool)
    assert anatomic_knowledge_score(saliency, nothing) == soft_dice(saliency, nothing) == 0
    assert not empty_maps(saliency).any()


@given(maps, masks)
@settings(deadline=None, max_examples=60)
def test_aks_is_the_mass_inside_wherever_there_is_mass(saliency, mask):
    there = ~empty_maps(saliency)
    found = anatomic_knowledge_score(saliency, mask)
    np.testing.assert_array_equal(found[there], mass_inside(saliency, mask)[there])


@pytest.mark.parametrize("score", [anatomic_knowledge_score, soft_dice])
@pytest.mark.parametrize(
    ("saliency", "mask", "sentence"),
    [
        (np.zeros((2, 2)), np.zeros((2, 2)), r"saliency must have shape \(n, h, w\)"),
        ([[[0, 1]], [[np.nan, 1]]], np.ones((2, 1, 2)), "saliency must be finite, case 1"),
        ([[[0, 1]], [[-0.5, 1]]], np.ones((2, 1, 2)), "negative, case 1 holds -0.5"),
        (np.ones((1, 2, 2)), np.ones((1, 2, 3)), "mask must have the maps' shape"),
        (np.ones((1, 2, 2)), np.full((1, 2, 2), 0.5), "mask must hold only 0 and 1"),
    ],
)
def test_what_cannot_be_scored_is_refused(score, saliency, mask, sentence):
    with pytest.raises(ValueError, match=sentence):
        score(saliency, mask)


def test_dice_needs_a_scaled_map_and_aks_does_not():
    loud, mask = np.full((1, 2, 2), 1.5), np.ones((1, 2, 2))
    assert anatomic_knowledge_score(loud, mask) == 1
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\] for a soft Dice, case 0 .* 1\.5"):
        soft_dice(loud, mask)


def test_no_cases_have_no_scores():
    nothing = np.zeros((0, 4, 4))
    assert anatomic_knowledge_score(nothing, nothing).shape == soft_dice(nothing, nothing).shape
    assert empty_maps(nothing).shape == (0,)
