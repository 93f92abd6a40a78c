"""What the figures of the cardiac study hold: images, runs and estimates are made by hand."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from shortlib.data.cohort import Cohort
from shortlib.metrics.estimate import Estimate
from shortlib.report import context_figures as figures
from shortlib.report import context_maps as maps
from shortlib.report.context_overview import (
    draw_models,
    levels_of,
    measure_models,
    printed_models,
)
from shortlib.report.context_pretraining import read_pretraining
from shortlib.report.style import use_style
from shortlib.studies.registry import load_study
from tests.report.context_runs import made_run, made_study

PUBLISHED = load_study("cardiac-context").published()


@pytest.fixture(autouse=True)
def style():
    with plt.rc_context():
        use_style()
        yield
    plt.close("all")


def estimate(value):
    return Estimate(value, value + np.linspace(-0.1, 0.05, 41), 100, 3)


def drawn(figure):
    figure.canvas.draw()  # what cannot be laid out fails here
    return figure.axes


def legend_of(figure):
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def marks(axis, face=None):
    """Places of an axis's marks, those of the paper if their face is none."""
    lines = [line for line in axis.lines if line.get_linestyle() == "None"]
    lines = [line for line in lines if (line.get_markerfacecolor() == "none") == (face == "none")]
    return [(float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in lines]


def test_models_stand_beside_the_papers_and_above_what_is_had_for_nothing():
    measured = {
        (measure, task): {"Full": estimate(0.6), "BYOL": estimate(0.2)}
        for measure in ("auroc", "aks")
        for task in ("cm", "transfer")
    }
    figure = draw_models(measured, printed_models(PUBLISHED), {("auroc", "cm"): 0.5})
    axes = drawn(figure)
    assert [axis.get_title() for axis in axes] == ["CM", "CM→ACDC"] * 2
    assert [label.get_text() for label in axes[0].get_yticklabels()] == ["Full", "BYOL"]
    assert axes[0].get_xlim()[0] < 0.1  # the whole interval of 0.2 is seen
    for axis in axes:
        assert [x for x, _ in marks(axis)] == [0.6, 0.2]
    assert [x for x, _ in marks(axes[1], "none")] == [0.850, 0.925]
    assert [x for x, _ in marks(axes[2], "none")] == [0.115, 0.087]
    widths = [np.ptp(line.get_xdata()) for line in axes[3].lines if len(line.get_xdata()) == 2]
    np.testing.assert_allclose(widths, 0.95 * 0.15)
    assert len(legend_of(figure)) == 3
    with pytest.raises(ValueError, match="measured is empty"):
        draw_models({})


def test_what_is_measured_is_what_the_figure_takes():
    runs = [made_run("full", aks={"cm": 0.3})]
    measured = measure_models(runs)
    assert len(measured) == 6
    assert measured["aks", "cm"]["Full"].value == pytest.approx(0.3)
    levels = levels_of(runs)
    assert levels["aks", "transfer"] == pytest.approx(0.2)
    assert levels["auroc", "cm"] == 0.5  # classes are equally frequent
    assert levels_of([]) == {}
    assert len(legend_of(draw_models(measured))) == 1


def test_figure_2_has_a_point_a_model_and_both_intervals():
    points = {name: (estimate(0.1 * k), estimate(0.9 - 0.1 * k)) for k, name in
              enumerate(("Zero", "Full", "Seg", "Rand"), 1)}  # fmt: skip
    figure = figures.draw_correlation(points, Estimate(-1.0, np.full(9, -1.0)), {
        "Zero": (0.1, 0.5), "Full": (0.2, 0.6), "Seg": (0.3, 0.7), "Rand": (0.4, 0.5)})  # fmt: skip
    ours, paper = drawn(figure)
    np.testing.assert_allclose(marks(ours), [(0.1 * k, 0.9 - 0.1 * k) for k in (1, 2, 3, 4)])
    assert len([line for line in ours.lines if len(line.get_xdata()) == 2]) == 8
    assert "r = -1.00" in ours.get_title()
    assert "over 4 models" in ours.get_title()
    assert len(marks(paper)) == 4
    r = np.corrcoef([0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.5])[0, 1]
    assert f"r = {r:.2f}" in paper.get_title()
    assert legend_of(figure) == ["Zero", "Full", "Seg", "Rand"]


def test_without_a_correlation_the_papers_points_stand_alone():
    points = {"Zero": (0.1, 0.5), "Full": (0.2, 0.6), "Seg": (0.3, 0.7), "Rand": (0.4, 0.5)}
    ours, paper = drawn(figures.draw_correlation({}, None, points))
    assert "fewer than three models" in ours.get_title()
    assert len(marks(paper)) == 4


def test_pretraining_has_a_column_a_method_and_a_line_a_seed():
    table = read_pretraining(made_study(seeds=(0, 1), variants=("simclr", "byol")))
    axes = drawn(figures.draw_pretraining(table, 0.1))
    assert [axis.get_title() for axis in axes] == ["SimCLR", "BYOL", "", ""]
    for above, below in zip(axes[:2], axes[2:], strict=True):
        assert [list(line.get_ydata()) for line in above.lines] == [[1.5, 1.2, 1.0]] * 2
        ends = [line.get_ydata()[-1] for line in below.lines]
        assert ends == pytest.approx([0.5, 0.2, 0.6, 0.2, 0.1])
    with pytest.raises(ValueError, match="table is empty"):
        figures.draw_pretraining(table.iloc[:0], 0.1)


@pytest.fixture(scope="module")
def cohort():
    """Two cases with square hearts at different places."""
    rng = np.random.default_rng(0)
    masks = np.zeros((2, 2, 32, 32), bool)
    masks[0, :, 8:16, 8:16] = masks[1, :, 14:20, 16:22] = True
    return Cohort(
        name="made",
        case_ids=np.array(["a", "b"]),
        images=rng.integers(1, 255, (2, 2, 32, 32), dtype=np.uint8),
        labels=np.array([0, 1]),
        anatomy_masks=masks,
        anatomy_names=("LV ED", "LV ES"),
        label_names=("A", "B"),
    )


def test_regimes_show_what_they_should_of_one_case(cohort):
    shown, heart = maps.regime_images(cohort, 0, 1)
    own, other = np.asarray(cohort.images)
    np.testing.assert_array_equal(heart, cohort.anatomy_masks[0])
    np.testing.assert_array_equal(shown["full"], own)
    np.testing.assert_array_equal(shown["seg"], np.where(heart, own, 0))
    np.testing.assert_array_equal(shown["bg-outline"], np.where(heart, 0, own))
    np.testing.assert_array_equal(shown["rand"][heart], own[heart])
    corner = (slice(None), slice(24, None), slice(0, 8))  # far from both hearts
    np.testing.assert_array_equal(shown["rand"][corner], other[corner])
    np.testing.assert_array_equal(shown["bg"][corner], own[corner])
    assert (shown["bg"][heart] != own[heart]).mean() > 0.9
    axes = drawn(maps.draw_regimes(shown, heart))
    assert len(axes) == 10
    assert [axis.get_title().split(":")[0] for axis in axes[:5]] == [
        "Full", "Seg", "BG", "BG, outline", "Rand",
    ]  # fmt: skip
    np.testing.assert_array_equal(axes[6].images[0].get_array(), shown["seg"][1])
    assert [len(axis.collections) for axis in axes] == [1, 0, 0, 0, 0] * 2


def test_maps_are_of_the_same_cases_with_their_score():
    runs = [made_run("simclr", seed=1), made_run("simclr"), made_run("full"), made_run("zero")]
    names = ["NOR", "DCM", "HCM", "MINF", "RV"]
    axes = np.array(drawn(maps.draw_maps(runs, names=names))).reshape(4, 5)
    assert [axis.get_ylabel() for axis in axes[:, 0]] == ["image", "Zero", "Full", "SimCLR"]
    assert [axis.get_title() for axis in axes[0]] == names
    kept = runs[1].examples()["transfer/fine-tuned/maps"]  # of the first seed
    np.testing.assert_array_equal(axes[3, 1].images[0].get_array(), kept[1, 0].float())
    said = [[text.get_text() for text in axis.texts] for axis in axes[3]]
    assert said[0] == ["1.00"]  # a map that is the heart
    assert said[4] == ["empty"]
    assert float(said[1][0]) == pytest.approx(
        float(kept[1, 0, 2:6, 3:6].float().sum() / kept[1, 0].float().sum()), abs=0.006
    )
    assert len(drawn(maps.draw_maps(runs[2:3], task="cm", phase="ES"))) == 8


def test_maps_that_are_not_there_are_named():
    run = made_run("full", drawn=False)
    with pytest.raises(ValueError, match="runs must hold examples of the task 'cm'"):
        maps.draw_maps([run], task="cm")
    with pytest.raises(ValueError, match="phase must be one of ED, ES, got 'mid'"):
        maps.draw_maps([run], phase="mid")
    with pytest.raises(ValueError, match="task must be one of cm, acdc, transfer, got 'real'"):
        maps.draw_maps([run], task="real")


def test_an_empty_mask_has_no_outline():
    _, axis = plt.subplots()
    maps.outline(axis, np.zeros((4, 4), bool))
    assert len(axis.collections) == 0
