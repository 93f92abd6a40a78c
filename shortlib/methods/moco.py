"""Contrast of an image with a queue of earlier ones, by a slow second encoder (MoCo)."""

import torch
from torch.nn.functional import cross_entropy, normalize

from shortlib.methods.simclr import check_pairs, check_temperature
from shortlib.models.projection import Projected, build_head, check_momentum


class MoCo(Projected):
    """An encoder that learns to tell an image's other view from a queue of earlier images.

    The other view is the key: it comes from a slow copy of encoder and head, which gets no
    gradient. Once the loss is computed, the keys take the place of the oldest of the queue,
    so that the next step is the first to have them as negatives.

    A queue that is longer than the training set holds older keys of the very image that is
    looked for, which count as negatives. The authors shuffle the images among several
    devices, lest the batch norms of one batch tell which key belongs to it; on one device
    there is nothing to shuffle.

    Parameters
    ----------
    encoder : shortlib.models.cnn.CNN
    hidden : int, optional
        Features between the head's two layers; as many as the encoder's if not given.
    layers : int
        Of the head: 2 as in MoCo v2, 1 (then without `hidden`) as in MoCo v1.
    width : int
        Of the projections.
    queue : int
        Keys that are kept.
    momentum : float
        Share of its weights that the slow copy keeps in a step, in [0, 1].
    temperature : float
        See :func:`info_nce`.

    References
    ----------
    He et al. (2020), Algorithm 1, and Chen et al. (2020b) for the head of version 2.
    Queue and temperature are those of the code of Nakashima et al. (2023), where the head
    hangs on a layer that is never called; here it is in the path.
    """

    def __init__(
        self,
        encoder,
        *,
        hidden=None,
        layers=2,
        width=128,
        queue=1024,
        momentum=0.999,
        temperature=0.07,
    ):
        features = encoder.head.in_features
        if layers not in (1, 2) or (layers == 1 and hidden is not None):
            raise ValueError(
                f"layers must be 2, or 1 without hidden, got layers {layers}, hidden {hidden}"
            )
        if queue < 1:
            raise ValueError(f"queue must be at least 1, got {queue}")
        check_momentum(momentum)
        check_temperature(temperature)
        hidden = features if hidden is None and layers == 2 else hidden
        head = build_head(features, hidden=hidden, width=width, batch_norm=False)
        super().__init__(encoder, head)
        self.momentum, self.temperature = momentum, temperature
        self.slow = self.slow_copy()
        # The first negatives are random directions, until there are keys enough.
        self.register_buffer("queue", normalize(torch.randn(queue, width), dim=1))
        self.register_buffer("oldest", torch.zeros((), dtype=torch.int64))

    def loss(self, first, second):
        """Return the loss of two views of the same images, each of shape (n, c, h, w).

        In training mode the keys of `second` join the queue.
        """
        queries = self.project(first)
        with torch.no_grad():
            keys = normalize(self.slow.project(second), dim=1)
        loss = info_nce(queries, keys, self.queue, self.temperature)
        if self.training:
            self.enqueue(keys)
        return loss

    @torch.no_grad()
    def enqueue(self, keys):
        """Put keys, of shape (n, width), in the place of the oldest n of the queue."""
        size = len(self.queue)
        keys = keys[-size:]  # no place is written twice, whose order a GPU leaves open
        places = (self.oldest + torch.arange(len(keys), device=keys.device)) % size
        # A new tensor: the backward pass still needs the queue as it was.
        self.queue = self.queue.index_copy(0, places, keys)
        self.oldest = (self.oldest + len(keys)) % size

    def after_step(self):
        """Let the slow copy follow."""
        self.drag(self.slow, self.momentum)


def info_nce(queries, keys, negatives, temperature):
    """Cross-entropy of finding each query's key among its key and the negatives (InfoNCE).

    Lower is better; chance is log(1 + k).

    Parameters
    ----------
    queries, keys : torch.Tensor of float, shape (n, d)
        Row i of both is of the same image. Scaled to unit length here.
    negatives : torch.Tensor of float, shape (k, d)
        The same for all queries. Scaled to unit length here.
    temperature : float
        Divides the cosines; positive.

    Returns
    -------
    torch.Tensor
        Scalar: the mean over queries.

    Raises
    ------
    ValueError
        If the shapes do not fit, the values are not floats or the temperature is not
        positive.

    References
    ----------
    He et al. (2020), Equation 1; van den Oord et al. (2018).
    """
    check_pairs(queries=queries, keys=keys)
    if negatives.ndim != 2 or negatives.shape[1] != queries.shape[1]:
        raise ValueError(
            f"negatives must have shape (k, {queries.shape[1]}), got {tuple(negatives.shape)}"
        )
    check_temperature(temperature)
    # Cosines need more digits than bfloat16 has, since the temperature spreads them.
    with torch.autocast(queries.device.type, enabled=False):
        queries, keys, negatives = (normalize(z, dim=1) for z in (queries, keys, negatives))
        own = (queries * keys).sum(dim=1, keepdim=True)
        logits = torch.cat([own, queries @ negatives.T], dim=1) / temperature
        return cross_entropy(logits, torch.zeros(len(logits), dtype=int, device=logits.device))
