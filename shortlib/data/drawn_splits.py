"""Splits of data sets that come without one: shares of the patients, or so many cases each."""

from collections import Counter

import numpy as np

from shortlib.data.problems import DataError
from shortlib.data.splits import split_by_patient

REST = "unused"


def split_by_shares(cases, fractions, *, strata, seed, root):
    """Draw parts by shares of the patients; too few patients are a fault of the data.

    Parameters
    ----------
    cases : pandas.DataFrame
        With ``patient_id``.
    fractions : dict of str to float
        See :func:`shortlib.data.splits.split_by_patient`.
    strata : str or list of str, optional
        Columns whose distribution the parts should share.
    seed : int
    root : pathlib.Path
        Of the data set, for the error.

    Returns
    -------
    numpy.ndarray of str, shape (n,)

    Raises
    ------
    DataError
        If there are fewer patients than parts.
    ValueError
        If the fractions do not sum to 1.
    """
    patients = cases["patient_id"].nunique()
    if patients < len(fractions):
        raise DataError(
            "too few patients",
            f"{len(fractions)} parts need as many patients at least, there are {patients}",
            path=root,
        )
    values = None if strata is None else cases[strata]
    return split_by_patient(cases["patient_id"], fractions, strata=values, seed=seed)


def split_by_quota(patient_ids, classes, quota, *, seed=0, name="this data set"):
    """Draw so many cases of each class for each part, keeping patients whole.

    Patients are taken in random order as long as all their cases still fit in; what
    no part needs is left over.

    Parameters
    ----------
    patient_ids : array_like of str, shape (n,)
    classes : array_like of str, shape (n,)
        A patient may have cases of several classes.
    quota : dict of str to int
        Cases of each class in each part, e.g. ``{"train": 800, "test": 200}``.
    seed : int
        Same arguments and seed, same split, whatever the order of the cases.
    name : str
        Of the data set, for the error.

    Returns
    -------
    numpy.ndarray of str, shape (n,)
        Name of the part of each case, ``"unused"`` where it is in none.

    Raises
    ------
    ValueError
        If the quota is empty or not of whole numbers of at least 1.
    DataError
        If a class has too few cases; the sentence gives the counts.
    """
    if not quota or any(isinstance(n, bool) or int(n) != n or n < 1 for n in quota.values()):
        raise ValueError(f"per_class gives each part at least 1 case of a class, got {quota!r}")
    patient_ids, classes = np.asarray(patient_ids, str), np.asarray(classes, str)
    cases_of = {}
    for patient, kind in zip(patient_ids, classes, strict=True):
        cases_of.setdefault(patient, Counter())[kind] += 1
    patients = sorted(cases_of)
    order = np.random.default_rng(seed).permutation(len(patients))
    waiting = [patients[i] for i in order]
    part_of = {}
    for part, wanted in quota.items():
        left = dict.fromkeys(np.unique(classes).tolist(), int(wanted))
        later = []
        for patient in waiting:
            fits = all(left[kind] >= n for kind, n in cases_of[patient].items())
            if not fits:
                later.append(patient)
                continue
            part_of[patient] = part
            for kind, n in cases_of[patient].items():
                left[kind] -= n
        waiting = later
        if any(left.values()):
            _too_few(classes, quota, part, left, name)
    return np.array([part_of.get(patient, REST) for patient in patient_ids])


def _too_few(classes, quota, part, left, name):
    there = Counter(classes.tolist())
    total = sum(quota.values())
    asked = " + ".join(f"{n} {part}" for part, n in quota.items())
    counts = ", ".join(f"{kind} has {there[kind]}" for kind in sorted(there))
    short = ", ".join(f"{n} of {kind}" for kind, n in sorted(left.items()) if n)
    whole = "" if min(there.values()) < total else "; patients are kept whole, try another seed"
    raise DataError(
        "too few images",
        f"{name} should give {asked} of each class, {total} in all; {counts}; "
        f"{part} lacks {short}{whole}",
    )
