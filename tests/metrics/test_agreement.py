import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shortlib.metrics import subgroup_cosine_similarity


def cosine(u, v):
    return sum(x * y for x, y in zip(u, v, strict=True)) / (
        sum(x * x for x in u) ** 0.5 * sum(y * y for y in v) ** 0.5
    )


@given(st.data(), st.integers(1, 6), st.integers(1, 6), st.integers(1, 5))
@settings(deadline=None, max_examples=60)
def test_it_is_the_mean_over_all_pairs(data, k_a, k_b, width):
    whole = st.integers(-9, 9).map(float)
    a = data.draw(arrays(float, (k_a, width), elements=whole))
    b = data.draw(arrays(float, (k_b, width), elements=whole))
    a[:, 0] += 10 * (a[:, 0] >= 0) - 1  # no row is zero
    b[:, 0] += 10 * (b[:, 0] >= 0) - 1
    slow = np.mean([cosine(u, v) for u in a for v in b])
    found = subgroup_cosine_similarity(a, b)
    assert found == pytest.approx(slow, abs=1e-12)
    assert found == pytest.approx(subgroup_cosine_similarity(b, a), abs=1e-12)
    assert found == pytest.approx(subgroup_cosine_similarity(3 * a, 0.1 * b), abs=1e-12)
    assert found == pytest.approx(-subgroup_cosine_similarity(-a, b), abs=1e-12)


@pytest.mark.parametrize(
    ("a", "b", "truth"),
    [
        ([[1, 2]], [[2, 4], [0.5, 1]], 1.0),
        ([[1, 2]], [[-1, -2]], -1.0),
        ([[1, 0]], [[0, 3]], 0.0),
        ([[1, 0], [-1, 0]], [[5, 7]], 0.0),
        ([[1, 0]], [[1, 1]], 0.5**0.5),
        ([[1e-200, 0]], [[1e200, 1e200]], 0.5**0.5),
    ],
)
def test_constructed_groups(a, b, truth):
    assert subgroup_cosine_similarity(a, b) == pytest.approx(truth, abs=1e-12)
    assert -1 <= subgroup_cosine_similarity(a, b) <= 1


def test_tensors_are_accepted():
    a, b = torch.randn(5, 16), torch.randn(7, 16)
    slow = torch.nn.functional.cosine_similarity(a[:, None].double(), b[None].double(), dim=-1)
    assert subgroup_cosine_similarity(a, b) == pytest.approx(slow.mean().item(), abs=1e-9)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([[1, 2], [0, 0]], [[1, 2]], "embeddings_a must have no zero row, row 1 is zero"),
        ([[1, 2]], [[0.0, -0.0]], "embeddings_b must have no zero row, row 0 is zero"),
        ([[1, 2]], np.empty((0, 2)), r"embeddings_b must have shape \(k, d\).*got \(0, 2\)"),
        ([1, 2], [[1, 2]], r"embeddings_a must have shape \(k, d\).*got \(2,\)"),
        ([[1, 2]], [[1, 2, 3]], "must have the same width, got 2 and 3"),
        ([[1, np.nan]], [[1, 2]], "embeddings_a must be finite, row 0 holds NaN or infinity"),
        ([[1, 2]], [[1, 2], [1, np.inf]], "embeddings_b must be finite, row 1"),
    ],
)
def test_bad_groups_are_named(a, b, message):
    with pytest.raises(ValueError, match=message):
        subgroup_cosine_similarity(a, b)
