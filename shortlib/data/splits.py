"""Splits that no patient crosses."""

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split


def split_by_patient(patient_ids, fractions, *, strata=None, seed=0):
    """Assign every case to a part so that no patient is in two parts.

    Parameters
    ----------
    patient_ids : array_like of str, shape (n,)
    fractions : dict of str to float
        Share of the patients of each part, e.g. ``{"train": 0.7, "test": 0.3}``;
        the shares sum to 1.
    strata : array_like, shape (n,) or (n, k), optional
        Values whose distribution the parts should share, e.g. labels. A patient
        with several cases counts with the largest value of each column. Patterns
        that fewer patients have than there are parts are pooled.
    seed : int
        Same arguments and seed, same split, whatever the order of the cases.

    Returns
    -------
    numpy.ndarray of str, shape (n,)
        Name of the part of each case.

    Raises
    ------
    ValueError
        If the fractions do not sum to 1 or there are fewer patients than parts.
    """
    if any(not 0 < f <= 1 for f in fractions.values()) or abs(sum(fractions.values()) - 1) > 1e-9:
        raise ValueError(f"fractions are positive and sum to 1, got {dict(fractions)}")
    patient_ids = np.asarray(patient_ids).astype(str)
    strata = np.zeros(len(patient_ids)) if strata is None else np.asarray(strata)
    values = pd.DataFrame(strata.reshape(len(patient_ids), -1)).fillna(-2)
    # Sorted by patient, so that the order in which cases were listed does not matter.
    patients = values.groupby(patient_ids, sort=True).max()
    if len(patients) < len(fractions):
        raise ValueError(
            f"{len(fractions)} parts ({', '.join(fractions)}) need at least as many patients, "
            f"got {len(patients)}"
        )
    pattern = patients.astype(str).agg("|".join, axis=1)
    part = pd.Series("", index=patients.index)
    rest, left = patients.index.to_numpy(), 1.0
    names = list(fractions)
    for place, name in enumerate(names[:-1]):
        later = len(names) - place - 1
        size = min(max(round(fractions[name] / left * len(rest)), 1), len(rest) - later)
        chosen, rest = _draw(rest, pattern, size, seed + place)
        part[chosen] = name
        left -= fractions[name]
    part[rest] = names[-1]
    return part[patient_ids].to_numpy(dtype=str)


def _draw(patients, pattern, size, seed):
    strata = pattern[patients]
    counts = strata.map(strata.value_counts())
    # Both sides must be able to hold a patient of every stratum.
    strata = strata.where(counts >= 2, "pooled")
    if (strata == "pooled").sum() == 1:
        strata = strata.replace("pooled", strata.mode()[0])
    stratify = strata if strata.nunique() <= min(size, len(patients) - size) else None
    return train_test_split(patients, train_size=size, stratify=stratify, random_state=seed)


def leaking_patients(patient_ids, parts):
    """Return the patients that are in more than one part.

    Parameters
    ----------
    patient_ids, parts : array_like of str, shape (n,)

    Returns
    -------
    dict of str to list of str
        Patient to the parts it is in, both sorted; empty when no patient leaks.
    """
    table = pd.DataFrame({"patient": patient_ids, "part": parts}).drop_duplicates()
    several = table[table.duplicated("patient", keep=False)]
    return {str(p): sorted(rows["part"]) for p, rows in several.groupby("patient", sort=True)}
