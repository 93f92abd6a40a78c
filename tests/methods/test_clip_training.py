from dataclasses import replace

import numpy as np
import pytest
import torch

from shortlib.data import Cohort
from shortlib.data.streamed import Streamed
from shortlib.methods import clip_training, training
from shortlib.methods.augmentation import build_augmentation
from shortlib.methods.clip import TERMS, clip_loss
from shortlib.methods.clip_training import build_clip, fit_clip
from shortlib.methods.training import Rule, Schedule
from shortlib.models.vocabulary import to_words

RULES = {"validation": Rule("validation_loss")}
WORDS = ("dark", "grey", "bright")


@pytest.fixture(autouse=True)
def _as_in_a_fit(toy):
    """One thread and deterministic kernels; more threads are slower on images so small."""
    with toy.CPU.active():
        yield


def films(n=36, seed=0):
    """Images of three kinds of brightness, and reports that say which."""
    rng = np.random.default_rng(seed)
    kinds = np.arange(n) % 3
    images = (rng.integers(0, 60, (n, 1, 16, 16)) + 90 * kinds[:, None, None, None]).astype("u1")
    reports = np.array([f"The film is {WORDS[k]}, number {i % 7}." for i, k in enumerate(kinds)])
    ids = np.array([f"{seed}-{i}" for i in range(n)])
    return Cohort("films", ids, images, reports=reports)


def fit(toy, cohort=None, monitors=None, *, epochs=3, batch_size=12, **options):
    return fit_clip(
        films() if cohort is None else cohort,
        {"validation": films(24, 1)} if monitors is None else monitors,
        **{
            "network": "cnn-small",
            "text_encoder": "bert-small",
            "schedule": Schedule(epochs=epochs, batch_size=batch_size, learning_rate=2e-3),
            "rules": RULES,
            "compute": toy.CPU,
            "seed": 0,
            "width": 8,
            "text_length": 16,
            **options,
        },
    )


def test_the_losses_fall_and_images_find_their_reports(toy):
    model, tokenizer, trained = fit(toy, epochs=12)
    losses = [row["train_loss"] for row in trained.history]
    assert losses[-1] < losses[0] - 0.5
    assert trained.history[-1]["validation_loss"] < trained.history[0]["validation_loss"]
    assert len(trained.history) == 12
    test = films(15, 2)
    texts = to_words(tokenizer, [f"The film is {word}." for word in WORDS])
    with torch.no_grad():
        images = model.eval().embed_images(torch.from_numpy(test.images).float() / 255)
        said = (images @ model.embed_texts(texts).T).argmax(dim=1)
    assert (said.numpy() == np.arange(15) % 3).mean() > 0.8


def slow_loss(model, tokenizer, part, batch_size, terms):
    """Of whole batches in order; of a smaller one only where it is alone."""
    model.eval()
    losses, n = [], len(part)
    batches = [list(range(n))[i : i + batch_size] for i in range(0, n, batch_size)]
    batches = [rows for rows in batches if len(rows) == batch_size] or batches
    for rows in batches:
        with torch.no_grad():
            images = model.embed_images(torch.from_numpy(part.images[rows]).float() / 255)
            texts = model.embed_texts(to_words(tokenizer, part.reports[rows], length=16))
            losses.append(clip_loss(images, images, texts, model.scale, terms=terms).item())
    return sum(losses) / len(losses)


@pytest.mark.parametrize("n", [24, 29, 7])  # whole batches of 12, a smaller last one, it alone
@pytest.mark.parametrize("terms", [TERMS, TERMS[:1]])
def test_the_validation_loss_is_that_of_whole_batches_in_order(toy, n, terms):
    part = films(n, 1)
    model, tokenizer, trained = fit(toy, monitors={"validation": part}, epochs=1, terms=terms)
    due = slow_loss(model, tokenizer, part, 12, terms)
    assert trained.history[0]["validation_loss"] == pytest.approx(due, rel=1e-5)


def test_each_term_that_is_dropped_is_not_trained(toy):
    whole = fit(toy, epochs=1)[2].history[0]
    parts = [fit(toy, epochs=1, terms=[term])[2].history[0] for term in TERMS]
    # Of equal images the term between images is that of an image and itself.
    assert whole["train_loss"] > max(part["train_loss"] for part in parts)
    # Without a term that has texts in it, nothing of the text encoder moves.
    model, _, _ = fit(toy, epochs=1, terms=["first-second"])
    start, _ = build_clip(films(), network="cnn-small", text_encoder="bert-small", seed=0, width=8)
    for name, value in start.text_encoder.state_dict().items():
        assert torch.equal(value, model.text_encoder.state_dict()[name]), name
    before = start.image_encoder.body[0].weight
    assert not torch.equal(before, model.image_encoder.body[0].weight)
    with pytest.raises(ValueError, match="terms must be some of"):
        fit(toy, epochs=1, terms=["first-third"])


