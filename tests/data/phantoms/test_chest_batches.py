import numpy as np
import pytest

from shortlib.data.phantoms.chest import chest
from shortlib.data.phantoms.chest_batches import check_counts, chest_batches


def test_batches_are_the_whole_in_order():
    settings = {"task": "pneumothorax", "size": 32, "seed": 3}
    whole = chest(7, **settings)
    parts = list(chest_batches(7, batch=3, **settings))
    assert [len(part) for part in parts] == [3, 3, 1]
    for field in ("case_ids", "images", "labels", "anatomy_masks"):
        joined = np.concatenate([getattr(part, field) for part in parts])
        np.testing.assert_array_equal(joined, getattr(whole, field))


def test_counts():
    check_counts(n=1, size=np.int64(3))
    for wrong in (0, -1, 1.5, True):
        with pytest.raises(ValueError, match=f"n must be a whole number, at least 1; got {wrong}"):
            check_counts(n=wrong)
