"""What the study measures on its runs, each as a resampled estimate."""

from functools import lru_cache

import pandas as pd

from shortlib.studies.exemplary_explanations.exemplars import BLIND, CAREFUL
from shortlib.studies.exemplary_explanations.refinements import (
    CONTINUED,
    EXBL,
    EXBL_CODE,
    MASKED,
    RIGHT_REASONS,
    UNREFINED,
)
from shortlib.studies.exemplary_explanations.resampled import (
    ACCURACY,
    ALIGNED,
    BY_AGE,
    FLIPPED,
    TEST,
    VALIDATION,
    case_values,
    mean_over,
)
from shortlib.studies.verdicts import NotTestableError

# Method to its name in tables. Where a method has a loss on explanations, the weight of that loss
# is the one that validation chooses; eXBL is also shown as the paper's equation has it.
MODELS = {
    UNREFINED: "Unrefined",
    CONTINUED: "Fine-tuned",
    EXBL: "eXBL",
    EXBL_CODE: "eXBL, code's distance",
    MASKED: "Masked",
    RIGHT_REASONS: "RRR",
}
AS_PRINTED, PRINTED_WEIGHT = "eXBL, weight 1", 1.0
PAIRS = {CAREFUL: "careful pairs", BLIND: "blind pairs"}
# What refining may cost in validation accuracy against fine-tuning: what it cost in the paper.
PRICE = 0.05
VIEWS = {"validation": VALIDATION, "test": TEST, "aligned": ALIGNED, "flipped": FLIPPED}
_SWEEP = ("method", "weight", "accuracy", "accuracy_low", "accuracy_high", "ap", "ap_low",
          "ap_high", "flipped", "flipped_low", "flipped_high", "seeds", "chosen")  # fmt: skip


def estimates(metric, runs, *, selection="validation"):
    """Measure one metric for each model.

    Parameters
    ----------
    metric : str
        A key of `METRICS`.
    runs : list of shortlib.runs.Run
        Of one data set and profile.
    selection : str
        ``"validation"``, the study's only rule for epochs.

    Returns
    -------
    dict of str to Estimate
        By a value of `MODELS`, `AS_PRINTED`, or of `PAIRS`. What the runs do not hold is left out.

    Raises
    ------
    ValueError
        If there is no such metric or selection rule; lists those there are.
    shortlib.studies.verdicts.NotTestableError
        If the metric cannot be measured on these runs.
    """
    known = {"metric": (metric, METRICS), "selection": (selection, ["validation"])}
    for name, (value, usual) in known.items():
        if value not in usual:
            raise ValueError(f"{name} must be one of {', '.join(usual)}, got {value!r}")
    return METRICS[metric](runs)


def refined(runs):
    """Choose the runs that refine by each method, by seed, so that results are paired by seed."""
    chosen = [run for run in runs if run.request["variant"] == "refined"]
    return sorted(chosen, key=lambda run: run.seed)


def paired(runs):
    """Choose the run with many pairs of exemplars, or none."""
    return next((run for run in runs if run.request["variant"] == "pairs"), None)


def weights_of(run, method):
    """List the weights at which a run has a method, in rising order, with the pair's name."""
    table = run.table("maps")
    found = table.loc[table["method"] == method, ["weight", "pair"]].drop_duplicates()
    return [tuple(row) for row in found.sort_values(["weight", "pair"]).itertuples(index=False)]


def chosen_model(run, method):
    """Choose the weight of a method's explanation loss on a run's validation cases.

    Of the weights that cost at most `PRICE` in accuracy against fine-tuning without such a loss
    (against the unrefined model where a run was not fine-tuned), the one with the highest
    activation precision, the smaller of equal ones. If all cost more, the one that costs least.
    An empty map counts 0 here, although the metric gives it the lungs' share of the image: a loss
    that empties the maps has not moved attention into the lungs.

    Parameters
    ----------
    run : shortlib.runs.Run
    method : str

    Returns
    -------
    tuple or None
        Method, weight and pair; None where the run does not have the method.
    """
    return _chosen_model(run, method)


def by_model(column, view):
    """Return a metric: the mean of a value over the cases of a view, by model."""

    def measure(runs):
        chosen, found = refined(runs), {}
        for method, title in MODELS.items():
            wheres = [chosen_model(run, method) for run in chosen]
            found[title] = _mean(chosen, wheres, column, VIEWS[view])
            if method == EXBL:
                found[AS_PRINTED] = _mean(chosen, _as_printed(chosen), column, VIEWS[view])
        return {name: estimate for name, estimate in found.items() if estimate is not None}

    return measure


def difference(first, second):
    """Return a metric: the paired difference of two others, by model."""

    def measure(runs):
        a, b = first(runs), second(runs)
        return {name: a[name] - b[name] for name in a if name in b}

    return measure


