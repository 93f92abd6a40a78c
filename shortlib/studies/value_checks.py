"""What a study's own parameter may be: checks that several studies use.

Each check is called with the parameter's name and value, and returns what a run's settings hold,
so that one thing has one key, whether it was written 1 or 1.0.
"""

from math import isfinite


def whole(least):
    """Return a check for whole numbers from `least` on."""

    def check(name, value):
        if type(value) is not int or value < least:
            raise ValueError(f"{name} is a whole number, at least {least}, got {value!r}")
        return value

    return check


def positive(name, value):
    """Check a positive number."""
    if type(value) not in (int, float) or not value > 0 or not isfinite(value):
        raise ValueError(f"{name} is a positive number, got {value!r}")
    return float(value)


def between(low, high):
    """Return a check for numbers from `low` to `high`."""

    def check(name, value):
        if type(value) not in (int, float) or not low <= value <= high:
            raise ValueError(f"{name} is a number from {low} to {high}, got {value!r}")
        return float(value)

    return check


def one_of(*known):
    """Return a check for one of some values."""

    def check(name, value):
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")
        return value

    return check


def checked(study, checks, own):
    """Check a study's own parameters.

    Parameters
    ----------
    study : str
        Its name, for errors.
    checks : dict of str to callable
        What the study has, by name.
    own : dict
        What was asked for.

    Returns
    -------
    dict
        By name, what a run's settings hold.

    Raises
    ------
    ValueError
        If the study has no such parameter, or the value makes no sense.
    """
    for name in own:
        if name not in checks:
            raise ValueError(f"{study} has no parameter {name!r}; it has {', '.join(checks)}")
    return {name: checks[name](name, value) for name, value in own.items()}
