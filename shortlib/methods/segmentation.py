"""Empirical risk minimisation on pixel labels, read out as an image score."""

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from shortlib.data.seeds import derive_seed
from shortlib.methods.compute import as_float
from shortlib.methods.training import train
from shortlib.models.fcn import build_fcn


def fit_segmentation(
    images, pixel_labels, monitors, *, network, schedule, rules, compute, seed, **options
):
    """Train a network on pixel labels by the mean cross-entropy over pixels.

    Parameters
    ----------
    images : numpy.ndarray, shape (n, c, h, w)
        Training images, uint8 or float32.
    pixel_labels : numpy.ndarray of bool, shape (n, h, w)
        The supervision, at whatever spatial specificity.
    monitors : dict of str to (images, pixel_labels)
        Cases whose mean loss is monitored after each epoch as ``"<name>_loss"``.
    network : str
        See :func:`shortlib.models.fcn.build_fcn`.
    schedule : shortlib.methods.training.Schedule
    rules : dict of str to shortlib.methods.training.Rule
    compute : shortlib.methods.compute.Compute
    seed : int
        Of weights, order and dropout.
    **options
        Passed to :func:`shortlib.methods.training.train`.

    Returns
    -------
    model : shortlib.models.fcn.FCN
        With the last epoch's weights.
    trained : shortlib.methods.training.Trained

    References
    ----------
    Saab et al. (2022), Section 3.3.2. A sigmoid and one logit are used where two
    classes and a softmax would give the same family of functions.
    """
    torch.manual_seed(derive_seed(seed, "weights"))
    model = compute.place(build_fcn(network, channels=images.shape[1]))
    x, y = to_device(images, compute), torch.from_numpy(pixel_labels).to(compute.device)
    held_out = {
        name: (to_device(i, compute), torch.from_numpy(p).to(compute.device))
        for name, (i, p) in monitors.items()
    }

    def batch_loss(model, index):
        index = index.to(compute.device)
        logits = model(as_float(x[index]))
        return binary_cross_entropy_with_logits(logits, y[index].float())

    def evaluate(model):
        return {
            f"{name}_loss": _mean_loss(model, images, labels, compute)
            for name, (images, labels) in held_out.items()
        }

    trained = train(
        model,
        batch_loss,
        len(x),
        schedule,
        rules=rules,
        evaluate=evaluate,
        compute=compute,
        seed=seed,
        **options,
    )
    return model, trained


@torch.inference_mode()
def predict_segmentation(model, images, compute, *, batch_size=150):
    """Score images and embed them.

    Parameters
    ----------
    model : shortlib.models.fcn.FCN
    images : numpy.ndarray, shape (n, c, h, w)
    compute : shortlib.methods.compute.Compute
    batch_size : int

    Returns
    -------
    scores : numpy.ndarray of float32, shape (n,)
        Mean over pixels of the probability of a positive pixel, in [0, 1].
    embeddings : numpy.ndarray of float32, shape (n, f)
        See :meth:`shortlib.models.fcn.FCN.forward_with_embedding`.
    """
    model.eval()
    scores, embeddings = [], []
    for batch in to_device(images, compute).split(batch_size):
        with compute.autocast():
            logits, embedding = model.forward_with_embedding(as_float(batch))
        scores.append(logits.sigmoid().mean(dim=(1, 2)).cpu())
        embeddings.append(embedding.cpu())
    return torch.cat(scores).numpy(), torch.cat(embeddings).numpy()


def to_device(images, compute):
    """Return the images as a tensor on the device, in the layout of `compute`."""
    return compute.place(torch.from_numpy(images))


def _mean_loss(model, images, labels, compute, batch_size=150):
    total = 0.0
    for batch, target in zip(images.split(batch_size), labels.split(batch_size), strict=True):
        with compute.autocast():
            logits = model(as_float(batch))
        loss = binary_cross_entropy_with_logits(logits, target.float())
        total += loss.item() * len(batch)
    return total / len(images)
