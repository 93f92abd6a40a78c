"""Time the index of a data set as large as MIMIC-CXR-JPG, and its memory.

Run from the checkout, about a minute on one core, most of it making the tables::

    python benchmarks/mimic_index.py

Writes the tables of splits, labels and metadata for 377,110 images of 227,835 studies of
65,379 subjects, compressed as the real ones are, into a temporary folder; there are no
images. A fresh process then reads the index, without and with the choice of frontal
views, and prints its seconds and the most memory that it ever held; what Python and the
imported packages hold before is printed apart.
"""

import argparse
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd

from shortlib.data.chexpert_labels import FINDINGS

READ = """
import resource, sys, time
from shortlib.data.mimic_cxr import read_index
from shortlib.data.problems import Problems

def held():
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)

root, views = sys.argv[1], tuple(sys.argv[2:]) or None
before = held()
start = time.perf_counter()
index = read_index(root, problems=Problems(), views=views)
seconds = time.perf_counter() - start
studies = index.cases["study_id"].nunique()
print(f"{len(index):>9,} {studies:>9,} {seconds:>9.2f} {before:>9.0f} {held():>9.0f}")
"""


def write_tables(root, n_images, n_studies, n_subjects, seed=0):
    """Write tables in which every study has an image and every subject a study."""
    rng = np.random.default_rng(seed)
    subject_of = _spread(rng, n_studies, n_subjects)
    study_of = _spread(rng, n_images, n_studies)
    subjects = 10_000_000 + np.sort(rng.choice(9_000_000, n_subjects, replace=False))
    studies = 50_000_000 + rng.permutation(n_studies)
    splits = rng.choice(["train", "validate", "test"], n_subjects, p=[0.973, 0.008, 0.019])
    words = rng.integers(0, 2**32, (n_images, 5), dtype=np.uint64)
    ids = ["-".join(f"{word:08x}" for word in row) for row in words.tolist()]
    images = pd.DataFrame(
        {
            "dicom_id": ids,
            "study_id": studies[study_of],
            "subject_id": subjects[subject_of[study_of]],
            "split": splits[subject_of[study_of]],
        }
    )
    labels = rng.choice(
        ["", "1.0", "0.0", "-1.0"], (n_studies, len(FINDINGS)), p=[0.7, 0.1, 0.15, 0.05]
    )
    findings = pd.DataFrame(labels, columns=FINDINGS)
    findings.insert(0, "subject_id", subjects[subject_of])
    findings.insert(1, "study_id", studies)
    metadata = images[["dicom_id", "subject_id", "study_id"]].assign(
        PerformedProcedureStepDescription="CHEST (PA AND LAT)",
        ViewPosition=rng.choice(["PA", "AP", "LATERAL", "LL", ""], n_images),
        Rows=3056,
        Columns=2544,
        StudyDate=rng.integers(21_000_101, 22_011_231, n_images),
        StudyTime=rng.random(n_images) * 240_000,
    )
    for name, table in (("split", images), ("chexpert", findings), ("metadata", metadata)):
        path = Path(root) / f"mimic-cxr-2.0.0-{name}.csv.gz"
        table.to_csv(path, index=False, compression={"method": "gzip", "compresslevel": 1})


def _spread(rng, n, groups):
    """Give each of `n` a group so that no group is empty."""
    return np.concatenate([np.arange(groups), np.sort(rng.integers(0, groups, n - groups))])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=377_110)
    parser.add_argument("--studies", type=int, default=227_835)
    parser.add_argument("--subjects", type=int, default=65_379)
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as root:
        # In a process of its own: a process starts with the peak of the one that starts it.
        sizes = (arguments.images, arguments.studies, arguments.subjects)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            pool.submit(write_tables, root, *sizes).result()
        print(f"pandas {pd.__version__}; memory in MiB")
        names = ("images", "studies", "seconds", "before", "peak")
        print(" ".join(f"{name:>9}" for name in names))
        for views in ((), ("PA", "AP")):
            subprocess.run([sys.executable, "-c", READ, root, *views], check=True)


if __name__ == "__main__":
    main()
