import numpy as np
import pandas as pd
import pytest

from shortlib.data import Cohort
from shortlib.data.phantoms.covid_files import write_covid
from shortlib.data.problems import DataError
from shortlib.data.sets import read_index
from shortlib.studies.exemplary_explanations.sources import (
    FLIPPED,
    _as_flipped,
    adult_shares,
    check_source,
    load_parts,
    source_checksum,
    sources_here,
)
from shortlib.studies.exemplary_explanations.study import profiles, requests

CLASSES = ("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia")
N = {"train": 30, "validation": 8, "test": 24}


def drawn(association=1.0, side=32, **n):
    settings = requests("smoke", data="builtin-radiographs")[0].settings
    source = {"version": 1, "drawn": {"seed": 6, "association": association, "n": {**N, **n}}}
    return {**settings, "source": source, "side": side}


@pytest.fixture(scope="module")
def parts():
    return load_parts(drawn(0.4), seed=0)


# Drawn radiographs


def test_shares_of_adults_have_their_ends():
    names, children = ("a", "b", "c"), ("b",)
    assert adult_shares(1.0, names, children) == {"a": 1, "b": 0, "c": 1}
    assert adult_shares(-1.0, names, children) == {"a": 0, "b": 1, "c": 0}
    assert adult_shares(0.0, names, children) == dict.fromkeys(names, 0.5)
    assert adult_shares(0.5, names, children) == {"a": 0.75, "b": 0.25, "c": 0.75}


def test_parts_have_their_cases_and_share_none(parts):
    assert {name: len(part) for name, part in parts.items()} == {**N, "aligned": 24, "flipped": 24}
    assert len(set().union(*(parts[name].case_ids for name in N))) == sum(N.values())
    for part in parts.values():
        assert part.images.shape == (len(part), 1, 32, 32)
        assert part.images.dtype == np.uint8
        assert part.label_names == CLASSES
        for masks in (part.anatomy_masks, part.shortcut_masks):
            assert masks.shape == (len(part), 32, 32)
            assert masks.any(axis=(1, 2)).all()


def test_the_flipped_cases_are_the_test_cases_with_the_other_age(parts):
    test, aligned, flipped = (parts[name] for name in ("test", "aligned", "flipped"))
    child = test.labels == CLASSES.index("Viral Pneumonia")
    assert child.any()
    np.testing.assert_array_equal(aligned.shortcut, ~child)
    np.testing.assert_array_equal(flipped.shortcut, child)
    for part in (aligned, flipped):
        np.testing.assert_array_equal(part.case_ids, test.case_ids)
        np.testing.assert_array_equal(part.labels, test.labels)
        # Where age is the same, so is the image; else it is not.
        same = part.shortcut == test.shortcut
        assert 0 < same.sum() < len(test)
        equal = (part.images == test.images).all(axis=(1, 2, 3))
        np.testing.assert_array_equal(equal, same)


def test_age_goes_with_the_class_in_training_as_far_as_the_association_says(parts):
    sure = load_parts(drawn(1.0, train=12, validation=4, test=12), seed=0)
    for name in ("train", "validation", "test"):
        child = sure[name].labels == 3
        np.testing.assert_array_equal(sure[name].shortcut, ~child)
    assert sure["test"].checksum() == sure["aligned"].checksum()
    loose = parts["train"]
    agrees = (loose.shortcut != (loose.labels == 3)).mean()
    assert agrees == pytest.approx(0.7, abs=0.2)


def test_drawn_data_do_not_depend_on_the_runs_seed():
    one, other = (load_parts(drawn(train=6, validation=4, test=4), seed=k) for k in (0, 1))
    assert one["train"].checksum() == other["train"].checksum()


# The tree of COVID-19 Radiography


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "covid-radiography"
    write_covid(root, 5, seed=2, n_jobs=1)
    return root


def real(tree, **quota):
    source = {"set": "covid-radiography", "options": {"per_class": quota}}
    settings = requests("smoke", data="builtin-radiographs")[0].settings
    return {**settings, "source": source, "side": 32}


