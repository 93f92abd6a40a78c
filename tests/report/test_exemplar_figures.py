"""What the figures of the exemplar study hold; runs are made by hand."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from shortlib.report import exemplar_figures as figures
from shortlib.report import exemplar_maps as maps
from shortlib.report.exemplar_pairs import draw_pairs
from shortlib.report.exemplar_tradeoff import draw_tradeoff
from shortlib.report.style import use_style
from shortlib.studies.exemplary_explanations.measures import pair_table, sweep
from shortlib.studies.registry import load_study
from tests.report.exemplar_runs import AREA, made_pairs, made_run

PUBLISHED = load_study("exemplary-explanations").published()
AP = {("unrefined", 0.0): 0.25, ("continued", 0.0): 0.3, ("exbl", 0.3): 0.5, ("exbl", 1.0): 0.4}
ACCURACY = {("exbl", 0.3): 0.75, ("exbl", 1.0): 0.5}


@pytest.fixture(autouse=True)
def style():
    with plt.rc_context():
        use_style()
        yield
    plt.close("all")


def drawn(figure):
    figure.canvas.draw()  # what cannot be laid out fails here
    return figure.axes


def legend_of(figure):
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def marks(axis, face=None):
    """Places of an axis's marks without a line, those that are hollow if their face is none."""
    lines = [line for line in axis.lines if line.get_linestyle() == "None"]
    lines = [line for line in lines if (line.get_markerfacecolor() == "none") == (face == "none")]
    places = [np.column_stack([line.get_xdata(), line.get_ydata()]) for line in lines]
    return [tuple(map(float, place)) for part in places for place in part]


def test_models_stand_beside_the_papers_and_an_even_map():
    figure = figures.draw_models([made_run(ap=AP)], PUBLISHED)
    axes = drawn(figure)
    labels = ["accuracy", "activation precision", "accuracy, flipped cases"]
    assert [axis.get_xlabel() for axis in axes] == labels
    names = [label.get_text() for label in axes[0].get_yticklabels()]
    assert names[:4] == ["Unrefined", "Fine-tuned", "eXBL", "eXBL, weight 1"]
    assert [x for x, _ in marks(axes[1])][:4] == pytest.approx([0.25, 0.3, 0.5, 0.4])
    assert [x for x, _ in marks(axes[1], "none")] == [0.32, 0.35]
    assert not marks(axes[2], "none")
    levels = [
        line.get_xdata()[0] for axis in axes for line in axis.lines if line.get_linestyle() == ":"
    ]
    assert levels == [0.25, AREA, 0.25]  # four classes, and the lungs' share
    assert len(legend_of(figure)) == 3


def test_what_the_data_lack_has_no_panel():
    axes = drawn(figures.draw_models([made_run(data="covid-cxr-lungmask", flipped=False)]))
    assert len(axes) == 2
    with pytest.raises(ValueError, match="measured is empty"):
        figures.draw_models([])


def test_weights_stand_at_their_points_and_the_chosen_one_has_a_ring():
    figure = draw_tradeoff(sweep([made_run(ap=AP, accuracy=ACCURACY)]), even=AREA)
    left, right = drawn(figure)
    said = {text.get_text(): text for text in left.texts}
    assert set(said) == {"0.3", "1", "0.01"}
    assert marks(left, "none") == [pytest.approx((0.75, 0.5))]  # weight 1 costs too much
    point = left.transData.transform((0.5, 0.4))
    near = [t for t in left.texts if np.hypot(*(left.transData.transform(t.xy) - point)) < 1]
    assert [text.get_text() for text in near] == ["1"]
    assert [text.get_text() for text in right.get_xticklabels()] == ["0.01", "0.3", "1"]
    assert right.get_xscale() == "log"
    assert "an even map" in legend_of(figure)


def test_numbers_of_weights_do_not_cover_each_other():
    """All models in one place: the numbers must part."""
    figure = draw_tradeoff(sweep([made_run()]))
    axis = drawn(figure)[0]
    boxes = [text.get_window_extent() for text in axis.texts]
    assert len(boxes) == 5
    for k, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:k])


def test_without_flipped_cases_there_is_one_panel():
    assert len(drawn(draw_tradeoff(sweep([made_run(flipped=False)])))) == 1
    with pytest.raises(ValueError, match="table is empty"):
        draw_tradeoff(sweep([]))


