"""What the figures hold; the projection itself is replaced, for its first call takes seconds."""

import sys
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest

from shortlib.data.phantoms import squares
from shortlib.metrics import variance_closed_form
from shortlib.report import specificity_figures as figures
from shortlib.report.specificity_tables import measure_groups
from shortlib.report.style import use_style
from shortlib.studies.registry import load_study

STUDY = load_study("spatial-specificity-synthetic")
MODEL = {"n": 40, "a": 8, "b": 12, "mu_a": 2.0, "mu_s": -10.0, "sigma": 1.0}


@pytest.fixture(autouse=True)
def style():
    with plt.rc_context():
        use_style()
        yield
    plt.close("all")


@pytest.fixture(scope="module")
def runs(make_run):
    return [make_run(r, batch=b) for b in ("printed", "minibatch") for r in (1, 4, 40)]


def visible(figure):
    figure.canvas.draw()  # what cannot be laid out fails here
    return [axis for axis in figure.axes if axis.get_visible()]


def legend_of(figure):
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def test_the_shortcut_is_shown_with_and_against_the_label():
    train, test = squares(60, seed=0), squares(200, train=False, seed=0)
    figure = figures.draw_shortcut(train, test)
    axes = visible(figure)
    assert len(axes) == 8
    assert [a.get_title() for a in axes] == ["abnormal", "abnormal", "normal", "normal"] * 2
    assert [axes[0].get_ylabel(), axes[4].get_ylabel()] == ["training", "in use"]
    shown = [axis.images[0].get_array() for axis in axes]
    loud = [bool((image < -6).sum() > 50) for image in shown]
    assert loud == [True, True, False, False, False, False, True, True]
    assert len({image.tobytes() for image in shown}) == 8  # eight images, none twice


def test_without_a_shortcut_to_show_the_panel_says_so():
    figure = figures.draw_shortcut(squares(60, rho=0.0), squares(200, train=False))
    said = [[text.get_text() for text in axis.texts] for axis in visible(figure)]
    assert said == [["none in these data"]] * 2 + [[]] * 6


def test_labels_shrink_to_the_abnormality():
    cohort = squares(40, train=False, seed=3)
    figure = figures.draw_labels(cohort, [1, 4, 40])
    axes = visible(figure)
    assert [axis.get_title() for axis in axes] == ["r = 1", "r = 4", "r = 40"]
    for axis in axes:
        assert len(axis.images) == 1
    case = int(np.flatnonzero((cohort.labels == 1) & cohort.shortcut)[0])
    rows, columns = np.nonzero(cohort.abnormality_masks[case])
    (path,) = axes[-1].collections[0].get_paths()
    (left, top), (right, bottom) = path.vertices.min(axis=0), path.vertices.max(axis=0)
    assert (left, right) == (columns.min() - 0.5, columns.max() + 0.5)
    assert (top, bottom) == (rows.min() - 0.5, rows.max() + 0.5)


def test_curves_stand_at_their_values(runs):
    metrics = ("robust_auroc", "variance_measure", "mutual_information_label")
    reference = measure_groups(STUDY, runs, metrics)
    here = measure_groups(STUDY, runs[:3], ("robust_auroc",))
    figure = figures.draw_specificity(reference, here)
    axes = visible(figure)
    assert [axis.get_title() for axis in axes] == list(figures.BATCH_TITLES.values())
    for axis, measured in zip(axes, reference.values(), strict=True):
        assert axis.get_xlabel() == "spatial specificity r"
        assert list(axis.get_xticks()) == [1, 4, 40]
        assert [label.get_text() for label in axis.get_xticklabels()] == ["1", "4", "40"]
        curves = {line.get_label(): line for line in axis.lines}
        assert list(curves["robust AUROC"].get_xdata()) == [1, 4, 40]
        truth = [estimate.value for estimate in measured["robust_auroc"].values()]
        np.testing.assert_allclose(curves["robust AUROC"].get_ydata(), truth)
        assert max(curves["variance / its maximum"].get_ydata()) == 1
        low, high = axis.get_ylim()
        assert low < 0
        assert high > 1
    assert len(axes[0].containers) == 1  # points of this run, where there are any
    assert len(axes[1].containers) == 0
    assert legend_of(figure) == [
        "robust AUROC",
        "variance / its maximum",
        "MI(label, shortcut) / its maximum",
        "robust AUROC, this run",
    ]


