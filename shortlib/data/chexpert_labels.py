"""The fourteen columns that the CheXpert labeller writes, in CheXpert and in MIMIC-CXR-JPG."""

import pandas as pd

from shortlib.data.rows import leave_out

FINDINGS = (
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Enlarged Cardiomediastinum",
    "Fracture",
    "Lung Lesion",
    "Lung Opacity",
    "No Finding",
    "Pleural Effusion",
    "Pleural Other",
    "Pneumonia",
    "Pneumothorax",
    "Support Devices",
)

# The five that CheXpert's authors compare models on.
FIVE = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion")


def checked_names(labels):
    """Return `labels` as a tuple.

    Raises
    ------
    ValueError
        If one of them is not the labeller's, or there are fewer than two: one column
        would be read as classes, which have no place for uncertain and not mentioned.
    """
    labels = tuple(labels)
    unknown = [name for name in labels if name not in FINDINGS]
    if isinstance(labels, str) or unknown or len(set(labels)) != len(labels) or len(labels) < 2:
        raise ValueError(
            f"labels must be two or more different ones of {', '.join(FINDINGS)}, got {labels}"
        )
    return labels


def to_labels(table, labels, path, problems):
    """Turn the labeller's cells into numbers.

    Parameters
    ----------
    table : pandas.DataFrame of str
    labels : tuple of str
    path : pathlib.Path
    problems : shortlib.data.problems.Problems
        Is given a ``"bad label"`` for each row in which a cell is none of the below.

    Returns
    -------
    pandas.DataFrame
        Without such rows. 1 present, 0 absent, -1 uncertain, NaN not mentioned
        (an empty cell), as float32.
    """
    wrong = pd.Series(False, index=table.index)
    numbers = {}
    for name in labels:
        values = pd.to_numeric(table[name], errors="coerce").astype("float32")
        wrong |= (table[name] != "") & ~values.isin((1, 0, -1))
        numbers[name] = values

    def sentence(row):
        name = next(name for name in labels if row[name] != "" and not _is_label(row[name]))
        return f"{name!r} must be 1, 0, -1 or empty, got {row[name]!r}"

    return leave_out(table.assign(**numbers), wrong, "bad label", sentence, path, problems)


def _is_label(value):
    return value in (1, 0, -1) or value != value
