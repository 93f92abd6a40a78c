"""Integrated gradients with SmoothGrad, for many images at a time."""

from typing import NamedTuple

import numpy as np
import torch

# Images whose noisy copies are held at a time.
CHUNK = 32


class Attribution(NamedTuple):
    """Maps, and how well they add up to what they explain."""

    maps: np.ndarray
    sums: np.ndarray
    differences: np.ndarray

    @property
    def completeness_error(self):
        """Gap between each map's sum and its output's difference, shape (n,)."""
        return np.abs(self.sums - self.differences)


def integrated_gradients(
    output,
    images,
    *,
    steps=16,
    samples=1,
    noise=0.0,
    baseline=0.0,
    seed=0,
    batch_size=128,
):
    """Attribute one output to the pixels of each image.

    Every image is joined to the baseline by a straight line; the gradient's mean along
    the line (midpoint rule), times the way, is the attribution. With SmoothGrad it is
    the mean over noisy copies of the image. The steps of all images and copies are
    passed through the network side by side, `batch_size` at a time.

    Parameters
    ----------
    output : callable
        ``output(images, index)`` with float32 images of shape (m, c, h, w) and the
        cases they belong to, int64 of shape (m,), returns the output to explain, shape
        (m,), each from its own image alone (a network in evaluation mode). Several
        outputs of an image, shape (m, k), are explained from one forward pass.
    images : torch.Tensor of float32, shape (n, c, h, w)
    steps : int
        Points on each line.
    samples : int
        Noisy copies of each image; the first has no noise when `noise` is 0.
    noise : float
        Standard deviation of the noise, as a share of each image's range.
    baseline : float
        Value of every pixel where the line begins; 0 is black for images in [0, 1].
    seed : int
        Of the noise, which differs by case and copy and not by batch.
    batch_size : int
        Images in one forward and backward pass.

    Returns
    -------
    Attribution
        ``maps`` float32 of shape (n, c, h, w); ``sums`` of each map; ``differences``
        between the output at the image and at the baseline (means over copies), which
        the sums approach as `steps` grows. With several outputs all have an axis for
        them, the second.

    Raises
    ------
    ValueError
        If `steps` or `samples` is below 1, or `noise` is negative.

    References
    ----------
    Sundararajan, Taly and Yan (2017); Smilkov et al. (2017).
    """
    for name, value, least in (("steps", steps, 1), ("samples", samples, 1), ("noise", noise, 0)):
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
    if not noise:
        samples = 1  # copies without noise are the image itself
    parts = [
        _chunk(
            output,
            images[first : first + CHUNK],
            first,
            steps,
            samples,
            noise,
            baseline,
            seed,
            batch_size,
        )
        for first in range(0, len(images), CHUNK)
    ]
    return Attribution(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _chunk(output, images, first, steps, samples, noise, baseline, seed, batch_size):
    """Attribute a few images, so that noisy copies of all are never in memory at once."""
    n = len(images)
    start = torch.full_like(images[:1], baseline)
    ends = torch.stack([_copies(images[i], first + i, samples, noise, seed) for i in range(n)])
    gradients = None
    # One row for each point of each line: case, copy, step.
    grid = torch.meshgrid(*(torch.arange(k) for k in (n, samples, steps)), indexing="ij")
    case, copy, step = (values.ravel() for values in grid)
    share = ((step + 0.5) / steps).to(images)
    for rows in torch.arange(len(case)).split(batch_size):
        point = torch.lerp(start, ends[case[rows], copy[rows]], share[rows, None, None, None])
        point.requires_grad_(True)
        with torch.enable_grad():
            totals = output(point, first + case[rows]).sum(dim=0)
            gradient = _gradients(totals, point)
        if gradients is None:
            gradients = gradient.new_zeros(n, samples, *gradient.shape[1:])
        gradients.index_put_((case[rows], copy[rows]), gradient, accumulate=True)
    way = ends - start if totals.ndim == 0 else (ends - start)[:, :, None]
    maps = (way * gradients / steps).mean(dim=1)
    with torch.no_grad():
        case = torch.arange(n).repeat_interleave(samples)
        reached = _outputs(output, ends.flatten(0, 1), first + case, batch_size)
        left = _outputs(output, start.expand_as(images), first + torch.arange(n), batch_size)
    difference = reached.reshape(n, samples, *left.shape[1:]).mean(dim=1) - left
    return tuple(x.cpu().numpy() for x in (maps, maps.sum(dim=(-3, -2, -1)), difference))


def _gradients(totals, point):
    """Gradient of one total, as `point`, or of several, with an axis for them."""
    if totals.ndim == 0:
        return torch.autograd.grad(totals, point)[0]
    # One backward pass an output; the forward pass is shared.
    last = len(totals) - 1
    each = [torch.autograd.grad(x, point, retain_graph=k < last)[0] for k, x in enumerate(totals)]
    return torch.stack(each, dim=1)


def _copies(image, number, samples, noise, seed):
    """Noisy copies of one image, shape (samples, c, h, w); known by its number alone."""
    if not noise:
        return image[None]
    rng = np.random.default_rng([int(seed), number])
    drawn = torch.from_numpy(rng.standard_normal((samples, *image.shape), dtype=np.float32))
    return image + drawn.to(image) * noise * (image.max() - image.min())


def _outputs(output, images, cases, batch_size):
    batches = zip(images.split(batch_size), cases.split(batch_size), strict=True)
    return torch.cat([output(batch, index) for batch, index in batches])
