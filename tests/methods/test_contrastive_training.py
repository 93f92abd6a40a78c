import math

import numpy as np
import pytest
import torch
from lightly.utils.debug import std_of_l2_normalized

from shortlib.data.streamed import Streamed
from shortlib.methods import contrastive_training, training
from shortlib.methods.augmentation import build_augmentation
from shortlib.methods.contrastive_training import METHODS, collapsed, pretrain, spread
from shortlib.methods.training import Schedule
from shortlib.models.cnn import build_cnn

SMALL = {"simclr": {}, "moco": {"queue": 40}, "byol": {"hidden": 64}}
AUGMENT = build_augmentation(crop=(0.5, 1.0), horizontal_flip=0.5, contrast=0.3)


@pytest.fixture(autouse=True)
def _as_in_a_fit(toy):
    """One thread and deterministic kernels; more threads are slower on images so small."""
    with toy.CPU.active():
        yield


def waves(n=28, channels=2, seed=0):
    """Images of waves, of a length, a direction and a phase that are each image's own."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:16, :16] / 16
    across, down = rng.integers(-4, 5, (2, n, channels, 1, 1))
    wave = np.sin(2 * np.pi * (across * x + down * y + rng.random((n, channels, 1, 1))))
    return (127 + 100 * wave + rng.normal(0, 5, wave.shape)).clip(0, 255).astype("u1")


def fit(toy, method="simclr", images=None, *, epochs=2, batch_size=12, **options):
    schedule = {"learning_rate": options.pop("learning_rate", 1e-2)}
    schedule["optimizer"] = options.pop("optimizer", "adam")
    return pretrain(
        waves() if images is None else images,
        **{
            "method": method,
            "network": "cnn-small",
            "schedule": Schedule(epochs=epochs, batch_size=batch_size, **schedule),
            "compute": toy.CPU,
            "seed": 0,
            "augment": AUGMENT,
            "options": SMALL.get(method),
            **options,
        },
    )


@pytest.mark.parametrize("method", METHODS)
def test_a_fit_that_was_killed_ends_with_the_same_bits(toy, tmp_path, monkeypatch, method):
    options = dict(SMALL[method])
    if method == "byol":
        options["momentum_schedule"] = "cosine"
    # The optimisers of the paper's code; 28 cases leave a last batch of 4.
    options = {"epochs": 4, "options": options, "optimizer": "sgd" if method == "moco" else "adam"}
    # What passes over is the whole model, not the encoder alone.
    models, genuine = [], training.train

    def train(model, *args, **kwargs):
        models.append(model)
        return genuine(model, *args, **kwargs)

    monkeypatch.setattr(contrastive_training, "train", train)
    whole = fit(toy, method, **options)
    epoch = training._epoch

    def failing(*args):
        if args[-1] == 3:
            raise KeyboardInterrupt
        return epoch(*args)

    kept = {"checkpoint": tmp_path / "state.safetensors", "checkpoint_seconds": 0.0}
    monkeypatch.setattr(training, "_epoch", failing)
    with pytest.raises(KeyboardInterrupt):
        fit(toy, method, **options, **kept)
    monkeypatch.setattr(training, "_epoch", epoch)
    torch.manual_seed(99)  # another process has drawn other numbers before
    resumed = fit(toy, method, **options, **kept)
    assert resumed[1].resumed_from == 2
    for a, b in ((models[0], models[2]), (whole[0], resumed[0])):
        states = a.state_dict(), b.state_dict()
        assert states[0].keys() == states[1].keys()
        for name, value in states[0].items():
            assert torch.equal(value, states[1][name]), name
    for a, b in zip(whole[1].history, resumed[1].history, strict=True):
        assert all(a[k] == b[k] for k in a if not k.endswith("seconds"))


@pytest.mark.parametrize("method", METHODS)
def test_the_encoder_learns_and_its_history_says_how(toy, method):
    encoder, trained = fit(toy, method)
    assert encoder.state_dict().keys() == build_cnn("cnn-small").state_dict().keys()
    assert len(trained.history) == 2
    assert {"train_loss", "feature_std", "projection_std"} < trained.history[-1].keys()
    assert trained.weights == trained.best_epochs == {}
    embedded = encoder.eval().forward_with_embedding(torch.rand(3, 1, 16, 16))[1]
    assert embedded.shape == (3, 128)
    assert all(value.requires_grad for value in encoder.parameters())
    # All methods start from one encoder, and leave it.
    starts = [fit(toy, m, epochs=1, learning_rate=1e-12)[0] for m in (method, "simclr")]
    for a, b in zip(*(start.body.parameters() for start in starts), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-8)
    moved = (encoder.body[0].weight - starts[0].body[0].weight).abs().max()
    assert moved > 0.01


def test_the_spread_is_that_of_the_images_as_they_are(toy):
    images = waves(9)
    encoder, trained = fit(toy, images=images)
    with torch.no_grad():
        features = encoder.eval().forward_with_embedding(
            torch.from_numpy(images.reshape(18, 1, 16, 16)).float() / 255
        )[1]
    due = spread(features)
    assert trained.history[-1]["feature_std"] == pytest.approx(due, rel=1e-5)


def test_at_most_256_images_are_watched_and_from_all_over_the_set(toy):
    read = []

    def one(i):
        read.append(i)
        return np.full((2, 16, 16), i % 256, np.uint8)

    many = Streamed(one, 1000, (2, 16, 16), np.uint8, identity="many")
    seen = []
    genuine = contrastive_training.spread
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            contrastive_training, "train", lambda *_, evaluate, **__: seen.append(evaluate)
        )
        fit(toy, images=many)
        patch.setattr(contrastive_training, "spread", lambda f: seen.append(f) or genuine(f))
        model = METHODS["simclr"](build_cnn("cnn-small")).eval()
        with torch.inference_mode():
            seen[0](model)
    assert len(seen[1]) == 256
    assert len(set(read)) == len(read) == 128
    assert min(read) == 0
    assert max(read) == 999
    assert np.diff(sorted(read)).max() <= 8


def test_every_phase_is_an_image_and_each_view_a_draw_of_its_own(toy):
    images = np.zeros((10, 3, 16, 16), np.float32)
    images += np.arange(30).reshape(10, 3, 1, 1) / 30
    seen = []

    def augment(batch):
        seen.append(batch.clone())
        return batch * torch.rand(len(batch), 1, 1, 1)

    made = []
    with pytest.MonkeyPatch.context() as patch:
        genuine = METHODS["simclr"].loss
        record = lambda self, a, b: made.append((a, b)) or genuine(self, a, b)  # noqa: E731
        patch.setattr(METHODS["simclr"], "loss", record)
        fit(toy, images=images, epochs=1, batch_size=4, augment=augment)
        fit(toy, images=images, epochs=1, batch_size=4, augment=None)
    assert [len(batch) for batch in seen] == [12] * 6  # the last batch is filled up
    for first, second in zip(seen[::2], seen[1::2], strict=True):
        assert first.shape == (12, 1, 16, 16)
        assert torch.equal(first, second)
        numbers = (first[:, 0, 0, 0] * 30).round().int().reshape(4, 3)
        assert (numbers % 3 == torch.arange(3)).all()
        assert len(numbers[:, 0].unique()) == 4  # a case once
    drawn = torch.cat(seen[::2])[:, 0, 0, 0]
    assert len((drawn * 30).round().unique()) == 30
    assert all(not torch.equal(*views) for views in made[:3])
    assert all(torch.equal(*views) for views in made[3:])


@pytest.mark.parametrize("batch_size", [6, 100])
def test_a_batch_of_all_cases_is_all_there_is(toy, batch_size):
    trained = fit(toy, images=waves(6), epochs=1, batch_size=batch_size)[1]
    assert math.isfinite(trained.history[0]["train_loss"])


def test_images_from_disk_give_the_same_weights(toy):
    images = waves()
    streamed = Streamed(lambda i: images[i], 28, (2, 16, 16), np.uint8, identity="waves")
    encoders = [fit(toy, "moco", part, epochs=1)[0] for part in (images, streamed)]
    for a, b in zip(*(encoder.state_dict().values() for encoder in encoders), strict=True):
        assert torch.equal(a, b)


def test_a_fit_follows_its_seed_and_nothing_else(toy):
    first, again, other = (fit(toy, epochs=1, seed=s)[0].state_dict() for s in (0, 0, 1))
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    assert not torch.equal(first["body.0.weight"], other["body.0.weight"])


@pytest.mark.parametrize("method", ["moco", "byol"])
def test_before_each_loss_the_slow_copy_has_followed_every_step(toy, monkeypatch, method):
    weights = []
    genuine = METHODS[method].loss

    def loss(self, first, second):
        names = ("encoder.body.0.weight", "slow.encoder.body.0.weight")
        weights.append([self.get_parameter(name).detach().clone() for name in names])
        return genuine(self, first, second)

    monkeypatch.setattr(METHODS[method], "loss", loss)
    fit(toy, method, options={**SMALL[method], "momentum": 0.5})
    due = weights[0][0]
    assert len(weights) == 2 * 3
    for fast, slow in weights:
        due = 0.5 * due + 0.5 * fast
        torch.testing.assert_close(slow, due)
    assert (fast - slow).abs().max() > 1e-3


def test_a_cosine_of_the_momentum_runs_over_the_whole_training(toy, monkeypatch):
    seen = []

    def train(model, *_, **__):
        seen.append(model.steps)

    monkeypatch.setattr(contrastive_training, "train", train)
    cosine = {"hidden": 8, "momentum_schedule": "cosine"}
    fit(toy, "byol", epochs=5, options=cosine)
    fit(toy, "byol", epochs=5, options={**cosine, "steps": 7})
    fit(toy, "byol", epochs=5)
    assert seen == [5 * 3, 7, None]  # 28 cases are three batches of 12


# Collapse


def test_the_spread_is_lightlys_scaled_by_the_root_of_the_features():
    features = torch.randn(50, 16, generator=torch.Generator().manual_seed(0)) + 0.5
    due = std_of_l2_normalized(features).item() * 4
    assert spread(features) == pytest.approx(due, rel=1e-6)


def test_the_spread_is_1_for_all_directions_alike_and_0_for_one():
    directions = torch.cat([torch.eye(8), -torch.eye(8)])
    assert spread(directions) == pytest.approx(math.sqrt(16 / 15))
    assert spread(torch.ones(5, 8) * torch.arange(1, 6)[:, None]) == pytest.approx(0, abs=1e-6)
    assert spread(torch.zeros(5, 8)) == 0


def test_the_spread_says_how_alike_two_images_are():
    torch.manual_seed(0)
    features = torch.randn(500, 32) + 3 * torch.randn(32)
    unit = torch.nn.functional.normalize(features, dim=1)
    cosines = (unit @ unit.T)[~torch.eye(500, dtype=bool)]
    # 1 - s * s where all features vary alike; what differs makes it less.
    assert 1 - spread(features) ** 2 == pytest.approx(cosines.mean().item(), abs=0.02)


@pytest.mark.parametrize(("method", "epochs"), [("simclr", 4), ("moco", 10), ("byol", 10)])
def test_a_whole_method_does_not_collapse(toy, method, epochs):
    options = {"queue": 40, "momentum": 0.9} if method == "moco" else SMALL[method]
    rate = 3e-3 if method == "moco" else 1e-2
    history = fit(toy, method, waves(48), epochs=epochs, learning_rate=rate, options=options)[
        1
    ].history
    assert history[-1]["projection_std"] > 0.25
    assert not collapsed(history)


@pytest.mark.parametrize("predict", [True, False])
def test_byol_without_the_stopped_gradient_collapses(toy, predict):
    options = {"hidden": 64, "predict": predict, "stop_gradient": False}
    history = fit(toy, "byol", waves(48), epochs=10, options=options)[1].history
    assert history[-1]["train_loss"] < 0.05  # nothing is wrong as far as the loss can say
    assert collapsed(history)


def test_the_threshold_is_a_parameter_and_the_last_epoch_counts():
    history = [{"projection_std": 0.01}, {"projection_std": 0.3}]
    assert not collapsed(history)
    assert collapsed(history[:1])
    assert collapsed(history, threshold=0.4)


# Arguments


def test_wrong_arguments_are_said(toy):
    with pytest.raises(ValueError, match="method must be one of simclr, moco, byol, got 'dino'"):
        fit(toy, "dino")
    with pytest.raises(ValueError, match=r"options of simclr must be some of hidden.*'queue'"):
        fit(toy, "simclr", options={"queue": 8})
    with pytest.raises(ValueError, match=r"n c at least 2, got \(1, 1, 16, 16\)"):
        fit(toy, images=waves(1, 1))
    with pytest.raises(ValueError, match=r"images must be \(n, c, h, w\) .*, got \(9, 16, 16\)"):
        fit(toy, images=waves(9)[:, 0])
    with pytest.raises(ValueError, match="network must be one of"):
        fit(toy, network="vgg")
    with pytest.raises(ValueError, match="momentum must be in"):
        fit(toy, "moco", options={"momentum": 2})
