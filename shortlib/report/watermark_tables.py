"""Tables of the watermark study: published | reference | this run, by test view."""

import pandas as pd

from shortlib.data.views import VIEWS
from shortlib.report.claim_tables import format_estimate
from shortlib.studies.clip_watermarks.controls import mention
from shortlib.studies.clip_watermarks.measures import (
    METHODS,
    MODELS,
    STAGES,
    by_finding,
    estimates,
    model_name,
)

AVERAGE = "Average"
EMPTY = {
    "published": "other findings",
    "reference": "no reference run",
    "this run": "not run here",
    "finding": "one class only",
}
DIFFERENCE = "CLIP − CNN (paired)"
MAP_MEASURES = {
    "consistency_training_plain": "real- and shortcut-trained model alike, plain images",
    "consistency_training_marked": "real- and shortcut-trained model alike, marked positives",
    "consistency_testing": "shortcut-trained: plain and marked positives alike",
    "consistency_testing_real": "real-trained: plain and marked positives alike",
    "box_mass": "shortcut-trained: share of the map in the symbol's box",
    "box_mass_real": "real-trained: share of the map in the symbol's box",
    "box_area": "share of the image in the symbol's box",
}


def appendix_table(published, view, reference, here, *, digits=2):
    """Set one table of the paper's appendix beside the reference runs and these runs.

    Parameters
    ----------
    published : dict
        As the study's ``published()`` returns it.
    view : str
        ``"plain"``, ``"aligned"`` or ``"adversarial"``.
    reference, here : list of shortlib.runs.Run
        Each of one profile, both of the same data set.
    digits : int
        After the point; the paper's own numbers keep their three.

    Returns
    -------
    pandas.DataFrame
        Up to three rows a model, one a source; the average, then the findings. Where the data have
        other findings than the paper, its numbers are left out: they are of other columns.
    """
    findings = _findings(published, reference, here)
    parts = {"reference": by_finding(reference, view), "this run": by_finding(here, view)}
    printed = _printed(published, view) if findings == published["findings"] else {}
    rows = []
    for model in MODELS:
        if model in printed:
            numbers = {name: f"{value:.3f}" for name, value in printed[model].items()}
            rows.append({"model": model, "source": "published", **numbers})
        for source, measured in parts.items():
            if cells := measured.get(model):
                numbers = {
                    name: format_estimate(cells[name], digits)
                    if name in cells
                    else EMPTY["finding"]
                    for name in (AVERAGE, *findings)
                }
                rows.append({"model": model, "source": source, **numbers})
    return pd.DataFrame(rows, columns=["model", "source", AVERAGE, *findings])


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
    same = _findings(published, reference, here) == published["findings"]
    rows = []
    for view in VIEWS:
        printed = _printed(published, view)
        parts = {"reference": by_finding(reference, view), "this run": by_finding(here, view)}
        for model in MODELS:
            theirs = f"{printed[model][AVERAGE]:.3f}" if same else EMPTY["published"]
            row = {"test view": view, "model": model, "published": theirs}
            for source, measured in parts.items():
                cells = measured.get(model)
                row[source] = format_estimate(cells[AVERAGE], digits) if cells else EMPTY[source]
            rows.append(row)
    return pd.DataFrame(rows)


def maps_table(reference, here, *, digits=2):
    """Tabulate what the integrated-gradient maps show, CNN beside CLIP.

    Parameters
    ----------
    reference, here, digits
        As for :func:`appendix_table`.

    Returns
    -------
    pandas.DataFrame
        One row a measure and source: mean over test images, findings and seeds.
    """
    rows = []
    for metric, title in MAP_MEASURES.items():
        for source, runs in (("reference", reference), ("this run", here)):
            if not (measured := estimates(metric, runs)):
                continue
            cells = {"measure": title, "source": source}
            cells |= {
                name: format_estimate(measured.get(name), digits) for name in METHODS.values()
            }
            both = len(measured) == len(METHODS)
            difference = measured["CLIP"] - measured["CNN"] if both else None
            rows.append({**cells, DIFFERENCE: format_estimate(difference, digits)})
    return pd.DataFrame(rows, columns=["measure", "source", *METHODS.values(), DIFFERENCE])


def mention_table(runs, *, digits=2):
    """Tabulate the control in which reports mention the symbols, by stage and test view."""
    columns = {
        "silent": "reports silent",
        "mention": "reports mention the symbols",
        "difference": "difference (paired)",
    }
    rows = []
    for stage in STAGES:
        model = model_name("clip", "shortcut", stage)
        for view, parts in mention(runs, stage=stage).items():
            cells = {title: format_estimate(parts[key], digits) for key, title in columns.items()}
            rows.append({"model": model, "test view": view, **cells})
    return pd.DataFrame(rows, columns=["model", "test view", *columns.values()])


def data_sentence(published, runs):
    """Say what data the paper and these runs stand on, to stand beside a table.

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
    text = f"Published: {paper['train']} for training, {paper['n']} images of {paper['test']}"
    text += " for testing, each model trained once."
    if not runs:
        return text
    cells = [parts[AVERAGE] for parts in by_finding(runs, "plain").values()]
    n, seeds = (max((getattr(c, name) for c in cells), default=0) for name in ("n", "seeds"))
    text += f" Here: {runs[0].request['data']}, profile {runs[0].request['profile']},"
    text += f" {n} images for testing, {seeds} seed{'s' * (seeds != 1)}."
    findings = _findings(published, runs)
    if findings != published["findings"]:
        text += f" Its findings ({', '.join(findings)}) are not the paper's, whose numbers"
        text += " are left out here for that reason."
    return text


def published_averages(published, runs):
    """Return the paper's averages by test view and model, or nothing for other findings."""
    if _findings(published, runs) != published["findings"]:
        return {}
    tables = {view: _printed(published, view) for view in VIEWS}
    return {
        view: {model: cells[AVERAGE] for model, cells in table.items()}
        for view, table in tables.items()
    }


def _findings(published, *parts):
    """List the findings of the runs, or the paper's where there is no run."""
    return next(
        (list(r.settings["findings"]) for runs in parts for r in runs), published["findings"]
    )


def _printed(published, view):
    table = next(t for t in published["tables"] if t["view"] == view)
    return {row["row"]: {AVERAGE: row["average"], **row["values"]} for row in table["rows"]}
