import hashlib
import shutil

import numpy as np
import pandas as pd
import pytest

from shortlib.data.annotations import with_annotations
from shortlib.data.chexpert_labels import FIVE
from shortlib.data.mimic_cxr import read_index
from shortlib.data.phantoms.chest import chest
from shortlib.data.phantoms.chest_studies import POPULATION, stated_of, studies_of
from shortlib.data.phantoms.mimic_files import write_mimic
from shortlib.data.problems import DataError, Problems
from shortlib.data.reports import shorten
from shortlib.data.splits import leaking_patients

N, SIZE, SEED = 64, 48, 3


@pytest.fixture(scope="module")
def phantom():
    return chest(N, size=SIZE, seed=SEED, population=POPULATION)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_mimic(tmp_path_factory.mktemp("made") / "mimic", N, seed=SEED, size=SIZE)


@pytest.fixture(scope="module")
def index(root):
    return with_annotations(read_index(root, problems=Problems()))


@pytest.fixture(scope="module")
def cohort(index):
    return index.cohort(size=SIZE)


def tree(root):
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_images_are_the_phantoms_but_for_what_jpeg_does(cohort, phantom):
    error = np.abs(cohort.images.astype(float) - phantom.images)
    assert len(cohort) == N
    assert error.mean() < 3
    # Another order of the cases would do far worse.
    assert np.abs(cohort.images[::-1].astype(float) - phantom.images).mean() > 10


def test_masks_shortcuts_and_covariates_are_the_phantoms(cohort, phantom):
    for field in ("anatomy_masks", "abnormality_masks", "shortcut_masks", "shortcut"):
        np.testing.assert_array_equal(getattr(cohort, field), getattr(phantom, field))
    for names in ("anatomy_names", "abnormality_names", "shortcut_names", "label_names"):
        assert getattr(cohort, names) == getattr(phantom, names)
    for name in ("view", "age", "sex", "prior", "edema_severity", "edema_side", "study_index"):
        found, due = cohort.covariates[name], phantom.covariates[name]
        assert found.astype(due.dtype).tolist() == due.tolist()


def test_patients_and_studies_are_the_phantoms(cohort, phantom):
    for found, due in (
        (cohort.patient_ids, phantom.patient_ids),
        (cohort.covariates["study_id"], phantom.covariates["study"]),
    ):
        pairs = set(zip(map(str, found), map(str, due), strict=True))
        assert len(pairs) == len(set(map(str, due))) == len({name for name, _ in pairs})
    per_patient = pd.Series(cohort.patient_ids).value_counts()
    studies = cohort.covariates["study_id"].groupby(cohort.patient_ids).nunique()
    assert per_patient.max() >= 3
    assert (studies > 1).any()
    assert (per_patient > studies.reindex(per_patient.index)).any()  # a study of several images
    assert all(len(name) == 8 and name.startswith("1") for name in cohort.patient_ids)


def test_labels_are_what_the_reports_state(cohort, phantom):
    studies = studies_of(phantom.covariates)
    for study, case in zip(studies.index, studies.to_dict("records"), strict=True):
        stated, _ = stated_of(study, case, SEED)
        for row in np.flatnonzero(phantom.covariates["study"] == study):
            np.testing.assert_array_equal(cohort.labels[row], [stated[name] for name in FIVE])


def test_labels_tell_no_lie_and_not_all(cohort, phantom):
    truth, labels = phantom.labels, cohort.labels
    assert (truth[labels == 1] == 1).all()
    assert (truth[labels == 0] == 0).all()
    assert (labels == -1).any()
    assert np.isnan(labels).any()
    severity = np.stack(
        [phantom.covariates[f"{n.lower().replace(' ', '_')}_severity"] for n in FIVE], axis=1
    )
    assert (severity[labels == -1] < 0.5).all()
    assert (severity[np.isnan(labels)] < 0.25).all()


def test_images_of_a_study_share_report_and_labels(cohort):
    study = cohort.covariates["study_id"]
    assert pd.Series(cohort.reports).groupby(study).nunique().max() == 1
    assert (
        pd.DataFrame(cohort.labels).fillna(9).groupby(study.to_numpy()).nunique().max().max() == 1
    )
    assert len(set(cohort.reports)) == study.nunique()
    assert all(shorten(text) for text in cohort.reports)


