"""Grad-CAM maps of many cases, phase by phase, by the package grad-cam."""

from contextlib import contextmanager

import numpy as np
import torch

from shortlib.methods.compute import as_float


def grad_cam_maps(model, images, *, targets=None, batch_size=64):
    """Map where the last features raise one logit of each case.

    The feature maps of a phase are summed, each weighted by the mean of the logit's
    gradient over it; what is below 0 is cut off, and the rest is brought to the image's
    size (bilinear) and from 0 to 1. Each phase has its own features, its own gradient and
    its own scale.

    Parameters
    ----------
    model : shortlib.models.phases.PhaseNetwork or shortlib.models.cnn.CNN
        Left as it was: its mode, gradients and hooks. The feature maps are what its body
        gives, after the last activation.
    images : numpy.ndarray or shortlib.data.streamed.Streamed, shape (n, p, h, w)
        uint8, or float32 in [0, 1].
    targets : array_like of int, shape (n,), optional
        The logit to explain of each case; by default the highest one. Where there is one
        logit alone, it is that one, even for a case that it speaks against.
    batch_size : int
        Cases in one pass through the network.

    Returns
    -------
    numpy.ndarray of float32, shape (n, p, h, w)
        In [0, 1], each map from 0 to 1. A map is 0 everywhere where no feature speaks for
        the class, or where all places do alike. A network that sees all channels at once
        (:class:`shortlib.models.cnn.CNN`) has one map a case, p = 1.

    Raises
    ------
    ValueError
        If a target is not one of the logits, there is not one for each case, a feature or
        gradient is not finite, or the package grad-cam is missing.

    References
    ----------
    Selvaraju et al. (2017), Equations 1 and 2; Nakashima et al. (2023), Section 4.1. The
    released code of the latter hooks the last norm, before its activation, and keeps one
    phase's features with the other's gradient.
    """
    if not len(images):
        raise ValueError("images must hold at least one case, got none")
    chosen = _checked(targets, len(images), model.head.out_features)
    parts = []
    with _explaining(model) as explain:
        for first in range(0, len(images), batch_size):
            cases = slice(first, first + batch_size)
            batch = as_float(torch.from_numpy(np.array(images[cases])))
            maps = explain(batch, None if chosen is None else chosen[cases])
            parts.append(maps.reshape(len(batch), -1, *batch.shape[2:]))
    maps = np.concatenate(parts)
    odd = np.flatnonzero(~np.isfinite(maps).all(axis=(1, 2, 3)))
    if len(odd):
        raise ValueError(f"the features or gradients of case {odd[0]} must be finite, are not")
    # The package divides by the peak and a little more, so that small maps stay small.
    peaks = maps.max(axis=(2, 3), keepdims=True)
    return np.divide(maps, peaks, out=np.zeros_like(maps), where=peaks > 0)


@contextmanager
def _explaining(model):
    """Give a function from images and targets to maps; leave no trace on the model."""
    try:
        from pytorch_grad_cam import GradCAM
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    except ImportError as error:
        raise ValueError(
            "Grad-CAM needs the package grad-cam (pip install 'shortlib[studies]')"
        ) from error
    layer = getattr(model, "encoder", model).body
    modes = [(module, module.training) for module in model.modules()]
    weights = [(weight, weight.requires_grad, weight.grad) for weight in model.parameters()]
    hook = layer.register_forward_hook(_as_leaf)  # before the package's hooks, which see a leaf
    method = None

    def explain(batch, targets):
        each = None if targets is None else [ClassifierOutputTarget(target) for target in targets]
        return method(batch, each)

    try:
        for weight, _, _ in weights:
            weight.requires_grad_(False)
        # Not as its own context, which would swallow an IndexError.
        method = GradCAM(model, [layer])
        with torch.inference_mode(False), torch.enable_grad():
            yield explain
    finally:
        if method is not None:
            method.activations_and_grads.release()
        hook.remove()
        for module, training in modes:
            module.training = training
        for weight, needed, gradient in weights:
            weight.requires_grad_(needed)
            weight.grad = gradient


def _as_leaf(module, inputs, maps):
    """Begin the graph at the feature maps: their gradient is wanted, and no deeper one."""
    return maps.detach().requires_grad_()


def _checked(targets, n, outputs):
    """Return targets as a list of int, each the number of a logit."""
    if targets is None:
        return None
    targets = np.asarray(targets)
    if targets.shape != (n,) or targets.dtype.kind not in "iu":
        raise ValueError(
            f"targets must be one whole number for each of {n} cases, got {targets.dtype} of "
            f"shape {targets.shape}"
        )
    odd = targets[(targets < 0) | (targets >= outputs)]
    if len(odd):
        raise ValueError(f"targets must be from 0 to {outputs - 1}, got {odd[0]}")
    return targets.tolist()
