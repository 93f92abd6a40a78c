"""An encoder with a small network behind it that is for pre-training alone."""

from copy import deepcopy

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class Projected(nn.Module):
    """An encoder and a head that projects its features into the space of a contrast.

    Attributes
    ----------
    encoder : shortlib.models.cnn.CNN
        What is kept after the pre-training. Its own head is not used.
    head : torch.nn.Module
        Features of shape (n, f) to projections of shape (n, width).
    """

    def __init__(self, encoder, head):
        super().__init__()
        self.encoder, self.head = encoder, head

    def project(self, images):
        """Return the projections of images, float32 of shape (n, width)."""
        _, features = self.encoder.forward_with_embedding(images)
        return self.head(features).float()

    def slow_copy(self):
        """Return a copy of encoder and head that gets no gradient, for :meth:`drag`."""
        return Projected(deepcopy(self.encoder), deepcopy(self.head)).requires_grad_(False)

    @torch.no_grad()
    def drag(self, slow, momentum):
        """Move a slow copy's weights: momentum times its own plus the rest times these.

        Parameters
        ----------
        slow : Projected
            From :meth:`slow_copy`; changed. What its batch norms have counted is its own.
        momentum : float
            In [0, 1]; at 1 the copy stays.
        """
        own = [*self.encoder.parameters(), *self.head.parameters()]
        # All weights in a few calls: one by one they would cost a GPU more than the sums.
        get_ema_multi_avg_fn(momentum)(list(slow.parameters()), own, None)

    def after_step(self):
        """Do what is due after a step of the optimiser; here nothing."""


def build_head(features, *, hidden, width, batch_norm):
    """Build a linear layer, or two with ReLU between them.

    Parameters
    ----------
    features : int
        Inputs.
    hidden : int or None
        Features between the layers; one layer if None.
    width : int
        Outputs.
    batch_norm : bool
        Whether the hidden features are normalised over the batch.

    Returns
    -------
    torch.nn.Sequential

    Raises
    ------
    ValueError
        If a size is below 1.
    """
    for name, size in (("hidden", hidden), ("width", width)):
        if size is not None and size < 1:
            raise ValueError(f"{name} must be at least 1, got {size}")
    if hidden is None:
        return nn.Sequential(nn.Linear(features, width))
    layers = [nn.Linear(features, hidden, bias=not batch_norm)]  # the norm has its own
    layers += [nn.BatchNorm1d(hidden)] if batch_norm else []
    return nn.Sequential(*layers, nn.ReLU(), nn.Linear(hidden, width))


def check_momentum(momentum):
    """Refuse a share of a slow copy's weights that is out of [0, 1]."""
    if not 0 <= momentum <= 1:
        raise ValueError(f"momentum must be in [0, 1], got {momentum}")