def test_every_pair_has_a_point():
    figure = draw_pairs(pair_table([made_pairs([0.2, 0.4, 0.6], [0.1, 0.1])]))
    precision, accuracy = drawn(figure)
    points = marks(precision)
    assert sorted(y for _, y in points) == pytest.approx([0.1, 0.1, 0.2, 0.4, 0.6])
    assert len(set(points)) == 5  # equal ones stand beside each other
    assert {round(x) for x, _ in points} == {0, 1}
    levels = {
        line.get_linestyle(): line.get_ydata()[0]
        for line in precision.lines
        if line.get_linestyle() in (":", "--")
    }
    assert levels == pytest.approx({":": 0.3, "--": 0.5})
    assert np.ptp(accuracy.get_ylim()) >= 0.1  # all are equal
    assert legend_of(figure) == ["mean over pairs", "Unrefined", "Fine-tuned"]
    with pytest.raises(ValueError, match="table holds no pair"):
        draw_pairs(pair_table([]))


def test_losses_have_a_line_for_each_weight_and_seed():
    groups = {"real": [], "drawn": [made_run(), made_run(seed=1)]}
    figure = figures.draw_losses(groups)
    entropy, explained = drawn(figure)
    ends = sorted(line.get_ydata()[-1] for line in entropy.lines)
    assert ends == pytest.approx([1.0, 1.3, 2.0, 2.0, 2.3, 3.0])  # 1 + weight + seed
    courses = [line for line in explained.lines if line.get_linestyle() == "-"]
    assert len(courses) == 4  # fine-tuning has no such loss
    assert [line.get_ydata()[0] for line in explained.lines if line not in courses] == [1.0]
    assert "weight 0.3" in legend_of(figure)
    with pytest.raises(ValueError, match="must hold a run that refined by eXBL"):
        figures.draw_losses({"real": []})


def test_maps_say_how_much_of_them_lies_in_the_lungs():
    run = made_run(ap=AP, accuracy=ACCURACY)
    axes = drawn(maps.draw_maps(run))
    assert len(axes) == 12
    titles = [axis.get_title() for axis in axes[:4]]
    assert titles[:2] == ["image", "Unrefined"]
    assert titles[2:] == ["eXBL, weight 0.3\n(chosen)", "eXBL, weight 1\n(as printed)"]
    said = [[text.get_text() for text in axis.texts] for axis in axes]
    # Unrefined maps lie outside the lungs, refined ones inside; those of the third case are empty.
    assert said[:4] == [[], ["0.00"], ["1.00"], ["1.00"]]
    assert said[8:] == [[], ["empty"], ["empty"], ["empty"]]


def test_a_chosen_weight_that_is_the_papers_stands_once():
    run = made_run(ap={("exbl", 1.0): 0.9})
    axes = drawn(maps.draw_maps(run))
    assert axes[2].get_title() == "eXBL, weight 1\n(chosen, as printed)"
    assert len(axes) == 9


def test_exemplars_are_the_good_one_above_the_bad_one():
    axes = drawn(maps.draw_exemplars(made_run()))
    assert [axis.get_ylabel() for axis in axes] == ["the good one", "", "the bad one", ""]
    assert [t.get_text() for axis in axes for t in axis.texts] == ["1.00", "0.00"]
    good = axes[1].images[1].get_array()
    assert good[:, :4].all()
    assert not good[:, 4:].any()


def test_only_drawn_runs_show_images():
    runs = [made_pairs([0.1], [0.2]), made_run(seed=1), made_run()]
    assert maps.example_run(runs).seed == 0
    assert maps.example_run([made_run(data="covid-cxr-lungmask")]) is None
    assert maps.example_run([]) is None


def test_one_illness_in_two_bodies():
    patients = maps.same_illness("COVID", number=3, seed=1, size=64)
    child, adult = patients["child"], patients["adult"]
    assert list(child.labels) == list(adult.labels) == [0]
    assert [bool(one.shortcut[0]) for one in (child, adult)] == [False, True]
    severity = [one.covariates.filter(like="_severity") for one in (child, adult)]
    pd.testing.assert_frame_equal(*severity)
    with pytest.raises(ValueError, match="label must be one of COVID"):
        maps.same_illness("Flu")


def test_the_joint_is_enlarged_within_the_image():
    patients = maps.same_illness(seed=6, size=64)
    child, adult, joint, _ = drawn(maps.draw_confounder(patients))
    assert [child.get_title(), adult.get_title()] == ["as a child", "as an adult"]
    (left, right), (bottom, top) = joint.get_xlim(), joint.get_ylim()
    assert right - left == bottom - top < 64
    assert min(left, top) >= -0.5
    assert max(right, bottom) <= 63.5
    mask = patients["child"].shortcut_masks[0]
    seen = mask[int(top + 0.5) : int(bottom + 0.5), int(left + 0.5) : int(right + 0.5)]
    assert seen.sum() >= mask.sum() / 2  # the larger of two joints
