"""Where, when and by what a run was made."""

import datetime
import importlib.metadata
import platform
import resource
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import torch

import shortlib

PACKAGES = ("torch", "torchvision", "numpy", "scipy", "pandas", "scikit-learn")


def git_state():
    """Return the commit of the checkout that this package is in, and whether it differs.

    Returns
    -------
    dict
        ``commit`` (None outside a checkout) and ``dirty``.
    """
    here = Path(__file__).resolve()

    def git(*words):
        return subprocess.run(
            ("git", "-C", str(here.parent), *words), capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        # An environment may lie inside somebody else's checkout: that commit is not ours.
        git("ls-files", "--error-unmatch", here.name)
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None, "dirty": None}


def versions():
    """Return the versions of Python and of the packages that a result depends on."""
    found = {"python": platform.python_version(), "shortlib": shortlib.__version__}
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
        ``peak_memory_mib`` (of this process, during the block where the system tells,
        else since it began) and ``peak_device_memory_mib``.
    """
    _forget_peak_memory()
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


def _forget_peak_memory():
    """Let the peak begin anew, so that a fit isn't charged with an earlier one's (Linux)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_memory_mib():
    """Largest resident size that this process has had."""
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(x for x in lines if x.startswith("VmHWM:")).split()[1]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
