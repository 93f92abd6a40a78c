"""The cohort of built-in skin data: form, repeatability, prevalences, erasing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlib.data.phantoms.skin import PREVALENCE, SHORTCUTS, skin

FIELDS = ("images", "labels", "abnormality_masks", "shortcut", "shortcut_masks")


def same(one, other):
    return one.checksum() == other.checksum()


@pytest.fixture(scope="module")
def small():
    return skin(12, size=64, seed=3)


@pytest.fixture(scope="module")
def large():
    """Cases of both ends of the dial, at the smallest size."""
    return {dial: skin(300, size=32, association=dial, melanoma=0.5) for dial in (1, -1)}


def test_form(small):
    assert small.images.shape == (12, 3, 64, 64)
    assert small.images.dtype == np.uint8
    assert small.abnormality_masks.shape == (12, 64, 64)
    assert small.shortcut_masks.shape == (12, 7, 64, 64)
    assert small.label_names == ("benign", "melanoma")
    assert small.shortcut_names == SHORTCUTS
    assert small.anatomy_masks is None
    assert small.reports is None
    table = small.covariates
    assert list(table) == [
        *("age", "sex", "site", "skin_type", "asymmetry", "border", "colours", "structures"),
        *("tds", "severity", "vasc", "association"),
    ]
    assert table.age.between(5, 85).all()
    assert (table.age % 5 == 0).all()
    assert table.skin_type.between(1, 6).all()
    score = 1.3 * table.asymmetry + 0.1 * table.border + 0.5 * (table.colours + table.structures)
    np.testing.assert_allclose(table.tds, score)


def test_pictures_are_lit_and_lesions_darker_than_skin(small):
    clean = skin(12, size=64, seed=3, artefacts=())
    grey = clean.images.mean(axis=1)
    for picture, lesion in zip(grey, clean.abnormality_masks, strict=True):
        assert 0.01 < lesion.mean() < 0.8
        assert np.median(picture[lesion]) < np.median(picture[~lesion]) - 5
    assert 90 < grey.mean() < 220


@settings(max_examples=8, deadline=None)
@given(first=st.integers(0, 9), n=st.integers(1, 3))
def test_a_case_depends_on_its_number_alone(small, first, n):
    assert same(skin(n, first=first, size=64, seed=3), small[first : first + n])


def test_seed_and_part_make_other_cases(small):
    for other in (skin(12, size=64, seed=4), skin(12, size=64, seed=3, part="val")):
        assert not (other.images == small.images).all(axis=(1, 2, 3)).any()
        assert not set(other.case_ids) & set(small.case_ids)


def test_parts_have_their_own_association():
    for part, dial in (("train", 1), ("val", 1), ("test", -1), ("all", 0)):
        assert same(skin(3, size=32, part=part), skin(3, size=32, part=part, association=dial))


def test_the_dial_changes_nothing_but_the_artefacts():
    one, other = (skin(20, size=32, association=dial) for dial in (1, -1))
    np.testing.assert_array_equal(one.labels, other.labels)
    np.testing.assert_array_equal(one.abnormality_masks, other.abnormality_masks)
    drawn = (one.shortcut_masks | other.shortcut_masks).any(axis=1)
    assert not ((one.images != other.images).any(axis=1) & ~drawn).any()


def test_patients_share_age_and_skin_and_have_at_most_two_lesions():
    cohort = skin(30, size=32)
    _, counts = np.unique(cohort.patient_ids, return_counts=True)
    assert sorted(counts) == [1] * 10 + [2] * 10
    by_patient = cohort.covariates.groupby(cohort.patient_ids)
    assert (by_patient[["age", "sex", "skin_type"]].nunique() == 1).all(axis=None)


def within(count, n, chance):
    """Whether a binomial count is within four standard deviations, or one case."""
    return abs(count - n * chance) <= max(4 * np.sqrt(n * chance * (1 - chance)), 1)


@pytest.mark.parametrize(("dial", "part"), [(1, "train"), (-1, "test")])
def test_prevalences_are_those_of_the_trap_sets(large, dial, part):
    cohort = large[dial]
    for label in (0, 1):
        flags = cohort.shortcut[cohort.labels == label]
        for k, name in enumerate(SHORTCUTS):
            assert within(flags[:, k].sum(), len(flags), PREVALENCE[name][part][label])


def test_the_association_turns_round(large):
    def lean(cohort):
        melanoma = cohort.labels == 1
        return cohort.shortcut[melanoma].mean(axis=0) - cohort.shortcut[~melanoma].mean(axis=0)

    turned = [SHORTCUTS.index(name) for name in ("dark_corner", "hair", "gel_bubble", "ruler")]
    assert (np.sign(lean(large[1])) == -np.sign(lean(large[-1])))[turned].all()


def test_labels_come_as_often_as_asked_for_and_with_their_ages(large):
    assert within((large[1].labels == 1).sum(), 300, 0.5)
    age = large[1].covariates.groupby(large[1].labels).age.mean()
    # 38 and 56 years in ISIC 2018; children are not younger than 5.
    assert age[0] == pytest.approx(38.5, abs=5)
    assert age[1] == pytest.approx(55.5, abs=5)
    assert skin(20, size=32, melanoma=0).labels.sum() == 0
    assert skin(20, size=32, melanoma=1).labels.sum() == 20


@pytest.mark.parametrize("erase", ["cues", "lesion"])
def test_erasing_keeps_all_but_the_lesion(small, erase):
    erased = skin(12, size=64, seed=3, erase=erase)
    for field in ("labels", "shortcut", "case_ids"):
        np.testing.assert_array_equal(getattr(erased, field), getattr(small, field))
    np.testing.assert_array_equal(erased.shortcut_masks, small.shortcut_masks)
    differs = (erased.images != small.images).any(axis=1)
    assert differs.any(axis=(1, 2)).mean() > 0.9
    # Far from the lesion, beyond what streaks and vessels reach, nothing moves.
    corners = differs[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.mean() < 0.1
    if erase == "lesion":
        assert not erased.abnormality_masks.any()
    else:
        assert erased.abnormality_masks.any(axis=(1, 2)).all()


@pytest.mark.parametrize("size", [33, 70, 128])
def test_any_size_will_do(size):
    cohort = skin(3, size=size)
    assert cohort.images.shape == (3, 3, size, size)
    assert cohort.abnormality_masks.any(axis=(1, 2)).all()


def test_a_case_looks_alike_at_any_size():
    import cv2

    small, large = (skin(8, size=size, artefacts=()) for size in (64, 128))
    for one, other in zip(small.abnormality_masks, large.abnormality_masks, strict=True):
        shrunk = cv2.resize(other.astype(np.float32), (64, 64), interpolation=cv2.INTER_AREA) > 0.5
        assert (one & shrunk).sum() / (one | shrunk).sum() > 0.8


def test_no_separation_makes_labels_that_cannot_be_told():
    cohort = skin(300, size=32, separation=0, melanoma=0.5, artefacts=())
    tds = cohort.covariates.tds
    gap = tds[cohort.labels == 1].mean() - tds[cohort.labels == 0].mean()
    assert abs(gap) < 4 * tds.std() * np.sqrt(4 / 300)


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ({"n": 0}, "n must be at least 1"),
        ({"first": -1}, "first is the number of a case"),
        ({"size": 31}, "size must be at least 32"),
        ({"seed": -1}, "seed must be 0 or more, got -1"),
        ({"part": "dev"}, "part must be one of"),
        ({"melanoma": 1.5}, r"melanoma is a share in \[0, 1\], got 1.5"),
        ({"separation": -1}, "separation is 0 or more"),
        ({"artefacts": ("hair", "tape")}, "got 'tape'"),
        ({"erase": "all"}, "erase must be one of"),
        ({"association": 2}, "association is a number from -1 to 1, got 2"),
        ({"association": np.zeros(3)}, "association must be one number or one for each"),
    ],
)
def test_bad_arguments_are_named(argument, sentence):
    with pytest.raises(ValueError, match=sentence):
        skin(**{"n": 2, "size": 32, **argument})
