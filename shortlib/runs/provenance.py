"""Where, when and by what a run was made."""

import datetime
import importlib.metadata
import platform
import resource
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import psutil
import torch

PACKAGES = ("shortlib", "torch", "torchvision", "numpy", "scipy", "pandas", "scikit-learn")


def git_state(folder=None):
    """Return the commit and whether the checkout differs from it.

    Returns
    -------
    dict
        ``commit`` (None outside a checkout) and ``dirty``.
    """
    folder = Path(folder or __file__).resolve()
    folder = folder if folder.is_dir() else folder.parent

    def git(*words):
        return subprocess.run(
            ("git", "-C", str(folder), *words), capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None, "dirty": None}


def versions():
    """Return the versions of Python and of the packages that a result depends on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def machine(device):
    """Return a description of the processor or the GPU that a fit ran on."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    name = getattr(torch.cpu, "get_capabilities", dict)().get("cpu_name")
    return f"{name or platform.processor() or platform.machine()}, {psutil.cpu_count()} cores"


@contextmanager
def measured():
    """Measure wall time and peak memory of a block.

    Yields
    ------
    dict
        Filled at the end: ``started`` (UTC, ISO 8601), ``wall_seconds``,
        ``peak_memory_mib`` (of this process) and ``peak_device_memory_mib``.
    """
    facts = {"started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")}
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    try:
        yield facts
    finally:
        facts["wall_seconds"] = round(time.perf_counter() - start, 3)
        facts["peak_memory_mib"] = round(_peak_memory_mib())
        if torch.cuda.is_available():
            facts["peak_device_memory_mib"] = round(torch.cuda.max_memory_allocated() / 2**20)


def _peak_memory_mib():
    """Largest resident size that this process has had."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
