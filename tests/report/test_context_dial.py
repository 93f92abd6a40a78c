"""The cardiac dial, still and for the page: every choice and every number."""

import json
import re
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from shortlib.report import context_dial as dial
from shortlib.report import context_dial_page as page
from shortlib.report.export import Export
from shortlib.report.style import use_style
from shortlib.studies.cardiac_context.measures import dial as measure
from tests.report.context_runs import made_run

TURNED = [(0.0, 0.0), (0.7, 0.0), (1.0, 0.0), (0.7, 0.7), (0.7, -0.7)]
MAIN = (0.7, 0.0)


@pytest.fixture(autouse=True)
def style():
    with plt.rc_context():
        use_style()
        yield
    plt.close("all")


def value_of(cm, acdc, variant, task, view):
    cue = {"cm/plain": cm, "cm/adversarial": -cm, "transfer/plain": acdc, "acdc/plain": acdc}
    return 0.7 + 0.2 * cue[f"{task}/{view}"] * (variant != "seg")


def table_of(variants, settings=TURNED, alone=()):
    """The dial of some variants at all settings, of others at the main one alone."""
    rows = []
    for (cm, acdc), name in [*product(settings, variants), *((MAIN, name) for name in alone)]:
        for patients in dial.PATIENTS:
            task, view = patients.split("/")
            if view == "adversarial" and cm == 0:
                continue  # nothing to turn round, so nothing was tested
            value = value_of(cm, acdc, name, task, view)
            rows.append((cm, acdc, name, task, view, value, value - 0.05, value + 0.03, 1))
    return pd.DataFrame(rows, columns=dial.COLUMNS)


FULL = dial.prepare_dial(table_of(["full", "seg"], alone=["zero"]))


def curves(axis):
    return {line.get_label(): line for line in axis.lines if not line.get_label().startswith("_")}


def test_without_an_association_the_view_that_turns_it_round_is_the_plain_one():
    for name, value in (("full", 0.7), ("seg", 0.7)):
        at = FULL[(FULL["cm"] == 0) & (FULL["variant"] == name) & (FULL["view"] == "adversarial")]
        assert list(at["value"]) == [value]
    raw = table_of(["full"])
    known = dial.prepare_dial(pd.concat([raw, raw.assign(cm=np.nan, acdc=np.nan)]))
    assert len(known) == len(raw) + 1
    assert len(dial.prepare_dial(known)) == len(known)  # added once only
    with pytest.raises(ValueError, match="lacks the columns view, high"):
        dial.prepare_dial(raw.drop(columns=["view", "high"]))


def test_the_main_setting_is_the_one_with_most_models():
    assert dial.main_setting(FULL) == MAIN


def test_lines_are_of_models_that_were_trained_at_several_settings():
    axes = dial.draw_dial(FULL).axes
    titles = ["CM, drawn as in training", "CM, habitus the other way round", "CM→ACDC"]
    assert [axis.get_title() for axis in axes] == titles
    for axis, (task, view) in zip(
        axes, (("cm", "plain"), ("cm", "adversarial"), ("transfer", "plain")), strict=True
    ):
        found = curves(axis)
        assert list(found) == ["Full", "Seg"]
        for name, line in found.items():
            np.testing.assert_allclose(line.get_xdata(), [0, 0.7, 1], atol=dial.BESIDE)
            truth = [value_of(cm, 0, name.lower(), task, view) for cm in (0, 0.7, 1)]
            np.testing.assert_allclose(line.get_ydata(), truth)


def test_the_other_axis_is_the_other_hospitals():
    axes = dial.draw_dial(FULL, along="acdc").axes
    assert [axis.get_title() for axis in axes] == ["CM→ACDC", "ACDC (trained there alone)"]
    line = curves(axes[0])["Full"]
    np.testing.assert_allclose(line.get_xdata(), [-0.7, 0, 0.7], atol=dial.BESIDE)
    np.testing.assert_allclose(line.get_ydata(), [0.56, 0.7, 0.84])
    with pytest.raises(ValueError, match="along must be one of cm, acdc, got 'seed'"):
        dial.draw_dial(FULL, along="seed")
    with pytest.raises(ValueError, match="no row of drawn patients"):
        dial.draw_dial(FULL.iloc[:0])


def test_one_setting_alone_still_makes_a_figure():
    alone = dial.prepare_dial(table_of(["full", "seg"], settings=[MAIN]))
    figure = dial.draw_dial(alone)
    figure.canvas.draw()
    assert list(curves(figure.axes[0])) == ["Full", "Seg"]


def test_each_choice_of_the_interactive_figure_has_its_numbers():
    figure = page.dial_figure(FULL)
    assert {tuple(trace.meta) for trace in figure.data} == set(product(dial.PATIENTS, dial.AXES))
    assert {tuple(t.meta) for t in figure.data if t.visible} == {("cm/plain", "cm")}
    for trace in figure.data:
        patients, along = trace.meta
        for x, y, said in zip(trace.x, trace.y, trace.text, strict=True):
            at = (x, MAIN[1]) if along == "cm" else (MAIN[0], x)
            truth = value_of(*at, trace.name.lower(), *patients.split("/"))
            assert y == pytest.approx(truth)
            assert f"<b>{truth:.3f}</b> [{truth - 0.05:.3f}, {truth + 0.03:.3f}]" in said
        np.testing.assert_allclose(trace.error_y.array, 0.03)
        np.testing.assert_allclose(trace.error_y.arrayminus, 0.05)


def test_the_page_gets_menus_numbers_and_a_script_of_its_own(tmp_path):
    path = page.write_context_dial(FULL, tmp_path, name="turn")
    written = path.read_text(encoding="utf-8")
    assert re.findall(r'<option value="([^"]+)"', written) == [*dial.PATIENTS, *dial.AXES]
    assert "http" not in written
    (numbers,) = re.findall(r"<table.*?</table>", written, flags=re.DOTALL)
    assert numbers.count("<tr") == 1 + len(FULL)
    assert "nan" not in numbers
    assert "0.840 [0.790, 0.870]" in numbers
    (figure,) = re.findall(r"const figure = (.*);\n", written)
    assert len(json.loads(figure)["data"]) == len(page.dial_figure(FULL).data)
    assert (tmp_path / "static/plotly.min.js").stat().st_size > 1e5


def test_a_notebook_exports_it_with_its_card(tmp_path):
    Export(tmp_path).dial(FULL, "turn", [], write=page.write_context_dial)
    assert {path.name for path in tmp_path.iterdir()} == {"turn.html", "turn.card.md", "static"}


def test_the_measured_dial_is_what_the_figure_takes():
    runs = [made_run("full"), made_run("full", at=(0.0, 0.0), name="full-cm000-acdc000")]
    table = dial.prepare_dial(measure(runs))
    ((name, points),) = dial.lines_of(table, "cm/plain", "cm")
    assert name == "Full"
    assert list(points["cm"]) == [0.0, 0.7]
    assert dial.prepare_dial(measure([made_run("full", drawn=False)])).empty
