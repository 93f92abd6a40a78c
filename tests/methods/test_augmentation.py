"""Augmentation: one draw an image, masks that follow, nothing asked means nothing done.

Each step is held against torchvision's transform of one image with the same numbers.
"""

import numpy as np
import pytest
import torch
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as one_by_one
from torchvision.transforms.v2.functional import elastic as elastic_map

from shortlib.methods.augmentation import build_augmentation, gaussian_blur, jitter
from shortlib.methods.warping import ASPECTS, draw_bends, draw_crops, warp

BILINEAR = InterpolationMode.BILINEAR


@pytest.fixture
def batch():
    image = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(3))
    return image.repeat(16, 1, 1, 1)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def smooth(n, height, width, channels=1):
    """Images with a slope and two waves, which hold still under a second interpolation."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    waves = [
        0.5 + 0.2 * torch.sin(x / 9 + i + k) + 0.2 * torch.cos(y / 7 - i)
        for i in range(n)
        for k in range(channels)
    ]
    return torch.stack(waves).reshape(n, channels, height, width)


def geometry(n, size, seed=0):
    draw = generator(seed)
    return {
        "flips": torch.rand(n, 2, generator=draw) < 0.5,
        "angles": 40 * torch.rand(n, generator=draw) - 20,
        "shifts": (torch.rand(n, 2, generator=draw) - 0.5) * 0.2 * size,
        "scales": 0.9 + 0.2 * torch.rand(n, generator=draw),
    }


def slow(image, box, side, i, geometry):
    """Crop, flip and turn one image as torchvision does."""
    if box is not None:
        top, left, height, width = box.int().tolist()
        image = one_by_one.resized_crop(
            image, top, left, height, width, [side, side], BILINEAR, antialias=False
        )
    across, down = geometry["flips"][i]
    image = one_by_one.hflip(image) if across else image
    image = one_by_one.vflip(image) if down else image
    return one_by_one.affine(
        image,
        float(geometry["angles"][i]),
        geometry["shifts"][i].tolist(),
        float(geometry["scales"][i]),
        [0.0, 0.0],
        BILINEAR,
    )


def test_nothing_asked_is_nothing_done(batch):
    assert torch.equal(build_augmentation()(batch), batch)


def test_a_certain_flip_is_the_mirror_image(batch):
    assert torch.equal(build_augmentation(horizontal_flip=1.0)(batch), batch.flip(3))
    assert torch.equal(build_augmentation(vertical_flip=1.0)(batch), batch.flip(2))


@pytest.mark.parametrize("shape", [(40, 40), (30, 44)])
def test_turned_images_are_torchvisions(shape):
    images = torch.rand(12, 2, *shape, generator=generator())
    drawn = geometry(12, 40)
    (found,) = warp([images], ["bilinear"], None, shape, **drawn)
    expected = torch.stack([slow(images[i], None, None, i, drawn) for i in range(12)])
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=0)


def test_cropped_images_are_torchvisions():
    images = torch.rand(12, 1, 50, 60, generator=generator())
    torch.manual_seed(1)
    boxes = draw_crops(12, (50, 60), (0.3, 0.9))
    still = torch.zeros(12, 2, dtype=torch.bool)
    (found,) = warp([images], ["bilinear"], boxes, (40, 40), flips=still)
    for i, box in enumerate(boxes):
        top, left, height, width = box.int().tolist()
        expected = one_by_one.resized_crop(
            images[i], top, left, height, width, [40, 40], BILINEAR, antialias=False
        )
        # A pixel at the border sees its neighbour beyond the crop, where torchvision's cannot.
        torch.testing.assert_close(
            found[i, :, 1:-1, 1:-1], expected[:, 1:-1, 1:-1], atol=2e-5, rtol=0
        )


@pytest.mark.parametrize("shape", [(40, 40), (30, 44)])
def test_bent_images_are_torchvisions(shape):
    images = torch.rand(6, 2, *shape, generator=generator())
    torch.manual_seed(2)
    bends = draw_bends(6, shape, 0.03, 4)
    flips = geometry(6, 40)["flips"]
    (found,) = warp([images], ["bilinear"], None, shape, flips=flips, bends=bends)
    half = torch.tensor([shape[1] / 2, shape[0] / 2])
    for i, (across, down) in enumerate(flips):
        image = one_by_one.hflip(images[i]) if across else images[i]
        image = one_by_one.vflip(image) if down else image
        due = elastic_map(image, (bends[i] / half)[None], BILINEAR)
        torch.testing.assert_close(found[i], due, atol=2e-5, rtol=0)


def test_bends_turn_and_scale_with_the_image():
    """A shift of all pixels by one vector is an affine map's shift the other way."""
    images = smooth(3, 40, 40)
    drawn = geometry(3, 40)
    still = {**drawn, "shifts": torch.zeros(3, 2)}
    bends = (-drawn["shifts"])[:, None, None].expand(3, 40, 40, 2)
    for boxes in (None, torch.tensor([[2.0, 3.0, 30.0, 33.0]] * 3)):
        bent, moved = (
            warp([images], ["bilinear"], boxes, (40, 40), **options)[0]
            for options in ({**still, "bends": bends}, drawn)
        )
        torch.testing.assert_close(bent, moved, atol=1e-5, rtol=0)


