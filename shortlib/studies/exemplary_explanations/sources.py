"""Where the radiographs come from: drawn ones, or a tree in COVID-19 Radiography's layout."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from shortlib.data.phantoms.chest import Population, chest
from shortlib.data.phantoms.chest.settings import CLASSES
from shortlib.data.sets import read_index
from shortlib.studies.data_here import require_checksum, set_folder

LUNGS = "lungs"
JOINTS = "joints"
ADULT = "adult"
PARTS = ("train", "validation", "test")
# Findings of another collection's adults, as they are written there, by the class they belong to.
FLIPPED = {
    "Bacterial Pneumonia": (
        "Streptococcus",
        "Klebsiella",
        "E.Coli",
        "Mycoplasma Bacterial Pneumonia",
        "Legionella",
        "Bacterial",
    ),
    "Viral Pneumonia": ("Varicella", "Influenza"),
    "Normal": ("No Finding",),
}
ADULT_AGE = 18


def load_parts(settings, *, seed, data_root=None):
    """Read the radiographs of one run.

    Parameters
    ----------
    settings : dict
        ``source`` and ``children`` (see ``profiles.yml``), ``side`` (of the images, in pixels)
        and ``on_error``.
    seed : int
        Of the split of a real data set, so that seeds are repeated splits.
    data_root : str or pathlib.Path, optional
        Folder that holds the real data sets, or the one that there is.

    Returns
    -------
    dict of str to shortlib.data.Cohort
        ``"train"``, ``"validation"`` and ``"test"``. Anatomy masks have one plane, both lungs;
        shortcut masks, where they are known, one, the shoulders' joints. Where the source has
        them, ``"aligned"``: test cases whose age goes with the class as in training, and
        ``"flipped"``: test cases whose age goes with the other classes.
    """
    source, side = settings["source"], settings["side"]
    if "drawn" in source:
        children = tuple(settings["children"])
        return {name: _drawn(side, children, name, *rest) for name, rest in _plan(source)}
    options = dict(source.get("options", {}))
    index = _index(source, settings["on_error"], data_root, seed=seed, **options)
    parts = {name: _lungs_only(index.cohort(name, size=side)) for name in PARTS}
    if "flipped" in source:
        names = parts["train"].label_names
        found = _index(
            source["flipped"], settings["on_error"], data_root, label="finding", fit="stretch"
        )
        parts["flipped"] = _as_flipped(found.cohort(None, size=side), names)
    return parts


def source_checksum(source, *, data_root=None, on_error="raise"):
    """Return what stands for a source's data in a run's key.

    Drawn data are a recipe, so their parameters, which are settings, and its version will do; of
    others it is what the tables list.
    """
    if "drawn" in source:
        return f"built-in recipe, version {source['version']}"
    sets = [source, *([source["flipped"]] if "flipped" in source else [])]
    return "+".join(_index(one, on_error, data_root).checksum() for one in sets)


def sources_here(source, data_root=None):
    """Return whether all of a source's data are there, or can be drawn."""
    if "drawn" in source:
        return True
    sets = [source, *([source["flipped"]] if "flipped" in source else [])]
    return all(set_folder(one["set"], data_root).is_dir() for one in sets)


def check_source(settings, checksum, *, data_root=None):
    """Check that the data are those that a run was asked for on.

    Raises
    ------
    shortlib.data.problems.DataError
        If they are others, or not here.
    """
    found = source_checksum(settings["source"], data_root=data_root, on_error=settings["on_error"])
    require_checksum(found, checksum, data_root=data_root)


def adult_shares(association, names, children):
    """Return how often a patient is an adult, by class.

    Parameters
    ----------
    association : float
        In [-1, 1]. At 1 all cases of `children` are children and all others adults; at 0 both
        ages are equally likely in each class; at -1 it is the other way round.
    names, children : sequence of str
        All classes, and those of children.

    Returns
    -------
    dict of str to float
    """
    sign = {name: -1 if name in children else 1 for name in names}
    return {name: (1 + sign[name] * association) / 2 for name in names}


def _plan(source):
    """Yield the parts of drawn data: the first case's number, how many, and the association."""
    drawn, first = source["drawn"], 0
    for name in PARTS:
        n = drawn["n"][name]
        yield name, (first, n, drawn["association"], drawn["seed"])
        if name == "test":
            # The same patients' illness, in a body of the age that goes with it, or does not.
            yield "aligned", (first, n, 1.0, drawn["seed"])
            yield "flipped", (first, n, -1.0, drawn["seed"])
        first += n


@lru_cache(maxsize=8)
def _drawn(side, children, name, first, n, association, seed):
    """Draw radiographs, or return those that were drawn before: the variants share them."""
    population = Population(adult=adult_shares(association, CLASSES, children))
    drawn = chest(
        n,
        task="pneumonia",
        first=first,
        size=side,
        seed=seed,
        population=population,
        name=f"drawn radiographs, {name}",
    )
    lungs = drawn.plane("anatomy_masks", "left lung") | drawn.plane("anatomy_masks", "right lung")
    return replace(
        drawn,
        anatomy_masks=lungs,
        anatomy_names=(LUNGS,),
        shortcut_names=(JOINTS,),
        abnormality_masks=drawn.abnormality_masks.any(axis=1),
        abnormality_names=(),
    )


def _index(source, on_error, data_root, **options):
    return read_index(
        source["set"], set_folder(source["set"], data_root), on_error=on_error, **options
    )


def _lungs_only(cohort):
    """Keep the lungs and, where they are marked, the joints, which show who is an adult."""
    cohort = replace(cohort, anatomy_names=(LUNGS,), covariates=None)
    if cohort.shortcut_masks is None:
        return cohort
    joints = cohort.plane("shortcut_masks", ADULT)
    return replace(cohort, shortcut_masks=joints, shortcut_names=(JOINTS,))


def _as_flipped(cohort, names):
    """Keep the adults whose finding belongs to one of the classes that are of children."""
    class_of = {finding: kind for kind, those in FLIPPED.items() for finding in those}
    found = [class_of.get(cohort.label_names[label]) for label in cohort.labels]
    keep = np.array([kind in names for kind in found])
    if cohort.covariates is not None and "age" in cohort.covariates:
        age = cohort.covariates["age"].to_numpy(dtype=float)
        keep &= ~(age < ADULT_AGE)  # an age that nobody wrote down is taken for an adult's
    kept = replace(cohort, labels=None, label_names=(), covariates=None, reports=None)[keep]
    labels = np.array([names.index(found[i]) for i in np.flatnonzero(keep)])
    return replace(kept, labels=labels, label_names=names)
