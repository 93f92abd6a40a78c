"""The tables of the study of exemplary explanations: published | reference | this run."""

import pandas as pd

from shortlib.report.claim_tables import format_estimate
from shortlib.report.measured import measured_or_nothing
from shortlib.report.side_by_side import SOURCES, side_by_side, write_caption
from shortlib.studies.exemplary_explanations.measures import (
    AS_PRINTED,
    MODELS,
    by_model,
    chosen_model,
    estimates,
    refined,
    weights_of,
)
from shortlib.studies.exemplary_explanations.refinements import CONTINUED, EXBL, UNREFINED
from shortlib.studies.verdicts import NotTestableError

UNREFINED_NAME, CONTINUED_NAME = MODELS[UNREFINED], MODELS[CONTINUED]
EVEN, SAME = "an even map", "the same model"
# A column's title to the study's metric; all are shares of test cases or of their maps.
COLUMNS = {
    "accuracy": "accuracy_test",
    "activation precision": "ap_test",
    "AKS": "aks_test",
    "empty maps": "empty_test",
    "on the joints": "joints_test",
    "accuracy, flipped": "accuracy_flipped",
    "flipped, by age": "by_age_flipped",
}
# Columns of maps to what an even map has there.
SHARES = {"activation precision": "area", "AKS": "area", "on the joints": "joints_area"}
COMPARED = ("accuracy", "activation precision", "AKS", "accuracy, flipped", "flipped, by age")
AGES = {True: "children", False: "adults"}


def table_1(published, reference, here, *, digits=2):
    """Set the paper's table beside the reference runs and these runs.

    Parameters
    ----------
    published : dict
        As the study's ``published()`` returns it.
    reference, here : list of shortlib.runs.Run
        Each of one profile, both of the same data set.
    digits : int
        After the point; the paper has two.

    Returns
    -------
    pandas.DataFrame
        Three rows for each of the paper's, one a source, and a column a model. The paper's
        equation has no weight, which is a weight of 1; beside it stands the weight that
        validation chose.
    """
    parts = {"reference": reference, "this run": here}
    models, lines = (UNREFINED_NAME, MODELS[EXBL], AS_PRINTED), []
    for row in (row for table in published["tables"] for row in table["rows"]):
        printed = {name: f"{value:.2f}" for name, value in row["values"].items()}
        printed[AS_PRINTED] = SAME
        lines.append((row["row"], "published", printed, "published"))
        for source in SOURCES:
            measured = measured_by(row["metric"], parts[source])
            cells = {name: format_estimate(measured[name], digits) for name in measured}
            lines.append((row["row"], source, cells, source))
    return side_by_side(lines, models)


def relatives_table(runs, *, digits=2):
    """Tabulate what each model does on the test cases, and an even map beside them.

    Parameters
    ----------
    runs : list of shortlib.runs.Run
        Of one data set and profile.
    digits : int

    Returns
    -------
    pandas.DataFrame
        A row a model: the weights of its loss, seed by seed, then shares with 95% intervals; then
        a row for a map without any preference. What the data do not know has no column.
    """
    measured = {title: measured_by(metric, runs) for title, metric in COLUMNS.items()}
    measured = {title: found for title, found in measured.items() if found}
    names = [name for name in _names() if any(name in found for found in measured.values())]
    rows = [
        {
            "model": name,
            "weight": weights_in_words(runs, name),
            **{t: format_estimate(found.get(name), digits) for t, found in measured.items()},
        }
        for name in names
    ]
    if rows:
        even = {title: _even(SHARES[title], runs) for title in measured if title in SHARES}
        shares = {t: "–" if even.get(t) is None else f"{even[t]:.{digits}f}" for t in measured}
        rows.append({"model": EVEN, "weight": "–", **shares})
    return pd.DataFrame(rows, columns=["model", "weight", *measured])


