import numpy as np
import pandas as pd
import pytest

from shortlib.data.annotations import with_annotations
from shortlib.data.chexpert import read_index
from shortlib.data.chexpert_labels import FIVE
from shortlib.data.phantoms.chest import chest
from shortlib.data.phantoms.chest_studies import POPULATION, stated_of, studies_of
from shortlib.data.phantoms.mimic_files import write_chexpert
from shortlib.data.problems import DataError, Problems
from shortlib.data.splits import leaking_patients

N, SIZE, SEED, VALID = 56, 48, 5, 24


@pytest.fixture(scope="module")
def phantom():
    return chest(N, size=SIZE, seed=SEED, population=POPULATION)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "chexpert"
    return write_chexpert(folder, N, seed=SEED, size=SIZE, valid=VALID)


@pytest.fixture(scope="module")
def cohort(root):
    return with_annotations(read_index(root, problems=Problems())).cohort(size=SIZE)


def test_images_masks_and_covariates_are_the_phantoms(cohort, phantom):
    assert np.abs(cohort.images.astype(float) - phantom.images).mean() < 3
    for field in ("anatomy_masks", "abnormality_masks", "shortcut_masks", "shortcut"):
        np.testing.assert_array_equal(getattr(cohort, field), getattr(phantom, field))
    assert cohort.covariates["projection"].tolist() == phantom.covariates["view"].tolist()
    np.testing.assert_array_equal(cohort.covariates["age"], phantom.covariates["age"])
    assert cohort.covariates["sex"].str[0].tolist() == phantom.covariates["sex"].tolist()
    pairs = set(zip(cohort.patient_ids, phantom.patient_ids, strict=True))
    assert len(pairs) == len(set(phantom.patient_ids)) == len(set(cohort.patient_ids))


def test_valid_has_the_truth_and_train_what_reports_state(root, cohort, phantom):
    assert cohort.labels[-VALID:].tolist() == phantom.labels[-VALID:].tolist()
    studies = studies_of(phantom.covariates)
    for row in range(N - VALID):
        study = phantom.covariates["study"][row]
        stated, _ = stated_of(study, studies.loc[study].to_dict(), SEED)
        np.testing.assert_array_equal(cohort.labels[row], [stated[name] for name in FIVE])
    assert (cohort.labels == -1).any()
    valid = pd.read_csv(root / "CheXpert-v1.0-small" / "valid.csv")
    rest = valid.drop(columns=["Path", "Sex", "Age", "Frontal/Lateral", "AP/PA"])
    assert set(np.unique(rest)) == {0.0, 1.0}
    assert (valid["No Finding"] == (valid[list(FIVE)].sum(axis=1) == 0)).all()


@pytest.mark.parametrize("inner", ["", "CheXpert-v1.0-small"])
def test_layout_is_the_real_one(root, inner):
    index = read_index(root / inner, problems=Problems())
    assert index.cases["split"].value_counts().to_dict() == {"train": N - VALID, "valid": VALID}
    assert leaking_patients(index.cases["patient_id"], index.cases["split"]) == {}
    assert index.cases["case_id"][0] == "train/patient00001/study1/view1_frontal"
    table = pd.read_csv(root / "CheXpert-v1.0-small" / "train.csv")
    assert all((root / path).is_file() for path in table["Path"])
    assert table.shape[1] == 19


def test_same_seed_same_bytes(root, tmp_path):
    again = write_chexpert(tmp_path / "a", N, seed=SEED, size=SIZE, valid=VALID, batch=9)
    files = sorted(path.relative_to(root) for path in root.rglob("*") if path.is_file())
    assert files == sorted(p.relative_to(again) for p in again.rglob("*") if p.is_file())
    assert all((root / file).read_bytes() == (again / file).read_bytes() for file in files)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"n": 7}, "n must be at least 8 images"),
        ({"valid": 0}, "valid leave at least 4.*valid = 0"),
        ({"valid": 8}, "valid leave at least 4.*valid = 8"),
        ({"quality": 101}, "quality.*got 101"),
    ],
)
def test_wrong_arguments(tmp_path, wrong, says):
    with pytest.raises(ValueError, match=says):
        write_chexpert(tmp_path / "made", **{"n": 8, "size": 32, **wrong})


def test_a_folder_that_is_taken_stays(tmp_path):
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(DataError, match="folder is taken"):
        write_chexpert(tmp_path, 12, size=32)
