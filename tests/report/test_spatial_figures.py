"""Figures of the spatial-specificity study show the numbers that they were given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from shortlib.report.spatial_figures import AREA, draw_models, draw_size, draw_specificity
from shortlib.report.spatial_images import as_picture, draw_found, draw_labels
from shortlib.report.spatial_overlap import draw_gaps, draw_overlap_dial, has_gaps
from shortlib.report.spatial_sweep import draw_sweep
from shortlib.studies.registry import load_study
from shortlib.studies.spatial_specificity.examples import drawn_examples
from shortlib.studies.spatial_specificity.sweeping import sweep
from tests.studies.specificity_runs import CHEST, ISIC, STICKERS, made_run, pixels_where

PUBLISHED = load_study("spatial-specificity").published()


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def perfect(labels, shortcut, view, selection, rng):
    return labels + 0.0


def by_shortcut(labels, shortcut, view, selection, rng):
    return shortcut + 0.0


def points_of(axis, label):
    return next(line for line in axis.get_lines() if line.get_label() == label).get_ydata()


@pytest.fixture(scope="module")
def chest():
    scores = {"binary-erm": by_shortcut, "boxes": by_shortcut, "masks": perfect}
    return [made_run(variant, score=score) for variant, score in scores.items()]


def test_the_line_of_specificity_goes_through_the_measured_points(chest):
    (axis,) = draw_specificity({CHEST: chest}, PUBLISHED).axes
    np.testing.assert_allclose(points_of(axis, CHEST), [0, 0, 1])
    np.testing.assert_allclose(points_of(axis, "the paper, radiographs"), [0.455, 0.720, 0.820])
    np.testing.assert_allclose(points_of(axis, "the paper, skin"), [0.359, 0.305, 0.727])


def test_a_data_set_has_an_overall_panel_only_where_it_differs(chest):
    isic = [made_run("masks", data=ISIC, score=perfect)]
    figure = draw_models({CHEST: chest, ISIC: isic}, PUBLISHED)
    titles = [(axis.get_title(), axis.get_xlabel()) for axis in figure.axes]
    assert titles == [(CHEST, "overall AUROC"), (CHEST, "robust AUROC"), (ISIC, "robust AUROC")]


def test_the_area_of_the_lesion_stands_above_the_models():
    run = made_run("masks", data=ISIC, score=perfect)
    areas = 0.1 + np.arange(80) / 1000  # pairs of like size, and some that are not
    run.tables["cases"]["area"] = areas
    figure = draw_size({ISIC: [run], CHEST: [made_run("masks")]})
    assert [axis.get_title() for axis in figure.axes] == [ISIC, ISIC]
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == [AREA, "Seg-ERM"]
    cases = run.tables["cases"].query("split == 'test'")
    lesions = cases[["case_id", "label"]].assign(lesion_score=1.0 - cases["label"])
    other = made_run("boxes", data=ISIC, score=perfect, tables={"overlaps": lesions})
    other.tables["cases"]["area"] = areas
    three = draw_size({ISIC: [run, other]})
    labels = [axis.get_xlabel() for axis in three.axes]
    assert labels == [
        "AUROC, all pairs",
        "AUROC, pairs of like size",
        "AUROC of the lesion's score",
    ]
    points = [line.get_xdata() for line in three.axes[2].get_lines() if line.get_ls() == "None"]
    np.testing.assert_allclose(points, [[0.0]])
    # A perfect score is perfect among any pairs.
    points = [line.get_xdata() for line in figure.axes[1].get_lines() if line.get_ls() == "None"]
    np.testing.assert_allclose(points, [[1.0]])


def test_nothing_measured_is_refused():
    with pytest.raises(ValueError, match="measured is empty"):
        draw_models({CHEST: []}, PUBLISHED)


@pytest.mark.parametrize("against", ["cases", "dollars"])
def test_the_sweep_has_a_line_a_model(against):
    runs = [made_run("masks", share=share) for share in (0.125, 0.5, 1.0)]
    table = sweep([*runs, made_run("binary-erm", score=by_shortcut)])
    figure = draw_sweep(table, against=against)
    assert [axis.get_ylabel() for axis in figure.axes] == ["robust AUROC", "overall AUROC"]
    (names,) = ([t.get_text() for t in legend.get_texts()] for legend in figure.legends)
    assert names == ["Binary-ERM", "Seg-ERM"]
    due = table.loc[table["model"] == "Seg-ERM"].sort_values(against)["robust"]
    drawn = [line.get_ydata() for line in figure.axes[0].get_lines() if len(line.get_xdata()) == 3]
    assert any(np.allclose(line, due) for line in drawn)


def test_a_sweep_over_nothing_is_refused():
    with pytest.raises(ValueError, match="empty"):
        draw_sweep(sweep([]))
    with pytest.raises(ValueError, match="cases, dollars, got 'hours'"):
        draw_sweep(sweep([made_run("masks")]), against="hours")


def test_gaps_stand_at_the_stated_overlap():
    flags = {"hair": np.arange(40) % 2 == 0, "ink": np.arange(40) % 4 == 0}
    runs = [made_run("masks", data=ISIC, artefacts=flags, tables={"pixels": pixels_where()})]
    assert has_gaps(runs)
    figure = draw_gaps({ISIC: runs})
    (axis,) = figure.axes
    shown = {t.get_text() for legend in figure.legends for t in legend.get_texts()}
    assert shown == {"hair"}  # ink is benign alone
    assert 1.0 in [line.get_xdata()[0] for line in axis.get_lines() if line.get_label() == "hair"]
    assert not has_gaps([made_run("masks", data=ISIC, artefacts={"ink": flags["ink"]})])


def test_the_dial_has_both_models_at_every_overlap():
    runs = [
        made_run(variant, data=STICKERS, overlap=overlap, score=score)
        for overlap in (0.0, 0.5, 1.0)
        for variant, score in (("binary-erm", by_shortcut), ("masks", perfect))
    ]
    (axis,) = draw_overlap_dial(runs).axes
    np.testing.assert_allclose(points_of(axis, "Binary-ERM"), [0, 0, 0])
    np.testing.assert_allclose(points_of(axis, "Seg-ERM"), [1, 1, 1])
    with pytest.raises(ValueError, match="stickers"):
        draw_overlap_dial([made_run("masks")])


def test_labels_are_drawn_for_each_example():
    figure = draw_labels(drawn_examples(2))
    assert len(figure.axes) == 8
    assert [axis.get_title() for axis in figure.axes[:4]] == [
        "image label", "quadrants", "a box a lesion", "mask",
    ]  # fmt: skip
    # Under an image label every pixel is tinted, under a mask most are as they were.
    whole, mask = (figure.axes[k].get_images()[0].get_array() for k in (0, 3))
    grey = np.ptp(np.asarray(mask), axis=2) < 1e-6
    assert 0.5 < grey.mean() < 1
    assert not (np.ptp(np.asarray(whole), axis=2) < 1e-6).any()


class _Kept:
    """A run with example images."""

    def __init__(self):
        self.settings = {"lesion_classes": 1}
        self._kept = {
            "images": torch.full((4, 1, 8, 8), 128, dtype=torch.uint8),
            "masks": torch.zeros(4, 8, 8, dtype=torch.uint8),
            "labels": torch.tensor([1, 1, 0, 0], dtype=torch.uint8),
            "found": torch.zeros(4, 8, 8, dtype=torch.uint8),
        }
        self._kept["masks"][:2, 2:4, 2:4] = 1
        self._kept["found"][0, 2:4, 2:4] = 1

    def examples(self):
        return self._kept


def test_what_is_found_is_tinted():
    figure = draw_found({"masks": _Kept()}, rows=2)
    found = np.asarray(figure.axes[1].get_images()[0].get_array())
    tinted = np.ptp(found, axis=2) > 0.1
    assert tinted[2:4, 2:4].all()
    assert tinted.sum() == 4
    assert not (np.ptp(np.asarray(figure.axes[3].get_images()[0].get_array()), axis=2) > 0).any()


def test_a_grey_picture_becomes_one_of_three_channels():
    grey = as_picture(np.array([[[0, 255]]], np.uint8))
    np.testing.assert_array_equal(grey, [[[0, 0, 0], [1, 1, 1]]])
