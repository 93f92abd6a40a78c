"""U-Nets that give each pixel a class, from segmentation-models-pytorch's parts."""

from itertools import accumulate

import torch
from safetensors import SafetensorError
from torch import nn

from shortlib.models.cnn import WEIGHTS, build_cnn
from shortlib.models.imagenet import ImageNetInput

# Network to the library's name of its encoder; "unet-small" has an encoder of ours.
ENCODERS = {"unet-resnet18": "resnet18", "unet-seresnext50": "se_resnext50_32x4d"}
NETWORKS = ("unet-small", *ENCODERS)
# Features of the small decoder, from the coarsest to the finest, which is half as fine as the
# image: the last step to full size would take half of the time.
_SMALL = (48, 32, 24)


class UNet(nn.Module):
    """An encoder, a decoder that takes the encoder's features of all sizes, and a last layer.

    Attributes
    ----------
    encoder : torch.nn.Module
        Images of shape (n, c, h, w) to a list of feature maps, the input first, each at most half
        as fine as the one before.
    decoder, head : torch.nn.Module
        Feature maps to one logit for each class and pixel, shape (n, k, h, w).
    """

    def __init__(self, encoder, decoder, head):
        super().__init__()
        self.encoder, self.decoder, self.head = encoder, decoder, head

    def forward(self, images):
        """Return the logits, float32 of shape (n, k, h, w)."""
        return self.forward_with_features(images)[0]

    def forward_with_features(self, images):
        """Return the logits and the encoder's last feature map, shape (n, f, h', w')."""
        features = self.encoder(images)
        return self.head(self.decoder(features)).float(), features[-1]

    def embed(self, images):
        """Return the encoder's last feature map, averaged over positions, shape (n, f)."""
        return self.encoder(images)[-1].float().mean(dim=(2, 3))


class SmallEncoder(nn.Module):
    """The body of ``"cnn-small"``, which keeps what each of its blocks gives.

    So a network that is trained on masks sees an image through the very layers that one trained on
    image labels has.
    """

    def __init__(self, channels):
        super().__init__()
        body = build_cnn("cnn-small", channels=channels).body
        # Each block ends by halving the map.
        ends = [k + 1 for k, layer in enumerate(body) if isinstance(layer, nn.MaxPool2d)]
        self.blocks = nn.ModuleList(
            body[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)
        )
        self.out_channels = [channels, *(block[0].out_channels for block in self.blocks)]

    def forward(self, images):
        """Return the images and the feature map after each block."""
        return list(accumulate(self.blocks, lambda maps, block: block(maps), initial=images))


def build_unet(network, *, channels=1, classes=2, weights="random"):
    """Build a U-Net whose decoder has random weights.

    Parameters
    ----------
    network : str
        ``"unet-small"``: the body of ``"cnn-small"`` as encoder, for images of 64 to 128 px on a
        CPU. ``"unet-resnet18"``; ``"unet-seresnext50"``, the paper's.
    channels : int
        Input channels.
    classes : int
        Of a pixel, the background among them; at least 2.
    weights : str
        Of the encoder. ``"random"``, or ``"imagenet"``: those that segmentation-models-pytorch
        names for it, as safetensors from their model hub or its cache, for one channel or three.
        Such a network takes images in [0, 1] and brings them to ImageNet's mean and scale itself.

    Returns
    -------
    UNet

    Raises
    ------
    ValueError
        If the network is not one of `NETWORKS`, has no such weights, or they or the package cannot
        be had.

    References
    ----------
    Ronneberger et al. (2015). Saab et al. (2022), Appendix A.1, have the encoder of Hu et al.
    (2018): ResNeXt-50 32×4d with squeeze-and-excitation, through that package.
    """
    if network not in NETWORKS:
        raise ValueError(f"network must be one of {', '.join(NETWORKS)}, got {network!r}")
    if weights not in WEIGHTS:
        raise ValueError(f"weights must be one of {', '.join(WEIGHTS)}, got {weights!r}")
    if classes < 2:
        raise ValueError(f"classes must be at least 2, background among them, got {classes}")
    smp = _package()
    if network == "unet-small":
        if weights != "random":
            raise ValueError(f"weights must be 'random' for {network}, got {weights!r}")
        encoder = SmallEncoder(channels)
        decoder = smp.decoders.unet.decoder.UnetDecoder(
            encoder.out_channels, _SMALL, n_blocks=len(_SMALL)
        )
        last = nn.Conv2d(_SMALL[-1], classes, 3, padding=1)
        finer = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        return UNet(encoder, decoder, nn.Sequential(last, finer))
    if weights == "imagenet" and channels not in (1, 3):
        raise ValueError(f"channels must be 1 or 3 with weights='imagenet', got {channels}")
    named = None if weights == "random" else weights
    try:
        whole = smp.Unet(
            ENCODERS[network],
            encoder_weights=named,
            in_channels=3 if named else channels,
            classes=classes,
        )
    except (SafetensorError, RuntimeError) as error:
        if named is None:
            raise
        raise ValueError(
            f"the ImageNet weights of {network} that are in the model hub's cache are damaged or "
            f"not those of encoder {ENCODERS[network]} ({' '.join(str(error).split())[:200]}); "
            "remove them and have them downloaded again"
        ) from error
    # The hub's client raises its own errors, the network's and the disk's.
    except Exception as error:
        if named is None:
            raise
        raise ValueError(
            f"the ImageNet weights of {network} (encoder {ENCODERS[network]} of "
            "segmentation-models-pytorch) are not in the model hub's cache and the hub cannot be "
            f"reached ({type(error).__name__}); build the network once on a machine that can and "
            "copy its cache here, or name weights='random'"
        ) from error
    encoder = nn.Sequential(ImageNetInput(), whole.encoder) if named else whole.encoder
    return UNet(encoder, whole.decoder, whole.segmentation_head)


def image_scores(logits):
    """Score images by their pixels: the mean probability of the last class.

    Parameters
    ----------
    logits : torch.Tensor, shape (n, k, h, w)

    Returns
    -------
    torch.Tensor of float32, shape (n,)
        In [0, 1].

    References
    ----------
    The released code of Saab et al. (2022); their text does not say how pixels become a score.
    """
    return torch.softmax(logits.float(), dim=1)[:, -1].mean(dim=(1, 2))


def lesion_scores(logits):
    """Score images by their lesions: the last class's share of the probability of any lesion.

    Unlike :func:`image_scores` it does not grow with the lesion.

    Parameters
    ----------
    logits : torch.Tensor, shape (n, k, h, w)
        With more than one class of lesions, so `k` is above 2.

    Returns
    -------
    torch.Tensor of float32, shape (n,)
        In [0, 1].

    Raises
    ------
    ValueError
        If there is one class of lesions, whose share is 1.
    """
    if logits.shape[1] < 3:
        raise ValueError(
            f"lesion_scores compares classes of lesions; {logits.shape[1]} classes are background "
            "and one of lesions"
        )
    logged = torch.log_softmax(logits.float(), dim=1)
    # In logarithms, so that an image in which nothing is found has a score too.
    any_class = torch.logsumexp(logged[:, 1:], dim=(1, 2, 3))
    return (torch.logsumexp(logged[:, -1], dim=(1, 2)) - any_class).exp()


def _package():
    try:
        # Only who asks for a U-Net needs the package, and it takes seconds to import.
        import segmentation_models_pytorch as smp
    except ImportError as error:
        raise ValueError(
            "U-Nets need the package segmentation-models-pytorch (pip install 'shortlib[studies]')"
        ) from error
    return smp
