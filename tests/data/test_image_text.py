"""Radiographs with notes: a small tree by hand, and the real one."""

import numpy as np
import pytest
from PIL import Image

from shortlib.data.image_text import read_index
from shortlib.data.problems import DataError, Problems
from shortlib.data.splits import leaking_patients

HEADER = "file,source_file,patientid,finding,view,sex,age,license,clinical_notes,other_notes"
FINDINGS = ["COVID-19", "COVID-19, ARDS", "Pneumocystis", "No Finding"]
SHAPES = [(40, 60), (60, 40), (60, 55), (30, 60), (60, 60), (20, 60), (60, 50), (44, 60)]
N = len(SHAPES)


def row(number, **changed):
    cells = {
        "file": f"{number}.jpg",
        "source_file": "x",
        "patientid": str(number // 2),
        "finding": f'"{FINDINGS[number % 4]}"',
        "view": "PA",
        "sex": "F",
        "age": str(40 + number),
        "license": "CC BY",
        "clinical_notes": f'"Case {number}, with ""quotes"" and\na second line."',
        "other_notes": "",
    }
    return ",".join({**cells, **changed}.values())


def table(root, rows=None, header=HEADER, end="\n", mark=b""):
    rows = [row(number) for number in range(N)] if rows is None else rows
    (root / "metadata.csv").write_bytes(mark + end.join([header, *rows, ""]).encode())


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "data"
    (root / "images").mkdir(parents=True)
    for number, shape in enumerate(SHAPES):
        Image.fromarray(np.full(shape, 20 + 20 * number, np.uint8)).save(
            root / "images" / f"{number}.jpg", quality=95
        )
    table(root)
    return root


def read(root, on_error="raise", **options):
    return read_index(root, problems=Problems(on_error), **options)


def test_what_is_read(tree):
    index = read(tree)
    cohort = index.cohort(size=60)
    assert cohort.label_names == ("no COVID-19", "COVID-19")
    assert cohort.labels.tolist() == [1, 1, 0, 0] * 2
    assert cohort.reports[3] == 'Case 3, with "quotes" and\na second line.'
    assert cohort.patient_ids.tolist() == [str(number // 2) for number in range(N)]
    assert not leaking_patients(cohort.patient_ids, index.cases["split"])
    assert cohort.covariates["age"].tolist() == list(range(40, 48))
    assert cohort.covariates["licence"].tolist() == ["CC BY"] * N
    for number, (height, width) in enumerate(SHAPES):
        top, left = (60 - height) // 2, (60 - width) // 2
        image = cohort.images[number, 0].astype(int)
        inner = image[top : top + height, left : left + width]
        assert np.abs(inner - (20 + 20 * number)).max() <= 2
        assert image.sum() == inner.sum()  # padded with black


def test_findings_as_labels(tree):
    cohort = read(tree, label="finding").cohort(size=20)
    assert cohort.label_names == ("COVID-19", "COVID-19, ARDS", "No Finding", "Pneumocystis")
    assert cohort.labels.tolist() == [0, 1, 3, 2] * 2


@pytest.mark.parametrize(("end", "mark"), [("\r\n", b""), ("\n", b"\xef\xbb\xbf")])
def test_line_ends_and_marks(tree, end, mark):
    table(tree, end=end, mark=mark)
    assert len(read(tree)) == N


def test_tinted_images(tree):
    array = np.full((40, 60, 3), (200, 100, 50), np.uint8)
    Image.fromarray(array).save(tree / "images" / "0.jpg", quality=100, subsampling=0)
    with pytest.raises(DataError, match="colour image"):
        read(tree).case(0)
    image = read(tree, tinted="luminance", fit="crop").case(0, 20)["images"]
    expected = 0.299 * 200 + 0.587 * 100 + 0.114 * 50
    np.testing.assert_allclose(image, expected, atol=2)


def spoil_size(path):
    Image.fromarray(np.zeros((61, 20), np.uint8)).save(path)


IMAGE_FAULTS = {
    "missing": (lambda path: path.unlink(), "missing image"),
    "no bytes": (lambda path: path.write_bytes(b""), "empty image"),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:200]), "unreadable image"),
    "size": (spoil_size, "wrong size of image"),
    "16 bit": (
        lambda path: Image.fromarray(np.zeros((9, 9), np.uint16)).save(path, format="PNG"),
        "image is not 8-bit",
    ),
    "link": (
        lambda path: (path.rename(path.parents[2] / "x"), path.symlink_to(path.parents[2] / "x")),
        "link out of the root",
    ),
}


