"""Runs of the cardiac study made by hand, in memory."""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from tests.studies.clip_runs import MadeRun

CM, ACDC = ("NICM", "ICM", "AMYL", "HCM"), ("NOR", "DCM", "HCM", "MINF", "RV")
METHODS = {"zero": "probe", "simclr": "simclr", "moco": "moco", "byol": "byol"}


def stages_of(variant):
    """The classifiers that a variant's run tests."""
    if variant == "zero":
        return [("cm", "probe"), ("acdc", "probe")]
    both = [(task, head) for task in ("cm", "transfer") for head in ("probe", "fine-tuned")]
    if variant in ("simclr", "moco", "byol"):
        return both
    return [*both[1:], ("acdc", "fine-tuned")]


def draw(labels, k, task, head, view, seen, rng):
    """Probabilities a little better than chance."""
    logits = rng.normal(size=(len(labels), k))
    logits[np.arange(len(labels)), labels] += 1.0
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def made_run(variant="full", *, seed=0, n=24, score=draw, aks=None, association=(0.7, 0.0),
             name=None, data="builtin-cine", profile="smoke", patients=None):  # fmt: skip
    """Make a run; `aks(task, head, classes, rng)` gives a value a case."""
    rng = np.random.default_rng([seed, *map(ord, variant)])
    rows, maps, cases = [], [], []
    for part, names in (("cm test", CM), ("acdc test", ACDC)):
        labels = np.arange(n) % len(names)
        ids = np.array([f"{part[:4].strip()}-{i:03d}" for i in range(n)])
        whose = ids if patients is None else np.array([f"{part}-{p}" for p in patients])
        columns = {"part": part, "case_id": ids, "patient_id": whose}
        cases.append(pd.DataFrame({**columns, "class": [names[k] for k in labels]}))
    for task, head in stages_of(variant):
        table = cases[0 if task == "cm" else 1]
        names = CM if task == "cm" else ACDC
        labels = np.array([names.index(one) for one in table["class"]])
        views = ("plain", "adversarial") if task == "cm" else ("plain",)
        sights = ("own", "full") if variant in ("seg", "bg", "bg-outline") else ("own",)
        for view, seen in product(views, sights):
            scores = score(labels, len(names), task, head, view, seen, rng)
            for k, label in enumerate(names):
                known = {"case_id": table["case_id"], "split": "test", "view": view}
                known |= {"label": (labels == k).astype("int8"), "shortcut": labels % 2}
                known |= {"selection": "last", "score": scores[:, k], "class": label}
                rows.append(pd.DataFrame(known).assign(seen=seen, task=task, head=head))
        values = rng.random(n) if aks is None else aks(task, head, labels, rng)
        for shift, phase in ((0.0, "ED"), (0.1, "ES")):
            known = {"case_id": table["case_id"], "phase": phase, "class": labels}
            known |= {"predicted": scores.argmax(axis=1), "aks": values + shift}
            known |= {"dice": values / 2, "empty": values < 0, "area": 0.1}
            known |= {"truth": values / 4, "truth_area": 0.05, "cue": 0.2, "cue_area": 0.3}
            maps.append(pd.DataFrame(known).assign(task=task, head=head))
    checks = ["head", "all layers", *(["labels"] if variant == "full" else [])]
    doubt = [
        pd.DataFrame({"case_id": cases[0]["case_id"], "phase": phase, "aks": 0.1})
        .assign(check=check, similarity=0.5)
        for check, phase in product(checks, ("ED", "ES"))
    ]  # fmt: skip
    tables = {"cases": pd.concat(cases, ignore_index=True).iloc[::-1]}
    tables |= {"saliency": pd.concat(maps), "sanity": pd.concat(doubt)}
    drawn = [{"drawn": {"habitus_association": value}} for value in association]
    settings = {"source": dict(zip(("cm", "acdc"), drawn, strict=True))}
    method = METHODS.get(variant, "erm")
    request = {"method": method, "variant": name or variant, "data": data, "profile": profile}
    predictions = pd.concat([part.sample(frac=1, random_state=seed) for part in rows])
    path = Path(f"{name or variant}-s{seed}")
    return MadeRun(path, request, seed, settings, predictions, tables)
