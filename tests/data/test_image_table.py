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
