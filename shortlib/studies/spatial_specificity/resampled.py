"""What a run of the study holds of each case, resampled by patient and seed.

Seeds may be tested on different cases, the test parts of different trap sets. So patients are drawn
from all of them, and each seed's value is that of its own cases among those drawn.
"""

from functools import lru_cache

import numpy as np

from shortlib.metrics.estimate import Estimate
from shortlib.metrics.matching import bootstrap_matched_aurocs, matched_auroc
from shortlib.metrics.multilabel import multilabel_aurocs, multilabel_means
from shortlib.metrics.resampling import case_counts, seed_draws
from shortlib.studies.spatial_specificity.watching import PAPER
from shortlib.studies.verdicts import NotTestableError

PLAIN, TURNED, AGAINST = "plain", "adversarial", "against the shortcut"
INSIDE = "lesion's score"
_N_RESAMPLES = 2000


def area_under(runs, view, selection, *, artefact=None, carries=None):
    """Measure the mean AUROC over the runs of one variant.

    Parameters
    ----------
    runs : sequence of shortlib.runs.Run
        One a seed.
    view : str
        `PLAIN`, `TURNED`; `AGAINST`: the plain test cases on which label and shortcut disagree; or
        `INSIDE`: all plain test cases, by :func:`shortlib.models.unet.lesion_scores`, which
        networks for pixels with two classes of lesions keep under the paper's rule.
    selection : str
    artefact : str, optional
        A shortcut's name in the runs' table ``cases``; with `carries` only the cases that have it,
        or have it not.
    carries : bool, optional

    Returns
    -------
    shortlib.metrics.estimate.Estimate

    Raises
    ------
    NotTestableError
        If a run has no such scores, or no cases of both labels.
    """
    return _area_under(tuple(runs), view, selection, artefact, carries)


def matched_area_under(runs, view, selection):
    """Measure the mean AUROC over pairs of test cases whose lesions are of like size.

    Parameters
    ----------
    runs : sequence of shortlib.runs.Run
        One a seed, of data in which every case has a lesion.
    view, selection : str
        As for :func:`area_under`.

    Returns
    -------
    shortlib.metrics.estimate.Estimate
        See :func:`shortlib.metrics.matched_auroc`. Cases of each seed are resampled for themselves.

    Raises
    ------
    NotTestableError
        If a case has no lesion, or no pair is alike.
    """
    values, resamples, n = [], [], 0
    for run in runs:
        table = _chosen(run, view, selection, None, None)
        cases = run.table("cases")
        cases = cases[cases["split"] == "test"].set_index("case_id").loc[table.index]
        arrays = table["label"], table["score"], cases["area"]
        try:
            values.append(matched_auroc(*arrays))
            resamples.append(bootstrap_matched_aurocs(*arrays, groups=cases["patient_id"]))
        except ValueError as error:
            raise NotTestableError(f"this cannot be measured: {error}") from error
        n += len(table)
    if not values:
        raise NotTestableError("there is no such run")
    return _over_seeds(values, np.array(resamples), n)


def area_of_lesion(runs, split):
    """Measure the AUROC of the true lesion's area alone, mean over the runs of one variant.

    Parameters
    ----------
    runs : sequence of shortlib.runs.Run
        One a seed.
    split : str
        ``"validation"`` or ``"test"``.

    Returns
    -------
    shortlib.metrics.estimate.Estimate
    """
    values, resamples, n = [], [], 0
    for run in runs:
        cases = run.table("cases")
        cases = cases[cases["split"] == split]
        labels, areas = (cases[name].to_numpy(float)[:, None] for name in ("label", "area"))
        groups = cases["patient_id"].to_numpy()
        found = multilabel_aurocs(labels, areas[None], groups=groups, n_resamples=_N_RESAMPLES)
        values.append(found.values[0])
        resamples.append(found.resamples[:, 0])
        n += len(cases)
    return _over_seeds(values, np.array(resamples), n)


def mean_of(tables, column, *, where=None):
    """Average a column of one table a run over its cases, and over runs.

    Parameters
    ----------
    tables : list of pandas.DataFrame
        One a seed, with ``case_id``; NaN leaves a case out.
    column : str
    where : callable, optional
        ``where(table)`` returns which rows count.

    Returns
    -------
    shortlib.metrics.estimate.Estimate
    """
    chosen = [table if where is None else table[where(table)] for table in tables]
    values = [table.set_index("case_id")[column].astype(float) for table in chosen]
    ids = sorted(set().union(*(one.index for one in values)))
    stacked = np.stack([one.reindex(ids).to_numpy() for one in values])[..., None]
    try:
        return multilabel_means(stacked).finding(0)  # without resamples that have no such case
    except ValueError as error:
        raise NotTestableError(f"this cannot be measured: {error}") from error


