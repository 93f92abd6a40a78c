"""How many built-in images a second are drawn, written in a real layout, and read again.

Drawing is measured alone, on every core at once; writing and reading go through the very
writers and readers that `shortlib data make` and a study use. All images are 128 px; a cardiac
case counts as two, its end-diastolic and its end-systolic slice.
"""

import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from joblib import Parallel, delayed

from shortlib.data.phantoms.cardiac import cardiac
from shortlib.data.phantoms.chest import chest
from shortlib.data.phantoms.make import make
from shortlib.data.phantoms.skin import skin
from shortlib.data.sets import load

CORES = os.cpu_count() or 1
DRAWN, BATCH = 600, 50
SIZE = 128

FAMILIES = {
    "chest": (lambda n, first: chest(n, first=first, size=SIZE), 1, "builtin-siim-acr"),
    "cardiac": (lambda n, first: cardiac(n, first=first, size=SIZE), 2, "builtin-cm"),
    "skin": (lambda n, first: skin(n, first=first, size=SIZE), 1, "builtin-isic2018"),
}


def draw(family, first):
    """Draw one batch; a process draws a first one beforehand to import and to warm up."""
    FAMILIES[family][0](BATCH, first)


def drawn_per_second(family):
    with Parallel(CORES) as pool:
        pool(delayed(draw)(family, 0) for _ in range(CORES))
        start = time.perf_counter()
        pool(delayed(draw)(family, first) for first in range(0, DRAWN, BATCH))
    return DRAWN * FAMILIES[family][1] / (time.perf_counter() - start)


def made_and_read_per_second(family):
    _, per_case, name = FAMILIES[family]
    with TemporaryDirectory() as folder:
        root = Path(folder) / name
        start = time.perf_counter()
        make(name, root)
        made = time.perf_counter()
        cohort = load(name, root=root, size=SIZE)
        read = time.perf_counter()
        n = len(cohort) * per_case
        return n, n / (made - start), n / (read - made)


def main():
    rows = []
    for family in FAMILIES:
        n, made, read = made_and_read_per_second(family)
        rows.append(
            {
                "family": family,
                "drawn / s": drawn_per_second(family),
                "set": FAMILIES[family][2],
                "its images": n,
                "drawn and written / s": made,
                "read / s": read,
            }
        )
    print(f"images a second, {SIZE} px, {CORES} cores")
    print(pd.DataFrame(rows).round(0).to_string(index=False))


if __name__ == "__main__":
    main()
