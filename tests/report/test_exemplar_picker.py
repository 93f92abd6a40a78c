import base64
import builtins
import io
import os
import re
from types import SimpleNamespace

import numpy as np
import pytest
from bs4 import BeautifulSoup
from PIL import Image

from shortlib.report import exemplar_picker
from shortlib.report.exemplar_candidates import Candidates
from shortlib.report.exemplar_picker import ExemplarPicker, somebody_there
from shortlib.report.exemplar_thumbnails import GAP, overlay, pair_png
from shortlib.studies.exemplary_explanations.choice import Choice, read_choice, write_choice

RUN = "refined-s0-1a2b3c4d-99aabbcc"
NAMES = ("COVID", "Normal")
# By place: class, predicted class, confidence.
CASES = [(0, 0, 0.9), (0, 1, 0.6), (1, 1, 0.7), (1, 1, 1.0), (1, 0, 0.5), (0, 0, 0.8), (1, 1, 0.95)]


def columns(**changed):
    rng = np.random.default_rng(0)
    labels, predicted, confidence = map(np.array, zip(*CASES, strict=True))
    parts = {
        "case_ids": np.array([f"case-{k}" for k in range(len(CASES))]),
        "images": rng.integers(0, 256, (len(CASES), 8, 10), dtype=np.uint8),
        "maps": rng.random((len(CASES), 8, 10)),
        "labels": labels,
        "label_names": NAMES,
        "predicted": predicted,
        "confidence": confidence,
        "run": RUN,
    }
    return {**parts, **changed}


@pytest.fixture
def candidates():
    return Candidates(**columns())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "exemplars.yml"


def shown(widget):
    return [card.case_id for card in widget.cards if card.case_id is not None]


def press(widget, kind, case_id):
    (card,) = [card for card in widget.cards if card.case_id == case_id]
    getattr(card, kind).click()


def text(html):
    return BeautifulSoup(html.value, "html.parser").get_text(" ", strip=True)


# Candidates


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"images": np.zeros((7, 1, 8, 10), np.uint8)}, r"images must be uint8 of shape \(n, h, w"),
        ({"images": np.zeros((7, 8, 10))}, "images must be uint8 .* got float64"),
        ({"images": np.zeros((0, 8, 10), np.uint8)}, "images must be uint8"),
        ({"images": np.zeros((1, 8, 10), np.uint8)}, "images must be two or more"),
        ({"maps": np.zeros((7, 7, 7))}, r"maps must have shape \(7, 8, 10\).*got \(7, 7, 7\)"),
        ({"maps": np.full((7, 8, 10), 1.1)}, r"maps must be in \[0, 1\], got 1\.1"),
        ({"maps": np.full((7, 8, 10), np.nan)}, r"maps must be in \[0, 1\], got nan"),
        ({"maps": np.zeros((7, 8, 10), int)}, "maps must be float"),
        ({"labels": np.zeros(6, int)}, r"labels must have shape \(7,\)"),
        ({"labels": np.full(7, 2)}, "labels must be places in label_names, 0 to 1, got 2"),
        ({"predicted": np.full(7, -1)}, "predicted must be places .* got -1"),
        ({"predicted": np.zeros(7)}, "predicted must be whole numbers, got float64"),
        ({"confidence": np.full(7, -0.1)}, r"confidence must be in \[0, 1\], got -0\.1"),
        ({"case_ids": np.array(["a", "b", "c", "d", "e", "f", "a"])}, "'a' occurs twice"),
        ({"case_ids": np.arange(7)}, "case_ids must be text that is not empty, got 0"),
        ({"label_names": ("COVID", "COVID")}, "label_names must be one or more, each once"),
        ({"run": ""}, "run must be the name of a run's folder, got ''"),
    ],
)
def test_candidates_that_do_not_fit_are_refused(changed, said):
    with pytest.raises(ValueError, match=said):
        Candidates(**columns(**changed))


@pytest.mark.parametrize(
    ("conditions", "due"),
    [
        ({}, [0, 1, 2, 3, 4, 5, 6]),
        ({"label": "COVID"}, [0, 1, 5]),
        ({"prediction": "right"}, [0, 2, 3, 5, 6]),
        ({"prediction": "wrong"}, [1, 4]),
        ({"confidence": (0.7, 0.9)}, [0, 2, 5]),
        ({"label": "Normal", "prediction": "right", "confidence": (0.9, 1)}, [3, 6]),
        ({"label": "Normal", "prediction": "wrong", "confidence": (0.9, 1)}, []),
    ],
)
def test_conditions_are_met_together(candidates, conditions, due):
    assert candidates.select(**conditions).tolist() == due


