"""Training of a ready network on a class for each pixel, and what it makes of an image."""

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from shortlib.methods.batches import Batches
from shortlib.methods.training import train
from shortlib.models.unet import image_scores


def pixel_classes(masks, labels, *, lesion_classes):
    """Return the class of each pixel: 0 off the lesion, else what the lesion is.

    Parameters
    ----------
    masks : numpy.ndarray of bool, shape (n, h, w)
        The supervision, at whatever spatial specificity.
    labels : numpy.ndarray of int, shape (n,)
        0 or 1.
    lesion_classes : int
        1: only cases with label 1 have a lesion, which is class 1. 2: all may have one, class 1
        where the label is 0 and class 2 where it is 1. So the last class is always the positive
        one.

    Returns
    -------
    numpy.ndarray of uint8, shape (n, h, w)

    Raises
    ------
    ValueError
        If there is one class of lesions and a case with label 0 has one, or `lesion_classes` is
        neither 1 nor 2.
    """
    if lesion_classes not in (1, 2):
        raise ValueError(f"lesion_classes must be 1 or 2, got {lesion_classes!r}")
    if lesion_classes == 2:
        return masks * (1 + labels.astype(np.uint8))[:, None, None]
    odd = masks[labels == 0].any(axis=(1, 2))
    if odd.any():
        case = int(np.flatnonzero(labels == 0)[odd.argmax()])
        raise ValueError(
            f"case {case} has label 0 and a mask with pixels; with lesion_classes=1 only cases "
            "with label 1 have a lesion"
        )
    return masks.astype(np.uint8)


def fit_pixels(
    model,
    images,
    targets,
    *,
    schedule,
    rules,
    evaluate,
    compute,
    seed,
    augment=None,
    similarity=None,
    **options,
):
    """Train a network by the mean cross-entropy over pixels, with or without a further term.

    Parameters
    ----------
    model : shortlib.models.unet.UNet
        On the device of `compute`; trained in place.
    images : numpy.ndarray or shortlib.data.streamed.Streamed, shape (n, c, h, w)
    targets : numpy.ndarray of uint8, shape (n, h, w)
        See :func:`pixel_classes`.
    schedule : shortlib.methods.training.Schedule
    rules : dict of str to shortlib.methods.training.Rule
    evaluate : callable
        ``evaluate(model)`` returns what the rules may look at.
    compute : shortlib.methods.compute.Compute
    seed : int
        Of the order and the augmentation.
    augment : callable, optional
        See :func:`shortlib.methods.augmentation.build_augmentation`; targets follow the geometry.
    similarity : callable, optional
        ``similarity(model, features, targets)`` returns a scalar that is added to the loss, from
        the encoder's last feature map, shape (n, f, h', w'), and the augmented targets, int64 of
        shape (n, h, w): :class:`shortlib.methods.spl.PixelSimilarity` or
        :class:`shortlib.methods.ssl.ImageSimilarity`.
    **options
        Passed to :func:`shortlib.methods.training.train`.

    Returns
    -------
    shortlib.methods.training.Trained

    References
    ----------
    Saab et al. (2022), Section 5.1 and Appendix A.1: segmentation and bounding boxes alike.
    """
    batches = Batches(images, compute)
    targets = torch.from_numpy(targets).to(compute.device)

    def batch_loss(model, index):
        batch, due = batches[index], targets[index.to(compute.device)]
        if augment is not None:
            batch, due = augment(batch, due[:, None].float())
            due = due[:, 0]
        due = due.long()
        logits, features = model.forward_with_features(batch)
        loss = cross_entropy(logits, due)
        return loss if similarity is None else loss + similarity(model, features, due)

    return train(
        model,
        batch_loss,
        len(targets),
        schedule,
        rules=rules,
        evaluate=evaluate,
        compute=compute,
        seed=seed,
        **options,
    )


@torch.inference_mode()
def predict_pixels(model, images, compute, *, targets=None, score=image_scores, batch_size=128):
    """Score images, and count the pixels that are found and those that are there.

    Parameters
    ----------
    model : shortlib.models.unet.UNet
    images : numpy.ndarray or shortlib.data.streamed.Streamed, shape (n, c, h, w)
    compute : shortlib.methods.compute.Compute
    targets : numpy.ndarray of uint8, shape (n, h, w), optional
    score : callable
        ``score(logits)`` returns a number an image.
    batch_size : int

    Returns
    -------
    scores : numpy.ndarray of float32, shape (n,)
    counts : numpy.ndarray of int64, shape (n, k - 1, 3), or None
        By case and lesion class, pixels that are found and there, found, and there; see
        :func:`shortlib.metrics.dice_of_counts`. None without targets.
    """
    model.eval()
    scores, counts, start = [], [], 0
    for batch in Batches(images, compute).in_order(batch_size):
        with compute.autocast():
            logits = model(batch)
        scores.append(score(logits).cpu())
        if targets is not None:
            found = logits.argmax(dim=1).cpu().numpy()
            due = targets[start : start + len(batch)]
            by_class = []
            for k in range(1, logits.shape[1]):
                masks = ((found == k) & (due == k), found == k, due == k)
                by_class.append(np.stack([mask.sum(axis=(1, 2)) for mask in masks], axis=1))
            counts.append(np.stack(by_class, axis=1))
        start += len(batch)
    return torch.cat(scores).numpy(), np.concatenate(counts) if counts else None


@torch.inference_mode()
def predict_classes(model, images, compute, *, batch_size=128):
    """Return the class that a model gives each pixel, uint8 of shape (n, h, w)."""
    model.eval()
    found = []
    for batch in Batches(images, compute).in_order(batch_size):
        with compute.autocast():
            found.append(model(batch).argmax(dim=1).to(torch.uint8).cpu())
    return torch.cat(found).numpy()
