"""A small context-free grammar in YAML, from which sentences are drawn."""

import re
from functools import cache
from pathlib import Path

import yaml

_RULE = re.compile(r"<([A-Za-z_]+)>")
_CHOICE = re.compile(r"\(([^()]*\|[^()]*)\)")
_SLOT = re.compile(r"\{([a-z_]+)\}")


@cache
def load_grammar(path):
    """Read a grammar: by name of a rule, a list of texts.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    dict of str to list of str
    """
    return yaml.safe_load(Path(path).read_text(encoding="utf-8"))


def draw(grammar, rule, rng, **slots):
    """Draw a text of a rule.

    Parameters
    ----------
    grammar : dict of str to list of str
        In a text, ``{name}`` stands for a slot, ``<name>`` for a text of another
        rule, ``(a|b|)`` for one of several texts, of which one may be empty.
        Slots are filled first, so that ``<{degree}ly>`` names a rule.
    rule : str
    rng : numpy.random.Generator
    **slots : str

    Returns
    -------
    str
        With single blanks between words, none at the ends or before a comma.

    Raises
    ------
    KeyError
        If a rule or a slot is not known.

    Examples
    --------
    >>> import numpy as np
    >>> draw({"a": ["x <b>"], "b": ["{y}"]}, "a", np.random.default_rng(0), y="z")
    'x z'
    """
    text = _SLOT.sub(lambda found: slots[found[1]], _one(grammar[rule], rng))
    while found := _RULE.search(text):
        inner = draw(grammar, found[1], rng, **slots)
        text = text[: found.start()] + inner + text[found.end() :]
    while found := _CHOICE.search(text):
        text = text[: found.start()] + _one(found[1].split("|"), rng) + text[found.end() :]
    return re.sub(r"\s+([,.])", r"\1", " ".join(text.split()))


def _one(texts, rng):
    return texts[int(rng.integers(len(texts)))]
