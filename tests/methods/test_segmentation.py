import numpy as np
import pytest
import torch

from shortlib.methods.segmentation import fit_segmentation, predict_segmentation
from shortlib.methods.training import Rule, Schedule
from shortlib.models.fcn import build_fcn


@pytest.fixture
def net():
    torch.manual_seed(0)
    return build_fcn("fcn-tiny", channels=2)


@pytest.fixture
def images():
    return np.random.default_rng(0).standard_normal((7, 2, 16, 24)).astype(np.float32)


def test_an_images_score_is_the_mean_probability_over_its_pixels(net, images, toy):
    scores, embeddings = predict_segmentation(net, images, toy.CPU, batch_size=3)
    net.eval()
    for index, image in enumerate(images):
        with torch.no_grad():
            logits = net(torch.from_numpy(image)[None])[0]
        total = 0.0
        for row in logits.tolist():
            for logit in row:
                total += 1 / (1 + np.exp(-logit))
        assert scores[index] == pytest.approx(total / (16 * 24), rel=1e-5)
    assert scores.dtype == embeddings.dtype == np.float32
    assert embeddings.shape == (7, 8)  # a quarter of the tiny network's 32 features


def test_an_embedding_is_the_mean_over_positions_of_the_last_hidden_layer(net, images, toy):
    _, embeddings = predict_segmentation(net, images, toy.CPU)
    hidden = []
    net.head[-1].register_forward_hook(lambda _, inputs, __: hidden.append(inputs[0]))
    with torch.no_grad():
        net.eval()(torch.from_numpy(images))
    np.testing.assert_allclose(embeddings, hidden[0].mean(dim=(2, 3)).numpy(), rtol=1e-5)


def test_uint8_images_are_scaled(net, toy):
    whole = np.random.default_rng(1).integers(0, 256, (3, 2, 16, 16), dtype=np.uint8)
    scores, _ = predict_segmentation(net, whole, toy.CPU)
    scaled, _ = predict_segmentation(net, (whole / 255).astype(np.float32), toy.CPU)
    np.testing.assert_allclose(scores, scaled, rtol=1e-6)


def test_prediction_leaves_no_dropout_on(net, images, toy):
    net.train()
    first, _ = predict_segmentation(net, images, toy.CPU)
    second, _ = predict_segmentation(net, images, toy.CPU)
    np.testing.assert_array_equal(first, second)


def test_a_fit_learns_bright_pixels_and_monitors_the_mean_loss(toy):
    rng = np.random.default_rng(0)
    labels = np.zeros((24, 16, 16), dtype=bool)
    labels[::2, :, 8:] = True
    pixels = labels[:, None] * 4.0 + rng.standard_normal((24, 1, 16, 16))
    images = pixels.astype(np.float32)
    net, trained = fit_segmentation(
        images,
        labels,
        {"held_out": (images[:10], labels[:10])},
        network="fcn-tiny",
        schedule=Schedule(epochs=15, batch_size=8, learning_rate=0.01),
        rules={"held_out": Rule("held_out_loss")},
        compute=toy.CPU,
        seed=0,
    )
    scores, _ = predict_segmentation(net, images, toy.CPU)
    assert scores[::2].min() > scores[1::2].max()
    with torch.no_grad():
        logits = net.eval()(torch.from_numpy(images[:10]))
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, torch.from_numpy(labels[:10]).float()
    )
    assert trained.history[-1]["held_out_loss"] == pytest.approx(expected.item(), rel=1e-5)
    assert trained.history[-1]["train_loss"] < trained.history[0]["train_loss"] / 2
