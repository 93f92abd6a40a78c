import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlib.data.drawn_splits import REST, split_by_quota, split_by_shares
from shortlib.data.problems import DataError

cases = st.lists(
    st.tuples(st.sampled_from("abcdefghijkl"), st.sampled_from("XY")), min_size=1, max_size=40
)


@given(cases, st.integers(1, 3), st.integers(1, 3), st.integers(0, 5))
def test_parts_have_their_quota_and_share_no_patient(listed, train, test, seed):
    patients, kinds = np.array(listed).T
    quota = {"train": train, "test": test}
    try:
        parts = split_by_quota(patients, kinds, quota, seed=seed)
    except DataError as error:
        assert error.kind == "too few images"  # noqa: PT017
        return
    for kind in np.unique(kinds):
        for part, wanted in quota.items():
            assert ((parts == part) & (kinds == kind)).sum() == wanted
    for patient in np.unique(patients):
        assert len(np.unique(parts[patients == patient])) == 1
    assert set(parts) <= {"train", "test", REST}


@given(st.permutations(range(12)))
def test_the_order_of_the_cases_does_not_matter(order):
    patients = np.array([f"p{i}" for i in range(12)])
    kinds = np.array(["X", "Y"] * 6)
    quota = {"train": 3, "test": 2}
    parts = split_by_quota(patients, kinds, quota)
    order = list(order)
    np.testing.assert_array_equal(
        parts[order], split_by_quota(patients[order], kinds[order], quota)
    )


def test_too_few_says_how_many_there_are():
    with pytest.raises(DataError) as error:
        split_by_quota(list("abc"), list("XXY"), {"train": 2, "test": 1}, name="this")
    said = str(error.value)
    assert "this should give 2 train + 1 test of each class, 3 in all" in said
    assert "X has 2, Y has 1; train lacks 1 of Y" in said


def test_a_patient_too_large_for_every_part_is_told_apart_from_too_few():
    with pytest.raises(DataError, match="patients are kept whole"):
        split_by_quota(["a"] * 4, ["X"] * 4, {"train": 2, "test": 2})


@pytest.mark.parametrize("quota", [{}, {"train": 0}, {"train": 1.5}, {"train": True}])
def test_a_wrong_quota(quota):
    with pytest.raises(ValueError, match="per_class"):
        split_by_quota(["a"], ["X"], quota)


def test_shares():
    table = pd.DataFrame({"patient_id": list("aabbccddee"), "label": [0, 1] * 5})
    parts = split_by_shares(table, {"train": 0.6, "test": 0.4}, strata="label", seed=0, root=".")
    assert (parts == "train").sum() == 6
    with pytest.raises(DataError, match="2 parts need as many patients at least, there are 1"):
        split_by_shares(table[:2], {"train": 0.6, "test": 0.4}, strata=None, seed=0, root=".")
