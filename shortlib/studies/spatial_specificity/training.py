"""How each method of the study trains a model on one run's cases."""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import torch

from shortlib.data.seeds import derive_seed
from shortlib.data.supervision import supervision_labels
from shortlib.methods.augmentation import build_augmentation
from shortlib.methods.batches import Batches
from shortlib.methods.case_losses import case_losses, logits_of
from shortlib.methods.checkpoint_parts import part_of
from shortlib.methods.erm import label_tensor, predict_erm
from shortlib.methods.george import George
from shortlib.methods.group_dro import fit_group_dro
from shortlib.methods.jtt import error_set, repeat_errors
from shortlib.methods.per_case_training import fit_per_case, match_largest
from shortlib.methods.pixel_training import fit_pixels, pixel_classes, predict_pixels
from shortlib.methods.spl import PixelSimilarity
from shortlib.methods.ssl import fit_ssl
from shortlib.methods.training import Rule, Schedule
from shortlib.metrics.dice import dice_of_counts
from shortlib.metrics.discrimination import auroc
from shortlib.models.cnn import build_cnn
from shortlib.models.unet import build_unet
from shortlib.studies.spatial_specificity.sources import supervised_cases
from shortlib.studies.spatial_specificity.watching import AUROC, PAPER, Watch, carried

ERM, JTT, GEORGE, DRO = "erm", "jtt", "george", "group-dro"
PIXELS, SSL, SPL = "pixels", "ssl", "spl"
OF_IMAGES = (ERM, JTT, GEORGE, DRO)
_BEST_AUROC = Rule("validation_auroc", "max")


@dataclass
class Stage:
    """A model after training.

    Attributes
    ----------
    model : torch.nn.Module
        On the device.
    trained : shortlib.methods.training.Trained
        With weights by selection rule.
    predict : callable
        ``predict(model, images)`` returns one score an image, shape (n,).
    tables : dict of str to pandas.DataFrame
        What the method inferred of its training cases.
    """

    model: object
    trained: object
    predict: object
    tables: dict = field(default_factory=dict)


def build(settings, parts):
    """Build the network of a method, with the weights that it starts from.

    Raises
    ------
    ValueError
        If published weights that are asked for cannot be had.
    """
    channels, options = parts["train"].images.shape[1], {"weights": settings["weights"]}
    if settings["method"] in OF_IMAGES:
        return build_cnn(settings["network"], channels=channels, **options)
    classes = 1 + settings["lesion_classes"]
    return build_unet(settings["network"], channels=channels, classes=classes, **options)


def train_stage(settings, parts, *, compute, seed, **options):
    """Train the model of one run.

    Parameters
    ----------
    settings : dict
        See ``profiles.yml``.
    parts : dict of str to shortlib.data.Cohort
        See :func:`shortlib.studies.spatial_specificity.sources.load_parts`.
    compute : shortlib.methods.compute.Compute
    seed : int
    **options
        ``checkpoint``, ``checkpoint_seconds`` and ``label``, for
        :func:`shortlib.methods.training.train`.

    Returns
    -------
    Stage

    Raises
    ------
    ValueError
        If a method cannot go on: an error set that is empty, a class that has too few cases or no
        clusters, groups that nobody knows. The sentence says what to change.
    """
    torch.manual_seed(derive_seed(seed, "weights"))
    model = compute.place(build(settings, parts))
    trainer = _OfImages if settings["method"] in OF_IMAGES else _OfPixels
    return trainer(settings, parts, compute, seed, options).train(model)


class _Trainer:
    def __init__(self, settings, parts, compute, seed, options):
        self.settings, self.parts, self.compute, self.seed = settings, parts, compute, seed
        self.options = options
        self.watch = Watch(parts, settings, self.predict)
        self.augment = build_augmentation(**settings["augment"]) if settings["augment"] else None
        share = settings["share"]
        self.chosen = supervised_cases(parts["train"].labels, share, seed=seed)

    def schedule(self, name="training"):
        return Schedule(**self.settings[name])


