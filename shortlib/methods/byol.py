"""Prediction of what a slow copy of the network makes of another view (BYOL)."""

import math

import torch
from torch import nn
from torch.nn.functional import cosine_similarity

from shortlib.methods.simclr import check_pairs
from shortlib.models.projection import Projected, build_head, check_momentum

SCHEDULES = ("constant", "cosine")


class BYOL(Projected):
    """An encoder that learns to predict the projection of an image's other view.

    The target comes from a slow copy of encoder and head, which gets no gradient. No
    image is contrasted with another: that the features do not all become one is left to
    the predictor, to the stopped gradient and to the slowness of the copy.

    Parameters
    ----------
    encoder : shortlib.models.cnn.CNN
    hidden : int
        Features between the two layers of the head, and of the predictor.
    width : int
        Of the projections.
    momentum : float
        Share of its weights that the slow copy keeps in a step, in [0, 1].
    momentum_schedule : str
        ``"constant"``, or ``"cosine"``: from `momentum` to 1 over `steps`.
    steps : int, optional
        Of the whole training; needed for ``"cosine"``.
    predict : bool
        False leaves the predictor out, with which the features collapse more easily.
    stop_gradient : bool
        False lets the targets come from the trained network itself, and the gradient pass
        through them: then nothing holds the features apart. To see collapse only.

    References
    ----------
    Grill et al. (2020), Section 3.1 and Equation 2. Sizes and momentum are those of the
    code of Nakashima et al. (2023); the paper's are 256 for the width, and a cosine from
    0.996.
    """

    def __init__(
        self,
        encoder,
        *,
        hidden=4096,
        width=128,
        momentum=0.99,
        momentum_schedule="constant",
        steps=None,
        predict=True,
        stop_gradient=True,
    ):
        check_momentum(momentum)
        if momentum_schedule not in SCHEDULES:
            known = ", ".join(SCHEDULES)
            raise ValueError(f"momentum_schedule must be one of {known}, got {momentum_schedule!r}")
        if momentum_schedule == "cosine" and (steps is None or steps < 1):
            raise ValueError(f"steps must be at least 1 for a cosine schedule, got {steps}")
        features = encoder.head.in_features
        super().__init__(encoder, build_head(features, hidden=hidden, width=width, batch_norm=True))
        self.predictor = nn.Identity()
        if predict:
            self.predictor = build_head(width, hidden=hidden, width=width, batch_norm=True)
        self.slow = self.slow_copy() if stop_gradient else None
        self.momentum = momentum
        self.steps = steps if momentum_schedule == "cosine" else None
        self.register_buffer("done", torch.zeros((), dtype=torch.int64))

    def loss(self, first, second):
        """Return the loss of two views of the same images, each of shape (n, c, h, w).

        Each view is predicted from the other; the views pass one after the other, so that
        batch norms never mix them.
        """
        projected = [self.project(view) for view in (first, second)]
        targets = projected
        if self.slow is not None:
            with torch.no_grad():
                targets = [self.slow.project(view) for view in (first, second)]
        predictions = [self.predictor(z).float() for z in projected]
        return byol_loss(predictions[0], targets[1]) + byol_loss(predictions[1], targets[0])

    def after_step(self):
        """Let the slow copy follow, and count the step."""
        if self.slow is not None:
            self.drag(self.slow, self.current_momentum())
        self.done += 1

    def current_momentum(self):
        """Return the momentum after as many steps as were counted."""
        if self.steps is None:
            return self.momentum
        return cosine_momentum(self.momentum, min(int(self.done), self.steps), self.steps)


def byol_loss(predictions, targets):
    """Squared distance of the unit vectors of predictions and targets: 2 minus 2 cosines.

    Lower is better.

    Parameters
    ----------
    predictions, targets : torch.Tensor of float, shape (n, d)
        Row i of both is of the same image. Scaled to unit length here.

    Returns
    -------
    torch.Tensor
        Scalar: the mean over rows, in [0, 4]. The symmetric loss is the sum of this in both
        directions.

    Raises
    ------
    ValueError
        If the shapes differ or are not (n, d), or the values are not floats.

    References
    ----------
    Grill et al. (2020), Equation 2.
    """
    check_pairs(predictions=predictions, targets=targets)
    return (2 - 2 * cosine_similarity(predictions, targets, dim=1)).mean()


def cosine_momentum(start, step, steps):
    """Momentum that rises from `start` at step 0 to 1 at step `steps`, along a cosine.

    Parameters
    ----------
    start : float
    step, steps : int

    Returns
    -------
    float

    References
    ----------
    Grill et al. (2020), Section 3.2.
    """
    return 1 - (1 - start) * (math.cos(math.pi * step / steps) + 1) / 2
