import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlib.data.seeds import derive_seed

word = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=8)


@given(st.integers(0, 2**40), word)
def test_it_is_a_whole_number_that_every_generator_takes(seed, purpose):
    derived = derive_seed(seed, purpose)
    assert type(derived) is int
    assert 0 <= derived < 2**31
    assert derive_seed(seed, purpose) == derived


@pytest.mark.parametrize("purpose", [("train",), ("order", 3), ()])
def test_it_is_the_same_in_every_process(purpose):
    text = "/".join(["7", *map(str, purpose)])
    leading = int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)
    assert derive_seed(7, *purpose) == leading // 2


def test_a_known_value():
    # From coreutils: printf 0/train | sha256sum
    assert derive_seed(0, "train") == int("3dc27ba2", 16) // 2


def test_seeds_and_purposes_give_different_numbers():
    derived = [
        derive_seed(seed, purpose, epoch)
        for seed in range(10)
        for purpose in ("train", "order", "validation")
        for epoch in range(20)
    ]
    assert len(set(derived)) == 600


def test_derived_seeds_spread_over_the_whole_range():
    derived = np.array([derive_seed(seed, "spread") for seed in range(4000)])
    counts, _ = np.histogram(derived, bins=16, range=(0, 2**31))
    assert np.abs(counts - 250).max() < 5 * np.sqrt(250)
