import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients

from shortlib.explain.integrated_gradients import integrated_gradients
from shortlib.models.cnn import build_cnn


def test_a_linear_output_is_attributed_exactly_whatever_the_steps():
    weights = torch.randn(1, 4, 4, generator=torch.Generator().manual_seed(0))
    images = torch.rand(3, 1, 4, 4)
    found = integrated_gradients(
        lambda x, _: (x * weights).sum(dim=(1, 2, 3)), images, steps=1, baseline=0.2
    )
    np.testing.assert_allclose(found.maps, (images - 0.2) * weights, rtol=1e-5, atol=1e-6)
    assert found.completeness_error.max() < 1e-5


def test_a_square_has_its_closed_form():
    # The integral of 2 x over the way from b to x is x^2 - b^2; midpoints are exact for it.
    images = torch.rand(2, 1, 3, 3)
    found = integrated_gradients(lambda x, _: (x**2).sum(dim=(1, 2, 3)), images, steps=2)
    np.testing.assert_allclose(found.maps, images**2, rtol=1e-5)


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    net = build_cnn("cnn-small", channels=1, outputs=3).eval()
    images = torch.rand(40, 1, 32, 32)
    net.train()
    net(images)  # so that batch norm has statistics of its own
    return net.eval()


def test_maps_agree_with_captums(net):
    images, targets = torch.rand(5, 1, 32, 32), torch.tensor([0, 1, 2, 1, 0])
    ours = integrated_gradients(
        lambda x, index: net(x)[torch.arange(len(x)), targets[index]],
        images,
        steps=20,
        batch_size=7,
    )
    theirs = IntegratedGradients(net).attribute(
        images, torch.zeros_like(images), target=targets, n_steps=20, method="riemann_middle"
    )
    np.testing.assert_allclose(ours.maps, theirs.detach().numpy(), atol=1e-5)


def test_sums_approach_the_difference_of_the_outputs(net):
    images = torch.rand(6, 1, 32, 32)
    errors = [
        integrated_gradients(
            lambda x, _: net(x)[:, 0], images, steps=steps
        ).completeness_error.max()
        for steps in (1, 8, 64)
    ]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.01


def test_smoothgrad_is_the_mean_over_noisy_copies(net):
    images = torch.rand(2, 1, 32, 32)
    options = {"steps": 4, "noise": 0.15, "seed": 5}
    found = integrated_gradients(lambda x, _: net(x)[:, 1], images, samples=3, **options)
    for i, image in enumerate(images):
        rng = np.random.default_rng([5, i])
        drawn = torch.from_numpy(rng.standard_normal((3, 1, 32, 32), dtype=np.float32))
        copies = image + 0.15 * (image.max() - image.min()) * drawn
        alone = integrated_gradients(lambda x, _: net(x)[:, 1], copies, steps=4)
        np.testing.assert_allclose(found.maps[i], alone.maps.mean(axis=0), atol=1e-6)


def test_batches_and_the_number_of_images_do_not_matter(net):
    images = torch.rand(40, 1, 32, 32)  # more than one chunk
    options = {"steps": 3, "samples": 2, "noise": 0.1}
    whole = integrated_gradients(lambda x, _: net(x)[:, 0], images, **options)
    small = integrated_gradients(lambda x, _: net(x)[:, 0], images, batch_size=5, **options)
    np.testing.assert_allclose(whole.maps, small.maps, atol=1e-6)
    first = integrated_gradients(lambda x, _: net(x)[:, 0], images[:3], **options)
    np.testing.assert_allclose(whole.maps[:3], first.maps, atol=1e-6)


def test_several_outputs_are_explained_as_each_alone(net):
    images = torch.rand(5, 1, 32, 32)
    options = {"steps": 3, "samples": 2, "noise": 0.1, "batch_size": 7}
    together = integrated_gradients(lambda x, _: net(x), images, **options)
    assert together.maps.shape == (5, 3, 1, 32, 32)
    assert together.completeness_error.shape == (5, 3)
    for k in range(3):
        alone = integrated_gradients(lambda x, _, k=k: net(x)[:, k], images, **options)
        for a, b in zip(alone, together, strict=True):
            np.testing.assert_allclose(a, b[:, k], atol=1e-6)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"samples": 0}, {"noise": -0.1}])
def test_wrong_arguments_are_named(net, wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be at least"):
        integrated_gradients(lambda x, _: net(x)[:, 0], torch.rand(1, 1, 32, 32), **wrong)
