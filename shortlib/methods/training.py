"""The training loop that every method uses."""

import math
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from shortlib.data.seeds import derive_seed
from shortlib.methods.checkpoint import load_checkpoint, save_checkpoint


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a model is trained.

    Parameters
    ----------
    epochs : int
        Passes over the training cases.
    batch_size : int
        Cases in a step; the last batch of an epoch may be smaller.
    learning_rate : float
    weight_decay : float
    optimizer : str
        ``"adam"`` or ``"sgd"`` (momentum 0.9).
    decay : str
        ``"constant"`` or ``"cosine"`` (to zero over the epochs).
    patience : int, optional
        Stop when no selection rule has improved for so many epochs.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 0.0
    optimizer: str = "adam"
    decay: str = "constant"
    patience: int | None = None

    def __post_init__(self):
        for name, least in (("epochs", 1), ("batch_size", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be positive, got {self.learning_rate}")
        for name, known in (("optimizer", ("adam", "sgd")), ("decay", ("constant", "cosine"))):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {known}, got {getattr(self, name)!r}")


@dataclass(frozen=True)
class Rule:
    """Which epoch's weights are kept: the best value of one monitored quantity."""

    monitor: str
    direction: str = "min"

    def improves(self, value, best):
        """Return whether `value` is strictly better than `best` (None: no best yet)."""
        if math.isnan(value):
            return False
        if best is None:
            return True
        return value < best if self.direction == "min" else value > best


@dataclass
class Trained:
    """What training gives.

    Attributes
    ----------
    weights : dict of str to dict of str to torch.Tensor
        By selection rule, the weights of its best epoch, on the CPU.
    best_epochs : dict of str to int
        Counted from 1.
    history : list of dict
        One row an epoch: ``epoch``, ``train_loss``, every monitored quantity,
        ``seconds`` and, of those, ``step_seconds`` in forward, backward and step
        and ``evaluate_seconds`` in `evaluate`.
    resumed_from : int
        The epoch a checkpoint was resumed at; 0 for a fit in one go.
    """

    weights: dict
    best_epochs: dict
    history: list = field(default_factory=list)
    resumed_from: int = 0


def train(
    model,
    batch_loss,
    n_cases,
    schedule,
    *,
    rules,
    evaluate,
    compute,
    seed,
    checkpoint=None,
    checkpoint_seconds=120.0,
    label="fit",
):
    """Train a model and keep, for each selection rule, its best epoch.

    Random numbers depend on the seed and the epoch alone, so a fit that resumes
    at an epoch goes on exactly as if it had never stopped.

    Parameters
    ----------
    model : torch.nn.Module
        Already placed by `compute`; trained in place.
    batch_loss : callable
        ``batch_loss(model, index)`` with an int64 tensor of case indices returns
        the loss, a scalar tensor. Augmentation happens inside.
    n_cases : int
        Number of training cases.
    schedule : Schedule
    rules : dict of str to Rule
        Selection rules by name.
    evaluate : callable
        ``evaluate(model)`` returns the monitored quantities after an epoch.
    compute : Compute
    seed : int
    checkpoint : pathlib.Path, optional
        Where to save the state, and resume from if it exists.
    checkpoint_seconds : float
        Least time between two saves.
    label : str
        Shown beside the progress bar.

    Returns
    -------
    Trained

    Raises
    ------
    FloatingPointError
        If a loss is not finite; names the epoch.
    """
    optimizer = _optimizer(model, schedule)
    best, state = {}, {"epoch": 0, "history": [], "best": {}}
    if checkpoint is not None and Path(checkpoint).exists():
        best, state = load_checkpoint(checkpoint, model=model, optimizer=optimizer)
    resumed_from = state["epoch"]
    history, record = state["history"], state["best"]
    saved = time.monotonic()
    epochs = tqdm(
        range(resumed_from + 1, schedule.epochs + 1),
        initial=resumed_from,
        total=schedule.epochs,
        desc=label,
        unit="epoch",
        disable=not sys.stderr.isatty(),
    )
    for epoch in epochs:
        if _out_of_patience(record, epoch - 1, schedule.patience):
            break
        start = time.perf_counter()
        loss, step_seconds = _epoch(
            model, batch_loss, n_cases, schedule, optimizer, compute, seed, epoch
        )
        evaluating = time.perf_counter()
        model.eval()
        with torch.inference_mode():
            monitored = evaluate(model)
        evaluate_seconds = time.perf_counter() - evaluating
        improved = [
            name
            for name, rule in rules.items()
            if rule.improves(monitored[rule.monitor], record.get(name, {}).get("value"))
        ]
        if improved:
            weights = {k: v.detach().cpu().clone() for k, v in model.state_dict().items()}
            for name in improved:
                record[name] = {"value": monitored[rules[name].monitor], "epoch": epoch}
                best[name] = weights
        row = {"epoch": epoch, "train_loss": loss, **monitored}
        row["seconds"] = time.perf_counter() - start
        row |= {"step_seconds": step_seconds, "evaluate_seconds": evaluate_seconds}
        history.append(row)
        epochs.set_postfix({k: f"{v:.4g}" for k, v in row.items() if k.endswith("loss")})
        if checkpoint is not None and time.monotonic() - saved >= checkpoint_seconds:
            state = {"epoch": epoch, "history": history, "best": record}
            save_checkpoint(checkpoint, model=model, optimizer=optimizer, best=best, state=state)
            saved = time.monotonic()
    if missing := set(rules) - set(best):
        raise FloatingPointError(f"{label}: no epoch had a finite value for {sorted(missing)}")
    return Trained(
        weights=best,
        best_epochs={name: record[name]["epoch"] for name in rules},
        history=history,
        resumed_from=resumed_from,
    )


def _epoch(model, batch_loss, n_cases, schedule, optimizer, compute, seed, epoch):
    """One pass over the training cases; returns the mean loss and the seconds in steps."""
    torch.manual_seed(derive_seed(seed, "epoch", epoch))  # dropout, augmentation
    order = torch.from_numpy(
        np.random.default_rng(derive_seed(seed, "order", epoch)).permutation(n_cases)
    )
    if schedule.decay == "cosine":
        progress = (epoch - 1) / schedule.epochs
        for group in optimizer.param_groups:
            group["lr"] = schedule.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))
    model.train()
    total, step_seconds = 0.0, 0.0
    for index in order.split(schedule.batch_size):
        start = time.perf_counter()
        with compute.autocast():
            loss = batch_loss(model, index)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        value = loss.item()
        step_seconds += time.perf_counter() - start
        if not math.isfinite(value):
            raise FloatingPointError(f"training loss is {value} in epoch {epoch}")
        total += value * len(index)
    return total / n_cases, step_seconds


def _optimizer(model, schedule):
    parameters = [p for p in model.parameters() if p.requires_grad]
    options = {"lr": schedule.learning_rate, "weight_decay": schedule.weight_decay}
    if schedule.optimizer == "sgd":
        return torch.optim.SGD(parameters, momentum=0.9, **options)
    return torch.optim.Adam(parameters, fused=True, **options)


def _out_of_patience(record, epoch, patience):
    if patience is None or not record:
        return False
    return epoch - max(best["epoch"] for best in record.values()) >= patience
