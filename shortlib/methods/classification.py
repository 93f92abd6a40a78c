"""Training of a ready network on classes, to a fixed number of epochs."""

import torch
from torch.nn.functional import cross_entropy

from shortlib.methods.batches import Batches
from shortlib.methods.erm import label_tensor
from shortlib.methods.training import train

CLASS_WEIGHTS = ("none", "balanced")


def fit_classes(
    model,
    cohort,
    *,
    schedule,
    compute,
    seed,
    augment=None,
    before=None,
    class_weights="none",
    **options,
):
    """Train a network on one class of several, and keep the last epoch.

    Parameters
    ----------
    model : torch.nn.Module
        Images of shape (n, c, h, w) to one logit a class. On the device of `compute`;
        trained in place.
    cohort : shortlib.data.Cohort
        With one label a case. Images may be streamed.
    schedule : shortlib.methods.training.Schedule
    compute : shortlib.methods.compute.Compute
    seed : int
        Of the order and the augmentation.
    augment : callable, optional
        See :func:`shortlib.methods.augmentation.build_augmentation`.
    before : callable, optional
        ``before(images, index)`` changes the batch of the cases `index` before the
        augmentation, e.g. gives each case another background.
    class_weights : str
        ``"none"``, or ``"balanced"``: each class counts alike, however rare it is.
    **options
        Passed to :func:`shortlib.methods.training.train`.

    Returns
    -------
    shortlib.methods.training.Trained
        Without weights: those of the last epoch are in `model`.

    Raises
    ------
    ValueError
        If a case has several labels, a class has no case although all are to count
        alike, or `class_weights` is unknown.

    References
    ----------
    Nakashima et al. (2023), Section 4.1: cross-entropy. Their code weights the classes by
    their inverse frequency and applies a softmax before the loss, which has one; the
    logits go in as they are here.
    """
    images, labels = Batches(cohort.images, compute), label_tensor(cohort, compute)
    if labels.ndim != 1:
        raise ValueError(f"labels must be one class a case, got shape {tuple(labels.shape)}")
    weights = _weights(labels, len(cohort.label_names), class_weights)

    def batch_loss(model, index):
        batch = images[index]
        batch = batch if before is None else before(batch, index)
        batch = batch if augment is None else augment(batch)
        return cross_entropy(model(batch).float(), labels[index.to(labels.device)], weights)

    return train(
        model,
        batch_loss,
        len(cohort),
        schedule,
        rules={},
        evaluate=lambda model: {},
        compute=compute,
        seed=seed,
        **options,
    )


def _weights(labels, k, kind):
    """Return a weight for each class, 1 on average over the cases, or None."""
    if kind not in CLASS_WEIGHTS:
        raise ValueError(f"class_weights must be one of {', '.join(CLASS_WEIGHTS)}, got {kind!r}")
    if kind == "none":
        return None
    counts = torch.bincount(labels, minlength=k)
    if (counts == 0).any():
        missing = int((counts == 0).nonzero()[0])
        raise ValueError(f"class_weights cannot be balanced: no training case has class {missing}")
    return len(labels) / (k * counts.float())
