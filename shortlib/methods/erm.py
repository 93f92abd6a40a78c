"""Empirical risk minimisation on image labels: one class of several, or several findings."""

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from shortlib.data.seeds import derive_seed
from shortlib.methods.batches import Batches
from shortlib.methods.training import train
from shortlib.models.cnn import build_cnn


def fit_erm(
    cohort,
    monitors,
    *,
    network,
    schedule,
    rules,
    compute,
    seed,
    weights="random",
    augment=None,
    plant=None,
    **options,
):
    """Train a classifier by the mean loss over cases.

    Parameters
    ----------
    cohort : shortlib.data.Cohort
        With labels. Images may be streamed.
    monitors : dict of str to shortlib.data.Cohort
        Cases whose mean loss is monitored after each epoch as ``"<name>_loss"``.
    network : str
        See :func:`shortlib.models.cnn.build_cnn`.
    schedule : shortlib.methods.training.Schedule
    rules : dict of str to shortlib.methods.training.Rule
    compute : shortlib.methods.compute.Compute
    seed : int
        Of weights, order and augmentation.
    weights : str
        Where the network starts; see :func:`shortlib.models.cnn.build_cnn`.
    augment : callable, optional
        See :func:`shortlib.methods.augmentation.build_augmentation`.
    plant : callable, optional
        ``plant(images, index)`` draws something into the batch of the cases `index`,
        after the augmentation, which would move it.
    **options
        Passed to :func:`shortlib.methods.training.train`.

    Returns
    -------
    model : shortlib.models.cnn.CNN
        With the last epoch's weights.
    trained : shortlib.methods.training.Trained

    Raises
    ------
    ValueError
        If a cohort has no labels.
    """
    outputs = n_outputs(cohort)
    torch.manual_seed(derive_seed(seed, "weights"))
    channels = cohort.images.shape[1]
    model = compute.place(build_cnn(network, channels=channels, outputs=outputs, weights=weights))
    images, labels = Batches(cohort.images, compute), label_tensor(cohort, compute)
    held_out = {
        name: (Batches(part.images, compute), label_tensor(part, compute))
        for name, part in monitors.items()
    }

    def batch_loss(model, index):
        batch = images[index]
        batch = batch if augment is None else augment(batch)
        batch = batch if plant is None else plant(batch, index)
        logits = model(batch)
        return label_loss(logits, labels[index.to(labels.device)])

    def evaluate(model):
        return {
            f"{name}_loss": _mean_loss(model, images, labels, compute)
            for name, (images, labels) in held_out.items()
        }

    trained = train(
        model,
        batch_loss,
        len(cohort),
        schedule,
        rules=rules,
        evaluate=evaluate,
        compute=compute,
        seed=seed,
        **options,
    )
    return model, trained


@torch.inference_mode()
def predict_erm(model, images, compute, *, batch_size=128):
    """Score images and embed them.

    Parameters
    ----------
    model : shortlib.models.cnn.CNN
    images : numpy.ndarray or shortlib.data.streamed.Streamed, shape (n, c, h, w)
    compute : shortlib.methods.compute.Compute
    batch_size : int

    Returns
    -------
    logits : numpy.ndarray of float32, shape (n, outputs)
    embeddings : numpy.ndarray of float32, shape (n, f)
    """
    model.eval()
    logits, embeddings = [], []
    for batch in Batches(images, compute).in_order(batch_size):
        with compute.autocast():
            scores, embedding = model.forward_with_embedding(batch)
        logits.append(scores.float().cpu())
        embeddings.append(embedding.cpu())
    return torch.cat(logits).numpy(), torch.cat(embeddings).numpy()


def n_outputs(cohort):
    """Return the logits that a cohort's labels need: 1 for two classes, else one a label."""
    labels = cohort.require("labels")
    if labels.ndim == 2:
        return labels.shape[1]
    return len(cohort.label_names) if len(cohort.label_names) > 2 else 1


def label_loss(logits, labels):
    """Cross-entropy of image labels.

    Parameters
    ----------
    logits : torch.Tensor, shape (n, k)
    labels : torch.Tensor
        int64 of shape (n,): classes; binary cross-entropy when k is 1. Float of shape
        (n, k): findings, of which -1 and NaN (uncertain, not mentioned) do not count.

    Returns
    -------
    torch.Tensor
        Scalar: the mean over cases; for findings the sum over findings of the mean over
        the cases in which each is known, 0 for one that is known in none.

    References
    ----------
    Palepu and Beam (2022) sum the binary cross-entropies of their five heads.
    """
    if labels.ndim == 1:
        if logits.shape[1] == 1:
            return binary_cross_entropy_with_logits(logits[:, 0].float(), labels.float())
        return cross_entropy(logits.float(), labels)
    known = labels >= 0  # False for NaN as well
    each = binary_cross_entropy_with_logits(
        logits.float(), torch.where(known, labels, 0.0), reduction="none"
    )
    return ((each * known).sum(dim=0) / known.sum(dim=0).clamp(min=1)).sum()


def label_tensor(cohort, compute):
    """Return a cohort's labels on the device, as :func:`label_loss` takes them."""
    labels = cohort.require("labels")
    kind = np.int64 if labels.ndim == 1 else np.float32
    return torch.from_numpy(labels.astype(kind)).to(compute.device)


def _mean_loss(model, images, labels, compute, batch_size=128):
    logits = []
    for batch in images.in_order(batch_size):
        with compute.autocast():
            logits.append(model(batch).float())
    return label_loss(torch.cat(logits), labels).item()
