import gzip
import io
import os

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from shortlib.data.chexpert_labels import FINDINGS, FIVE
from shortlib.data.mimic_cxr import read_index
from shortlib.data.problems import DataError, Problems

SPLIT, LABELS, META = (f"mimic-cxr-2.0.0-{n}.csv" for n in ("split", "chexpert", "metadata"))
ONE = "aaaaaaaa-00000001"
TWO = "bbbbbbbb-00000002"
THREE = "cccccccc-00000003"
ROWS = [  # dicom_id, study_id, subject_id, split
    (ONE, "50000001", "10000032", "train"),
    (TWO, "50000001", "10000032", "train"),
    (THREE, "50000002", "11000000", "test"),
]
FOUND = {  # by study: Atelectasis, Cardiomegaly, Consolidation, Edema, Pleural Effusion
    "50000001": ("1.0", "0.0", "-1.0", "", "1"),
    "50000002": ("", "", "0", "1.0", ""),
}
VIEWS = {ONE: "PA", TWO: "LATERAL", THREE: "AP"}


def image_file(dicom, study, subject):
    return f"files/p{subject[:2]}/p{subject}/s{study}/{dicom}.jpg"


def write_image(path, seed=0, shape=(40, 50)):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    Image.fromarray(cv2.blur(pixels, (5, 5))).save(path, quality=95)


def labels_table():
    table = pd.DataFrame("", index=range(len(FOUND)), columns=["subject_id", "study_id", *FINDINGS])
    table["study_id"] = list(FOUND)
    table["subject_id"] = ["10000032", "11000000"]
    table[list(FIVE)] = list(FOUND.values())
    return table


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "mimic"
    for seed, (dicom, study, subject, _) in enumerate(ROWS):
        path = root / image_file(dicom, study, subject)
        write_image(path, seed)
        path.parent.with_suffix(".txt").write_text(f"FINDINGS: study {study}.\n")
    table = pd.DataFrame(ROWS, columns=["dicom_id", "study_id", "subject_id", "split"])
    table.to_csv(root / SPLIT, index=False)
    labels_table().to_csv(root / f"{LABELS}.gz", index=False)
    table[["dicom_id", "subject_id", "study_id"]].assign(
        ViewPosition=table["dicom_id"].map(VIEWS)
    ).to_csv(root / META, index=False)
    return root


def edit(root, name, change):
    """Change the text of a table; the table of labels is a compressed one."""
    path = root / name
    if path.exists():
        path.write_bytes(change(path.read_bytes()))
    else:
        path = root / f"{name}.gz"
        path.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes()))))


def replace(old, new):
    def change(content):
        assert old.encode() in content
        return content.replace(old.encode(), new.encode() if isinstance(new, str) else new)

    return change


def append(line):
    return lambda content: content + f"{line}\n".encode()


def test_lists_images_with_the_labels_and_reports_of_their_study(tree):
    index = read_index(tree, problems=Problems())
    cases = index.cases
    assert cases["case_id"].tolist() == [ONE, TWO, THREE]
    assert cases["patient_id"].tolist() == ["10000032", "10000032", "11000000"]
    assert cases["view"].tolist() == ["PA", "LATERAL", "AP"]
    assert cases["image"].tolist() == [image_file(*row[:3]) for row in ROWS]
    cohort = index.cohort("train+test", size=32)
    expected = np.array([[1, 0, -1, np.nan, 1]] * 2 + [[np.nan, np.nan, 0, 1, np.nan]])
    np.testing.assert_array_equal(cohort.labels, expected)
    assert cohort.label_names == FIVE
    assert cohort.images.shape == (3, 1, 32, 32)
    assert cohort.reports.tolist() == [f"FINDINGS: study {row[1]}.\n" for row in ROWS]
    assert cohort.covariates.columns.tolist() == ["study_id", "view"]
    assert len(index.of("test")) == 1


def test_streams_the_same(tree):
    index = read_index(tree, problems=Problems())
    read, streamed = index.cohort(size=24), index.cohort(size=24, stream=True)
    np.testing.assert_array_equal(streamed.images[:], read.images)
    assert streamed.reports[:].tolist() == read.reports.tolist()


def test_images_keep_their_middle(tree):
    path = tree / image_file(*ROWS[0][:3])
    image = np.array(Image.open(path))
    found = read_index(tree, problems=Problems()).case(0, size=40)["images"]
    np.testing.assert_array_equal(found[0], image[:, 5:45])


