"""Every data set by name: where it is, who reads it, who makes it."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path

from shortlib.data.annotations import with_annotations
from shortlib.data.locations import data_folder
from shortlib.data.manifest import load_manifest
from shortlib.data.problems import DataError, Problems

# Layout to the module whose ``read_index(root, *, problems, **options)`` reads it.
LAYOUTS = {
    "mimic-cxr-jpg": "shortlib.data.mimic_cxr",
    "chexpert": "shortlib.data.chexpert",
    "covid-radiography": "shortlib.data.covid_radiography",
    "siim-acr": "shortlib.data.siim_acr",
    "isic2018": "shortlib.data.isic2018",
    "acdc": "shortlib.data.acdc",
    "cm": "shortlib.data.cm",
    "nih-cxr14": "shortlib.data.nih_cxr14",
    "image-text": "shortlib.data.image_text",
    "openi": "shortlib.data.openi",
    "image-table": "shortlib.data.image_table",
}


def root_of(name, root=None):
    """Return the folder of a data set: the one that was given, or its place here."""
    return Path(root) if root is not None else data_folder() / name


def read_index(name, root=None, *, on_error="raise", **options):
    """List the cases of a data set without reading an image.

    Parameters
    ----------
    name : str
        Of a manifest; ``shortlib data list`` shows them.
    root : str or pathlib.Path, optional
        The data set's folder; by default its place in
        :func:`shortlib.data.locations.data_folder`. A built-in set that is not there
        is made first.
    on_error : str
        ``"raise"`` or ``"skip"``; see :class:`shortlib.data.problems.Problems`.
    **options
        Of the layout's reader, before those that the manifest states.

    Returns
    -------
    shortlib.data.index.Index

    Raises
    ------
    DataError
        If the data set is not there (the sentence says how to get it) or is not as
        its layout says.
    """
    manifest, problems = load_manifest(name), Problems(on_error)
    place = root_of(name, root)
    if not place.is_dir():
        if manifest.access != "built-in" or root is not None:
            raise DataError("no data", manifest.how_to_get(), path=place)
        from shortlib.data.phantoms.make import make

        make(name, place)
    reader = import_module(LAYOUTS[manifest.layout])
    index = reader.read_index(place, problems=problems, **{**manifest.options, **options})
    return replace(with_annotations(index), name=name)


def load(name, split=None, *, root=None, size=None, stream=False, on_error="raise", **options):
    """Read a data set into a cohort.

    Parameters
    ----------
    name, root, on_error, **options
        See :func:`read_index`.
    split : str, optional
        Of the manifest's splits; all cases by default.
    size : int, optional
        Side of the images in pixels; the reader's own by default.
    stream : bool
        Leave images and masks on disk; see :meth:`shortlib.data.index.Index.cohort`.

    Returns
    -------
    shortlib.data.Cohort

    Examples
    --------
    >>> load("builtin-covid-radiography", "train", size=64)  # doctest: +SKIP
    """
    index = read_index(name, root, on_error=on_error, **options)
    return index.cohort(split, size=size, stream=stream)
