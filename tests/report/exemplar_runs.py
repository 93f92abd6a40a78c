"""Runs of the study of exemplary explanations made by hand, in memory."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from tests.report.context_runs import MadeRun

CLASSES = ("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia")
CHILDREN = ["Viral Pneumonia"]
STAGES = (
    ("unrefined", 0.0, ""),
    ("continued", 0.0, ""),
    ("exbl", 0.3, "automatic"),
    ("exbl", 1.0, "automatic"),
    ("exbl-code", 1.0, "automatic"),
    ("masked", 1.0, ""),
    ("right-reasons", 0.01, ""),
)
AREA, JOINTS_AREA, SIDE = 0.25, 0.05, 8
VIEWS = {"validation": ("validation", "plain"), "test": ("test", "plain"),
         "aligned": ("test", "aligned"), "flipped": ("test", "adversarial")}  # fmt: skip


def made_run(*, seed=0, data="builtin-radiographs", n=16, stages=STAGES, variant="refined",
             flipped=True, epochs=3, **values):  # fmt: skip
    """Make a run.

    `values` gives, for ``accuracy``, ``flipped_accuracy``, ``ap``, ``aks``, ``joints`` and
    ``empty``, the mean of each stage by (method, weight) or by the pair's name; every case has it,
    but for accuracies and ``empty``, which so many of the first cases have.
    """
    drawn = data.startswith("builtin")
    views = [v for v in VIEWS if flipped or v not in ("aligned", "flipped")]
    predictions, looked = [], []
    for method, weight, pair in stages:
        where = {"method": method, "weight": weight, "pair": pair}

        def value(name, default, where=where):
            by = values.get(name, {})
            return by.get(where["pair"], by.get((where["method"], where["weight"]), default))

        for view in views:
            ids, labels = _cases(view, n)
            right = value("flipped_accuracy" if view == "flipped" else "accuracy", 0.75)
            hit = np.arange(n) < round(right * n)
            predicted = np.where(hit, labels, (labels + 1) % len(CLASSES))
            at = dict(zip(("split", "view"), VIEWS[view], strict=True))
            for k, name in enumerate(CLASSES):
                table = {"case_id": ids, "label": (labels == k).astype("int8"), "shortcut": 0}
                table |= {"selection": "validation_loss", "score": (predicted == k) * 1.0}
                predictions.append(pd.DataFrame({**table, "class": name, **at, **where}))
            if view == "aligned":
                continue
            table = {"case_id": ids, "class": labels, "predicted": predicted, "area": AREA}
            table |= {"ap": value("ap", 0.5), "aks": value("aks", 0.4)}
            table |= {"empty": np.arange(n) < round(value("empty", 0.0) * n)}
            if drawn:
                table |= {"joints": value("joints", 0.1), "joints_area": JOINTS_AREA}
            looked.append(pd.DataFrame({**table, **at, **where}))
    source = {"drawn": {"seed": 6}} if drawn else {"set": data}
    settings = {"children": CHILDREN, "source": source, "margin": 1.0, "top": 0.05, "side": SIDE}
    settings["exemplars"] = {"rule": "automatic" if variant == "refined" else "drawn"}
    request = {"study": "exemplary-explanations", "method": "eXBL", "variant": variant}
    request |= {"data": data, "profile": "smoke", "settings": settings, "seed": seed}
    ids, labels = _cases("train", n)
    columns = {"case_id": ids, "class": labels, "predicted": labels, "confidence": 0.9}
    tables = {
        "cases": pd.concat([_whose(view, n) for view in views], ignore_index=True),
        "maps": pd.concat(looked, ignore_index=True),
        "candidates": pd.DataFrame({**columns, "ap": np.linspace(0, 1, n)}),
        "exemplars": pd.DataFrame({"name": ["automatic"], "good": [ids[-1]], "bad": [ids[0]]}),
    }
    predictions = pd.concat(predictions, ignore_index=True)
    history = _history(stages, epochs, seed)
    path = Path(f"{variant}-s{seed}")
    run = MadeRun(path, request, seed, settings, predictions, history, tables)
    if drawn and variant == "refined":
        run.kept = _examples(stages)
    return run


def made_pairs(careful, blind, **options):
    """Make a run with many pairs: `careful` and `blind` are their activation precisions."""
    rules = {"careful": careful, "blind": blind}
    ap = {f"{rule}-{k:02d}": v for rule, values in rules.items() for k, v in enumerate(values)}
    stages = [*STAGES[:2], *(("exbl", 1.0, name) for name in ap)]
    known = {("unrefined", 0.0): 0.3, ("continued", 0.0): 0.5}
    return made_run(variant="pairs", stages=stages, ap={**known, **ap}, **options)


def _cases(part, n):
    # Flipped and aligned are the test patients once more.
    part = "test" if part in VIEWS and VIEWS[part][0] == "test" else part
    return [f"{part}-{i:02d}" for i in range(n)], np.arange(n) % len(CLASSES)


def _whose(view, n):
    ids, labels = _cases(view, n)
    split, name = VIEWS[view]
    columns = {"split": split, "view": name, "case_id": ids, "patient_id": ids}
    return pd.DataFrame({**columns, "class": [CLASSES[k] for k in labels]})


def _history(stages, epochs, seed):
    tables = []
    for method, weight, pair in stages:
        explained = np.linspace(3.0, 0.5, epochs) if weight else np.nan
        table = {"epoch": np.arange(1, epochs + 1), "method": method, "weight": weight}
        table |= {"validation_cross_entropy": 1.0 + weight + seed, "pair": pair}
        tables.append(pd.DataFrame({**table, "validation_explanation": explained}))
    return pd.concat(tables, ignore_index=True)


def _examples(stages):
    """Lungs on the left half; unrefined maps are a line outside them, eXBL's one inside."""
    lungs = torch.zeros(3, SIDE, SIDE, dtype=torch.uint8)
    lungs[:, :, : SIDE // 2] = 1
    kept = {"images": torch.full((3, 1, SIDE, SIDE), 90, dtype=torch.uint8), "lungs": lungs}
    for method, weight, pair in stages:
        if method in ("unrefined", "exbl"):
            maps = torch.zeros(3, SIDE, SIDE)
            maps[:2, 2:6, (6 if method == "unrefined" else 1)] = 1  # the third one is empty
            number = f"{weight:g}".replace(".", "_") if weight else ""
            kept[f"maps/{'-'.join(filter(None, (method, number, pair)))}"] = maps.half()
    kept["exemplar_images"] = torch.full((2, 1, SIDE, SIDE), 90, dtype=torch.uint8)
    kept["exemplar_maps"] = torch.stack([lungs[0], 1 - lungs[0]]).half()
    return kept
