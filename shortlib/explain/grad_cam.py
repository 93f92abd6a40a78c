"""Grad-CAM inside the graph: maps of a batch, of which a loss may be made."""

from contextlib import contextmanager

import torch
from torch.nn.functional import interpolate


def grad_cam(model, layer, images, targets, *, create_graph=False):
    """Map where a layer's features raise one logit of each image.

    All images go through the network together, once forward and once from their logits back to
    the layer.

    Parameters
    ----------
    model : torch.nn.Module
        Images to logits of shape (n, k), each from its own image alone. That holds in evaluation
        mode, and in training mode where no batch norm comes after `layer`. Its mode, parameters
        and their gradients stay as they are, and no hook is left on it.
    layer : torch.nn.Module
        A part of `model` that gives feature maps of shape (n, f, h', w') and runs once in a pass.
    images : torch.Tensor of float32, shape (n, c, h, w)
    targets : torch.Tensor of int64, shape (n,)
        The logit to explain of each image.
    create_graph : bool
        Whether the maps can be differentiated with respect to the parameters (second order).

    Returns
    -------
    torch.Tensor of float32, shape (n, h, w)
        In [0, 1], each from 0 to 1. A map is 0 everywhere where no feature speaks for the target,
        or where all places do alike.

    Raises
    ------
    ValueError
        If the shapes do not fit, a target is not one of the logits, or the layer does not run
        exactly once.

    References
    ----------
    Selvaraju et al. (2017), Equations 1 and 2. Scaled, enlarged (bilinear) and scaled again, as
    the package grad-cam does, with which it agrees; that one adds a little to the peak before it
    divides, so that maps with a peak near 1e-7 stay small there.
    """
    return logits_and_maps(model, layer, images, targets, create_graph=create_graph)[1]


def logits_and_maps(model, layer, images, targets, *, create_graph=True):
    """Return the logits beside the maps of :func:`grad_cam`, from one forward pass.

    Parameters
    ----------
    model, layer, images, targets, create_graph
        As for :func:`grad_cam`.

    Returns
    -------
    logits : torch.Tensor of float32, shape (n, k)
        In the graph if `create_graph`.
    maps : torch.Tensor of float32, shape (n, h, w)

    Raises
    ------
    ValueError
        As for :func:`grad_cam`.
    """
    if images.ndim != 4:
        raise ValueError(f"images must have shape (n, c, h, w), got {tuple(images.shape)}")
    with torch.inference_mode(False), torch.set_grad_enabled(create_graph):
        with _watched(layer, as_leaf=not create_graph) as seen:
            logits = model(images)
        if len(seen) != 1:
            raise ValueError(f"layer must run once in a pass through the model, it ran {len(seen)}")
        features = seen[0]
        if features.ndim != 4:
            raise ValueError(
                f"layer must give feature maps of shape (n, f, h, w), got {tuple(features.shape)}"
            )
        chosen = _chosen(logits, targets)
        # Each logit stands on its own image, so the gradient of the sum holds that of each.
        slopes = torch.autograd.grad(chosen.sum(), features, create_graph=create_graph)[0]
        weights = slopes.mean(dim=(2, 3), keepdim=True)
        maps = (weights * features).sum(dim=1, keepdim=True).relu().float()
        maps = interpolate(_scaled(maps), size=images.shape[2:], mode="bilinear")
        maps = _scaled(maps)[:, 0]
    return (logits, maps) if create_graph else (logits.detach(), maps.detach())


@contextmanager
def _watched(layer, *, as_leaf):
    """Collect what a layer gives while the context lasts; its hook goes whatever happens."""
    seen = []

    def look(module, inputs, output):
        if as_leaf:  # no gradient deeper than the layer is wanted: the graph begins here
            output = output.detach()
            torch.set_grad_enabled(True)
        if not output.requires_grad:
            output = output.requires_grad_()
        seen.append(output)
        # A copy goes on, so that what changes it in place leaves the one that was seen alone.
        return output.clone()

    hook = layer.register_forward_hook(look)
    try:
        yield seen
    finally:
        hook.remove()


def _chosen(logits, targets):
    """Return the logit of each case that its target names, shape (n,)."""
    n, k = logits.shape
    if targets.shape != (n,) or targets.dtype != torch.int64:
        raise ValueError(
            f"targets must be int64 of shape ({n},), got {targets.dtype} of shape "
            f"{tuple(targets.shape)}"
        )
    odd = targets[(targets < 0) | (targets >= k)]
    if len(odd):
        raise ValueError(f"targets must be from 0 to {k - 1}, got {int(odd[0])}")
    return logits.gather(1, targets[:, None].to(logits.device))[:, 0]


def _scaled(maps):
    """Bring each map from 0 to 1; one that is the same everywhere becomes 0."""
    maps = maps - maps.amin(dim=(2, 3), keepdim=True)
    peaks = maps.amax(dim=(2, 3), keepdim=True)
    return maps / torch.where(peaks > 0, peaks, 1.0)
