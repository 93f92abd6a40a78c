"""Contrast of images with their reports (CLIP), with two views of each image."""

import math

import torch
from torch import nn
from torch.nn.functional import cross_entropy, normalize

TERMS = ("first-text", "second-text", "first-second")


class CLIP(nn.Module):
    """An image encoder and a text encoder, projected into one space.

    Parameters
    ----------
    image_encoder : shortlib.models.cnn.CNN
        Its head is not used.
    text_encoder : shortlib.models.text.TextEncoder
    width : int
        Of the common space; 512 in the paper.
    temperature : float
        At the start; it is learnt, as the logarithm of its inverse.

    References
    ----------
    Radford et al. (2021); Palepu and Beam (2022), Section 3.1.
    """

    def __init__(self, image_encoder, text_encoder, *, width=512, temperature=0.07):
        super().__init__()
        self.image_encoder, self.text_encoder = image_encoder, text_encoder
        self.image_projection = nn.Linear(image_encoder.head.in_features, width)
        self.text_projection = nn.Linear(text_encoder.features, width)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / temperature)))

    @property
    def scale(self):
        """Factor of the cosines; held below 100, as Radford et al. (2021) have it."""
        return self.logit_scale.exp().clamp(max=100)

    def embed_images(self, images):
        """Return unit vectors of images, shape (n, width)."""
        _, features = self.image_encoder.forward_with_embedding(images)
        return normalize(self.image_projection(features).float(), dim=1)

    def embed_texts(self, words):
        """Return unit vectors of texts, shape (n, width)."""
        return normalize(self.text_projection(self.text_encoder(words)).float(), dim=1)


def pair_loss(a, b, scale):
    """Cross-entropy of finding each row's partner, in both directions.

    Parameters
    ----------
    a, b : torch.Tensor, shape (n, d)
        Unit vectors; row i of `a` belongs to row i of `b`.
    scale : torch.Tensor
        Scalar factor of the cosines, the inverse of the temperature.

    Returns
    -------
    torch.Tensor
        Scalar: the mean over rows and directions; log(n) where all rows are alike.
    """
    logits = scale * a @ b.T
    own = torch.arange(len(a), device=a.device)
    return (cross_entropy(logits, own) + cross_entropy(logits.T, own)) / 2


def clip_loss(first, second, texts, scale, *, terms=TERMS):
    """Sum of the contrasts between two views of each image and its text.

    Parameters
    ----------
    first, second, texts : torch.Tensor, shape (n, d)
        Unit vectors of the two views and of the texts.
    scale : torch.Tensor
    terms : sequence of str
        Those of `TERMS` that are summed.

    Returns
    -------
    torch.Tensor
        Scalar.

    Raises
    ------
    ValueError
        If a term is unknown, or there is none.

    References
    ----------
    Palepu and Beam (2022), Section 3.1, after Li et al. (2021). The term between the
    images compares images; in the authors' code it compares two matrices of
    image-text similarities and holds no similarity of images.
    """
    known = {
        "first-text": (first, texts),
        "second-text": (second, texts),
        "first-second": (first, second),
    }
    if not terms or set(terms) - set(known):
        raise ValueError(f"terms must be some of {', '.join(TERMS)}, got {tuple(terms)}")
    return sum(pair_loss(*known[term], scale) for term in dict.fromkeys(terms))
