"""Weights that were trained on ImageNet, as safetensors from their model hub."""

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

FILE = "model.safetensors"
# Network to repository and revision. The first three hold torchvision's first ImageNet weights
# under torchvision's own names; torchvision itself offers them as a pickle, which could run code.
# Of MobileNetV2 those are not known as safetensors; timm trained its own, under timm's names.
SOURCES = {
    "resnet18": ("timm/resnet18.tv_in1k", "590dfdd48494d2316a8385e1ca7fbec3b9359b35"),
    "resnet50": ("timm/resnet50.tv_in1k", "78f3ecfdb38e06d9b8397f662e7ab8fee96026fa"),
    "densenet121": ("timm/densenet121.tv_in1k", "d42603aa2960ebf044e46628536b6f0edf7c0c6b"),
    "mobilenet-v2": ("timm/mobilenetv2_100.ra_in1k", "f3ff81ba89de0bc46b546568ebeab2edef6b9d49"),
}
# Of red, green and blue over ImageNet's training images, in [0, 1].
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

# MobileNetV2's modules by timm's names, and where torchvision has them. timm numbers the blocks
# within a stage, of which each holds so many; the first block alone does not expand.
_MOBILENET_BLOCKS = (1, 2, 3, 4, 3, 3, 1)
_MOBILENET_FIRST = {"conv_dw": "0.0", "bn1": "0.1", "conv_pw": "1", "bn2": "2"}
_MOBILENET_OTHERS = {
    "conv_pw": "0.0",
    "bn1": "0.1",
    "conv_dw": "1.0",
    "bn2": "1.1",
    "conv_pwl": "2",
    "bn3": "3",
}
_MOBILENET_ENDS = {
    "conv_stem": "features.0.0",
    "bn1": "features.0.1",
    "conv_head": "features.18.0",
    "bn2": "features.18.1",
    "classifier": "classifier.1",
}


class ImageNetInput(nn.Module):
    """What stands before a network of ImageNet: images in [0, 1] become what it was trained on.

    One channel becomes three that are equal; then each is centred and scaled by ImageNet's
    mean and standard deviation. It is a part of the network, so that black stays 0 for
    whoever looks at the network from outside.
    """

    def __init__(self):
        super().__init__()
        # Constants, which the file of a run's weights need not hold.
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(STD)[:, None, None], persistent=False)

    def forward(self, images):
        """Return images of shape (n, 3, h, w) for images of shape (n, 1 or 3, h, w)."""
        return (images - self.mean) / self.std


def load_imagenet(whole, network):
    """Give a network of torchvision its ImageNet weights.

    Parameters
    ----------
    whole : torch.nn.Module
        As torchvision builds it, with three channels and a thousand classes. Changed.
    network : str
        One of `SOURCES`.

    Raises
    ------
    ValueError
        If there are no such weights for the network, they cannot be had, or what was
        found is not this network's.

    References
    ----------
    Deng et al. (2009). The weights are torchvision's ``IMAGENET1K_V1``; those of
    ``"mobilenet-v2"`` are timm's ``ra_in1k``, made for the same architecture (padding, norms
    and activations) and the same mean and scale of the input. They are not those that Keras
    comes with, which are TF-slim's and want another padding, norms and input.
    """
    if network not in SOURCES:
        raise ValueError(
            f"weights must be 'random' for {network}, got 'imagenet': as safetensors they are "
            f"known for {', '.join(SOURCES)}, and a pickle is not opened, since it can run code"
        )
    path = _fetched(network)
    try:
        found = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"{path}: the ImageNet weights of {network} cannot be read ({error}); remove the "
            "file and have it downloaded again"
        ) from error
    if network == "mobilenet-v2":
        found = _under_torchvisions_names(found)
    due = whole.state_dict()
    # Files older than PyTorch 0.4.1 do not count batches, and nothing uses the count.
    found = {name: due[name] for name in due if name.endswith("num_batches_tracked")} | found
    wrong = sorted(
        name
        for name in due.keys() | found.keys()
        if name not in due or name not in found or due[name].shape != found[name].shape
    )
    if wrong:
        raise ValueError(
            f"{path}: these are not the weights of {network}: {len(wrong)} of its tensors are "
            f"missing, unknown or of another shape, the first of them {wrong[0]!r}"
        )
    whole.load_state_dict(found)


def _under_torchvisions_names(found):
    """Rename the tensors of timm's MobileNetV2; a name that is not timm's stays."""
    ours, place = dict(_MOBILENET_ENDS), 1
    for stage, blocks in enumerate(_MOBILENET_BLOCKS):
        parts = _MOBILENET_OTHERS if stage else _MOBILENET_FIRST
        for block in range(blocks):
            for theirs, part in parts.items():
                ours[f"blocks.{stage}.{block}.{theirs}"] = f"features.{place}.conv.{part}"
            place += 1
    renamed = {}
    for name, tensor in found.items():
        module, _, last = name.rpartition(".")
        renamed[f"{ours[module]}.{last}" if module in ours else name] = tensor
    return renamed


def _fetched(network):
    """Return the path of the file in the hub's cache, downloaded if need be."""
    repository, revision = SOURCES[network]
    try:
        # Only who asks for published weights needs the hub's client.
        from huggingface_hub import constants, hf_hub_download
    except ImportError as error:
        raise ValueError(
            "weights='imagenet' needs the package huggingface-hub "
            "(pip install 'shortlib[studies]'); weights='random' does not"
        ) from error
    try:
        return hf_hub_download(repository, FILE, revision=revision)
    # The client raises its own errors, the network's and the disk's.
    except Exception as error:
        raise ValueError(
            f"the ImageNet weights of {network} ({FILE} of {repository}) are not in the cache "
            f"{constants.HF_HUB_CACHE} and the model hub cannot be reached "
            f"({type(error).__name__}); on a machine that can, run `hf download {repository} "
            f"{FILE} --revision {revision}` and copy its cache here, or name weights='random'"
        ) from error
