import numpy as np
import pandas as pd
import pytest

from shortlib.data.counting import counts_of, label_table
from shortlib.data.index import Index


def index_of(tmp_path, labels, label_names=(), **columns):
    n = len(next(iter(columns.values())))
    cases = pd.DataFrame(
        {
            "case_id": [str(i) for i in range(n)],
            "patient_id": ["p1", "p1", "p2", "p3"],
            "split": ["test", "train", "train", "val"],
            **columns,
        }
    )
    return Index("x", tmp_path, cases, {}, 8, labels=labels, label_names=label_names)


def test_classes_are_counted_by_name(tmp_path):
    index = index_of(tmp_path, ("label",), ("benign", "malignant"), label=[0, 1, 1, 0])
    assert counts_of(index) == {
        "cases": 4,
        "patients": 3,
        "splits": {"test": 1, "train": 2, "val": 1},
        "labels": {"benign": 2, "malignant": 2},
    }
    table = label_table(index)
    assert table.loc[("malignant", "train"), "present"] == 2
    assert table.loc[("malignant", "test"), "present"] == 0
    assert list(table.index.unique("part")) == ["train", "val", "test"]


def test_findings_are_counted_with_what_is_uncertain_or_not_mentioned(tmp_path):
    index = index_of(tmp_path, ("Edema", "Mass"), Edema=[1, 0, -1, np.nan], Mass=[1.0, 1, 1, 1])
    assert counts_of(index)["labels"] == {"Edema": 1, "Mass": 4}
    table = label_table(index)
    assert table.loc[("Edema", "train")].to_dict() == {
        "present": 0,
        "absent": 1,
        "uncertain": 1,
        "not mentioned": 0,
    }
    assert table.loc[("Edema", "val"), "not mentioned"] == 1
    assert table.loc["Edema"].to_numpy().sum() == len(index)


@pytest.mark.parametrize("columns", [{"age": [1, 2, 3, 4]}])
def test_without_labels_there_is_no_table(tmp_path, columns):
    index = index_of(tmp_path, (), **columns)
    assert label_table(index) is None
    assert counts_of(index)["labels"] == {}
