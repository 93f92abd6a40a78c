"""COVID-19 Radiography's tree, made by hand: what is read, and what is said of each fault."""

import os
import re
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from shortlib.data.covid_radiography import CLASSES, CLASSES_OF_LUNGMASK, OUTER, read_index
from shortlib.data.problems import DataError, Problems
from shortlib.data.splits import leaking_patients

N = 5
# What the data set holds, and what the paper takes of each class.
REAL = {"COVID": 3616, "Lung_Opacity": 6012, "Normal": 10192, "Viral Pneumonia": 1345}
PAPER = {"train": 800, "validation": 300, "test": 200}
HEADER = "cls,name,source,source_file,license,patient,view,sex,age"


def grey(kind, number):
    """Each image and its mask are known from class and number."""
    level = 20 + 40 * (number % 5) + 5 * len(kind)
    image = np.full((299, 299), level % 256, np.uint8)
    mask = np.zeros((256, 256), np.uint8)
    mask[64:192, 32 : 96 + 8 * number] = 255
    return image, mask


def plant(root, classes, base=""):
    for kind in classes:
        for part in ("images", "masks"):
            (root / base / kind / part).mkdir(parents=True)
        for number in range(1, N + 1):
            image, mask = grey(kind, number)
            Image.fromarray(image).save(root / base / kind / "images" / f"{kind}-{number}.png")
            Image.fromarray(mask).save(root / base / kind / "masks" / f"{kind}-{number}.png")
    return root


@pytest.fixture
def tree(tmp_path):
    return plant(tmp_path / "data", CLASSES, OUTER)


@pytest.fixture
def real(tmp_path, monkeypatch):
    """The data set's folders, and the names that each lists; no file is there to be opened."""
    base = tmp_path / "data" / "COVID-19_Radiography_Dataset"
    names = {}
    for kind, count in REAL.items():
        for part in ("images", "masks"):
            folder = base / kind / part
            folder.mkdir(parents=True)
            names[folder] = [f"{kind}-{number}.png" for number in range(count, 0, -1)]
        (base / f"{kind}.metadata.xlsx").touch()
    (base / "README.md.txt").touch()
    listed = os.listdir
    monkeypatch.setattr(os, "listdir", lambda at=".": names[at] if at in names else listed(at))
    return base, names


@pytest.fixture
def lungmask(tmp_path):
    return plant(tmp_path / "data", CLASSES_OF_LUNGMASK)


def metadata(root, rows, header=HEADER, name="metadata.csv"):
    (root / name).write_text("\n".join([header, *rows]) + "\n")


def rows_of(classes=CLASSES_OF_LUNGMASK, **changed):
    rows = []
    for kind in classes:
        for number in range(1, N + 1):
            source = "ieee8023/covid" if kind == "COVID" else "Kermany et al."
            row = f"{kind},{kind}-{number},{source},a/{number}.jpeg,CC BY 4.0,,PA,M,"
            rows.append(changed.get(f"{kind}-{number}".replace(" ", "_").replace("-", "_"), row))
    return rows


def read(root, on_error="raise", **options):
    return read_index(root, problems=Problems(on_error), **options)


def test_the_real_layout(tree):
    index = read(tree)
    assert len(index) == 4 * N
    assert index.label_names == CLASSES
    cohort = index.cohort(size=64)
    assert cohort.images.shape == (20, 1, 64, 64)
    for place in (0, 7, 19):
        kind, number = cohort.case_ids[place].rsplit("-", 1)
        image, mask = grey(kind, int(number))
        assert cohort.label_names[cohort.labels[place]] == kind
        assert (cohort.images[place] == image[0, 0]).all()
        np.testing.assert_array_equal(cohort.anatomy_masks[place], mask[::4, ::4] > 0)
    # Nothing says who is an adult, who is whose patient, or how old anyone is.
    assert cohort.shortcut is None
    assert cohort.covariates is None
    np.testing.assert_array_equal(cohort.patient_ids, cohort.case_ids)