def over_pairs(column, view):
    """Return a metric: the mean over many pairs of exemplars, pairs resampled like seeds."""

    def measure(runs):
        run, found = paired(runs), {}
        if run is None:
            return found
        alone = [(UNREFINED, 0.0, ""), (CONTINUED, 0.0, "")]
        for where, title in zip(alone, (MODELS[UNREFINED], MODELS[CONTINUED]), strict=True):
            found[title] = _mean([run], [where], column, VIEWS[view])
        for rule, title in PAIRS.items():
            wheres = [where for where in _pairs_of(run) if where[2].startswith(rule)]
            found[title] = _mean([run] * len(wheres), wheres, column, VIEWS[view])
        return {name: estimate for name, estimate in found.items() if estimate is not None}

    return measure


def sweep(runs):
    """Tabulate what each weight of each method's loss gives on the test cases.

    Parameters
    ----------
    runs : list of shortlib.runs.Run

    Returns
    -------
    pandas.DataFrame
        A row a method and weight: accuracy, activation precision and the accuracy on flipped
        cases (NaN where there are none), each with the ends of its interval, the number of seeds,
        and of how many of them validation chose that weight.
    """
    runs, rows = refined(runs), []
    for method in MODELS:
        for weight, pair in weights_of(runs[0], method) if runs else []:
            where = (method, weight, pair)
            numbers = []
            for column, at in ((ACCURACY, TEST), ("ap", TEST), (ACCURACY, FLIPPED)):
                estimate = _mean(runs, [where] * len(runs), column, at)
                numbers += _numbers(estimate)
            chosen = sum(chosen_model(run, method) == where for run in runs)
            rows.append((method, weight, *numbers, len(runs), chosen))
    return pd.DataFrame(rows, columns=_SWEEP)


def pair_table(runs):
    """Tabulate what each pair of exemplars gives on the test cases of the run with many pairs.

    Returns
    -------
    pandas.DataFrame
        A row a pair: ``rule``, ``pair``, ``accuracy``, ``ap`` and ``flipped`` (means over cases;
        NaN where there is no such view); the first rows are the unrefined and the fine-tuned
        model, whose ``pair`` is empty.
    """
    run, rows = paired(runs), []
    if run is None:
        return pd.DataFrame(columns=["rule", "pair", "accuracy", "ap", "flipped"])
    for where in [(UNREFINED, 0.0, ""), (CONTINUED, 0.0, ""), *_pairs_of(run)]:
        values = [
            case_values(run, where, column, at).mean()
            for column, at in ((ACCURACY, TEST), ("ap", TEST), (ACCURACY, FLIPPED))
        ]
        rows.append((where[2].rsplit("-", 1)[0] or where[0], where[2], *values))
    return pd.DataFrame(rows, columns=["rule", "pair", "accuracy", "ap", "flipped"])


@lru_cache(maxsize=256)
def _chosen_model(run, method):
    known = weights_of(run, method)
    if len(known) < 2:
        return (method, *known[0]) if known else None
    base = CONTINUED if weights_of(run, CONTINUED) else UNREFINED
    least = _accuracy(run, base, 0.0, "") - PRICE
    scored = [(_accuracy(run, method, *one), _precision(run, method, *one), one) for one in known]
    cheap = [one for one in scored if one[0] >= least - 1e-12]
    if cheap:
        return method, *max(cheap, key=lambda one: one[1])[2]
    return method, *max(scored, key=lambda one: one[0])[2]


def _accuracy(run, *where):
    return case_values(run, where, ACCURACY, VALIDATION).mean()


def _precision(run, *where):
    ap, empty = (case_values(run, where, name, VALIDATION) for name in ("ap", "empty"))
    return (ap * (1 - empty)).mean()


def _as_printed(runs):
    """Return, of each run, eXBL at the paper's weight."""
    known = [[(EXBL, *one) for one in weights_of(run, EXBL)] for run in runs]
    return [next((w for w in one if w[1] == PRINTED_WEIGHT), None) for one in known]


def _pairs_of(run):
    return [(EXBL, *one) for one in weights_of(run, EXBL)]


def _mean(runs, wheres, column, at):
    if not runs or None in wheres:
        return None
    return mean_over(runs, wheres, column, at)


def _numbers(estimate):
    return [float("nan")] * 3 if estimate is None else [estimate.value, *estimate.interval()]


METRICS = {
    **{f"accuracy_{view}": by_model(ACCURACY, view) for view in VIEWS},
    **{f"ap_{view}": by_model("ap", view) for view in ("validation", "test", "flipped")},
    **{f"{name}_test": by_model(name, "test") for name in ("aks", "joints", "empty", "area")},
    "joints_excess_test": difference(by_model("joints", "test"), by_model("joints_area", "test")),
    "reliance": difference(by_model(ACCURACY, "aligned"), by_model(ACCURACY, "flipped")),
    "by_age_flipped": by_model(BY_AGE, "flipped"),
    "ap_pairs": over_pairs("ap", "test"),
    "accuracy_pairs": over_pairs(ACCURACY, "test"),
    "flipped_pairs": over_pairs(ACCURACY, "flipped"),
}


def even_share(runs):
    """Return the lungs' share of the test images, what a map without preference would score."""
    try:
        return by_model("area", "test")(runs).get(MODELS[UNREFINED])
    except NotTestableError:
        return None
