"""What the figures of the watermark study hold: estimates and runs are made by hand."""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

from shortlib.metrics.estimate import Estimate
from shortlib.report import watermark_figures as figures
from shortlib.report import watermark_maps as maps
from shortlib.report.style import use_style

FINDINGS = ("Edema", "Pleural Effusion")
MODELS = ("Real CNN", "Fine-tuned Real CNN", "Fine-tuned Shortcut CLIP")
VIEWS = ("plain", "aligned", "adversarial")


@pytest.fixture(autouse=True)
def style():
    with plt.rc_context():
        use_style()
        yield
    plt.close("all")


def estimate(value):
    return Estimate(value, value + np.linspace(-0.1, 0.05, 201), 100, 3)


def drawn(figure):
    figure.canvas.draw()  # what cannot be laid out fails here
    return [axis for axis in figure.axes if axis.get_visible()]


def legend_of(figure):
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def points(axis):
    """Return the markers of an axis as {(x, y)}, without the ends of intervals."""
    lines = [line for line in axis.lines if line.get_linestyle() == "None"]
    return {(float(line.get_xdata()[0]), round(float(line.get_ydata()[0]), 6)) for line in lines}


def test_aurocs_have_a_panel_a_view_and_a_point_a_finding():
    by_view = {
        view: {
            model: {
                name: estimate(0.2 * v + 0.05 * m + 0.01 * k)
                for k, name in enumerate((*FINDINGS, "Average"))
            }
            for m, model in enumerate(MODELS)
        }
        for v, view in enumerate(VIEWS)
    }
    published = {"plain": {MODELS[1]: 0.777}}
    figure = figures.draw_aurocs(by_view, published)
    axes = drawn(figure)
    assert [axis.get_title().split("\n")[0] for axis in axes] == list(VIEWS)
    shown = [label.get_text() for label in axes[0].get_yticklabels()]
    assert shown == list(MODELS[1:])  # the fine-tuned ones, from above
    assert axes[0].yaxis_inverted()
    for v, axis in enumerate(axes):
        places = points(axis)
        expected = {round(0.2 * v + 0.05 * m + 0.01 * k, 6) for m in (1, 2) for k in range(3)}
        paper = {0.777} if v == 0 else set()
        assert {round(x, 6) for x, _ in places} == expected | paper
        assert {round(y) for _, y in places} == {0, 1}
        # Each mark in a model's row has a height of its own, but for the paper's average.
        assert len({y for _, y in places}) == 6
        ends = [line.get_xdata() for line in axis.lines if len(line.get_xdata()) == 2]
        widths = [b - a for a, b in ends if (a, b) not in ((0.5, 0.5), (0, 1))]
        assert len(widths) == 6
        np.testing.assert_allclose(widths, 0.95 * 0.15)
    assert legend_of(figure) == [*FINDINGS, "average", "average in the paper"]


def test_all_models_can_be_shown_and_none_is_an_error():
    by_view = {"plain": {name: {"Edema": estimate(0.7)} for name in MODELS}}
    (axis,) = drawn(figures.draw_aurocs(by_view, models=[*MODELS, "Zero-shot Real CLIP"]))
    assert [label.get_text() for label in axis.get_yticklabels()] == list(MODELS)
    with pytest.raises(ValueError, match=r"models must name some of Real CNN, Fine-tuned"):
        figures.draw_aurocs(by_view, models=["Real MLP"])