def variance(tables, supervision):
    """Return the variance measure of one kind of label, mean over seeds, images resampled.

    Parameters
    ----------
    tables : list of pandas.DataFrame
        See :func:`shortlib.studies.spatial_specificity.pixels.pixel_sums`; one a seed.
    supervision : str

    Returns
    -------
    shortlib.metrics.estimate.Estimate
        The pooled variance over all positive pixels of the images drawn.
    """
    values, resamples, n = [], [], 0
    for table in tables:
        rows = table[table["supervision"] == supervision]
        sums = rows[["n", "sum", "squares"]].to_numpy(dtype=np.float64)
        values.append(_pooled(sums.sum(axis=0)[:, None])[0])
        drawn = case_counts(len(sums), n_resamples=_N_RESAMPLES)
        resamples.append(_pooled(np.concatenate([sums.T @ counts for counts in drawn], axis=1)))
        n += len(sums)
    return _over_seeds(values, np.array(resamples), n)


def over_cases(tables, measure):
    """Resample a measure of tables of cases, mean over seeds.

    Parameters
    ----------
    tables : list of pandas.DataFrame
        One a seed.
    measure : callable
        ``measure(table, counts)`` returns the value on each of b resamples, shape (b,), in which
        the cases come `counts` times, shape (n, b).

    Returns
    -------
    shortlib.metrics.estimate.Estimate
    """
    values, resamples = [], []
    for table in tables:
        values.append(measure(table, np.ones((len(table), 1)))[0])
        drawn = case_counts(len(table), n_resamples=_N_RESAMPLES)
        resamples.append(np.concatenate([measure(table, counts) for counts in drawn]))
    return _over_seeds(values, np.array(resamples), sum(len(table) for table in tables))


@lru_cache(maxsize=2048)
def _area_under(runs, view, selection, artefact, carries):
    if not runs:
        raise NotTestableError("there is no such run")
    tables = [_chosen(run, view, selection, artefact, carries) for run in runs]
    whose = {}
    for run in runs:
        cases = run.table("cases")
        whose |= dict(zip(cases["case_id"], cases["patient_id"], strict=True))
    ids = sorted(set().union(*(table.index for table in tables)))
    labels, scores = (
        np.stack([table[name].reindex(ids).to_numpy(np.float64) for table in tables], axis=1)
        for name in ("label", "score")
    )
    groups = np.array([whose[one] for one in ids])
    try:
        # Each seed is a column of its own, so that it may have its own cases.
        found = multilabel_aurocs(labels, scores[None], groups=groups, n_resamples=_N_RESAMPLES)
    except ValueError as error:
        raise NotTestableError(f"this cannot be measured: {error}") from error
    if np.isnan(found.values).any():
        raise NotTestableError("a seed has no test cases of both labels here")
    return _over_seeds(found.values, found.resamples.T, found.n)


def _chosen(run, view, selection, artefact, carries):
    if view == INSIDE:
        return _inside(run, selection)
    table = run.predictions
    kind = PLAIN if view == AGAINST else view
    table = table[
        (table["split"] == "test") & (table["view"] == kind) & (table["selection"] == selection)
    ]
    if view == AGAINST:
        known = table["shortcut"] >= 0
        table = table[known & (table["shortcut"] != table["label"])]
    if artefact is not None:
        cases = run.table("cases")
        flags = cases[cases["split"] == "test"].set_index("case_id")[artefact].astype(bool)
        table = table[flags.reindex(table["case_id"]).to_numpy() == carries]
    if table.empty:
        raise NotTestableError(f"run {run.path.name} has no test scores of selection {selection}")
    return table.set_index("case_id")[["label", "score"]]


def _inside(run, selection):
    try:
        table = run.table("overlaps")
    except FileNotFoundError as error:
        raise NotTestableError(f"this cannot be measured: {error}") from error
    if "lesion_score" not in table or selection != PAPER:
        raise NotTestableError(f"run {run.path.name} has no scores of lesions by {selection}")
    return table.set_index("case_id")[["label", "lesion_score"]].set_axis(
        ["label", "score"], axis=1
    )


def _pooled(sums):
    """Variance from how many values there are, their sum and their squares', shape (3, b)."""
    n, total, squares = sums
    return squares / n - (total / n) ** 2


def _over_seeds(values, resamples, n):
    """Average seeds, drawn with replacement; `resamples` has shape (seeds, b)."""
    drawn = seed_draws(len(values), resamples.shape[1], 0)
    chosen = np.take_along_axis(resamples, drawn, axis=0)
    known = ~np.isnan(chosen)
    number = known.sum(axis=0)
    total = np.where(known, chosen, 0).sum(axis=0)
    means = (total / np.maximum(number, 1))[number > 0]
    return Estimate(float(np.mean(values)), means, int(n), len(values))
