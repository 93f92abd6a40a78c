import math

import pytest
import torch
from torch.nn.functional import normalize

from shortlib.methods.clip import CLIP, TERMS, clip_loss, pair_loss
from shortlib.models.cnn import build_cnn
from shortlib.models.text import build_text_encoder
from shortlib.models.vocabulary import to_words, train_wordpiece

REPORTS = [
    "FINDINGS: The lungs are clear. No pleural effusion.",
    "FINDINGS: Small left pleural effusion. Heart size is normal.",
    "IMPRESSION: Mild pulmonary edema.",
    "IMPRESSION: No acute cardiopulmonary process.",
] * 5


def units(n=6, d=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [normalize(torch.randn(n, d, generator=generator), dim=1) for _ in range(3)]


def slow_pair_loss(a, b, scale):
    n, total = len(a), 0.0
    for rows, columns in ((a, b), (b, a)):
        for i in range(n):
            scores = [
                scale * sum(x * y for x, y in zip(rows[i], columns[j], strict=True))
                for j in range(n)
            ]
            top = max(scores)
            total += top + math.log(sum(math.exp(s - top) for s in scores)) - scores[i]
    return total / (2 * n)


@pytest.mark.parametrize("scale", [1.0, 1 / 0.07])
def test_the_pair_loss_agrees_with_a_slow_version(scale):
    a, b, _ = units()
    ours = pair_loss(a.double(), b.double(), torch.tensor(scale))
    assert ours.item() == pytest.approx(slow_pair_loss(a.tolist(), b.tolist(), scale), rel=1e-6)


def test_rows_that_are_all_alike_cannot_be_told_apart():
    same = normalize(torch.ones(7, 3), dim=1)
    assert pair_loss(same, same, torch.tensor(10.0)).item() == pytest.approx(math.log(7))
    apart = torch.eye(7)
    assert pair_loss(apart, apart, torch.tensor(100.0)).item() == pytest.approx(0, abs=1e-6)


def test_the_loss_is_the_sum_of_its_terms():
    first, second, texts = units()
    scale = torch.tensor(5.0)
    alone = [clip_loss(first, second, texts, scale, terms=[term]).item() for term in TERMS]
    assert clip_loss(first, second, texts, scale).item() == pytest.approx(sum(alone), rel=1e-6)
    with pytest.raises(ValueError, match="terms must be some of"):
        clip_loss(first, second, texts, scale, terms=["text-text"])
    with pytest.raises(ValueError, match="terms must be some of"):
        clip_loss(first, second, texts, scale, terms=[])


def test_the_term_between_images_is_about_images_and_not_about_texts():
    first, second, texts = units()
    scale = torch.tensor(5.0)
    order = torch.tensor([1, 2, 3, 4, 5, 0])
    term = {"terms": ["first-second"]}
    before = clip_loss(first, second, texts, scale, **term)
    assert clip_loss(first, second, texts[order], scale, **term) == before
    assert (clip_loss(first, second[order], texts, scale, **term) - before).abs() > 0.01


@pytest.fixture(scope="module")
def tokenizer():
    return train_wordpiece(REPORTS, size=120)


def test_a_vocabulary_is_the_same_for_the_same_texts(tokenizer):
    again = train_wordpiece(REPORTS[::-1], size=120)
    assert again.get_vocab() == tokenizer.get_vocab()
    assert tokenizer.encode(REPORTS[1]).tokens[0] == "[CLS]"
    assert tokenizer.decode(tokenizer.encode("small left effusion").ids) == "small left effusion"
    # A word that never occurred is spelled, not lost.
    assert tokenizer.decode(tokenizer.encode("hernia").ids) == "hernia"
    assert "[UNK]" in tokenizer.encode("\u00e7\u4e2d").tokens
    with pytest.raises(ValueError, match="a vocabulary needs texts"):
        train_wordpiece([])


def test_texts_are_cut_and_padded_and_padding_changes_nothing(tokenizer):
    words = to_words(tokenizer, ["edema", "small left pleural effusion " * 30], length=12)
    assert words.ids.shape == (2, 12)
    assert words.mask.sum(dim=1)[1] == 12
    alone = words[[0]]
    assert alone.ids.shape[1] == int(words.mask[0].sum())
    torch.manual_seed(0)
    encoder, _ = build_text_encoder("bert-small", tokenizer=tokenizer)
    encoder.eval()
    with torch.no_grad():
        torch.testing.assert_close(encoder(words)[:1], encoder(alone), rtol=1e-4, atol=1e-5)


def test_frozen_layers_get_no_gradient(tokenizer):
    encoder, _ = build_text_encoder("bert-small", tokenizer=tokenizer, frozen_layers=1)
    encoder(to_words(tokenizer, REPORTS[:4])).sum().backward()
    assert all(p.grad is None for p in encoder.bert.embeddings.parameters())
    assert all(p.grad is None for p in encoder.bert.encoder.layer[0].parameters())
    assert all(p.grad is not None for p in encoder.bert.encoder.layer[1].parameters())
    with pytest.raises(ValueError, match="frozen_layers must be from 0 to 2"):
        build_text_encoder("bert-small", tokenizer=tokenizer, frozen_layers=3)


def test_unknown_and_unreachable_encoders_are_said(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(
        ValueError, match="text encoder must be one of bert-small, bio-clinicalbert"
    ):
        build_text_encoder("gpt")
    with pytest.raises(ValueError, match="bert-small needs a tokenizer"):
        build_text_encoder("bert-small")

    def unreachable(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr("shortlib.models.text.AutoModel.from_pretrained", unreachable)
    with pytest.raises(ValueError, match=r"weights of emilyalsentzer.* are not in the cache"):
        build_text_encoder("bio-clinicalbert")


def test_a_few_steps_bring_images_to_their_texts(tokenizer):
    torch.manual_seed(0)
    encoder, _ = build_text_encoder("bert-small", tokenizer=tokenizer)
    model = CLIP(build_cnn("cnn-small"), encoder, width=16)
    images, words = torch.rand(4, 1, 32, 32), to_words(tokenizer, REPORTS[:4])
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(25):
        first = model.embed_images(images)
        second = model.embed_images(images.flip(-1))
        loss = clip_loss(first, second, model.embed_texts(words), model.logit_scale.exp())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    assert all(p.grad is not None for p in model.image_projection.parameters())
    torch.testing.assert_close(first.norm(dim=1), torch.ones(4))
