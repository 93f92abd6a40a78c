"""A fit's state on disk, so that a killed fit resumes. Tensors only, no pickle."""

import json
import os
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file


def save_checkpoint(path, *, model, optimizer, best, state):
    """Write the state of a fit to one file, whole or not at all.

    Parameters
    ----------
    path : pathlib.Path
        Replaced atomically.
    model : torch.nn.Module
        The model in training.
    optimizer : torch.optim.Optimizer
        Its per-parameter tensors are stored; its options come from the settings.
    best : dict of str to dict of str to torch.Tensor
        Weights of the best epoch so far, by selection rule.
    state : dict
        Whatever else is needed, as JSON.
    """
    tensors = {f"model/{k}": v for k, v in model.state_dict().items()}
    for index, slots in optimizer.state_dict()["state"].items():
        for slot, value in slots.items():
            tensors[f"optimizer/{index}/{slot}"] = torch.as_tensor(value)
    for rule, weights in best.items():
        tensors |= {f"best/{rule}/{k}": v for k, v in weights.items()}
    tensors = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    save_file(tensors, unfinished, metadata={"state": json.dumps(state)})
    os.replace(unfinished, path)


def load_checkpoint(path, *, model, optimizer):
    """Restore what :func:`save_checkpoint` wrote.

    Returns
    -------
    best : dict of str to dict of str to torch.Tensor
    state : dict

    Raises
    ------
    ValueError
        If the file is damaged or belongs to another network.
    """
    weights, slots, best = {}, {}, {}
    try:
        with safe_open(path, framework="pt") as file:
            state = json.loads(file.metadata()["state"])
            for key in file.keys():  # noqa: SIM118 (safe_open is no mapping)
                kind, _, name = key.partition("/")
                if kind == "model":
                    weights[name] = file.get_tensor(key)
                elif kind == "optimizer":
                    index, _, slot = name.partition("/")
                    slots.setdefault(int(index), {})[slot] = file.get_tensor(key)
                else:
                    rule, _, name = name.partition("/")
                    best.setdefault(rule, {})[name] = file.get_tensor(key)
        model.load_state_dict(weights)
    except Exception as error:
        raise ValueError(f"checkpoint {path} cannot be resumed from: {error}") from error
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for index, values in slots.items():
        for slot, value in values.items():
            if value.shape == parameters[index].shape:
                # Fused optimizers walk memory linearly: keep the parameter's strides.
                values[slot] = torch.empty_like(parameters[index]).copy_(value)
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": slots, "param_groups": groups})
    return best, state
