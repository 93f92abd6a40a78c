from dataclasses import replace

import numpy as np
import pytest

from shortlib.data.cohort import Cohort
from shortlib.data.views import VIEWS, positives, view_of

N = 8


@pytest.fixture
def cohort():
    return Cohort(
        "made-up",
        np.array([f"case-{i}" for i in range(N)]),
        np.random.default_rng(0).integers(0, 200, (N, 1, 5, 5)).astype(np.uint8),
        labels=np.arange(N) % 2,
        shortcut=np.arange(N) < 4,
    )


def corner(image, case_id):
    image, mask = image.copy(), np.zeros(image.shape[1:], bool)
    mask[:2, :2] = True
    image[:, mask] = 255
    return image, mask


def test_planted_views_differ_from_plain_only_inside_the_shortcut(cohort):
    for view, carries in (("aligned", cohort.labels == 1), ("adversarial", cohort.labels == 0)):
        seen = view_of(cohort, view, plant=corner)
        np.testing.assert_array_equal(seen.case_ids, cohort.case_ids)
        np.testing.assert_array_equal(seen.labels, cohort.labels)
        np.testing.assert_array_equal(seen.shortcut, carries)
        images, masks = np.asarray(seen.images), np.asarray(seen.shortcut_masks)
        np.testing.assert_array_equal(masks.any(axis=(1, 2)), carries)
        changed = (images != cohort.images).any(axis=1)
        assert not (changed & ~masks).any()
        assert (images[:, 0][masks] == 255).all()
    assert view_of(cohort, "plain", plant=corner) is cohort


def test_a_view_draws_only_what_is_read(cohort):
    drawn = []

    def plant(image, case_id):
        drawn.append(case_id)
        return corner(image, case_id)

    seen = view_of(cohort, "aligned", plant=plant)
    assert drawn == []
    seen[1:4].images[0]
    assert drawn == ["case-1"]


def test_views_of_a_native_shortcut_select_cases(cohort):
    aligned, adversarial = (view_of(cohort, view) for view in VIEWS[1:])
    assert (aligned.shortcut == (aligned.labels == 1)).all()
    assert (adversarial.shortcut != (adversarial.labels == 1)).all()
    assert sorted([*aligned.case_ids, *adversarial.case_ids]) == sorted(cohort.case_ids)


def test_one_label_of_several_is_under_test(cohort):
    labels = np.full((N, 2), 0.0)
    labels[:, 1] = [1, 0, -1, np.nan, 1, 0, 1, 0]
    several = replace(cohort, labels=labels, label_names=("edema", "effusion"))
    seen = view_of(several, "adversarial", plant=corner, label="effusion")
    assert seen.case_ids.tolist() == [f"case-{i}" for i in (0, 1, 4, 5, 6, 7)]
    assert seen.shortcut.tolist() == [False, True, False, True, False, True]


def test_positives_of_classes(cohort):
    classes = replace(cohort, labels=np.arange(N) % 3, label_names=("a", "b", "c"))
    np.testing.assert_array_equal(positives(classes, "c"), np.arange(N) % 3 == 2)
    with pytest.raises(ValueError, match="name the label under test, one of a, b, c"):
        positives(classes)
    with pytest.raises(ValueError, match="label must be one of a, b, c, got 'd'"):
        positives(classes, "d")


def test_wrong_questions_are_answered(cohort):
    with pytest.raises(ValueError, match="view must be one of"):
        view_of(cohort, "upside-down")
    with pytest.raises(ValueError, match="has no shortcut"):
        view_of(replace(cohort, shortcut=None), "aligned")
