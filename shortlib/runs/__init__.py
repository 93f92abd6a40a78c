"""Run folders: what a fit leaves behind, and how it is found again."""

from shortlib.runs.folder import DamagedRunError, Run
from shortlib.runs.request import Request
from shortlib.runs.store import Store

__all__ = ["DamagedRunError", "Request", "Run", "Store"]
