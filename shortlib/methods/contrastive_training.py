"""Pre-training of an encoder on images without labels, and whether it collapsed."""

import inspect
import math

import numpy as np
import torch
from torch.nn.functional import normalize

from shortlib.data.seeds import derive_seed
from shortlib.methods.batches import Batches
from shortlib.methods.byol import BYOL
from shortlib.methods.moco import MoCo
from shortlib.methods.simclr import SimCLR
from shortlib.methods.training import train
from shortlib.models.cnn import build_cnn

METHODS = {"simclr": SimCLR, "moco": MoCo, "byol": BYOL}
# Training images whose embeddings are watched, at most.
WATCHED = 256
# Where all features vary alike, a spread s goes with a mean cosine of 1 - s * s between two
# images: here .99. It is judged on the projections. Measured once each, with the small network
# on built-in hearts at 64 px, 15 epochs: BYOL without its predictor or its stopped gradient
# ends at .006 to .04, the three methods as they are at .3 to .8 (MoCo at ten times the
# learning rate at .11). The encoder's own features tell less: .08 to .12 against .17 to .24,
# and .10 with random weights.
COLLAPSED = 0.1


def pretrain(
    images,
    *,
    method,
    network,
    schedule,
    compute,
    seed,
    weights="random",
    augment=None,
    options=None,
    **train_options,
):
    """Train an encoder to know an image by its views, without labels.

    Each channel of a case (of cine data: each phase) is an image of its own, with one
    channel. Two phases of one patient are therefore two images, and where a method
    contrasts images, each is a negative of the other.

    The last batch of an epoch is filled up with other cases, since a contrast depends on
    how many images it has.

    Parameters
    ----------
    images : numpy.ndarray or shortlib.data.streamed.Streamed, shape (n, c, h, w)
        Of the training cases.
    method : str
        One of `METHODS`.
    network, weights : str
        See :func:`shortlib.models.cnn.build_cnn`.
    schedule : shortlib.methods.training.Schedule
        Its batch size counts cases.
    compute : shortlib.methods.compute.Compute
    seed : int
        Of weights, order and augmentation.
    augment : callable, optional
        See :func:`shortlib.methods.augmentation.build_augmentation`; each of an image's
        two views gets a draw of its own. Without it both are the image itself.
    options : dict, optional
        Of the method: the parameters of its class, `encoder` aside.
    **train_options
        Passed to :func:`shortlib.methods.training.train`.

    Returns
    -------
    encoder : shortlib.models.cnn.CNN
        With the last epoch's weights, for one channel. Its head is untrained.
    trained : shortlib.methods.training.Trained
        Without weights. The history has, beside ``"train_loss"``, ``"feature_std"`` and
        ``"projection_std"``: the :func:`spread` of the encoder's features and of their
        projections over a fixed set of at most 256 training images, not augmented.

    Raises
    ------
    ValueError
        If the method or an option is unknown, or the images are not of that shape or
        fewer than two.
    """
    if len(images.shape) != 4 or images.shape[0] * images.shape[1] < 2:
        raise ValueError(f"images must be (n, c, h, w) with n c at least 2, got {images.shape}")
    n_cases, channels = images.shape[:2]
    batch_size = min(schedule.batch_size, n_cases)
    steps = schedule.epochs * math.ceil(n_cases / batch_size)
    torch.manual_seed(derive_seed(seed, "weights"))
    encoder = build_cnn(network, channels=1, weights=weights)
    model = compute.place(_build(method, encoder, options, steps))
    batches = Batches(images, compute)
    spaced = np.linspace(0, n_cases - 1, min(n_cases, max(1, WATCHED // channels)))
    watched = _as_images(batches[torch.from_numpy(spaced.astype(np.int64))])[:WATCHED]

    def batch_loss(model, index):
        # The optimiser has stepped since the last batch. Before the first, the slow copy is
        # what it follows, and stays.
        model.after_step()
        batch = _as_images(batches[_filled(index, batch_size, n_cases)])
        if augment is None:
            return model.loss(batch, batch)
        return model.loss(augment(batch), augment(batch))

    def evaluate(model):
        embedded = []
        for part in watched.split(128):
            with compute.autocast():
                features = model.encoder.forward_with_embedding(part)[1]
                embedded.append((features.float(), model.head(features).float()))
        features, projections = (torch.cat(parts) for parts in zip(*embedded, strict=True))
        return {"feature_std": spread(features), "projection_std": spread(projections)}

    trained = train(
        model,
        batch_loss,
        n_cases,
        schedule,
        rules={},
        evaluate=evaluate,
        compute=compute,
        seed=seed,
        **train_options,
    )
    return model.encoder, trained


def collapsed(history, *, threshold=COLLAPSED):
    """Return whether the last epoch left all images with nearly one projection.

    So it also is before anything was learnt: random weights project images almost alike.

    Parameters
    ----------
    history : list of dict
        Of :func:`pretrain`.
    threshold : float
        Of ``"projection_std"``, below which it is so.

    Returns
    -------
    bool
    """
    return bool(history[-1]["projection_std"] < threshold)


def spread(features):
    """How far features point in different directions.

    Parameters
    ----------
    features : torch.Tensor, shape (n, d)
        Of n images, at least 2.

    Returns
    -------
    float
        Mean over the d features of the standard deviation over images of the rows scaled
        to unit length, times the root of d. About 1 for directions that are spread evenly,
        0 where all are one.

    References
    ----------
    Chen and He (2021), Section 4.1.
    """
    return (normalize(features, dim=1).std(dim=0).mean() * math.sqrt(features.shape[1])).item()


def _as_images(batch):
    """Make an image of every channel: (b, c, h, w) to (b c, 1, h, w), case by case."""
    return batch.reshape(-1, 1, *batch.shape[2:])


def _filled(index, size, n):
    """Add cases that are not in the batch yet, drawn at random, up to a size."""
    if len(index) == size:
        return index
    others = torch.ones(n, dtype=torch.bool)
    others[index] = False
    others = others.nonzero()[:, 0]
    drawn = torch.randperm(len(others))[: size - len(index)]
    return torch.cat([index, others[drawn]])


def _build(method, encoder, options, steps):
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    options, kind = dict(options or {}), METHODS[method]
    known = [name for name in inspect.signature(kind).parameters if name != "encoder"]
    if unknown := sorted(set(options) - set(known)):
        raise ValueError(f"options of {method} must be some of {', '.join(known)}, got {unknown}")
    if "steps" in known:
        options.setdefault("steps", steps)
    return kind(encoder, **options)