class _OfImages(_Trainer):
    """Methods that learn from image labels alone."""

    def predict(self, model, images):
        return predict_erm(model, images, self.compute)[0][:, 0]

    def train(self, model):
        method = {ERM: self._erm, JTT: self._jtt, GEORGE: self._george, DRO: self._dro}
        trained, tables = method[self.settings["method"]](model)
        trained.weights[PAPER] = trained.weights.pop(_BEST_AUROC.monitor)
        trained.best_epochs[PAPER] = trained.best_epochs.pop(_BEST_AUROC.monitor)
        # For image labels the two rules are one.
        trained.weights[AUROC] = trained.weights[PAPER]
        trained.best_epochs[AUROC] = trained.best_epochs[PAPER]
        return Stage(model, trained, self.predict, tables)

    @property
    def _cohort(self):
        return self.parts["train"][self.chosen]

    def _common(self, order=None):
        """Return what all trainings of a final model share.

        An epoch in which cases are repeated is longer, so there are as many fewer of them: no
        method trains for more steps than another.
        """
        schedule = self.schedule()
        if order is not None:
            epochs = round(schedule.epochs * len(self._cohort) / len(order))
            schedule = replace(schedule, epochs=max(1, epochs))
        return {
            "schedule": schedule,
            "order": order,
            "compute": self.compute,
            "seed": self.seed,
            "rule": _BEST_AUROC,
            "further_rules": self.watch.rules(),
            "watch": self.watch,
            "augment": self.augment,
            **self.options,
        }

    def _erm(self, model):
        return fit_per_case(model, self._cohort, self.parts["validation"], **self._common()), {}

    def _jtt(self, model):
        cohort, identifier = self._cohort, self._identifier()
        errors = error_set(identifier, cohort, self.compute)
        order = repeat_errors(errors, self.settings["factor"], seed=self.seed)
        trained = fit_per_case(model, cohort, self.parts["validation"], **self._common(order))
        return trained, {"inferred": self._inferred(cohort, error=errors)}

    def _george(self, model):
        cohort, identifier = self._cohort, self._identifier()
        images = Batches(cohort.images, self.compute)
        logits = logits_of(identifier, images, self.compute)
        losses = case_losses(logits, label_tensor(cohort, self.compute)).cpu().numpy()
        found = George(
            predict_erm(identifier, cohort.images, self.compute)[1],
            cohort.labels,
            losses,
            seed=self.seed,
            **self.settings["clusters"],
        )
        trained = self._grouped(model, cohort, found.groups)
        return trained, {"inferred": self._inferred(cohort, group=found.groups)}

    def _dro(self, model):
        cohort = self._cohort
        carries = carried(cohort, self.settings["group_by"])
        if carries is None:
            raise ValueError(
                f"group DRO needs to know which training cases carry the shortcut; of "
                f"{cohort.name!r} nobody does, so leave the variant out"
            )
        groups = np.unique(2 * cohort.labels + carries, return_inverse=True)[1]
        trained = self._grouped(model, cohort, groups)
        return trained, {"inferred": self._inferred(cohort, group=groups)}

    def _grouped(self, model, cohort, groups):
        return fit_group_dro(
            model,
            cohort,
            groups,
            self.parts["validation"],
            step_size=self.settings["step_size"],
            adjustment=self.settings["adjustment"],
            **self._common(match_largest(groups, seed=self.seed)),
        )

    def _identifier(self):
        """Train the first model, which JTT and GEORGE share: they have the same seed for it."""
        torch.manual_seed(derive_seed(self.seed, "identifier"))
        model = self.compute.place(build(self.settings, self.parts))
        cohort = self._cohort
        order = match_largest(cohort.labels, seed=self.seed) if self.settings["balance"] else None
        fit_per_case(
            model,
            cohort,
            schedule=self.schedule("identification"),
            compute=self.compute,
            seed=derive_seed(self.seed, "identifier"),
            order=order,
            augment=self.augment,
            **self.options
            | {
                "checkpoint": part_of(self.options["checkpoint"], "identifier"),
                "label": f"{self.options['label']} identifier",
            },
        )
        return model

    @staticmethod
    def _inferred(cohort, **columns):
        table = pd.DataFrame({"case_id": cohort.case_ids, "label": cohort.labels})
        if cohort.shortcut is not None:
            flags = cohort.shortcut if cohort.shortcut.ndim == 2 else cohort.shortcut[:, None]
            for name, flag in zip(cohort.shortcut_names or ("shortcut",), flags.T, strict=True):
                table[name] = flag
        return table.assign(**columns)


class _OfPixels(_Trainer):
    """Methods that learn from boxes or masks."""

    def predict(self, model, images):
        return predict_pixels(model, images, self.compute)[0]

    def train(self, model):
        settings, parts = self.settings, self.parts
        targets = self.targets(parts["train"][self.chosen])
        images = np.asarray(parts["train"].images)
        common = {
            "schedule": self.schedule(),
            "rules": {PAPER: Rule("validation_dice", "max"), AUROC: _BEST_AUROC}
            | self.watch.rules(),
            "evaluate": self._evaluate,
            "compute": self.compute,
            "seed": self.seed,
            "augment": self.augment,
            **self.options,
        }
        if settings["method"] == SSL:
            torch.manual_seed(derive_seed(self.seed, "initial weights"))
            initial = self.compute.place(build(settings, parts))
            trained = fit_ssl(
                initial,
                model,
                images[self.chosen],
                targets,
                images[~self.chosen],
                weight=settings["similarity_weight"],
                **common,
            )
        else:
            if settings["method"] == SPL:
                positive = settings["lesion_classes"]
                common["similarity"] = PixelSimilarity(
                    settings["similarity_weight"], positive=positive
                )
            trained = fit_pixels(model, images[self.chosen], targets, **common)
        return Stage(model, trained, self.predict)

    def targets(self, cohort):
        """Return the pixel classes of a cohort under the run's supervision."""
        masks = supervision_labels(
            np.asarray(cohort.abnormality_masks), self.settings["supervision"]
        )
        classes = self.settings["lesion_classes"]
        return pixel_classes(masks, cohort.labels, lesion_classes=classes)

    def _evaluate(self, model):
        cohort = self.parts["validation"]
        scores, counts = predict_pixels(
            model, cohort.images, self.compute, targets=self.targets(cohort)
        )
        overlap = dice_of_counts(counts)
        # Before anything is found in any image there may be no case with a Dice.
        known = overlap[~np.isnan(overlap)]
        found = {"validation_dice": float(known.mean()) if len(known) else float("nan")}
        found["validation_auroc"] = auroc(cohort.labels, scores)
        return found | self.watch(model)
