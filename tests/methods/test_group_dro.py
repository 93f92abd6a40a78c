import math

import numpy as np
import pytest
import torch
from torch import nn

from shortlib.data import Cohort
from shortlib.methods.group_dro import GroupDRO, fit_group_dro
from shortlib.methods.per_case_training import fit_per_case, match_largest
from shortlib.methods.training import Rule, Schedule


def step(dro, losses, index):
    return dro(torch.tensor(losses, dtype=torch.float64), torch.tensor(index)).item()


def test_steps_by_hand():
    """With a step size of log 2 a weight is multiplied by 2 to the power of the loss."""
    dro = GroupDRO([0, 1, 1, 0, 1], step_size=math.log(2))
    assert dro.weights.tolist() == pytest.approx([1 / 2, 1 / 2])
    # Group means 1 and 3: 1/2 * 2 and 1/2 * 8, so 1/5 and 4/5.
    assert step(dro, [1.0, 2.0, 4.0], [0, 1, 2]) == pytest.approx(1 / 5 * 1 + 4 / 5 * 3)
    assert dro.weights.tolist() == pytest.approx([1 / 5, 4 / 5])
    # Only group 0, mean 2: 1/5 * 4 against 4/5, so 1/2 each; group 1 has no loss here.
    assert step(dro, [3.0, 1.0], [0, 3]) == pytest.approx(1 / 2 * 2)
    assert dro.weights.tolist() == pytest.approx([1 / 2, 1 / 2])
    # Means 0 and 1: 1/2 * 1 and 1/2 * 2.
    assert step(dro, [1.0, 0.0], [4, 3]) == pytest.approx(2 / 3 * 1)
    assert dro.weights.tolist() == pytest.approx([1 / 3, 2 / 3])


def test_a_small_group_is_taken_to_be_worse_than_its_loss_says():
    """Groups of 4 and 16 cases: 3 over their roots are 3/2 and 3/4."""
    dro = GroupDRO([0] * 4 + [1] * 16, step_size=2.0, adjustment=3.0)
    found = step(dro, [1.0, 1.0], [0, 4])
    ratio = math.exp(2 * (3 / 2 - 3 / 4))
    assert dro.weights.tolist() == pytest.approx([ratio / (1 + ratio), 1 / (1 + ratio)])
    assert found == pytest.approx(1.0)  # the adjustment is in the weights, not in the loss
    # A group that is absent is not raised by its adjustment either.
    before = dro.weights
    step(dro, [0.0], [4])
    raised = before[1] * math.exp(2 * 3 / 4)
    assert dro.weights[1].item() == pytest.approx((raised / (raised + before[0])).item())


def test_the_gradient_of_a_case_is_its_groups_weight_over_its_number_in_the_batch():
    dro = GroupDRO([0, 1, 1], step_size=math.log(2))
    losses = torch.tensor([1.0, 2.0, 4.0], requires_grad=True)
    dro(losses, torch.tensor([0, 1, 2])).backward()
    assert losses.grad.tolist() == pytest.approx([1 / 5, 2 / 5, 2 / 5])


def test_the_weights_stand_still_in_evaluation_and_never_overflow():
    dro = GroupDRO([0, 1], step_size=1.0).eval()
    assert step(dro, [1.0, 3.0], [0, 1]) == 2.0
    assert dro.weights.tolist() == pytest.approx([0.5, 0.5])
    dro.train()
    assert step(dro, [1e4, 0.0], [0, 1]) == pytest.approx(1e4)
    step(dro, [0.0, 2e4], [0, 1])
    assert dro.weights.tolist() == pytest.approx([0.0, 1.0])


@pytest.mark.parametrize(
    ("groups", "options", "said"),
    [
        ([0, 2], {}, "numbered from 0 without a gap, got 0, 2"),
        ([-1, 0], {}, "numbered from 0 without a gap, got -1, 0"),
        ([0.0, 1.0], {}, "groups must be whole numbers .* got float64"),
        ([], {}, "n at least 1"),
        ([0, 1], {"step_size": 0.0}, "step_size must be positive and finite, got 0.0"),
        ([0, 1], {"adjustment": -1.0}, "adjustment must be finite and not negative, got -1.0"),
        ([0, 1], {"adjustment": math.nan}, "adjustment must be finite and not negative, got nan"),
    ],
)
def test_a_wrong_argument_is_said(groups, options, said):
    with pytest.raises(ValueError, match=said):
        GroupDRO(groups, **options)


