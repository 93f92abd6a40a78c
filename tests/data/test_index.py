"""A data set of one's own, small enough to be read by eye: index, sidecar, cohort."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from shortlib.data.annotations import with_annotations, write_annotations
from shortlib.data.images import read_image
from shortlib.data.index import Index
from shortlib.data.paths import existing
from shortlib.data.problems import DataError, Problems
from shortlib.data.streamed import Streamed

N, SIDE = 6, 8


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (N, SIDE, SIDE), dtype=np.uint8)


@pytest.fixture
def root(tmp_path, pixels):
    for i, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
        (tmp_path / f"{i}.txt").write_text(f"Finding {i}.")
    return tmp_path


def make_index(root, on_error="raise"):
    def image(case, size):
        return read_image(existing(root, case["image"], "image"), size=size)

    def report(case, size):
        return existing(root, case["report"], "report").read_text()

    cases = pd.DataFrame(
        {
            "case_id": [f"case-{i}" for i in range(N)],
            "patient_id": [f"p{i // 2}" for i in range(N)],
            "split": ["train"] * 4 + ["test"] * 2,
            "image": [f"{i}.png" for i in range(N)],
            "report": [f"{i}.txt" for i in range(N)],
            "label": [0, 1, 0, 1, 0, 1],
            "sex": list("FMFMFM"),
        }
    )
    return Index(
        "tiny",
        root,
        cases,
        {"images": image, "reports": report},
        size=SIDE,
        files=("image", "report"),
        labels=("label",),
        label_names=("no", "yes"),
        covariates=("sex",),
        problems=Problems(on_error),
    )


@pytest.mark.parametrize("stream", [False, True])
def test_a_split_becomes_a_cohort(root, pixels, stream):
    cohort = make_index(root).cohort("train", stream=stream)
    assert cohort.name == "tiny-train"
    assert isinstance(cohort.images, Streamed) == stream
    np.testing.assert_array_equal(np.asarray(cohort.images)[:, 0], pixels[:4])
    assert np.asarray(cohort.reports).tolist() == [f"Finding {i}." for i in range(4)]
    assert cohort.labels.tolist() == [0, 1, 0, 1]
    assert cohort.label_names == ("no", "yes")
    assert cohort.covariates["sex"].tolist() == list("FMFM")
    assert cohort.patient_ids.tolist() == ["p0", "p0", "p1", "p1"]
    assert cohort.shortcut is None
    assert cohort.abnormality_masks is None
    assert cohort.skipped == ()


def test_splits_may_be_joined_and_sizes_chosen(root):
    cohort = make_index(root).cohort("test+train", size=4)
    assert len(cohort) == N
    assert cohort.images.shape == (N, 1, 4, 4)


def test_an_empty_split_lists_those_there_are(root):
    with pytest.raises(DataError, match=r"no case in 'val'; it has train \(4\), test \(2\)"):
        make_index(root).cohort("val")


def test_a_damaged_case_stops_or_is_counted(root, pixels):
    (root / "1.png").write_bytes(b"broken")
    (root / "3.txt").unlink()
    with pytest.raises(DataError, match=r"1.png: unreadable image"):
        make_index(root).cohort()
    index = make_index(root, "skip")
    with pytest.warns(UserWarning, match="tiny: 2 left out"):
        cohort = index.cohort()
    assert cohort.case_ids.tolist() == ["case-0", "case-2", "case-4", "case-5"]
    np.testing.assert_array_equal(cohort.images[:, 0], pixels[[0, 2, 4, 5]])
    assert cohort.labels.tolist() == [0, 0, 0, 1]
    assert [error.kind for error in cohort.skipped] == ["unreadable image", "missing report"]


def test_nothing_left_is_an_error_even_when_skipping(root):
    for path in root.glob("*.png"):
        path.unlink()
    with pytest.raises(
        DataError, match=r"no cases: none of 6 could be read; the last: .*missing image"
    ):
        make_index(root, "skip").cohort()


def test_streamed_cohorts_are_cheap_to_select_and_known_by_their_files(root):
    cohort = make_index(root).cohort(stream=True)
    (root / "5.png").unlink()  # not needed: nothing of it is read
    chosen = cohort[[4, 0]]
    assert np.asarray(chosen.images).shape == (2, 1, SIDE, SIDE)
    before = make_index(root).cohort(stream=True).checksum()
    assert before == make_index(root).cohort(stream=True).checksum()
    Image.fromarray(np.zeros((SIDE, SIDE), np.uint8)).save(root / "2.png")
    assert make_index(root).cohort(stream=True).checksum() != before
    assert make_index(root).cohort(stream=True, size=4).checksum() != before


def changed(index, **columns):
    return replace(index, cases=index.cases.assign(**columns))


def test_the_checksum_is_of_what_is_listed_written_out():
    """By hand, so that another version of pandas or another machine gives the same digits."""
    cases = pd.DataFrame(
        {
            "split": ["train", "test"],
            "case_id": ["a", "b"],
            "patient_id": ["p", "q"],
            "image": ["x/a.png", "x/b.png"],
            "label": [1.0, np.nan],
            "age": [40.5, 0.1],
        }
    )
    index = Index("tiny", Path("/data"), cases, {}, size=8, files=("image",), labels=("label",))
    written = (
        '[2, {"label_names": [], "labels": ["label"], "shortcuts": []}]'
        '["age", [40.5, 0.1]]["case_id", ["a", "b"]]'
        '["image", ["x/a.png", "x/b.png"]]["label", [1, null]]'
        '["patient_id", ["p", "q"]]["split", ["train", "test"]]'
    )
    assert index.checksum() == hashlib.sha256(written.encode()).hexdigest()


def test_the_checksum_knows_no_place_no_type_and_no_content(root, tmp_path):
    index = make_index(root)
    before = index.checksum()
    assert len(before) == 64
    (root / "1.png").write_bytes(b"broken")
    cases = index.cases
    for same in (
        replace(index, root=tmp_path / "elsewhere", name="other", size=4),
        replace(index, cases=cases[cases.columns[::-1]].set_index("sex", drop=False)),
        changed(index, label=cases["label"].astype(float)),
        changed(index, label=cases["label"].astype(bool)),
        changed(index, label=cases["label"].astype("Int64")),
        changed(index, label=cases["label"].astype(object)),
        changed(index, sex=cases["sex"].astype("category"), split=cases["split"].astype("string")),
        changed(index, image=[Path(name) for name in cases["image"]]),
        changed(index, image=[root / name for name in cases["image"]]),
    ):
        assert same.checksum() == before


def test_the_checksum_changes_with_whatever_is_listed(root):
    index = make_index(root)
    cases, label = index.cases, index.cases["label"]
    others = [
        changed(index, label=1 - label),
        changed(index, label=label.astype(float).where(label == 0)),  # unknown is not 1
        changed(index, split=["train"] * 3 + ["test"] * 3),
        changed(index, image=[f"images/{name}" for name in cases["image"]]),
        changed(index, patient_id=[f"p{i}" for i in range(N)]),
        changed(index, sex=None),
        changed(index, site="here"),
        replace(index, cases=cases[::-1]),
        replace(index, cases=cases[:-1]),
        replace(index, label_names=("yes", "no")),
        replace(index, labels=(), label_names=(), shortcuts=("label",)),
    ]
    assert len({one.checksum() for one in (index, *others)}) == 1 + len(others)


def test_cells_of_every_kind_have_a_checksum_and_absent_is_absent(root):
    index = make_index(root)
    for none in (None, np.nan, pd.NA, pd.NaT):
        one = changed(index, sex=pd.Series([none, *"MFMFM"], dtype=object))
        assert one.checksum() == changed(index, sex=[None, *"MFMFM"]).checksum()
    odd = [np.arange(2), (0, 1), {"b": 1, "a": None}, np.inf, pd.Timestamp("2020-01-01"), b"x"]
    assert changed(index, sex=pd.Series(odd, dtype=object)).checksum() != index.checksum()


def annotated(root, pixels, planes=2):
    rng = np.random.default_rng(1)
    masks = rng.random((N, planes, SIDE, SIDE)) < 0.3
    cohort = replace(
        make_index(root).cohort(),
        abnormality_masks=masks,
        abnormality_names=tuple("ab")[:planes],
        shortcut=rng.random((N, 2)) < 0.5,
        shortcut_masks=rng.random((N, 2, SIDE, SIDE)) < 0.3,
        shortcut_names=("tube", "marker"),
        covariates=pd.DataFrame({"age": np.arange(N) + 40.5, "sex": list("MMMMMM")}),
    )
    for part in (cohort[:2], cohort[2:]):  # batches follow each other
        write_annotations(root, part)
    return cohort


@pytest.mark.parametrize("stream", [False, True])
def test_the_sidecar_gives_back_what_was_written(root, pixels, stream):
    written = annotated(root, pixels)
    cohort = with_annotations(make_index(root)).cohort(stream=stream)
    for name in ("abnormality_masks", "shortcut_masks", "shortcut"):
        np.testing.assert_array_equal(np.asarray(getattr(cohort, name)), getattr(written, name))
    assert cohort.abnormality_names == ("a", "b")
    assert cohort.shortcut_names == ("tube", "marker")
    assert cohort.covariates["age"].tolist() == written.covariates["age"].tolist()
    assert cohort.covariates["sex"].tolist() == list("FMFMFM")  # the data set's own goes before
    np.testing.assert_array_equal(
        np.asarray(cohort.plane("abnormality_masks", "b")), written.abnormality_masks[:, 1]
    )


def test_a_set_without_sidecar_is_as_it_was(root):
    index = make_index(root)
    assert with_annotations(index) is index


def test_a_case_without_annotation_stops_or_is_counted(root, pixels):
    annotated(root, pixels)
    path = root / "annotations" / "cases.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith("case-3")))
    with pytest.raises(DataError, match=r"cases.csv: no annotation: case 'case-3' has no row"):
        with_annotations(make_index(root))
    index = with_annotations(make_index(root, "skip"))
    assert len(index) == N - 1
    (root / "annotations" / "shortcut_masks" / "case-0.png").unlink()
    with pytest.warns(UserWarning, match="2 left out"):
        assert len(index.cohort()) == N - 2


@pytest.mark.parametrize("text", ["[1, 2", "abnormality_masks: 3", "colours: [a]", "- a"])
def test_a_broken_list_of_planes_is_said(root, pixels, text):
    annotated(root, pixels)
    (root / "annotations" / "annotations.yml").write_text(text)
    with pytest.raises(DataError, match=r"annotations.yml: broken list of planes"):
        with_annotations(make_index(root))


def test_a_thin_shortcut_is_kept_where_images_are_made_small(root):
    hair = np.zeros((N, 1, SIDE, SIDE), bool)
    hair[..., 3] = True
    cohort = replace(
        make_index(root).cohort(),
        shortcut=np.ones((N, 1), bool),
        shortcut_masks=hair,
        shortcut_names=("hair",),
    )
    write_annotations(root, cohort)
    small = with_annotations(make_index(root)).cohort(size=2)
    assert small.shortcut_masks.any(axis=(1, 2, 3)).all()


def test_what_one_cohort_left_out_is_not_told_of_the_next(root):
    (root / "1.png").write_bytes(b"broken")
    index = make_index(root, "skip")
    for _ in range(2):
        with pytest.warns(UserWarning, match="tiny: 1 left out"):
            assert len(index.cohort("train").skipped) == 1
    assert index.cohort("test").skipped == ()


def test_annotations_cover_the_field_of_their_image(root, pixels):
    annotated(root, pixels)
    path = root / "annotations" / "abnormality_masks" / "case-0.png"
    Image.fromarray(np.zeros((SIDE, 2 * SIDE), np.uint8)).save(path)
    with pytest.raises(DataError, match=r"case-0.png: wrong size of mask: "):
        with_annotations(make_index(root)).cohort()


def test_annotations_from_a_spreadsheet_may_have_columns_without_a_name(root, pixels):
    annotated(root, pixels)
    path = root / "annotations" / "cases.csv"
    path.write_text("".join(f"{line},,\n" for line in path.read_text().splitlines()))
    assert with_annotations(make_index(root)).covariates == ("sex", "age")
