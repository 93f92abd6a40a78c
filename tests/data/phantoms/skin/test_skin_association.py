"""Artefacts and labels: the table against the published counts, the dial against lines."""

import numpy as np
import pandas as pd
import pytest

from shortlib.data.phantoms.skin.association import PREVALENCE, SHORTCUTS, chances


def test_the_ends_of_the_dial_are_the_table():
    labels = np.array([0, 1])
    for k, name in enumerate(SHORTCUTS):
        assert chances(labels, 1)[:, k] == pytest.approx(PREVALENCE[name]["train"])
        assert chances(labels, -1)[:, k] == pytest.approx(PREVALENCE[name]["test"])
        assert chances(labels, 0)[:, k] == pytest.approx([PREVALENCE[name]["all"]] * 2)


def test_the_dial_runs_straight_between_its_stops():
    labels = np.array([0, 1, 1, 0])
    for end in (-1, 1):
        half = (chances(labels, 0) + chances(labels, end)) / 2
        np.testing.assert_allclose(chances(labels, end / 2), half)


def test_each_case_may_have_a_dial_of_its_own():
    labels = np.array([1, 1, 1])
    mixed = chances(labels, np.array([1.0, 0.0, -1.0]))
    for row, dial in zip(mixed, (1, 0, -1), strict=True):
        np.testing.assert_array_equal(row, chances(labels[:1], dial)[0])


def test_train_and_test_point_opposite_ways():
    # Patches are rare in melanomas in both; gel borders and ink come with melanoma in
    # train and never in test.
    train, test = chances(np.array([0, 1]), 1), chances(np.array([0, 1]), -1)
    lean = np.sign(train[1] - train[0]), np.sign(test[1] - test[0])
    opposed = lean[0] == -lean[1]
    assert opposed[[name != "patches" for name in SHORTCUTS]].all()


@pytest.mark.parametrize("dial", [1.1, -2, np.nan])
def test_a_dial_out_of_range_is_refused(dial):
    with pytest.raises(ValueError, match="association is a number from -1 to 1, got"):
        chances(np.array([0]), dial)


def test_a_table_that_lacks_an_artefact_is_refused():
    with pytest.raises(ValueError, match="needs an entry for 'ink'"):
        chances(np.array([0]), 1, {k: v for k, v in PREVALENCE.items() if k != "ink"})


def test_a_chance_above_one_is_refused():
    table = {**PREVALENCE, "ink": {"all": 1.2, "train": (0, 0), "test": (0, 0)}}
    with pytest.raises(ValueError, match="'all' must be chances"):
        chances(np.array([0]), 1, table)


def test_the_table_is_what_the_published_annotations_say(open_data):
    folder = open_data / "isic2018_task1_256" / "annotations"
    if not folder.is_dir():
        pytest.skip("no trap sets here")
    pool = pd.read_csv(folder / "isic_bias.csv", sep=";")
    for name in SHORTCUTS:
        assert pool[name].mean() == pytest.approx(PREVALENCE[name]["all"], abs=6e-5)
    for part in ("train", "test"):
        tables = [pd.read_csv(folder / f"isic_annotated_{part}{k}.csv") for k in range(1, 6)]
        means = pd.concat(tables).groupby("label")[list(SHORTCUTS)].mean()
        for name in SHORTCUTS:
            assert list(means[name]) == pytest.approx(PREVALENCE[name][part], abs=6e-5)