def test_an_unknown_condition_is_refused(candidates):
    with pytest.raises(ValueError, match="label must be one of COVID, Normal, got 'Flu'"):
        candidates.select(label="Flu")
    with pytest.raises(ValueError, match="prediction must be one of any, right, wrong"):
        candidates.select(prediction="good")


# Pictures


def test_where_the_map_is_empty_the_image_is_seen_unchanged():
    image = np.arange(80, dtype=np.uint8).reshape(8, 10)
    assert (overlay(image, np.zeros((8, 10))) == image[..., None]).all()


def test_where_the_map_is_full_the_colour_is_nearly_the_same_on_any_image():
    full = np.ones((8, 10))
    on_black = overlay(np.zeros((8, 10), np.uint8), full).astype(int)
    on_white = overlay(np.full((8, 10), 255, np.uint8), full).astype(int)
    assert (on_white - on_black <= 64).all()
    red, _, blue = on_black[0, 0]
    assert red > blue + 100  # yellow


def test_a_picture_is_the_image_and_the_image_with_its_map(candidates):
    image, attention = candidates.images[0], candidates.maps[0]
    drawn = np.asarray(Image.open(io.BytesIO(pair_png(image, attention))))
    assert drawn.shape == (8, 20 + GAP, 3)
    assert (drawn[:, :10] == image[..., None]).all()
    assert (drawn[:, 10 : 10 + GAP] == 255).all()
    assert (drawn[:, 10 + GAP :] == overlay(image, attention)).all()


