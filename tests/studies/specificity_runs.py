"""Runs of the study of spatial specificity made by hand, in memory."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from shortlib.data.supervision import SUPERVISIONS
from shortlib.studies.spatial_specificity.study import profiles
from shortlib.studies.spatial_specificity.variants import VARIANTS, variant_name
from tests.studies.clip_runs import MadeRun

CHEST, SKIN, STICKERS, SIIM = "builtin-pneumothorax", "builtin-skin", "builtin-stickers", "siim-acr"
ISIC = "isic2018-task1-256"
VIEWS = {"turned": ("plain", "adversarial")}
# Variance of the values of positive pixels, by kind of label.
VARIANCES = dict(zip(SUPERVISIONS, (1.0, 0.9, 0.6, 0.5, 0.4), strict=True))


@dataclass(eq=False)
class SpecificityRun(MadeRun):
    """What the measures read of a run."""

    provenance: dict = field(default_factory=dict)


def labels_of(ids):
    """Two cases of each label in turn; a case has the same one in every run."""
    return np.asarray(ids) // 2 % 2


def carries_of(ids):
    """The shortcut goes with the label, but for one case in five."""
    return np.where(np.asarray(ids) % 5 == 0, 1 - labels_of(ids), labels_of(ids))


def draw(labels, shortcut, view, selection, rng):
    """Score cases a little better than chance."""
    return labels + rng.normal(size=len(labels))


def pixels_where(variances=VARIANCES, *, inside=None, n=30, seed=0):
    """Make a table of pixel sums: in each case ten values of a variance about the one wanted."""
    rng = np.random.default_rng(seed)
    tables = []
    for kind in SUPERVISIONS:
        values = rng.normal(size=(n, 10))
        values *= np.sqrt(variances[kind]) / values.std()
        values -= values.mean()
        rows = {"case_id": [f"train-{i:03d}" for i in range(n)], "supervision": kind, "n": 10}
        rows |= {"share": 0.1, "sum": values.sum(axis=1), "squares": (values**2).sum(axis=1)}
        rows |= {f"inside {name}": share for name, share in (inside or {}).items()}
        tables.append(pd.DataFrame(rows))
    return pd.concat(tables, ignore_index=True)


def inferred_where(*, error=None, group=None, n=60, named="shortcut"):
    """Make a table of training cases; `error` and `group` get the labels and the shortcut."""
    ids = np.arange(n)
    labels, carries = labels_of(ids), carries_of(ids) == 1
    table = pd.DataFrame({"case_id": [f"train-{i:03d}" for i in ids], "label": labels})
    table[named] = carries
    for name, of in (("error", error), ("group", group)):
        if of is not None:
            table[name] = of(labels, carries)
    return table


def made_run(variant="masks", *, share=1.0, overlap=None, seed=0, n=40, data=CHEST, ids=None,
             patients=None, score=draw, selections=("paper",), artefacts=None, shortcut=None,
             tables=None, positives=100, train=400, shuffled=True):  # fmt: skip
    """Make a run.

    ``score(labels, shortcut, view, selection, rng)`` gives the scores of a part; `artefacts` are
    further columns of the table of cases, by name; `shortcut` of each case is -1 where nobody knows
    it.
    """
    ids = np.arange(n) if ids is None else np.asarray(ids)
    rng = np.random.default_rng([seed, *map(ord, variant), round(1000 * share)])
    facts = profiles()["data"][data]["facts"]
    labels = labels_of(ids)
    known = carries_of(ids) if shortcut is None else np.asarray(shortcut)
    rows, cases = [], []
    for split in ("validation", "test"):
        names = np.array([f"{split}-{i:03d}" for i in ids])
        whose = names if patients is None else np.array([f"patient-{p}" for p in patients])
        table = {"split": split, "case_id": names, "patient_id": whose, "label": labels}
        cases.append(pd.DataFrame({**table, "area": 0.1 * labels, **(artefacts or {})}))
        for view in VIEWS.get(facts["robust"], ("plain",)):
            carries = 1 - labels if view == "adversarial" else known
            for selection in selections:
                scores = score(labels, carries, view, selection, rng)
                rows.append(
                    pd.DataFrame({"case_id": names, "split": split, "view": view})
                    .assign(label=labels.astype("int8"), shortcut=carries.astype("int8"))
                    .assign(selection=selection, score=np.asarray(scores, np.float32))
                )
    predictions = pd.concat(rows, ignore_index=True)
    if shuffled:  # the measures must not lean on the order of the cases
        predictions = predictions.sample(frac=1, random_state=seed)
    source = {"version": 1} if overlap is None else {"drawn": {"overlap": overlap}}
    settings = {"source": source, "share": share, **facts}
    name = variant_name(variant, share, overlap)
    request = {"method": VARIANTS[variant], "variant": name, "data": data, "profile": "smoke"}
    counts = {"positives": {"train": positives}, "cases": {"train": train}}
    kept = {"cases": pd.concat(cases).iloc[::-1], **(tables or {})}
    path = Path(f"{data}-{name}-s{seed}")
    return SpecificityRun(path, request, seed, settings, predictions, kept, counts)
