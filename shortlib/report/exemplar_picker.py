"""Where a person picks a good and a bad explanation, and where the choice is kept."""

import os
from functools import cached_property
from html import escape
from pathlib import Path

from IPython import get_ipython

from shortlib.report.exemplar_thumbnails import SPACE, STYLE, figure_html, grid_columns, scale_html
from shortlib.studies.exemplary_explanations.choice import (
    Choice,
    check_choice,
    read_choice,
    write_choice,
)


class ExemplarPicker:
    """Images with the model's attention, of which a person marks one as good and one as bad.

    The last line of a cell shows it: as a widget where somebody can answer, as a still page
    where the notebook is run without anybody, e.g. by papermill. It never waits.

    Parameters
    ----------
    candidates : shortlib.report.exemplar_candidates.Candidates
    path : str or pathlib.Path
        Where the choice is kept, e.g. ``"exemplars.yml"``. What is there already is shown as
        the choice, if it was made from the maps of the same run.
    columns : int
        Images beside each other.
    page : int
        Images on a page.

    Attributes
    ----------
    KINDS : tuple of str
        What an image can be marked as.
    good, bad : str or None
        Case ids of what is marked, saved or not.
    said : str
        What came of the last step, in a sentence.

    Raises
    ------
    ValueError
        If `columns` or `page` is less than 1.

    References
    ----------
    Hagos et al. (2023), Section 3: a person chooses one good and one bad explanation.
    """

    KINDS = ("good", "bad")

    def __init__(self, candidates, path, *, columns=4, page=12):
        for name, value in (("columns", columns), ("page", page)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a whole number, 1 or more, got {value!r}")
        self.candidates, self.path = candidates, Path(path)
        self.columns, self.page = columns, page
        self.good = self.bad = None
        self.said = "Mark one explanation as good and one as bad."
        if os.path.lexists(self.path):
            self._replay()

    @property
    def choice(self):
        """The :class:`Choice` that is marked, saved or not; None until both are."""
        if self.good is None or self.bad is None:
            return None
        return Choice(self.good, self.bad, self.candidates.run)

    @cached_property
    def widget(self):
        """The :class:`shortlib.report.exemplar_widget.PickerWidget`, made when first asked for.

        Raises
        ------
        ValueError
            If the package ipywidgets is missing.
        """
        try:
            from shortlib.report.exemplar_widget import PickerWidget
        except ModuleNotFoundError as error:
            if error.name != "ipywidgets":
                raise
            raise ValueError(
                "the picker needs the package ipywidgets (pip install 'shortlib[book]')"
            ) from error
        return PickerWidget(self)

    def mark(self, kind, case_id):
        """Mark a case as the good or the bad explanation, or take the mark back.

        A case that has the other mark loses it: it can't be both.

        Parameters
        ----------
        kind : str
            ``"good"`` or ``"bad"``.
        case_id : str

        Raises
        ------
        ValueError
            If the kind is unknown or the case is not among the candidates.
        """
        if kind not in self.KINDS:
            raise ValueError(f"kind must be one of {', '.join(self.KINDS)}, got {kind!r}")
        if self.candidates.place(case_id) is None:
            raise ValueError(f"case_id must be one of the candidates, got {case_id!r}")
        other = self.KINDS[1 - self.KINDS.index(kind)]
        if getattr(self, kind) == case_id:
            setattr(self, kind, None)
            self.said = f"{case_id} is not the {kind} explanation any more."
            return
        setattr(self, kind, case_id)
        self.said = f"{case_id} is the {kind} explanation."
        if getattr(self, other) == case_id:
            setattr(self, other, None)
            self.said = f"{case_id} is the {kind} explanation now, and not the {other} one."
        elif self.choice:
            self.said += " Both are marked, and not saved yet."

    def save(self):
        """Write the choice to the file, or say why not.

        Returns
        -------
        bool
            Whether it was written; `said` holds the sentence either way.
        """
        try:
            if self.choice is None:
                raise ValueError("one explanation must be marked as good and one as bad")
            if os.path.isfile(self.path):
                read_choice(self.path)  # nothing but a choice is replaced
            write_choice(self.path, self.choice)
        except ValueError as error:
            self.said = f"Not saved: {error}"
            return False
        self.said = f"Saved to {self.path.absolute()}: {self.good} is good, {self.bad} is bad."
        return True

    def slot_html(self, kind):
        """Show what is marked as good or as bad.

        Parameters
        ----------
        kind : str
            ``"good"`` or ``"bad"``.

        Returns
        -------
        str
        """
        case_id = getattr(self, kind)
        if case_id is None:
            shown = "None is marked."
        else:
            shown = figure_html(self.candidates, self.candidates.place(case_id))
        title = f"The {kind} explanation"
        return f'<div class="exemplar-slot"><strong>{title}</strong><br>{shown}</div>'

    def still_html(self):
        """Show the choice and the first page of images, with nothing to press.

        Returns
        -------
        str
        """
        shown = range(min(self.page, len(self.candidates)))
        cards = "".join(figure_html(self.candidates, place) for place in shown)
        slots = "".join(self.slot_html(kind) for kind in self.KINDS)
        return (
            f"{STYLE}<p>{scale_html()}</p>{_grid(self.columns, cards)}"
            f"<p>{len(shown)} of {len(self.candidates)} images. To mark others, run this notebook "
            f"in JupyterLab.</p>{_grid(2, slots)}<p>{escape(self.said)}</p>"
        )

    def _replay(self):
        """Take the choice from the file, or say why it is none for these candidates."""
        kept = f"The choice in {self.path} is not used: "
        try:
            found = read_choice(self.path)
        except ValueError as error:
            self.said = f"{kept}{error}."
            return
        try:
            ids, run = self.candidates.case_ids, self.candidates.run
            check_choice(found, training_ids=ids, run=run)
        except ValueError as error:
            self.said = f"{kept}{error}. Saving another one replaces it."
            return
        self.good, self.bad = found.good, found.bad
        self.said = f"Read from {self.path}: {self.good} is good, {self.bad} is bad."

    def _repr_mimebundle_(self, include=None, exclude=None):
        if somebody_there():
            return self.widget._repr_mimebundle_(include=include, exclude=exclude)
        return {"text/plain": self.said, "text/html": self.still_html()}


def somebody_there():
    """Return whether the front end that runs this cell says that a person can answer.

    A request to execute a cell states so in ``allow_stdin``, by Jupyter's messaging protocol:
    JupyterLab's do, papermill's do not. Widgets would also make a page of the book load scripts
    from the network.

    Returns
    -------
    bool
    """
    kernel = getattr(get_ipython(), "kernel", None)
    return bool(kernel) and bool(kernel.get_parent().get("content", {}).get("allow_stdin"))


def _grid(columns, inner):
    style = f"gap: {SPACE}px; grid-template-columns: {grid_columns(columns)}"
    return f'<div class="exemplar-grid" style="{style}">{inner}</div>'
