"""Group DRO: the loss of the worst group is minimised, by weights that follow the losses."""

import math

import numpy as np
import torch
from torch import nn

from shortlib.methods.per_case_training import fit_per_case
from shortlib.methods.training import Rule

WORST_ACCURACY = Rule("validation_worst_accuracy", "max")


class GroupDRO(nn.Module):
    r"""A weight for each group, that grows with the group's loss, and the weighted loss of a batch.

    In each training step the weight of a group that the batch holds is multiplied by
    :math:`\exp(\eta (\ell_g + C / \sqrt{n_g}))`, with the mean loss :math:`\ell_g` of its cases in
    the batch; then the weights are brought to a sum of 1. The loss of the batch is
    :math:`\sum_g q_g \ell_g` with the new weights.

    Parameters
    ----------
    groups : array_like of int, shape (n,)
        Of each training case, numbered from 0; every number up to the largest occurs.
    step_size : float
        :math:`\eta`, positive.
    adjustment : float
        :math:`C`, not negative: how much is added to the loss of a group for being small, when the
        weights are set. It has no gradient and is not in the loss that is returned.

    Attributes
    ----------
    groups : torch.Tensor of int64, shape (n,)
    log_weights : torch.Tensor of float64, shape (k,)

    Raises
    ------
    ValueError
        If the groups are not numbered so, or a number is out of range.

    Notes
    -----
    *A group that the batch has no case of* keeps its weight, as in the paper's algorithm, which
    sees one group a step; only bringing the sum to 1 changes it. The released code counts its loss
    as 0 and still adds its adjustment.

    *Saab et al. (2022)* state a "gamma" of 0.1 and an adjustment of 3, and no step size. In the
    released code of Sagawa et al. gamma is the rate of a moving average of the groups' losses,
    which this objective does not use, and 0.1 its default; the step size is another option, 0.01
    if not given, as here. For gamma read as step size pass ``step_size=0.1``.

    References
    ----------
    Sagawa et al. (2020), Algorithm 1, and Section 3.3 for the adjustment.

    Examples
    --------
    >>> dro = GroupDRO([0, 0, 1], step_size=math.log(2))
    >>> dro(torch.tensor([1.0, 3.0]), torch.tensor([0, 2]))  # weights 2 : 8
    tensor(2.6000)
    """

    def __init__(self, groups, *, step_size=0.01, adjustment=0.0):
        super().__init__()
        groups = _check_groups(groups)
        if not 0 < step_size < math.inf:
            raise ValueError(f"step_size must be positive and finite, got {step_size}")
        if not 0 <= adjustment < math.inf:
            raise ValueError(f"adjustment must be finite and not negative, got {adjustment}")
        self.step_size = step_size
        counts = torch.bincount(groups).double()
        # Neither changes in training, so a checkpoint need not have them.
        self.register_buffer("groups", groups, persistent=False)
        self.register_buffer("added", adjustment / counts.sqrt(), persistent=False)
        self.register_buffer("log_weights", -counts.new_ones(len(counts)) * math.log(len(counts)))

    @property
    def weights(self):
        """The groups' weights, float64 of shape (k,), with the sum 1."""
        return self.log_weights.exp()

    def forward(self, losses, index):
        """Return the loss of a batch; in training mode the weights are updated first.

        Parameters
        ----------
        losses : torch.Tensor of float, shape (b,)
            One a case.
        index : torch.Tensor of int64, shape (b,)
            The cases' places among all training cases.

        Returns
        -------
        torch.Tensor
            Scalar. With groups missing the weights of the others sum to less than 1.
        """
        members = nn.functional.one_hot(self.groups[index], len(self.log_weights)).to(losses)
        counts = members.sum(dim=0)
        means = (members * losses[:, None]).sum(dim=0) / counts.clamp(min=1)
        if self.training:
            step = self.step_size * (means.detach().double() + self.added)
            raised = self.log_weights + step * (counts > 0)
            self.log_weights.copy_(raised.log_softmax(dim=0))
        return (self.weights.to(losses) * means).sum()


def fit_group_dro(
    model,
    cohort,
    groups,
    validation,
    *,
    validation_groups=None,
    schedule,
    compute,
    seed,
    step_size=0.01,
    adjustment=0.0,
    rule=WORST_ACCURACY,
    **options,
):
    """Train a network for the worst of given or inferred groups.

    Parameters
    ----------
    model : torch.nn.Module
        As for :func:`shortlib.methods.per_case_training.fit_per_case`.
    cohort : shortlib.data.Cohort
        With one label a case.
    groups : array_like of int, shape (n,)
        See :class:`GroupDRO`.
    validation : shortlib.data.Cohort
    validation_groups : array_like of int, shape (k,), optional
        Of the validation cases, for rules that look at the worst group.
    schedule : shortlib.methods.training.Schedule
    compute : shortlib.methods.compute.Compute
    seed : int
    step_size, adjustment : float
        See :class:`GroupDRO`.
    rule : shortlib.methods.training.Rule
        Which epoch is kept. By default the one with the best accuracy in the worst validation
        group, which is how Sagawa et al. (2020) choose; without groups of the validation cases
        another must be named, e.g. ``Rule("validation_auroc", "max")``.
    **options
        Passed to :func:`shortlib.methods.per_case_training.fit_per_case`. With
        ``order=match_largest(groups, seed=seed)`` a batch holds all groups alike, as the paper's
        algorithm draws them; else it holds them as often as they are.

    Returns
    -------
    shortlib.methods.training.Trained

    Raises
    ------
    ValueError
        As :class:`GroupDRO` and :func:`shortlib.methods.per_case_training.fit_per_case`, or if a
        case has no group.
    """
    objective = GroupDRO(groups, step_size=step_size, adjustment=adjustment)
    if len(objective.groups) != len(cohort):
        raise ValueError(
            f"groups must have one group for each of {len(cohort)} cases, got "
            f"{len(objective.groups)}"
        )
    return fit_per_case(
        model,
        cohort,
        validation,
        schedule=schedule,
        compute=compute,
        seed=seed,
        objective=objective,
        validation_groups=validation_groups,
        rule=rule,
        **options,
    )


def _check_groups(groups):
    groups = np.asarray(groups)
    if groups.ndim != 1 or not len(groups) or groups.dtype.kind not in "iu":
        raise ValueError(
            f"groups must be whole numbers of shape (n,), n at least 1, got {groups.dtype} of "
            f"shape {groups.shape}"
        )
    found = np.unique(groups)
    if not np.array_equal(found, np.arange(len(found))):
        raise ValueError(
            f"groups must be numbered from 0 without a gap, got {', '.join(map(str, found[:9]))}"
            f"{' …' if len(found) > 9 else ''}"
        )
    return torch.from_numpy(groups.astype(np.int64))