def test_corners_are_bent_by_as_much_as_was_asked_for_and_all_else_smoothly():
    torch.manual_seed(0)
    bends = draw_bends(4000, (21, 41), 0.02, 4)
    corners = bends[:, ::5, ::10]
    torch.testing.assert_close(corners.std(dim=(0, 1, 2)), torch.tensor([0.82, 0.42]), rtol=0.02,
                               atol=0)  # fmt: skip
    assert corners.mean().abs() < 0.01
    # Neighbours move alike: what a pixel is from its neighbour is far below what it moves itself.
    assert bends.diff(dim=2).std() < 0.3 * bends.std()
    assert torch.equal(draw_bends(2, (8, 8), 0.0, 3), torch.zeros(2, 8, 8, 2))


def test_one_interpolation_for_crop_and_turn_stays_close_to_torchvisions_two():
    images = smooth(12, 64, 64)
    torch.manual_seed(2)
    boxes = draw_crops(12, (64, 64), (0.6, 1.0))
    drawn = geometry(12, 56)
    (found,) = warp([images], ["bilinear"], boxes, (56, 56), **drawn)
    expected = torch.stack([slow(images[i], boxes[i], 56, i, drawn) for i in range(12)])
    torch.testing.assert_close(found, expected, atol=0.01, rtol=0)
    # The same pixels are black, although the stored image goes on beyond the crop.
    assert ((found == 0) == (expected == 0)).float().mean() > 0.999
    assert (expected == 0).any()


def test_a_crop_of_the_whole_is_the_whole(batch):
    assert torch.allclose(build_augmentation(crop=(1.0, 1.0))(batch), batch, atol=1e-5)


def test_crops_lie_within_the_image_and_have_the_shares_and_shapes_asked_for():
    torch.manual_seed(0)
    boxes = draw_crops(2000, (100, 100), (0.3, 0.6))
    top, left, height, width = boxes.T
    assert (boxes == boxes.round()).all()
    assert (top >= 0).all()
    assert (top + height <= 100).all()
    assert (left >= 0).all()
    assert (left + width <= 100).all()
    share = height * width / 100**2
    assert 0.29 < share.min() < 0.32
    assert 0.58 < share.max() < 0.61
    assert share.mean() == pytest.approx(0.45, abs=0.01)
    aspect = width / height
    assert ASPECTS[0] - 0.02 < aspect.min() < 0.78
    assert 1.3 < aspect.max() < ASPECTS[1] + 0.03
    assert torch.log(aspect).mean() == pytest.approx(0, abs=0.02)


def test_where_no_crop_fits_the_middle_is_kept():
    assert draw_crops(2, (40, 80), (1.0, 1.0)).tolist() == [[0, 13, 40, 53]] * 2
    assert draw_crops(1, (80, 40), (1.0, 1.0)).tolist() == [[13, 0, 53, 40]]


def test_a_crop_takes_the_side_asked_for():
    images, masks = smooth(3, 64, 64), torch.ones(3, 1, 64, 64)
    images, masks = build_augmentation(crop=(0.6, 1.0), side=56, degrees=20)(images, masks)
    assert images.shape == masks.shape == (3, 1, 56, 56)
    assert build_augmentation(crop=(0.6, 1.0))(images).shape == images.shape


@pytest.mark.parametrize("channels", [1, 3])
def test_jitter_is_torchvisions(channels):
    images = torch.rand(12, channels, 20, 20, generator=generator())
    brightness, contrast = 0.6 + 0.8 * torch.rand(2, 12, generator=generator(1))
    first = torch.arange(12) % 2 == 0
    found = jitter(images, brightness, contrast, first)
    for i, image in enumerate(images):
        steps = [
            lambda x, i=i: one_by_one.adjust_brightness(x, float(brightness[i])),
            lambda x, i=i: one_by_one.adjust_contrast(x, float(contrast[i])),
        ]
        for step in steps if first[i] else steps[::-1]:
            image = step(image)
        torch.testing.assert_close(found[i], image, atol=2e-6, rtol=0)


@pytest.mark.parametrize(("kernel", "shape"), [(15, (40, 40)), (5, (20, 33)), (1, (8, 8))])
def test_blur_is_torchvisions(kernel, shape):
    images = torch.rand(10, 2, *shape, generator=generator())
    sigmas = torch.linspace(0.1, 3, 10)
    found = gaussian_blur(images, sigmas, kernel)
    for image, sigma, ours in zip(images, sigmas.tolist(), found, strict=True):
        expected = one_by_one.gaussian_blur(image, [kernel, kernel], [sigma, sigma])
        torch.testing.assert_close(ours, expected, atol=2e-6, rtol=0)


