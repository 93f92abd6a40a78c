"""What the study's own parameters may be. Each check returns what a run's settings hold.

One thing has one key, whether it was written 1 or 1.0, a list or a tuple.
"""

from math import isfinite

from shortlib.methods.classification import CLASS_WEIGHTS
from shortlib.models.cnn import NETWORKS, WEIGHTS
from shortlib.studies.cardiac_context.saliency import PREDICTED, TRUE

VARIANTS = ("zero", "full", "seg", "bg", "bg-outline", "rand", "simclr", "moco", "byol")


def _epochs(name, value):
    if type(value) is not int or value < 1:
        raise ValueError(f"{name} is a whole number, at least 1, got {value!r}")
    return value


def _rate(name, value):
    if type(value) not in (int, float) or not value > 0 or not isfinite(value):
        raise ValueError(f"{name} is a positive number, got {value!r}")
    return float(value)


def _between(low, high):
    def check(name, value):
        if type(value) not in (int, float) or not low <= value <= high:
            raise ValueError(f"{name} is a number from {low} to {high}, got {value!r}")
        return float(value)

    return check


def _one_of(*known):
    def check(name, value):
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")
        return value

    return check


def _some(name, value):
    usable = isinstance(value, list | tuple) and all(one in VARIANTS for one in value)
    if not usable or len(set(value)) < len(value):
        raise ValueError(
            f"{name} is a list of some of {', '.join(VARIANTS)}, each once, got {value!r}"
        )
    return [one for one in VARIANTS if one in value]


def _pairs(name, value):
    if not isinstance(value, list | tuple) or any(
        not isinstance(pair, list | tuple) or len(pair) != 2 for pair in value
    ):
        raise ValueError(f"{name} is a list of pairs (here, there), got {value!r}")
    pairs = [tuple(_between(-1, 1)(name, one) for one in pair) for pair in value]
    return [list(pair) for pair in dict.fromkeys(pairs)]


CHECKS = {
    "epochs": _epochs,
    "pretrain_epochs": _epochs,
    "learning_rate": _rate,
    "network": _one_of(*NETWORKS),
    "weights": _one_of(*WEIGHTS),
    "class_weights": _one_of(*CLASS_WEIGHTS),
    "target": _one_of(PREDICTED, TRUE),
    "variants": _some,
    "cm_association": _between(-1, 1),
    "acdc_association": _between(-1, 1),
    "systemic": _between(0, 1),
    "dial": _pairs,
    "dialled": _some,
    "on_error": _one_of("raise", "skip"),
}
