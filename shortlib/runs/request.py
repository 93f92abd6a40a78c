"""What a run is asked for by, and the key that follows from it."""

import hashlib
import json
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Request:
    """All that decides a run's result, and nothing else that enters its key.

    Parameters
    ----------
    study : str
        Name of the study, as ``shortlib studies`` lists it.
    method : str
        Name of the method.
    variant : str
        Short name of the settings among the study's variants, for people.
    settings : dict
        Every setting that changes the result, as JSON values.
    seed : int
    data : str
        Name of the data set.
    data_checksum : str
        Of the files of a real data set; of the recipe of a built-in one.
    version : int
        Of the study's fit; raised by hand when its result changes on purpose.
    profile : str
        The profile that asked. Not part of the key: two profiles that ask for the
        same settings share a run.
    data_root : str, optional
        Where the data are. Not part of the key.
    """

    study: str
    method: str
    variant: str
    settings: dict
    seed: int
    data: str
    data_checksum: str
    version: int
    profile: str = field(default="", compare=False)
    data_root: str | None = field(default=None, compare=False)

    @property
    def key(self):
        """SHA-256 of what decides the result, as a hexadecimal string."""
        parts = self.to_dict()
        for free in ("profile", "data_root", "variant"):
            parts.pop(free)
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    @property
    def name(self):
        """Name of the run's folder without the code's part, readable and unique by key."""
        return f"{self.variant}-s{self.seed}-{self.key[:8]}"

    def to_dict(self):
        """Return the request as JSON values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def __hash__(self):
        return hash(self.key)
