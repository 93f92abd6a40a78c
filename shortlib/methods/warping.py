"""Geometry of random changes of images: another place, size and angle for each."""

import math

import torch
from torch.nn.functional import grid_sample, interpolate

# Shapes of a random crop, width over height; sizes that do not fit are drawn again.
ASPECTS = (3 / 4, 4 / 3)
TRIES = 10


def uniform(low, high, *shape):
    """Draw from torch's global generator, on the CPU whatever the images are on."""
    return low + (high - low) * torch.rand(*shape)


def draw_crops(n, size, shares):
    """Draw where images are cropped, in whole pixels that lie within the image.

    Parameters
    ----------
    n : int
    size : tuple of int
        Height and width of the images.
    shares : tuple of float
        Smallest and largest share of the area.

    Returns
    -------
    torch.Tensor of float32, shape (n, 4)
        Top, left, height and width. Where no drawn shape fits into the image, it is the
        largest in the image's middle whose aspect is allowed.
    """
    height, width = size
    area = uniform(*shares, n, TRIES) * height * width
    aspect = torch.exp(uniform(*map(math.log, ASPECTS), n, TRIES))
    sizes = torch.stack([area / aspect, area * aspect], dim=2).sqrt().round()
    whole = torch.tensor([float(height), float(width)])
    fits = ((sizes >= 1) & (sizes <= whole)).all(dim=2)
    chosen = sizes[torch.arange(n), fits.int().argmax(dim=1)]
    largest = whole.minimum(whole.flip(0) * torch.tensor([1 / ASPECTS[0], ASPECTS[1]])).round()
    room = whole - torch.where(fits.any(dim=1)[:, None], chosen, largest)
    start = torch.where(
        fits.any(dim=1)[:, None],
        (torch.rand(n, 2) * (room + 1)).floor().minimum(room),
        (room / 2).floor(),
    )
    return torch.cat([start, whole - room], dim=1)


def draw_bends(n, size, share, cells):
    """Draw smooth shifts of all output pixels.

    Parameters
    ----------
    n : int
    size : tuple of int
        Height and width of the output.
    share : float
        Standard deviation at the corners of cells, as a share of the height and of the width.
    cells : int
        Along each side.

    Returns
    -------
    torch.Tensor of float32, shape (n, h, w, 2)
        To the right and down, in output pixels; cubic between the corners.
    """
    corners = share * torch.randn(n, 2, cells + 1, cells + 1)
    corners *= torch.tensor([size[1], size[0]])[:, None, None]
    bends = interpolate(corners, size, mode="bicubic", align_corners=True)
    return bends.permute(0, 2, 3, 1)


def warp(planes, modes, boxes, size, *, flips, angles=None, shifts=None, scales=None, bends=None):
    """Crop, resize, flip, turn, scale and shift images, in this order and all at once.

    Parameters
    ----------
    planes : list of torch.Tensor, each of shape (n, c, h, w)
        Float images, and what follows them.
    modes : sequence of str
        How each is interpolated, ``"bilinear"`` or ``"nearest"``.
    boxes : torch.Tensor of shape (n, 4), or None
        Top, left, height and width of each crop; the whole image if None.
    size : tuple of int
        Height and width of the output.
    flips : torch.Tensor of bool, shape (n, 2)
        Left to right, and upside down.
    angles : torch.Tensor of shape (n,), optional
        Clockwise, in degrees.
    shifts : torch.Tensor of shape (n, 2), optional
        To the right and down, in output pixels.
    scales : torch.Tensor of shape (n,), optional
    bends : torch.Tensor of shape (n, h', w', 2), optional
        How far to the right and down of an output pixel its content is taken from, in output
        pixels.

    Returns
    -------
    list of torch.Tensor, each of shape (n, c, h', w')
        Black where a pixel comes from beyond the crop.
    """
    n, device = len(flips), planes[0].device
    # Output pixels, measured from the middle, to where they lie in the crop's frame, which
    # runs from -1 to 1: columns x, y and 1, rows x and y.
    frame = torch.eye(2, 3).repeat(n, 1, 1)
    if angles is not None:
        turn = torch.deg2rad(angles)
        cos, sin = turn.cos() / scales, turn.sin() / scales
        back = torch.stack([cos, sin, -sin, cos], dim=1).reshape(n, 2, 2)
        frame = torch.cat([back, -back @ shifts[:, :, None]], dim=2)
    half = torch.tensor([size[1] / 2, size[0] / 2])
    frame = frame * torch.where(flips, -1.0, 1.0)[:, :, None] / half[:, None]
    inside = None
    if boxes is not None:
        if angles is not None or bends is not None:
            inside = _points(frame.to(device), size, bends)
        frame = _in_image(frame, boxes, planes[0].shape[2:])
    points = _points(frame.to(device), size, bends)
    border = "zeros" if boxes is None else "border"
    results = []
    for plane, mode in zip(planes, modes, strict=False):
        found = grid_sample(plane, points, mode, border, align_corners=False)
        if inside is not None:
            found *= _weight(inside, half, mode)
        results.append(found)
    return results


def _in_image(frame, boxes, shape):
    """Turn positions within the crop into positions within the stored image."""
    whole = torch.tensor([shape[1], shape[0]], dtype=torch.float32)
    start, extent = boxes[:, [1, 0]], boxes[:, [3, 2]]
    frame = frame * (extent / whole)[:, :, None]
    frame[:, :, 2] += (2 * start + extent) / whole - 1
    return frame


def _points(frame, size, bends=None):
    """Map the middles of all output pixels, shape (n, h, w, 2)."""
    y, x = (torch.arange(k, device=frame.device) - (k - 1) / 2 for k in size)
    by_row = frame[:, None, None, :, 1] * y[:, None, None] + frame[:, None, None, :, 2]
    points = torch.empty(len(frame), *size, 2, device=frame.device)
    for axis in (0, 1):  # written in place: the batch's points are larger than its images
        across = frame[:, axis, 0, None, None] * x
        torch.add(by_row[..., axis], across, out=points[..., axis])
    if bends is not None:
        points += torch.einsum("nak,nhwk->nhwa", frame[:, :, :2], bends.to(frame.device))
    return points


def _weight(inside, half, mode):
    """Share of each pixel that comes from within the frame, shape (n, 1, h, w)."""
    if mode == "nearest":
        return (inside.abs() <= 1).all(dim=3)[:, None]
    # A pixel fades out as its middle passes the last half pixel, as beside black ones.
    half = half.to(inside.device)
    share = inside.abs().mul_(-half).add_(half + 0.5).clamp_(0, 1)
    return (share[..., 0] * share[..., 1])[:, None]


def flip(images, flips):
    """Mirror images, exactly.

    Parameters
    ----------
    images : torch.Tensor, shape (n, c, h, w)
    flips : torch.Tensor of bool, shape (n, 2)
        Left to right, and upside down.

    Returns
    -------
    torch.Tensor
        As `images`.
    """
    across, down = flips.to(images.device).T[:, :, None, None, None]
    if across.any():
        images = torch.where(across, images.flip(3), images)
    return torch.where(down, images.flip(2), images) if down.any() else images
