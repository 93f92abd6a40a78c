"""What is written as SIIM-ACR is what the phantom drew, and the reader reads it."""

import hashlib

import numpy as np
import pydicom
import pytest

from shortlib.data.annotations import with_annotations
from shortlib.data.phantoms.chest import Population, chest
from shortlib.data.phantoms.siim_files import write_siim
from shortlib.data.problems import DataError, Problems
from shortlib.data.rle import decode
from shortlib.data.siim_acr import read_index

N, SIZE = 20, 64
PARTS = {"n_validation": 5, "n_test": 6}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("siim") / "set"
    return write_siim(root, N, seed=7, size=SIZE, encoding="none", batch=6, **PARTS)


@pytest.fixture(scope="module")
def drawn():
    return chest(N, task="pneumothorax", size=SIZE, seed=7)


def read(root, **options):
    index = read_index(root, problems=Problems(), n_validation=5, headers=True, **options)
    return with_annotations(index)


def in_order(cohort, drawn):
    """The reader sorts by image id; `case` is the phantom's number."""
    return cohort[np.argsort(cohort.covariates["case"].to_numpy())]


def checksums(root):
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def test_the_reader_gives_back_what_was_drawn(tree, drawn):
    cohort = in_order(read(tree).cohort(size=SIZE), drawn)
    np.testing.assert_array_equal(cohort.images, drawn.images)
    np.testing.assert_array_equal(cohort.labels, drawn.labels)
    np.testing.assert_array_equal(cohort.abnormality_masks, drawn.abnormality_masks[:, 0])
    np.testing.assert_array_equal(cohort.labels, cohort.abnormality_masks.any((1, 2)))
    np.testing.assert_array_equal(cohort.anatomy_masks, drawn.anatomy_masks)
    tube = drawn.shortcut_names.index("chest tube")
    np.testing.assert_array_equal(cohort.shortcut, drawn.shortcut.reshape(N, -1)[:, tube])
    np.testing.assert_array_equal(
        cohort.plane("shortcut_masks", "chest tube"),
        drawn.shortcut_masks.reshape(N, -1, SIZE, SIZE)[:, tube],
    )
    assert cohort.patient_ids.tolist() == drawn.patient_ids.tolist()
    for name in ("age", "sex", "view"):
        assert cohort.covariates[name].tolist() == drawn.covariates[name].tolist()


def test_tubes_are_known_for_two_parts(tree, drawn):
    cases = read(tree).cases.sort_values("case")
    assert cases["split"].tolist() == ["validation"] * 5 + ["test"] * 6 + ["train"] * 9
    lines = (tree / "cxr_tube_labels.csv").read_text().splitlines()
    assert lines[0] == "ImageId,tube"
    tube = drawn.shortcut.reshape(N, -1)[:, drawn.shortcut_names.index("chest tube")]
    assert [line.split(",") for line in lines[1:]] == [
        [uid, str(int(flag))] for uid, flag in zip(cases["case_id"][:11], tube[:11], strict=True)
    ]


def test_the_table_is_spelt_as_the_real_one(tree, drawn):
    lines = (tree / "train-rle.csv").read_text().splitlines()
    assert lines[0] == "ImageId, EncodedPixels"
    masks = {}
    for line in lines[1:]:
        uid, runs = line.split(",")
        assert runs.startswith(" ")
        masks[uid] = masks.get(uid, False) | decode(runs, (SIZE, SIZE))
    assert len(masks) == N
    assert sum(line.endswith(", -1") for line in lines) == (drawn.labels == 0).sum()
    np.testing.assert_array_equal(np.stack(list(masks.values())), drawn.abnormality_masks[:, 0])


def test_files_are_valid_and_named_by_their_ids(tree):
    for path in sorted(tree.rglob("*.dcm")):
        file = pydicom.dcmread(path)
        assert str(file.SOPInstanceUID) == path.stem
        assert str(file.StudyInstanceUID) == path.parents[1].name
        assert str(file.SeriesInstanceUID) == path.parent.name
        assert file.SOPInstanceUID.is_valid
        assert file.file_meta.MediaStorageSOPInstanceUID == file.SOPInstanceUID
        assert (file.Rows, file.Columns, file.Modality) == (SIZE, SIZE, "CR")


def test_compressed_as_the_real_ones(tmp_path, drawn):
    root = write_siim(tmp_path / "set", N, seed=7, size=SIZE, **PARTS)
    file = pydicom.dcmread(next(root.rglob("*.dcm")))
    assert file.file_meta.TransferSyntaxUID.name.startswith("JPEG Baseline")
    images = in_order(read(root).cohort(size=SIZE), drawn).images
    error = np.abs(images.astype(int) - drawn.images)
    assert error.mean() < 3  # compression loses, and nothing moves
    assert np.median(error) <= 2


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_the_same_bytes_whatever_the_batches_and_processes(tmp_path, n_jobs):
    options = {"seed": 1, "size": 32}
    first = checksums(write_siim(tmp_path / "a", 8, batch=3, **options))
    assert first == checksums(write_siim(tmp_path / "b", 8, batch=8, n_jobs=n_jobs, **options))
    other = checksums(write_siim(tmp_path / "c", 8, seed=2, size=32))
    assert not {n for n in first if n.endswith("dcm")} & set(other)


def test_patients_who_come_again_stay_in_one_part(tmp_path):
    population = Population(repeats=0.7)
    options = {"size": 32, "population": population}
    root = write_siim(tmp_path / "a", 24, n_validation=4, n_test=8, **options)
    index = read_index(root, problems=Problems(), n_validation=4, headers=True)
    assert index.cases["patient_id"].nunique() < 24
    assert (index.cases.groupby("patient_id")["split"].nunique() == 1).all()
    with pytest.raises(ValueError, match="multiples of 4"):
        write_siim(tmp_path / "b", 24, n_validation=5, n_test=8, **options)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"n": 0}, "n must be a whole number"),
        ({"size": 0}, "size must be"),
        ({"n_validation": 5, "n_test": 5}, "n must leave images for training, got 10"),
        ({"encoding": "png"}, "encoding must be one of"),
        ({"quality": 0}, "quality is a JPEG quality"),
        ({"batch": 0}, "batch must be"),
        ({"p_tube": {1: 2.0}}, "p_tube"),
    ],
)
def test_what_is_refused(tmp_path, options, says):
    n = options.pop("n", 10)
    with pytest.raises(ValueError, match=says):
        write_siim(tmp_path / "x", n, **options)


def test_a_folder_that_is_taken(tree):
    with pytest.raises(DataError, match="folder is taken"):
        write_siim(tree, 10)
