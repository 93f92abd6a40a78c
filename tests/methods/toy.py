"""A problem that a linear model solves at once, for the tests of the training loop."""

import torch

from shortlib.methods.compute import Compute
from shortlib.methods.training import Rule, Schedule, train

CPU = Compute(device="cpu", precision="float32", channels_last=False)
X = torch.linspace(-1, 1, 40)[:, None]
Y = (X[:, 0] > 0).float()


def model():
    torch.manual_seed(0)
    return torch.nn.Linear(1, 1)


def batch_loss(model, index):
    logits = model(X[index])[:, 0]
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, Y[index])


def fit(net=None, *, monitored=(), rules=None, loss=batch_loss, seed=0, **options):
    """Train the toy; `monitored` are the values that an epoch's evaluation gives."""
    checkpoint = options.pop("checkpoint", None)
    checkpoint_seconds = options.pop("checkpoint_seconds", 120.0)
    values = iter(monitored)
    return train(
        model() if net is None else net,
        loss,
        len(X),
        Schedule(**{"epochs": 3, "batch_size": 8, "learning_rate": 0.1, **options}),
        rules=rules or {"best": Rule("value")},
        evaluate=lambda _: {"value": next(values, 0.0)},
        compute=CPU,
        seed=seed,
        checkpoint=checkpoint,
        checkpoint_seconds=checkpoint_seconds,
    )