def test_parts_share_no_patient_and_none_is_empty(index):
    assert leaking_patients(index.cases["patient_id"], index.cases["split"]) == {}
    assert set(index.cases["split"]) == {"train", "validate", "test"}
    assert index.cases["split"].value_counts().idxmax() == "train"


def test_tables_are_compressed_and_complete(root):
    names = {path.name for path in root.iterdir() if path.is_file()}
    assert names == {f"mimic-cxr-2.0.0-{n}.csv.gz" for n in ("split", "chexpert", "metadata")}
    labels = pd.read_csv(root / "mimic-cxr-2.0.0-chexpert.csv.gz")
    assert labels.shape[1] == 16
    assert labels["No Finding"].eq(1).any()
    assert set(labels["Pneumothorax"].dropna()) == {0}
    metadata = pd.read_csv(root / "mimic-cxr-2.0.0-metadata.csv.gz")
    assert set(metadata["ViewPosition"]) == {"PA", "AP"}
    assert set(metadata["Rows"]) == {SIZE}


def test_same_seed_same_bytes_whatever_the_batch(root, tmp_path):
    again = write_mimic(tmp_path / "again", N, seed=SEED, size=SIZE, batch=7)
    assert tree(again) == tree(root)


def test_more_images_leave_the_first_as_they_are(root, tmp_path):
    few, many = tree(write_mimic(tmp_path / "few", 16, seed=SEED, size=SIZE)), tree(root)
    files = [name for name in few if name.endswith((".jpg", ".png"))]
    assert len(files) > 16
    assert all(few[name] == many[name] for name in files)
    # Only the study that the end cuts through may tell of a device more.
    reports = [name for name in few if name.endswith(".txt")]
    assert sum(few[name] != many[name] for name in reports) <= 1


def test_settings_of_the_phantom_are_passed_on(tmp_path):
    root = write_mimic(
        tmp_path / "made",
        12,
        size=32,
        findings={"Edema": 1.0},
        devices={"pacemaker": 0, "central line": 0, "ECG leads": 0},
        subtle=0.01,
        faint=0.01,
        shares={"train": 0.4, "validate": 0.3, "test": 0.3},
    )
    index = with_annotations(read_index(root, problems=Problems()))
    cohort = index.cohort(size=32)
    assert (cohort.labels[:, FIVE.index("Edema")] == 1).mean() > 0.9
    assert cohort.shortcut is None


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"n": 11}, "n must be at least 12 images.*got 11"),
        ({"n": 0}, "n must be a whole number.*got 0"),
        ({"quality": 0}, "quality.*1 to 100, got 0"),
        ({"batch": 0}, "batch.*got 0"),
        ({"shares": {"train": 0.5, "test": 0.5}}, "shares are of train, validate, test"),
        ({"size": 1}, "size.*1"),
    ],
)
def test_wrong_arguments(tmp_path, wrong, says):
    with pytest.raises(ValueError, match=says):
        write_mimic(tmp_path / "made", **{"n": 12, "size": 32, **wrong})


def test_a_folder_that_is_taken_stays(tmp_path):
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(DataError, match="folder is taken"):
        write_mimic(tmp_path, 12, size=32)
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (lambda path: path.unlink(), "shortcuts disagree: masks are of ECG leads.*of none"),
        (lambda path: rename(path, "shortcut:pacemaker", "pace"), "shortcuts disagree"),
        (lambda path: rename(path, "edema_side", "pacemaker"), "column twice: 'pacemaker'"),
    ],
)
def test_masks_and_flags_of_shortcuts_must_agree(root, tmp_path, spoil, kind):
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    spoil(copy / "annotations" / "cases.csv")
    with pytest.raises(DataError, match=kind):
        with_annotations(read_index(copy, problems=Problems("skip")))


def rename(path, old, new):
    path.write_text(path.read_text().replace(old, new, 1))


@pytest.mark.slow
def test_processes_do_not_change_the_bytes(root, tmp_path):
    again = write_mimic(tmp_path / "again", N, seed=SEED, size=SIZE, n_jobs=2)
    assert tree(again) == tree(root)
