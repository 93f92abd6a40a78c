from collections import Counter
from math import exp, log

import numpy as np
import pytest
import torch
from torch import nn

from shortlib.data import Cohort
from shortlib.methods.case_losses import case_losses, predicted_classes
from shortlib.methods.per_case_training import fit_per_case, match_largest
from shortlib.methods.training import Rule, Schedule

ONE = Schedule(epochs=1, batch_size=64, learning_rate=1e-9)


def cohort_of(labels, seed=0, **fields):
    """Images of four pixels, brighter where the label is 1."""
    labels = np.asarray(labels)
    rng = np.random.default_rng(seed)
    images = rng.normal(size=(len(labels), 1, 2, 2)) + 2 * labels.reshape(-1, 1, 1, 1)
    ids = np.array([f"{seed}-{i}" for i in range(len(labels))])
    return Cohort("toy", ids, images.astype(np.float32), **{"labels": labels, **fields})


def network(outputs=1):
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(4, outputs))


def probabilities(model, cohort):
    """The probability of class 1, by hand."""
    with torch.no_grad():
        logits = model(torch.from_numpy(cohort.images)).double().numpy()
    logit = logits[:, 0] if logits.shape[1] == 1 else logits[:, 1] - logits[:, 0]
    return 1 / (1 + np.exp(-logit))


def test_the_loss_of_a_case_is_minus_its_log_probability():
    one = case_losses(torch.tensor([[2.0], [-1.0]]), torch.tensor([1, 1]))
    assert one.tolist() == pytest.approx([log(1 + exp(-2)), log(1 + exp(1))])
    several = case_losses(torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([2]))
    assert several.tolist() == pytest.approx([-log(exp(-1) / (exp(2) + 1 + exp(-1)))])
    assert predicted_classes(torch.tensor([[2.0], [-1.0]])).tolist() == [1, 0]
    assert predicted_classes(torch.tensor([[2.0, 3.0], [0.0, -1.0]])).tolist() == [1, 0]


@pytest.mark.parametrize("outputs", [1, 2])
def test_what_is_measured_on_held_out_cases(toy, outputs):
    model, labels = network(outputs), np.array([0, 1, 1, 0, 1, 0, 0, 1])
    held_out = cohort_of(labels, 1)
    groups = np.array([0, 0, 0, 5, 5, 5, 5, 5])
    p = probabilities(model, held_out)
    losses = np.where(labels == 1, -np.log(p), -np.log(1 - p))
    hits = (p > 0.5) == (labels == 1)
    pairs = [(a > b) for a in p[labels == 1] for b in p[labels == 0]]
    due = {
        "validation_loss": losses.mean(),
        "validation_accuracy": hits.mean(),
        "validation_auroc": np.mean(pairs),
        "validation_worst_loss": max(losses[:3].mean(), losses[3:].mean()),
        "validation_worst_accuracy": min(hits[:3].mean(), hits[3:].mean()),
    }
    trained = fit_per_case(
        model,
        cohort_of(labels),
        held_out,
        schedule=ONE,
        compute=toy.CPU,
        seed=0,
        validation_groups=groups,
    )
    found = {name: value for name, value in trained.history[0].items() if name in due}
    assert found == pytest.approx(due, rel=1e-5)


def test_three_classes_have_no_auroc_even_where_one_does_not_occur(toy):
    held_out = cohort_of([0, 1, 1, 0], label_names=("a", "b", "c"))
    options = {"schedule": ONE, "compute": toy.CPU, "seed": 0}
    (row,) = fit_per_case(network(3), held_out, held_out, **options).history
    assert "validation_accuracy" in row
    assert "validation_auroc" not in row


def test_the_rule_chooses_the_weights_that_are_left_in_the_model(toy):
    model, train = network(), cohort_of([0, 1] * 8)
    held_out = cohort_of(1 - train.labels, 1)  # the longer the training, the worse
    schedule = Schedule(epochs=4, batch_size=8, learning_rate=0.3)
    options = {"schedule": schedule, "compute": toy.CPU, "seed": 0}
    trained = fit_per_case(model, train, held_out, rule=Rule("validation_loss", "max"), **options)
    losses = [row["validation_loss"] for row in trained.history]
    assert trained.best_epochs == {"validation_loss": 1 + int(np.argmax(losses))}
    p = probabilities(model, held_out)
    left = np.where(held_out.labels == 1, -np.log(p), -np.log(1 - p)).mean()
    assert left == pytest.approx(max(losses), rel=1e-5)
    for key, value in trained.weights["validation_loss"].items():
        assert torch.equal(model.state_dict()[key], value)
    unjudged = fit_per_case(network(), train, **options)
    assert (unjudged.weights, unjudged.best_epochs) == ({}, {})


