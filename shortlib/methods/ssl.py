"""Unsupervised image-level similarity: two augmentations of an image are embedded alike (SSL)."""

import torch
from torch.nn.functional import cosine_similarity

from shortlib.methods.simclr import check_pairs


def image_similarity_loss(first, second):
    r"""One minus the cosine of two embeddings of an image, on average over images.

    Lower is better: 0 if both point the same way, 1 at right angles, 2 if they are opposed. No
    other image is compared with, so embeddings that are all alike reach 0 too; it is the supervised
    loss beside it that keeps them apart.

    Parameters
    ----------
    first, second : torch.Tensor of float, shape (n, d)
        Of the same n images, each augmented in its own way. n is at least 1.

    Returns
    -------
    torch.Tensor
        Scalar, in [0, 2]. An embedding of zero has no direction, and its cosine counts as 0.

    Raises
    ------
    ValueError
        If the shapes differ or are not (n, d), there is no image or the values are not floats.

    Notes
    -----
    *What the paper leaves open.* It does not say which layer embeds an image, nor how the feature
    maps of a segmentation network become one vector, and its released code does not have this loss.
    One vector an image is asked for here, e.g. the mean over positions: feature maps that are
    compared place by place would punish every augmentation that moves pixels. Both views have a
    gradient.

    References
    ----------
    Saab et al. (2022), Section 4.2.1, Step 1, after Hooper et al. (2022). It is
    torch's ``CosineEmbeddingLoss`` for pairs that are all alike.

    Examples
    --------
    >>> image_similarity_loss(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]]))
    tensor(1.)
    """
    check_pairs(first=first, second=second)
    if not len(first):
        raise ValueError("first and second must have at least 1 row, got 0")
    # Near 1 a cosine in bfloat16 has two digits, and the loss is what is left of 1.
    with torch.autocast(first.device.type, enabled=False):
        kind = torch.promote_types(first.dtype, torch.float32)
        return 1 - cosine_similarity(first.to(kind), second.to(kind), dim=1).mean()
