"""Loss and prediction of each single case, and what they come to on held-out cases."""

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy


def case_losses(logits, labels):
    """Return the cross-entropy of each case, shape (n,), from one logit for two classes or more."""
    if logits.shape[1] == 1:
        each = labels.float()
        return binary_cross_entropy_with_logits(logits[:, 0].float(), each, reduction="none")
    return cross_entropy(logits.float(), labels, reduction="none")


def predicted_classes(logits):
    """Return the class that each case is given, int64 of shape (n,)."""
    return (logits[:, 0] > 0).long() if logits.shape[1] == 1 else logits.argmax(dim=1)


@torch.inference_mode()
def logits_of(model, images, compute, *, batch_size=128):
    """Return the logits of all images of ``Batches``, float32 of shape (n, k)."""
    model.eval()
    logits = []
    for batch in images.in_order(batch_size):
        with compute.autocast():
            logits.append(model(batch).float())
    return torch.cat(logits)


class HeldOut:
    """Measures of validation cases that an epoch may be chosen by.

    Parameters
    ----------
    labels : numpy.ndarray of int64, shape (n,)
    groups : array_like of int, shape (n,), optional
    classes : int
        That there are, whether or not all occur here.

    Attributes
    ----------
    names : list of str
        What is measured. ``validation_loss`` and ``validation_accuracy``;
        ``validation_auroc`` where the cases are of both of two classes; with groups
        ``validation_worst_loss`` and ``validation_worst_accuracy``, the worst mean over a group.

    Raises
    ------
    ValueError
        If there are more or fewer groups than cases.
    """

    def __init__(self, labels, groups=None, *, classes=2):
        self._labels = labels
        self.names = ["validation_loss", "validation_accuracy"]
        self._two = classes == 2 and len(np.unique(labels)) == 2
        if self._two:
            self.names.append("validation_auroc")
        self._places = []
        if groups is not None:
            groups = np.asarray(groups)
            if groups.shape != labels.shape:
                raise ValueError(
                    f"validation_groups must have one group for each of {len(labels)} cases, got "
                    f"shape {groups.shape}"
                )
            self._places = [groups == one for one in np.unique(groups)]
            self.names += ["validation_worst_loss", "validation_worst_accuracy"]

    def measure(self, logits, losses):
        """Return each measure by its name, from logits of shape (n, k) and losses of shape (n,)."""
        losses = losses.double().cpu().numpy()
        hits = predicted_classes(logits).cpu().numpy() == self._labels
        values = [losses.mean(), hits.mean()]
        if self._two:
            scores = logits[:, -1] - (logits[:, 0] if logits.shape[1] == 2 else 0)
            values.append(roc_auc_score(self._labels, scores.cpu().numpy()))
        if self._places:
            values.append(max(losses[where].mean() for where in self._places))
            values.append(min(hits[where].mean() for where in self._places))
        return dict(zip(self.names, map(float, values), strict=True))