def measured(model, cohort):
    """The mean of the logits on a cohort, by hand."""
    return float(np.log(1 / (1 / probabilities(model, cohort) - 1)).mean())


@pytest.mark.parametrize("held_out", [True, False])
def test_further_rules_keep_the_epochs_of_what_is_watched(toy, held_out):
    model, train, looked = network(), cohort_of([0, 1] * 8), []
    validation = cohort_of(1 - train.labels, 1) if held_out else None
    elsewhere = cohort_of([0, 1, 1, 1], 2)
    given = iter([3.0, 1.0, 2.0, 5.0])

    def watch(network):
        looked.append((network, network.training, torch.is_inference_mode_enabled()))
        return {"given": next(given), "mean_logit": measured(network, elsewhere)}

    trained = fit_per_case(
        model,
        train,
        validation,
        schedule=Schedule(epochs=4, batch_size=8, learning_rate=0.3),
        compute=toy.CPU,
        seed=0,
        rule=Rule("validation_loss", "max"),
        further_rules={"least": Rule("given"), "most": Rule("given", "max")},
        watch=watch,
    )
    assert looked == [(model, False, True)] * 4  # the network alone, once an epoch
    assert [row["given"] for row in trained.history] == [3, 1, 2, 5]
    due = {"least": 2, "most": 4}
    if held_out:
        losses = [row["validation_loss"] for row in trained.history]
        due["validation_loss"] = 1 + int(np.argmax(losses))
    assert trained.best_epochs == due
    assert trained.weights.keys() == due.keys()
    assert ("validation_auroc" in trained.history[0]) == held_out
    # The weights are the network's own, those of the epoch; `rule` alone decides what is left.
    left = due.get("validation_loss", 4)
    assert measured(model, elsewhere) == pytest.approx(trained.history[left - 1]["mean_logit"])
    for name, epoch in due.items():
        model.load_state_dict(trained.weights[name])
        row = trained.history[epoch - 1]
        assert measured(model, elsewhere) == pytest.approx(row["mean_logit"])


def test_further_rules_may_look_at_validation_cases_and_change_nothing_else(toy):
    train, validation = cohort_of([0, 1] * 8), cohort_of([0, 1] * 4, 1)
    options = {"schedule": Schedule(epochs=5, batch_size=4, learning_rate=0.3), "compute": toy.CPU}
    plain, model = network(), network()
    due = fit_per_case(plain, train, validation, seed=0, **options)
    found = fit_per_case(
        model,
        train,
        validation,
        seed=0,
        further_rules={"worst": Rule("validation_accuracy"), "auroc": Rule("validation_auroc")},
        **options,
    )
    assert found.best_epochs["validation_loss"] == due.best_epochs["validation_loss"]
    assert torch.equal(model[1].weight, plain[1].weight)
    accuracies = [row["validation_accuracy"] for row in found.history]
    assert found.best_epochs["worst"] == 1 + int(np.argmin(accuracies))
    assert set(found.weights) == {"validation_loss", "worst", "auroc"}


def test_an_objectives_state_is_in_no_rules_weights(toy):
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("batches", torch.zeros(()))

        def forward(self, losses, index):
            self.batches += 1
            return losses.mean()

    model, train = network(), cohort_of([0, 1] * 4)
    trained = fit_per_case(
        model,
        train,
        train,
        schedule=ONE,
        compute=toy.CPU,
        seed=0,
        objective=Counting(),
        further_rules={"least": Rule("number")},
        watch=lambda model: {"number": 1.0},
    )
    for weights in trained.weights.values():
        assert weights.keys() == model.state_dict().keys()


