"""Training of CLIP on images and their reports."""

import torch

from shortlib.data.seeds import derive_seed
from shortlib.methods.batches import Batches
from shortlib.methods.clip import CLIP, TERMS, clip_loss
from shortlib.methods.training import train
from shortlib.models.cnn import build_cnn
from shortlib.models.text import PUBLISHED, build_text_encoder
from shortlib.models.vocabulary import to_words, train_wordpiece


def fit_clip(
    cohort,
    monitors,
    *,
    network,
    text_encoder,
    schedule,
    rules,
    compute,
    seed,
    weights="random",
    frozen_layers=0,
    width=512,
    text_length=256,
    terms=TERMS,
    augment=None,
    plant=None,
    **options,
):
    """Train an image encoder and a text encoder on pairs of images and reports.

    Parameters
    ----------
    cohort : shortlib.data.Cohort
        With reports. Images may be streamed.
    monitors : dict of str to shortlib.data.Cohort
        Cases whose mean loss is monitored after each epoch as ``"<name>_loss"``. Their
        images are not augmented, so both views of a pair are the same image.
    network, weights : str
        Of the image encoder; see :func:`shortlib.models.cnn.build_cnn`.
    text_encoder : str
        See :func:`shortlib.models.text.build_text_encoder`. One that has no vocabulary
        of its own gets one made from the reports of `cohort`.
    schedule : shortlib.methods.training.Schedule
    rules : dict of str to shortlib.methods.training.Rule
    compute : shortlib.methods.compute.Compute
    seed : int
        Of weights, order and augmentation.
    frozen_layers : int
        Layers of the text encoder that are not trained.
    width : int
        Of the common space.
    text_length : int
        Tokens of a report at most.
    terms : sequence of str
        See :func:`shortlib.methods.clip.clip_loss`.
    augment, plant : callable, optional
        See :func:`shortlib.methods.erm.fit_erm`; each view gets a draw of its own.
    **options
        Passed to :func:`shortlib.methods.training.train`.

    Returns
    -------
    model : shortlib.methods.clip.CLIP
        With the last epoch's weights.
    tokenizer : tokenizers.Tokenizer
    trained : shortlib.methods.training.Trained

    Raises
    ------
    ValueError
        If a cohort has no reports.

    References
    ----------
    Palepu and Beam (2022), Section 3.1.
    """
    model, tokenizer = build_clip(
        cohort,
        network=network,
        weights=weights,
        text_encoder=text_encoder,
        frozen_layers=frozen_layers,
        width=width,
        seed=seed,
    )
    model = compute.place(model)
    images, words = _pairs(cohort, tokenizer, text_length, compute)
    held_out = {
        name: _pairs(part, tokenizer, text_length, compute) for name, part in monitors.items()
    }

    def view(batch, index):
        batch = batch if augment is None else augment(batch)
        return batch if plant is None else plant(batch, index)

    def batch_loss(model, index):
        batch = images[index]
        embedded = model.embed_images(torch.cat([view(batch, index), view(batch, index)]))
        texts = model.embed_texts(words[index].to(compute.device))
        return clip_loss(*embedded.chunk(2), texts, model.scale, terms=terms)

    def evaluate(model):
        return {
            f"{name}_loss": _mean_loss(model, *pairs, compute, schedule.batch_size, terms)
            for name, pairs in held_out.items()
        }

    trained = train(
        model,
        batch_loss,
        len(cohort),
        schedule,
        rules=rules,
        evaluate=evaluate,
        compute=compute,
        seed=seed,
        **options,
    )
    return model, tokenizer, trained


def build_clip(
    cohort, *, network, text_encoder, seed, weights="random", frozen_layers=0, width=512
):
    """Build a CLIP for a cohort's images and reports, before any training.

    Parameters
    ----------
    cohort : shortlib.data.Cohort
        The training cases.
    network, text_encoder, weights, frozen_layers, width, seed
        See :func:`fit_clip`.

    Returns
    -------
    model : shortlib.methods.clip.CLIP
    tokenizer : tokenizers.Tokenizer
    """
    reports = cohort.require("reports")
    own = None if text_encoder in PUBLISHED else train_wordpiece(reports)
    torch.manual_seed(derive_seed(seed, "weights"))
    image_encoder = build_cnn(network, channels=cohort.images.shape[1], weights=weights)
    encoder, tokenizer = build_text_encoder(
        text_encoder, tokenizer=own, frozen_layers=frozen_layers
    )
    return CLIP(image_encoder, encoder, width=width), tokenizer


@torch.inference_mode()
def embed_texts(model, tokenizer, texts, compute, *, text_length=256, batch_size=64):
    """Embed texts.

    Parameters
    ----------
    model : shortlib.methods.clip.CLIP
    tokenizer : tokenizers.Tokenizer
    texts : sequence of str
    compute : shortlib.methods.compute.Compute
    text_length, batch_size : int

    Returns
    -------
    torch.Tensor of float32, shape (n, width)
        Unit vectors.
    """
    model.eval()
    words = to_words(tokenizer, texts, length=text_length)
    parts = []
    for index in torch.arange(len(words)).split(batch_size):
        with compute.autocast():
            parts.append(model.embed_texts(words[index].to(compute.device)))
    return torch.cat(parts)


def _pairs(cohort, tokenizer, text_length, compute):
    words = to_words(tokenizer, cohort.require("reports"), length=text_length)
    return Batches(cohort.images, compute), words


def _mean_loss(model, images, words, compute, batch_size, terms):
    """Mean over cases of the loss in batches as large as those of training, in order.

    The loss of a pair depends on what else is in its batch, so the last batch is left
    out where it is smaller and not the only one.
    """
    total, n = 0.0, 0
    indices = torch.arange(len(words)).split(batch_size)
    for index, batch in zip(indices, images.in_order(batch_size), strict=True):
        if n and len(index) < batch_size:
            continue
        with compute.autocast():
            embedded = model.embed_images(batch)
            texts = model.embed_texts(words[index].to(compute.device))
        loss = clip_loss(embedded, embedded, texts, model.scale, terms=terms)
        total, n = total + loss.item() * len(index), n + len(index)
    return total / n
