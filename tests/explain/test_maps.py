import numpy as np
import pytest
from scipy import ndimage

from shortlib.explain.maps import boxes_around, saliency_maps


def test_a_constant_or_empty_attribution_is_zero_everywhere():
    constant = np.full((2, 3, 6, 5), -0.7, np.float32)
    for attributions in (constant, np.zeros((2, 1, 6, 5), np.float32)):
        maps = saliency_maps(attributions)
        assert maps.shape == (2, 6, 5)
        assert maps.dtype == np.float32
        assert not maps.any()


@pytest.mark.parametrize("side", [8, 56])  # one pixel is more, and less, than the cut 1 %
@pytest.mark.parametrize("value", [3.0, -3.0])
def test_a_single_pixel_is_all_of_the_map(side, value):
    attributions = np.zeros((1, 1, side, side), np.float32)
    attributions[0, 0, 2, 5] = value
    due = np.zeros((1, side, side))
    due[0, 2, 5] = 1
    np.testing.assert_array_equal(saliency_maps(attributions), due)


def test_channels_are_summed_whichever_their_sign():
    attributions = np.zeros((1, 2, 2, 2), np.float32)
    attributions[0, :, 0, 0] = 1, -1  # not 0: two channels that disagree both matter
    attributions[0, :, 0, 1] = 3, 1
    maps = saliency_maps(attributions, percentile=100)
    np.testing.assert_allclose(maps[0], [[0.5, 1.0], [0.0, 0.0]])


def test_the_highest_are_cut_and_the_rest_keep_their_distances():
    # 101 values from 0 to 100, whose percentiles are themselves.
    ramp = np.random.default_rng(0).permutation(101).astype(np.float32)
    maps = saliency_maps(7 + ramp.reshape(1, 1, 1, 101), percentile=80)
    np.testing.assert_allclose(maps[0, 0], np.minimum(ramp / 80, 1), rtol=1e-6)


def test_each_map_is_scaled_by_itself_and_scale_does_not_matter():
    attributions = np.random.default_rng(1).normal(size=(4, 2, 9, 9))
    together = saliency_maps(attributions)
    apart = [saliency_maps(1000 * one[None])[0] for one in attributions]
    np.testing.assert_allclose(together, apart, rtol=1e-5)
    assert together.min() == 0
    assert (together.max(axis=(1, 2)) == 1).all()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"attributions": np.zeros((2, 3, 3))}, r"must have shape \(n, c, h, w\), got \(2, 3, 3\)"),
        ({"percentile": 0}, r"percentile must be in \(0, 100\], got 0"),
        ({"percentile": 101}, "percentile must be in .* got 101"),
    ],
)
def test_wrong_arguments_are_named(wrong, said):
    with pytest.raises(ValueError, match=said):
        saliency_maps(**{"attributions": np.zeros((1, 1, 3, 3)), **wrong})


def masks_of(*pixels):
    mask = np.zeros((1, 7, 9), bool)
    for row, column in pixels:
        mask[0, row, column] = True
    return mask


def test_boxes_of_nothing_a_pixel_and_two_blobs():
    assert not boxes_around(masks_of()).any()
    np.testing.assert_array_equal(boxes_around(masks_of((3, 4))), masks_of((3, 4)))
    both = boxes_around(masks_of((1, 2), (5, 7)))[0]
    assert both[1:6, 2:8].all()
    assert both.sum() == 5 * 6
    whole = masks_of((0, 0), (6, 8))
    assert boxes_around(whole).all()


def test_boxes_agree_with_scipys():
    masks = np.random.default_rng(0).random((40, 7, 9)) < 0.05
    for mask, box in zip(masks, boxes_around(masks), strict=True):
        due = np.zeros_like(mask)
        for place in ndimage.find_objects(mask.astype(int)):
            due[place] = True
        np.testing.assert_array_equal(box, due)
