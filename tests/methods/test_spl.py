import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shortlib.methods.spl import PixelSimilarity, pixel_similarity_loss


def drawn(seed, shape=(2, 3, 4, 5), share=0.4):
    generator = torch.Generator().manual_seed(seed)
    n, _, h, w = shape
    embeddings = torch.randn(shape, generator=generator, dtype=torch.float64)
    return embeddings, torch.rand(n, h, w, generator=generator) < share


def slow_pairs(embeddings, mask):
    """Sum the cosines pixel by pixel, and count the pixels."""
    n, h, w = mask.shape
    pixels = [
        embeddings[i, :, y * embeddings.shape[2] // h, x * embeddings.shape[3] // w]
        for i in range(n)
        for y in range(h)
        for x in range(w)
        if mask[i, y, x]
    ]
    total = 0.0
    for a in pixels:
        for b in pixels:
            total = total + a @ b / (a.norm() * b.norm())
    return total, len(pixels)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([0.3, 1.0]))
def test_value_and_gradient_agree_with_a_double_loop(seed, share):
    embeddings, mask = drawn(seed, (2, 3, 3, 2), share)
    assume(mask.any())
    slow = embeddings.clone().requires_grad_()
    total, count = slow_pairs(slow, mask)
    total.backward()
    for per, divisor in (("pixel", count), ("pair", count**2)):
        quick = embeddings.clone().requires_grad_()
        loss = pixel_similarity_loss(quick, mask, per=per)
        loss.backward()
        torch.testing.assert_close(loss, -total / divisor, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(quick.grad, -slow.grad / divisor, rtol=1e-9, atol=1e-9)


def test_a_finer_mask_gives_each_pixel_the_embedding_of_its_cell():
    embeddings, _ = drawn(1, (2, 3, 2, 3))
    mask = drawn(2, (2, 1, 6, 6))[1]
    total, count = slow_pairs(embeddings, mask)
    due = -total / count
    torch.testing.assert_close(pixel_similarity_loss(embeddings, mask), due)


def test_closed_forms():
    alike = torch.ones(2, 3, 4, 4) * torch.tensor([1.0, 5.0])[:, None, None, None]
    everywhere = torch.ones(2, 4, 4, dtype=bool)
    assert pixel_similarity_loss(alike, everywhere).item() == pytest.approx(-32)
    assert pixel_similarity_loss(alike, everywhere, per="pair").item() == pytest.approx(-1)
    opposed = alike * torch.tensor([1.0, -1.0])[:, None, None, None]
    assert pixel_similarity_loss(opposed, everywhere).item() == pytest.approx(0)
    right_angles = torch.eye(4)[:, :, None, None]  # four images of one pixel: |B| cosines of 1
    one_each = torch.ones(4, 1, 1, dtype=bool)
    assert pixel_similarity_loss(right_angles, one_each).item() == pytest.approx(-1)
    assert pixel_similarity_loss(right_angles, one_each, per="pair").item() == pytest.approx(-1 / 4)


def test_negative_pixels_do_not_count():
    embeddings, mask = drawn(3)
    due = pixel_similarity_loss(embeddings, mask)
    elsewhere = torch.where(mask[:, None], embeddings, 100 * torch.randn_like(embeddings))
    torch.testing.assert_close(pixel_similarity_loss(elsewhere, mask), due)


@pytest.mark.parametrize(("positive", "due"), [(0, 0.0), (1, -1.0)])
def test_no_pixel_or_one_has_no_pair_and_no_gradient(positive, due):
    embeddings = drawn(4)[0].requires_grad_()
    mask = torch.zeros(2, 4, 5, dtype=bool)
    mask[0, 0, :positive] = True
    loss = pixel_similarity_loss(embeddings, mask)
    loss.backward()
    assert loss.item() == pytest.approx(due)
    torch.testing.assert_close(embeddings.grad, torch.zeros_like(embeddings), rtol=0, atol=1e-12)


def test_a_zero_embedding_counts_as_at_right_angles_and_gradients_stay_finite():
    embeddings = torch.zeros(1, 2, 1, 3)
    embeddings[0, 0, 0, :2] = torch.tensor([1.0, 2.0])  # the third pixel is dead
    embeddings.requires_grad_()
    loss = pixel_similarity_loss(embeddings, torch.ones(1, 1, 3, dtype=bool))
    loss.backward()
    assert loss.item() == pytest.approx(-4 / 3)
    assert embeddings.grad.abs().max() < 10


def test_half_precision_costs_no_more_digits_than_the_embeddings_have():
    embeddings, mask = drawn(5, (2, 8, 32, 32))
    half = embeddings.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = pixel_similarity_loss(half, mask, per="pair")
    assert found.dtype == torch.float32
    due = pixel_similarity_loss(half.double(), mask, per="pair")
    assert found.item() == pytest.approx(due.item(), rel=1e-3)


def test_a_hundred_thousand_pixels_need_no_matrix_of_pairs():
    """One would take 40 GB. Half of the pixels point one way and half at right angles."""
    embeddings = torch.zeros(1, 2, 320, 320)
    embeddings[0, 0, :160], embeddings[0, 1, 160:] = 1.0, 3.0
    loss = pixel_similarity_loss(embeddings, torch.ones(1, 320, 320, dtype=bool), per="pair")
    assert math.isclose(loss.item(), -0.5, rel_tol=1e-6)


@pytest.mark.parametrize(
    ("embeddings", "mask", "per", "said"),
    [
        (torch.ones(2, 3, 4), torch.ones(2, 4, 4).bool(), "pixel", r"floats of shape \(n, d, h,"),
        (torch.ones(2, 3, 4, 4).int(), torch.ones(2, 4, 4).bool(), "pixel", "got torch.int32"),
        (torch.ones(2, 3, 4, 4), torch.ones(2, 6, 4).bool(), "pixel", "multiples of 4 and 4, got"),
        (torch.ones(2, 3, 4, 4), torch.ones(1, 4, 4).bool(), "pixel", r"mask must have shape \(2,"),
        (torch.ones(2, 3, 4, 4), torch.ones(2, 4, 4), "pixel", "must be bool, got torch.float32"),
        (torch.ones(2, 3, 4, 4), torch.ones(2, 4, 4).bool(), "image", "one of pixel, pair, got"),
    ],
)
def test_a_wrong_argument_is_said(embeddings, mask, per, said):
    with pytest.raises(ValueError, match=said):
        pixel_similarity_loss(embeddings, mask, per=per)


# Beside the cross-entropy


@pytest.mark.parametrize("positive", [1, 2])
@pytest.mark.parametrize(("per", "power"), [("pair", 2), ("pixel", 1)])
def test_the_term_is_the_weight_times_the_loss_of_the_positive_class(positive, per, power):
    features, _ = drawn(6, (2, 3, 2, 3))
    targets = torch.randint(0, 3, (2, 8, 12), generator=torch.Generator().manual_seed(0))
    total, count = slow_pairs(features, targets == positive)
    term = PixelSimilarity(0.7, positive=positive, per=per)(None, features, targets)
    torch.testing.assert_close(term, -0.7 * total / count**power)


def test_by_default_it_is_a_mean_over_pairs():
    features, targets = torch.ones(1, 2, 2, 2), torch.ones(1, 32, 32, dtype=torch.int64)
    term = PixelSimilarity(3.0, positive=1)(None, features, targets)
    assert term.item() == pytest.approx(-3)  # whatever the number of pixels


def test_pixels_of_the_background_and_of_another_lesion_have_no_gradient():
    features = drawn(7, (1, 4, 1, 3))[0].requires_grad_()
    targets = torch.tensor([[[0, 2, 1]]])
    PixelSimilarity(1.0, positive=2)(None, features, targets).backward()
    assert features.grad.abs().max() < 1e-12  # one positive pixel has no pair
    PixelSimilarity(1.0, positive=1)(None, features, torch.tensor([[[1, 0, 1]]])).backward()
    assert features.grad.abs().amax(dim=1).flatten().gt(1e-3).tolist() == [True, False, True]


def test_a_batch_of_normal_images_can_still_take_a_step():
    features = torch.ones(2, 3, 4, 4, requires_grad=True)
    term = PixelSimilarity(5.0, positive=1)(None, features, torch.zeros(2, 8, 8, dtype=int))
    term.backward()
    assert term == 0
    assert features.grad.abs().max() == 0
