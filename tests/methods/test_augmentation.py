"""Augmentation: one draw an image, masks that follow, nothing asked means nothing done."""

import pytest
import torch

from shortlib.methods.augmentation import build_augmentation


@pytest.fixture
def batch():
    image = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(3))
    return image.repeat(16, 1, 1, 1)


def test_nothing_asked_is_nothing_done(batch):
    assert torch.equal(build_augmentation()(batch), batch)


def test_a_certain_flip_is_the_mirror_image(batch):
    assert torch.allclose(build_augmentation(horizontal_flip=1.0)(batch), batch.flip(3))
    assert torch.allclose(build_augmentation(vertical_flip=1.0)(batch), batch.flip(2))


def test_every_image_of_a_batch_has_its_own_draw(batch):
    torch.manual_seed(0)
    rotated = build_augmentation(degrees=30, translate=0.1, scale=(0.9, 1.1))(batch)
    assert len({float(image.sum()) for image in rotated}) == len(batch)
    flipped = build_augmentation(horizontal_flip=0.5)(batch)
    mirrored = sum(torch.allclose(image, batch[0].flip(2)) for image in flipped)
    assert 0 < mirrored < len(batch)


def test_draws_follow_torchs_seed(batch):
    augment = build_augmentation(degrees=30, brightness=0.2, contrast=0.2, blur=(0.1, 2.0))
    results = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        results.append(augment(batch))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_masks_follow_the_geometry_and_stay_binary():
    images = torch.zeros(8, 1, 40, 40)
    images[:, :, 5:15, 22:34] = 1.0
    torch.manual_seed(1)
    moved, masks = build_augmentation(horizontal_flip=0.5, translate=0.2)(images, images.clone())
    assert set(masks.unique().tolist()) <= {0.0, 1.0}
    # Shifts need not be whole pixels, so edges may differ; the block itself may not.
    disagree = ((moved > 0.5).float() != masks).float().sum(dim=(1, 2, 3))
    assert (disagree <= 44).all()
    assert (masks.sum(dim=(1, 2, 3)) > 0).all()


def test_brightness_scales_each_image_within_its_bounds():
    images = torch.full((32, 1, 8, 8), 0.5)
    torch.manual_seed(2)
    values = build_augmentation(contrast=0.4)(images).mean(dim=(1, 2, 3))
    assert values.min() >= 0.5 * 0.6 - 1e-5
    assert values.max() <= 0.5 * 1.4 + 1e-5
    assert values.std() > 0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"horizontal_flip": 1.2}, r"horizontal_flip must be in \[0, 1\], got 1.2"),
        ({"translate": -0.1}, r"translate must be in \[0, 1\], got -0.1"),
        ({"scale": (1.2, 0.8)}, r"scale must be \(smallest, largest\)"),
    ],
)
def test_values_that_make_no_sense_are_named(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        build_augmentation(**options)
