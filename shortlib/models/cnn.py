"""Convolutional networks that give one score, or several, for an image."""

from itertools import pairwise

import torch
from torch import nn
from torchvision.models import densenet121, mobilenet_v2, resnet18, resnet50

from shortlib.models.imagenet import ImageNetInput, load_imagenet

TORCHVISION = {
    "resnet18": resnet18,
    "resnet50": resnet50,
    "densenet121": densenet121,
    "mobilenet-v2": mobilenet_v2,
}
NETWORKS = ("cnn-small", *TORCHVISION)
WEIGHTS = ("random", "imagenet")


class CNN(nn.Module):
    """A body that makes feature maps, what is pooled from them, and a linear layer.

    Attributes
    ----------
    body : torch.nn.Module
        Images of shape (n, c, h, w) to feature maps of shape (n, f, h', w').
    head : torch.nn.Module
        Pooled features of shape (n, f), or (n, 2f), to logits of shape (n, outputs).
    peaks : bool
        Whether each feature's maximum is pooled beside its mean, which lets a small
        network notice a small thing.
    """

    def __init__(self, body, head, *, peaks=False):
        super().__init__()
        self.body, self.head, self.peaks = body, head, peaks

    def forward(self, images):
        """Return the logits, float32 of shape (n, outputs)."""
        return self.forward_with_embedding(images)[0]

    def forward_with_embedding(self, images):
        """Return the logits and the pooled features they are made from, shape (n, f or 2f)."""
        maps = self.body(images).float()
        embedding = maps.mean(dim=(2, 3))
        if self.peaks:
            embedding = torch.cat([embedding, maps.amax(dim=(2, 3))], dim=1)
        return self.head(embedding), embedding


def build_cnn(network, *, channels=1, outputs=1, weights="random"):
    """Build a classifier, with a head of random weights.

    Parameters
    ----------
    network : str
        ``"cnn-small"``: four blocks of convolution, batch norm, ReLU and max pooling (16
        to 64 features), pooled by mean and maximum, for images of 64 to 128 px on a CPU.
        Others are torchvision's
        ``"resnet18"``, ``"resnet50"``, ``"densenet121"`` and ``"mobilenet-v2"``.
    channels : int
        Input channels.
    outputs : int
        Logits.
    weights : str
        Of the body. ``"random"``, or ``"imagenet"``: torchvision's, of ``"mobilenet-v2"``
        timm's (:func:`shortlib.models.imagenet.load_imagenet`), for the networks of
        :data:`shortlib.models.imagenet.SOURCES` and one channel or three, downloaded from
        their model hub or found in its cache. Such a body takes images in [0, 1] and
        brings them to ImageNet's mean and scale itself.

    Returns
    -------
    CNN

    Raises
    ------
    ValueError
        If the network is not one of `NETWORKS`, or has no such weights, or they cannot
        be had.
    """
    if weights not in WEIGHTS:
        raise ValueError(f"weights must be one of {', '.join(WEIGHTS)}, got {weights!r}")
    if weights == "imagenet" and channels not in (1, 3):
        raise ValueError(f"channels must be 1 or 3 with weights='imagenet', got {channels}")
    if network not in NETWORKS:
        raise ValueError(f"network must be one of {', '.join(NETWORKS)}, got {network!r}")
    whole = TORCHVISION[network](weights=None) if network in TORCHVISION else None
    if weights == "imagenet":
        load_imagenet(whole, network)
        body, features = _body(whole, network, channels=3)
        return CNN(nn.Sequential(ImageNetInput(), body), nn.Linear(features, outputs))
    if whole is None:
        layers = []
        for before, after in pairwise((channels, 16, 32, 64, 64)):
            layers += [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after)]
            layers += [nn.ReLU(), nn.MaxPool2d(2)]
        return CNN(nn.Sequential(*layers), nn.Linear(128, outputs), peaks=True)
    body, features = _body(whole, network, channels)
    return CNN(body, nn.Linear(features, outputs))


def _body(whole, network, channels):
    """Return what makes the feature maps of a torchvision network, and how many they are."""
    if network.startswith("resnet"):
        whole.conv1 = _first(whole.conv1, channels)
        return nn.Sequential(*list(whole.children())[:-2]), whole.fc.in_features
    if network == "densenet121":
        whole.features.conv0 = _first(whole.features.conv0, channels)
        return nn.Sequential(whole.features, nn.ReLU()), whole.classifier.in_features
    whole.features[0][0] = _first(whole.features[0][0], channels)
    return whole.features, whole.classifier[-1].in_features


def _first(layer, channels):
    """Make the first convolution anew for other input channels, with its own kind of weights."""
    if channels == layer.in_channels:
        return layer
    new = nn.Conv2d(
        channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding, bias=False
    )
    nn.init.kaiming_normal_(new.weight, mode="fan_out", nonlinearity="relu")
    return new