def test_a_fit_that_watches_resumes_to_the_same_bits(toy, tmp_path):
    train, ends = cohort_of([0, 1] * 8), []
    kept = {"checkpoint": tmp_path / "fit.checkpoint.safetensors", "checkpoint_seconds": 0.0}

    def fit(epochs, **more):
        return fit_per_case(
            network(),
            train,
            train,
            schedule=Schedule(epochs=epochs, batch_size=8, learning_rate=0.3),
            compute=toy.CPU,
            seed=0,
            further_rules={"least": Rule("mean_logit")},
            watch=lambda model: {"mean_logit": measured(model, train)},
            **more,
        )

    ends.append(fit(4))
    fit(2, **kept)
    ends.append(fit(4, **kept))
    assert ends[1].resumed_from == 2
    assert ends[0].best_epochs == ends[1].best_epochs
    rows = [[(row["train_loss"], row["mean_logit"]) for row in end.history] for end in ends]
    assert rows[0] == rows[1]
    for name, weights in ends[0].weights.items():
        assert all(torch.equal(value, ends[1].weights[name][k]) for k, value in weights.items())


def test_an_epoch_holds_each_case_as_often_as_the_order_says(toy):
    train, seen = cohort_of([0, 1] * 4), []

    class Watching(nn.Module):
        def forward(self, losses, index):
            seen.extend(index.tolist())
            assert losses.shape == index.shape
            return losses.mean()

    def augment(images):
        assert images.shape[1:] == (1, 2, 2)
        return images

    fit_per_case(
        network(),
        train,
        schedule=Schedule(epochs=2, batch_size=3, learning_rate=0.01),
        compute=toy.CPU,
        seed=0,
        order=np.array([3, 3, 3, 0, 5]),
        objective=Watching(),
        augment=augment,
    )
    assert Counter(seen[:5]) == Counter(seen[5:]) == {3: 3, 0: 1, 5: 1}
    assert seen[:5] != seen[5:]


def test_groups_are_repeated_to_the_size_of_the_largest():
    groups = np.array([2] * 7 + [0] * 3 + [5])
    order = match_largest(groups, seed=0)
    times = Counter(order.tolist())
    assert len(times) == len(groups)
    assert Counter(groups[order].tolist()) == {2: 7, 0: 7, 5: 7}
    assert sorted(times[case] for case in range(7, 10)) == [2, 2, 3]
    # Which case comes once more is drawn.
    drawn = {
        max(range(7, 10), key=Counter(match_largest(groups, seed=s).tolist()).get)
        for s in range(20)
    }
    assert drawn == {7, 8, 9}
    np.testing.assert_array_equal(order, match_largest(groups, seed=0))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"order": np.array([0, 8])}, "order must hold places from 0 to 7, got 0 to 8"),
        ({"order": np.array([0.0])}, "order must be whole numbers .* got float64"),
        ({"order": np.array([], dtype=int)}, r"m at least 1, got int64 of shape \(0,\)"),
        ({"validation_groups": [0, 1]}, "one group for each of 8 cases, got shape"),
        (
            {"rule": Rule("validation_worst_loss")},
            "rule asks for 'validation_worst_loss'; measured are validation_loss, validation_acc",
        ),
    ],
)
def test_a_wrong_argument_is_said(toy, options, said):
    train = cohort_of([0, 1] * 4)
    with pytest.raises(ValueError, match=said):
        fit_per_case(network(), train, train, schedule=ONE, compute=toy.CPU, seed=0, **options)


def test_several_labels_a_case_and_groups_of_nothing_are_refused(toy):
    part = cohort_of([0, 1] * 4)
    several = Cohort(
        "toy", part.case_ids, part.images, labels=np.zeros((8, 2)), label_names=("a", "b")
    )
    with pytest.raises(ValueError, match="labels of 'toy' must be one class a case"):
        fit_per_case(network(2), several, schedule=ONE, compute=toy.CPU, seed=0)
    with pytest.raises(ValueError, match="validation_groups are given, but there are no valid"):
        fit_per_case(
            network(), part, schedule=ONE, compute=toy.CPU, seed=0, validation_groups=[0] * 8
        )


@pytest.mark.parametrize(
    ("further", "said"),
    [
        ({"best": Rule("nowhere")}, "rule 'best' asks for 'nowhere'; measured are validation_loss"),
        ({"validation_loss": Rule("validation_accuracy")}, "must not be called as rule's own"),
    ],
)
def test_a_further_rule_that_cannot_be_followed_is_said(toy, further, said):
    train = cohort_of([0, 1, 0, 1])
    with pytest.raises(ValueError, match=said):
        fit_per_case(
            network(), train, train, schedule=ONE, compute=toy.CPU, seed=0, further_rules=further
        )
