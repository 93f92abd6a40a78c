"""Sanity checks: a saliency map should change when what it explains is destroyed."""

import copy

import numpy as np
import torch
from scipy.stats import rankdata

from shortlib.data.seeds import derive_seed


def layers_from_top(model):
    """Return the names of a network's layers, from the output down to the input.

    Parameters
    ----------
    model : torch.nn.Module
        That registers its layers from the input to the output, as those of
        ``shortlib.models`` do.

    Returns
    -------
    list of str
        Of the modules that hold something learned: convolutions, norms, linear layers.
    """
    return [name for name, module in reversed(list(model.named_modules())) if _learns(module)]


def randomised_parameters(model, *, seed, layers="all"):
    """Copy a network and make its layers anew, from the top down.

    A map that is the same for the copy does not show what the network has learned.

    Parameters
    ----------
    model : torch.nn.Module
        Not changed.
    seed : int
        Of the new weights. The first layers from the top are made alike, however many
        follow.
    layers : str or int
        ``"all"``; ``"head"``, the last layer alone; or how many, counted from the top as
        :func:`layers_from_top` lists them.

    Returns
    -------
    torch.nn.Module
        With layers as their modules' own ``reset_parameters`` makes them; norms forget
        what they saw in training, too.

    Raises
    ------
    ValueError
        If `layers` is something else, or more than there are, or a parameter belongs to no
        module that can be reset.

    References
    ----------
    Adebayo et al. (2018), Section 4.1, cascading randomisation.
    """
    names = layers_from_top(model)
    count = {"all": len(names), "head": 1}.get(layers, layers)
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= len(names):
        raise ValueError(
            f"layers must be 'all', 'head' or a number from 1 to {len(names)}, got {layers!r}"
        )
    for name, _ in model.named_parameters():
        if name.rpartition(".")[0] not in names:
            raise ValueError(f"model has a parameter that nothing can reset: {name!r}")
    copied = copy.deepcopy(model)
    with torch.random.fork_rng(devices=[]):
        for place, name in enumerate(names[:count]):
            layer = copied.get_submodule(name)
            device = next(iter(layer.state_dict().values())).device
            # Drawn on the CPU, so that every device gets the same weights.
            torch.default_generator.manual_seed(derive_seed(seed, "randomised", place))
            layer.cpu().reset_parameters()
            layer.to(device)
    return copied


def shuffled_labels(labels, *, seed):
    """Deal the labels out anew, so that a network can learn them by heart only.

    A map that is the same for a network that was trained on them does not show how image
    and label go together.

    Parameters
    ----------
    labels : array_like, shape (n,) or (n, k)
        Of the training cases.
    seed : int

    Returns
    -------
    numpy.ndarray
        The same labels in another order; the rows of (n, k) stay whole.

    References
    ----------
    Adebayo et al. (2018), Section 4.2.
    """
    labels = np.asarray(labels)
    rng = np.random.default_rng(derive_seed(seed, "shuffled labels"))
    return labels[rng.permutation(len(labels))]


def map_similarity(a, b):
    """Spearman rank correlation of two saliency maps, for each case.

    Higher means more alike: 1 where the pixels have the same order in both maps, 0 where
    the orders have nothing in common. In a sanity check lower is better.

    Parameters
    ----------
    a, b : array_like, shape (n, h, w)
        Maps of the same cases in the same order.

    Returns
    -------
    numpy.ndarray of float, shape (n,)
        In [-1, 1]. NaN where a map is the same everywhere, so that its pixels have no order;
        a network with random weights makes such maps now and then, so count them.

    Raises
    ------
    ValueError
        If the shapes differ or a map is not finite.

    References
    ----------
    Adebayo et al. (2018), Section 3, who also compare maps by SSIM and by their gradients'
    histograms. SSIM is left out here, for it needs a package that nothing else does.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.ndim != 3 or a.shape != b.shape:
        raise ValueError(f"a and b must have one shape (n, h, w), got {a.shape} and {b.shape}")
    for name, maps in (("a", a), ("b", b)):
        odd = np.flatnonzero(~np.isfinite(maps).all(axis=(1, 2)))
        if len(odd):
            raise ValueError(f"{name} must be finite, case {odd[0]} holds NaN or infinity")
    return np.array([_spearman(*pair) for pair in zip(a, b, strict=True)], dtype=float)


def _spearman(a, b):
    # Pixels of one value share the mean of their ranks.
    a, b = (rankdata(x, axis=None) - (x.size + 1) / 2 for x in (a, b))
    scale = np.sqrt((a @ a) * (b @ b))
    return np.clip(a @ b / scale, -1, 1) if scale > 0 else np.nan


def _learns(module):
    held = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
    return bool(held) and hasattr(module, "reset_parameters")
