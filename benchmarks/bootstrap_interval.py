"""Time the bootstrap interval of the AUROC against a loop over scikit-learn.

Run from the checkout, about twenty seconds on one core::

    OMP_NUM_THREADS=1 python benchmarks/bootstrap_interval.py

Both sides use the same resamples: the loop calls ``roc_auc_score`` on each row of
``stratified_resamples``. ``auroc_interval`` is timed whole, with its own drawing of the
resamples and its quantiles (the mean of several calls); the loop is timed without
drawing, once. Times are processor seconds of this process, so that other work on the
machine counts little. Scores with ties are rounded to one decimal.
"""

import argparse
import time

import numpy as np
import sklearn
from sklearn.metrics import roc_auc_score

from shortlib.metrics import auroc_interval, bootstrap_aurocs, stratified_resamples


def compare(n, ties, n_resamples, repeats, seed=0):
    """Return the seconds of the loop and of `auroc_interval`, and the largest difference."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    scores = rng.normal(size=n) + labels
    if ties:
        scores = scores.round(1)
    options = {"n_resamples": n_resamples, "seed": seed}

    resamples = stratified_resamples(labels, **options)
    start = time.process_time()
    slow = np.array([roc_auc_score(labels[rows], scores[rows]) for rows in resamples])
    loop = time.process_time() - start

    start = time.process_time()
    for _ in range(repeats):
        auroc_interval(labels, scores, **options)
    fast = (time.process_time() - start) / repeats
    return loop, fast, np.abs(slow - bootstrap_aurocs(labels, scores, **options)).max()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, nargs="+", default=[1000, 200], help="cases")
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=10, help="calls of auroc_interval")
    arguments = parser.parse_args()

    print(f"numpy {np.__version__}, scikit-learn {sklearn.__version__}")
    print(f"{arguments.resamples} resamples; processor seconds")
    print(f"{'n':>6} {'ties':>5} {'loop':>9} {'shortlib':>9} {'ratio':>7} {'difference':>11}")
    for n in arguments.n:
        for ties in (False, True):
            loop, fast, difference = compare(n, ties, arguments.resamples, arguments.repeats)
            flag = "yes" if ties else "no"
            ratio = loop / fast
            print(f"{n:>6} {flag:>5} {loop:>9.3f} {fast:>9.4f} {ratio:>6.0f}x {difference:>11.1e}")


if __name__ == "__main__":
    main()