def test_options(tree):
    kept = read_index(tree, problems=Problems(), views=("PA", "ap"), reports=False)
    assert kept.cases["case_id"].tolist() == [ONE, THREE]
    assert "reports" not in kept.readers
    other = read_index(tree, problems=Problems(), labels=("Edema", "Fracture"))
    np.testing.assert_array_equal(other.cohort().labels[:, 0], [np.nan, np.nan, 1])
    (tree / META).unlink()
    assert read_index(tree, problems=Problems()).covariates == ("study_id",)
    (tree / f"{LABELS}.gz").rename(tree / "mimic-cxr-2.0.0-negbio.csv.gz")
    assert len(read_index(tree, problems=Problems(), labeller="negbio")) == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"labels": ("Edema",)},
        {"labels": ("Edema", "Oedema")},
        {"labels": "Edema"},
        {"labels": ("Edema", "Edema")},
        {"views": "PA"},
        {"views": ()},
        {"labeller": "radiologist"},
        {"unlabelled": "drop"},
    ],
)
def test_wrong_arguments(tree, wrong):
    (name, value) = next(iter(wrong.items()))
    with pytest.raises(ValueError, match=name) as caught:
        read_index(tree, problems=Problems(), **wrong)
    assert not isinstance(caught.value, DataError)
    assert repr(value).strip("()',") in str(caught.value)


def test_reports_may_lie_in_a_second_root(tree, tmp_path):
    other = tmp_path / "mimic-cxr"
    for path in tree.glob("files/*/*/*.txt"):
        to = other / path.relative_to(tree)
        to.parent.mkdir(parents=True, exist_ok=True)
        path.rename(to)
    index = read_index(tree, problems=Problems(), reports_root=other)
    assert index.cohort(size=16).reports[2] == "FINDINGS: study 50000002.\n"
    with pytest.raises(DataError, match="missing report"):
        read_index(tree, problems=Problems()).cohort(size=16)
    with pytest.raises(DataError, match=r"wrong root.*files"):
        read_index(tree, problems=Problems(), reports_root=tmp_path)
    with pytest.raises(DataError, match="no data"):
        read_index(tree, problems=Problems(), reports_root=tmp_path / "nowhere")
    secret = tmp_path / "secret.txt"
    secret.write_text("not ours")
    path = other / "files/p11/p11000000/s50000002.txt"
    path.unlink()
    path.symlink_to(secret)
    with pytest.raises(DataError, match="link out of the root"):
        index.cohort(size=16)


@pytest.mark.parametrize("to", ["..", "files"])
def test_wrong_root(tree, to):
    with pytest.raises(DataError, match=r"wrong root.*split\.csv.*give that folder"):
        read_index(tree / to, problems=Problems("skip"))


@pytest.mark.parametrize(
    ("name", "change", "kind", "says"),
    [
        (SPLIT, None, "wrong root", SPLIT),
        (LABELS, None, "missing table", LABELS),
        (SPLIT, replace("dicom_id", "dicom"), "missing column", "'dicom_id'"),
        (LABELS, replace("Edema", "Oedema"), "missing column", "'Edema'"),
        (META, replace("ViewPosition", "View"), "missing column", "'ViewPosition'"),
        (LABELS, lambda _: b"", "empty table", "header"),
        (LABELS, replace("study_id", b"study_\xff"), "table is not UTF-8", "0xff"),
        (SPLIT, append("a,b"), "line 5", "has 2 cells"),
        (SPLIT, append("a,b,c,d,e"), "line 5", "5"),
    ],
)
def test_broken_tables_always_raise(tree, name, change, kind, says):
    if change is None:
        (tree / name if (tree / name).exists() else tree / f"{name}.gz").unlink()
    else:
        edit(tree, name, change)
    with pytest.raises(DataError, match=kind) as caught:
        read_index(tree, problems=Problems("skip"))
    assert says in str(caught.value)


@pytest.mark.parametrize("damage", [b"", b"\x1f\x8b\x08 no gzip", "half"])
def test_damaged_compression(tree, damage):
    path = tree / f"{LABELS}.gz"
    path.write_bytes(path.read_bytes()[:60] if damage == "half" else damage)
    with pytest.raises(DataError, match="table"):
        read_index(tree, problems=Problems("skip"))


