"""Runs of the cardiac study made by hand, in memory."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch

CLASSES = {"cm": ("NICM", "ICM", "AMYL", "HCM"), "acdc": ("NOR", "DCM", "HCM", "MINF", "RV")}
PHASES = ("ED", "ES")
CHECKS = ("head", "all layers", "labels")
CONTRASTIVE = ("simclr", "moco", "byol")
AREA = {"": 0.2, "truth": 0.1, "cue": 0.05}


@dataclass(eq=False)
class MadeRun:
    """What the tables and figures read of a run."""

    path: Path
    request: dict
    seed: int
    settings: dict
    predictions: pd.DataFrame
    history: pd.DataFrame
    tables: dict = field(default_factory=dict)
    kept: dict = field(default_factory=dict)

    def table(self, name):
        return self.tables[name]

    def examples(self):
        if not self.kept:
            raise FileNotFoundError("no examples")
        return self.kept


def stages_of(variant):
    """Tasks and heads of a variant, as the study trains them."""
    if variant == "zero":
        return [("cm", "probe"), ("acdc", "probe")]
    found = [("cm", "fine-tuned"), ("transfer", "probe"), ("transfer", "fine-tuned")]
    return [*found, ("cm", "probe") if variant in CONTRASTIVE else ("acdc", "fine-tuned")]


def cases_of(part, n):
    """Names and classes of n cases, as many of each class as goes; two studies a patient."""
    ids = [f"{part}-{i:02d}" for i in range(n)]
    return ids, np.arange(n) % len(CLASSES[part])


def guess(labels, k, rng, **where):
    """Score at random, a little better than chance."""
    return rng.normal(size=(len(labels), k)) + 1.2 * (labels[:, None] == np.arange(k))


def made_run(variant="full", *, seed=0, n=16, score=guess, aks=None, at=(0.7, 0.0), name=None,
             drawn=True, data="builtin-cine", real=0, profile="smoke", truth=None):  # fmt: skip
    """Make a run.

    `score` gets labels, the number of classes, a generator, and task, head, view and seen; `aks`
    is the AKS of every map by task, `truth` the share in what carries the class.
    """
    rng = np.random.default_rng([seed, *map(ord, variant)])
    aks, rows, looked = aks or {}, [], []
    for task, head in stages_of(variant):
        part = "cm" if task == "cm" else "acdc"
        ids, labels = cases_of(part, n)
        k = len(CLASSES[part])
        seens = ("own", "full") if variant in ("seg", "bg", "bg-outline") else ("own",)
        views = ("plain", "adversarial") if task == "cm" and drawn else ("plain",)
        for view in views:
            for seen in seens:
                where = {"task": task, "head": head, "view": view, "seen": seen}
                logits = score(labels, k, rng, **where)
                scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
                for j, label in enumerate(CLASSES[part]):
                    table = {"case_id": ids, "split": "test", "label": (labels == j).astype("int8")}
                    table |= {"shortcut": 0, "selection": "last", "score": scores[:, j]}
                    rows.append(pd.DataFrame({**table, "class": label, **where}))
        for phase in PHASES:
            table = {"case_id": ids, "phase": phase, "class": labels, "predicted": labels}
            value = aks.get(task, rng.random(n) * 0.4)
            table |= {"aks": value, "dice": rng.random(n) * 0.3, "empty": np.arange(n) == 0}
            table |= {"area": AREA[""], "task": task, "head": head}
            if drawn:
                known = np.where(labels == 0, np.nan, rng.random(n) if truth is None else truth)
                table |= {"truth": known, "truth_area": np.where(labels == 0, 0, AREA["truth"])}
                table |= {"cue": rng.random(n) * 0.1, "cue_area": AREA["cue"]}
            looked.append(pd.DataFrame(table))
    for phase in PHASES if real else ():
        table = {"case_id": [f"SCD{i}" for i in range(real)], "phase": phase, "class": -1}
        table |= {"predicted": 0, "aks": 0.1 * seed + (0.3 if phase == "ED" else 0.1)}
        table |= {"dice": 0.1, "empty": phase == "ES", "area": 0.04}
        looked.append(pd.DataFrame({**table, "task": "real", "head": "fine-tuned"}))
    ids, _ = cases_of("cm", n)
    checks = [
        pd.DataFrame({"case_id": ids, "phase": phase, "check": check, "aks": 0.1 * (j + 1),
                      "similarity": np.nan if check == "head" and variant == "zero" else 0.2 * j})
        for j, check in enumerate(CHECKS if variant == "full" else CHECKS[:2])
        for phase in PHASES
    ]  # fmt: skip
    tables = {"saliency": pd.concat(looked, ignore_index=True)}
    tables |= {"sanity": pd.concat(checks, ignore_index=True), "cases": _cases(n)}
    made = ({"drawn": {"habitus_association": one}} if drawn else {} for one in at)
    settings = {"source": dict(zip(("cm", "acdc"), made, strict=True)), "side": 8}
    request = {"study": "cardiac-context", "method": variant, "variant": name or variant}
    request |= {"data": data, "profile": profile, "settings": settings, "seed": seed}
    path = Path(f"{name or variant}-s{seed}")
    history = _history(variant, seed)
    run = MadeRun(path, request, seed, settings, pd.concat(rows), history, tables)
    if drawn:
        run.kept = _examples(variant, rng)
    return run


def made_study(seeds=(0,), variants=("zero", "full", "seg", "bg", "bg-outline", "rand", "simclr",
                                     "moco", "byol"), **options):  # fmt: skip
    """Make the runs of several variants and seeds."""
    return [made_run(variant, seed=seed, **options) for seed in seeds for variant in variants]


def _cases(n):
    tables = []
    for part, names in CLASSES.items():
        ids, labels = cases_of(part, n)
        columns = {"case_id": ids, "patient_id": [f"{part}-{i // 2}" for i in range(n)]}
        columns |= {"part": f"{part} test", "class": [names[k] for k in labels]}
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def _history(variant, seed):
    columns = {"epoch": [1, 2, 3], "train_loss": [1.5, 1.2, 1.0], "seconds": 1.0}
    tuned = pd.DataFrame({**columns, "task": "cm", "head": "fine-tuned"})
    if variant not in CONTRASTIVE:
        return tuned
    spread = {"moco": [0.3, 0.2, 0.05]}.get(variant, [0.3, 0.4, 0.5 + 0.1 * seed])
    first = {"projection_std": spread, "feature_std": [0.1, 0.15, 0.2], "task": "pre-training"}
    return pd.concat([pd.DataFrame({**columns, **first, "head": ""}), tuned], ignore_index=True)


def _examples(variant, rng):
    kept = {}
    for task, head in stages_of(variant):
        k = len(CLASSES["cm" if task == "cm" else "acdc"])
        hearts = torch.zeros(k, 2, 8, 8, dtype=torch.uint8)
        hearts[:, :, 2:6, 3:6] = 1
        maps = torch.from_numpy(rng.random((k, 2, 8, 8))).half()
        maps[-1] = 0  # an empty map
        maps[0] = hearts[0].half()  # one that is the heart
        images = torch.full((k, 2, 8, 8), 40, dtype=torch.uint8) + 100 * hearts
        for name, tensor in (("images", images), ("maps", maps), ("hearts", hearts)):
            kept[f"{task}/{head}/{name}"] = tensor
    return kept
