from dataclasses import replace

import numpy as np
import pytest

from shortlib.data import Cohort

FIELDS = (
    "case_ids",
    "images",
    "labels",
    "abnormality_masks",
    "anatomy_masks",
    "shortcut",
    "shortcut_masks",
    "reports",
)


def full_cohort(n=5):
    rng = np.random.default_rng(0)
    return Cohort(
        name="made-up",
        case_ids=np.array([f"case-{i}" for i in range(n)]),
        images=rng.integers(0, 256, (n, 3, 4, 6)).astype(np.uint8),
        labels=np.arange(n) % 2,
        abnormality_masks=rng.random((n, 4, 6)) < 0.5,
        anatomy_masks=rng.random((n, 4, 6)) < 0.5,
        shortcut=np.arange(n) % 3 == 0,
        shortcut_masks=rng.random((n, 4, 6)) < 0.5,
        reports=np.array([f"No finding {i}." for i in range(n)], dtype=object),
    )


def bare_cohort(n=5):
    return Cohort("bare", np.array([f"case-{i}" for i in range(n)]), np.zeros((n, 1, 4, 4)))


def test_length_and_present_fields():
    assert len(full_cohort(7)) == 7
    assert [name for name, _ in full_cohort().arrays()] == list(FIELDS)
    assert [name for name, _ in bare_cohort().arrays()] == ["case_ids", "images"]


def test_require_returns_the_fields_in_the_order_asked():
    cohort = full_cohort()
    assert cohort.require("labels") is cohort.labels
    shortcut, images = cohort.require("shortcut", "images")
    assert shortcut is cohort.shortcut
    assert images is cohort.images


@pytest.mark.parametrize("name", ["labels", "reports", "no_such_field"])
def test_require_says_what_is_missing_and_what_is_there(name):
    with pytest.raises(ValueError, match=f"cohort 'bare' has no {name}; it has case_ids, images"):
        bare_cohort().require("images", name)


@pytest.mark.parametrize("name", [name for name in FIELDS if name != "images"])
def test_lengths_must_agree(name):
    cohort = full_cohort()
    shorter = getattr(cohort, name)[:-1]
    with pytest.raises(ValueError, match=f"cohort 'made-up': {name} has 4 cases, images have 5"):
        replace(cohort, **{name: shorter})


@pytest.mark.parametrize("name", ["abnormality_masks", "anatomy_masks", "shortcut_masks"])
def test_masks_must_have_the_images_size(name):
    with pytest.raises(ValueError, match=rf"{name} are \(4, 5\) pixels, images are \(4, 6\)"):
        replace(full_cohort(), **{name: np.zeros((5, 4, 5), dtype=bool)})


def test_images_must_have_four_axes():
    with pytest.raises(ValueError, match=r"images must have shape \(n, c, h, w\), got \(5, 4, 4\)"):
        Cohort("flat", np.arange(5).astype(str), np.zeros((5, 4, 4)))


def test_case_ids_must_be_unique():
    ids = np.array(["a", "b", "c", "b", "b"])
    with pytest.raises(ValueError, match="case id 'b' occurs 3 times; ids must be unique"):
        replace(full_cohort(), case_ids=ids)


def test_a_cohort_cannot_be_changed():
    with pytest.raises(AttributeError):
        bare_cohort().labels = np.zeros(5)


@pytest.mark.parametrize(
    ("index", "positions"),
    [
        (slice(1, 3), [1, 2]),
        (slice(None, None, -2), [4, 2, 0]),
        ([3, 0], [3, 0]),
        (np.array([True, False, False, True, False]), [0, 3]),
        (2, [2]),
        (-1, [4]),
        (np.int64(1), [1]),
        (slice(0, 0), []),
    ],
)
def test_selection_takes_the_same_cases_of_every_field(index, positions):
    cohort = full_cohort()
    selected = cohort[index]
    assert selected.name == cohort.name
    assert len(selected) == len(positions)
    for name, array in selected.arrays():
        np.testing.assert_array_equal(array, getattr(cohort, name)[positions])


def test_selection_keeps_absent_fields_absent():
    assert bare_cohort()[:2].labels is None


def test_selecting_a_case_twice_is_refused():
    with pytest.raises(ValueError, match="case id 'case-1' occurs 2 times"):
        full_cohort()[[1, 1]]


def test_checksum_is_that_of_the_content():
    assert full_cohort().checksum() == full_cohort().checksum()
    cohort = full_cohort()
    backwards = cohort[::-1]
    assert backwards.checksum() != cohort.checksum()
    assert backwards[::-1].checksum() == cohort.checksum()  # whatever the memory layout
    columns = replace(cohort, images=np.asfortranarray(cohort.images))
    assert columns.checksum() == cohort.checksum()


@pytest.mark.parametrize("name", FIELDS)
def test_checksum_changes_with_one_value_of_any_field(name):
    cohort = full_cohort()
    changed = getattr(cohort, name).copy()
    if changed.dtype.kind in "UO":
        changed[-1] = "other"
    elif changed.dtype == bool:
        changed[-1] = ~changed[-1]
    else:
        changed[-1] += 1
    assert replace(cohort, **{name: changed}).checksum() != cohort.checksum()


def test_checksum_tells_fields_shapes_and_absence_apart():
    cohort = full_cohort()
    swapped = replace(
        cohort, abnormality_masks=cohort.anatomy_masks, anatomy_masks=cohort.abnormality_masks
    )
    reshaped = replace(bare_cohort(), images=np.zeros((5, 4, 2, 2)))
    sums = {
        cohort.checksum(),
        swapped.checksum(),
        replace(cohort, reports=None).checksum(),
        replace(cohort, anatomy_masks=None).checksum(),
        bare_cohort().checksum(),
        reshaped.checksum(),
    }
    assert len(sums) == 6
