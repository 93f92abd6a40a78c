"""Finding a run by a part of its folder's name."""


def find_folder(store, name, study=None):
    """Return the one run folder whose name begins with, or else contains, `name`.

    Parameters
    ----------
    store : shortlib.runs.Store
    name : str
        The folder's name or a part of it, e.g. ``"printed-r04-s0"``.
    study : str, optional
        Only this study's runs.

    Returns
    -------
    path : pathlib.Path
    committed : bool

    Raises
    ------
    ValueError
        If none or several match; lists those there are, or those that match.
    """
    folders = list(store.folders(study))
    if not folders:
        raise ValueError(f"no run is called {name!r}: {_where(store)} {_holds(study)}")
    for fits in (
        lambda path: path.name == name,
        lambda path: path.name.startswith(name),
        lambda path: name in path.name,
    ):
        found = [(path, committed) for path, committed in folders if fits(path)]
        # The same run may be there twice; the local one is what would be loaded.
        if len({(path.parent.name, path.name) for path, _ in found}) == 1:
            return found[0]
        if found:
            raise ValueError(f"{name!r} is the name of several runs: {_listed(found)}")
    raise ValueError(f"no run is called {name!r}; there are {_listed(folders)}")


def _listed(folders, most=12):
    names = list(dict.fromkeys(path.name for path, _ in folders))
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _where(store):
    return " and ".join(str(root) for root in (store.local, store.committed) if root)


def _holds(study):
    return f"has no run of {study}" if study else "has no runs"
