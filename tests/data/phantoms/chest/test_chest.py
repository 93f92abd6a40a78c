"""The chest images: shapes, names, independence of batches, and what a setting changes."""

import numpy as np
import pytest
from scipy.ndimage import label

from shortlib.data.phantoms.chest import Population, chest

TASKS = ("findings", "pneumonia", "pneumothorax")


@pytest.fixture(scope="module")
def cohorts():
    devices = {"marker": 0.3}
    return {task: chest(8, task=task, size=64, seed=3, devices=devices) for task in TASKS}


@pytest.mark.parametrize("task", TASKS)
def test_shapes_and_types(cohorts, task):
    cohort = cohorts[task]
    assert cohort.images.shape == (8, 1, 64, 64)
    assert cohort.images.dtype == np.uint8
    assert cohort.anatomy_masks.shape == (8, 3, 64, 64)
    assert cohort.anatomy_names == ("left lung", "right lung", "heart")
    planes = {"findings": 5, "pneumonia": 3, "pneumothorax": 1}[task]
    assert cohort.abnormality_masks.shape == (8, planes, 64, 64)
    assert len(cohort.covariates) == 8
    assert len(set(cohort.case_ids)) == 8


@pytest.mark.parametrize("task", TASKS)
def test_a_case_depends_on_its_number_alone(cohorts, task):
    one = chest(1, task=task, size=64, seed=3, first=7, devices={"marker": 0.3})
    several = cohorts[task][7]
    assert one.checksum() == several.checksum()


@pytest.mark.parametrize("task", TASKS)
def test_follow_ups_are_of_the_same_person_and_say_what_changed(task):
    cohort = chest(8, task=task, size=32, seed=2, population=Population(repeats=1, follow_up=1))
    rows = cohort.covariates
    assert len(set(cohort.patient_ids)) == 2
    assert rows.groupby("patient").age.nunique().max() == 1
    assert (rows.prior == (rows.study_index > 0)).all()
    for name in cohort.abnormality_names:
        column = name.lower().replace(" ", "_")
        now = rows[f"{column}_severity"]
        change, side = rows[f"{column}_change"], rows[f"{column}_side"]
        assert (change[~rows.prior] == "").all()
        assert ((side != "") == (now > 0)).all()
        assert change[now > 0].isin(["", "new", "worse", "unchanged", "better"]).all()
        assert change[now == 0].isin(["", "resolved"]).all()


def test_the_seed_decides():
    first, second = chest(2, size=64, seed=0), chest(2, size=64, seed=1)
    assert (first.images != second.images).mean() > 0.5


@pytest.mark.parametrize("task", TASKS)
def test_masks_are_where_the_labels_say(task):
    cohort = chest(25, task=task, size=64, seed=5)
    seen = cohort.abnormality_masks.any((2, 3))
    if task == "findings":
        due = cohort.labels == 1
    else:
        names = np.array(cohort.label_names)[cohort.labels]
        due = names[:, None] == np.array(cohort.abnormality_names)
    assert not (seen & ~due).any()
    # The least blunting of an angle may be smaller than a pixel.
    assert (seen & due).sum() >= 0.9 * due.sum()


def test_the_hearts_apex_and_the_left_lung_are_on_the_right_of_the_image():
    cohort = chest(12, size=96, seed=1, findings={"Pleural Effusion": 0, "Cardiomegaly": 0})
    columns = np.arange(96)

    def middle(plane):
        mask = cohort.plane("anatomy_masks", plane)
        return (mask.sum(1) * columns).sum(1) / mask.sum((1, 2))

    assert (middle("left lung") > middle("heart")).all()
    assert (middle("heart") > middle("right lung")).all()
    spine = (middle("left lung") + middle("right lung")) / 2
    assert (middle("heart") - spine).mean() > 0.5


def test_lungs_are_darker_than_the_heart_and_the_belly():
    cohort = chest(12, size=96, seed=2, findings=dict.fromkeys(("Edema", "Consolidation"), 0))
    images = cohort.images[:, 0].astype(float)
    lungs = cohort.anatomy_masks[:, :2].any(1)
    heart = cohort.anatomy_masks[:, 2]
    belly = images[:, 88:, 40:56].mean((1, 2))
    for image, lung, organ, low in zip(images, lungs, heart, belly, strict=True):
        assert image[lung].mean() + 40 < image[organ].mean()
        assert image[lung].mean() + 40 < low


@pytest.mark.parametrize("size", [128, 299])
def test_anatomy_is_the_same_at_every_size(size):
    small = chest(3, size=64, seed=4)
    other = chest(3, size=size, seed=4)
    shares = small.anatomy_masks.mean((2, 3)), other.anatomy_masks.mean((2, 3))
    np.testing.assert_allclose(*shares, atol=0.01)
    greys = small.images.mean((1, 2, 3)), other.images.mean((1, 2, 3))
    np.testing.assert_allclose(*greys, atol=4)


