import numpy as np
import pytest
from PIL import Image

from shortlib.data import image_table
from shortlib.data.problems import DataError, Problems

N = 20


@pytest.fixture
def root(tmp_path):
    """Images of two patients each, with masks of the positives and a table."""
    rng = np.random.default_rng(0)
    rows = ["image,label,patient,abnormality,shortcut:ruler,age"]
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for i in range(N):
        label, name = i % 2, f"images/scan {i}.png"
        Image.fromarray(rng.integers(0, 256, (10, 14), dtype=np.uint8)).save(tmp_path / name)
        mask = f"masks/{i}.png" if label else ""
        if label:
            Image.fromarray(np.full((10, 14), 255, np.uint8)).save(tmp_path / mask)
        rows.append(
            f"{name},{('sick' if label else 'well')},p{i // 2},{mask},{i % 3 == 0:d},{40 + i}"
        )
    (tmp_path / "cases.csv").write_text("\n".join(rows))
    return tmp_path


def read(root, on_error="raise", **options):
    return image_table.read_index(root, problems=Problems(on_error), **options)


def rewrite(root, old, new, count=-1):
    path = root / "cases.csv"
    path.write_text(path.read_text().replace(old, new, count))


def test_a_folder_with_a_table_becomes_a_cohort(root):
    cohort = read(root).cohort(size=12)
    assert cohort.label_names == ("sick", "well")
    assert cohort.labels.tolist() == [1, 0] * (N // 2)
    assert cohort.case_ids[3] == "images/scan 3"
    assert cohort.shortcut_names == ("ruler",)
    assert cohort.shortcut.tolist() == [i % 3 == 0 for i in range(N)]
    assert cohort.covariates["age"].tolist() == [40 + i for i in range(N)]
    assert cohort.abnormality_masks.any(axis=(1, 2)).tolist() == [False, True] * (N // 2)
    assert cohort.anatomy_masks is None


def test_without_a_split_patients_are_divided_by_the_seed(root):
    first, second, other = (read(root, seed=seed).cases for seed in (0, 0, 1))
    assert first["split"].tolist() == second["split"].tolist() != other["split"].tolist()
    assert first.groupby("patient_id")["split"].nunique().max() == 1
    assert set(first["split"]) == {"train", "validation", "test"}


def test_findings_have_a_column_each(root):
    lines = (root / "cases.csv").read_text().splitlines()
    values = ["1", "0", "-1", ""]
    text = ["image,label:edema,label:effusion"]
    text += [f"{line.split(',')[0]},{values[i % 4]},1" for i, line in enumerate(lines[1:])]
    (root / "cases.csv").write_text("\n".join(text))
    cohort = read(root, fractions={"a": 0.5, "b": 0.5}).cohort("a+b", size=8)
    assert cohort.label_names == ("edema", "effusion")
    np.testing.assert_array_equal(cohort.labels[:4, 0], [1, 0, -1, np.nan])


def test_colour_is_asked_for(root):
    with pytest.raises(
        DataError, match=r"scan 0.png: grey image: images of this data set are in col"
    ):
        read(root, channels=3).cohort()


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("image,label", "picture,label", r"missing column: 'image' must be there once"),
        ("image,label", "image,diagnosis", r"missing column: 'label' must be there once"),
        ("scan 3.png", "scan 2.png", r"line 5: duplicate row: image 'images/scan 2.png' occurs"),
        ("scan 3.png", "scan 2.jpg", r"line 5: duplicate row: case_id 'images/scan 2' occurs"),
        (
            "scan 3.png,sick",
            "scan 3.png,",
            r"line 5: bad cell: 'label' must be one of sick, well, got ''",
        ),
        (",1,40", ",2,40", r"line 2: bad cell: 'shortcut:ruler' must be one of 0, 1, got '2'"),
    ],
)
def test_wrong_tables(root, old, new, sentence):
    rewrite(root, old, new, 1)
    with pytest.raises(DataError, match=sentence):
        read(root)


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("images/scan 3.png", "../scan 3.png", "hostile path"),
        ("images/scan 3.png", "images/no.png", "missing image"),
        ("masks/3.png", "masks/no.png", "missing abnormality mask"),
    ],
)
def test_wrong_paths_stop_or_are_counted(root, old, new, kind):
    rewrite(root, old, new, 1)
    with pytest.raises(DataError, match=kind):
        read(root).cohort()
    with pytest.warns(UserWarning, match=f"1 {kind}"):
        assert len(read(root, "skip").cohort()) == N - 1


def test_a_wrong_root_is_said(tmp_path, root):
    with pytest.raises(DataError, match=r"wrong root: .* holds cases.csv"):
        read(root / "images")


def test_too_few_patients_for_a_split_are_a_fault_of_the_data(root):
    path = root / "cases.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:3]))
    with pytest.raises(DataError, match="too few patients: 3 parts need as many"):
        read(root)