def lung(kind, number, side):
    """A shape without symmetry, another one for each case, on a square of so many pixels."""
    y, x = (np.mgrid[:side, :side] + 0.5) / side
    left, top = 0.05 + 0.1 * number, 0.02 * len(kind)
    inside = (left < x) & (x < left + 0.3) & (top < y) & (y < 0.6 + x / 3)
    return np.where(inside, 255, 0).astype(np.uint8)


@pytest.mark.parametrize("size", [None, 224, 128])
def test_masks_cover_the_field_of_their_images(tree, size):
    for kind in CLASSES:
        for number in range(1, N + 1):
            for part, side in (("images", 299), ("masks", 256)):
                path = f"{OUTER}/{kind}/{part}/{kind}-{number}.png"
                picture(tree, path, lung(kind, number, side))
    cohort = read(tree).cohort(size=size)
    assert cohort.images.shape[2:] == (size or 299, size or 299)
    for case_id, image, mask in zip(
        cohort.case_ids, cohort.images[:, 0], cohort.anatomy_masks, strict=True
    ):
        seen = image >= 128
        assert (seen & mask).sum() > 0.95 * (seen | mask).sum()
        if size is None:
            kind, number = case_id.rsplit("-", 1)
            np.testing.assert_array_equal(image, lung(kind, int(number), 299))


def test_the_inner_folder_is_a_root_too(tree):
    assert read(tree / OUTER).cases["case_id"].tolist() == read(tree).cases["case_id"].tolist()


def test_cases_are_in_the_order_of_their_numbers(tree):
    folder = tree / OUTER / "Normal"
    for part in ("images", "masks"):
        (folder / part / "Normal-3.png").rename(folder / part / "Normal-12.png")
    normal = read(tree, classes=["Normal"]).cases["case_id"].tolist()
    assert normal == ["Normal-1", "Normal-2", "Normal-4", "Normal-5", "Normal-12"]


def test_lungmask_has_its_own_classes_and_metadata(lungmask):
    rows = rows_of(
        COVID_1="COVID,COVID-1,ieee8023/covid,x.jpg,CC BY 3.0,226,AP,F,51",
        COVID_2="COVID,COVID-2,ieee8023/covid,y.jpg,CC BY 3.0,226,AP,F,52.5",
        Normal_1="Normal,Normal-1,Kermany et al.,NORMAL2-IM-0007-0001.jpeg,CC BY 4.0,,,,",
        Normal_2="Normal,Normal-2,Kermany et al.,NORMAL2-IM-0007-0002.jpeg,CC BY 4.0,,,,",
        Viral_Pneumonia_4="Viral Pneumonia,Viral Pneumonia-4,Kermany,person7_virus_3.jpeg,,,,,",
        Bacterial_Pneumonia_2="Bacterial Pneumonia,Bacterial Pneumonia-2,Kermany,"
        "person7_bacteria_9.jpeg,,,,,",
    )
    metadata(lungmask, rows)
    index = read(lungmask)
    assert index.label_names == CLASSES_OF_LUNGMASK
    cases = index.cases.set_index("case_id")
    assert cases.loc[["COVID-1", "COVID-2"], "patient_id"].tolist() == ["ieee8023-226"] * 2
    assert cases.loc[["Normal-1", "Normal-2"], "patient_id"].nunique() == 1
    person = cases.loc[["Viral Pneumonia-4", "Bacterial Pneumonia-2"], "patient_id"]
    assert person.tolist() == ["person7", "person7"]
    assert cases["patient_id"].nunique() == 4 * N - 3
    assert not leaking_patients(cases["patient_id"], cases["split"])
    cohort = index.cohort(size=16)
    assert cohort.shortcut_names == ("adult",)
    covid = np.char.startswith(cohort.case_ids, "COVID")
    np.testing.assert_array_equal(cohort.shortcut, covid)
    assert list(cohort.covariates) == ["age", "sex", "view", "source", "licence"]
    assert cohort.covariates["age"][:2].tolist() == [51, 52.5]
    assert cohort.covariates["age"][2:].isna().all()


