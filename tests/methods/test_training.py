import math

import pytest
import torch

from shortlib.methods import training
from shortlib.methods.training import Rule, Schedule


def test_it_learns_a_separable_problem(toy):
    net = toy.model()
    trained = toy.fit(net, epochs=40)
    losses = [row["train_loss"] for row in trained.history]
    assert losses[-1] < 0.3 < losses[0]
    assert ((net(toy.X)[:, 0] > 0) == toy.Y.bool()).float().mean() > 0.9


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_both_optimizers_move_the_weights(toy, optimizer):
    net = toy.model()
    before = net.weight.clone()
    toy.fit(net, optimizer=optimizer)
    assert not torch.equal(net.weight, before)


def test_weight_decay_reaches_the_optimizer(toy):
    plain, decayed = toy.model(), toy.model()
    toy.fit(plain)
    toy.fit(decayed, weight_decay=1.0)
    assert decayed.weight.abs() < plain.weight.abs()


@pytest.mark.parametrize(
    ("direction", "values", "best"),
    [
        ("min", [3.0, 1.0, 2.0], 2),
        ("max", [3.0, 1.0, 2.0], 1),
        ("min", [1.0, 1.0, 1.0], 1),  # the first of equals
        ("max", [1.0, 1.0, 1.0], 1),
        ("min", [math.nan, 2.0, math.nan], 2),
        ("max", [math.nan, 2.0, 3.0], 3),
        ("min", [2.0, -math.inf, 1.0], 2),
    ],
)
def test_the_best_epoch_is_kept(toy, direction, values, best):
    net = toy.model()
    seen = []

    def loss(model, index):
        seen.append(model.weight.item())
        return toy.batch_loss(model, index)

    trained = toy.fit(
        net, monitored=values, rules={"best": Rule("value", direction)}, loss=loss, batch_size=40
    )
    assert trained.best_epochs == {"best": best}
    after_epoch = [*seen[1:], net.weight.item()]  # one step an epoch
    assert trained.weights["best"]["weight"].item() == after_epoch[best - 1]


def test_each_rule_keeps_its_own_epoch(toy):
    rules = {"least": Rule("value"), "most": Rule("value", "max")}
    trained = toy.fit(monitored=[2.0, 1.0, 3.0], rules=rules)
    assert trained.best_epochs == {"least": 2, "most": 3}
    assert not torch.equal(trained.weights["least"]["weight"], trained.weights["most"]["weight"])


def test_a_rule_without_a_finite_value_is_named(toy):
    with pytest.raises(FloatingPointError, match=r"no epoch had a finite value for \['best'\]"):
        toy.fit(monitored=[math.nan] * 3)


@pytest.mark.parametrize(("patience", "epochs"), [(1, 3), (2, 4), (None, 6)])
def test_patience_stops_after_so_many_epochs_without_progress(toy, patience, epochs):
    values = [3.0, 2.0, 2.5, 2.5, 2.5, 2.5]
    trained = toy.fit(monitored=values, epochs=6, patience=patience)
    assert [row["epoch"] for row in trained.history] == list(range(1, epochs + 1))
    assert trained.best_epochs == {"best": 2}


