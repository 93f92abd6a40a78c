"""One run: a classifier trained, refined in several ways, tested, and asked where it looks."""

import numpy as np
import pandas as pd
import torch

from shortlib.explain.grad_cam_maps import grad_cam_maps
from shortlib.methods.compute import choose_compute
from shortlib.methods.erm import predict_erm
from shortlib.methods.explained_training import RULE
from shortlib.metrics.activation import activation_precision
from shortlib.metrics.overlap import anatomic_knowledge_score, empty_maps
from shortlib.metrics.saliency import mass_inside
from shortlib.runs.folder import Fitted
from shortlib.studies.exemplary_explanations.choice import check_cases
from shortlib.studies.exemplary_explanations.exemplars import (
    AUTOMATIC,
    PERSON,
    Pair,
    automatic_pair,
    blind_pairs,
    careful_pairs,
    rank_candidates,
)
from shortlib.studies.exemplary_explanations.refinements import (
    EXBL,
    EXEMPLARY,
    UNREFINED,
    Refiner,
)
from shortlib.studies.exemplary_explanations.sources import (
    check_source,
    load_parts,
)

VERSION = 1
# Part of the data to the split and the view under which its predictions are kept.
VIEWS = {
    "validation": ("validation", "plain"),
    "test": ("test", "plain"),
    "aligned": ("test", "aligned"),
    "flipped": ("test", "adversarial"),
}
SHOWN = 3  # test cases of the children's class that are kept as examples


def fit(request, *, device="cpu", threads=1, checkpoint=None, checkpoint_seconds=120.0):
    """Fit one run.

    Parameters
    ----------
    request : shortlib.runs.request.Request
        ``settings`` as ``profiles.yml`` explains them.
    device : str
    threads : int
    checkpoint : pathlib.Path, optional
        Each training has its own beside it.
    checkpoint_seconds : float

    Returns
    -------
    shortlib.runs.folder.Fitted

    Raises
    ------
    shortlib.data.problems.DataError
        If the data are not here, or not those that the run was asked for on.
    ValueError
        If published weights that are asked for cannot be had, or the chosen exemplars are no two
        training cases.
    """
    settings, seed = request.settings, request.seed
    compute = choose_compute(device, settings["network"], threads=threads)
    check_source(settings, request.data_checksum, data_root=request.data_root)
    cohorts = load_parts(settings, seed=seed, data_root=request.data_root)
    refiner = Refiner(
        settings,
        cohorts,
        compute=compute,
        seed=seed,
        checkpoint=checkpoint,
        checkpoint_seconds=checkpoint_seconds,
        label=f"{request.variant} seed {seed}",
    )
    found = _Found(cohorts, settings, compute)
    with compute.active():
        unrefined = refiner.unrefined()
        found.test(unrefined)
        maps, candidates = rank_candidates(
            unrefined.model, cohorts["train"], compute, top=settings["top"]
        )
        pairs = _pairs(settings["exemplars"], candidates, cohorts, seed)
        for method, weight, pair in _plan(settings["refinements"], pairs):
            stage = refiner.refine(unrefined, method, weight=weight, pair=pair, maps=maps)
            found.test(stage)
        if "drawn" in settings["source"]:
            # Images of patients and what is derived from them stay where those are.
            found.keep_exemplars(pairs[0], maps)
    return Fitted(
        predictions=pd.concat(found.predictions, ignore_index=True),
        history=pd.concat(found.histories, ignore_index=True),
        weights=found.weights,
        tables={
            "cases": _cases(cohorts),
            "maps": pd.concat(found.maps, ignore_index=True),
            "candidates": candidates,
            "exemplars": pd.DataFrame([vars(pair) for pair in pairs]),
        },
        examples=found.examples,
        facts={
            # Of all trainings together: each has a checkpoint of its own.
            "resumed_from_epoch": len(refiner.resumed),
            "resumed_seconds": sum(row["seconds"] for row in refiner.resumed),
            "compute": vars(compute),
            "cases": {name: len(cohort) for name, cohort in cohorts.items()},
            "skipped": {name: len(cohort.skipped) for name, cohort in cohorts.items()},
            "cohort_checksums": {name: cohort.checksum() for name, cohort in cohorts.items()},
        },
    )


def _pairs(stated, candidates, cohorts, seed):
    """Return the pairs of exemplars that are asked for, the main one first."""
    if stated["rule"] == PERSON:
        good, bad = stated["good"], stated["bad"]
        others = {part: cohorts[part].case_ids for part in ("validation", "test")}
        check_cases(good, bad, training_ids=cohorts["train"].case_ids, other_ids=others)
        return [Pair(PERSON, good, bad)]
    if stated["rule"] == AUTOMATIC:
        return [automatic_pair(candidates)]
    return [
        *careful_pairs(candidates, stated["careful"], seed=seed),
        *blind_pairs(candidates, stated["blind"], seed=seed),
    ]


