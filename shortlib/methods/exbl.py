"""Unlearning from two exemplary explanations (eXBL): a triplet loss on explanations.

A person marks one explanation that looks where it should and one that does not. Training goes
on with a second loss, which asks that the explanation of every case be nearer to the good one
than to the bad one, by a margin: Hagos, Curran and Mac Namee (2023), Equations 4 to 8. The loss
of their released code has no gradient: it differentiates the sum of all softmax outputs, which is
always 1.
"""

import torch
from torch.nn.functional import interpolate

DISTANCES = ("euclidean", "mean square")


def triplet_explanation_loss(explained, good, bad, *, margin=1.0, distance="euclidean"):
    r"""Hinge on how much nearer explanations are to the good exemplar than to the bad one.

    Mean over cases of :math:`\max(d(x, g) - d(x, b) + m, 0)`. It is 0 for a case exactly where
    :math:`d(x, g) + m \le d(x, b)`. Lower is better.

    Parameters
    ----------
    explained : torch.Tensor, shape (n, h, w)
        Of each case the image times its map, see :func:`explained_images`.
    good, bad : torch.Tensor, shape (h, w)
        The same of the two exemplars.
    margin : float
        In the distance's unit, not negative. A Euclidean distance of images in [0, 1] grows with
        their side, so a margin of 1 asks for less on larger images.
    distance : str
        ``"euclidean"`` as in the text, or ``"mean square"`` over pixels, as in the released code.

    Returns
    -------
    torch.Tensor
        Scalar. A mean where the paper sums, so that the batch size does not change it.

    Raises
    ------
    ValueError
        If the shapes do not fit, the margin is negative or the distance unknown.

    References
    ----------
    Hagos et al. (2023), Equation 8. The sentence that follows it there has the margin on the
    wrong side.

    Examples
    --------
    >>> good, bad = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    >>> triplet_explanation_loss(good[None], good, bad)  # max(0 - sqrt(2) + 1, 0)
    tensor(0.)
    """
    if explained.ndim != 3:
        raise ValueError(f"explained must have shape (n, h, w), got {tuple(explained.shape)}")
    for name, exemplar in (("good", good), ("bad", bad)):
        if exemplar.shape != explained.shape[1:]:
            raise ValueError(
                f"{name} must have the shape {tuple(explained.shape[1:])} of one case, got "
                f"{tuple(exemplar.shape)}"
            )
    if not margin >= 0:
        raise ValueError(f"margin must not be negative, got {margin}")
    if distance not in DISTANCES:
        raise ValueError(f"distance must be one of {', '.join(DISTANCES)}, got {distance!r}")
    measure = _euclidean if distance == "euclidean" else _mean_square
    return (measure(explained, good) - measure(explained, bad) + margin).relu().mean()


def explained_images(images, maps, *, size=None):
    """Multiply images by their maps, so that both what is seen and where it is count.

    Parameters
    ----------
    images : torch.Tensor, shape (n, c, h, w)
        In [0, 1]; several channels are averaged.
    maps : torch.Tensor, shape (n, h, w)
        In [0, 1].
    size : int, optional
        Both are brought to this side first (mean over areas), e.g. 7, the side of MobileNetV2's
        maps, at which the released code multiplies.

    Returns
    -------
    torch.Tensor, shape (n, h, w) or (n, size, size)

    References
    ----------
    Hagos et al. (2023), Equations 4 and 5, and the first argument of Equations 6 and 7.
    """
    grey = images.mean(dim=1)
    if size is not None:
        grey, maps = (
            interpolate(one[:, None], size=(size, size), mode="area")[:, 0] for one in (grey, maps)
        )
    return grey * maps


def exemplar_explanation(
    logits_and_maps, good, bad, *, margin=1.0, distance="euclidean", size=None
):
    """Make the explanation loss of eXBL for :func:`~.explained_training.fit_explained`.

    Parameters
    ----------
    logits_and_maps : callable
        ``logits_and_maps(model, images, labels)`` returns logits of shape (n, k) and maps of
        shape (n, h, w) in [0, 1], both in the graph, e.g. from
        :func:`shortlib.explain.grad_cam.logits_and_maps`.
    good, bad : tuple of torch.Tensor
        An image of shape (c, h, w) and its map, shape (h, w), as the unrefined model gave it.
    margin, distance
        As for :func:`triplet_explanation_loss`.
    size : int, optional
        As for :func:`explained_images`.

    Returns
    -------
    callable
        ``explain(model, images, labels, masks)`` returns logits and the loss; masks are not used.
    """
    good, bad = (
        explained_images(image[None], saliency[None], size=size)[0]
        for image, saliency in (good, bad)
    )

    def explain(model, images, labels, masks):
        logits, maps = logits_and_maps(model, images, labels)
        explained = explained_images(images, maps, size=size)
        loss = triplet_explanation_loss(
            explained, good.to(explained), bad.to(explained), margin=margin, distance=distance
        )
        return logits, loss

    return explain


def _euclidean(explained, exemplar):
    # The root's slope is infinite at 0, where a case is the exemplar itself: none there instead.
    squares = (explained - exemplar).square().sum(dim=(1, 2))
    apart = squares > 0
    return torch.where(apart, torch.where(apart, squares, 1.0).sqrt(), 0.0)


def _mean_square(explained, exemplar):
    return (explained - exemplar).square().mean(dim=(1, 2))
