"""Trap sets: the published sizes and prevalences from a pool without pictures."""

import numpy as np
import pytest

from shortlib.data.phantoms.skin.association import PREVALENCE, SHORTCUTS, chances
from shortlib.data.phantoms.skin.trap_sets import draw_dials, draw_trap_set

N = 2594


@pytest.fixture(scope="module")
def pool():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [2075, 519])
    return labels, rng.random((N, 7)) < chances(labels, draw_dials(rng, N))


@pytest.fixture(scope="module")
def traps(pool):
    return [draw_trap_set(np.random.default_rng([1, k]), *pool) for k in range(5)]


def test_sizes_are_the_published_ones(pool, traps):
    for trap in traps:
        assert [len(part) for part in (trap.train, trap.val, trap.test)] == [1822, 259, 772]
        assert pool[0][trap.train].sum() == 365
        assert pool[0][trap.test].sum() == 154


def test_train_and_test_share_nothing_and_val_lies_in_train(traps):
    for trap in traps:
        assert sorted([*trap.train, *trap.test]) == list(range(N))
        assert set(trap.val) <= set(trap.train)


@pytest.mark.parametrize("part", ["train", "test"])
def test_prevalences_are_the_published_ones(pool, traps, part):
    labels, shortcut = pool
    for trap in traps:
        places = getattr(trap, part)
        for label in (0, 1):
            chosen = shortcut[places[labels[places] == label]]
            for k, name in enumerate(SHORTCUTS):
                chance, n = PREVALENCE[name][part][label], len(chosen)
                spread = np.sqrt(n * chance * (1 - chance))
                assert abs(chosen[:, k].sum() - n * chance) <= max(4 * spread, 2)


def test_splits_differ_but_keep_most_cases(traps):
    tests = [set(trap.test) for trap in traps]
    shared = [len(tests[0] & other) / 772 for other in tests[1:]]
    # In the published ones about 87% of the test cases of two splits are the same.
    assert all(0.6 < share < 1 for share in shared)


def test_a_pool_without_flags_is_refused():
    with pytest.raises(ValueError, match=r"shortcut must have shape \(3, 7\)"):
        draw_trap_set(np.random.default_rng(0), np.zeros(3, int), np.zeros((3, 2), bool))