def test_erasing_leaves_the_rest_of_the_picture():
    settings = dict(task="findings", size=96, seed=6, findings={"Consolidation": 1})
    settings["findings"] |= dict.fromkeys(("Atelectasis", "Cardiomegaly", "Edema"), 0)
    full = chest(8, **settings)
    without = chest(8, erase=("Consolidation",), **settings)
    place = full.abnormality_names.index("Consolidation")
    mask = full.abnormality_masks[:, place]
    change = np.abs(full.images[:, 0].astype(int) - without.images[:, 0])
    assert change[mask].mean() > 8
    # Scatter and the display carry a little of it elsewhere.
    far = ~mask & ~full.anatomy_masks.any(1)
    assert change[far].mean() < 3
    assert not without.abnormality_masks[:, place].any()
    np.testing.assert_array_equal(full.labels, without.labels)
    assert full.covariates.equals(without.covariates)


def test_erasing_cardiomegaly_gives_the_patients_own_heart():
    settings = dict(size=96, seed=6, findings=dict.fromkeys(_FIVE, 0) | {"Cardiomegaly": 1})
    big, own = chest(8, **settings), chest(8, erase=True, **settings)
    assert (
        big.plane("anatomy_masks", "heart").sum((1, 2))
        > own.plane("anatomy_masks", "heart").sum((1, 2))
    ).all()
    ratio = _cardiothoracic(own)
    assert (ratio < 0.53).all()
    assert (_cardiothoracic(big) > ratio).all()


def test_erasing_a_normal_case_changes_nothing():
    settings = dict(size=64, seed=6, findings=dict.fromkeys(_FIVE, 0))
    assert chest(4, **settings).checksum() == chest(4, erase=True, **settings).checksum()


def test_a_pneumothorax_is_darker_and_without_vessels_beyond_its_line():
    settings = dict(task="pneumothorax", size=224, seed=8, p_tube={1: 0})
    settings["findings"] = dict.fromkeys(_FIVE, 0) | {"Pneumothorax": 1}
    full, without = chest(10, **settings), chest(10, erase=True, **settings)
    mask = full.abnormality_masks[:, 0]
    large = mask.mean((1, 2)) > 0.01
    assert large.sum() >= 3
    for image, plain, where in zip(
        full.images[large, 0], without.images[large, 0], mask[large], strict=True
    ):
        assert image[where].mean() < plain[where].mean()
    lungs = full.anatomy_masks[:, :2].any(1)
    assert (mask <= lungs).all()
    # One lung alone.
    touched = (mask[:, None] & full.anatomy_masks[:, :2]).any((2, 3))
    assert (touched.sum(1) == 1).all()


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (dict(n=0), "n must be"),
        (dict(size=8), "size must be"),
        (dict(first=-1), "first must"),
        (dict(task="skin"), "task must be"),
        (dict(findings={"Fracture": 0.1}), "Fracture"),
        (dict(findings={"Edema": 1.5}), "1.5"),
        (dict(p_tube={1: 0.5}), "p_tube is for"),
        (dict(task="pneumothorax", p_tube={2: 0.5}), "p_tube has 2"),
        (dict(devices={"sword": 0.5}), "sword"),
        (dict(erase=("Gout",)), "Gout"),
        (
            dict(
                task="pneumonia",
                findings=dict.fromkeys(("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia"), 0),
            ),
            "at least one class",
        ),
        (dict(task="pneumonia", population=Population(adult={"Flu": 0.1})), "Flu"),
    ],
)
def test_a_wrong_setting_is_named(settings, name):
    with pytest.raises(ValueError, match=name):
        chest(**{"n": 1, "size": 64, **settings})


def test_a_share_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r"population\.female.*1\.2"):
        Population(female=1.2)
    with pytest.raises(ValueError, match=r"population\.adult\['Normal'\]"):
        Population(adult={"Normal": -1})


_FIVE = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion")


def _cardiothoracic(cohort):
    heart = cohort.plane("anatomy_masks", "heart").any(1)
    lungs = cohort.anatomy_masks[:, :2].any((1, 2))

    def width(rows):
        return np.array([np.flatnonzero(row)[-1] - np.flatnonzero(row)[0] + 1 for row in rows])

    return width(heart) / width(lungs)


def test_each_lung_is_in_one_piece():
    for mask in (
        chest(40, task="pneumonia", size=160, seed=1).anatomy_masks[:, :2].reshape(-1, 160, 160)
    ):
        assert label(mask)[1] == 1
