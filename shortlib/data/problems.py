"""What can be wrong with a data set, and whether a loader stops at it or counts it."""

import warnings
from collections import Counter
from dataclasses import dataclass, field

ON_ERROR = ("raise", "skip")


class DataError(ValueError):
    """A data set on disk is not what its layout says.

    Parameters
    ----------
    kind : str
        What is wrong, in a few words that are the same for every case it happens
        to, e.g. ``"missing mask"``; problems are counted by it.
    sentence : str
        What was found and what would be right.
    path : pathlib.Path or str, optional
        The file or folder in question.
    row : int, optional
        Line of a table, counted as an editor does: the header is line 1.
    """

    def __init__(self, kind, sentence, *, path=None, row=None):
        self.kind, self.sentence, self.path, self.row = kind, sentence, path, row
        where = "" if path is None else f"{path}" + ("" if row is None else f", line {row}") + ": "
        super().__init__(f"{where}{kind}: {sentence}")

    def __reduce__(self):
        # Exceptions cross processes by their arguments, which here are keywords.
        return _rebuild, (self.kind, self.sentence, self.path, self.row)


def _rebuild(kind, sentence, path, row):
    return DataError(kind, sentence, path=path, row=row)


@dataclass
class Problems:
    """What a loader does about a case that cannot be used.

    Parameters
    ----------
    on_error : str
        ``"raise"``: stop at the first one. ``"skip"``: leave the case out, keep
        the reason in `found` and go on. What concerns the whole data set (a wrong
        root, a missing table or column) is raised by the loaders either way.

    Raises
    ------
    ValueError
        If `on_error` is neither.
    """

    on_error: str = "raise"
    found: list = field(default_factory=list)

    def __post_init__(self):
        if self.on_error not in ON_ERROR:
            raise ValueError(f"on_error must be one of {ON_ERROR}, got {self.on_error!r}")

    def add(self, error):
        """Raise `error`, or remember it when cases are skipped."""
        if self.on_error == "raise":
            raise error
        self.found.append(error)

    def counts(self):
        """Return the number of problems by kind, the most frequent first."""
        return dict(Counter(error.kind for error in self.found).most_common())

    def warn(self, name):
        """Warn once of all that was skipped, with the counts and the first of them."""
        if self.found:
            kinds = ", ".join(f"{n} {kind}" for kind, n in self.counts().items())
            warnings.warn(
                f"{name}: {len(self.found)} left out ({kinds}); the first: {self.found[0]}",
                UserWarning,
                stacklevel=3,
            )
