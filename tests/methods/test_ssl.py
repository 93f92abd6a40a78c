import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import CosineEmbeddingLoss

from shortlib.methods.ssl import image_similarity_loss


def drawn(n, d, seed=0, kind=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(n, d, generator=generator, dtype=kind) for _ in range(2)]


def slow_loss(first, second):
    total = 0.0
    for a, b in zip(first, second, strict=True):
        dot = sum(x * y for x, y in zip(a, b, strict=True))
        total += 1 - dot / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))
    return total / len(first)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 1000))
def test_the_loss_agrees_with_a_slow_version(n, d, seed):
    first, second = drawn(n, d, seed)
    due = slow_loss(first.tolist(), second.tolist())
    assert image_similarity_loss(first, second).item() == pytest.approx(due, rel=1e-9, abs=1e-9)


def test_loss_and_gradients_are_those_of_torchs_cosine_embedding_loss():
    gradients = []
    for loss in (
        lambda a, b: CosineEmbeddingLoss()(a, b, torch.ones(len(a))),
        image_similarity_loss,
    ):
        views = [z.requires_grad_() for z in drawn(7, 5, 3)]
        value = loss(*views)
        value.backward()
        gradients.append((value, *(z.grad for z in views)))
    for theirs, ours in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=1e-9)


def test_closed_forms():
    eye = torch.eye(4)
    for second, due in ((3 * eye, 0), (eye.roll(1, 0), 1), (-eye, 2), (torch.zeros(4, 4), 1)):
        assert image_similarity_loss(eye, second).item() == pytest.approx(due)


def test_half_precision_around_it_changes_nothing():
    first, _ = drawn(6, 8, kind=torch.float32)
    second = first + 0.01 * drawn(6, 8, 1, kind=torch.float32)[0]
    due = image_similarity_loss(first, second)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(image_similarity_loss(first, second), due)


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (torch.ones(3, 2), torch.ones(2, 2), r"first and second must have one shape \(n, d\)"),
        (torch.ones(3, 2, 2), torch.ones(3, 2, 2), r"one shape \(n, d\), got \(3, 2, 2\)"),
        (torch.ones(0, 2), torch.ones(0, 2), "at least 1 row, got 0"),
        (torch.ones(3, 2).int(), torch.ones(3, 2).int(), "must be floats, got torch.int32"),
    ],
)
def test_a_wrong_argument_is_said(first, second, said):
    with pytest.raises(ValueError, match=said):
        image_similarity_loss(first, second)
