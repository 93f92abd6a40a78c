"""Where a study's real data are, and whether they are those that a run was asked for on."""

from pathlib import Path

from shortlib.data.locations import data_folder
from shortlib.data.problems import DataError


def set_folder(name, data_root=None):
    """Return the folder of a data set.

    Parameters
    ----------
    name : str
        Of a manifest.
    data_root : str or pathlib.Path, optional
        A folder that holds the set by its name, or that is the set's folder itself. By default the
        set's place in :func:`shortlib.data.locations.data_folder`.

    Returns
    -------
    pathlib.Path
        Present or not.
    """
    if not data_root:
        return data_folder() / name
    below = [Path(data_root) / one for one in (name, name.replace("-", "_"))]
    return next((folder for folder in below if folder.is_dir()), Path(data_root))


def require_checksum(found, due, *, data_root=None):
    """Check that the data are those that a run was asked for on.

    Parameters
    ----------
    found, due : str
        Checksum of the data that are here, and of the request.
    data_root : str or pathlib.Path, optional
        Named in the error.

    Raises
    ------
    shortlib.data.problems.DataError
        If they are others.
    """
    if found != due:
        raise DataError(
            "other data",
            f"the data that are here have the checksum {found!r}, those that the run was asked "
            f"for on have {due!r}; plan the runs again where the data are",
            path=data_root,
        )
