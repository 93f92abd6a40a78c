"""Explanation losses that need a mask of every training image: eXBL's relatives.

Masks mark where a network should not look. One loss charges the saliency that falls there, the
other the slope of the network's output with respect to the pixels there.
"""

import torch
from torch.nn.functional import log_softmax


def masked_explanation_loss(maps, masks):
    r"""Saliency inside the masks: mean over cases and pixels of :math:`M \odot Exp(x)`.

    Lower is better; 0 where no saliency falls on a mask.

    Parameters
    ----------
    maps : torch.Tensor, shape (n, h, w)
        In [0, 1].
    masks : torch.Tensor of bool or float, shape (n, h, w)
        1 where a network should not look.

    Returns
    -------
    torch.Tensor
        Scalar, in [0, 1]. A mean where Equation 2 sums, so that neither the batch size nor the
        resolution changes it.

    Raises
    ------
    ValueError
        If the shapes differ.

    References
    ----------
    Hagos et al. (2023), Equations 1 and 2, after Schramowski et al. (2020).
    """
    _check(masks, maps, "maps")
    return (maps * masks).mean()


def right_reasons_loss(logits, images, masks):
    r"""Slope of the log probabilities on masked pixels (right for the right reasons).

    Mean over cases of :math:`\sum (M \odot \partial \sum_k \log \hat y_k / \partial x)^2` over
    pixels and channels. Lower is better; 0 where no masked pixel changes any probability.

    Parameters
    ----------
    logits : torch.Tensor, shape (n, k)
        Made from `images` in the graph, each from its own image alone.
    images : torch.Tensor, shape (n, c, h, w)
        That require a gradient.
    masks : torch.Tensor of bool or float, shape (n, h, w)
        1 where a network should not look.

    Returns
    -------
    torch.Tensor
        Scalar, in the graph. A mean over cases where Equation 3 sums.

    Raises
    ------
    ValueError
        If the shapes do not fit or the images require no gradient.

    References
    ----------
    Ross, Hughes and Doshi-Velez (2017), Equation 1; Hagos et al. (2023), Equation 3.
    """
    _check(masks, images[:, 0], "images")
    if not images.requires_grad:
        raise ValueError("images must require a gradient, from before the logits were made")
    total = log_softmax(logits, dim=1).sum()
    slopes = torch.autograd.grad(total, images, create_graph=True)[0]
    return (slopes * masks[:, None]).square().sum(dim=(1, 2, 3)).mean()


def masked_explanation(logits_and_maps):
    """Make the masked explanation loss for :func:`~.explained_training.fit_explained`.

    Parameters
    ----------
    logits_and_maps : callable
        As for :func:`shortlib.methods.exbl.exemplar_explanation`.

    Returns
    -------
    callable
        ``explain(model, images, labels, masks)`` returns logits and the loss.
    """

    def explain(model, images, labels, masks):
        logits, maps = logits_and_maps(model, images, labels)
        return logits, masked_explanation_loss(maps, masks)

    return explain


def right_reasons(model, images, labels, masks):
    """Charge input gradients, as :func:`~.explained_training.fit_explained` asks for it.

    Returns
    -------
    logits : torch.Tensor, shape (n, k)
    loss : torch.Tensor
        That of :func:`right_reasons_loss`.
    """
    images = images.detach().requires_grad_()
    logits = model(images)
    return logits, right_reasons_loss(logits, images, masks)


def _check(masks, like, name):
    if masks.shape != like.shape:
        raise ValueError(
            f"masks must have the shape {tuple(like.shape)} of the {name}, got {tuple(masks.shape)}"
        )
