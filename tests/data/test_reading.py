import tracemalloc

import numpy as np
import pandas as pd
import pytest

from shortlib.data.index import Index
from shortlib.data.problems import DataError
from shortlib.data.reading import KEPT, read_all, twins


def index_of(tmp_path, n, read, **readers):
    cases = pd.DataFrame({"case_id": [f"c{i}" for i in range(n)], "patient_id": "p"})
    cases["split"] = ["train", "test"] * (n // 2)
    cases["number"] = range(n)
    readers = {"images": lambda case, size: read(case["number"]), **readers}
    return Index("x", tmp_path, cases, readers, 4)


def image(i, side=4):
    return np.random.default_rng(i).integers(0, 256, (1, side, side), np.uint8)


def test_every_case_is_read_once(tmp_path):
    asked = []
    seen = read_all(
        index_of(tmp_path, 50, lambda i: (asked.append(i), image(i))[1]), range(50), workers=3
    )
    assert sorted(asked) == list(range(50))
    assert (seen.read, seen.shape, seen.blank, dict(seen.counts)) == (50, (1, 4, 4), 0, {})
    assert len(set(seen.marks.values())) == 50


def test_problems_are_counted_and_a_few_are_kept(tmp_path):
    def read(i):
        if i % 2:
            raise DataError("missing image", f"number {i}")
        return image(i, side=6 if i == 10 else 4)

    seen = read_all(index_of(tmp_path, 100, read), range(100), workers=2)
    assert seen.counts == {"missing image": 50, "another shape": 1}
    assert sum(p.kind == "missing image" for p in seen.problems) == KEPT
    assert any(
        "'c10' has images of (1, 6, 6), others have (1, 4, 4)" in str(p) for p in seen.problems
    )


def test_masks_images_and_values_are_looked_at(tmp_path):
    def mask(case, size):
        return np.full((2, 5, 4) if case["number"] == 2 else (4, 4), case["number"] > 0)

    def read(i):
        values = image(i).astype(np.float32)
        values[0, 0, 0] = np.nan if i == 1 else 0
        return values * (i != 3)

    index = index_of(tmp_path, 4, read, anatomy_masks=mask)
    seen = read_all(index, range(4), workers=1)
    assert seen.counts == {"mask off its image": 1, "not a number": 1}
    assert seen.empty_masks == {"anatomy_masks": 1}
    assert seen.blank == 1
    assert 3 not in seen.marks


def test_another_error_is_not_hidden(tmp_path):
    def read(i):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        read_all(index_of(tmp_path, 4, read), range(4), workers=1)


def test_only_a_few_cases_are_in_memory(tmp_path):
    megabyte = 1 << 20
    index = index_of(tmp_path, 200, lambda i: np.full((1, 1024, 1024), i % 251, np.uint8))
    tracemalloc.start()
    read_all(index, range(200), workers=2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * megabyte


def test_twins_are_told_apart_by_whether_they_cross_parts():
    marks = dict(enumerate([b"a", b"b", b"a", b"c", b"c", b"d"]))
    parts = ["train", "train", "test", "val", "val", "test"]
    assert twins(marks, parts) == ([(0, 2)], [(3, 4)])
    assert twins({}, parts) == ([], [])
