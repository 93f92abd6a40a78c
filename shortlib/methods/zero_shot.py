"""Classification without a classifier: images against the reports of each label."""

import numpy as np
import torch
from torch.nn.functional import normalize

from shortlib.methods.batches import Batches
from shortlib.methods.clip_training import embed_texts


def exclusive_cases(labels, names, *, n=50, seed=0):
    """Choose cases that are positive for one label and for no other.

    Parameters
    ----------
    labels : array_like, shape (m, k)
        1, 0, -1 (uncertain) or NaN (not mentioned). A case of which another label is
        uncertain is not exclusive: it may have that one too.
    names : sequence of str, length k
    n : int
        Cases for each label.
    seed : int

    Returns
    -------
    dict of str to numpy.ndarray of int
        By label, the `n` chosen rows in ascending order.

    Raises
    ------
    ValueError
        If a label has fewer such cases; names each of these labels and its count.

    References
    ----------
    Palepu and Beam (2022), Section 4.1.
    """
    labels = np.asarray(labels, dtype=float)
    perhaps = (labels == 1) | (labels == -1)
    alone = (labels == 1) & (perhaps.sum(axis=1, keepdims=True) == 1)
    counts = alone.sum(axis=0)
    if short := [f"{m} of {name}" for name, m in zip(names, counts, strict=True) if m < n]:
        raise ValueError(
            f"zero-shot labels need {n} training reports each that are positive for one label "
            f"alone, there are only {', '.join(short)}; ask for fewer or give more data"
        )
    rng = np.random.default_rng([int(seed), 0])
    chosen = [rng.choice(np.flatnonzero(column), n, replace=False) for column in alone.T]
    return {name: np.sort(rows) for name, rows in zip(names, chosen, strict=True)}


def label_embeddings(model, tokenizer, reports, chosen, compute, *, text_length=256):
    """Average the embeddings of each label's reports.

    Parameters
    ----------
    model : shortlib.methods.clip.CLIP
    tokenizer : tokenizers.Tokenizer
    reports : sequence of str
    chosen : dict of str to numpy.ndarray of int
        As :func:`exclusive_cases` returns it.
    compute : shortlib.methods.compute.Compute
    text_length : int

    Returns
    -------
    torch.Tensor of float32, shape (k, width)
        Unit vectors.
    """
    means = [
        embed_texts(
            model, tokenizer, [reports[i] for i in rows], compute, text_length=text_length
        ).mean(dim=0)
        for rows in chosen.values()
    ]
    return normalize(torch.stack(means), dim=1)


@torch.inference_mode()
def predict_zero_shot(model, images, embeddings, compute, *, batch_size=128):
    """Score images by their cosine similarity to each label's reports.

    Parameters
    ----------
    model : shortlib.methods.clip.CLIP
    images : numpy.ndarray or shortlib.data.streamed.Streamed, shape (n, c, h, w)
    embeddings : torch.Tensor, shape (k, width)
        As :func:`label_embeddings` returns them.
    compute : shortlib.methods.compute.Compute
    batch_size : int

    Returns
    -------
    numpy.ndarray of float32, shape (n, k)
        In [-1, 1]; not a probability, but its order is of use.
    """
    model.eval()
    scores = []
    for batch in Batches(images, compute).in_order(batch_size):
        with compute.autocast():
            vectors = model.embed_images(batch)
        scores.append((vectors @ embeddings.T).cpu())
    return torch.cat(scores).numpy()
