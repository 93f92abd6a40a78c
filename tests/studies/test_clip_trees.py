from importlib import util
from pathlib import Path

import numpy as np
import pytest

from shortlib.data.cohort import PLANES
from shortlib.data.problems import DataError
from shortlib.data.reports import shorten
from shortlib.data.sets import load, read_index

spec = util.spec_from_file_location("clip_trees", Path(__file__).with_name("clip_trees.py"))
clip_trees = util.module_from_spec(spec)
spec.loader.exec_module(clip_trees)
MIMIC, CHEXPERT = NAMES = (clip_trees.MIMIC, clip_trees.CHEXPERT)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return clip_trees.hostile_tree(tmp_path_factory.mktemp("hostile"), n=48, pixels=32)


def skipped(tree, name):
    with pytest.warns(UserWarning, match=f"{name}: .* left out"):
        return load(name, root=tree.roots[name], size=32, on_error="skip")


@pytest.mark.parametrize("name", NAMES)
def test_stopping_names_the_file(tree, name):
    with pytest.raises(DataError) as caught:
        load(name, root=tree.roots[name], size=32)
    files = {path for _, path in tree.lost[name].values()}
    assert caught.value.path in files
    assert str(caught.value.path) in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_each_damaged_case_is_told_by_its_kind_and_file(tree, name):
    index = read_index(name, tree.roots[name])
    ids = index.cases["case_id"].tolist()
    for case, (kind, path) in tree.lost[name].items():
        with pytest.raises(DataError) as caught:
            index.case(ids.index(case), size=32)
        assert (caught.value.kind, caught.value.path) == (kind, path)


@pytest.mark.parametrize("name", NAMES)
def test_skipping_leaves_out_the_damaged_cases_and_no_other(tree, name):
    ids = read_index(name, tree.roots[name]).cases["case_id"]
    cohort = skipped(tree, name)
    assert cohort.case_ids.tolist() == [case for case in ids if case not in tree.lost[name]]
    told = sorted((error.kind, error.path) for error in cohort.skipped)
    assert told == sorted(tree.lost[name].values())
    assert not [plane for plane in PLANES if getattr(cohort, plane) is not None]


@pytest.mark.parametrize("name", NAMES)
def test_labels_that_are_not_known_are_read_as_such(tree, name):
    cohort = skipped(tree, name)
    place = {case: i for i, case in enumerate(cohort.case_ids)}
    for kind, value in (("nothing mentioned", np.nan), ("all uncertain", -1)):
        for case in tree.odd[name][kind]:
            np.testing.assert_array_equal(cohort.labels[place[case]], [value] * 5)
    # There is enough left to learn from: each finding is there, and is not, somewhere.
    assert (cohort.labels == 1).any(axis=0).all()
    assert (cohort.labels == 0).any(axis=0).all()


def test_a_report_without_a_word_in_its_sections_has_a_text_all_the_same(tree):
    cohort = skipped(tree, MIMIC)
    for case in tree.odd[MIMIC]["empty sections"]:
        report = cohort.reports[cohort.case_ids.tolist().index(case)]
        assert "FINDINGS" in report
        assert isinstance(shorten(report), str)
