"""Runs of the study of exemplary explanations made by hand, in memory."""

from pathlib import Path

import numpy as np
import pandas as pd

from tests.studies.clip_runs import MadeRun

CLASSES = ("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia")
CHILDREN = ("Viral Pneumonia",)
UNREFINED, CONTINUED = ("unrefined", 0.0, ""), ("continued", 0.0, "")
EXBL, EXBL_STRONG = ("exbl", 1.0, "automatic"), ("exbl", 10.0, "automatic")
CODE = ("exbl-code", 1.0, "automatic")
MASKED, RRR = ("masked", 1.0, ""), ("right-reasons", 0.01, "")
EVERY = (UNREFINED, CONTINUED, EXBL, EXBL_STRONG, CODE, MASKED, RRR)
VIEWS = {
    "validation": ("validation", "plain"),
    "test": ("test", "plain"),
    "aligned": ("test", "aligned"),
    "flipped": ("test", "adversarial"),
}


def right(where, part, labels, rng):
    """Predict two thirds of the classes as they are."""
    return np.where(rng.random(len(labels)) < 0.67, labels, (labels + 1) % len(CLASSES))


def at_random(where, part, labels, rng):
    """Values of maps, by column."""
    return {"ap": rng.random(len(labels))}


def made_run(stages=EVERY, *, seed=0, n=24, predict=right, looked=at_random, variant="refined",
             data="builtin-radiographs", ids=None, patients=None, parts=tuple(VIEWS)):  # fmt: skip
    """Make a run.

    ``predict(stage, part, labels, rng)`` gives the predicted classes of a part of the data,
    ``looked(stage, part, labels, rng)`` columns of the table of maps. `ids` and `patients` are of
    the cases of every part.
    """
    rng = np.random.default_rng([seed, *map(ord, variant)])
    ids = np.arange(n) if ids is None else np.asarray(ids)
    n = len(ids)
    labels = ids % len(CLASSES)
    names = np.array([f"case-{i:03d}" for i in ids])
    whose = names if patients is None else np.array([f"patient-{p}" for p in patients])
    rows, maps, cases = [], [], []
    for part in parts:
        split, view = VIEWS[part]
        known = {"case_id": names, "split": [split] * n, "view": [view] * n}
        classes = [CLASSES[k] for k in labels]
        cases.append(pd.DataFrame({**known, "patient_id": whose, "class": classes}))
        for stage in stages:
            where = dict(zip(("method", "weight", "pair"), stage, strict=True))
            predicted = np.asarray(predict(stage, part, labels, rng))
            scores = np.where(predicted[:, None] == np.arange(len(CLASSES)), 0.7, 0.1)
            columns = {name: np.repeat(value, len(CLASSES)) for name, value in known.items()}
            columns["label"] = (labels[:, None] == np.arange(len(CLASSES))).ravel().astype("int8")
            columns |= {"shortcut": -1, "selection": "validation_loss"}
            columns |= {"score": scores.ravel().astype(np.float32)}
            columns |= {"class": np.tile(CLASSES, len(labels))}
            rows.append(pd.DataFrame({**columns, **where}))
            if view == "aligned":
                continue
            columns = {**known, "class": labels, "predicted": predicted, "empty": False}
            columns |= {"ap": 0.5, "aks": 0.25, "area": 0.3, "joints": 0.15, "joints_area": 0.1}
            columns |= looked(stage, part, labels, rng)
            maps.append(pd.DataFrame({**columns, **where}))
    tables = {"cases": pd.concat(cases).iloc[::-1], "maps": pd.concat(maps)}
    predictions = pd.concat(rows).sample(frac=1, random_state=seed)
    request = {"variant": variant, "data": data, "profile": "smoke", "method": "eXBL"}
    path = Path(f"{data}-{variant}-s{seed}")
    return MadeRun(path, request, seed, {"children": list(CHILDREN)}, predictions, tables)
