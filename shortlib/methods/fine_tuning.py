"""Training a network further on a few labelled images."""

from itertools import count

import torch
from torch import nn

from shortlib.data.seeds import derive_seed
from shortlib.methods.batches import Batches
from shortlib.methods.erm import label_loss, label_tensor
from shortlib.methods.training import train


def fine_tune(model, cohort, *, schedule, compute, seed, new_head=False, watch=None, label="fit"):
    """Train all of a network further, for a fixed number of epochs, without augmentation.

    Parameters
    ----------
    model : shortlib.models.cnn.CNN
        On the device of `compute`; trained in place.
    cohort : shortlib.data.Cohort
        With labels.
    schedule : shortlib.methods.training.Schedule
    compute : shortlib.methods.compute.Compute
    seed : int
        Of the new head and the order.
    new_head : bool
        Whether the last layer is made anew, with one output for each label; else it is
        trained further as it is.
    watch : callable, optional
        ``watch(model, epoch)`` is called after each epoch, in inference mode; epochs are
        counted from 1.
    label : str
        Shown beside the progress bar.

    Returns
    -------
    shortlib.methods.training.Trained
        Without weights: those of the last epoch are in `model`.

    References
    ----------
    Palepu and Beam (2022), Section 3.2; their code takes the last epoch and no
    augmentation, which the text leaves open.
    """
    images, labels = Batches(cohort.images, compute), label_tensor(cohort, compute)
    if new_head:
        torch.manual_seed(derive_seed(seed, "head"))
        model.head = compute.place(nn.Linear(model.head.in_features, labels.shape[1]))
    epochs = count(1)

    def batch_loss(model, index):
        return label_loss(model(images[index]), labels[index.to(labels.device)])

    def evaluate(model):
        epoch = next(epochs)
        if watch is not None:
            watch(model, epoch)
        return {}

    return train(
        model,
        batch_loss,
        len(cohort),
        schedule,
        rules={},
        evaluate=evaluate,
        compute=compute,
        seed=seed,
        label=label,
    )
