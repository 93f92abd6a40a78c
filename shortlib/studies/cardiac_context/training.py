"""The models of one run: from pre-training to each task's classifier."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from shortlib.data.seeds import derive_seed
from shortlib.methods.augmentation import build_augmentation
from shortlib.methods.checkpoint_parts import part_of
from shortlib.methods.classification import fit_classes
from shortlib.methods.compute import as_float
from shortlib.methods.contrastive_training import METHODS as CONTRASTIVE
from shortlib.methods.contrastive_training import pretrain
from shortlib.methods.linear_probe import fit_linear_probe
from shortlib.methods.training import Schedule
from shortlib.models.phases import build_phase_network
from shortlib.shortcuts.background import background_only, heart_masks, regime, swap_backgrounds

PROBE, TUNED = "probe", "fine-tuned"


@dataclass
class Stage:
    """A classifier of one task.

    Attributes
    ----------
    task : str
        ``"cm"``: trained and tested on the cardiomyopathies. ``"acdc"``: trained and tested
        on ACDC. ``"transfer"``: the encoder comes from the cardiomyopathies, the classifier
        is trained and tested on ACDC.
    head : str
        ``"fine-tuned"``, with the encoder, or ``"probe"``, the last layer alone.
    model : shortlib.models.phases.PhaseNetwork
    history : list of dict
        Of its training, empty for a probe.
    """

    task: str
    head: str
    model: object
    history: list


class Trainer:
    """Trains what one variant asks for.

    Parameters
    ----------
    method : str
        ``"erm"``, ``"probe"`` or one of the contrastive ones.
    settings : dict
        See ``profiles.yml``; ``regime`` says what of the images is seen.
    cohorts : dict of str to shortlib.data.Cohort
        See :func:`shortlib.studies.cardiac_context.sources.load_cohorts`.
    radius : int
        Of the discs that are filled where the heart is taken away.
    compute : shortlib.methods.compute.Compute
    seed : int
    checkpoint : pathlib.Path, optional
        Each training has its own beside it.
    **options
        Passed to :func:`shortlib.methods.training.train`.

    Attributes
    ----------
    encoder : shortlib.models.cnn.CNN or None
        After pre-training, where there is one.
    history : list of dict
        Of the pre-training.
    resumed : list of dict
        Rows of histories that checkpoints brought along.
    """

    def __init__(
        self, method, settings, cohorts, *, radius, compute, seed, checkpoint=None, **options
    ):
        self._method, self._settings, self._cohorts = method, settings, cohorts
        self.radius, self._compute, self._seed = radius, compute, seed
        self._checkpoint, self._options = checkpoint, options
        self.encoder, self.history, self.resumed = None, [], []
        flips = {"horizontal_flip": 0.5, "vertical_flip": 0.5}
        self._augment = build_augmentation(**flips, degrees=settings["degrees"])

    def seen(self, cohort, name=None):
        """Return a cohort with its images as a regime shows them, the variant's by default.

        Backgrounds are swapped in training only, so that `rand` shows whole images.
        """
        name = name or self._settings["regime"]
        return regime(cohort, "full" if name == "rand" else name, radius=self.radius)

    @property
    def labels(self):
        """Labels of the training cases of the first task, int of shape (n,)."""
        return self._cohorts["cm train"].labels

    def stages(self):
        """Yield a :class:`Stage` for each classifier of the run, in the order of training."""
        if self._method == "probe":
            for task in ("cm", "acdc"):
                if f"{task} train" in self._cohorts:
                    yield self._probed(task, None, f"{task} train")
            return
        if self._method in CONTRASTIVE:
            encoder = self._pretrain()
            yield self._probed("cm", encoder, "cm train")
            yield self._tuned("cm", encoder, "cm train")
        else:
            whole = self._tuned("cm", None, "cm train")
            encoder = whole.model.encoder
            yield whole
        if "acdc train" in self._cohorts:
            yield self._probed("transfer", encoder, "acdc train")
            yield self._tuned("transfer", encoder, "acdc train")
            if self._method == "erm":
                yield self._tuned("acdc", None, "acdc train")

    def tuned_on(self, labels):
        """Train the first task's model on other labels of the training cases.

        Parameters
        ----------
        labels : numpy.ndarray of int, shape (n,)
            Of ``cm train``.

        Returns
        -------
        Stage
        """
        return self._tuned("cm", self.encoder, "cm train", labels=labels)

    def _network(self, encoder, outputs, part):
        torch.manual_seed(derive_seed(self._seed, "weights", part))
        network, weights = self._settings["network"], self._settings["weights"]
        model = build_phase_network(network, outputs=outputs, weights=weights, encoder=encoder)
        return self._compute.place(model)

    def _probed(self, task, encoder, part):
        cohort = self.seen(self._cohorts[part])
        model = self._network(encoder, len(cohort.label_names), part)
        fit_linear_probe(
            model, cohort, self._compute, class_weights=self._settings["class_weights"]
        )
        return Stage(task, PROBE, model, [])

    def _tuned(self, task, encoder, part, labels=None):
        cohort = self._cohorts[part]
        seen = self.seen(cohort)
        if labels is not None:
            seen = replace(seen, labels=labels)
        model = self._network(encoder, len(cohort.label_names), part)
        trained = fit_classes(
            model,
            seen,
            schedule=self._schedule("training"),
            compute=self._compute,
            # The order of the cases and the augmentation are those of every other variant.
            seed=derive_seed(self._seed, "training", part),
            augment=self._augment,
            before=self._swap(cohort) if self._settings["regime"] == "rand" else None,
            class_weights=self._settings["class_weights"],
            checkpoint=part_of(self._checkpoint, task if labels is None else f"{task}-shuffled"),
            **self._options,
        )
        self.resumed += trained.history[: trained.resumed_from]
        return Stage(task, TUNED, model, trained.history)

    def _pretrain(self):
        cohort = self._cohorts["cm train"]
        stated = self._settings["pretraining"]
        self.encoder, trained = pretrain(
            self.seen(cohort).images,
            method=self._method,
            network=self._settings["network"],
            weights=self._settings["weights"],
            schedule=self._schedule("pretraining"),
            compute=self._compute,
            seed=derive_seed(self._seed, "pre-training"),
            augment=build_augmentation(**stated["augmentation"], side=self._settings["side"]),
            options=stated["options"],
            checkpoint=part_of(self._checkpoint, "pretraining"),
            **self._options,
        )
        self.history = trained.history
        self.resumed += trained.history[: trained.resumed_from]
        return self.encoder

    def _swap(self, cohort):
        """Return what gives each case of a batch the background of another one."""
        hearts = heart_masks(cohort)
        backgrounds = background_only(cohort.images, hearts, radius=self.radius)
        hearts, backgrounds = (
            torch.from_numpy(np.ascontiguousarray(array)) for array in (hearts, backgrounds)
        )
        backgrounds = as_float(backgrounds)

        def swap(images, index):
            index = index.cpu()
            own, donors = hearts[index].to(images.device), torch.randperm(len(index))
            return swap_backgrounds(images, own, backgrounds[index].to(images.device), donors)

        return swap

    def _schedule(self, part):
        stated = self._settings[part]
        names = ("epochs", "batch_size", "learning_rate", "weight_decay", "optimizer", "decay")
        return Schedule(**{name: stated[name] for name in names})
