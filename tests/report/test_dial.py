"""The dial, still and for the page: every choice, every number, nothing from the network."""

import json
import re
from html.parser import HTMLParser
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from shortlib.report import dial_figure, dial_page
from shortlib.report.style import use_style

VIEWS = ("plain", "aligned", "adversarial")
STAGES = ("pretrained", "fine-tuned")


@pytest.fixture(autouse=True)
def style():
    with plt.rc_context():
        use_style()
        yield
    plt.close("all")


def value_of(method, marked, correct, stage, view):
    loss = marked * (correct - 0.5) if marked else 0
    share = {"plain": 0.1, "aligned": -0.2, "adversarial": 1}[view]
    return 0.75 - loss * share * (1 if method == "cnn" else 0.5) * (
        1 if stage == "pretrained" else 0.7
    )


def dial(marked, correct):
    cells = [(0.0, np.nan), *product(marked, correct)]
    rows = [
        (m, p, c, s, v, (x := value_of(m, p, c, s, v)), x - 0.05, x + 0.03)
        for m, (p, c), s, v in product(("cnn", "clip"), cells, STAGES, VIEWS)
    ]
    return pd.DataFrame(rows, columns=dial_figure.COLUMNS)


FULL = dial((0.5, 0.9), (0.7, 0.9))
SINGLE = dial((0.9,), (0.9,))


def legend_of(figure):
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def curves(axis):
    return {
        line.get_label(): (list(line.get_xdata()), list(line.get_ydata()))
        for line in axis.lines
        if not line.get_label().startswith("_")
    }


def test_lines_over_the_prevalence_start_where_nothing_is_marked():
    figure = dial_figure.draw_dial(FULL)
    figure.canvas.draw()
    assert [axis.get_title() for axis in figure.axes] == ["CNN", "CLIP"]
    for axis, method in zip(figure.axes, ("cnn", "clip"), strict=True):
        found = curves(axis)
        for c in (0.7, 0.9):
            x, y = found[f"{c:.0%} of symbols right"]
            assert x == [0, 0.5, 0.9]
            truth = [value_of(method, p, c, "fine-tuned", "adversarial") for p in x]
            np.testing.assert_allclose(y, truth)
        assert len(axis.collections) == 4  # a band and bars for each line
    assert legend_of(figure) == ["70% of symbols right", "90% of symbols right"]


def test_lines_over_the_agreement_hold_a_level_one_for_no_symbols():
    figure = dial_figure.draw_dial(FULL, view="plain", stage="pretrained", along="p_correct")
    found = curves(figure.axes[0])
    assert list(found) == [f"{p} of images marked" for p in ("0%", "50%", "90%")]
    assert found["0% of images marked"] == ([0.7, 0.9], [0.75, 0.75])
    x, y = found["90% of images marked"]
    truth = [value_of("cnn", 0.9, c, "pretrained", "plain") for c in x]
    np.testing.assert_allclose(y, truth)


@pytest.mark.parametrize(
    ("table", "x"),
    [(SINGLE, [0, 0.9]), (SINGLE[SINGLE["p_marked"] > 0], [0.9])],
)
def test_few_cells_still_make_a_figure(table, x):
    figure = dial_figure.draw_dial(table)
    figure.canvas.draw()
    assert [curves(axis)["90% of symbols right"][0] for axis in figure.axes] == [x, x]


def test_no_symbols_at_all_make_points():
    figure = dial_figure.draw_dial(SINGLE[SINGLE["p_marked"] == 0])
    assert [next(iter(curves(axis).values()))[0] for axis in figure.axes] == [[0], [0]]


def test_what_cannot_be_drawn_is_said():
    with pytest.raises(ValueError, match="lacks the columns view, high"):
        dial_figure.draw_dial(FULL.drop(columns=["view", "high"]))
    with pytest.raises(ValueError, match="along must be one of p_marked, p_correct, got 'seed'"):
        dial_figure.draw_dial(FULL, along="seed")
    with pytest.raises(ValueError, match="no row of view 'upside down'"):
        dial_figure.draw_dial(FULL, view="upside down")


def test_each_choice_of_the_interactive_figure_has_its_numbers():
    figure = dial_page.dial_figure(FULL)
    choices = {tuple(trace.meta) for trace in figure.data}
    assert choices == set(product(VIEWS, STAGES, ("p_marked", "p_correct")))
    first = [trace.meta for trace in figure.data if trace.visible]
    assert {tuple(meta) for meta in first} == {("adversarial", "fine-tuned", "p_marked")}
    for trace in figure.data:
        view, stage, along = trace.meta
        method = "cnn" if trace.xaxis == "x" else "clip"
        step = float(trace.name.split("%")[0]) / 100
        for x, y, said in zip(trace.x, trace.y, trace.text, strict=True):
            p, c = (x, step) if along == "p_marked" else (step, x)
            truth = value_of(method, p, c, stage, view)
            assert y == pytest.approx(truth)
            assert f"<b>{truth:.3f}</b> [{truth - 0.05:.3f}, {truth + 0.03:.3f}]" in said
        np.testing.assert_allclose(trace.error_y.array, 0.03)
        np.testing.assert_allclose(trace.error_y.arrayminus, 0.05)
    legend = [t.name for t in figure.data if t.visible and t.showlegend]
    assert legend == ["70% of symbols right", "90% of symbols right"]


class Page(HTMLParser):
    """What a fragment holds: tags with their attributes, and text outside scripts."""

    def __init__(self):
        super().__init__()
        self.tags, self.open = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def of(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def test_the_page_gets_menus_numbers_and_a_script_of_its_own(tmp_path):
    path = dial_page.write_dial(FULL, tmp_path / "new/folder", name="turn")
    assert path == tmp_path / "new/folder/turn.html"
    written = path.read_text(encoding="utf-8")
    page = Page()
    page.feed(written)
    assert page.open == []  # every element is closed
    labelled = {label["for"] for label in page.of("label")}
    assert {menu["id"] for menu in page.of("select")} == labelled
    assert [option["value"] for option in page.of("option")] == [
        "adversarial", "aligned", "plain", "fine-tuned", "pretrained", "p_marked", "p_correct",
    ]  # fmt: skip
    assert [s["src"] for s in page.of("script") if "src" in s] == ["../_static/plotly.min.js"]
    assert "http" not in written
    (numbers,) = re.findall(r"<table.*?</table>", written, flags=re.DOTALL)
    assert numbers.count("<tr") == 1 + len(FULL)
    assert "0.750 [0.700, 0.780]" in numbers
    assert "nan" not in numbers
    script = tmp_path / "new/folder/static/plotly.min.js"
    assert "plotly.js" in script.read_text(encoding="utf-8")[:200]
    (figure,) = re.findall(r"const figure = (.*);\n", written)
    assert len(json.loads(figure)["data"]) == len(dial_page.dial_figure(FULL).data)


def test_a_menu_with_one_entry_is_hidden(tmp_path):
    page = Page()
    page.feed(dial_page.write_dial(SINGLE, tmp_path).read_text(encoding="utf-8"))
    assert ["hidden" in label for label in page.of("label")] == [False, False, True]


def test_the_same_table_writes_the_same_page(tmp_path):
    first = dial_page.write_dial(FULL, tmp_path).read_bytes()
    assert dial_page.write_dial(FULL, tmp_path).read_bytes() == first
