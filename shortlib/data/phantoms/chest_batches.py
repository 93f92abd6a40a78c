"""Chest phantoms in batches, made by several processes and handed over in order."""

from joblib import Parallel, delayed

from shortlib.data.phantoms.chest import chest

BATCH = 16


def chest_batches(n, *, n_jobs=1, batch=BATCH, **settings):
    """Yield the cases 0 to n - 1 of a phantom, a batch at a time.

    A case does not depend on its batch, so neither `n_jobs` nor `batch` changes what
    is made.

    Parameters
    ----------
    n : int
        Number of cases.
    n_jobs : int
        Processes; -1 for one a core.
    batch : int
        Cases at a time.
    **settings
        Of :func:`shortlib.data.phantoms.chest.chest`.

    Yields
    ------
    shortlib.data.Cohort
    """
    starts = range(0, n, batch)
    jobs = (delayed(chest)(min(batch, n - first), first=first, **settings) for first in starts)
    yield from Parallel(n_jobs=n_jobs, return_as="generator")(jobs)


def check_counts(**counts):
    """Refuse a number of things that is no positive whole number.

    Raises
    ------
    ValueError
        Naming the parameter and what it got.
    """
    for name, value in counts.items():
        if isinstance(value, bool) or int(value) != value or value < 1:
            raise ValueError(f"{name} must be a whole number, at least 1; got {value!r}")