def _plan(refinements, pairs):
    """Yield what is refined: the method, the weight of its loss, and the exemplars."""
    for method, weights in refinements.items():
        for weight in weights:
            for pair in pairs if method in EXEMPLARY else [None]:
                yield method, weight, pair


class _Found:
    """What testing a run's models gives, stage by stage."""

    def __init__(self, cohorts, settings, compute):
        self._cohorts, self._settings, self._compute = cohorts, settings, compute
        self.predictions, self.histories, self.maps = [], [], []
        self.weights, self.examples = {}, {}

    def test(self, stage):
        """Score and explain all cases but those that were trained on."""
        where = {"method": stage.method, "weight": stage.weight, "pair": stage.pair}
        for part, (split, view) in VIEWS.items():
            if part in self._cohorts:
                self._score(stage, part, split=split, view=view, **where)
        self.histories.append(pd.DataFrame(stage.history).assign(**where))
        self.weights |= {
            f"{stage.name}/{key}": tensor.detach().cpu().contiguous().clone()
            for key, tensor in stage.model.state_dict().items()
        }

    def _score(self, stage, part, *, split, view, **where):
        cohort = self._cohorts[part]
        logits = predict_erm(stage.model, cohort.images, self._compute)[0]
        scores = torch.from_numpy(logits).double().softmax(dim=1).numpy()
        for k, name in enumerate(cohort.label_names):
            rows = {
                "case_id": cohort.case_ids,
                "split": split,
                "view": view,
                "label": (cohort.labels == k).astype("int8"),
                "shortcut": _carries(cohort),
                "selection": RULE,
                "score": scores[:, k].astype(np.float32),
                "class": name,
            }
            self.predictions.append(pd.DataFrame({**rows, **where}))
        if cohort.anatomy_masks is None or view == "aligned":
            return  # where attention goes if age agrees with the class, the plain cases show
        predicted = scores.argmax(axis=1)
        maps = grad_cam_maps(stage.model, cohort.images, targets=predicted)[:, 0]
        lungs = np.asarray(cohort.anatomy_masks)
        columns = {
            "case_id": cohort.case_ids,
            "split": split,
            "view": view,
            "class": cohort.labels,
            "predicted": predicted,
            "ap": activation_precision(maps, lungs, top=self._settings["top"]),
            "aks": anatomic_knowledge_score(maps, lungs),
            "area": lungs.mean(axis=(1, 2)),
            "empty": empty_maps(maps),
        }
        if cohort.shortcut_masks is not None:
            joints = np.asarray(cohort.shortcut_masks)
            # A map that is empty puts nothing there, so it counts as 0 like any other.
            columns["joints"] = np.nan_to_num(mass_inside(maps, joints))
            columns["joints_area"] = joints.mean(axis=(1, 2))
        self.maps.append(pd.DataFrame({**columns, **where}))
        if part == "test" and "drawn" in self._settings["source"]:
            self._keep_example(stage, maps)

    def _keep_example(self, stage, maps):
        cohort = self._cohorts["test"]
        if stage.method not in (UNREFINED, EXBL) or stage.pair not in ("", AUTOMATIC, PERSON):
            return
        of_children = cohort.label_names.index(self._settings["children"][0])
        first = np.flatnonzero(cohort.labels == of_children)[:SHOWN]
        self.examples[f"maps/{stage.name}"] = torch.from_numpy(maps[first]).half()
        if stage.method == UNREFINED:
            images, lungs = np.asarray(cohort.images)[first], np.asarray(cohort.anatomy_masks)
            self.examples["images"] = torch.from_numpy(images)
            self.examples["lungs"] = torch.from_numpy(lungs[first].astype(np.uint8))

    def keep_exemplars(self, pair, maps):
        """Keep the images and maps of the exemplars, the good one first."""
        train = self._cohorts["train"]
        rows = [int(np.flatnonzero(train.case_ids == one)[0]) for one in (pair.good, pair.bad)]
        self.examples["exemplar_images"] = torch.from_numpy(np.asarray(train.images)[rows])
        self.examples["exemplar_maps"] = torch.from_numpy(maps[rows]).half()


def _carries(cohort):
    """Return 1 for an adult, 0 for a child, -1 where nobody knows."""
    return np.int8(-1) if cohort.shortcut is None else cohort.shortcut.astype("int8")


def _cases(cohorts):
    """Say whose each case is that is scored: patients are resampled whole."""
    tables = []
    for part, (split, view) in VIEWS.items():
        if part in cohorts:
            cohort = cohorts[part]
            ids = cohort.case_ids if cohort.patient_ids is None else cohort.patient_ids
            names = [cohort.label_names[k] for k in cohort.labels]
            columns = {"split": split, "view": view, "case_id": cohort.case_ids}
            tables.append(pd.DataFrame({**columns, "patient_id": ids, "class": names}))
    return pd.concat(tables, ignore_index=True)
