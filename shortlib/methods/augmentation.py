"""Random changes of images on the device, drawn anew for every image of a batch."""

import torch
from torch.nn.functional import pad

from shortlib.methods.warping import draw_bends, draw_crops, flip, uniform, warp

# Shares of red, green and blue in the grey that contrast turns about.
LUMA = (0.2989, 0.587, 0.114)


def build_augmentation(
    *,
    crop=None,
    side=None,
    horizontal_flip=0.0,
    vertical_flip=0.0,
    degrees=0.0,
    translate=0.0,
    scale=(1.0, 1.0),
    elastic=None,
    brightness=0.0,
    contrast=0.0,
    blur=None,
    kernel=None,
):
    """Build an augmentation for the batches of :func:`shortlib.methods.training.train`.

    Every image of a batch gets its own draw from torch's global generator, which the
    training loop seeds by run and epoch. A method calls it inside its ``batch_loss``.
    The changes follow each other as the parameters do, as torchvision's transforms of
    one image would; crop, flips and affine map take one interpolation together.

    Parameters
    ----------
    crop : tuple of float, optional
        Smallest and largest share of the image's area that a crop keeps, in (0, 1]. Its
        width is 3/4 to 4/3 of its height, and it is stretched to the output's size.
    side : int, optional
        Side of the square output of a crop, in pixels; the input's size if not given.
        Nothing is smoothed before, so it is not for images that shrink to under a half.
    horizontal_flip, vertical_flip : float
        Probability of a flip, in [0, 1].
    degrees : float
        Rotations are uniform in [-degrees, degrees]. What comes from beyond the crop is
        black.
    translate : float
        Shifts are uniform up to this share of the side, in [0, 1].
    scale : tuple of float
        Smallest and largest scale.
    elastic : tuple of float and int, optional
        Standard deviation of an elastic shift, as a share of the side, and how many cells the
        image has along each side; the corners of the cells are shifted, each by itself in x and y,
        and what lies between them follows smoothly.
    brightness, contrast : float
        Factors are uniform in [1 - value, 1 + value]. Brightness multiplies the image,
        contrast its difference from its own mean grey; which of them comes first is
        drawn, and each is cut to [0, 1].
    blur : tuple of float, optional
        Smallest and largest sigma of a Gaussian blur, in pixels.
    kernel : int, optional
        Pixels along the blur's kernel, odd; about six of the largest sigma if not given.

    Returns
    -------
    callable
        ``augment(images)`` for float images of shape (n, c, h, w) in [0, 1], or
        ``augment(images, masks)`` with float masks of shape (n, 1, h, w), which follow
        the geometry by the nearest pixel and stay binary; returns both.

    Raises
    ------
    ValueError
        If a probability or a share is out of [0, 1], a range is out of order, a kernel
        is not odd, or a side or a kernel has nothing to be of.
    """
    for name, value in (
        ("horizontal_flip", horizontal_flip),
        ("vertical_flip", vertical_flip),
        ("translate", translate),
        ("brightness", brightness),
        ("contrast", contrast),
    ):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must be in [0, 1], got {value}")
    if crop is not None and not 0 < crop[0] <= crop[1] <= 1:
        raise ValueError(f"crop must be (smallest, largest), shares in (0, 1], got {crop}")
    for name, ranged in (("scale", scale), ("blur", blur)):
        if ranged is not None and not 0 < ranged[0] <= ranged[1]:
            raise ValueError(f"{name} must be (smallest, largest), both positive, got {ranged}")
    if elastic is not None and not (elastic[0] >= 0 and elastic[1] >= 1):
        raise ValueError(
            f"elastic must be (share of the side from 0 up, cells from 1 up), got {elastic}"
        )
    if side is not None and (crop is None or side < 1):
        raise ValueError(f"side must be positive and given with crop, got {side}, crop {crop}")
    if kernel is not None and (blur is None or kernel < 1 or kernel % 2 == 0):
        raise ValueError(f"kernel must be odd and given with blur, got {kernel}, blur {blur}")
    if blur is not None and kernel is None:
        kernel = 2 * round(3 * blur[1]) + 1
    affine = degrees or translate or tuple(scale) != (1.0, 1.0)

    def augment(images, masks=None):
        n, _, *shape = images.shape
        size = tuple(shape) if side is None else (side, side)
        planes = [images] if masks is None else [images, masks]
        flips = torch.rand(n, 2) < torch.tensor([horizontal_flip, vertical_flip])
        if affine or crop or elastic:
            boxes = None if crop is None else draw_crops(n, shape, crop)
            turned = {}
            if affine:
                shifts = uniform(-translate, translate, n, 2) * torch.tensor(size[::-1])
                turned["angles"] = uniform(-degrees, degrees, n)
                turned |= {"shifts": shifts, "scales": uniform(*scale, n)}
            if elastic:
                turned["bends"] = draw_bends(n, size, *elastic)
            modes = ("bilinear", "nearest")
            planes = warp(planes, modes, boxes, size, flips=flips, **turned)
        elif horizontal_flip or vertical_flip:
            planes = [flip(plane, flips) for plane in planes]
        images = planes[0]
        if brightness or contrast:
            factors = [uniform(1 - most, 1 + most, n) for most in (brightness, contrast)]
            images = jitter(images, *factors, torch.rand(n) < 0.5)
        if blur is not None:
            images = gaussian_blur(images, uniform(*blur, n), kernel)
        return images if masks is None else (images, planes[1])

    return augment


