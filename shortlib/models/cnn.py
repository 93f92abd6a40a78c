"""Convolutional networks that give one score, or several, for an image."""

from itertools import pairwise

from torch import nn
from torchvision.models import densenet121, mobilenet_v2, resnet18, resnet50

TORCHVISION = {
    "resnet18": resnet18,
    "resnet50": resnet50,
    "densenet121": densenet121,
    "mobilenet-v2": mobilenet_v2,
}
NETWORKS = ("cnn-small", *TORCHVISION)


class CNN(nn.Module):
    """A body that makes feature maps, their mean, and a linear layer.

    Attributes
    ----------
    body : torch.nn.Module
        Images of shape (n, c, h, w) to feature maps of shape (n, f, h', w').
    head : torch.nn.Module
        Mean features of shape (n, f) to logits of shape (n, outputs).
    """

    def __init__(self, body, head):
        super().__init__()
        self.body, self.head = body, head

    def forward(self, images):
        """Return the logits, float32 of shape (n, outputs)."""
        return self.forward_with_embedding(images)[0]

    def forward_with_embedding(self, images):
        """Return the logits and the mean features they are made from, shape (n, f)."""
        embedding = self.body(images).float().mean(dim=(2, 3))
        return self.head(embedding), embedding


def build_cnn(network, *, channels=1, outputs=1):
    """Build a classifier with random weights.

    Parameters
    ----------
    network : str
        ``"cnn-small"``: four blocks of convolution, batch norm, ReLU and stride 2 (16
        to 128 features), for the built-in data on a CPU. Others are torchvision's
        ``"resnet18"``, ``"resnet50"``, ``"densenet121"`` and ``"mobilenet-v2"``.
    channels : int
        Input channels.
    outputs : int
        Logits.

    Returns
    -------
    CNN

    Raises
    ------
    ValueError
        If the network is not one of `NETWORKS`.
    """
    if network == "cnn-small":
        layers = []
        for before, after in pairwise((channels, 16, 32, 64, 128)):
            layers += [nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after)]
            layers += [nn.ReLU()]
        return CNN(nn.Sequential(*layers), nn.Linear(128, outputs))
    if network not in TORCHVISION:
        raise ValueError(f"network must be one of {', '.join(NETWORKS)}, got {network!r}")
    whole = TORCHVISION[network](weights=None)
    if network.startswith("resnet"):
        features = whole.fc.in_features
        whole.conv1 = _first(whole.conv1, channels)
        body = nn.Sequential(*list(whole.children())[:-2])
    elif network == "densenet121":
        features = whole.classifier.in_features
        whole.features.conv0 = _first(whole.features.conv0, channels)
        body = nn.Sequential(whole.features, nn.ReLU())
    else:
        features = whole.classifier[-1].in_features
        whole.features[0][0] = _first(whole.features[0][0], channels)
        body = whole.features
    return CNN(body, nn.Linear(features, outputs))


def _first(layer, channels):
    """Make the first convolution anew for other input channels, with its own kind of weights."""
    if channels == layer.in_channels:
        return layer
    new = nn.Conv2d(
        channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding, bias=False
    )
    nn.init.kaiming_normal_(new.weight, mode="fan_out", nonlinearity="relu")
    return new
