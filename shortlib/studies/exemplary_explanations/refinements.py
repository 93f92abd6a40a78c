"""The models of one run: an unrefined classifier, and what refining makes of copies of it."""

import copy
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from shortlib.data.seeds import derive_seed
from shortlib.explain.grad_cam import logits_and_maps
from shortlib.methods.annotated_explanations import masked_explanation, right_reasons
from shortlib.methods.checkpoint_parts import part_of
from shortlib.methods.compute import as_float
from shortlib.methods.exbl import exemplar_explanation
from shortlib.methods.explained_training import fit_explained
from shortlib.methods.training import Schedule
from shortlib.models.transfer import build_transfer

UNREFINED, CONTINUED = "unrefined", "continued"
EXBL, EXBL_CODE = "exbl", "exbl-code"
MASKED, RIGHT_REASONS = "masked", "right-reasons"
# Those that learn from two exemplars, and those that need a mask of every training image.
EXEMPLARY, ANNOTATED = (EXBL, EXBL_CODE), (MASKED, RIGHT_REASONS)
METHODS = (CONTINUED, *EXEMPLARY, *ANNOTATED)


@dataclass
class Stage:
    """A model of a run.

    Attributes
    ----------
    method : str
        `UNREFINED` or one of `METHODS`.
    weight : float
        Of the explanation loss; 0 without one.
    pair : str
        Name of the exemplars; "" without any.
    model : shortlib.models.cnn.CNN
    history : list of dict
    """

    method: str
    weight: float
    pair: str
    model: object
    history: list

    @property
    def name(self):
        """E.g. ``"exbl-1-automatic"``, for files and checkpoints."""
        return name_of(self.method, self.weight, self.pair)


def name_of(method, weight, pair):
    """Name a stage by what tells it apart, in letters, digits, - and _."""
    number = f"{weight:g}".replace(".", "_").replace("+", "") if weight else ""
    return "-".join(filter(None, (method, number, pair)))


class Refiner:
    """Trains the unrefined model, and refines copies of it.

    Parameters
    ----------
    settings : dict
        See ``profiles.yml``.
    cohorts : dict of str to shortlib.data.Cohort
        See :func:`shortlib.studies.exemplary_explanations.sources.load_parts`.
    compute : shortlib.methods.compute.Compute
    seed : int
    checkpoint : pathlib.Path, optional
        Each training has its own beside it.
    label : str
        Shown beside the progress bar.
    **options
        Passed to :func:`shortlib.methods.training.train`.

    Attributes
    ----------
    resumed : list of dict
        Rows of histories that checkpoints brought along.
    """

    def __init__(self, settings, cohorts, *, compute, seed, checkpoint=None, label="", **options):
        self._settings, self._cohorts, self._compute = settings, cohorts, compute
        self._seed, self._checkpoint, self._label = seed, checkpoint, label
        self._options, self.resumed = options, []

    def unrefined(self):
        """Train a classifier on labels alone.

        Returns
        -------
        Stage
        """
        torch.manual_seed(derive_seed(self._seed, "weights"))
        model = self._compute.place(build_model(self._settings, self._cohorts["train"]))
        trained = self._trained(model, "training", UNREFINED)
        return Stage(UNREFINED, 0.0, "", model, trained.history)

    def refine(self, unrefined, method, *, weight=0.0, pair=None, maps=None):
        """Train a copy of the unrefined model further.

        Parameters
        ----------
        unrefined : Stage
        method : str
            One of `METHODS`.
        weight : float
            Of the explanation loss.
        pair : shortlib.studies.exemplary_explanations.exemplars.Pair, optional
            For the methods of `EXEMPLARY`.
        maps : numpy.ndarray of float32, shape (n, h, w), optional
            The unrefined model's maps of all training cases, for the same.

        Returns
        -------
        Stage
        """
        model = copy.deepcopy(unrefined.model)
        name = name_of(method, weight, pair.name if pair else "")
        explain = self._explanation(method, model, pair, maps)
        avoid = outside_the_lungs if method in ANNOTATED else None
        trained = self._trained(
            model, "refinement", name, explain=explain, weight=weight, avoid=avoid
        )
        return Stage(method, weight, pair.name if pair else "", model, trained.history)

    def _explanation(self, method, model, pair, maps):
        # Of the label's own logit: what should count is where the evidence for the truth lies.
        through = partial(_explained_by, create_graph=True)
        if method == MASKED:
            return masked_explanation(through)
        if method == RIGHT_REASONS:
            return right_reasons
        if method == CONTINUED:
            return None
        exemplars = [self._exemplar(case_id, maps) for case_id in (pair.good, pair.bad)]
        options = {"margin": self._settings["margin"]}
        if method == EXBL_CODE:
            side = _map_side(model, exemplars[0][0])
            options |= {"distance": "mean square", "size": side}
        return exemplar_explanation(through, *exemplars, **options)

    def _exemplar(self, case_id, maps):
        train = self._cohorts["train"]
        place = int(np.flatnonzero(train.case_ids == case_id)[0])
        image = as_float(torch.from_numpy(np.array(train.images[[place]])))[0]
        device = self._compute.device
        return image.to(device), torch.from_numpy(maps[place]).to(device)

    def _trained(self, model, part, name, **how):
        trained = fit_explained(
            model,
            self._cohorts["train"],
            self._cohorts["validation"],
            schedule=Schedule(**self._settings[part]),
            compute=self._compute,
            # Order and dropout are those of every other refinement.
            seed=derive_seed(self._seed, part),
            checkpoint=part_of(self._checkpoint, name),
            label=f"{self._label} {name}",
            **how,
            **self._options,
        )
        self.resumed += trained.history[: trained.resumed_from]
        return trained


def build_model(settings, cohort):
    """Build the study's network, its head untrained.

    Parameters
    ----------
    settings : dict
        ``network``, ``weights``, ``frozen_layers``, ``hidden`` and ``dropout``; see
        :func:`shortlib.models.transfer.build_transfer`.
    cohort : shortlib.data.Cohort
        Whose channels and classes it is for.

    Returns
    -------
    shortlib.models.cnn.CNN
    """
    names = ("network", "weights", "frozen_layers", "hidden", "dropout")
    stated = {name: settings[name] for name in names}
    channels, outputs = cohort.images.shape[1], len(cohort.label_names)
    return build_transfer(channels=channels, outputs=outputs, **stated)


def outside_the_lungs(cohort):
    """Return where an explanation should not be, bool of shape (n, h, w)."""
    return ~np.asarray(cohort.require("anatomy_masks"))


def _explained_by(model, images, labels, *, create_graph):
    return logits_and_maps(model, model.body, images, labels, create_graph=create_graph)


@torch.no_grad()
def _map_side(model, image):
    """Return the side of the last feature maps, at which the released code compares."""
    training = model.training
    side = model.eval().body(image[None]).shape[-1]
    model.train(training)
    return side
