"""Supervised pixel-level similarity: embeddings of positive pixels are pulled together (SPL)."""

import torch

NORMS = ("pixel", "pair")


def pixel_similarity_loss(embeddings, mask, *, per="pixel"):
    r"""Minus the cosines between the embeddings of all positive pixels of a batch.

    .. math:: -\frac{1}{|B|} \sum_{i \in B} \sum_{j \in B} \cos(f(x_i), f(x_j))

    over the set :math:`B` of positive pixels, of one image or of several. Lower is better.

    Parameters
    ----------
    embeddings : torch.Tensor of float, shape (n, d, h, w)
        Of the pixels of n images, at the network's resolution.
    mask : torch.Tensor of bool, shape (n, H, W)
        True on positive pixels. H and W are h and w or whole multiples of them: a pixel then has
        the embedding of the cell that it lies in.
    per : str
        ``"pixel"`` divides by the number of positive pixels, as printed: the loss reaches from
        minus that number to 0, and its gradient grows with the area of the abnormalities.
        ``"pair"`` divides by that number's square, which makes it a mean over pairs, from -1 to 0.

    Returns
    -------
    torch.Tensor
        Scalar. Without a positive pixel it is 0, and with one it is -1; neither has a gradient. A
        pixel with an embedding of zero has no direction, and its cosines count as 0.

    Raises
    ------
    ValueError
        If the shapes do not fit, the mask is not bool, the embeddings are not floats or `per` is
        unknown.

    Notes
    -----
    *What the paper leaves open.* It calls :math:`B` the set of positive pixels and sums over pairs
    in :math:`B`. Here those are all ordered pairs, each pixel with itself among them, which adds a
    constant. Nor does it say at which layer pixels are embedded: that is for the caller. Its
    released code does not have this loss.

    *Memory.* The sum over pairs of the products of unit vectors is the squared length of the sum
    of the unit vectors. So the sum is exact, without a matrix of pairs and without sampling, and
    takes no more memory than the embeddings.

    References
    ----------
    Saab et al. (2022), Section 4.2.2.

    Examples
    --------
    >>> right = torch.tensor([[[[1.0, 1.0]], [[0.0, 0.0]]]])  # two pixels, the same embedding
    >>> pixel_similarity_loss(right, torch.ones(1, 1, 2, dtype=bool))
    tensor(-2.)
    """
    if per not in NORMS:
        raise ValueError(f"per must be one of {', '.join(NORMS)}, got {per!r}")
    area = _positive_pixels(embeddings, mask)
    total = int(area.sum())
    if not total:
        return embeddings.sum() * 0.0  # in the graph, so that a batch of normal images can step
    chosen = area > 0
    # Sums of thousands of terms need more digits than bfloat16 has.
    kind = torch.promote_types(embeddings.dtype, torch.float32)
    with torch.autocast(embeddings.device.type, enabled=False):
        rows = embeddings.movedim(1, -1)[chosen].to(kind)
        length = rows.norm(dim=1)
        # 1 for a zero row, whose share is 0: a division by almost zero would be its gradient.
        share = area[chosen] * (length > 0) / torch.where(length > 0, length, 1.0)
        pairs = (rows * share[:, None]).sum(dim=0).square().sum()
    return -pairs / (total if per == "pixel" else total**2)


class PixelSimilarity:
    """The loss beside the cross-entropy of :func:`shortlib.methods.pixel_training.fit_pixels`.

    Parameters
    ----------
    weight : float
        Of the loss, relative to the cross-entropy.
    positive : int
        The class of positive pixels.
    per : str
        See :func:`pixel_similarity_loss`.

    References
    ----------
    Saab et al. (2022), Section 4.2.2 and Appendix A.1: the weight is chosen by the Dice on
    validation cases; it is published nowhere.
    """

    def __init__(self, weight, *, positive, per="pair"):
        self.weight, self.positive, self.per = weight, positive, per

    def __call__(self, model, features, targets):
        """Return the term, from feature maps (n, f, h', w') and pixel classes (n, h, w)."""
        return self.weight * pixel_similarity_loss(features, targets == self.positive, per=self.per)


def _positive_pixels(embeddings, mask):
    """Return how many positive pixels lie in each cell of the embeddings, shape (n, h, w)."""
    if embeddings.ndim != 4 or not embeddings.is_floating_point():
        raise ValueError(
            "embeddings must be floats of shape (n, d, h, w), got "
            f"{embeddings.dtype} of shape {tuple(embeddings.shape)}"
        )
    n, _, h, w = embeddings.shape
    if mask.ndim != 3 or len(mask) != n or mask.shape[1] % h or mask.shape[2] % w:
        raise ValueError(
            f"mask must have shape ({n}, H, W) with H and W whole multiples of {h} and {w}, got "
            f"{tuple(mask.shape)}"
        )
    if mask.dtype != torch.bool:
        raise ValueError(f"mask must be bool, got {mask.dtype}")
    cells = mask.reshape(n, h, mask.shape[1] // h, w, mask.shape[2] // w)
    return cells.sum(dim=(2, 4))
