"""Training on the losses of single cases: repeated, weighted, or of the worst group."""

import numpy as np
import torch
from torch import nn

from shortlib.data.seeds import derive_seed
from shortlib.methods.batches import Batches
from shortlib.methods.case_losses import HeldOut, case_losses, logits_of
from shortlib.methods.erm import label_tensor
from shortlib.methods.training import Rule, train

LEAST_LOSS = Rule("validation_loss")


class MeanLoss(nn.Module):
    """The mean over the cases of a batch."""

    def forward(self, losses, index):
        """Return the mean of `losses`, whichever cases they are of."""
        return losses.mean()


def fit_per_case(
    model,
    cohort,
    validation=None,
    *,
    schedule,
    compute,
    seed,
    objective=None,
    order=None,
    validation_groups=None,
    rule=LEAST_LOSS,
    further_rules=None,
    watch=None,
    augment=None,
    **options,
):
    """Train a network on the cross-entropy of each case, put together as an objective says.

    Parameters
    ----------
    model : torch.nn.Module
        Images of shape (n, c, h, w) to one logit a class, or to one logit for two classes. On the
        device of `compute`; trained in place, and left with the weights of the chosen epoch.
    cohort : shortlib.data.Cohort
        With one label a case. Images may be streamed.
    validation : shortlib.data.Cohort, optional
        Measured after each epoch; without it the last epoch is kept.
    schedule : shortlib.methods.training.Schedule
    compute : shortlib.methods.compute.Compute
    seed : int
        Of the order, dropout and augmentation.
    objective : torch.nn.Module, optional
        ``objective(losses, index)`` returns the loss of a batch from those of its cases, shape
        (b,), and their places in the cohort, int64 of shape (b,). State that it keeps between
        batches is in its buffers, so that a checkpoint has it too. The mean if not given.
    order : numpy.ndarray of int64, shape (m,), optional
        The cases of an epoch, some of them repeated; they are shuffled. Each once if not given.
    validation_groups : numpy.ndarray of int, shape (k,), optional
        A group for each validation case, for the worst group's loss and accuracy.
    rule : shortlib.methods.training.Rule
        Which epoch is kept, where there are validation cases.
    further_rules : dict of str to shortlib.methods.training.Rule, optional
        By name: what other rules would have kept. The result has those weights too.
    watch : callable, optional
        ``watch(model)`` returns further quantities after each epoch, by name, for such rules.
    augment : callable, optional
        See :func:`shortlib.methods.augmentation.build_augmentation`.
    **options
        Passed to :func:`shortlib.methods.training.train`.

    Returns
    -------
    shortlib.methods.training.Trained
        With validation cases the history has ``validation_loss``, ``validation_accuracy``,
        ``validation_auroc`` if they are of both of two classes, and with their groups
        ``validation_worst_loss`` and ``validation_worst_accuracy``, the worst mean over a group.
        Weights are by the name of what `rule` monitors, and by those of `further_rules`.

    Raises
    ------
    ValueError
        If a case has several labels, groups or order do not fit the cases, or the rule asks for
        what is not measured.
    """
    parts = {"train": cohort} | ({} if validation is None else {"validation": validation})
    images = {name: Batches(part.images, compute) for name, part in parts.items()}
    labels = {name: label_tensor(part, compute) for name, part in parts.items()}
    for name, part in labels.items():
        if part.ndim != 1:
            raise ValueError(f"labels of {parts[name].name!r} must be one class a case")
    order = torch.arange(len(cohort)) if order is None else _check_order(order, len(cohort))
    held_out = None
    if validation is None and validation_groups is not None:
        raise ValueError("validation_groups are given, but there are no validation cases")
    if validation is not None:
        due, classes = labels["validation"].cpu().numpy(), len(validation.label_names) or 2
        held_out = HeldOut(due, validation_groups, classes=classes)
        if rule.monitor not in held_out.names:
            raise ValueError(
                f"rule asks for {rule.monitor!r}; measured are {', '.join(held_out.names)}"
            )

    def batch_loss(both, index):
        index = order[index]
        batch = images["train"][index]
        batch = batch if augment is None else augment(batch)
        index = index.to(compute.device)
        losses = case_losses(both["network"](batch), labels["train"][index])
        return both["objective"](losses, index)

    def evaluate(both):
        found = {}
        if held_out is not None:
            logits = logits_of(both["network"], images["validation"], compute)
            found = held_out.measure(logits, case_losses(logits, labels["validation"]))
        found |= {} if watch is None else watch(both["network"])
        for name, asked in rules.items():
            if asked.monitor not in found:
                raise ValueError(
                    f"rule {name!r} asks for {asked.monitor!r}; measured are {', '.join(found)}"
                )
        return found

    rules = dict(further_rules or {})
    if rule.monitor in rules:
        raise ValueError(f"further_rules must not be called as rule's own {rule.monitor!r} is")
    if held_out is not None:
        rules[rule.monitor] = rule
    # One module, so that the objective's state is in the checkpoint beside the network's.
    objective = compute.place(MeanLoss() if objective is None else objective)
    trained = train(
        nn.ModuleDict({"network": model, "objective": objective}),
        batch_loss,
        len(order),
        schedule,
        rules=rules,
        evaluate=evaluate,
        compute=compute,
        seed=seed,
        **options,
    )
    for name, weights in trained.weights.items():
        trained.weights[name] = {
            key.removeprefix("network."): value
            for key, value in weights.items()
            if key.startswith("network.")
        }
    if held_out is not None:
        model.load_state_dict(trained.weights[rule.monitor])
    return trained


def match_largest(groups, *, seed):
    """Repeat the cases of each group until all groups are as large as the largest.

    Parameters
    ----------
    groups : array_like of int or bool, shape (n,)
        The group of each case: a class, an inferred group, or whether it is in an error set.
    seed : int
        Decides which cases of a group come once more than others.

    Returns
    -------
    numpy.ndarray of int64, shape (m,)
        Places of cases, those of a group all equally often or once apart.

    References
    ----------
    Saab et al. (2022), Appendix A.2, do so with the groups that JTT infers.
    """
    groups = np.asarray(groups)
    rng = np.random.default_rng(derive_seed(seed, "match"))
    found, counts = np.unique(groups, return_counts=True)
    places = [rng.permutation(np.flatnonzero(groups == group)) for group in found]
    return np.concatenate([np.resize(one, counts.max()) for one in places])


def _check_order(order, n):
    order = np.asarray(order)
    if order.ndim != 1 or not len(order) or order.dtype.kind not in "iu":
        raise ValueError(
            f"order must be whole numbers of shape (m,), m at least 1, got {order.dtype} of shape "
            f"{order.shape}"
        )
    if order.min() < 0 or order.max() >= n:
        raise ValueError(
            f"order must hold places from 0 to {n - 1}, got {order.min()} to {order.max()}"
        )
    return torch.from_numpy(order.astype(np.int64))
