"""The picker's controls: filters, pages, images with their buttons, and what is marked."""

from html import escape

import ipywidgets as widgets

from shortlib.report.exemplar_candidates import ANY, RIGHT, WRONG
from shortlib.report.exemplar_thumbnails import SPACE, STYLE, figure_html, grid_columns, scale_html

# A button shows its first line; the second names the case to those who hear the page.
BUTTONS = """<style>
.exemplar-picker :is(button, select, [role="slider"]):focus-visible {
  outline: 2px solid currentColor; outline-offset: 1px;
}
.exemplar-picker .widget-html-content { line-height: 1.4; }
.exemplar-mark { white-space: pre; text-overflow: clip; padding: 0; }
.exemplar-card { border: 2px solid transparent; padding: 6px; justify-content: space-between; }
.exemplar-marked { border-color: currentColor; border-radius: 4px; }
</style>"""


class PickerWidget(widgets.VBox):
    """All that a person sees and presses, in the order in which Tab reaches it.

    Parameters
    ----------
    picker : shortlib.report.exemplar_picker.ExemplarPicker
        Holds the state; this only shows it and passes on what is pressed.

    Attributes
    ----------
    by_class, by_prediction, by_confidence : ipywidgets.ValueWidget
        The filters.
    previous, next, save : ipywidgets.Button
    cards : list of Card
        As many as a page holds; those that are not needed are hidden.
    slots : dict of str to ipywidgets.HTML
        What is marked, by ``"good"`` and ``"bad"``.
    said, where : ipywidgets.HTML
        What came of the last step, and which page this is.
    """

    def __init__(self, picker):
        self.picker, self.first = picker, 0
        names = picker.candidates.label_names
        self.by_class = widgets.Dropdown(
            description="Class:", options=[("all", None), *((name, name) for name in names)]
        )
        self.by_prediction = widgets.Dropdown(
            description="Prediction:",
            options=[("right or wrong", ANY), ("right", RIGHT), ("wrong", WRONG)],
        )
        self.by_confidence = widgets.FloatRangeSlider(
            description="Confidence:", min=0, max=1, step=0.01, value=(0, 1),
            readout_format=".0%", continuous_update=False, layout={"width": "24rem"},
        )  # fmt: skip
        self.previous = widgets.Button(description="Previous page")
        self.next = widgets.Button(description="Next page")
        self.save = widgets.Button(description="Save the choice")
        self.where, self.said = widgets.HTML(), widgets.HTML()
        self.slots = {kind: widgets.HTML() for kind in picker.KINDS}
        self.cards = [Card(picker, self.refresh) for _ in range(picker.page)]
        for control in (self.by_class, self.by_prediction, self.by_confidence):
            control.observe(self._filtered, "value")
        self.previous.on_click(lambda _: self._turn(-1))
        self.next.on_click(lambda _: self._turn(1))
        self.save.on_click(lambda _: self._save())
        super().__init__(self._laid_out())
        self.add_class("exemplar-picker")
        self.refresh()

    def refresh(self):
        """Show the state as it is now."""
        picker, size = self.picker, len(self.cards)
        found = picker.candidates.select(
            label=self.by_class.value,
            prediction=self.by_prediction.value,
            confidence=self.by_confidence.value,
        )
        shown = found[self.first : self.first + size]
        for k, card in enumerate(self.cards):
            card.show(int(shown[k]) if k < len(shown) else None)
        self.where.value = (
            f"Images {self.first + 1} to {self.first + len(shown)} of {len(found)}"
            if len(found)
            else "No image is left; choose other filters."
        )
        self.previous.disabled = self.first == 0
        self.next.disabled = self.first + size >= len(found)
        self.save.disabled = picker.choice is None
        for kind, slot in self.slots.items():
            slot.value = picker.slot_html(kind)
        self.said.value = f'<span role="status">{escape(picker.said)}</span>'

    def _filtered(self, change):
        self.first = 0
        self.refresh()

    def _turn(self, by):
        self.first += by * len(self.cards)
        self.refresh()

    def _save(self):
        self.picker.save()
        self.refresh()

    def _laid_out(self):
        row = {"flex_flow": "row wrap", "align_items": "center"}
        grid = widgets.GridBox(
            [card.box for card in self.cards],
            layout={
                "grid_template_columns": grid_columns(self.picker.columns),
                "grid_gap": f"{SPACE}px",
            },
        )
        return [
            widgets.HTML(f"{STYLE}{BUTTONS}<p>{scale_html()}</p>"),
            widgets.Box([self.by_class, self.by_prediction, self.by_confidence], layout=row),
            widgets.Box([self.previous, self.next, self.where], layout=row),
            grid,
            widgets.Box(list(self.slots.values()), layout={**row, "align_items": "flex-start"}),
            widgets.Box([self.save, self.said], layout=row),
        ]


class Card:
    """One image with its two buttons.

    Parameters
    ----------
    picker : shortlib.report.exemplar_picker.ExemplarPicker
    pressed : callable
        Called without arguments after a button was pressed.

    Attributes
    ----------
    case_id : str or None
        What is shown; None while the card is hidden.
    good, bad : ipywidgets.Button
    figure : ipywidgets.HTML
    box : ipywidgets.VBox
    """

    def __init__(self, picker, pressed):
        self.picker, self.pressed, self.case_id = picker, pressed, None
        self.figure = widgets.HTML()
        self.good, self.bad = self._button("good"), self._button("bad")
        buttons = widgets.HBox([self.good, self.bad])
        self.box = widgets.VBox([self.figure, buttons], layout={"display": "none"})
        self.box.add_class("exemplar-card")

    def show(self, place):
        """Show a case of the candidates, or hide the card.

        Parameters
        ----------
        place : int or None
        """
        picker = self.picker
        case_id = None if place is None else str(picker.candidates.case_ids[place])
        if case_id != self.case_id:  # the picture is sent once, not at each press
            self.case_id = case_id
            self.figure.value = "" if place is None else figure_html(picker.candidates, place)
            self.box.layout.display = "none" if place is None else None
        marked = False
        for kind in picker.KINDS:
            button = getattr(self, kind)
            on = case_id is not None and getattr(picker, kind) == case_id
            marked |= on
            button.description = f"{'✓ ' if on else ''}{kind.capitalize()}\n{case_id}"
            button.tooltip = f"{case_id} {'is' if on else 'as'} the {kind} explanation" + (
                "; press to take it back" if on else ""
            )
        (self.box.add_class if marked else self.box.remove_class)("exemplar-marked")

    def _button(self, kind):
        button = widgets.Button(layout={"flex": "1 1 0", "width": "auto", "min_width": "0"})
        button.add_class("exemplar-mark")
        button.on_click(lambda _: self._press(kind))
        return button

    def _press(self, kind):
        self.picker.mark(kind, self.case_id)
        self.pressed()
