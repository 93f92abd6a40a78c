"""What a study states in the YAML files of its package: sizes, claims, published numbers."""

from functools import cache
from importlib.resources import files

import yaml


class Stated:
    """The files ``profiles.yml``, ``claims.yml`` and ``published.yml`` of one study.

    Parameters
    ----------
    package : str
        Dotted name of the study's package.
    """

    def __init__(self, package):
        self._package = package

    def profiles(self):
        """Return the study's sizes by profile, as ``profiles.yml`` states them."""
        return _read(self._package, "profiles")

    def claims(self):
        """Return the paper's claims as rules, each with its metric's definition and dial."""
        stated = _read(self._package, "claims")
        return [
            {**claim, "definition": stated["metrics"][claim["metric"]], "dial": stated["dial"]}
            for claim in stated["claims"]
        ]

    def groups(self, runs):
        """Sort runs by data set, in the order of ``profiles.yml``; absent ones are left out."""
        by_data = {
            data: [run for run in runs if run.request["data"] == data]
            for data in self.profiles()["combinations"]
        }
        return {data: chosen for data, chosen in by_data.items() if chosen}

    def published(self):
        """Return the paper's numbers, as ``published.yml`` states them."""
        return _read(self._package, "published")


@cache
def _read(package, name):
    return yaml.safe_load(files(package).joinpath(f"{name}.yml").read_text(encoding="utf-8"))
