"""A study's own parameters as they are written on a command line."""

import yaml

from shortlib.studies.registry import load_study


def own_parameters(study, texts):
    """Read ``name=value`` of a study's own parameters, the values as YAML.

    Parameters
    ----------
    study : str
    texts : iterable of str
        E.g. ``"epochs=5"`` or ``"findings=[Edema, Atelectasis]"``; of several for one
        name the last one counts.

    Returns
    -------
    dict
        By name, to be handed to :func:`shortlib.studies.registry.plan`.

    Raises
    ------
    ValueError
        If one is not written so, or the study has no such parameter.
    """
    known, read = load_study(study).OWN_PARAMETERS, {}
    for text in texts:
        name, value = name_and_text(text)
        if name not in known:
            raise ValueError(f"{study} has no parameter {name!r}; it has {', '.join(known)}")
        try:
            read[name] = _number_if_any(yaml.safe_load(value))
        except yaml.YAMLError as error:
            raise ValueError(f"the value of {name} is no YAML, got {value!r}") from error
    return read


def name_and_text(text):
    """Split ``name=value`` at its first sign."""
    name, given, value = text.partition("=")
    if not (name.isidentifier() and given):
        raise ValueError(f"a parameter is written name=value, got {text!r}")
    return name, value


def _number_if_any(value):
    """YAML 1.1 takes 1e-3 for a word; whoever writes it means a number."""
    if isinstance(value, str) and value.lstrip("+-.")[:1].isdigit():
        try:
            return float(value)
        except ValueError:
            return value
    return value
