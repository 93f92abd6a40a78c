import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlib.data.splits import leaking_patients, split_by_patient

PARTS = {"train": 0.7, "validation": 0.1, "test": 0.2}

patients = st.lists(st.integers(0, 30), min_size=3, max_size=120).filter(lambda p: len(set(p)) >= 3)


@given(patients, st.integers(0, 5), st.data())
def test_no_patient_is_in_two_parts_and_no_part_is_empty(ids, seed, data):
    labels = data.draw(st.lists(st.integers(0, 3), min_size=len(ids), max_size=len(ids)))
    parts = split_by_patient(ids, PARTS, strata=labels, seed=seed)
    assert leaking_patients(ids, parts) == {}
    assert set(parts) == set(PARTS)
    assert len(parts) == len(ids)


@given(patients, st.integers(0, 3), st.randoms(use_true_random=False))
def test_the_order_of_the_cases_does_not_matter(ids, seed, random):
    order = list(range(len(ids)))
    random.shuffle(order)
    labels = np.array(ids) % 3
    parts = split_by_patient(ids, PARTS, strata=labels, seed=seed)
    shuffled = split_by_patient(np.array(ids)[order], PARTS, strata=labels[order], seed=seed)
    np.testing.assert_array_equal(shuffled, parts[order])


def test_shares_are_those_asked_for_and_strata_are_alike():
    labels = (np.arange(1000) % 10 == 0).astype(int)
    parts = split_by_patient(np.arange(1000), PARTS, strata=labels, seed=3)
    sizes = {name: (parts == name).sum() for name in PARTS}
    assert sizes == {"train": 700, "validation": 100, "test": 200}
    for name in PARTS:
        assert labels[parts == name].mean() == pytest.approx(0.1, abs=0.011)


def test_seeds_differ():
    first, second = (split_by_patient(np.arange(50), PARTS, seed=seed) for seed in (0, 1))
    assert (first != second).any()


def test_several_labels_with_missing_values_are_strata():
    rng = np.random.default_rng(0)
    labels = rng.choice([0.0, 1.0, -1.0, np.nan], size=(200, 5))
    parts = split_by_patient(np.arange(200), PARTS, strata=labels, seed=0)
    assert set(parts) == set(PARTS)


@pytest.mark.parametrize("fractions", [{"a": 0.5, "b": 0.6}, {"a": 1.2, "b": -0.2}, {"a": 0.5}])
def test_fractions_must_sum_to_one(fractions):
    with pytest.raises(ValueError, match="fractions are positive and sum to 1, got"):
        split_by_patient(np.arange(9), fractions)


def test_too_few_patients_is_said_with_the_number():
    with pytest.raises(ValueError, match=r"3 parts .* need at least as many patients, got 2"):
        split_by_patient(["a", "a", "b"], PARTS)


def test_leaks_are_named():
    ids = ["a", "a", "b", "c", "c", "c"]
    parts = ["train", "test", "train", "test", "train", "test"]
    assert leaking_patients(ids, parts) == {"a": ["test", "train"], "c": ["test", "train"]}
