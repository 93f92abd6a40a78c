"""One network that sees the phases of a cine case one after the other."""

import copy

import torch
from torch import nn

from shortlib.models.cnn import build_cnn


class PhaseNetwork(nn.Module):
    """An encoder that all phases share, and a linear layer on what it makes of them.

    Parameters
    ----------
    encoder : shortlib.models.cnn.CNN
        Of one channel. Its own head is dropped.
    features : int
        Length of the encoder's embedding.
    phases, outputs : int

    Attributes
    ----------
    encoder : shortlib.models.cnn.CNN
        ``encoder.forward_with_embedding(images)[1]`` embeds single phases.
    head : torch.nn.Linear
        The embeddings of a case, one after the other, to its logits.
    phases : int
        Channels of an image, each a phase.

    References
    ----------
    Nakashima et al. (2023), whose text leaves it open; so in their code, which puts a
    softmax before its cross-entropy as well. Here the logits come out as they are.
    """

    def __init__(self, encoder, features, *, phases, outputs):
        super().__init__()
        encoder.head = nn.Identity()
        self.encoder, self.phases = encoder, phases
        self.head = nn.Linear(phases * features, outputs)

    def forward(self, images):
        """Return the logits, float32 of shape (n, outputs)."""
        return self.forward_with_embedding(images)[0]

    def forward_with_embedding(self, images):
        """Return the logits and what they are made from.

        Parameters
        ----------
        images : torch.Tensor, shape (n, phases, h, w)

        Returns
        -------
        logits : torch.Tensor of float32, shape (n, outputs)
        embedding : torch.Tensor of float32, shape (n, phases * f)
            That of the first phase comes first.

        Raises
        ------
        ValueError
            If the images have another number of phases.
        """
        n, phases, *size = images.shape
        if phases != self.phases:
            raise ValueError(f"images must have {self.phases} phases, got {phases}")
        # Case by case, so that the phases of a case are neighbours in the batch.
        each = self.encoder.forward_with_embedding(images.reshape(-1, 1, *size))[1]
        embedding = each.reshape(n, -1)
        return self.head(embedding).float(), embedding


def build_phase_network(network, *, phases=2, outputs, weights="random", encoder=None):
    """Build a network for cases of several phases, with a head of random weights.

    Parameters
    ----------
    network : str
        Of the encoder; see :func:`shortlib.models.cnn.build_cnn`.
    phases : int
        Images of a case, at least 1.
    outputs : int
        Logits.
    weights : str
        Where the encoder starts, ``"random"`` or ``"imagenet"``. Not used with `encoder`.
    encoder : shortlib.models.cnn.CNN, optional
        A trained encoder of that network and of one channel, which is copied.

    Returns
    -------
    PhaseNetwork

    Raises
    ------
    ValueError
        If `phases` is below 1, `encoder` is of another network, or the network or its
        weights are unknown.
    """
    if phases < 1:
        raise ValueError(f"phases must be at least 1, got {phases}")
    start = "random" if encoder is not None else weights
    fresh = build_cnn(network, channels=1, weights=start)
    features = fresh.head.in_features
    if encoder is None:
        return PhaseNetwork(fresh, features, phases=phases, outputs=outputs)
    found = _embedding_length(encoder)
    if found != features:
        raise ValueError(
            f"encoder must be a {network}, which makes {features} features, got one that makes "
            f"{found}"
        )
    return PhaseNetwork(copy.deepcopy(encoder), features, phases=phases, outputs=outputs)


@torch.no_grad()
def _embedding_length(encoder):
    # In a copy, since batch norm counts what it sees and the mode is the owner's.
    copied = copy.deepcopy(encoder).eval()
    blank = torch.zeros(1, 1, 64, 64, device=next(copied.parameters()).device)
    return copied.forward_with_embedding(blank)[1].shape[1]