def test_forgetting_stands_at_its_epochs_and_amounts():
    by_epoch = {
        view: {m: {e: estimate(0.1 + 0.01 * e) for e in (0, 1, 20)} for m in ("cnn", "clip")}
        for view in ("adversarial", "plain")
    }
    by_clean = {"adversarial": {"clip": {0: estimate(0.1), 60: estimate(0.4)}}}
    figure = figures.draw_forgetting(by_epoch, by_clean, most="60 images")
    epochs, amounts = drawn(figure)
    assert epochs.get_title() == "by epoch, 60 images"
    assert [label.get_text() for label in epochs.get_xticklabels()] == ["0", "1", "20"]
    assert [label.get_text() for label in amounts.get_xticklabels()] == ["0", "60"]
    curves = {line.get_label(): line for line in epochs.lines}
    for name in ("Shortcut CNN, adversarial view", "Shortcut CLIP, plain view"):
        np.testing.assert_allclose(curves[name].get_ydata(), [0.1, 0.11, 0.3])
    assert len(epochs.collections) == 4  # a band each
    assert len(amounts.collections) == 1
    assert len(legend_of(figure)) == 4
    assert len(drawn(figures.draw_forgetting(by_epoch))) == 1


def test_mention_shows_both_and_their_difference():
    by_view = {
        view: {"silent": estimate(0.6), "mention": estimate(0.2), "difference": estimate(-0.4)}
        for view in VIEWS
    }
    figure = figures.draw_mention(by_view)
    values, differences = drawn(figure)
    assert {x for x, _ in points(values)} == {0.6, 0.2}
    assert len(points(values)) == 6
    assert points(differences) == {(-0.4, 0.0), (-0.4, 1.0), (-0.4, 2.0)}
    low, high = differences.get_xlim()
    assert low == -high < -0.5
    assert legend_of(figure) == ["reports are silent", "reports mention the symbols"]


def test_nothing_to_draw_is_said():
    with pytest.raises(ValueError, match="by_view is empty"):
        figures.draw_mention({})
    with pytest.raises(ValueError, match="by_epoch is empty"):
        figures.draw_forgetting({"adversarial": {}, "plain": {}})


def test_watermarks_are_shown_beside_the_plain_image():
    images = np.arange(2 * 3 * 4 * 4, dtype=np.uint8).reshape(2, 3, 4, 4)
    axes = drawn(figures.draw_watermarks(images, [[1, 1], [0, float("nan")]], FINDINGS))
    assert len(axes) == 6
    shown = np.stack([axis.images[0].get_array() for axis in axes]).reshape(images.shape)
    np.testing.assert_array_equal(shown, images)
    assert axes[0].get_ylabel() == "Edema,\nPleural Effusion"
    assert axes[3].get_ylabel() == "no finding"
    with pytest.raises(ValueError, match=r"shape \(n, 3, h, w\).*got \(2, 2, 4, 4\)"):
        figures.draw_watermarks(images[:, :2], [[1, 1], [0, 0]], FINDINGS)


def stand_in(method, *, variant=None, seed=0):
    """Stands for a run: four cases a finding, and a symbol in rows 1 to 2, columns 3 to 5."""
    shift = 0.1 * (method == "clip") + 0.01 * seed
    table = pd.DataFrame(
        {
            "case_id": list("abcd") * 2,
            "finding": np.repeat(FINDINGS, 4),
            "label": [1, 0, 1, 0] * 2,
            **{
                name: np.linspace(low, low + 0.1, 8) + shift
                for name, low in zip(
                    ("train_plain", "train_marked", "test_real", "test_shortcut",
                     "box_real", "box_shortcut"),
                    (0.5, 0.4, 0.6, 0.3, 0.1, 0.5), strict=True,
                )
            },
            "box_area": np.repeat([0.02, 0.03], 4),
        }
    )  # fmt: skip
    images = torch.zeros(2, 2, 8, 8, dtype=torch.uint8)
    images[:, 1, 1:3, 3:6] = 255
    found = torch.arange(2 * 2 * 2 * 64).reshape(2, 2, 2, 8, 8).half() / 512
    return SimpleNamespace(
        request={"method": method, "variant": variant or method},
        seed=seed,
        settings={"findings": list(FINDINGS)},
        table={"saliency": table}.__getitem__,
        examples=lambda: {"images": images, "maps": found},
    )


