"""The two explanations that a person chose, kept in a small file so that a rerun has them too."""

import os
import re
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import yaml

HEAD = (
    "# A good and a bad explanation that a person chose: ids of two training cases, and the run\n"
    "# whose maps were looked at.\n"
)
# A run's folder: its request's name, and perhaps the code that made it.
_FOLDER = re.compile(r"(?P<name>.+-s\d+-[0-9a-f]{8})(-[0-9a-f]{8})?")


@dataclass(frozen=True)
class Choice:
    """A good and a bad explanation.

    Parameters
    ----------
    good, bad : str
        Ids of the training cases whose maps are the exemplars.
    run : str
        Folder name of the run whose unrefined model was looked at.

    Raises
    ------
    ValueError
        If one of them is no text, or empty.
    """

    good: str
    bad: str
    run: str

    def __post_init__(self):
        for name, value in asdict(self).items():
            if not isinstance(value, str) or not value.strip():
                kind = "" if isinstance(value, str) else f" ({type(value).__name__})"
                raise ValueError(f"{name} must be text that is not empty, got {value!r}{kind}")


def write_choice(path, choice):
    """Write a choice as YAML, whole or not at all.

    Parameters
    ----------
    path : str or pathlib.Path
        Replaced if it is there.
    choice : Choice

    Returns
    -------
    pathlib.Path
        `path`.

    Raises
    ------
    ValueError
        If `path` is a folder, is in no folder that there is, or can't be written.
    """
    path = Path(path)
    if os.path.isdir(path):
        raise ValueError(f"the choice needs the path of a file; {path} is a folder")
    if not os.path.isdir(path.parent):
        raise ValueError(f"the choice can't be written to {path}: there is no folder {path.parent}")
    # In ASCII: as they are, some of the signs that break lines are read as another one.
    text = HEAD + yaml.safe_dump(asdict(choice), sort_keys=False)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_text(text, encoding="utf-8")
        os.replace(unfinished, path)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink()
        raise ValueError(f"the choice can't be written to {path}: {error}") from error
    return path


def read_choice(path):
    """Read what :func:`write_choice` wrote, or somebody by hand.

    Parameters
    ----------
    path : str or pathlib.Path

    Returns
    -------
    Choice

    Raises
    ------
    ValueError
        If the file is missing or can't be read, is no YAML, lacks a key, has one that is not
        known, or a value is no text.
    """
    path = Path(path)
    names = [field.name for field in fields(Choice)]
    form = f"a choice is three lines of YAML, {', '.join(names)}"
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(
            f"there is no choice of exemplars at {path}; the picker writes one"
        ) from error
    except OSError as error:
        raise ValueError(f"the choice {path} can't be read: {error}") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: no UTF-8, or a date that is none
        raise ValueError(f"{path} is no YAML; {form}. {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} holds {type(found).__name__}; {form}")
    for said, odd in (
        ("lacks", [name for name in names if name not in found]),
        ("has the unknown key", [name for name in found if name not in names]),
    ):
        if odd:
            raise ValueError(f"{path} {said} {', '.join(map(str, odd))}; {form}")
    try:
        return Choice(**found)
    except ValueError as error:
        raise ValueError(f"{path}: {error}; a number that is a name needs quotes") from error


def came_from(choice, run):
    """Return whether a choice was made from the maps of a run.

    Parameters
    ----------
    choice : Choice
    run : str
        Name of a run's folder, with or without the part that says which code made it. That part
        is not compared.

    Returns
    -------
    bool
    """
    return _request_name(choice.run) == _request_name(run)


def check_cases(good, bad, *, training_ids, other_ids=()):
    """Check that two exemplars are two training cases.

    Parameters
    ----------
    good, bad : str
        Case ids.
    training_ids : iterable of str
    other_ids : mapping of str to iterable of str, optional
        Ids of the other parts of the data, by the part's name.

    Raises
    ------
    ValueError
        If both are the same case, or one is no training case.
    """
    if good == bad:
        raise ValueError(f"good and bad must be two different cases, got {good!r} for both")
    training = set(training_ids)
    parts = {part: set(ids) for part, ids in dict(other_ids).items()}
    for name, case in (("good", good), ("bad", bad)):
        if case in training:
            continue
        where = next((part for part, ids in parts.items() if case in ids), None)
        if where:
            raise ValueError(
                f"{name} must be a training case; {case!r} is a case of the {where} set, which no "
                "training may look at"
            )
        raise ValueError(f"{name} must be one of the {len(training)} training cases, got {case!r}")


def check_choice(choice, *, training_ids, run, other_ids=()):
    """Check that a choice fits the run that is to be refined with it.

    Parameters
    ----------
    choice : Choice
    training_ids, other_ids
        As for :func:`check_cases`.
    run : str
        Name of the run's folder, as for :func:`came_from`.

    Raises
    ------
    ValueError
        If the choice was made from another run, or its cases are no two training cases.
    """
    if not came_from(choice, run):
        raise ValueError(
            f"the exemplars were chosen from the maps of run {choice.run}, which is not the run "
            f"{run}; choose them anew from its maps"
        )
    check_cases(choice.good, choice.bad, training_ids=training_ids, other_ids=other_ids)


def _request_name(folder):
    """Return a run's name without the code's part."""
    found = _FOLDER.fullmatch(folder)
    return found["name"] if found else folder
