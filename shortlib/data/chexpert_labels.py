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
    numbers = table[list(labels)].apply(pd.to_numeric, errors="coerce").astype("float32")
    wrong = (table[list(labels)] != "") & ~numbers.isin((1, 0, -1))

    def sentence(row):
        value, name = next((row[name], name) for name in labels if wrong.at[row["line"], name])
        return f"{name!r} must be 1, 0, -1 or empty, got {value!r}"

    kept = leave_out(
        table.assign(line=table.index), wrong.any(axis=1), "bad label", sentence, path, problems
    )
    return kept.drop(columns="line").assign(**numbers.loc[kept.index])