def test_curves_without_this_run(runs):
    metrics = ("robust_auroc", "variance_measure", "mutual_information_label")
    figure = figures.draw_specificity(measure_groups(STUDY, runs[:3], metrics))
    assert len(visible(figure)) == 1
    assert len(legend_of(figure)) == 3


@pytest.mark.parametrize("n", [1, 3, 4])
def test_histories_have_a_panel_a_run_and_mark_the_chosen_epochs(runs, n):
    figure = figures.draw_histories({f"run {i}": run for i, run in enumerate(runs[:n])})
    axes = visible(figure)
    assert [axis.get_title() for axis in axes] == [f"run {i}" for i in range(n)]
    for axis, run in zip(axes, runs, strict=False):
        curves = {line.get_label(): line for line in axis.lines}
        history = run.history
        for part in ("train", "validation", "test"):
            np.testing.assert_allclose(curves[f"{part} loss"].get_ydata(), history[f"{part}_loss"])
        assert [line.get_xdata()[0] for line in axis.lines[3:]] == [2, 3]
        assert axis.get_xlabel() == "epoch"
        assert axis.get_yscale() == "log"
    assert legend_of(figure) == ["train loss", "validation loss", "test loss"]


def test_embeddings_are_told_apart_by_label_and_shortcut(runs, monkeypatch):
    class FirstTwo:
        """Stands for UMAP: the first two dimensions."""

        def __init__(self, *, n_neighbors, random_state, n_jobs):
            assert 1 < n_neighbors <= 15

        def fit_transform(self, vectors):
            return vectors[:, :2]

    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=FirstTwo))
    figure = figures.draw_embeddings({"one": runs[0], "two": runs[1], "three": runs[2]})
    axes = visible(figure)
    assert [axis.get_title() for axis in axes] == ["one", "two", "three"]
    names = legend_of(figure)
    assert names == [
        "normal, no shortcut",
        "normal, with shortcut",
        "abnormal, no shortcut",
        "abnormal, with shortcut",
    ]
    for axis, run in zip(axes, runs, strict=False):
        ids, vectors = run.embeddings()
        facts = run.predictions.drop_duplicates("case_id").set_index("case_id")
        for points in axis.collections:
            label, shortcut = points.get_label().split(", ")
            wanted = (int(label == "abnormal"), int(shortcut == "with shortcut"))
            rows = [k for k, i in enumerate(ids) if (facts.label[i], facts.shortcut[i]) == wanted]
            truth = vectors["test"].float().numpy()[rows, :2]
            np.testing.assert_allclose(points.get_offsets(), truth)


def test_closed_forms_stand_beside_what_was_sampled(runs):
    sampled = measure_groups(STUDY, runs[:3], ("variance_measure", "mutual_information"))
    figure = figures.draw_closed_forms(MODEL, sampled["printed"])
    variance, information = visible(figure)
    curve = variance.lines[0]
    np.testing.assert_allclose(curve.get_ydata(), variance_closed_form(np.arange(1, 41), **MODEL))
    points = next(line for line in variance.lines if "sampled" in line.get_label())
    truth = [e.value for e in sampled["printed"]["variance_measure"].values()]
    np.testing.assert_allclose(points.get_ydata(), truth)
    for axis in (variance, information):
        assert axis.get_title()
        assert list(axis.get_xticks()) == [1, 4, 40]
        assert axis.get_ylim()[0] == 0
        assert axis.get_legend() is not None