def test_maps_are_those_of_the_finding_and_the_symbol_is_framed():
    runs = {"cnn": stand_in("cnn"), "clip": stand_in("clip")}
    axes = drawn(maps.draw_maps(runs, finding="Pleural Effusion"))
    assert len(axes) == 12
    examples = runs["cnn"].examples()
    shown = [axis.images[0].get_array() for axis in axes[:6]]
    np.testing.assert_array_equal(shown[1], examples["images"][1, 1])
    for k, found in enumerate(examples["maps"][1].reshape(4, 8, 8)):
        np.testing.assert_array_equal(shown[2 + k], found.float())
    assert [len(axis.patches) for axis in axes] == [0, 1] * 6
    (frame,) = axes[1].patches
    assert (*frame.get_xy(), frame.get_width(), frame.get_height()) == (2.5, 0.5, 3, 2)
    assert [axis.get_ylabel() for axis in axes[::6]] == ["CNN", "CLIP"]
    with pytest.raises(ValueError, match="finding must be one of Edema, Pleural Effusion, got 'X'"):
        maps.draw_maps(runs, finding="X")


def test_an_image_without_a_symbol_has_no_frame():
    assert maps.bounding_box(np.zeros((4, 4), bool)) is None


def test_saliency_is_read_from_the_main_variants_alone():
    runs = [stand_in("cnn"), stand_in("cnn", seed=1), stand_in("clip", variant="clip-mention")]
    table = maps.read_saliency(runs)
    assert len(table) == 16
    assert set(table["seed"]) == {0, 1}
    assert set(maps.read_saliency(runs, label=0)["case_id"]) == {"b", "d"}
    with pytest.raises(ValueError, match="none of them"):
        maps.read_saliency(runs[2:])
    with pytest.raises(ValueError, match="label must be 0, 1 or None, got 2"):
        maps.read_saliency(runs, label=2)


def means(axis):
    """Return the diamonds of box plots, from the left."""
    found = [line for line in axis.lines if line.get_marker() == "D"]
    return [y for _, y in sorted((float(line.get_xdata()[0]), float(line.get_ydata()[0]))
                                 for line in found)]  # fmt: skip


def test_consistency_has_a_box_a_finding_and_method():
    runs = [stand_in(m, seed=s) for m in ("clip", "cnn") for s in (0, 1)]
    figure = maps.draw_consistency(runs)
    axes = drawn(figure)
    assert len(axes) == 4
    columns = ("train_plain", "train_marked", "test_real", "test_shortcut")
    for axis, column in zip(axes, columns, strict=True):
        table = pd.concat([run.table("saliency").assign(m=run.request["method"]) for run in runs])
        if column != "train_plain":  # a plain image has no view
            table = table[table["label"] == 1]
        mean = table.groupby(["finding", "m"])[column].mean()
        truth = [mean[f, m] for f in FINDINGS for m in ("cnn", "clip")]
        np.testing.assert_allclose(means(axis), truth)
    assert [label.get_text() for label in axes[2].get_xticklabels()] == list(FINDINGS)
    assert legend_of(figure) == ["CNN", "CLIP", "mean"]


def test_box_mass_stands_against_the_area_of_the_box():
    figure = maps.draw_box_mass([stand_in("cnn"), stand_in("clip")], label=None)
    axes = drawn(figure)
    assert [axis.get_title() for axis in axes] == ["CNN", "CLIP"]
    table = stand_in("cnn").table("saliency").groupby("finding")
    truth = [table[f"box_{arm}"].mean()[f] for f in FINDINGS for arm in ("real", "shortcut")]
    np.testing.assert_allclose(means(axes[0]), truth)
    dashes = [lines.get_segments()[0][0, 1] for lines in axes[0].collections]
    np.testing.assert_allclose(dashes, [0.02, 0.03])
    assert axes[0].get_yscale() == "log"
    assert axes[0].get_ylim()[0] < 0.02
    assert len(drawn(maps.draw_box_mass([stand_in("clip")]))) == 1
