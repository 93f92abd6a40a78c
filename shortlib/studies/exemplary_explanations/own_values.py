"""What the study's own parameters may be. Each check returns what a run's settings hold."""

from shortlib.models.cnn import NETWORKS, WEIGHTS
from shortlib.studies.exemplary_explanations.refinements import METHODS
from shortlib.studies.value_checks import between, one_of, positive, whole


def _methods(name, value):
    usable = isinstance(value, list | tuple) and all(one in METHODS for one in value)
    if not usable or len(set(value)) < len(value):
        raise ValueError(
            f"{name} is a list of some of {', '.join(METHODS)}, each once, got {value!r}"
        )
    return [one for one in METHODS if one in value]


def _weights(name, value):
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(f"{name} is a list of positive numbers, got {value!r}")
    return sorted({positive(name, one) for one in value})


def _path(name, value):
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is the path of a file that the picker wrote, got {value!r}")
    return value


CHECKS = {
    "exemplars": _path,
    "epochs": whole(1),
    "refine_epochs": whole(1),
    "learning_rate": positive,
    "refinements": _methods,
    "loss_weights": _weights,
    "margin": between(0, 1000),
    "top": between(0.001, 0.999),
    "network": one_of(*NETWORKS),
    "weights": one_of(*WEIGHTS),
    "frozen_layers": whole(0),
    "careful": whole(1),
    "blind": whole(1),
    "association": between(-1, 1),
    "on_error": one_of("raise", "skip"),
}