def test_the_order_of_the_classes_may_be_given(root):
    cohort = read(root, classes=("well", "sick")).cohort()
    assert cohort.label_names == ("well", "sick")
    assert cohort.labels.tolist() == [0, 1] * (N // 2)
    with pytest.raises(
        DataError, match="line 2: bad cell: 'label' must be one of sick, got 'well'"
    ):
        read(root, classes=("sick",))
    index = read(root, "skip", classes=("sick",))
    assert len(index) == N // 2


def columns(root, header, cells):
    """Write the table anew: the header after the image, and the cells of image i."""
    rows = [f"images/scan {i}.png,{cells(i)}" for i in range(N)]
    (root / "cases.csv").write_text("\n".join([f"image,{header}", *rows]))


def test_one_finding_alone_is_there_or_not(root):
    columns(root, "label:edema", lambda i: "" if i == 3 else -1 if i == 4 else i % 2)
    with pytest.raises(
        DataError, match="line 5: bad cell: 'label:edema' must be one of 0, 1, got ''"
    ):
        read(root)
    index = read(root, "skip")
    assert index.problems.counts() == {"bad cell": 2}
    assert index.cases["edema"].tolist() == [i % 2 for i in range(N) if i not in (3, 4)]


@pytest.mark.parametrize(
    ("header", "cells", "sentence"),
    [
        ("label,patient_id", "a,p", "column name is taken: 'patient_id' should be 'patient'"),
        ("label,case_id", "a,p", "column name is taken: 'case_id'"),
        ("label,ruler,shortcut:ruler", "a,1,1", "column twice: 'ruler' names two of image, label"),
        ("label:age,label:b,age", "1,1,40", "column twice: 'age'"),
        ("label,split", "a,", "line 2: bad cell: 'split' of 'images/scan 0.png' is empty"),
        ("label,patient", "a,", "line 2: bad cell: 'patient' of 'images/scan 0.png' is empty"),
    ],
)
def test_columns_that_would_be_misread(root, header, cells, sentence):
    columns(root, header, lambda i: cells)
    with pytest.raises(DataError, match=sentence):
        read(root)


def test_a_patient_in_two_parts_is_not_split_silently(root):
    columns(
        root, "label,patient,split", lambda i: f"a,p{i // 2},{'test' if i in (3, 8, 9) else 'x'}"
    )
    with pytest.raises(DataError, match="line 4: patient in two parts: 'p1' is in test and x"):
        read(root)
    index = read(root, "skip")
    assert index.problems.counts() == {"patient in two parts": 2}
    assert len(index) == N - 2


@pytest.mark.parametrize("header", ["label:x,label:y", "label,shortcut:x"])
def test_a_bad_cell_is_counted(root, header):
    columns(root, header, lambda i: f"1,{7 if i == 5 else i % 2}")
    index = read(root, "skip")
    assert index.problems.counts() == {"bad cell": 1}
    assert len(index) == N - 1


def test_columns_without_a_name_and_classes_that_are_numbers(root):
    columns(root, "label,,", lambda i: f"{i % 2},,")
    index = read(root, classes=[1, 0])
    assert (index.label_names, index.covariates) == (("1", "0"), ())
    assert index.cases["label"].tolist() == [1, 0] * (N // 2)


def test_a_mask_covers_the_field_of_its_image(root):
    half = np.zeros((5, 7), np.uint8)
    half[:, :3] = 255
    Image.fromarray(half).save(root / "masks" / "1.png")
    full = half.repeat(2, axis=0).repeat(2, axis=1)
    Image.fromarray(full).save(root / "masks" / "3.png")
    cohort = read(root).cohort(size=10)
    np.testing.assert_array_equal(*cohort.abnormality_masks[[1, 3]])
    Image.fromarray(np.zeros((10, 10), np.uint8)).save(root / "masks" / "1.png")
    with pytest.raises(DataError, match=r"1.png: wrong size of mask: 10x10 px .* 14x10 px"):
        read(root).cohort(size=10)


def test_labels_are_of_one_kind(root):
    rewrite(root, "image,label,patient", "image,label,label:edema", 1)
    with pytest.raises(DataError, match="two kinds of labels: 'label' stands beside 'label:edema'"):
        read(root)


def test_a_case_without_anatomy_stops_or_is_counted(root):
    rewrite(root, ",age", ",anatomy", 1)
    rewrite(root, ",41", ",", 1)
    with pytest.raises(
        DataError, match=r"line 3: bad cell: 'anatomy' of 'images/scan 1.png' is emp"
    ):
        read(root)
    assert len(read(root, "skip")) == N - 1


def test_a_table_without_any_label_is_said(root):
    path = root / "cases.csv"
    path.write_text(path.read_text().replace(",sick", ",").replace(",well", ","))
    with pytest.raises(DataError, match="'label' is empty in every row"):
        read(root)
