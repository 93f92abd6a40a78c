"""Fully convolutional networks for pixel labels, from torchvision's parts."""

from itertools import pairwise

from torch import nn
from torchvision.models import resnet18, resnet50
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.models.segmentation.fcn import FCNHead

NETWORKS = ("fcn-resnet50", "fcn-resnet18-s8", "fcn-tiny")


class FCN(nn.Module):
    """A backbone, torchvision's FCN head, and bilinear upsampling to the input's size.

    Attributes
    ----------
    backbone : torch.nn.Module
        Images of shape (n, c, h, w) to features of shape (n, f, h/8, w/8).
    head : torch.nn.Sequential
        torchvision's FCNHead: 3x3 convolution to f/4 channels, batch norm, ReLU, dropout 0.1, 1x1
        convolution to one logit per position.
    """

    def __init__(self, backbone, features):
        super().__init__()
        self.backbone = backbone
        self.head = nn.Sequential(*FCNHead(features, 1))

    def forward(self, images):
        """Return the logits of a positive pixel, float32 of shape (n, h, w)."""
        return self._logits(self.head(self.backbone(images)), images)

    def forward_with_embedding(self, images):
        """Return the logits and an embedding of each image.

        The embedding is the mean over positions of the last hidden layer (the
        head's activations before its final 1x1 convolution), shape (n, f/4).
        """
        hidden = self.head[:3](self.backbone(images))
        logits = self._logits(self.head[3:](hidden), images)
        return logits, hidden.float().mean(dim=(2, 3))

    @staticmethod
    def _logits(coarse, images):
        fine = nn.functional.interpolate(
            coarse.float(), size=images.shape[-2:], mode="bilinear", align_corners=False
        )
        return fine[:, 0]


def build_fcn(network, *, channels=1):
    """Build a network for pixel labels with random weights.

    Parameters
    ----------
    network : str
        ``"fcn-resnet50"``: torchvision's FCN-ResNet-50 (dilated last two stages,
        output stride 8). ``"fcn-resnet18-s8"``: ResNet-18 up to its third stage,
        whose stride is one. ``"fcn-tiny"``: three convolutions, for tests.
    channels : int
        Input channels.

    Returns
    -------
    FCN

    Raises
    ------
    ValueError
        If the network is not one of `NETWORKS`.
    """
    if network == "fcn-resnet50":
        body = resnet50(weights=None, replace_stride_with_dilation=[False, True, True])
        _set_input_channels(body, channels)
        return FCN(_until(body, "layer4"), 2048)
    if network == "fcn-resnet18-s8":
        body = resnet18(weights=None)
        _set_input_channels(body, channels)
        body.layer3[0].conv1.stride = (1, 1)
        body.layer3[0].downsample[0].stride = (1, 1)
        return FCN(_until(body, "layer3"), 256)
    if network == "fcn-tiny":
        widths = (channels, 16, 32, 32)
        layers = []
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after)]
            layers += [nn.ReLU()]
        return FCN(nn.Sequential(*layers), 32)
    raise ValueError(f"network must be one of {', '.join(NETWORKS)}, got {network!r}")


def _set_input_channels(body, channels):
    first = body.conv1
    body.conv1 = nn.Conv2d(
        channels, first.out_channels, first.kernel_size, first.stride, first.padding, bias=False
    )
    nn.init.kaiming_normal_(body.conv1.weight, mode="fan_out", nonlinearity="relu")


def _until(body, layer):
    """Cut a ResNet after a stage; returns the features as a tensor, not a dictionary."""
    return nn.Sequential(*IntermediateLayerGetter(body, {layer: "out"}).values())
