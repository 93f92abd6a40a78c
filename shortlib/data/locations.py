"""Where data sets are kept when nobody says otherwise."""

import os
from pathlib import Path

import pooch


def project_root():
    """Return the checkout that the package is installed from, or None.

    Only an editable install (``pip install -e .``) or running inside the checkout
    has one; a wheel does not.
    """
    root = Path(__file__).resolve().parents[2]
    return root if (root / "_config.yml").exists() else None


def data_folder():
    """Return the folder that holds one folder for each data set.

    Returns
    -------
    pathlib.Path
        ``$SHORTLIB_DATA``, else ``data`` in the checkout, else the user's cache.
    """
    if os.environ.get("SHORTLIB_DATA"):
        return Path(os.environ["SHORTLIB_DATA"])
    root = project_root()
    return root / "data" if root else Path(pooch.os_cache("shortlib")) / "data"