def jitter(images, brightness, contrast, brightness_first):
    """Change brightness and contrast, each by its own factor for each image.

    Parameters
    ----------
    images : torch.Tensor, shape (n, c, h, w)
        In [0, 1]; three channels are red, green and blue.
    brightness, contrast : torch.Tensor, shape (n,)
        Factors; 1 changes nothing.
    brightness_first : torch.Tensor of bool, shape (n,)

    Returns
    -------
    torch.Tensor
        As `images`, in [0, 1].
    """
    device = images.device
    brightness, contrast, first = (
        values[:, None, None, None].to(device)
        for values in (brightness, contrast, brightness_first)
    )
    # Both are a factor and an addend; the first step is one of them, the second the other.
    for turns in (~first, first):
        factor = torch.where(turns, contrast, brightness)
        addend = torch.where(turns, (1 - contrast) * _grey_mean(images), 0.0)
        images = torch.addcmul(addend, images, factor).clamp_(0, 1)
    return images


def _grey_mean(images):
    means = images.mean(dim=(2, 3), keepdim=True)
    if images.shape[1] == 3:
        return (means * means.new_tensor(LUMA)[:, None, None]).sum(dim=1, keepdim=True)
    return means.mean(dim=1, keepdim=True)


def gaussian_blur(images, sigmas, kernel):
    """Blur each image by its own sigma; images are mirrored at their borders.

    Parameters
    ----------
    images : torch.Tensor, shape (n, c, h, w)
    sigmas : torch.Tensor, shape (n,)
        In pixels.
    kernel : int
        Pixels along the kernel, odd.

    Returns
    -------
    torch.Tensor
        As `images`.

    Raises
    ------
    ValueError
        If the kernel reaches further than the image.
    """
    height, width = images.shape[2:]
    reach = kernel // 2
    if reach >= min(height, width):
        raise ValueError(
            f"kernel must be below twice the side, {2 * min(height, width)} px, got {kernel}"
        )
    away = torch.arange(kernel) - reach
    weights = torch.exp(-0.5 * (away / sigmas[:, None]) ** 2)
    weights = (weights / weights.sum(dim=1, keepdim=True)).to(images.device)
    weights = weights.T[..., None, None, None]
    images = pad(images, (reach, reach, reach, reach), mode="reflect")
    # Shifted copies are summed, first of rows and then of columns: a convolution with a
    # kernel for each image is slower at 224 px.
    for dim, length in ((2, height), (3, width)):
        total = images.narrow(dim, 0, length) * weights[0]
        for k in range(1, kernel):
            total.addcmul_(images.narrow(dim, k, length), weights[k])
        images = total
    return images
