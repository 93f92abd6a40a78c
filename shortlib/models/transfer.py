"""Transfer learning: a body that has learned before, its first layers kept, and a new head.

Hagos, Curran and Mac Namee (2023, "Unlearning spurious correlations in chest X-ray
classification", Section 4.2) freeze the first 50 layers of MobileNetV2. They used Keras, where
the input and every convolution, batch norm, activation, padding and addition is a layer.
:func:`keras_layers` is that count, with torchvision's module of each layer, worked out from
the network itself:

=========  ==========================================  ================
Keras      layers                                      torchvision
=========  ==========================================  ================
0          input                                       none
1–3        ``Conv1``                                   ``features[0]``
4–8        ``expanded_conv``, which does not expand    ``features[1]``
9–17       ``block_1``, padded, with stride 2          ``features[2]``
18–26      ``block_2``, added to what it was given     ``features[3]``
27–35      ``block_3``, padded                         ``features[4]``
36–44      ``block_4``, added                          ``features[5]``
45–53      ``block_5``, added                          ``features[6]``
54–150     ``block_6`` to ``block_16``                 ``features[7]`` to ``features[17]``
151–153    ``Conv_1``                                  ``features[18]``
=========  ==========================================  ================

The first 50 are layers 0 to 49. They hold ``features[0]`` to ``features[5]`` whole, and of
``features[6]`` the expansion and the depthwise convolution with their norms; its projection is
trained.

Old versions of Keras pad in a layer of its own before the first convolution (``Conv1_pad``),
and every layer after it has a number that is higher by one. The 50th is then ``block_5``'s
depthwise convolution, and the norm behind it is trained: ``frozen_layers=49`` here. The paper
does not name its version; its released code takes its maps from layer 153, which is the last
activation in the count above, and the norm before it in the old one.
"""

from torch import nn

from shortlib.models.cnn import CNN, build_cnn

COUNTED = "mobilenet-v2"


class HiddenHead(nn.Sequential):
    """A linear layer to hidden units, ReLU, dropout, and a linear layer to the logits.

    Attributes
    ----------
    in_features, out_features : int
        As of a single linear layer: length of the embedding, and logits.
    """

    def __init__(self, features, outputs, *, hidden=256, dropout=0.5):
        # What an activation is given is kept: the gradient of a gradient may need it.
        super().__init__(
            nn.Linear(features, hidden),
            nn.ReLU(inplace=False),
            nn.Dropout(dropout),
            nn.Linear(hidden, outputs),
        )
        self.in_features, self.out_features = features, outputs


class TransferCNN(CNN):
    """A network of which some modules stay as they came.

    Attributes
    ----------
    body, head, peaks
        As of :class:`shortlib.models.cnn.CNN`.
    frozen : tuple of str
        Names of the modules that are not trained. They are in evaluation mode even when the
        network trains, so that frozen batch norms scale by what they had learned and do not
        follow the batches, as in Keras.
    """

    def __init__(self, body, head, *, peaks=False, frozen=()):
        super().__init__(body, head, peaks=peaks)
        self.frozen = tuple(frozen)
        for name in self.frozen:
            self.get_submodule(name).requires_grad_(False)
        self.train(self.training)

    def train(self, mode=True):
        """Set training or evaluation mode, the latter for frozen modules in any case."""
        super().train(mode)
        for name in self.frozen:
            self.get_submodule(name).eval()
        return self