def test_factors_stay_within_their_bounds_and_fill_them():
    images = torch.full((400, 1, 4, 4), 0.5)
    torch.manual_seed(2)
    values = build_augmentation(brightness=0.4)(images)[:, 0, 0, 0].numpy() / 0.5
    assert 0.6 <= values.min() < 0.62
    assert 1.38 < values.max() <= 1.4
    assert np.mean(values) == pytest.approx(1, abs=0.04)
    # Contrast leaves a flat image alone, and the mean of any that is not cut.
    assert torch.allclose(build_augmentation(contrast=0.4)(images), images)


def test_both_orders_of_brightness_and_contrast_occur():
    torch.manual_seed(3)
    white = torch.tensor([0.0, 1.0]).reshape(1, 1, 1, 2).repeat(300, 1, 4, 4)
    found = build_augmentation(brightness=0.5, contrast=0.5)(white)
    low, high = found.amin(dim=(1, 2, 3)), found.amax(dim=(1, 2, 3))
    # Above 1, cut before the contrast, the mean is a half and both ends are moved alike.
    assert ((low > 0) & torch.isclose(low + high, torch.tensor(1.0), atol=1e-5)).any()
    assert ((low > 0) & (high == 1)).any()


def test_every_image_of_a_batch_has_its_own_draw(batch):
    for options in (
        {"degrees": 30, "translate": 0.1, "scale": (0.9, 1.1)},
        {"crop": (0.5, 0.9)},
        {"brightness": 0.4},
        {"blur": (0.3, 2.0)},
        {"elastic": (0.03, 4)},
    ):
        torch.manual_seed(0)
        changed = build_augmentation(**options)(batch)
        assert len(torch.unique(changed, dim=0)) == len(batch), options
    flipped = build_augmentation(horizontal_flip=0.5)(batch)
    mirrored = sum(torch.allclose(image, batch[0].flip(2)) for image in flipped)
    assert 0 < mirrored < len(batch)


def test_draws_follow_torchs_seed(batch):
    augment = build_augmentation(
        crop=(0.6, 1.0), degrees=30, brightness=0.2, contrast=0.2, blur=(0.1, 2.0)
    )
    results = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        results.append(augment(batch))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


@pytest.mark.parametrize(("crop", "elastic"), [(None, None), ((0.7, 1.0), None), (None, (0.01, 4))])
def test_masks_follow_the_geometry_and_stay_binary(crop, elastic):
    images = torch.zeros(8, 1, 40, 40)
    images[:, :, 5:15, 22:34] = 1.0
    torch.manual_seed(1)
    augment = build_augmentation(
        crop=crop, horizontal_flip=0.5, translate=0.2, degrees=10, elastic=elastic
    )
    moved, masks = augment(images, images.clone())
    assert set(masks.unique().tolist()) <= {0.0, 1.0}
    # Shifts need not be whole pixels, so edges may differ; the block itself may not.
    disagree = ((moved > 0.5).float() != masks).float().sum(dim=(1, 2, 3))
    assert (disagree <= 44).all()
    assert (masks.sum(dim=(1, 2, 3)) > 0).sum() >= 6


def test_images_are_not_changed_in_place(batch):
    before = batch.clone()
    build_augmentation(
        crop=(0.6, 1.0), degrees=9, brightness=0.3, contrast=0.3, blur=(0.1, 1.0), kernel=3
    )(batch)
    assert torch.equal(batch, before)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"horizontal_flip": 1.2}, r"horizontal_flip must be in \[0, 1\], got 1.2"),
        ({"translate": -0.1}, r"translate must be in \[0, 1\], got -0.1"),
        ({"contrast": 1.5}, r"contrast must be in \[0, 1\], got 1.5"),
        ({"scale": (1.2, 0.8)}, r"scale must be \(smallest, largest\)"),
        ({"blur": (0.0, 0.8)}, r"blur must be \(smallest, largest\), both positive"),
        ({"crop": (0.5, 1.2)}, r"crop must be \(smallest, largest\), shares in \(0, 1\]"),
        ({"elastic": (-0.1, 4)}, r"elastic must be \(share of the side from 0 up, cells"),
        ({"elastic": (0.1, 0)}, r"elastic must be .* got \(0.1, 0\)"),
        ({"side": 56}, "side must be positive and given with crop, got 56, crop None"),
        ({"blur": (0.1, 1.0), "kernel": 4}, "kernel must be odd and given with blur, got 4"),
        ({"kernel": 5}, "kernel must be odd and given with blur, got 5, blur None"),
    ],
)
def test_values_that_make_no_sense_are_named(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        build_augmentation(**options)


def test_a_kernel_beyond_the_image_is_named():
    with pytest.raises(ValueError, match="kernel must be below twice the side, 16 px, got 17"):
        build_augmentation(blur=(1.0, 2.0), kernel=17)(torch.rand(1, 1, 8, 8))
