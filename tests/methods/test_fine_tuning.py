from copy import deepcopy

import numpy as np
import pytest
import torch

from shortlib.data import Cohort
from shortlib.methods import training
from shortlib.methods.clip import CLIP
from shortlib.methods.erm import predict_erm
from shortlib.methods.fine_tuning import fine_tune
from shortlib.methods.training import Schedule
from shortlib.models.cnn import build_cnn
from shortlib.models.text import build_text_encoder
from shortlib.models.vocabulary import train_wordpiece

FINDINGS = ("edema", "effusion", "nodule")


@pytest.fixture(autouse=True)
def _as_in_a_fit(toy):
    """One thread and deterministic kernels; more threads are slower on images so small."""
    with toy.CPU.active():
        yield


def cohort(n=24, seed=0):
    """Images with a bright corner for the first finding, a bright centre for the second."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, (n, 3)).astype(np.float32)
    images = rng.integers(0, 60, (n, 1, 16, 16)).astype(np.uint8)
    images[labels[:, 0] == 1, :, :5, :5] += 180
    images[labels[:, 1] == 1, :, 6:11, 6:11] += 180
    ids = np.array([f"{seed}-{i}" for i in range(n)])
    return Cohort("corners", ids, images, labels=labels, label_names=FINDINGS)


def build(outputs=3):
    torch.manual_seed(0)
    return build_cnn("cnn-small", outputs=outputs)


def tune(model, part=None, *, toy, epochs=3, seed=0, **options):
    schedule = Schedule(epochs=epochs, batch_size=8, learning_rate=0.01)
    part = cohort() if part is None else part
    return fine_tune(model, part, schedule=schedule, compute=toy.CPU, seed=seed, **options)


def shapes(model):
    return {name: tuple(value.shape) for name, value in model.state_dict().items()}


def test_the_encoders_of_cnn_and_clip_become_the_same_architecture(toy):
    cnn, tokenizer = build(), train_wordpiece(["some text", "some other text"])
    clip = CLIP(build(outputs=1), build_text_encoder("bert-small", tokenizer=tokenizer)[0], width=8)
    encoder = clip.image_encoder
    assert shapes(cnn) != shapes(encoder)
    tune(cnn, toy=toy, epochs=1)
    tune(encoder, toy=toy, epochs=1, new_head=True)
    assert shapes(cnn) == shapes(encoder)
    assert [type(part) for part in cnn.modules()] == [type(part) for part in encoder.modules()]
    assert predict_erm(encoder, cohort().images, toy.CPU)[0].shape == (24, 3)


@pytest.mark.parametrize("new_head", [False, True])
def test_all_of_the_network_is_trained_further_and_the_head_starts_as_asked(
    toy, monkeypatch, new_head
):
    model, started = build(), []
    before = deepcopy(model.state_dict())
    genuine = training._epoch

    def spied(net, *args):
        started.append(deepcopy(net.state_dict()))
        return genuine(net, *args)

    monkeypatch.setattr(training, "_epoch", spied)
    tune(model, toy=toy, epochs=1, new_head=new_head)
    (start,) = started
    for name, value in before.items():
        assert torch.equal(start[name], value) is not (new_head and name.startswith("head")), name
        if "num_batches" not in name:
            assert not torch.equal(model.state_dict()[name], start[name]), name


def test_a_new_head_and_the_order_follow_the_seed_alone(toy):
    found = []
    for seed, before in ((0, 1), (0, 2), (5, 1)):
        model = build()
        torch.manual_seed(before)
        tune(model, toy=toy, epochs=1, seed=seed, new_head=True)
        found.append(model.head.weight)
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_watch_sees_each_epoch_and_the_last_weights_stay(toy):
    model, seen = build(), []

    def watch(net, epoch):
        assert net is model
        assert not net.training
        assert torch.is_inference_mode_enabled()
        seen.append((epoch, predict_erm(net, cohort(seed=1).images, toy.CPU)[0]))

    trained = tune(model, toy=toy, epochs=4, watch=watch)
    assert [epoch for epoch, _ in seen] == [1, 2, 3, 4]
    assert [row["epoch"] for row in trained.history] == [1, 2, 3, 4]
    assert (trained.weights, trained.best_epochs) == ({}, {})
    np.testing.assert_array_equal(
        predict_erm(model, cohort(seed=1).images, toy.CPU)[0], seen[-1][1]
    )
    assert not np.array_equal(seen[0][1], seen[-1][1])
    # What was seen at an epoch is what a fit of so many epochs ends with, and watching is free.
    short = build()
    tune(short, toy=toy, epochs=2)
    np.testing.assert_array_equal(predict_erm(short, cohort(seed=1).images, toy.CPU)[0], seen[1][1])


def test_it_learns_what_is_there(toy):
    model, part = build(), cohort(48)
    history = tune(model, part, toy=toy, epochs=15, new_head=True).history
    assert history[-1]["train_loss"] < 0.6 * history[0]["train_loss"]
    test = cohort(40, seed=2)
    scores = predict_erm(model, test.images, toy.CPU)[0]
    for k in (0, 1):
        assert scores[test.labels[:, k] == 1, k].mean() > scores[test.labels[:, k] == 0, k].mean()


def test_a_cohort_without_labels_is_refused(toy):
    part = cohort()
    bare = Cohort("bare", part.case_ids, part.images)
    with pytest.raises(ValueError, match="cohort 'bare' has no labels"):
        tune(build(), bare, toy=toy)