@pytest.mark.parametrize("fault", IMAGE_FAULTS)
def test_a_faulty_image_is_raised_or_left_out(tree, fault):
    spoil, kind = IMAGE_FAULTS[fault]
    spoil(tree / "images" / "5.jpg")
    with pytest.raises(DataError, match=r"5\.jpg") as error:
        read(tree, longest=60).cohort(size=20)
    assert error.value.kind == kind
    with pytest.warns(UserWarning, match=f"1 {kind}"):
        assert len(read(tree, "skip", longest=60).cohort(size=20)) == N - 1


ROW_FAULTS = {
    "twice": (row(3), "duplicate row", "'3.jpg' occurs before"),
    "no notes": (row(9, clinical_notes=""), "empty cell", "'clinical_notes' of '9.jpg'"),
    "no finding": (row(9, finding=""), "empty cell", "'finding' of '9.jpg'"),
    "no patient": (row(9, patientid=""), "empty cell", "'patientid' of '9.jpg'"),
    "no age": (row(9, age="old"), "bad cell", "'age' must be a number from 0 to 120, got 'old'"),
    "no file": (row(9, file=""), "empty cell", "'file' of ''"),
}


@pytest.mark.parametrize("fault", ROW_FAULTS)
def test_a_faulty_row_is_raised_or_left_out(tree, fault):
    bad, kind, says = ROW_FAULTS[fault]
    table(tree, [*(row(number) for number in range(N)), bad])
    with pytest.raises(DataError) as error:
        read(tree)
    assert error.value.kind == kind
    assert says in str(error.value)
    index = read(tree, "skip")
    assert index.problems.counts() == {kind: 1}
    assert len(index) == N


def test_faults_of_the_whole(tree, tmp_path):
    with pytest.raises(DataError, match=r"wrong root.*data has it"):
        read(tmp_path, "skip")
    with pytest.raises(DataError, match="empty split"):
        read(tree).cohort("holdout")
    table(tree, [row(0, file="../../x.jpg"), *(row(n) for n in range(1, N))])
    with pytest.raises(DataError, match="hostile path"):
        read(tree).cohort(size=20)
    table(tree, header=HEADER.replace("clinical_notes", "notes"))
    with pytest.raises(DataError, match="missing column: 'clinical_notes'"):
        read(tree, "skip")
    table(tree, [])
    with pytest.raises(DataError, match="no cases"):
        read(tree, "skip")
    table(tree, [row(0), row(1)])
    with pytest.raises(DataError, match="there are 1"):
        read(tree, "skip")


@pytest.mark.parametrize("options", [{"label": "age"}, {"tinted": "keep"}])
def test_wrong_arguments(tree, options):
    with pytest.raises(ValueError, match="must be one of"):
        read(tree, **options)


def test_the_real_pairs(open_data):
    index = read(open_data / "ieee8023_image_text", longest=384)
    cases = index.cases
    assert (len(cases), cases["patient_id"].nunique(), cases["label"].sum()) == (183, 106, 114)
    assert (cases["finding"] == "No Finding").sum() == 4
    assert round(cases["report"].str.len().mean()) == 337
    assert cases["licence"].str.startswith("CC BY-NC-SA").sum() == 174
    assert not leaking_patients(cases["patient_id"], cases["split"])
    for place in range(0, 183, 40):
        pixels = np.asarray(Image.open(open_data / "ieee8023_image_text" / cases["image"][place]))
        image = index.case(place, max(pixels.shape))["images"][0]
        assert image.sum() == pixels.sum()


@pytest.mark.slow
def test_all_real_pairs(open_data):
    index = read(open_data / "ieee8023_image_text", longest=384, label="finding")
    cohort = index.cohort(size=64)
    assert cohort.images.shape == (183, 1, 64, 64)
    assert len(cohort.label_names) == 15