def differences_table(runs, *, digits=3):
    """Tabulate how models differ from the unrefined one, and from the one trained as long.

    Parameters
    ----------
    runs, digits
        As for :func:`relatives_table`.

    Returns
    -------
    pandas.DataFrame
        A row a comparison; differences are paired by case and seed, with 95% intervals.
    """
    measured = {title: measured_by(COLUMNS[title], runs) for title in COMPARED}
    measured = {title: found for title, found in measured.items() if found}
    rows = []
    for base in (UNREFINED_NAME, CONTINUED_NAME):
        for name in _names():
            both = {t: found for t, found in measured.items() if name in found and base in found}
            # Fine-tuned against unrefined stands there once.
            if both and name not in (UNREFINED_NAME, base):
                cells = {
                    title: format_estimate(found[name] - found[base], digits)
                    for title, found in both.items()
                }
                rows.append({"model": name, "against": base, **cells})
    return pd.DataFrame(rows, columns=["model", "against", *measured]).fillna("–")


def sizes_table(groups):
    """Count the cases of each class and part, and say of what age the class is in training.

    Parameters
    ----------
    groups : dict of str to list of shortlib.runs.Run
        By data set; a data set without runs says so. Where seeds are repeated splits, the counts
        are those of the first one.

    Returns
    -------
    pandas.DataFrame
    """
    rows, parts = [], ["train", "validation", "test", "flipped"]
    for data, runs in groups.items():
        if not (chosen := refined(runs)):
            empty = dict.fromkeys(["age in training", *parts], "–")
            rows.append({"data": data, "class": "no run", **empty})
            continue
        run, children = chosen[0], chosen[0].settings["children"]
        names = list(run.predictions["class"].unique())
        cases = run.table("cases").replace({"view": {"plain": "", "adversarial": "flipped"}})
        part = cases["view"].where(cases["view"] != "", cases["split"])
        counts = pd.crosstab(cases["class"], part)
        training = run.table("candidates")["class"].map(dict(enumerate(names))).value_counts()
        counts["train"] = training.reindex(counts.index)
        counts = counts.reindex(index=names, columns=parts).fillna(0).astype(int)
        for name in names:
            age = {"age in training": AGES[name in children]}
            rows.append({"data": data, "class": name, **age, **counts.loc[name]})
    return pd.DataFrame(rows, columns=["data", "class", "age in training", *parts])


def weights_in_words(runs, name):
    """Say which weight of its loss a model has, seed by seed, or that there was no choice.

    Parameters
    ----------
    runs : list of shortlib.runs.Run
    name : str
        A value of ``MODELS``, or ``AS_PRINTED``.

    Returns
    -------
    str
        E.g. ``"0.3, 1, 1"`` of three seeds, or ``"1 (fixed)"``.
    """
    if name == AS_PRINTED:
        return "1 (fixed)"
    method = next(method for method, title in MODELS.items() if title == name)
    if method in (UNREFINED, CONTINUED):
        return "–"
    chosen = [chosen_model(run, method) for run in refined(runs)]
    if all(len(weights_of(run, method)) < 2 for run in refined(runs)):
        return f"{chosen[0][1]:g} (fixed)"
    return ", ".join("–" if one is None else f"{one[1]:g}" for one in chosen)


def measured_by(metric, runs):
    """Measure a metric of the study by model; nothing where these runs cannot tell."""
    return measured_or_nothing(estimates, metric, runs)


def caption(text, *parts):
    """Write a caption that says what its numbers stand on.

    Parameters
    ----------
    text : str
    *parts : list of shortlib.runs.Run

    Returns
    -------
    IPython.display.Markdown
        As :func:`shortlib.report.side_by_side.write_caption` writes it.
    """
    ends = (
        "Intervals (95%) resample patients and seeds.",
        "Every model is that of the epoch with the lowest validation loss.",
    )
    return write_caption(text, parts, _tested, *ends)


def _tested(runs):
    cases = runs[0].table("cases")
    views = cases.loc[cases["split"] == "test", "view"].value_counts()
    flipped = views.get("adversarial", 0)
    return f"{views['plain']} test cases" + (f", {flipped} flipped ones" if flipped else "")


def _names():
    """List all models in the order of tables, eXBL as printed after eXBL."""
    pairs = ((t, AS_PRINTED) if method == EXBL else (t,) for method, t in MODELS.items())
    return [name for pair in pairs for name in pair]


def _even(share, runs):
    """Return what a map without preference scores; None where nobody knows."""
    try:
        estimate = by_model(share, "test")(runs).get(UNREFINED_NAME)
    except NotTestableError:
        return None
    return None if estimate is None else estimate.value
