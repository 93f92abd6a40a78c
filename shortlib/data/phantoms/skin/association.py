"""How often each artefact comes with each label: as measured in the ISIC 2018 trap sets."""

import numpy as np

SHORTCUTS = ("dark_corner", "hair", "gel_border", "gel_bubble", "ruler", "ink", "patches")

# Chance of an artefact, counted in the published annotations of ISIC 2018 Task 1-2.
# all: in the 2,594 images, whatever the label. train, test: (benign, melanoma) in the trap
# sets 1 to 5 of Bissoto et al. (2020); the five have the same counts, 1,457 + 365 cases in
# train and 618 + 154 in test.
PREVALENCE = {
    "dark_corner": {"all": 0.3701, "train": (0.2649, 0.6137), "test": (0.5502, 0.0649)},
    "hair": {"all": 0.5852, "train": (0.7172, 0.4055), "test": (0.3382, 0.7532)},
    "gel_border": {"all": 0.2618, "train": (0.1325, 0.2438), "test": (0.6424, 0.0000)},
    "gel_bubble": {"all": 0.4884, "train": (0.5806, 0.3507), "test": (0.2654, 0.8377)},
    "ruler": {"all": 0.4950, "train": (0.3061, 0.8110), "test": (0.8560, 0.0844)},
    "ink": {"all": 0.1704, "train": (0.0391, 0.1726), "test": (0.5210, 0.0000)},
    "patches": {"all": 0.0721, "train": (0.0762, 0.0055), "test": (0.1197, 0.0000)},
}

# Which way a part's association points: see `chances`.
PARTS = {"train": 1.0, "val": 1.0, "test": -1.0, "all": 0.0}


def chances(labels, association, prevalence=PREVALENCE):
    """Return the chance of each artefact in each case.

    The dial runs from the trap sets' training split over no association to their
    test split, straight from one to the next: at 1/2 each chance lies half way
    between "none" and "train".

    Parameters
    ----------
    labels : numpy.ndarray of int, shape (n,)
        0 benign, 1 melanoma.
    association : float or numpy.ndarray, shape () or (n,)
        1 as in the training split, 0 no association, -1 as in the test split,
        where it points the other way.
    prevalence : dict
        For each of `SHORTCUTS` a dict of ``all`` (a chance) and of ``train`` and
        ``test`` (chance in benign cases, chance in melanomas), all in [0, 1].

    Returns
    -------
    numpy.ndarray of float, shape (n, 7)
        One column for each of `SHORTCUTS`.

    Raises
    ------
    ValueError
        If the dial or a chance is out of range, or an artefact is not in the table.

    References
    ----------
    Bissoto, Valle, Avila (2020), "Debiasing skin lesion datasets and models? Not so
    fast", whose annotations are counted here.
    """
    labels = np.asarray(labels, int)
    dial = np.broadcast_to(np.asarray(association, float), labels.shape)[:, None]
    if not np.all(np.abs(dial) <= 1):
        worst = dial[~(np.abs(dial) <= 1)][0]
        raise ValueError(f"association is a number from -1 to 1, got {worst}")
    table = _table(prevalence)
    there = np.where(dial >= 0, table["train"][:, labels].T, table["test"][:, labels].T)
    return table["all"] + np.abs(dial) * (there - table["all"])


def _table(prevalence):
    missing = [name for name in SHORTCUTS if name not in prevalence]
    if missing:
        raise ValueError(f"prevalence needs an entry for {missing[0]!r}; it has {[*prevalence]}")
    table = {
        column: np.array([prevalence[name][column] for name in SHORTCUTS], float)
        for column in ("all", "train", "test")
    }
    for column, values in table.items():
        if not np.all((values >= 0) & (values <= 1)):
            raise ValueError(f"prevalence {column!r} must be chances in [0, 1], got {values}")
    return table
