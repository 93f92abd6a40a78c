"""Hundreds of damaged data sets: a reader gives a cohort or a DataError, and nothing else.

`SHORTLIB_FUZZ_TREES` sets how many trees there are in all (330 by default; more find what is rare)
and `SHORTLIB_FUZZ_SEED` where their seeds start.
"""

import os
import shutil
import traceback
import warnings
from importlib import import_module, util
from pathlib import Path

import pytest

from shortlib.data.annotations import with_annotations
from shortlib.data.problems import DataError, Problems
from shortlib.data.sets import LAYOUTS

spec = util.spec_from_file_location("corruption", Path(__file__).with_name("corruption.py"))
corruption = util.module_from_spec(spec)
spec.loader.exec_module(corruption)
spec = util.spec_from_file_location("small_trees", Path(__file__).with_name("small_trees.py"))
small_trees = util.module_from_spec(spec)
spec.loader.exec_module(small_trees)

TREES = int(os.environ.get("SHORTLIB_FUZZ_TREES", 330))
START = int(os.environ.get("SHORTLIB_FUZZ_SEED", 0))


def read(layout, root, on_error, stream):
    module = import_module(LAYOUTS[layout])
    index = with_annotations(module.read_index(root, problems=Problems(on_error)))
    cohort = index.cohort(size=24, stream=stream)
    for _, array in cohort.arrays():
        array[:]
    return cohort


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    made = {}

    def tree(layout):
        if layout not in made:
            made[layout] = tmp_path_factory.mktemp(layout) / "set"
            small_trees.MAKE[layout](made[layout])
        return made[layout]

    return tree


def test_every_layout_is_tried():
    assert set(small_trees.MAKE) == set(LAYOUTS)


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_an_undamaged_tree_is_read_whole(trees, layout):
    cohort = read(layout, trees(layout), "raise", False)
    assert len(cohort) >= 4
    assert cohort.skipped == ()


@pytest.mark.slow
@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_a_damaged_tree_gives_a_cohort_or_a_data_error(trees, layout, tmp_path):
    crashes, refused, skipped = [], 0, 0
    n = -(-TREES // len(LAYOUTS))
    for seed in range(START, START + n):
        root = tmp_path / "set"
        shutil.copytree(trees(layout), root)
        done = corruption.corrupt(root, seed)
        for on_error, stream in (("raise", seed % 4 == 0), ("skip", False)):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("error")
                    warnings.simplefilter("ignore", UserWarning)
                    cohort = read(layout, root, on_error, stream)
                skipped += bool(cohort.skipped)
            except DataError:
                refused += 1
            except Exception:
                crashes.append(f"seed {seed}, {on_error}: {done}\n{traceback.format_exc(limit=-6)}")
        shutil.rmtree(root)
    assert not crashes, f"{len(crashes)} of {n} trees; the first:\n" + "\n".join(crashes[:3])
    assert refused > n / 10  # the damage is real
    assert skipped > 0