@pytest.mark.parametrize(
    ("name", "change", "kind", "line", "says", "left"),
    [
        (SPLIT, replace(",11000000,", ",eleven,"), "bad id", 4, "'subject_id'.*'eleven'", 2),
        (SPLIT, replace("50000002", "5e7"), "bad id", 4, "'study_id'.*'5e7'", 2),
        (SPLIT, replace("50000002", "50000002.0"), "bad id", 4, "whole number", 2),
        (SPLIT, replace("50000002", ""), "bad id", 4, "whole number, got ''", 2),
        (SPLIT, replace(",test", ",tset"), "unknown split", 4, "train, validate, test.*'tset'", 2),
        (SPLIT, replace(THREE, "../../x"), "hostile path", 4, r"'\.\./\.\./x'", 2),
        (SPLIT, replace(THREE, "/etc/x"), "hostile path", 4, "'/etc/x'", 2),
        (SPLIT, replace(THREE, "a/b"), "hostile path", 4, "'a/b'", 2),
        (SPLIT, replace(THREE, ".."), "hostile path", 4, "", 2),
        (SPLIT, replace(THREE, ONE), "duplicate row", 4, ONE, 2),
        (SPLIT, append("x,50000009,11000000,test"), "image without labels", 5, "50000009", 3),
        (LABELS, replace(",1,", ",2,"), "bad label", 2, "'Pleural Effusion'.*'2'", 1),
        (LABELS, replace(",1,", ",yes,"), "bad label", 2, "1, 0, -1 or empty, got 'yes'", 1),
        (LABELS, replace(",1,", ",nan,"), "bad label", 2, "'nan'", 1),
        (LABELS, append("10000032,50000001" + "," * 14), "duplicate row", 4, "50000001", 3),
        (
            LABELS,
            append("12,13" + "," * 14),
            "labels without image",
            4,
            "study 13 of subject 12",
            3,
        ),
        (LABELS, append("x,13" + "," * 14), "bad id", 4, "'subject_id'.*'x'", 3),
        (META, append(f"{ONE},1,2,PA"), "duplicate row", 5, ONE, 3),
    ],
)
def test_bad_rows_are_raised_or_counted(tree, name, change, kind, line, says, left):
    edit(tree, name, change)
    with pytest.raises(DataError, match=f"(?s)line {line}: {kind}.*{says}") as caught:
        read_index(tree, problems=Problems())
    assert name in str(caught.value)
    problems = Problems("skip")
    index = read_index(tree, problems=problems)
    assert kind in problems.counts()
    assert len(index) == left
    with pytest.warns(UserWarning, match=f"1 {kind}"):
        assert len(index.cohort(size=16)) == left


def test_study_without_labels_may_stay_as_not_mentioned(tree):
    edit(tree, LABELS, lambda content: content.replace(b"11000000,50000002", b"10000032,50000002"))
    with pytest.raises(DataError, match=r"image without labels|labels without image"):
        read_index(tree, problems=Problems())
    problems = Problems("skip")
    index = read_index(tree, problems=problems, unlabelled="blank")
    assert len(index) == 3
    assert problems.counts() == {"labels without image": 1}
    assert np.isnan(index.cases[list(FIVE)].to_numpy(float)[2]).all()


def test_bad_labels_are_never_taken_for_no_mention(tree):
    edit(tree, LABELS, replace(",1,", ",2,"))
    problems = Problems("skip")
    assert len(read_index(tree, problems=problems, unlabelled="blank")) == 1
    assert problems.counts() == {"bad label": 1}


def test_views_need_metadata(tree):
    edit(tree, META, lambda content: content[: content.index(THREE.encode())])
    with pytest.raises(DataError, match=f"no metadata.*{THREE}"):
        read_index(tree, problems=Problems(), views=("AP",))
    assert read_index(tree, problems=Problems()).cases["view"].tolist() == ["PA", "LATERAL", ""]
    (tree / META).unlink()
    with pytest.raises(DataError, match="missing table"):
        read_index(tree, problems=Problems("skip"), views=("AP",))
    (tree / META).write_bytes(b"")
    with pytest.raises(DataError, match="empty table"):
        read_index(tree, problems=Problems("skip"))


def spoil_image(content):
    def spoil(root):
        path = root / image_file(*ROWS[0][:3])
        path.unlink() if content is None else path.write_bytes(content(path.read_bytes()))

    return spoil


def spoil_report(content):
    def spoil(root):
        path = root / "files/p10/p10000032/s50000001.txt"
        path.unlink() if content is None else path.write_bytes(content)

    return spoil


