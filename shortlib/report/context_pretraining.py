"""The course of contrastive pre-training, and whether it collapsed."""

import pandas as pd

from shortlib.methods.contrastive_training import COLLAPSED, collapsed
from shortlib.studies.cardiac_context.measures import CONTRASTIVE, MODELS
from shortlib.studies.cardiac_context.resampled import of_variant

COLUMNS = ("variant", "seed", "epoch", "train_loss", "feature_std", "projection_std")


def read_pretraining(runs):
    """Stack the epochs of pre-training of the runs that have any.

    Parameters
    ----------
    runs : list of shortlib.runs.Run

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`; a row an epoch of a variant and seed.
    """
    tables = []
    for variant in CONTRASTIVE:
        for run in of_variant(runs, variant):
            history = run.history
            mine = history[history["task"] == "pre-training"]
            tables.append(mine.assign(variant=variant, seed=run.seed))
    if not tables:
        return pd.DataFrame(columns=COLUMNS)
    return pd.concat(tables, ignore_index=True)[list(COLUMNS)]


def pretraining_table(runs, *, threshold=COLLAPSED):
    """Tabulate where pre-training began and ended, and whether it collapsed.

    Parameters
    ----------
    runs : list of shortlib.runs.Run
    threshold : float
        See :func:`shortlib.methods.contrastive_training.collapsed`.

    Returns
    -------
    pandas.DataFrame
        A row a method and seed.
    """
    rows = []
    for (variant, seed), table in read_pretraining(runs).groupby(["variant", "seed"], sort=False):
        epochs = table.sort_values("epoch").to_dict("records")
        first, last = epochs[0], epochs[-1]
        rows.append(
            {
                "method": MODELS[variant],
                "seed": seed,
                "epochs": len(epochs),
                **{
                    said: f"{first[column]:.3f} → {last[column]:.3f}"
                    for said, column in (
                        ("loss, first → last epoch", "train_loss"),
                        ("spread of projections", "projection_std"),
                        ("spread of features", "feature_std"),
                    )
                },
                "collapsed": "yes" if collapsed(epochs, threshold=threshold) else "no",
            }
        )
    return pd.DataFrame(rows)
