"""Tables of the watermark study: published | reference | this run, by test view."""

import pandas as pd

from shortlib.report.claim_tables import format_estimate
from shortlib.studies.clip_watermarks.measures import (
    METHODS,
    METRICS,
    MODELS,
    STAGES,
    by_finding,
    mention,
    model_name,
)

AVERAGE = "Average"
EMPTY = {
    "published": "other findings",
    "reference": "no reference run",
    "this run": "not run here",
}
VIEWS = ("plain", "aligned", "adversarial")


def measure_views(runs):
    """Measure all models in the three test views; see :func:`measures.by_finding`.

    Parameters
    ----------
    runs : list of shortlib.runs.Run
        Of one data set and profile.

    Returns
    -------
    dict of str to dict
        By test view; empty without runs.
    """
    return {view: by_finding(runs, view) for view in VIEWS} if runs else {}


def appendix_table(published, view, reference, here, *, digits=2):
    """Set one table of the paper's appendix beside the reference runs and this run.

    Parameters
    ----------
    published : dict
        As the study's ``published()`` returns it.
    view : str
        ``"plain"``, ``"aligned"`` or ``"adversarial"``.
    reference, here : dict
        As :func:`measure_views` returns them, of one data set.
    digits : int
        After the point; the paper's own numbers keep their three.

    Returns
    -------
    pandas.DataFrame
        Up to three rows a model, one a source; the average, then the findings. Where the data have
        other findings than the paper, its numbers are left out: their columns would not be the
        same.
    """
    parts = {"reference": reference.get(view, {}), "this run": here.get(view, {})}
    columns = _findings(parts.values())
    printed = _printed(published, view) if comparable(published, reference, here) else {}
    columns = columns or list(published["findings"])
    rows = []
    for model in MODELS:
        if model in printed:
            numbers = {name: f"{value:.3f}" for name, value in printed[model].items()}
            rows.append({"model": model, "source": "published", **numbers})
        for source, measured in parts.items():
            cells = measured.get(model)
            if cells is None:
                continue
            numbers = {
                name: format_estimate(cells[name], digits) if name in cells else "one class only"
                for name in (AVERAGE, *columns)
            }
            rows.append({"model": model, "source": source, **numbers})
    return pd.DataFrame(rows, columns=["model", "source", AVERAGE, *columns])


def average_table(published, reference, here, *, digits=2):
    """Set the averages over findings side by side, for all models and test views.

    Parameters
    ----------
    published, reference, here, digits
        As for :func:`appendix_table`.

    Returns
    -------
    pandas.DataFrame
        One row a test view and model; an empty cell says why.
    """
    fits = comparable(published, reference, here)
    rows = []
    for view in VIEWS:
        printed = _printed(published, view)
        for model in MODELS:
            row = {"test view": view, "model": model, "published": EMPTY["published"]}
            if fits:
                row["published"] = f"{printed[model][AVERAGE]:.3f}"
            for source, part in (("reference", reference), ("this run", here)):
                cells = part.get(view, {}).get(model)
                row[source] = format_estimate(cells[AVERAGE], digits) if cells else EMPTY[source]
            rows.append(row)
    return pd.DataFrame(rows)


def maps_table(reference_runs, here_runs, *, digits=2):
    """Tabulate what the integrated-gradient maps show, CNN and CLIP, with paired differences.

    Parameters
    ----------
    reference_runs, here_runs : list of shortlib.runs.Run
        Each of one data set and profile.
    digits : int

    Returns
    -------
    pandas.DataFrame
        One row a measure and source.
    """
    rows = []
    for metric, title in MAP_MEASURES.items():
        for source, runs in (("reference", reference_runs), ("this run", here_runs)):
            measured = METRICS[metric](runs)
            if not measured:
                continue
            cells = {"measure": title, "source": source}
            for name in METHODS.values():
                cells[name] = format_estimate(measured.get(name), digits)
            both = len(measured) == len(METHODS)
            difference = measured["CLIP"] - measured["CNN"] if both else None
            rows.append({**cells, "CLIP − CNN (paired)": format_estimate(difference, digits)})
    return pd.DataFrame(
        rows, columns=["measure", "source", *METHODS.values(), "CLIP − CNN (paired)"]
    )


def mention_table(runs, *, digits=2):
    """Tabulate the control in which reports mention the symbols, by stage and test view."""
    rows = []
    for stage in STAGES:
        for view, parts in mention(runs, stage=stage).items():
            rows.append(
                {
                    "model": model_name("clip", "shortcut", stage),
                    "test view": view,
                    "reports silent": format_estimate(parts["silent"], digits),
                    "reports mention the symbols": format_estimate(parts["mention"], digits),
                    "difference (paired)": format_estimate(parts["difference"], digits),
                }
            )
    columns = ["model", "test view", "reports silent", "reports mention the symbols"]
    return pd.DataFrame(rows, columns=[*columns, "difference (paired)"])


def data_line(published, runs):
    """Say in a sentence what data the paper and these runs stand on, to stand beside a table.

    Parameters
    ----------
    published : dict
    runs : list of shortlib.runs.Run
        Of one data set and profile.

    Returns
    -------
    str
    """
    paper = published["data"]
    theirs = (
        f"published: trained on {paper['train']}, tested on {paper['n']} images of {paper['test']}"
    )
    if not runs:
        return f"{theirs[0].upper()}{theirs[1:]}, one seed."
    first = runs[0]
    seeds = len({run.seed for run in runs if run.request["variant"] in METHODS})
    plain = by_finding(runs, "plain")
    n = max((cells[AVERAGE].n for cells in plain.values()), default=0)
    count = "1 seed" if seeds == 1 else f"{seeds} seeds"
    ours = (
        f"here: {first.request['data']}, profile {first.request['profile']}, tested on {n} images"
    )
    sentence = f"{theirs[0].upper()}{theirs[1:]}, one seed; {ours}, {count}."
    if not comparable(published, {"plain": plain}):
        sentence += (
            f" The findings are {', '.join(first.settings['findings'])}, not the paper's; so its"
            " numbers do not stand in these columns."
        )
    return sentence


def comparable(published, *measured):
    """Return whether all that was measured has the paper's findings and no others."""
    found = _findings(cells for part in measured for cells in part.values())
    return not found or set(found) == set(published["findings"])


def _findings(parts):
    """List the findings that occur, in the study's order."""
    cells = [cells for part in parts for cells in part.values()]
    return list(dict.fromkeys(name for each in cells for name in each if name != AVERAGE))


def _printed(published, view):
    table = next(t for t in published["tables"] if t["view"] == view)
    return {row["row"]: {AVERAGE: row["average"], **row["values"]} for row in table["rows"]}


MAP_MEASURES = {
    "consistency_training_plain": "real- and shortcut-trained alike, plain images",
    "consistency_training_marked": "real- and shortcut-trained alike, marked positives",
    "consistency_testing": "shortcut-trained: plain and marked positives alike",
    "consistency_testing_real": "real-trained: plain and marked positives alike",
    "box_mass": "shortcut-trained: share of the map in the symbol's box",
    "box_mass_real": "real-trained: share of the map in the symbol's box",
    "box_area": "share of the image in the symbol's box",
}