def test_age_goes_before_source(lungmask):
    rows = rows_of(
        COVID_1="COVID,COVID-1,ieee8023/covid,x,,1,AP,F,17",
        Normal_1="Normal,Normal-1,Kermany,x,,,,,18",
    )
    metadata(lungmask, rows)
    cases = read(lungmask).cases.set_index("case_id")
    assert not cases.loc["COVID-1", "adult"]
    assert cases.loc["Normal-1", "adult"]


def test_an_unknown_source_without_age_leaves_the_shortcut_out(lungmask):
    rows = rows_of(COVID_1="COVID,COVID-1,somewhere,x,,1,AP,F,")
    metadata(lungmask, rows)
    assert read(lungmask).shortcuts == ()


def test_metadata_of_two_columns_is_enough(lungmask):
    rows = [f"{kind},{kind}-{n}" for kind in CLASSES_OF_LUNGMASK for n in range(1, N + 1)]
    metadata(lungmask, rows, header="cls,name")
    index = read(lungmask)
    assert index.covariates == ()
    assert index.shortcuts == ()


def test_windows_line_ends_and_a_byte_order_mark(lungmask):
    text = "\r\n".join([HEADER, *rows_of()]) + "\r\n"
    (lungmask / "metadata.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert len(read(lungmask)) == 4 * N


def test_split_by_shares(tree):
    cases = read(tree).cases
    assert cases["split"].value_counts().to_dict() == {"train": 12, "validation": 4, "test": 4}
    assert (cases.groupby(["split", "label"]).size().unstack().loc["validation"] == 1).all()
    assert not cases["split"].equals(read(tree, seed=1).cases["split"])
    halves = read(tree, fractions={"train": 0.5, "test": 0.5}).cases["split"]
    assert halves.value_counts().to_dict() == {"train": 10, "test": 10}


def test_split_by_quota_and_too_few(tree):
    index = read(tree, per_class={"train": 2, "validation": 1, "test": 1})
    counts = index.cases.groupby(["split", "label"]).size().unstack()
    assert counts.loc["train"].tolist() == [2] * 4
    assert counts.loc["unused"].tolist() == [1] * 4
    with pytest.raises(DataError) as error:
        read(tree, per_class={"train": 800, "validation": 300, "test": 200})
    said = str(error.value)
    assert "800 train + 300 validation + 200 test of each class, 1300 in all" in said
    assert "Viral Pneumonia has 5" in said


def test_the_papers_split_of_the_whole_data_set(real):
    root = real[0].parent
    index = read(root, per_class=PAPER)
    assert index.label_names == tuple(REAL)
    parts = {part: set(index.of(part).cases["case_id"]) for part in (*PAPER, "unused")}
    taken = Counter(
        (case_id.rsplit("-", 1)[0], part) for part, ids in parts.items() for case_id in ids
    )
    for kind, count in REAL.items():
        assert {part: taken[kind, part] for part in PAPER} == PAPER
        assert taken[kind, "unused"] == count - 1300
    assert sum(map(len, parts.values())) == len(set.union(*parts.values())) == len(index) == 21_165
    for case_id, label, image, mask in index.cases[["case_id", "label", "image", "mask"]].values:
        kind = list(REAL)[label]
        assert case_id.startswith(f"{kind}-")
        assert image == f"COVID-19_Radiography_Dataset/{kind}/images/{case_id}.png"
        assert mask == f"COVID-19_Radiography_Dataset/{kind}/masks/{case_id}.png"
    assert index.cases["split"].equals(read(root, per_class=PAPER).cases["split"])
    assert set(read(root, per_class=PAPER, seed=1).of("test").cases["case_id"]) != parts["test"]


@pytest.mark.parametrize("parts", [("masks",), ("images", "masks")])
def test_one_image_too_few_for_the_papers_split(real, parts):
    root, names = real

    def lose(number):
        for part in parts:
            names[root / "Viral Pneumonia" / part].remove(f"Viral Pneumonia-{number}.png")

    for number in range(1301, 1346):
        lose(number)
    cases = read(root, "skip", per_class=PAPER).cases
    viral = cases[cases["case_id"].str.startswith("Viral")]
    assert viral["split"].value_counts().to_dict() == PAPER  # 1,300 are just enough
    lose(7)
    problems = Problems("skip")
    with pytest.raises(DataError) as error:
        read_index(root, problems=problems, per_class=PAPER)
    assert error.value.kind == "too few images"
    assert str(error.value).endswith(
        "should give 800 train + 300 validation + 200 test of each class, 1300 in all; COVID has "
        "3616, Lung_Opacity has 6012, Normal has 10192, Viral Pneumonia has 1299; test lacks 1 of "
        "Viral Pneumonia"
    )
    # Where masks alone are missing, the first one is named, or all of them are counted.
    assert problems.counts() == ({"missing mask": 46} if parts == ("masks",) else {})
    with pytest.raises(DataError) as error:
        read(root, per_class=PAPER)
    if parts == ("masks",):
        assert error.value.kind == "missing mask"
        assert "Viral Pneumonia/masks/Viral Pneumonia-7.png" in str(error.value)
    else:
        assert error.value.kind == "too few images"


def test_grey_stored_in_colour_is_grey(tree):
    for part, size in (("images", 299), ("masks", 256)):
        path = tree / OUTER / "COVID" / part / "COVID-1.png"
        level = 77 if part == "images" else 255
        Image.fromarray(np.full((size, size, 3), level, np.uint8)).save(path)
    case = read(tree).case(0, 32)
    assert (case["images"] == 77).all()
    assert case["anatomy_masks"].all()


# Faults of one case: raised, or left out and counted.

COVID = f"{OUTER}/COVID"


def remove(root, path):
    (root / path).unlink()


def write(root, path, content):
    (root / path).write_bytes(content)


def picture(root, path, array):
    Image.fromarray(array).save(root / path)


def link_out(root, path):
    (root / path).unlink()
    outside = root.parent / "outside.png"
    Image.fromarray(grey("COVID", 1)[0]).save(outside)
    (root / path).symlink_to(outside)


def cut(root, path):
    content = (root / path).read_bytes()
    (root / path).write_bytes(content[: len(content) // 2])


IMAGE, MASK = f"{COVID}/images/COVID-2.png", f"{COVID}/masks/COVID-2.png"
COLOUR = np.dstack([np.full((299, 299), level, np.uint8) for level in (200, 100, 10)])
FAULTS = {
    "image without mask": (remove, MASK, (), "missing mask", "COVID/masks/COVID-2.png"),
    "mask without image": (remove, IMAGE, (), "missing image", "COVID/images/COVID-2.png"),
    "zero bytes": (write, IMAGE, (b"",), "empty image", "no bytes"),
    "zero bytes of mask": (write, MASK, (b"",), "empty mask", "masks/COVID-2.png"),
    "no image": (write, IMAGE, (b"no image",), "unreadable image", "COVID-2.png"),
    "no mask": (write, MASK, (b"no image",), "unreadable mask", "masks/COVID-2.png"),
    "cut": (cut, IMAGE, (), "unreadable image", "COVID-2.png"),
    "cut mask": (cut, MASK, (), "unreadable mask", "COVID-2.png"),
    "size": (picture, IMAGE, (np.zeros((256, 256), np.uint8),), "wrong size of image", "299x299"),
    "mask size": (picture, MASK, (np.zeros((299, 299), np.uint8),), "wrong size of mask", "256x25"),
    "colour": (picture, IMAGE, (COLOUR,), "colour image", "190 levels"),
    "16 bit": (picture, IMAGE, (np.zeros((299, 299), np.uint16),), "image is not 8-bit", "I;16"),
    "shades": (picture, MASK, (np.full((256, 256), 99, np.uint8),), "mask is not binary", "[99]"),
    "link": (link_out, IMAGE, (), "link out of the root", "outside.png"),
    "odd name": (write, f"{COVID}/images/scan.png", (b"x",), "name of image", "COVID-<number>"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_case_is_raised_or_left_out(tree, fault):
    spoil, path, arguments, kind, says = FAULTS[fault]
    spoil(tree, path, *arguments)
    with pytest.raises(DataError) as error:
        read(tree).cohort(size=32)
    assert error.value.kind == kind
    assert says in str(error.value)
    with pytest.warns(UserWarning, match=f"1 {kind}"):
        cohort = read(tree, "skip").cohort(size=32)
    assert len(cohort) == 4 * N - (fault != "odd name")
    assert [problem.kind for problem in cohort.skipped] == [kind]


@pytest.mark.parametrize(
    ("part", "width", "height", "due"),
    [
        ("image", 224, 224, 299),
        ("image", 298, 299, 299),
        ("mask", 299, 299, 256),
        ("mask", 256, 255, 256),
        ("mask", 512, 512, 256),
    ],
)
def test_both_sizes_are_said(tree, part, width, height, due):
    path = f"{OUTER}/Viral Pneumonia/{part}s/Viral Pneumonia-3.png"
    picture(tree, path, np.zeros((height, width), np.uint8))
    with pytest.raises(DataError) as error:
        read(tree).cohort(size=32)
    assert error.value.path == tree / path
    assert str(error.value).endswith(
        f"Viral Pneumonia-3.png: wrong size of {part}: {width}x{height} px, "
        f"in this data set it is {due}x{due} px"
    )


def test_many_faults_are_left_out_and_counted(tree):
    base = f"{OUTER}/Viral Pneumonia"
    for number in (1, 2, 4):
        remove(tree, f"{base}/masks/Viral Pneumonia-{number}.png")
    for number in (2, 5):
        picture(tree, f"{OUTER}/Normal/masks/Normal-{number}.png", np.zeros((299, 299), np.uint8))
    cut(tree, f"{COVID}/images/COVID-3.png")
    index = read(tree, "skip")
    assert index.problems.counts() == {"missing mask": 3}  # what listing alone shows
    says = "6 left out (3 missing mask, 2 wrong size of mask, 1 unreadable image); the first: "
    with pytest.warns(UserWarning, match=re.escape(says) + r".*Viral Pneumonia-1\.png"):
        cohort = index.cohort(size=32)
    left = {f"{kind}-{number}" for kind in CLASSES for number in range(1, N + 1)}
    left -= {f"Viral Pneumonia-{number}" for number in (1, 2, 4)}
    left -= {"Normal-2", "Normal-5", "COVID-3"}
    assert set(cohort.case_ids) == left
    assert len(cohort.skipped) == 6
    for place, case_id in enumerate(cohort.case_ids):
        kind, number = case_id.rsplit("-", 1)
        assert (cohort.images[place] == grey(kind, int(number))[0][0, 0]).all()


def test_files_that_systems_leave_are_no_cases(tree):
    for name in (".DS_Store", "Thumbs.db", "._COVID-1.png"):
        (tree / COVID / "images" / name).write_bytes(b"x")
    assert len(read(tree)) == 4 * N


TABLE_FAULTS = {
    "twice": (["COVID,COVID-1,,,,,,,"], "duplicate row", "line 22"),
    "no such image": (["COVID,COVID-99,,,,,,,"], "missing image", "COVID-99"),
}


@pytest.mark.parametrize("fault", TABLE_FAULTS)
def test_a_faulty_row_is_raised_or_left_out(lungmask, fault):
    rows, kind, says = TABLE_FAULTS[fault]
    metadata(lungmask, rows_of() + rows)
    with pytest.raises(DataError, match=says) as error:
        read(lungmask)
    assert error.value.kind == kind
    index = read(lungmask, "skip")
    assert len(index) == 4 * N
    assert index.problems.counts() == {kind: 1}


def test_a_case_without_a_row_or_of_another_class(lungmask):
    rows = rows_of(Normal_2="COVID,Normal-2,ieee8023,x,,,,,")
    metadata(lungmask, rows[:-1])
    index = read(lungmask, "skip")
    assert index.problems.counts() == {"no row": 2, "wrong class": 1}
    assert len(index) == 4 * N - 2


@pytest.mark.parametrize(
    ("age", "says"), [("old", "got 'old'"), ("-3", "from 0 to 120"), ("400", "from 0 to 120")]
)
def test_a_bad_age(lungmask, age, says):
    metadata(lungmask, rows_of(COVID_2=f"COVID,COVID-2,,,,,,,{age}"))
    with pytest.raises(DataError, match=says) as error:
        read(lungmask, "skip")
    assert error.value.row == 3


def test_a_missing_column(lungmask):
    metadata(lungmask, ["COVID"], header="cls")
    with pytest.raises(DataError, match=r"missing column.*'name'"):
        read(lungmask, "skip")


# Faults of the whole: raised whatever happens to cases.


def test_wrong_roots(tree, tmp_path):
    with pytest.raises(DataError, match="no data"):
        read(tmp_path / "nowhere", "skip")
    with pytest.raises(DataError, match=f"wrong root.*{tree.name} has it"):
        read(tree.parent, "skip")
    with pytest.raises(DataError, match="wrong root"):
        read(tree / OUTER / "COVID" / "images", "skip")


@pytest.mark.parametrize("folder", ["masks", "images"])
def test_a_missing_folder(tree, folder):
    (tree / OUTER / "Normal" / folder).rename(tree / "away")
    with pytest.raises(DataError, match=f"missing folder.*Normal/{folder}"):
        read(tree, "skip")


def test_a_class_folder_without_its_space(tree):
    folder = tree / OUTER / "Viral Pneumonia"
    folder.rename(folder.with_name("Viral_Pneumonia"))
    with pytest.raises(DataError, match=r"missing folder.*Viral Pneumonia/images'$"):
        read(tree, "skip")


def test_an_empty_class_and_an_empty_split(tree):
    for path in (tree / OUTER).rglob("*.png"):
        if "Viral" not in path.name:
            path.unlink()
    index = read(tree)
    assert len(index) == N
    with pytest.raises(DataError, match=r"empty split: .* has no case in 'holdout'; it has"):
        index.cohort("holdout")
    for path in (tree / OUTER).rglob("*.png"):
        path.unlink()
    with pytest.raises(DataError, match="no cases"):
        read(tree, "skip")


def test_a_folder_that_links_out(tree, tmp_path):
    folder = tree / OUTER / "Normal"
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="link out of the root"):
        read(tree, "skip")


def test_the_real_radiographs(open_data):
    root = open_data / "covid_cxr_lungmask"
    index = read(root)
    table = pd.read_csv(root / "metadata.csv")
    assert index.label_names == CLASSES_OF_LUNGMASK
    assert index.cases["label"].value_counts().tolist() == [120] * 4
    assert index.cases.groupby("label")["patient_id"].nunique().tolist() == [78, 120, 120, 120]
    assert not leaking_patients(index.cases["patient_id"], index.cases["split"])
    # The confounder is whole: the COVID-19 cases are the adults.
    np.testing.assert_array_equal(index.cases["adult"], index.cases["label"] == 0)
    assert index.cases["age"].notna().sum() == table["age"].notna().sum()
    for place in range(0, 480, 60):
        case, name = index.case(place, 299), index.cases["case_id"][place]
        kind = name.rsplit("-", 1)[0]
        pixels = np.asarray(Image.open(root / kind / "images" / f"{name}.png"))
        lungs = np.asarray(Image.open(root / kind / "masks" / f"{name}.png")) > 0
        np.testing.assert_array_equal(case["images"][0], pixels)
        assert 0.1 < lungs.mean() < 0.7
        assert case["anatomy_masks"].mean() == pytest.approx(lungs.mean(), abs=0.003)


@pytest.mark.slow
def test_all_real_radiographs(open_data):
    cohort = read(open_data / "covid_cxr_lungmask").cohort(size=64)
    assert len(cohort) == 480
    assert cohort.skipped == ()
    share = cohort.anatomy_masks.mean((1, 2))
    assert ((share > 0.08) & (share < 0.75)).all()
