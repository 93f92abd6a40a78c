"""Unsupervised image-level similarity: two augmentations of an image are embedded alike (SSL)."""

import numpy as np
import torch
from torch.nn.functional import cosine_similarity

from shortlib.data.seeds import derive_seed
from shortlib.methods.batches import Batches
from shortlib.methods.checkpoint_parts import part_of
from shortlib.methods.pixel_training import fit_pixels, predict_classes
from shortlib.methods.simclr import check_pairs


def image_similarity_loss(first, second):
    r"""One minus the cosine of two embeddings of an image, on average over images.

    Lower is better: 0 if both point the same way, 1 at right angles, 2 if they are opposed. No
    other image is compared with, so embeddings that are all alike reach 0 too; it is the supervised
    loss beside it that keeps them apart.

    Parameters
    ----------
    first, second : torch.Tensor of float, shape (n, d)
        Of the same n images, each augmented in its own way. n is at least 1.

    Returns
    -------
    torch.Tensor
        Scalar, in [0, 2]. An embedding of zero has no direction, and its cosine counts as 0.

    Raises
    ------
    ValueError
        If the shapes differ or are not (n, d), there is no image or the values are not floats.

    Notes
    -----
    *What the paper leaves open.* It does not say which layer embeds an image, nor how the feature
    maps of a segmentation network become one vector, and its released code does not have this loss.
    One vector an image is asked for here, e.g. the mean over positions: feature maps that are
    compared place by place would punish every augmentation that moves pixels. Both views have a
    gradient.

    References
    ----------
    Saab et al. (2022), Section 4.2.1, Step 1, after Hooper et al. (2022). It is
    torch's ``CosineEmbeddingLoss`` for pairs that are all alike.

    Examples
    --------
    >>> image_similarity_loss(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]]))
    tensor(1.)
    """
    check_pairs(first=first, second=second)
    if not len(first):
        raise ValueError("first and second must have at least 1 row, got 0")
    # Near 1 a cosine in bfloat16 has two digits, and the loss is what is left of 1.
    with torch.autocast(first.device.type, enabled=False):
        kind = torch.promote_types(first.dtype, torch.float32)
        return 1 - cosine_similarity(first.to(kind), second.to(kind), dim=1).mean()


class ImageSimilarity:
    """The loss beside the cross-entropy of :func:`shortlib.methods.pixel_training.fit_pixels`.

    At each step as many unlabelled images are drawn as there are labelled ones in the batch.

    Parameters
    ----------
    images : numpy.ndarray or shortlib.data.streamed.Streamed, shape (m, c, h, w)
        Unlabelled; at least one.
    augment : callable
        Makes a view of a batch of images, differently each time.
    weight : float
        Of the loss, relative to the cross-entropy.
    compute : shortlib.methods.compute.Compute

    Raises
    ------
    ValueError
        If there is no unlabelled image, or nothing that makes views.
    """

    def __init__(self, images, augment, weight, compute):
        if augment is None:
            raise ValueError(
                "augment must be given: semi-supervised training compares two views of an image, "
                "and without an augmentation they are the same"
            )
        if not len(images):
            raise ValueError(
                "there is no unlabelled image: semi-supervised training needs some training cases "
                "without a mask, so its share of cases with one must be below 1"
            )
        self._images, self._augment, self._weight = Batches(images, compute), augment, weight

    def __call__(self, model, features, targets):
        """Return the term; the labelled batch tells only how many images to draw."""
        index = torch.randint(len(self._images), (len(targets),))
        batch = self._images[index]
        first, second = (model.embed(self._augment(batch)) for _ in range(2))
        return self._weight * image_similarity_loss(first, second)


def fit_ssl(
    initial,
    final,
    images,
    targets,
    unlabelled,
    *,
    weight,
    augment,
    schedule,
    rules,
    evaluate,
    compute,
    seed,
    checkpoint=None,
    label="ssl",
    **options,
):
    """Train a network on a few masks and many images, then another on what it finds there.

    Parameters
    ----------
    initial, final : shortlib.models.unet.UNet
        Both are trained in place; the first is left with the weights of its last epoch.
    images, targets : numpy.ndarray
        With masks, as for :func:`shortlib.methods.pixel_training.fit_pixels`.
    unlabelled : numpy.ndarray, shape (m, c, h, w)
        In the type and the unit of `images`; at least one.
    weight : float
        Of the similarity, relative to the cross-entropy.
    augment : callable
        Of both kinds of images.
    schedule : shortlib.methods.training.Schedule
        Of both trainings.
    rules, evaluate, compute
        As for :func:`shortlib.methods.pixel_training.fit_pixels`; of the second training.
    seed : int
    checkpoint : pathlib.Path, optional
        The run's own; each training has a part of it, ``initial`` and ``final``.
    label : str
        Shown beside the progress bars.
    **options
        Passed to :func:`shortlib.methods.training.train`.

    Returns
    -------
    shortlib.methods.training.Trained
        Of the final network.

    Raises
    ------
    ValueError
        If there is no unlabelled image.

    References
    ----------
    Saab et al. (2022), Section 4.2.1, after Hooper et al. (2022). Which epoch's weights make the
    pseudo-labels is not said; the last one's do here, so that no rule looks at the validation
    cases twice. Nor is it said on which images the similarity of Step 2 is computed; it is the
    unlabelled ones, as in Step 1.
    """
    alike = {"schedule": schedule, "compute": compute, "augment": augment, **options}
    similarity = ImageSimilarity(unlabelled, augment, weight, compute)
    fit_pixels(
        initial,
        images,
        targets,
        rules={},
        evaluate=lambda model: {},
        seed=derive_seed(seed, "initial"),
        similarity=similarity,
        checkpoint=part_of(checkpoint, "initial"),
        label=f"{label} initial",
        **alike,
    )
    found = predict_classes(initial, unlabelled, compute)
    return fit_pixels(
        final,
        np.concatenate([images, unlabelled]),
        np.concatenate([targets, found]),
        rules=rules,
        evaluate=evaluate,
        seed=derive_seed(seed, "final"),
        similarity=similarity,
        checkpoint=part_of(checkpoint, "final"),
        label=f"{label} final",
        **alike,
    )