def shortcut_cohort(n=64, seed=0):
    """Label and shortcut agree in 7 of 8 cases; the shortcut's pixel is the clearer one."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    shortcut = np.where(np.arange(n) % 16 < 14, labels, 1 - labels)
    images = rng.normal(scale=0.3, size=(n, 1, 1, 2))
    images[:, 0, 0, 0] += 0.5 * (2 * labels - 1)
    images[:, 0, 0, 1] += 2 * (2 * shortcut - 1)
    ids = np.array([f"{seed}-{i}" for i in range(n)])
    cohort = Cohort(
        "toy", ids, images.astype(np.float32), labels=labels, shortcut=shortcut.astype(bool)
    )
    return cohort, (labels != shortcut).astype(int)


def start():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(2, 1))


def fit(toy, *, epochs=12, **options):
    model = start()
    (train, groups), (held_out, held_out_groups) = shortcut_cohort(), shortcut_cohort(seed=1)
    schedule = Schedule(epochs=epochs, batch_size=16, learning_rate=0.05)
    defaults = {"validation_groups": held_out_groups, "step_size": 0.1}
    trained = fit_group_dro(
        model,
        train,
        groups,
        held_out,
        schedule=schedule,
        compute=toy.CPU,
        seed=0,
        **{**defaults, **options},
    )
    return model, trained


def test_the_worst_group_ends_better_than_by_the_mean_over_cases(toy):
    _, robust = fit(toy)
    (train, _), (held_out, groups) = shortcut_cohort(), shortcut_cohort(seed=1)
    plain = fit_per_case(
        start(),
        train,
        held_out,
        validation_groups=groups,
        schedule=Schedule(epochs=12, batch_size=16, learning_rate=0.05),
        compute=toy.CPU,
        seed=0,
    )
    worst = [one.history[-1]["validation_worst_loss"] for one in (robust, plain)]
    assert worst[0] < 0.9 * worst[1]
    best = max(row["validation_worst_accuracy"] for row in robust.history)
    chosen = robust.history[robust.best_epochs["validation_worst_accuracy"] - 1]
    assert chosen["validation_worst_accuracy"] == best


def test_a_fit_that_was_interrupted_ends_as_one_that_was_not(toy, tmp_path):
    due, whole = fit(toy, epochs=4, step_size=1.0, adjustment=2.0)
    kept = {"checkpoint": tmp_path / "fit.checkpoint.safetensors", "checkpoint_seconds": 0.0}
    fit(toy, epochs=2, step_size=1.0, adjustment=2.0, **kept)
    found, resumed = fit(toy, epochs=4, step_size=1.0, adjustment=2.0, **kept)
    assert resumed.resumed_from == 2
    assert [row["train_loss"] for row in resumed.history] == [
        row["train_loss"] for row in whole.history
    ]
    for name, value in due.state_dict().items():
        assert torch.equal(found.state_dict()[name], value)


def test_groups_may_be_drawn_alike_and_another_rule_needs_no_groups(toy):
    groups = shortcut_cohort()[1]
    _, trained = fit(
        toy,
        epochs=1,
        order=match_largest(groups, seed=0),
        validation_groups=None,
        rule=Rule("validation_auroc", "max"),
    )
    assert trained.best_epochs == {"validation_auroc": 1}
    with pytest.raises(ValueError, match="rule asks for 'validation_worst_accuracy'"):
        fit(toy, validation_groups=None)


def test_every_case_needs_a_group(toy):
    train = shortcut_cohort()[0]
    with pytest.raises(ValueError, match="one group for each of 64 cases, got 2"):
        fit_group_dro(
            nn.Flatten(),
            train,
            [0, 1],
            train,
            schedule=Schedule(epochs=1, batch_size=8, learning_rate=0.1),
            compute=toy.CPU,
            seed=0,
        )