def test_a_card_holds_its_own_picture_and_says_what_the_model_made_of_it(candidates, path):
    widget = ExemplarPicker(candidates, path).widget
    page = BeautifulSoup(widget.cards[1].figure.value, "html.parser")
    kind, _, data = page.img["src"].partition(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(data) == pair_png(candidates.images[1], candidates.maps[1])
    assert "case-1" in page.img["alt"]
    said = page.figcaption.get_text("|")
    assert said == "case-1|class: COVID|predicted: Normal (wrong)|confidence: 60%"


def test_names_with_signs_of_html_stay_text(path):
    ids = np.array(['<b>"x"</b>', *"abcdef"])
    widget = ExemplarPicker(
        Candidates(**columns(case_ids=ids, label_names=("<i>", "&"))), path
    ).widget
    press(widget, "good", ids[0])
    for html in (widget.cards[0].figure, widget.slots["good"], widget.said):
        page = BeautifulSoup(html.value, "html.parser")
        assert page.find(["b", "i"]) is None
        assert ids[0] in page.get_text()


# What is pressed


def test_a_choice_is_marked_saved_and_read_again(candidates, path):
    picker = ExemplarPicker(candidates, path)
    widget = picker.widget
    assert widget.save.disabled
    press(widget, "good", "case-2")
    assert widget.save.disabled
    assert picker.choice is None
    press(widget, "bad", "case-0")
    assert not widget.save.disabled
    assert picker.choice == Choice("case-2", "case-0", RUN)
    assert not path.exists()
    widget.save.click()
    assert read_choice(path) == picker.choice
    assert text(widget.said) == f"Saved to {path}: case-2 is good, case-0 is bad."


def test_what_is_chosen_is_shown_and_said_without_colour(candidates, path):
    widget = ExemplarPicker(candidates, path).widget
    press(widget, "good", "case-2")
    press(widget, "bad", "case-0")
    good, bad = widget.slots["good"].value, widget.slots["bad"].value
    assert "case-2" in good
    assert "case-0" in bad
    assert widget.cards[2].figure.value in good
    assert [card.good.description.startswith("✓ Good") for card in widget.cards[:3]] == [0, 0, 1]
    assert [card.bad.description.startswith("✓ Bad") for card in widget.cards[:3]] == [1, 0, 0]
    press(widget, "good", "case-1")
    assert [card.good.description.startswith("✓ Good") for card in widget.cards[:3]] == [0, 1, 0]
    assert "case-1" in widget.slots["good"].value


def test_buttons_name_their_case(candidates, path):
    widget = ExemplarPicker(candidates, path, page=3).widget
    for card in widget.cards:
        for button in (card.good, card.bad):
            assert card.case_id in button.description
            assert card.case_id in button.tooltip


def test_pressing_again_takes_a_mark_back(candidates, path):
    picker = ExemplarPicker(candidates, path)
    press(picker.widget, "bad", "case-3")
    press(picker.widget, "bad", "case-3")
    assert picker.bad is None
    assert text(picker.widget.said) == "case-3 is not the bad explanation any more."


def test_no_image_is_both(candidates, path):
    picker = ExemplarPicker(candidates, path)
    for kind, case_id in (("good", "case-3"), ("bad", "case-4"), ("bad", "case-3")):
        press(picker.widget, kind, case_id)
    assert (picker.good, picker.bad) == (None, "case-3")
    assert picker.widget.save.disabled
    assert "and not the good one" in text(picker.widget.said)


def test_filters_and_pages(candidates, path):
    widget = ExemplarPicker(candidates, path, page=3).widget
    assert shown(widget) == ["case-0", "case-1", "case-2"]
    assert widget.previous.disabled
    widget.next.click()
    assert shown(widget) == ["case-3", "case-4", "case-5"]
    widget.next.click()
    assert shown(widget) == ["case-6"]
    assert widget.next.disabled
    assert text(widget.where) == "Images 7 to 7 of 7"
    assert [card.box.layout.display for card in widget.cards] == [None, "none", "none"]
    widget.previous.click()
    assert shown(widget) == ["case-3", "case-4", "case-5"]
    widget.by_class.value = "COVID"  # goes back to the first page
    assert shown(widget) == ["case-0", "case-1", "case-5"]
    assert widget.previous.disabled
    assert widget.next.disabled
    widget.by_prediction.value = "right"
    assert shown(widget) == ["case-0", "case-5"]
    widget.by_confidence.value = (0.85, 1)
    assert shown(widget) == ["case-0"]
    widget.by_prediction.value = "wrong"
    assert shown(widget) == []
    assert "choose other filters" in text(widget.where)


def test_cards_that_are_not_needed_are_hidden_from_the_start(candidates, path):
    widget = ExemplarPicker(candidates, path, page=9).widget
    assert [card.box.layout.display for card in widget.cards] == [None] * 7 + ["none"] * 2


def test_a_mark_stays_when_its_image_is_filtered_out(candidates, path):
    picker = ExemplarPicker(candidates, path)
    press(picker.widget, "good", "case-3")
    picker.widget.by_class.value = "COVID"
    press(picker.widget, "bad", "case-1")
    assert picker.choice == Choice("case-3", "case-1", RUN)
    assert "case-3" in picker.widget.slots["good"].value


def test_controls_come_in_reading_order(candidates, path):
    widget = ExemplarPicker(candidates, path, page=2).widget

    def walk(box):
        for child in box.children:
            yield from walk(child) if hasattr(child, "children") else [child]

    order = [child for child in walk(widget) if type(child).__name__ != "HTML"]
    marks = [button for card in widget.cards for button in (card.good, card.bad)]
    filters = [widget.by_class, widget.by_prediction, widget.by_confidence]
    assert order == [*filters, widget.previous, widget.next, *marks, widget.save]
    assert all(control.description for control in order)


# The file


def test_a_choice_in_the_file_is_shown(candidates, path):
    write_choice(path, Choice("case-6", "case-4", "refined-s0-1a2b3c4d"))  # of any code
    picker = ExemplarPicker(candidates, path, page=2)
    assert picker.choice == Choice("case-6", "case-4", RUN)
    assert "case-6" in picker.widget.slots["good"].value
    assert not picker.widget.save.disabled
    assert "Read from" in text(picker.widget.said)


def test_a_choice_of_another_run_is_not_used(candidates, path):
    other = Choice("case-6", "case-4", "refined-s1-1a2b3c4d-99aabbcc")
    write_choice(path, other)
    picker = ExemplarPicker(candidates, path)
    assert picker.choice is None
    assert picker.widget.save.disabled
    said = text(picker.widget.said)
    assert other.run in said
    assert RUN in said
    assert read_choice(path) == other
    press(picker.widget, "good", "case-0")
    press(picker.widget, "bad", "case-1")
    picker.widget.save.click()
    assert read_choice(path) == Choice("case-0", "case-1", RUN)


def test_a_choice_of_cases_that_are_not_here_is_not_used(candidates, path):
    write_choice(path, Choice("case-6", "case-99", RUN))
    picker = ExemplarPicker(candidates, path)
    assert (picker.good, picker.bad) == (None, None)
    assert "'case-99'" in text(picker.widget.said)


def test_a_file_that_is_no_choice_is_not_replaced(candidates, path):
    path.write_text("side: 96\n")
    picker = ExemplarPicker(candidates, path)
    assert "is not used" in text(picker.widget.said)
    press(picker.widget, "good", "case-0")
    press(picker.widget, "bad", "case-1")
    picker.widget.save.click()
    assert text(picker.widget.said).startswith("Not saved: ")
    assert path.read_text() == "side: 96\n"


def test_what_can_not_be_saved_is_said_in_the_widget(candidates, tmp_path):
    for path, said in ((tmp_path, "is a folder"), (tmp_path / "no/e.yml", "there is no folder")):
        picker = ExemplarPicker(candidates, path)
        press(picker.widget, "good", "case-0")
        press(picker.widget, "bad", "case-1")
        picker.widget.save.click()
        assert re.match(f"Not saved: .*{said}", text(picker.widget.said))
        assert picker.choice == Choice("case-0", "case-1", RUN)
    assert os.listdir(tmp_path) == []


def test_nothing_is_saved_before_both_are_marked(candidates, path):
    picker = ExemplarPicker(candidates, path)
    picker.mark("good", "case-0")
    assert not picker.save()
    assert picker.said == "Not saved: one explanation must be marked as good and one as bad"
    assert not path.exists()


# Arguments, and where nobody is


@pytest.mark.parametrize("wrong", [{"columns": 0}, {"page": 0}, {"page": 2.5}])
def test_columns_and_page_are_counts(candidates, path, wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be a whole number"):
        ExemplarPicker(candidates, path, **wrong)


def test_only_candidates_can_be_marked(candidates, path):
    picker = ExemplarPicker(candidates, path)
    with pytest.raises(ValueError, match="case_id must be one of the candidates, got 'x'"):
        picker.mark("good", "x")
    with pytest.raises(ValueError, match="kind must be one of good, bad, got 'ugly'"):
        picker.mark("ugly", "case-0")


def test_without_ipywidgets_the_package_is_named(candidates, path, monkeypatch):
    found = builtins.__import__

    def missing(name, *rest):
        if name.startswith("shortlib.report.exemplar_widget"):
            raise ModuleNotFoundError("No module named 'ipywidgets'", name="ipywidgets")
        return found(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    picker = ExemplarPicker(candidates, path)
    with pytest.raises(ValueError, match=r"ipywidgets \(pip install 'shortlib\[book\]'\)"):
        _ = picker.widget


def in_kernel(monkeypatch, content):
    kernel = SimpleNamespace(get_parent=lambda: {"content": content} if content else {})
    shell = SimpleNamespace(kernel=kernel)
    monkeypatch.setattr(exemplar_picker, "get_ipython", lambda: shell)


def test_where_somebody_can_answer_the_widget_is_shown(candidates, path, monkeypatch):
    in_kernel(monkeypatch, {"allow_stdin": True})
    picker = ExemplarPicker(candidates, path)
    bundle = picker._repr_mimebundle_()
    view = bundle["application/vnd.jupyter.widget-view+json"]
    assert view["model_id"] == picker.widget.model_id


@pytest.mark.parametrize("content", [{"allow_stdin": False}, {}])
def test_where_nobody_is_a_still_page_is_shown(candidates, path, monkeypatch, content):
    in_kernel(monkeypatch, content)
    write_choice(path, Choice("case-6", "case-4", RUN))
    bundle = ExemplarPicker(candidates, path, page=4)._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    page = BeautifulSoup(bundle["text/html"], "html.parser")
    cases = [figure.strong.get_text() for figure in page.find_all("figure")]
    assert cases == ["case-0", "case-1", "case-2", "case-3", "case-6", "case-4"]
    assert all(image["src"].startswith("data:") for image in page.find_all("img"))
    assert page.find(["script", "link", "button"]) is None


def test_outside_a_kernel_nobody_is_there():
    assert not somebody_there()
