"""What the study's own parameters may be. Each check returns what a run's settings hold."""

from shortlib.models.cnn import NETWORKS, WEIGHTS
from shortlib.models.unet import NETWORKS as PIXEL_NETWORKS
from shortlib.studies.spatial_specificity.variants import VARIANTS
from shortlib.studies.value_checks import between, one_of, positive, whole


def _variants(name, value):
    usable = isinstance(value, list | tuple) and value and all(one in VARIANTS for one in value)
    if not usable or len(set(value)) < len(value):
        raise ValueError(
            f"{name} is a list of some of {', '.join(VARIANTS)}, each once, got {value!r}"
        )
    return [one for one in VARIANTS if one in value]


def _shares(name, value):
    usable = isinstance(value, list | tuple) and value
    if not usable or any(type(one) not in (int, float) or not 0 < one <= 1 for one in value):
        raise ValueError(f"{name} is a list of shares above 0, up to 1, got {value!r}")
    return sorted({float(one) for one in value})


def _overlaps(name, value):
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(f"{name} is a list of shares from 0 to 1, got {value!r}")
    return sorted({between(0, 1)(name, one) for one in value})


def _pair(name, value):
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError(
            f"{name} is a pair of probabilities, without and with the label, got {value!r}"
        )
    return [between(0, 1)(name, one) for one in value]


def _trap_sets(name, value):
    usable = isinstance(value, list | tuple) and value
    if not usable or any(type(one) is not int or not 1 <= one <= 5 for one in value):
        raise ValueError(f"{name} is a list of numbers from 1 to 5, got {value!r}")
    return list(value)


CHECKS = {
    "variants": _variants,
    "shares": _shares,
    "epochs": whole(1),
    "identification_epochs": whole(1),
    "learning_rate": positive,
    "side": whole(32),
    "weights": one_of(*WEIGHTS),
    "image_network": one_of(*NETWORKS),
    "pixel_network": one_of(*PIXEL_NETWORKS),
    "similarity_weight": positive,
    "carries": _pair,
    "overlaps": _overlaps,
    "trap_sets": _trap_sets,
    "on_error": one_of("raise", "skip"),
}