def build_transfer(
    network, *, outputs, channels=1, weights="random", frozen_layers=0, hidden=256, dropout=0.5
):
    """Build a classifier with a hidden layer in its head, and freeze its first layers.

    Parameters
    ----------
    network : str
        Of the body; see :func:`shortlib.models.cnn.build_cnn`.
    outputs : int
        Logits.
    channels : int
        Of the images.
    weights : str
        Of the body, ``"random"`` or ``"imagenet"``; see :func:`shortlib.models.cnn.build_cnn`.
        The head's are random.
    frozen_layers : int
        How many layers of Keras' MobileNetV2, the input among them, are kept as they are; 50
        in the paper. Above 0 for ``"mobilenet-v2"`` with ``weights="imagenet"`` alone.
    hidden : int
        Units of the hidden layer.
    dropout : float
        Share of them that a training step leaves out, from 0 to less than 1.

    Returns
    -------
    TransferCNN

    Raises
    ------
    ValueError
        If a number is out of its range, the layers of the network are not counted, they would
        be kept without having learned anything, or the weights cannot be had.

    References
    ----------
    Hagos et al. (2023), Section 4.2, whose last layer is a softmax; here the logits come out
    as they are. Their weights are Keras', from TF-slim; those of
    :data:`shortlib.models.imagenet.SOURCES` were trained on ImageNet by others, for torchvision's
    network: it pads all four sides where Keras pads two, before a stride of 2, and its norms add
    1e-5 to the variance, not 1e-3.
    """
    for name, value in (("outputs", outputs), ("hidden", hidden)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be from 0 to less than 1, got {dropout}")
    if frozen_layers and network != COUNTED:
        raise ValueError(
            f"frozen_layers must be 0 for {network}, got {frozen_layers}: layers are counted "
            f"for {COUNTED} alone"
        )
    if frozen_layers and weights != "imagenet":
        raise ValueError(
            f"frozen_layers must be 0 with weights={weights!r}, got {frozen_layers}: layers "
            "that have learned nothing are not worth keeping"
        )
    plain = build_cnn(network, channels=channels, weights=weights)
    head = HiddenHead(plain.head.in_features, outputs, hidden=hidden, dropout=dropout)
    # With ImageNet's weights, what stands first in the body brings images to their scale.
    frozen = _first(plain.body[1], frozen_layers, "body.1") if frozen_layers else ()
    return TransferCNN(plain.body, head, peaks=plain.peaks, frozen=frozen)


def keras_layers(features):
    """List the layers of Keras' MobileNetV2, without what comes after the last feature maps.

    Parameters
    ----------
    features : torch.nn.Sequential
        Of torchvision's ``mobilenet_v2``.

    Returns
    -------
    list of tuple of (str, str or None)
        Keras' name of each layer and the module of `features` that does the same, None for
        those that are no module in torchvision.
    """
    layers = [("input", None), ("Conv1", "0.0"), ("bn_Conv1", "0.1"), ("Conv1_relu", "0.2")]
    last = len(features) - 1
    for place in range(1, last):
        block = features[place]
        name = "expanded_conv" if place == 1 else f"block_{place - 1}"
        # Those that expand have one part more before the projection and its norm.
        parts = ("expand", "depthwise") if len(block.conv) == 4 else ("depthwise",)
        for step, part in enumerate(parts):
            if part == "depthwise" and block.stride == 2:
                layers.append((f"{name}_pad", None))
            for inner, suffix in enumerate(("", "_BN", "_relu")):
                layers.append((f"{name}_{part}{suffix}", f"{place}.conv.{step}.{inner}"))
        for step, suffix in enumerate(("", "_BN"), start=len(parts)):
            layers.append((f"{name}_project{suffix}", f"{place}.conv.{step}"))
        if block.use_res_connect:
            layers.append((f"{name}_add", None))
    return [
        *layers,
        ("Conv_1", f"{last}.0"),
        ("Conv_1_bn", f"{last}.1"),
        ("out_relu", f"{last}.2"),
    ]


def _first(features, n, prefix):
    """Name the modules among the first `n` of Keras' layers."""
    layers = keras_layers(features)
    if not 0 <= n <= len(layers):
        raise ValueError(f"frozen_layers must be from 0 to {len(layers)}, got {n}")
    return [f"{prefix}.{module}" for _, module in layers[:n] if module is not None]
