"""How many cases, patients, parts and labels an index lists."""

import numpy as np
import pandas as pd


def counts_of(index):
    """Count what an index lists.

    Parameters
    ----------
    index : shortlib.data.index.Index

    Returns
    -------
    dict
        ``cases`` and ``patients`` (int), ``splits`` and ``labels`` (dict of str to
        int). A label counts the cases of a class, or those in which a finding is
        present.
    """
    cases = index.cases
    table = label_table(index)
    return {
        "cases": len(cases),
        "patients": int(cases["patient_id"].nunique()),
        "splits": {str(k): int(n) for k, n in cases["split"].value_counts(sort=False).items()},
        "labels": {}
        if table is None
        else table["present"].groupby(level=0, sort=False).sum().to_dict(),
    }


def _place(part):
    """Order parts as one thinks of them: training, validation, test, others."""
    return next((k for k, name in enumerate(("train", "val", "test")) if part.startswith(name)), 3)


def label_table(index):
    """Count labels in each part.

    Parameters
    ----------
    index : shortlib.data.index.Index

    Returns
    -------
    pandas.DataFrame or None
        Indexed by label and part. Classes have the column ``present``; findings also
        have ``absent``, ``uncertain`` and ``not mentioned``. None without labels.
    """
    if not index.labels:
        return None
    parts = sorted(set(index.cases["split"]), key=_place)
    by_part = {part: index.cases[index.cases["split"] == part] for part in parts}
    rows = {}
    if len(index.labels) == 1:
        column = index.labels[0]
        names = index.label_names or ("0", "1")
        for place, name in enumerate(names):
            for part, cases in by_part.items():
                rows[name, part] = {"present": int((cases[column] == place).sum())}
    else:
        for name in index.labels:
            for part, cases in by_part.items():
                values = cases[name].to_numpy(dtype=float)
                rows[name, part] = {
                    "present": int((values == 1).sum()),
                    "absent": int((values == 0).sum()),
                    "uncertain": int((values == -1).sum()),
                    "not mentioned": int(np.isnan(values).sum()),
                }
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(rows, names=["label", "part"])
    return table