def test_cosine_decay_follows_half_a_wave(toy, monkeypatch):
    rates = []
    genuine = torch.optim.Adam.step
    monkeypatch.setattr(
        torch.optim.Adam,
        "step",
        lambda self, *args: (rates.append(self.param_groups[0]["lr"]), genuine(self, *args))[1],
    )
    toy.fit(epochs=4, decay="cosine", batch_size=40)
    wave = [0.1 * 0.5 * (1 + math.cos(math.pi * done / 4)) for done in range(4)]
    assert rates == pytest.approx(wave)
    rates.clear()
    toy.fit(epochs=2, batch_size=40)
    assert rates == [0.1, 0.1]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"learning_rate": 0.0}, "learning_rate must be positive, got 0.0"),
        ({"learning_rate": -1.0}, "learning_rate must be positive, got -1.0"),
        ({"learning_rate": math.nan}, "learning_rate must be positive, got nan"),
        ({"optimizer": "lion"}, "optimizer must be one of .*, got 'lion'"),
        ({"decay": "linear"}, "decay must be one of .*, got 'linear'"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(bad, said):
    with pytest.raises(ValueError, match=said):
        Schedule(**{"epochs": 1, "batch_size": 1, "learning_rate": 0.1, **bad})


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_names_the_epoch(toy, value):
    calls = []

    def loss(model, index):
        calls.append(index)
        return toy.batch_loss(model, index) * (value if len(calls) > 5 else 1.0)

    with pytest.raises(FloatingPointError, match=f"training loss is {value} in epoch 2"):
        toy.fit(loss=loss)


def test_history_has_a_row_an_epoch_and_says_where_the_time_went(toy):
    trained = toy.fit(monitored=[3.0, 2.0, 1.0])
    columns = ["epoch", "train_loss", "value", "seconds", "step_seconds", "evaluate_seconds"]
    for number, row in enumerate(trained.history, start=1):
        assert list(row) == columns
        assert row["epoch"] == number
        assert 0 < row["step_seconds"] + row["evaluate_seconds"] <= row["seconds"]
    assert [row["value"] for row in trained.history] == [3.0, 2.0, 1.0]
    assert trained.resumed_from == 0


def test_train_loss_is_the_mean_over_cases_though_the_last_batch_is_smaller(toy):
    net = torch.nn.Linear(1, 1)
    index_seen = []

    def loss(model, index):
        index_seen.append(index)
        return toy.X[index].square().mean() + 0 * model(toy.X[index]).sum()

    trained = toy.fit(net, loss=loss, epochs=1, batch_size=32)
    assert [len(index) for index in index_seen] == [32, 8]
    assert sorted(torch.cat(index_seen).tolist()) == list(range(40))
    assert trained.history[0]["train_loss"] == pytest.approx(toy.X.square().mean().item())


def drawn(toy, seed, before=0, **options):
    """Order of the cases and a random number of each step, by epoch."""
    torch.manual_seed(before)
    steps = []

    def loss(model, index):
        steps.append((index.tolist(), torch.rand(()).item()))
        return toy.batch_loss(model, index)

    toy.fit(torch.nn.Linear(1, 1), seed=seed, loss=loss, batch_size=20, **options)
    return [steps[i : i + 2] for i in range(0, len(steps), 2)]


def test_random_numbers_depend_on_seed_and_epoch_alone(toy):
    first = drawn(toy, 0, epochs=3)
    assert drawn(toy, 0, before=123, epochs=3) == first
    assert drawn(toy, 0, epochs=2) == first[:2]
    assert drawn(toy, 1, epochs=3) != first
    assert first[0] != first[1]


def test_a_fit_that_was_stopped_resumes_to_the_same_bits(toy, tmp_path, monkeypatch):
    options = {"epochs": 6, "monitored": [6.0, 5.0, 7.0, 4.0, 8.0, 9.0], "decay": "cosine"}
    whole = toy.fit(**options)
    genuine = training._epoch

    def failing(*args):
        if args[-1] == 4:
            raise RuntimeError("stopped")
        return genuine(*args)

    kept = {"checkpoint": tmp_path / "state.safetensors", "checkpoint_seconds": 0.0}
    monkeypatch.setattr(training, "_epoch", failing)
    with pytest.raises(RuntimeError, match="stopped"):
        toy.fit(**options, **kept)
    monkeypatch.setattr(training, "_epoch", genuine)
    resumed = toy.fit(**{**options, "monitored": options["monitored"][3:]}, **kept)
    assert resumed.resumed_from == 3
    assert resumed.best_epochs == whole.best_epochs
    without_times = [
        [{k: v for k, v in row.items() if not k.endswith("seconds")} for row in fit.history]
        for fit in (whole, resumed)
    ]
    assert without_times[0] == without_times[1]
    for name, weight in whole.weights["best"].items():
        assert torch.equal(weight, resumed.weights["best"][name])


def test_a_fit_that_was_finished_is_not_trained_again(toy, tmp_path):
    kept = {"checkpoint": tmp_path / "state.safetensors", "checkpoint_seconds": 0.0}
    whole = toy.fit(**kept)
    again = toy.fit(loss=lambda *_: pytest.fail("trained again"), **kept)
    assert again.resumed_from == 3
    assert again.history == whole.history


def test_no_checkpoint_is_saved_before_its_time(toy, tmp_path):
    toy.fit(checkpoint=tmp_path / "state.safetensors", checkpoint_seconds=1000.0)
    assert list(tmp_path.iterdir()) == []