def encoded(pixels, form, **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    return lambda _: buffer.getvalue()


COLOUR = np.zeros((40, 50, 3), np.uint8) + np.array([200, 20, 90], np.uint8)


@pytest.mark.parametrize(
    ("spoil", "kind", "left"),
    [
        (spoil_image(None), "missing image", 2),
        (spoil_image(lambda _: b""), "empty image", 2),
        (spoil_image(lambda content: content[:200]), "unreadable image", 2),
        (spoil_image(lambda content: content[: len(content) // 2]), "unreadable image", 2),
        (spoil_image(lambda _: b"<html>"), "unreadable image", 2),
        (spoil_image(encoded(COLOUR, "JPEG")), "colour image", 2),
        (spoil_image(encoded(np.zeros((9, 9), np.uint16), "PNG")), "image is not 8-bit", 2),
        (spoil_report(None), "missing report", 1),
        (spoil_report(b""), "empty report", 1),
        (spoil_report(b" \r\n "), "empty report", 1),
        (spoil_report(b"FINDINGS: na\xefve"), "report is not UTF-8", 1),
    ],
)
def test_bad_files_are_raised_or_counted(tree, spoil, kind, left):
    spoil(tree)
    with pytest.raises(DataError, match=f"files.*: {kind}"):
        read_index(tree, problems=Problems()).cohort(size=16)
    with pytest.warns(UserWarning, match=kind):
        cohort = read_index(tree, problems=Problems("skip")).cohort(size=16)
    assert len(cohort) == left
    assert [error.kind for error in cohort.skipped] == [kind] * (3 - left)


def test_links_out_of_the_root_are_refused(tree, tmp_path):
    outside = tmp_path / "outside.jpg"
    path = tree / image_file(*ROWS[0][:3])
    path.rename(outside)
    path.symlink_to(outside)
    with pytest.raises(DataError, match="link out of the root"):
        read_index(tree, problems=Problems()).cohort(size=16)
    os.unlink(path)
    outside.rename(path)
    link = tmp_path / "link"
    link.symlink_to(tree)
    assert len(read_index(link, problems=Problems()).cohort(size=16)) == 3


def test_line_ends_marks_and_colour_that_is_grey_are_taken(tree):
    for name in (SPLIT, META, LABELS):
        edit(tree, name, lambda content: b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n"))
    path = tree / image_file(*ROWS[0][:3])
    Image.open(path).convert("RGB").save(path, quality=95)
    spoil_report(b"\xef\xbb\xbfFINDINGS: a\r\nb")(tree)
    cohort = read_index(tree, problems=Problems()).cohort(size=16)
    assert cohort.images.shape == (3, 1, 16, 16)
    assert cohort.reports[0] == "FINDINGS: a\nb"


def test_empty_split_and_empty_tables(tree):
    index = read_index(tree, problems=Problems())
    with pytest.raises(DataError, match=r"empty split.*'validate'.*train \(2\), test \(1\)"):
        index.cohort("validate")
    for name in (SPLIT, LABELS):
        edit(tree, name, lambda content: content[: content.index(b"\n") + 1])
    empty = read_index(tree, problems=Problems())
    assert len(empty) == 0
    with pytest.raises(DataError, match="no cases"):
        empty.cohort()


@pytest.mark.slow
def test_large_tables_join_as_a_slow_obvious_join_does(tmp_path):
    rng = np.random.default_rng(0)
    n_studies, n_images = 24_000, 40_000
    study_of = rng.integers(0, n_studies, n_images)
    subject_of = rng.integers(0, 8_000, n_studies) + 10_000_000
    images = pd.DataFrame(
        {
            "dicom_id": [f"{i:08x}-0000" for i in rng.permutation(n_images)],
            "study_id": study_of + 50_000_000,
            "subject_id": subject_of[study_of],
            "split": rng.choice(["train", "validate", "test"], n_images),
        }
    )
    labels = pd.DataFrame(rng.choice(["", "1.0", "0.0", "-1.0"], (n_studies, 14)), columns=FINDINGS)
    labels.insert(0, "subject_id", subject_of)
    labels.insert(1, "study_id", np.arange(n_studies) + 50_000_000)
    with_images = np.isin(labels["study_id"], images["study_id"])
    labels = labels[with_images].sample(frac=1, random_state=0)
    images.to_csv(tmp_path / f"{SPLIT}.gz", index=False)
    labels.iloc[200:].to_csv(tmp_path / f"{LABELS}.gz", index=False)

    problems = Problems("skip")
    index = read_index(tmp_path, problems=problems, reports=False)

    slow = {}
    for row in labels.iloc[200:].itertuples(index=False):
        slow[row.subject_id, row.study_id] = [
            float(getattr(row, name)) if getattr(row, name) else None
            for name in ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "_11")
        ]
    expected, missing = [], 0
    for row in images.itertuples(index=False):
        found = slow.get((row.subject_id, row.study_id))
        if found is None:
            missing += 1
        else:
            expected.append((row.dicom_id, str(row.subject_id), row.split, found))
    assert problems.counts() == {"image without labels": missing}
    assert index.cases["case_id"].tolist() == [row[0] for row in expected]
    assert index.cases["patient_id"].tolist() == [row[1] for row in expected]
    assert index.cases["split"].tolist() == [row[2] for row in expected]
    np.testing.assert_array_equal(
        index.cases[list(FIVE)].to_numpy(float), np.array([row[3] for row in expected], float)
    )
