"""Just train twice: what a first model gets wrong counts more for a second (JTT)."""

from dataclasses import dataclass

import numpy as np

from shortlib.data.seeds import derive_seed
from shortlib.methods.batches import Batches
from shortlib.methods.case_losses import logits_of, predicted_classes
from shortlib.methods.checkpoint_parts import part_of
from shortlib.methods.per_case_training import fit_per_case, match_largest
from shortlib.methods.training import Trained

MATCH = "match"


@dataclass
class TrainedTwice:
    """What JTT gives.

    Attributes
    ----------
    errors : numpy.ndarray of bool, shape (n,)
        The error set among the training cases.
    identified : shortlib.methods.training.Trained
        Of the identification model; without weights, which are in the model.
    trained : shortlib.methods.training.Trained
        Of the final model.
    """

    errors: np.ndarray
    identified: Trained
    trained: Trained


def fit_jtt(
    identifier,
    model,
    cohort,
    validation,
    *,
    identification,
    schedule,
    factor,
    compute,
    seed,
    checkpoint=None,
    label="jtt",
    augment=None,
    checkpoint_seconds=120.0,
    **options,
):
    """Train an identification model for a while, then another with its errors repeated.

    Parameters
    ----------
    identifier, model : torch.nn.Module
        Two networks, as for :func:`shortlib.methods.per_case_training.fit_per_case`. Both are
        trained in place: the first is left with the weights of its last epoch, the second with
        those of the chosen one.
    cohort, validation : shortlib.data.Cohort
        With one label a case.
    identification : shortlib.methods.training.Schedule
        Of the first model. Few epochs, a low learning rate and a strong weight decay: it should
        learn the shortcut and not yet each case by heart.
    schedule : shortlib.methods.training.Schedule
        Of the second.
    factor : int or str
        How often an epoch of the second holds each error, or ``"match"``; see
        :func:`repeat_errors`.
    compute : shortlib.methods.compute.Compute
    seed : int
    checkpoint : pathlib.Path, optional
        The run's own; each model has a part of it, ``identifier`` and ``final``.
    label : str
        Shown beside the progress bars.
    augment : callable, optional
        In both trainings; the error set is found without it.
    checkpoint_seconds : float
    **options
        Of the second training, e.g. its `rule`; passed to
        :func:`shortlib.methods.per_case_training.fit_per_case`.

    Returns
    -------
    TrainedTwice

    Raises
    ------
    ValueError
        If the first model makes no error, the factor is none, or as
        :func:`shortlib.methods.per_case_training.fit_per_case`.

    References
    ----------
    Liu et al. (2021), Algorithm 1. Saab et al. (2022), Appendix A.2, let GEORGE and JTT share
    their first model; then :func:`error_set` and :func:`repeat_errors` are called by themselves.
    """
    _check_factor(factor)
    alike = {"compute": compute, "augment": augment, "checkpoint_seconds": checkpoint_seconds}
    identified = fit_per_case(
        identifier,
        cohort,
        schedule=identification,
        seed=derive_seed(seed, "identifier"),
        checkpoint=part_of(checkpoint, "identifier"),
        label=f"{label} identifier",
        **alike,
    )
    errors = error_set(identifier, cohort, compute)
    trained = fit_per_case(
        model,
        cohort,
        validation,
        schedule=schedule,
        seed=derive_seed(seed, "final"),
        order=repeat_errors(errors, factor, seed=seed),
        checkpoint=part_of(checkpoint, "final"),
        label=f"{label} final",
        **alike,
        **options,
    )
    return TrainedTwice(errors, identified, trained)


def error_set(model, cohort, compute):
    """Find the training cases that a model gets wrong.

    Parameters
    ----------
    model : torch.nn.Module
        One logit a class, or one for two classes, which is positive for the second.
    cohort : shortlib.data.Cohort
        The training cases, with one label each.
    compute : shortlib.methods.compute.Compute

    Returns
    -------
    numpy.ndarray of bool, shape (n,)

    Raises
    ------
    ValueError
        If it gets every case right.

    References
    ----------
    Liu et al. (2021), Algorithm 1.
    """
    logits = logits_of(model, Batches(cohort.images, compute), compute)
    errors = predicted_classes(logits).cpu().numpy() != cohort.require("labels")
    if not errors.any():
        raise ValueError(
            f"the identification model reached 100% accuracy on the {len(cohort)} training cases "
            f"of {cohort.name!r}, so its error set is empty and nothing can be weighted up; train "
            "it for fewer epochs, at a lower learning rate or with a stronger weight decay"
        )
    return errors


def repeat_errors(errors, factor, *, seed=0):
    r"""List the cases of an epoch in which each error comes several times.

    Parameters
    ----------
    errors : array_like of bool, shape (n,)
        See :func:`error_set`.
    factor : int or str
        :math:`\lambda_{up}`, at least 1: an error comes so often and any other case once.
        ``"match"``: the smaller of the two sets is repeated until both are of one size.
    seed : int
        See :func:`shortlib.methods.per_case_training.match_largest`.

    Returns
    -------
    numpy.ndarray of int64, shape (m,)
        Places of cases, to be shuffled.

    Raises
    ------
    ValueError
        If the factor is neither a whole number from 1 on nor ``"match"``.

    Notes
    -----
    Saab et al. (2022) bring each inferred group to the size of the largest. It is open whether
    those are the errors and the rest, as here, or both of each class.

    References
    ----------
    Liu et al. (2021), Algorithm 1; Saab et al. (2022), Appendix A.2.
    """
    _check_factor(factor)
    errors = np.asarray(errors, dtype=bool)
    if factor == MATCH:
        return match_largest(errors, seed=seed)
    return np.repeat(np.arange(len(errors)), np.where(errors, factor, 1))


def _check_factor(factor):
    whole = isinstance(factor, int | np.integer) and not isinstance(factor, bool)
    if factor != MATCH and not (whole and factor >= 1):
        raise ValueError(f"factor must be a whole number, 1 or more, or {MATCH!r}, got {factor!r}")
