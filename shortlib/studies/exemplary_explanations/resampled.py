"""What a run of the study holds of each case, resampled by patient and seed."""

from functools import lru_cache

import numpy as np

from shortlib.metrics.multilabel import multilabel_means
from shortlib.studies.verdicts import NotTestableError

TEST, VALIDATION = ("test", "plain"), ("validation", "plain")
ALIGNED, FLIPPED = ("test", "aligned"), ("test", "adversarial")
ACCURACY, BY_AGE = "accuracy", "by age"


def case_values(run, where, column, at):
    """Return one value for each case that a model of a run was tested on.

    Parameters
    ----------
    run : shortlib.runs.Run
    where : tuple
        Method, weight and pair: which of the run's models.
    column : str
        `ACCURACY`: 1 where the predicted class is the true one. `BY_AGE`: 1 where it is a class
        that goes with the case's age in training, although in this view the true one does not.
        Else a column of the run's table ``maps``.
    at : tuple of str
        Split and view.

    Returns
    -------
    pandas.Series of float
        By case id; empty where the run does not have it.
    """
    return _case_values(run, where, column, at)


def mean_over(runs, wheres, column, at):
    """Average a value over cases and over models, with patients and models resampled.

    Parameters
    ----------
    runs : sequence of shortlib.runs.Run
    wheres : sequence of tuple
        The model of each run; runs may repeat. They count as seeds.
    column, at
        As for :func:`case_values`.

    Returns
    -------
    shortlib.metrics.estimate.Estimate or None
        None where a run does not have it. Runs may be tested on different cases (repeated
        splits): a patient is drawn for all of them, and each model's mean is over those of its own
        test cases that were drawn.

    Raises
    ------
    NotTestableError
        If there is no case with a value.
    """
    return _mean_over(tuple(runs), tuple(wheres), column, tuple(at))


@lru_cache(maxsize=4096)
def _case_values(run, where, column, at):
    if column not in (ACCURACY, BY_AGE):
        table = _choose(run.table("maps"), where, at)
        return table.set_index("case_id")[column].astype(float) if column in table else table[[]]
    table = _choose(run.predictions, where, at)
    wide = table.pivot(index="case_id", columns="class", values="score")
    if wide.empty:
        return wide.sum(axis=1)
    predicted = wide.idxmax(axis=1)
    true = table[table["label"] == 1].set_index("case_id")["class"].reindex(wide.index)
    if column == ACCURACY:
        return (predicted == true).astype(float)
    # What is of children in training is of an adult here, so its age goes with the other classes.
    children = set(run.settings["children"])
    return (predicted.isin(children) != true.isin(children)).astype(float)


@lru_cache(maxsize=1024)
def _mean_over(runs, wheres, column, at):
    values = [_case_values(run, where, column, at) for run, where in zip(runs, wheres, strict=True)]
    if not values or any(one.empty for one in values):
        return None
    whose = {}
    for run in set(runs):
        cases = run.table("cases")
        whose |= dict(zip(cases["case_id"], cases["patient_id"], strict=True))
    ids = sorted(set().union(*(one.index for one in values)))
    stacked = np.stack([one.reindex(ids).to_numpy(dtype=np.float64) for one in values])[..., None]
    try:
        return multilabel_means(stacked, groups=np.array([whose[i] for i in ids])).mean()
    except ValueError as error:
        raise NotTestableError(f"this cannot be measured: {error}") from error


def _choose(table, where, at):
    chosen = np.ones(len(table), dtype=bool)
    for column, value in zip(
        ("method", "weight", "pair", "split", "view"), (*where, *at), strict=True
    ):
        chosen &= (table[column] == value).to_numpy()
    return table[chosen]
