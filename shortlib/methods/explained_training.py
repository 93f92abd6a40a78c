"""Training on labels and on explanations at once."""

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from shortlib.methods.batches import Batches
from shortlib.methods.erm import label_tensor
from shortlib.methods.training import Rule, train

# Epochs are chosen by what is trained: the labels' loss and the explanations', weighted.
RULE = "validation_loss"


def fit_explained(
    model,
    cohort,
    validation,
    *,
    schedule,
    compute,
    seed,
    explain=None,
    weight=0.0,
    avoid=None,
    **options,
):
    """Train a network further on classes, with a loss on its explanations beside the labels'.

    The loss of a batch is the cross-entropy plus `weight` times the explanations' loss. After
    each epoch both are measured on the validation cases, and the epoch with the least sum is
    kept.

    Parameters
    ----------
    model : torch.nn.Module
        Images of shape (n, c, h, w) to one logit a class. On the device of `compute`; trained in
        place, and left with the weights of the chosen epoch.
    cohort, validation : shortlib.data.Cohort
        With one label a case.
    schedule : shortlib.methods.training.Schedule
        Its `patience` counts epochs in which the validation loss has not improved.
    compute : shortlib.methods.compute.Compute
    seed : int
        Of the order and of dropout.
    explain : callable, optional
        ``explain(model, images, labels, masks)`` returns the logits of a batch and the loss of
        its explanations, both in the graph. Without it only the labels count.
    weight : float
        Of the explanations' loss, not negative.
    avoid : callable, optional
        ``avoid(cohort)`` returns masks of where not to look, bool of shape (n, h, w); `explain`
        gets those of the batch as float. Without it it gets None.
    **options
        Passed to :func:`shortlib.methods.training.train`.

    Returns
    -------
    shortlib.methods.training.Trained
        The history has ``validation_loss``, ``validation_cross_entropy``,
        ``validation_explanation`` (NaN without `explain`) and ``validation_accuracy``.

    Raises
    ------
    ValueError
        If the weight is negative, or a case has several labels.

    References
    ----------
    Hagos et al. (2023), Equation 1; its last term, the sum of squared parameters, is the weight
    decay of the schedule.
    """
    if not weight >= 0:
        raise ValueError(f"weight must not be negative, got {weight}")
    parts = {"train": cohort, "validation": validation}
    images = {name: Batches(part.images, compute) for name, part in parts.items()}
    labels = {name: label_tensor(part, compute) for name, part in parts.items()}
    for name, part in labels.items():
        if part.ndim != 1:
            raise ValueError(f"labels of {parts[name].name!r} must be one class a case")
    masks = {name: _masks(avoid, part, compute) for name, part in parts.items()}

    def losses(model, part, index):
        """Return the logits, the labels' loss and the explanations' loss of some cases."""
        batch, due = images[part][index], labels[part][index.to(compute.device)]
        if explain is None:
            logits = model(batch)
            return logits, cross_entropy(logits.float(), due), None
        there = None if masks[part] is None else masks[part][index.to(compute.device)].float()
        logits, explained = explain(model, batch, due, there)
        return logits, cross_entropy(logits.float(), due), explained

    def batch_loss(model, index):
        _, labelled, explained = losses(model, "train", index)
        return labelled if explained is None else labelled + weight * explained

    def evaluate(model):
        sums, hits = np.zeros(2), 0
        # Explanations are gradients, which inference mode does not give.
        with torch.inference_mode(False), torch.set_grad_enabled(explain is not None):
            for index in torch.arange(len(validation)).split(schedule.batch_size):
                logits, *parts = losses(model, "validation", index)
                due = labels["validation"][index.to(compute.device)]
                hits += int((logits.argmax(dim=1) == due).sum())
                sums += [len(index) * (np.nan if p is None else p.item()) for p in parts]
        labelled, explained = sums / len(validation)
        total = labelled if explain is None else labelled + weight * explained
        return {
            RULE: total,
            "validation_cross_entropy": labelled,
            "validation_explanation": explained,
            "validation_accuracy": hits / len(validation),
        }

    trained = train(
        model,
        batch_loss,
        len(cohort),
        schedule,
        rules={RULE: Rule(RULE)},
        evaluate=evaluate,
        compute=compute,
        seed=seed,
        **options,
    )
    model.load_state_dict(trained.weights[RULE])
    return trained


def _masks(avoid, cohort, compute):
    """Return where not to look in each case of a cohort, on the device, or None."""
    if avoid is None:
        return None
    return torch.from_numpy(np.ascontiguousarray(avoid(cohort))).to(compute.device)
