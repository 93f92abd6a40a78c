"""What the study's own parameters may be. Each check returns what a run's settings hold.

One thing has one key, whether it was written 1 or 1.0, a list or a tuple.
"""

from dataclasses import fields
from math import isfinite

from shortlib.methods.clip import TERMS
from shortlib.models.cnn import NETWORKS, WEIGHTS
from shortlib.models.text import ENCODERS
from shortlib.shortcuts.watermark import Watermark
from shortlib.studies.value_checks import one_of, whole


def _chance(name, value):
    if type(value) not in (int, float) or not 0 <= value <= 1:
        raise ValueError(f"{name} is a probability in [0, 1], got {value!r}")
    return float(value)


def _numbers(name, value):
    usable = isinstance(value, list | tuple) and value
    if not usable or any(
        type(n) not in (int, float) or not 0 < n < 1e9 or (n >= 1 and n != int(n)) for n in value
    ):
        raise ValueError(
            f"{name} is a list of numbers of images, or of shares below 1, got {value!r}"
        )
    if len(set(value)) < len(value):
        raise ValueError(f"{name} names each number once, got {value!r}")
    return [n if n < 1 else int(n) for n in value]


def _pairs(name, value):
    if not isinstance(value, list | tuple) or any(
        not isinstance(pair, list | tuple) or len(pair) != 2 for pair in value
    ):
        raise ValueError(f"{name} is a list of pairs (p_marked, p_correct), got {value!r}")
    pairs = [tuple(_chance(name, chance) for chance in pair) for pair in value]
    if any(marked == 0 for marked, _ in pairs):
        raise ValueError(f"{name} starts above 0; without marks it is the real arm, got {value!r}")
    return [list(pair) for pair in dict.fromkeys(pairs)]


def _terms(name, value):
    if not isinstance(value, list | tuple) or not value or any(t not in TERMS for t in value):
        raise ValueError(f"{name} is a list of some of {', '.join(TERMS)}, got {value!r}")
    return [term for term in TERMS if term in value]


def _watermark(name, value):
    usual = {field.name: field.default for field in fields(Watermark) if field.name != "symbols"}
    if not isinstance(value, dict) or set(value) - set(usual):
        raise ValueError(f"{name} is a mapping with some of {', '.join(usual)}, got {value!r}")
    for key, number in value.items():
        if type(number) not in (int, float) or not isfinite(number):
            raise ValueError(f"{key} of {name} is a number, got {number!r}")
    if value.get("jitter", 0) != int(value.get("jitter", 0)):
        raise ValueError(f"jitter of {name} is a whole number of pixels, got {value['jitter']!r}")
    asked = {key: type(usual[key])(number) for key, number in value.items()}
    Watermark(**asked)  # says what is wrong with a value
    # What is as usual is left out, so that asking for it is asking for the same run.
    return {key: number for key, number in sorted(asked.items()) if number != usual[key]}


CHECKS = {
    "epochs": whole(1),
    "finetune_epochs": whole(1),
    "clean": _numbers,
    "p_marked": _chance,
    "p_correct": _chance,
    "watermark": _watermark,
    "network": one_of(*NETWORKS),
    "weights": one_of(*WEIGHTS),
    "text_encoder": one_of(*ENCODERS),
    "frozen_layers": whole(0),
    "terms": _terms,
    "n_prompts": whole(1),
    "saliency_cases": whole(0),
    "dial": _pairs,
    "on_error": one_of("raise", "skip"),
}
