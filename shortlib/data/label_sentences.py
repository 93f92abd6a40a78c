"""Sentences made from labels, for images that came without a report."""

import numpy as np

_PRESENT = ("There is {}.", "{} is seen.", "Findings are consistent with {}.", "{} is present.")
_ABSENT = ("No {}.", "There is no {}.", "No evidence of {}.", "{} is not seen.")
_NOTHING = ("No acute finding.", "The lungs are clear.", "Normal chest radiograph.")


def label_sentences(labels, names, *, seed=0, p_absent=0.3):
    """Write a short text for each case that says no more than its labels do.

    It stands in for a report where a method asks for one. A network that is trained on
    it learns the labels in other words: results on such texts are no results on
    language.

    Parameters
    ----------
    labels : array_like, shape (n, k)
        1 (a sentence says that it is there), 0 (some of these are denied), -1 or NaN
        (never mentioned).
    names : sequence of str, length k
        Of the findings, as they are to be read.
    seed : int
        Same labels and seed, same texts.
    p_absent : float
        Chance that an absent finding is denied.

    Returns
    -------
    numpy.ndarray of str, shape (n,)

    Raises
    ------
    ValueError
        If `names` does not fit the labels.

    Examples
    --------
    >>> label_sentences([[1, 0]], ["Effusion", "Hernia"], p_absent=0.0).tolist()
    ['Findings are consistent with effusion.']
    """
    labels = np.asarray(labels, dtype=float)
    if labels.ndim != 2 or labels.shape[1] != len(names):
        raise ValueError(f"{len(names)} names do not fit labels of shape {labels.shape}")
    rng = np.random.default_rng([int(seed), 0])
    return np.array([_text(row, names, rng, p_absent) for row in labels], dtype=str)


def _text(row, names, rng, p_absent):
    # Drawn for every finding, said or not, so that a case's draws depend on its place alone.
    words = rng.integers(12, size=len(names))
    denied = rng.random(len(names)) < p_absent
    order, nothing = rng.permutation(len(names)), _NOTHING[rng.integers(len(_NOTHING))]
    plain = [name.replace("_", " ").lower() for name in names]
    there = [_PRESENT[words[k] % 4].format(plain[k]) for k in order if row[k] == 1]
    absent = [_ABSENT[words[k] % 4].format(plain[k]) for k in order if row[k] == 0 and denied[k]]
    return " ".join(text[0].upper() + text[1:] for text in (there or [nothing]) + absent)
