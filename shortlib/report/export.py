"""Figures and tables of a notebook, shown in it and saved for the book's pages."""

from dataclasses import dataclass
from pathlib import Path

from IPython.display import Markdown, display

from shortlib.report.dial_page import write_dial
from shortlib.report.provenance_card import provenance_card


@dataclass
class Export:
    """Where a notebook's figures and tables go besides its own page.

    Parameters
    ----------
    folder : str or pathlib.Path
        Made if missing; empty for showing only.
    """

    folder: str | Path = ""

    def figure(self, figure, name, runs):
        """Save a figure and its provenance card; the notebook shows the figure itself.

        Parameters
        ----------
        figure : matplotlib.figure.Figure
        name : str
            File name without its ending.
        runs : list of shortlib.runs.Run
            What it was made from.
        """
        if self.folder:
            folder = self._made()
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
            (folder / f"{name}.card.md").write_text(provenance_card(runs), encoding="utf-8")

    def table(self, table, name, runs):
        """Show a table, and save it as CSV with its card.

        Parameters
        ----------
        table : pandas.DataFrame
            Strings and numbers, ready to print; the index is not shown.
        name : str
        runs : list of shortlib.runs.Run
        """
        if self.folder:
            folder = self._made()
            table.to_csv(folder / f"{name}.csv", index=False)
            (folder / f"{name}.card.md").write_text(provenance_card(runs), encoding="utf-8")
        display(Markdown(table.to_markdown(index=False, disable_numparse=True)))

    def dial(self, table, name, runs, *, write=write_dial):
        """Save the interactive dial as a fragment for a page, with its script and its card.

        Parameters
        ----------
        table : pandas.DataFrame
            As `write` takes it.
        name : str
            Of the fragment, ``<name>.html``, and of its elements in the page.
        runs : list of shortlib.runs.Run
        write : callable
            ``write(table, folder, name=name)``: the study's own, by default
            :func:`shortlib.report.dial_page.write_dial`.
        """
        if self.folder:
            folder = self._made()
            write(table, folder, name=name)
            (folder / f"{name}.card.md").write_text(provenance_card(runs), encoding="utf-8")

    def _made(self):
        folder = Path(self.folder)
        folder.mkdir(parents=True, exist_ok=True)
        return folder
