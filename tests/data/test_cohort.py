from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from shortlib.data import Cohort
from shortlib.data.streamed import Streamed

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


def several(n=6):
    """A cohort with several labels, planes and shortcuts, patients and covariates."""
    rng = np.random.default_rng(1)
    return Cohort(
        name="several",
        case_ids=np.array([f"case-{i}" for i in range(n)]),
        images=rng.integers(0, 256, (n, 1, 4, 6)).astype(np.uint8),
        labels=rng.choice([0.0, 1.0, -1.0, np.nan], (n, 2)),
        label_names=("edema", "effusion"),
        anatomy_masks=rng.random((n, 3, 4, 6)) < 0.5,
        anatomy_names=("left lung", "right lung", "heart"),
        shortcut=rng.random((n, 2)) < 0.5,
        shortcut_names=("tube", "marker"),
        patient_ids=np.array([f"patient-{i // 2}" for i in range(n)]),
        covariates=pd.DataFrame({"age": np.arange(n), "sex": list("FM" * n)[:n]}),
    )


def test_covariates_are_selected_with_the_cases():
    chosen = several()[[4, 1]]
    assert chosen.covariates["age"].tolist() == [4, 1]
    assert chosen.covariates.index.tolist() == [0, 1]


def test_a_plane_is_found_by_its_name():
    cohort = several()
    np.testing.assert_array_equal(
        cohort.plane("anatomy_masks", "heart"), cohort.anatomy_masks[:, 2]
    )
    with pytest.raises(
        ValueError, match="have no plane 'liver'; they have left lung, right lung, heart"
    ):
        cohort.plane("anatomy_masks", "liver")
    with pytest.raises(ValueError, match="has no abnormality_masks"):
        cohort.plane("abnormality_masks", "liver")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"labels": np.full(6, 2), "label_names": ()},
            "labels are whole numbers from 0 to 1, got 2",
        ),
        ({"labels": np.full((6, 2), 0.5)}, "labels are 1, 0, -1 or NaN, got 0.5"),
        ({"labels": np.zeros((6, 3))}, r"label_names must be 3 names, got \('edema', 'effusion'\)"),
        ({"labels": np.zeros((6, 1, 1))}, r"labels must have shape \(n,\) or \(n, k\)"),
        ({"label_names": ()}, "label_names must be 2 names"),
        ({"anatomy_names": ("lungs",)}, "anatomy_names must be 3 names"),
        ({"anatomy_masks": np.zeros((6, 3, 4, 6))}, "anatomy_masks must be bool, got float64"),
        ({"anatomy_masks": np.zeros((6, 24), bool)}, r"anatomy_masks must have shape"),
        ({"shortcut": np.zeros((6, 2))}, "shortcut must be bool of shape"),
        ({"shortcut": np.zeros((6, 2, 1), bool)}, "shortcut must be bool of shape"),
        ({"shortcut_names": ("tube",)}, "shortcut_names must be 2 names"),
        ({"patient_ids": np.zeros((6, 1)).astype(str)}, "patient_ids must have one axis"),
        ({"reports": np.zeros((6, 1)).astype(str)}, "reports must have one axis"),
        ({"covariates": pd.DataFrame({"age": [1]})}, "covariates has 1 cases, images have 6"),
    ],
)
def test_what_does_not_fit_together_is_refused(change, sentence):
    with pytest.raises(ValueError, match=f"cohort 'several': {sentence}"):
        replace(several(), **change)


def test_classes_may_be_more_than_two():
    labels = np.arange(6) % 3
    assert replace(several(), labels=labels, label_names=tuple("abc")).labels.max() == 2


def test_checksum_counts_names_and_covariates():
    cohort = several()
    changed = cohort.covariates.assign(age=cohort.covariates["age"] + 1)
    sums = {
        cohort.checksum(),
        replace(cohort, covariates=changed).checksum(),
        replace(cohort, label_names=("effusion", "edema")).checksum(),
        replace(cohort, shortcut_names=("marker", "tube")).checksum(),
    }
    assert len(sums) == 4
    assert replace(cohort, name="renamed").checksum() == cohort.checksum()


def test_a_split_keeps_patients_together():
    cohort = replace(several(40), labels=np.arange(40) % 2, label_names=())
    parts = cohort.split({"train": 0.7, "test": 0.3}, seed=1)
    assert {name: len(part) for name, part in parts.items()} == {"train": 28, "test": 12}
    assert not set(parts["train"].patient_ids) & set(parts["test"].patient_ids)
    assert parts["train"].name == "several-train"
    again = cohort.split({"train": 0.7, "test": 0.3}, seed=1)
    assert again["test"].case_ids.tolist() == parts["test"].case_ids.tolist()


def test_streamed_masks_and_images_behave_as_arrays_do():
    cohort = several()

    def stream(array):
        return Streamed(lambda i: array[i], 6, array.shape[1:], array.dtype, identity="")

    streamed = replace(
        cohort, images=stream(cohort.images), anatomy_masks=stream(cohort.anatomy_masks)
    )
    chosen = streamed[[5, 2]]
    np.testing.assert_array_equal(np.asarray(chosen.images), cohort.images[[5, 2]])
    heart = chosen.plane("anatomy_masks", "heart")
    np.testing.assert_array_equal(np.asarray(heart), cohort.anatomy_masks[[5, 2], 2])
    assert streamed.checksum() != cohort.checksum()
    assert streamed.checksum() == replace(streamed, name="again").checksum()
