"""What the study's own parameters may be. Each check returns what a run's settings hold.

One thing has one key, whether it was written 1 or 1.0, a list or a tuple.
"""

from shortlib.methods.classification import CLASS_WEIGHTS
from shortlib.models.cnn import NETWORKS, WEIGHTS
from shortlib.studies.cardiac_context.saliency import PREDICTED, TRUE
from shortlib.studies.value_checks import between, one_of, positive, whole

VARIANTS = ("zero", "full", "seg", "bg", "bg-outline", "rand", "simclr", "moco", "byol")


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
    pairs = [tuple(between(-1, 1)(name, one) for one in pair) for pair in value]
    return [list(pair) for pair in dict.fromkeys(pairs)]


CHECKS = {
    "epochs": whole(1),
    "pretrain_epochs": whole(1),
    "learning_rate": positive,
    "network": one_of(*NETWORKS),
    "weights": one_of(*WEIGHTS),
    "class_weights": one_of(*CLASS_WEIGHTS),
    "target": one_of(PREDICTED, TRUE),
    "variants": _some,
    "cm_association": between(-1, 1),
    "acdc_association": between(-1, 1),
    "systemic": between(0, 1),
    "dial": _pairs,
    "dialled": _some,
    "on_error": one_of("raise", "skip"),
}
