"""What a reader marks on an image: pixel labels at the specificities that annotators work with."""

import cv2
import numpy as np

# From the least specific to the most specific; the single boxes are those of the released code.
SUPERVISIONS = ("image", "quadrants", "single-boxes", "boxes", "masks")


def supervision_labels(masks, kind):
    """Coarsen lesion masks to what a kind of annotation says about each pixel.

    Parameters
    ----------
    masks : array_like of bool, shape (n, h, w)
        Ground-truth masks; an image without a lesion has an empty one.
    kind : str
        ``"image"``: every pixel of an image with a lesion. ``"quadrants"``: the quarters of the
        image that hold a part of a lesion. ``"boxes"``: the bounding box of each connected lesion.
        ``"single-boxes"``: the bounding box of all lesions of an image together. ``"masks"``: the
        masks themselves.

    Returns
    -------
    numpy.ndarray of bool, shape (n, h, w)
        True on every pixel of the mask, and on the others that go with it.

    Raises
    ------
    ValueError
        If the kind is unknown or the masks are not bool of shape (n, h, w).

    Notes
    -----
    Pixels that touch at a corner are of one lesion. On images with odd sides the upper and left
    quadrants are the smaller ones.

    References
    ----------
    Saab et al. (2022), Section 1 and Figure 1, who name quadrants without training on them, and
    Section 4.1, which counts boxes by abnormality. Their released code draws a single box.
    """
    masks = np.asarray(masks)
    if masks.ndim != 3 or masks.dtype != bool:
        raise ValueError(
            f"masks must be bool of shape (n, h, w), got {masks.dtype} of shape {masks.shape}"
        )
    if kind not in SUPERVISIONS:
        raise ValueError(f"kind must be one of {', '.join(SUPERVISIONS)}, got {kind!r}")
    if kind == "masks":
        return masks.copy()
    if kind == "image":
        return np.broadcast_to(masks.any(axis=(1, 2), keepdims=True), masks.shape).copy()
    labels = np.zeros_like(masks)
    for mask, label in zip(masks, labels, strict=True):
        for rows, columns in _regions(mask, kind):
            label[rows, columns] = True
    return labels


def _regions(mask, kind):
    """Yield the rectangles that are labelled, as slices of rows and columns."""
    if kind == "quadrants":
        middle, centre = (side // 2 for side in mask.shape)
        for rows in (slice(0, middle), slice(middle, None)):
            for columns in (slice(0, centre), slice(centre, None)):
                if mask[rows, columns].any():
                    yield rows, columns
        return
    found = mask.astype(np.uint8)
    if kind == "single-boxes":
        boxes = [cv2.boundingRect(found)] if mask.any() else []
    else:
        boxes = cv2.connectedComponentsWithStats(found, connectivity=8)[2][1:, :4]
    for left, top, width, height in boxes:
        yield slice(top, top + height), slice(left, left + width)
