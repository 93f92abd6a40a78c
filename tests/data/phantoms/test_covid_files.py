"""What is written as COVID-19 Radiography is what the phantom drew, and the reader reads it."""

import hashlib

import numpy as np
import pytest

from shortlib.data.annotations import with_annotations
from shortlib.data.covid_radiography import CLASSES, read_index
from shortlib.data.images import fit_mask
from shortlib.data.phantoms.chest import Population, chest
from shortlib.data.phantoms.covid_files import ADULTS, write_covid
from shortlib.data.problems import DataError, Problems
from shortlib.data.seeds import derive_seed

N = 3


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return write_covid(tmp_path_factory.mktemp("covid") / "set", N, seed=4, batch=2)


def checksums(root):
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def test_names_are_the_real_ones(tree):
    base = tree / "COVID-19_Radiography_Dataset"
    assert sorted(path.name for path in base.iterdir()) == list(CLASSES)
    assert (base / "Viral Pneumonia" / "images" / "Viral Pneumonia-1.png").is_file()
    assert (base / "Lung_Opacity" / "masks" / f"Lung_Opacity-{N}.png").is_file()


def test_the_reader_gives_back_what_was_drawn(tree):
    cohort = with_annotations(read_index(tree, problems=Problems())).cohort(size=299)
    assert len(cohort) == 4 * N
    assert cohort.skipped == ()
    for label, kind in enumerate(CLASSES):
        drawn = chest(
            N,
            task="pneumonia",
            size=299,
            seed=derive_seed(4, "covid radiography", kind),
            findings={name: float(name == kind) for name in CLASSES},
            population=Population(adult=ADULTS),
        )
        assert (drawn.labels == label).all()
        read = cohort[cohort.labels == label]
        assert read.case_ids.tolist() == [f"{kind}-{n}" for n in range(1, N + 1)]
        np.testing.assert_array_equal(read.images, drawn.images)
        np.testing.assert_array_equal(read.abnormality_masks, drawn.abnormality_masks)
        np.testing.assert_array_equal(read.plane("shortcut_masks", "adult"), drawn.shortcut_masks)
        np.testing.assert_array_equal(read.shortcut, drawn.shortcut)
        np.testing.assert_allclose(read.covariates["age"], drawn.covariates["age"])
        assert read.covariates["sex"].tolist() == drawn.covariates["sex"].tolist()
        lungs = drawn.plane("anatomy_masks", "left lung")
        lungs = lungs | drawn.plane("anatomy_masks", "right lung")
        assert (read.anatomy_masks != lungs).mean() < 0.01  # through 256 px and back
    small = with_annotations(read_index(tree, problems=Problems())).case(0, 256)["anatomy_masks"]
    drawn = chest(
        1,
        task="pneumonia",
        size=299,
        seed=derive_seed(4, "covid radiography", "COVID"),
        findings={name: float(name == "COVID") for name in CLASSES},
        population=Population(adult=ADULTS),
    )
    lungs = drawn.anatomy_masks[0, :2].any(axis=0)
    np.testing.assert_array_equal(small, fit_mask(lungs, 256))


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_the_same_bytes_whatever_the_batches_and_processes(tree, tmp_path, n_jobs):
    again = write_covid(tmp_path / "again", N, seed=4, batch=3, n_jobs=n_jobs)
    assert checksums(again) == checksums(tree)


def test_more_images_leave_the_first_ones_as_they_are(tree, tmp_path):
    more = checksums(write_covid(tmp_path / "more", N + 1, seed=4))
    before = checksums(tree)
    assert {name: before[name] for name in before if name.endswith(".png")}.items() <= more.items()
    other = checksums(write_covid(tmp_path / "other", N, seed=5))
    images = [name for name in before if "/images/" in name]
    assert len(images) == 4 * N
    assert not {before[name] for name in images} & {other[name] for name in images}


def test_adults_are_a_parameter(tmp_path):
    root = write_covid(tmp_path / "set", 2, adult=dict.fromkeys(CLASSES, 0.0))
    index = with_annotations(read_index(root, problems=Problems()))
    assert not index.cases["adult"].any()


def test_what_is_refused(tmp_path, tree):
    with pytest.raises(DataError, match="folder is taken"):
        write_covid(tree, 1)
    for wrong in (0, 1.5, True):
        with pytest.raises(ValueError, match="n_per_class must be a whole number"):
            write_covid(tmp_path / "x", wrong)
    with pytest.raises(ValueError, match="batch must be a whole number"):
        write_covid(tmp_path / "x", 1, batch=0)
    with pytest.raises(ValueError, match="adult"):
        write_covid(tmp_path / "x", 1, adult={"COVID": 2.0})


def test_devices_are_shortcuts_and_no_covariates_as_well(tmp_path):
    root = write_covid(tmp_path / "set", 2, devices={"pacemaker": 1.0, "marker": 0.0})
    cohort = with_annotations(read_index(root, problems=Problems())).cohort(size=64)
    assert cohort.shortcut_names == ("adult", "pacemaker")
    assert cohort.shortcut[:, 1].all()
    assert not {"adult", "pacemaker"} & set(cohort.covariates)
