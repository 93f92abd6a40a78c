"""One run of the synthetic study: data, labels at a specificity, a fit, its scores."""

import pandas as pd
import torch

from shortlib.data.phantoms.squares import squares
from shortlib.data.seeds import derive_seed
from shortlib.data.specificity import specificity_labels
from shortlib.methods.compute import choose_compute
from shortlib.methods.segmentation import fit_segmentation, predict_segmentation
from shortlib.methods.training import Rule, Schedule
from shortlib.models.fcn import build_fcn
from shortlib.runs.folder import Fitted

VERSION = 1

# The paper keeps the epoch with the smallest loss on the test set, which no one who
# deploys a model can do; a validation set drawn as the training set shows the difference.
RULES = {"test": Rule("test_loss"), "validation": Rule("validation_loss")}


def cohorts(settings, seed):
    """Draw the training, validation and test cohorts of a run.

    Training and validation cases follow the run's seed and the training
    distribution; the test cases are the same for every run of the same sizes.

    Returns
    -------
    dict of str to shortlib.data.Cohort
    """
    model = settings["data_model"]
    return {
        "train": squares(settings["m"], **model, seed=derive_seed(seed, "train")),
        "validation": squares(
            settings["n_validation"], **model, seed=derive_seed(seed, "validation")
        ),
        "test": squares(settings["n_test"], **model, train=False, seed=derive_seed(0, "test")),
    }


def fit(request, *, device="cpu", threads=1, checkpoint=None, checkpoint_seconds=120.0):
    """Fit one run.

    Parameters
    ----------
    request : shortlib.runs.request.Request
        ``settings``: ``network``, ``r``, ``m``, ``batch_size``, ``epochs``,
        ``learning_rate``, ``n_validation``, ``n_test``, ``n_test_selection`` (how
        many of the test cases the paper's selection rule sees), ``n_embedded``
        (test cases kept with embeddings, for each label and shortcut) and
        ``data_model`` (arguments of :func:`shortlib.data.phantoms.squares`).
    device : str
    threads : int
    checkpoint : pathlib.Path, optional
    checkpoint_seconds : float

    Returns
    -------
    shortlib.runs.folder.Fitted
    """
    settings, seed = request.settings, request.seed
    compute = choose_compute(device, settings["network"], threads=threads)
    parts = cohorts(settings, seed)
    seen = parts["test"][: settings["n_test_selection"]]
    r = settings["r"]
    with compute.active():
        model, trained = fit_segmentation(
            parts["train"].images,
            specificity_labels(parts["train"].abnormality_masks, r),
            {
                name: (part.images, specificity_labels(part.abnormality_masks, r))
                for name, part in (("validation", parts["validation"]), ("test", seen))
            },
            network=settings["network"],
            schedule=Schedule(
                epochs=settings["epochs"],
                batch_size=settings["batch_size"],
                learning_rate=settings["learning_rate"],
            ),
            rules=RULES,
            compute=compute,
            seed=seed,
            checkpoint=checkpoint,
            checkpoint_seconds=checkpoint_seconds,
            label=f"{request.variant} seed {seed}",
        )
        tables, embeddings = [], {}
        embedded = _embedded_cases(parts["test"], settings["n_embedded"])
        predicted = {}  # by epoch: two rules often choose the same one
        for rule, weights in trained.weights.items():
            epoch = trained.best_epochs[rule]
            if epoch not in predicted:
                model.load_state_dict(weights)
                predicted[epoch] = {
                    name: predict_segmentation(model, part.images, compute)
                    for name, part in parts.items()
                }
            for name, part in parts.items():
                scores, vectors = predicted[epoch][name]
                tables.append(_prediction_table(part, name, rule, scores))
                if name == "test":
                    embeddings[rule] = torch.from_numpy(vectors[embedded]).half()
    return Fitted(
        predictions=pd.concat(tables, ignore_index=True),
        history=pd.DataFrame(trained.history),
        weights={
            f"epoch-{trained.best_epochs[rule]}/{name}": tensor.contiguous()
            for rule, weights in trained.weights.items()
            for name, tensor in weights.items()
        },
        embeddings={"test": embeddings["test"]},
        embedded_ids=[str(i) for i in parts["test"].case_ids[embedded]],
        facts={
            "best_epochs": trained.best_epochs,
            "resumed_from_epoch": trained.resumed_from,
            "compute": vars(compute),
            "cohort_checksums": {name: part.checksum() for name, part in parts.items()},
        },
    )


def load_model(run):
    """Rebuild the model of a run that was kept with its weights.

    Returns
    -------
    dict of str to shortlib.models.fcn.FCN
        By selection rule, in evaluation mode.
    """
    models, kept = {}, run.weights
    for rule, epoch in run.provenance["best_epochs"].items():
        model = build_fcn(run.settings["network"])
        prefix = f"epoch-{epoch}/"
        model.load_state_dict(
            {k.removeprefix(prefix): v for k, v in kept.items() if k.startswith(prefix)}
        )
        models[rule] = model.eval()
    return models


def _embedded_cases(cohort, per_group):
    """Indices of the first cases of each combination of label and shortcut."""
    groups = pd.DataFrame({"label": cohort.labels, "shortcut": cohort.shortcut})
    return groups.groupby(["label", "shortcut"]).head(per_group).index.to_numpy()


def _prediction_table(cohort, split, rule, scores):
    return pd.DataFrame(
        {
            "case_id": cohort.case_ids,
            "split": split,
            "view": "plain",
            "label": cohort.labels,
            "shortcut": cohort.shortcut.astype("int8"),
            "selection": rule,
            "score": scores,
        }
    )