def test_frozen_layers_stay_and_the_others_move(toy):
    model, _, _ = fit(toy, epochs=1, frozen_layers=1)
    start, _ = build_clip(
        films(), network="cnn-small", text_encoder="bert-small", seed=0, width=8, frozen_layers=1
    )
    for name, value in start.text_encoder.named_parameters():
        frozen = ".embeddings." in name or ".layer.0." in name
        assert torch.equal(value, model.text_encoder.get_parameter(name)) is frozen, name
    assert not torch.equal(start.logit_scale, model.logit_scale)


def test_each_view_gets_a_draw_of_its_own_and_what_is_planted_comes_after(toy):
    seen = []

    def augment(batch):
        return batch * 0 + torch.rand(len(batch), 1, 1, 1)

    def plant(batch, index):
        seen.append((batch.clone(), index.clone()))
        return batch

    fit(toy, epochs=1, augment=augment, plant=plant)
    assert len(seen) == 2 * 3
    for (first, rows), (second, same) in zip(seen[::2], seen[1::2], strict=True):
        assert torch.equal(rows, same)
        assert first.std(dim=(1, 2, 3)).max() < 1e-6  # augmented
        assert not torch.equal(first, second)
    assert sorted(torch.cat([index for _, index in seen[::2]]).tolist()) == list(range(36))


def planted(batch, index):
    batch = batch.clone()
    batch[index % 2 == 0, :, :3, :3] = torch.rand(())
    return batch


def test_a_fit_that_was_killed_ends_with_the_same_bits(toy, tmp_path, monkeypatch):
    augment = build_augmentation(horizontal_flip=0.5, brightness=0.3, contrast=0.3)
    options = {"epochs": 4, "augment": augment, "plant": planted, "frozen_layers": 1}
    whole = fit(toy, **options)
    genuine = training._epoch

    def failing(*args):
        if args[-1] == 3:
            raise KeyboardInterrupt
        return genuine(*args)

    kept = {"checkpoint": tmp_path / "state.safetensors", "checkpoint_seconds": 0.0}
    monkeypatch.setattr(training, "_epoch", failing)
    with pytest.raises(KeyboardInterrupt):
        fit(toy, **options, **kept)
    monkeypatch.setattr(training, "_epoch", genuine)
    torch.manual_seed(99)  # another process has drawn other numbers before
    resumed = fit(toy, **options, **kept)
    assert resumed[2].resumed_from == 2
    assert resumed[2].best_epochs == whole[2].best_epochs
    for states in (
        (whole[0].state_dict(), resumed[0].state_dict()),
        (whole[2].weights["validation"], resumed[2].weights["validation"]),
    ):
        assert states[0].keys() == states[1].keys()
        for name, value in states[0].items():
            assert torch.equal(value, states[1][name]), name
    assert whole[1].get_vocab() == resumed[1].get_vocab()


def test_images_from_disk_give_the_same_weights(toy):
    train = films()
    streamed = Streamed(lambda i: train.images[i], 36, (1, 16, 16), np.uint8, identity="films")
    models = [fit(toy, c, epochs=1)[0] for c in (train, replace(train, images=streamed))]
    for a, b in zip(*(model.state_dict().values() for model in models), strict=True):
        assert torch.equal(a, b)


def test_a_fit_follows_its_seed_and_nothing_else(toy):
    first, again, other = (fit(toy, epochs=1, seed=s)[0].state_dict() for s in (0, 0, 1))
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    name = "image_projection.weight"
    assert not torch.equal(first[name], other[name])


def test_the_vocabulary_is_made_from_the_training_reports_alone(toy):
    part = films(24, 1)
    told = replace(part, reports=np.array(["xylophone xylophone"] * 24))
    _, tokenizer, _ = fit(toy, monitors={"validation": told}, epochs=1)
    assert tokenizer.token_to_id("xylophone") is None
    assert tokenizer.token_to_id("bright") is not None


@pytest.mark.parametrize("where", ["train", "validation"])
def test_a_cohort_without_reports_is_refused_before_the_training(toy, monkeypatch, where):
    monkeypatch.setattr(clip_training, "train", lambda *_, **__: pytest.fail("trained"))
    parts = {"train": films(), "validation": films(24, 1)}
    parts[where] = replace(parts[where], reports=None, name="bare")
    with pytest.raises(ValueError, match="cohort 'bare' has no reports"):
        fit(toy, parts["train"], {"validation": parts["validation"]})
