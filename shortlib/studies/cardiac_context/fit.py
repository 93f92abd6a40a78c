"""One run: a variant trained, transferred, tested, and asked where it looks."""

import pandas as pd
import torch

from shortlib.data.seeds import derive_seed
from shortlib.explain.sanity import shuffled_labels
from shortlib.methods.compute import choose_compute
from shortlib.methods.contrastive_training import METHODS as CONTRASTIVE
from shortlib.methods.contrastive_training import collapsed
from shortlib.methods.erm import predict_erm
from shortlib.models.cnn import build_cnn
from shortlib.runs.folder import Fitted
from shortlib.studies.cardiac_context.saliency import doubt, examples_of, look
from shortlib.studies.cardiac_context.sources import check_source, common_radius, load_cohorts
from shortlib.studies.cardiac_context.training import PROBE, TUNED, Trainer

VERSION = 1
SELECTION = "last"


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
        If published weights that are asked for cannot be had.
    """
    settings, seed = request.settings, request.seed
    compute = choose_compute(device, settings["network"], threads=threads)
    build_cnn(settings["network"], weights=settings["weights"])  # before images are read
    check_source(settings, request.data_checksum, data_root=request.data_root)
    cohorts = load_cohorts(settings, data_root=request.data_root)
    trainer = Trainer(
        request.method,
        settings,
        cohorts,
        radius=common_radius(cohorts),
        compute=compute,
        seed=seed,
        checkpoint=checkpoint,
        checkpoint_seconds=checkpoint_seconds,
        label=f"{request.variant} seed {seed}",
    )
    found = _Found(trainer, settings, compute, seed)
    with compute.active():
        for stage in trainer.stages():
            found.test(stage, cohorts)
    return Fitted(
        predictions=pd.concat(found.predictions, ignore_index=True),
        history=_history(trainer.history, found.histories),
        weights=found.weights,
        tables={
            "cases": _cases(cohorts),
            "saliency": pd.concat(found.saliency, ignore_index=True),
            "sanity": pd.concat(found.sanity, ignore_index=True),
        },
        examples=found.examples,
        facts={
            # Of all trainings together: each has a checkpoint of its own.
            "resumed_from_epoch": len(trainer.resumed),
            "resumed_seconds": sum(row["seconds"] for row in trainer.resumed),
            "compute": vars(compute),
            "radius": trainer.radius,
            "collapsed": collapsed(trainer.history) if request.method in CONTRASTIVE else None,
            "cases": {name: len(cohort) for name, cohort in cohorts.items()},
            "skipped": {name: len(cohort.skipped) for name, cohort in cohorts.items()},
            "cohort_checksums": {name: cohort.checksum() for name, cohort in cohorts.items()},
        },
    )


class _Found:
    """What testing a run's models gives, stage by stage."""

    def __init__(self, trainer, settings, compute, seed):
        self._trainer, self._settings = trainer, settings
        self._compute, self._seed = compute, seed
        self.predictions, self.histories, self.saliency, self.sanity = [], [], [], []
        self.weights, self.examples = {}, {}

    def test(self, stage, cohorts):
        """Score and explain the test cases of a stage's task."""
        where = {"task": stage.task, "head": stage.head}
        name = "cm" if stage.task == "cm" else "acdc"
        views = {"plain": f"{name} test", "adversarial": f"{name} adversarial"}
        for view, part in views.items():
            if part in cohorts:
                self._score(stage.model, cohorts[part], view=view, **where)
        test = self._trainer.seen(cohorts[f"{name} test"])
        target = self._settings["target"]
        maps, table = look(stage.model, test, self._compute, target=target)
        self.saliency.append(table.assign(**where))
        if stage.history:
            self.histories.append((where, stage.history))
        prefix = f"{stage.task}/{stage.head}"
        self.weights |= {
            f"{prefix}/{key}": tensor.detach().cpu().contiguous().clone()
            for key, tensor in stage.model.state_dict().items()
        }
        if "drawn" in self._settings["source"].get(name, {}):
            # Images of patients and what is derived from them stay where those are.
            self.examples |= {
                f"{prefix}/{key}": tensor for key, tensor in examples_of(test, maps).items()
            }
        only_probed = self._settings["training"] is None
        if stage.task == "cm" and stage.head == (PROBE if only_probed else TUNED):
            self._doubt(stage, test, maps)
            if "real" in cohorts:
                seen = self._trainer.seen(cohorts["real"])
                table = look(stage.model, seen, self._compute, target="predicted")[1]
                self.saliency.append(table.assign(task="real", head=stage.head))

    def _score(self, model, cohort, *, view, **where):
        """Score a view, as the variant sees it and whole."""
        seen = {"own": self._trainer.seen(cohort)}
        if self._settings["regime"] not in ("full", "rand"):
            seen["full"] = cohort
        for name, shown in seen.items():
            logits = predict_erm(model, shown.images, self._compute)[0]
            scores = torch.from_numpy(logits).double().softmax(dim=1).numpy()
            for k, label in enumerate(cohort.label_names):
                rows = {
                    "case_id": cohort.case_ids,
                    "split": "test",
                    "view": view,
                    "label": (cohort.labels == k).astype("int8"),
                    "shortcut": _carries(cohort),
                    "selection": SELECTION,
                    "score": scores[:, k],
                    "class": label,
                    "seen": name,
                }
                self.predictions.append(pd.DataFrame({**rows, **where}))

    def _doubt(self, stage, test, maps):
        shuffled = None
        if self._settings["shuffled"]:
            labels = self._trainer.labels
            shuffled = self._trainer.tuned_on(shuffled_labels(labels, seed=self._seed)).model
        self.sanity.append(
            doubt(
                stage.model,
                test,
                self._compute,
                maps,
                seed=derive_seed(self._seed, "sanity"),
                target=self._settings["target"],
                shuffled=shuffled,
            )
        )


def _carries(cohort):
    """Return 1 for a case with the cue, 0 without, -1 where nobody knows."""
    return -1 if cohort.shortcut is None else cohort.shortcut.astype("int8")


def _cases(cohorts):
    """Say whose each test case is, and what it has: patients are resampled whole."""
    tables = []
    for name in ("cm test", "acdc test"):
        if name in cohorts:
            cohort = cohorts[name]
            ids = cohort.case_ids if cohort.patient_ids is None else cohort.patient_ids
            names = [cohort.label_names[k] for k in cohort.labels]
            columns = {"part": name, "case_id": cohort.case_ids, "patient_id": ids, "class": names}
            tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def _history(pretraining, histories):
    tables = [pd.DataFrame(rows).assign(**where) for where, rows in histories]
    if pretraining:
        tables.insert(0, pd.DataFrame(pretraining).assign(task="pre-training", head=""))
    columns = ["epoch", "train_loss", "seconds", "task", "head"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)
