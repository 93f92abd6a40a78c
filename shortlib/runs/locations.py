"""Where runs are kept when nobody says otherwise."""

import os
from pathlib import Path

from shortlib.data.locations import project_root
from shortlib.runs.store import Store


def default_store(results_dir=None):
    """Return the store of this machine.

    Parameters
    ----------
    results_dir : str or pathlib.Path, optional
        Folder for runs fitted here. By default ``$SHORTLIB_RESULTS``, else ``runs``
        in the checkout, else ``shortlib-runs`` in the working directory. The
        checkout's committed ``results`` are read beside it.
    """
    root = project_root()
    if not results_dir:
        fallback = root / "runs" if root else Path.cwd() / "shortlib-runs"
        results_dir = os.environ.get("SHORTLIB_RESULTS") or fallback
    committed = root / "results" if root and (root / "results").exists() else None
    return Store(Path(results_dir), committed)
