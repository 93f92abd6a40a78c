import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from shortlib.methods.clip import CLIP
from shortlib.methods.clip_training import embed_texts
from shortlib.methods.zero_shot import exclusive_cases, label_embeddings, predict_zero_shot
from shortlib.models.cnn import build_cnn
from shortlib.models.text import build_text_encoder
from shortlib.models.vocabulary import to_words, train_wordpiece

NAMES = ("edema", "effusion", "nodule")
label = st.sampled_from([1.0, 0.0, 0.0, 0.0, -1.0, float("nan")])
rows = st.lists(st.tuples(label, label, label), min_size=1, max_size=25)


@pytest.fixture(autouse=True)
def _as_in_a_fit(toy):
    """One thread and deterministic kernels; more threads are slower on images so small."""
    with toy.CPU.active():
        yield


def slow_exclusive(labels, k):
    return [
        i
        for i, row in enumerate(labels)
        if row[k] == 1 and not any(row[j] in (1, -1) for j in range(len(row)) if j != k)
    ]


@given(rows, st.integers(1, 3), st.integers(0, 3))
def test_exclusive_means_exclusive(labels, n, seed):
    usable = {name: slow_exclusive(labels, k) for k, name in enumerate(NAMES)}
    short = {name: len(found) for name, found in usable.items() if len(found) < n}
    if short:
        told = ", ".join(f"{m} of {name}" for name, m in short.items())
        with pytest.raises(ValueError, match=re.escape(f"there are only {told};")):
            exclusive_cases(labels, NAMES, n=n, seed=seed)
        return
    chosen = exclusive_cases(labels, NAMES, n=n, seed=seed)
    assert list(chosen) == list(NAMES)
    for name, found in chosen.items():
        assert len(set(found.tolist())) == n
        assert set(found.tolist()) <= set(usable[name])
        assert found.tolist() == sorted(found)


def test_the_choice_follows_the_seed_and_is_not_the_first_ones():
    labels = np.eye(2)[np.arange(200) % 2]
    first = exclusive_cases(labels, NAMES[:2], n=20, seed=0)
    again = exclusive_cases(labels, NAMES[:2], n=20, seed=0)
    other = exclusive_cases(labels, NAMES[:2], n=20, seed=1)
    for name in first:
        np.testing.assert_array_equal(first[name], again[name])
        assert set(first[name]) != set(other[name])
        assert first[name].max() > 100


REPORTS = [
    f"{size} {finding} on the {side}."
    for size in ("small", "large")
    for finding in NAMES
    for side in ("left", "right side of the chest, as before")
]


@pytest.fixture(scope="module")
def clip():
    tokenizer = train_wordpiece(REPORTS)
    torch.manual_seed(0)
    encoder, _ = build_text_encoder("bert-small", tokenizer=tokenizer)
    model = CLIP(build_cnn("cnn-small"), encoder, width=8)
    return model.train(), tokenizer  # in training: what is tested must leave that itself


def test_texts_are_embedded_as_each_alone_whatever_the_batch(clip, toy):
    model, tokenizer = clip
    together = embed_texts(model, tokenizer, REPORTS, toy.CPU, batch_size=5)
    model.eval()
    for text, found in zip(REPORTS, together, strict=True):
        with torch.no_grad():
            alone = model.text_projection(model.text_encoder(to_words(tokenizer, [text])))[0]
        torch.testing.assert_close(found, alone / alone.norm(), atol=1e-5, rtol=1e-4)
    cut = embed_texts(model, tokenizer, REPORTS, toy.CPU, text_length=4)
    same = embed_texts(model, tokenizer, [" ".join(r.split()[:2]) for r in REPORTS], toy.CPU)
    torch.testing.assert_close(cut, same, atol=1e-5, rtol=1e-4)


def test_a_label_is_the_direction_of_its_reports_mean(clip, toy):
    model, tokenizer = clip
    model.train()
    chosen = {"edema": np.array([0, 1, 6]), "nodule": np.array([5])}
    found = label_embeddings(model, tokenizer, REPORTS, chosen, toy.CPU)
    each = embed_texts(model, tokenizer, REPORTS, toy.CPU).numpy()
    for k, rows in enumerate(chosen.values()):
        mean = [sum(each[i][d] for i in rows) / len(rows) for d in range(8)]
        norm = sum(x * x for x in mean) ** 0.5
        np.testing.assert_allclose(found[k], [x / norm for x in mean], atol=1e-5)


def test_scores_are_cosines_whatever_the_batch(clip, toy):
    model, _ = clip
    model.train()
    images = np.random.default_rng(0).integers(0, 256, (9, 1, 32, 32), dtype=np.uint8)
    labels = nn.functional.normalize(torch.randn(3, 8, generator=torch.Generator().manual_seed(1)))
    scores = predict_zero_shot(model, images, labels, toy.CPU, batch_size=4)
    assert scores.shape == (9, 3)
    assert scores.dtype == np.float32
    assert np.abs(scores).max() <= 1 + 1e-6
    model.eval()
    for image, row in zip(images, scores, strict=True):
        with torch.no_grad():
            _, features = model.image_encoder.forward_with_embedding(
                torch.from_numpy(image)[None].float() / 255
            )
            vector = model.image_projection(features)[0]
        due = [float(vector @ label / vector.norm() / label.norm()) for label in labels]
        np.testing.assert_allclose(row, due, atol=1e-5)


def test_an_image_scores_1_on_its_own_direction_and_minus_1_against_it(clip, toy):
    model, _ = clip
    image = np.full((1, 1, 32, 32), 90, np.uint8)
    model.eval()
    with torch.no_grad():
        own = model.embed_images(torch.from_numpy(image).float() / 255)
    scores = predict_zero_shot(model, image, torch.cat([own, -own]), toy.CPU)
    np.testing.assert_allclose(scores, [[1, -1]], atol=1e-6)
