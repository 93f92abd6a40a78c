"""Runs of the watermark study made by hand, in memory."""

from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

FINDINGS = ["Atelectasis", "Edema", "Nodule"]
VIEWS = ("plain", "aligned", "adversarial")
MAPS = (
    *("train_plain", "train_marked", "test_real", "test_shortcut"),
    *("box_real", "box_shortcut", "box_area"),
)


@dataclass(eq=False)
class MadeRun:
    """What the measures read of a run."""

    path: Path
    request: dict
    seed: int
    settings: dict
    predictions: pd.DataFrame
    tables: dict = field(default_factory=dict)

    def table(self, name):
        if name not in self.tables:
            raise FileNotFoundError(name)
        return self.tables[name]


def labels_of(n, seed=0):
    """Labels of n cases: about a third positive, one case of the second finding unknown."""
    labels = (np.random.default_rng(seed).random((n, len(FINDINGS))) < 0.35).astype(float)
    labels[3, 1] = np.nan
    return labels


def draw(labels, arm, stage, view, clean, epoch, rng):
    """Score cases at random, a little better than chance."""
    return rng.normal(size=labels.shape) + np.nan_to_num(labels)


def made_run(method="cnn", *, variant=None, seed=0, n=30, score=draw, clean=(20, 10),
             watch=(1, 3), p=(0.9, 0.9), maps=None, data="builtin-chest", labels=None,
             patients=None):  # fmt: skip
    """Make a run; `score` gets labels (n, k), arm, stage, view, clean, epoch and a generator."""
    variant = variant or method
    main = variant in ("cnn", "clip")
    arms = ["real", "shortcut"] if main else ["shortcut"]
    labels = labels_of(n) if labels is None else labels
    ids = np.array([f"case-{i:03d}" for i in range(len(labels))])
    steps = [("pretrained", 0, 0)] + [("fine-tuned", clean[0], e) for e in watch]
    steps += [("fine-tuned", amount, watch[-1]) for amount in clean[1:]]
    rng = np.random.default_rng([seed, *map(ord, variant)])
    rows = []
    for arm, (stage, amount, epoch), view in product(arms, steps, VIEWS):
        scores = score(labels, arm, stage, view, amount, epoch, rng)
        for k, finding in enumerate(FINDINGS):
            known = ~np.isnan(labels[:, k])
            part = {"case_id": ids[known], "finding": finding, "split": "test", "view": view}
            part |= {"label": labels[known, k].astype("int8"), "score": scores[known, k]}
            part |= {"arm": arm, "stage": stage, "clean": amount, "epoch": epoch}
            rows.append(pd.DataFrame(part).assign(selection="validation", shortcut=0))
    patients = ids if patients is None else patients
    tables = {"cases": pd.DataFrame({"case_id": ids, "patient_id": patients}).iloc[::-1]}
    if main:
        known = [np.flatnonzero(~np.isnan(labels[:, k])) for k in range(len(FINDINGS))]
        frames = [
            pd.DataFrame({"case_id": ids[w], "finding": finding, "label": labels[w, k].astype(int)})
            for k, (finding, w) in enumerate(zip(FINDINGS, known, strict=True))
        ]
        table = pd.concat(frames, ignore_index=True)
        tables["saliency"] = table.assign(**{name: rng.random(len(table)) for name in MAPS})
        tables["saliency"] = tables["saliency"].assign(**(maps or {}))
    settings = {"findings": FINDINGS, "arms": arms, "clean": list(clean), "watch": list(watch)}
    settings |= {"finetune_epochs": watch[-1], "p_marked": p[0], "p_correct": p[1]}
    settings |= {"mention": variant == "clip-mention"}
    request = {"method": method, "variant": variant, "data": data, "profile": "smoke"}
    name = f"{variant}-s{seed}"
    # The measures must not lean on the order of the cases; that of the amounts is kept.
    predictions = pd.concat([part.sample(frac=1, random_state=seed) for part in rows])
    return MadeRun(Path(name), request, seed, settings, predictions, tables)