def test_a_real_tree_has_its_quota_and_another_split_for_each_seed(tree):
    settings = real(tree, train=2, validation=1, test=1)
    splits = [load_parts(settings, seed=seed, data_root=tree.parent) for seed in (0, 1)]
    for found in splits:
        assert {name: len(part) for name, part in found.items()} == {
            "train": 8, "validation": 4, "test": 4
        }  # fmt: skip
        for part in found.values():
            assert part.label_names == CLASSES
            assert np.bincount(part.labels).tolist() == [len(part) // 4] * 4
            assert part.images.shape == (len(part), 1, 32, 32)
            assert part.anatomy_masks.shape == (len(part), 32, 32)
            assert 0.05 < part.anatomy_masks.mean() < 0.6
    assert set(splits[0]["train"].case_ids) != set(splits[1]["train"].case_ids)
    # The folder itself will do too, and a seed is a split.
    again = load_parts(settings, seed=1, data_root=tree)
    assert {k: v.checksum() for k, v in again.items()} == {
        k: v.checksum() for k, v in splits[1].items()
    }


def test_joints_that_lie_beside_a_tree_are_one_plane(tree):
    quota = {"train": 2, "validation": 1, "test": 1}
    found = load_parts(real(tree, **quota), seed=0, data_root=tree)
    index = read_index("covid-radiography", tree, per_class=quota, seed=0)
    for name, part in found.items():
        written = index.cohort(name, size=32)
        assert written.shortcut_masks.shape == (len(part), 1, 32, 32)
        np.testing.assert_array_equal(part.shortcut_masks, written.shortcut_masks[:, 0])
        assert part.shortcut_masks.any(axis=(1, 2)).all()
        np.testing.assert_array_equal(part.shortcut, written.shortcut)
        assert part.shortcut_names == ("joints",)
    assert 0 < sum(part.shortcut.sum() for part in found.values()) < 16


def test_other_data_than_those_asked_for_are_refused(tree, tmp_path):
    settings = real(tree, train=2, validation=1, test=1)
    assert sources_here(settings["source"], tree.parent)
    checksum = source_checksum(settings["source"], data_root=tree.parent)
    check_source(settings, checksum, data_root=tree)
    with pytest.raises(DataError, match=r"checksum .* plan the runs again"):
        check_source(settings, "another", data_root=tree)
    assert not sources_here(settings["source"], tmp_path / "nowhere")
    with pytest.raises(DataError):
        check_source(settings, checksum, data_root=tmp_path / "nowhere")
    made = drawn()
    assert sources_here(made["source"])
    check_source(made, "built-in recipe, version 1")
    with pytest.raises(DataError, match="built-in recipe, version 1"):
        check_source(made, "built-in recipe, version 0")


# Adults who have what is of children


def findings(rows, names=("COVID", "Bacterial Pneumonia", "Normal", "Viral Pneumonia")):
    kinds = sorted({finding for finding, _ in rows})
    ages = pd.DataFrame({"age": [age for _, age in rows]})
    n = len(rows)
    cohort = Cohort(
        "adults",
        np.array([f"case-{i}" for i in range(n)]),
        np.zeros((n, 1, 4, 4), np.uint8),
        labels=np.array([kinds.index(finding) for finding, _ in rows]),
        label_names=tuple(kinds),
        covariates=ages,
        patient_ids=np.array([f"patient-{i}" for i in range(n)]),
    )
    return _as_flipped(cohort, names)


def test_adults_are_kept_whose_finding_is_of_a_childrens_class():
    kept = findings(
        [
            ("Streptococcus", 40),
            ("COVID-19", 50),  # of adults in training too
            ("Influenza", 18),
            ("No Finding", 17.9),  # a child
            ("No Finding", np.nan),  # nobody wrote it down
            ("Pneumonia", 60),  # of what kind?
            ("Klebsiella", 70),
        ]
    )
    assert kept.case_ids.tolist() == ["case-0", "case-2", "case-4", "case-6"]
    assert [kept.label_names[k] for k in kept.labels] == [
        "Bacterial Pneumonia",
        "Viral Pneumonia",
        "Normal",
        "Bacterial Pneumonia",
    ]
    assert kept.patient_ids.tolist() == ["patient-0", "patient-2", "patient-4", "patient-6"]
    assert kept.covariates is None


def test_classes_of_children_are_those_with_findings_of_adults():
    children = profiles()["data"]["covid-cxr-lungmask"]["children"]
    assert set(children) == set(FLIPPED)
    every = [finding for those in FLIPPED.values() for finding in those]
    assert len(set(every)) == len(every)


@pytest.mark.slow
def test_open_radiographs_are_of_children_but_for_covid(open_data):
    request = requests("smoke", data="covid-cxr-lungmask", data_root=open_data)[0]
    settings = {**request.settings, "side": 24}
    check_source(settings, request.data_checksum, data_root=open_data)
    found = load_parts(settings, seed=0, data_root=open_data)
    assert set(found) == {"train", "validation", "test", "flipped"}
    children = set(settings["children"])
    patients = []
    for name in ("train", "validation", "test"):
        part = found[name]
        of_children = [part.label_names[k] in children for k in part.labels]
        assert np.mean(part.shortcut[of_children]) == 0
        assert np.mean(part.shortcut[~np.array(of_children)]) > 0.95  # adult
        patients.append(set(part.patient_ids))
    assert len(set().union(*patients)) == sum(map(len, patients))
    flipped = found["flipped"]
    assert flipped.label_names == found["train"].label_names
    assert {flipped.label_names[k] for k in flipped.labels} == children
    assert flipped.anatomy_masks is None
    assert flipped.images.shape[1:] == (1, 24, 24)
    # Nobody is learned from under another name.
    trained = {name.rsplit("-", 1)[-1] for name in patients[0] if name.startswith("ieee8023")}
    assert trained
    assert not trained & set(flipped.patient_ids)
