"""Random changes of images on the device, drawn anew for every image of a batch."""

from kornia.augmentation import (
    AugmentationSequential,
    RandomAffine,
    RandomBrightness,
    RandomContrast,
    RandomGaussianBlur,
    RandomHorizontalFlip,
    RandomVerticalFlip,
)


def build_augmentation(
    *,
    horizontal_flip=0.0,
    vertical_flip=0.0,
    degrees=0.0,
    translate=0.0,
    scale=(1.0, 1.0),
    brightness=0.0,
    contrast=0.0,
    blur=None,
):
    """Build an augmentation for the batches of :func:`shortlib.methods.training.train`.

    Every image of a batch gets its own draw from torch's global generator, which the
    training loop seeds by run and epoch. A method calls it inside its ``batch_loss``.

    Parameters
    ----------
    horizontal_flip, vertical_flip : float
        Probability of a flip, in [0, 1].
    degrees : float
        Rotations are uniform in [-degrees, degrees].
    translate : float
        Shifts are uniform up to this share of the side, in [0, 1].
    scale : tuple of float
        Smallest and largest scale.
    brightness, contrast : float
        Factors are uniform in [1 - value, 1 + value]; for images in [0, 1].
    blur : tuple of float, optional
        Smallest and largest sigma of a Gaussian blur, in pixels.

    Returns
    -------
    callable
        ``augment(images)`` for float images of shape (n, c, h, w) in [0, 1], or
        ``augment(images, masks)`` with float masks of shape (n, 1, h, w), which follow
        the geometry by the nearest pixel and stay binary; returns both.

    Raises
    ------
    ValueError
        If a probability or a share is out of [0, 1], or a scale is out of order.
    """
    for name, value in (
        ("horizontal_flip", horizontal_flip),
        ("vertical_flip", vertical_flip),
        ("translate", translate),
    ):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must be in [0, 1], got {value}")
    if not 0 < scale[0] <= scale[1]:
        raise ValueError(f"scale must be (smallest, largest), both positive, got {scale}")
    steps = []
    if horizontal_flip:
        steps.append(RandomHorizontalFlip(p=horizontal_flip))
    if vertical_flip:
        steps.append(RandomVerticalFlip(p=vertical_flip))
    if degrees or translate or tuple(scale) != (1.0, 1.0):
        steps.append(RandomAffine(degrees, (translate, translate), tuple(scale), p=1.0))
    if brightness:
        steps.append(RandomBrightness((1 - brightness, 1 + brightness), p=1.0))
    if contrast:
        steps.append(RandomContrast((1 - contrast, 1 + contrast), p=1.0))
    if blur is not None:
        # Six sigmas wide, and odd as a kernel must be.
        size = 2 * round(3 * blur[1]) + 1
        steps.append(RandomGaussianBlur((size, size), tuple(blur), p=1.0))
    # Without a step kornia has nothing to compose; a flip that never happens changes nothing.
    sequence = AugmentationSequential(*(steps or [RandomHorizontalFlip(p=0.0)]), data_keys=None)

    def augment(images, masks=None):
        if masks is None:
            return sequence(images, data_keys=["input"])
        return tuple(sequence(images, masks, data_keys=["input", "mask"]))

    return augment
