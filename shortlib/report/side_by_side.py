"""What the paper prints, reference runs and these runs side by side, and what they stand on."""

import pandas as pd
from IPython.display import Markdown

SOURCES = ("reference", "this run")
EMPTY = {"published": "not printed", "reference": "no reference run", "this run": "not run here"}


def side_by_side(lines, models):
    """Set lines of a table under each other, a column a model; an empty cell says why it is.

    Parameters
    ----------
    lines : iterable of tuple
        What the row is of, what its source is called, a dict of cells by model, and the source,
        a key of `EMPTY`.
    models : sequence of str

    Returns
    -------
    pandas.DataFrame
        Columns ``row`` and ``source``, then the models.
    """
    rows = [
        {"row": title, "source": said, **{name: cells.get(name, EMPTY[key]) for name in models}}
        for title, said, cells, key in lines
    ]
    return pd.DataFrame(rows, columns=["row", "source", *models])


def write_caption(text, parts, tested, *ends):
    """Write a caption that says what its numbers stand on.

    Parameters
    ----------
    text : str
        What is shown, in sentences.
    parts : sequence of list of shortlib.runs.Run
        Each of one data set and profile; empty ones, and those that say the same, are passed
        over.
    tested : callable
        ``tested(runs)`` names what was tested, with numbers, e.g. ``"test patients 30"``.
    *ends : str
        Sentences on intervals and on the models that are judged, if there are runs.

    Returns
    -------
    IPython.display.Markdown
        The text, then of each part its profile, data, seeds and what was tested, then the ends.
    """
    stands = []
    for runs in filter(None, parts):
        request, seeds = runs[0].request, len({run.seed for run in runs})
        stands.append(
            f"Profile {request['profile']} on {request['data']}: {seeds} "
            f"seed{'s' * (seeds != 1)}, {tested(runs)}."
        )
    said = [text, *dict.fromkeys(stands), *(ends if stands else ())]
    return Markdown(f"*{' '.join(said)}*")
