"""Run folders: what a fit leaves behind, and how it is found again."""

from shortlib.runs.folder import DamagedRunError, Run
from shortlib.runs.parallel import FitFailedError, fit_or_load_all
from shortlib.runs.request import Request
from shortlib.runs.store import Store

__all__ = ["DamagedRunError", "FitFailedError", "Request", "Run", "Store", "fit_or_load_all"]
