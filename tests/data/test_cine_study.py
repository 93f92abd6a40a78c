"""Cine data as the study takes them: position, alignment, clear errors, no patient in two parts.

The trees are made by hand with the headers that ACDC's own files have. Intensities hold their
own position in millimetres, so that where a pixel came from can be read off the image after
every step, without knowing how the step was done.
"""

import gzip
import re
import tempfile
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shortlib.data import acdc, cm
from shortlib.data.cine import PHASES, PLANES
from shortlib.data.cohort import Cohort
from shortlib.data.nifti import read_header
from shortlib.data.problems import DataError, Problems

GRID = 1.5  # mm, to which all is resampled
LOW, MIDDLE, HIGH = 1, 8001, 16001  # of every volume
STEP = 50  # from millimetre to millimetre
# Discs in mm: centre down and to the right of the middle, radius. None is symmetric to the
# middle or to a diagonal, so that a mask that was turned or mirrored is found out.
RIGHT, OUTER, INNER = (-14.0, -26.0, 17.0), (6.0, 9.0, 24.0), (8.0, 10.0, 15.0)
BEATS = {"ED": 1.0, "ES": 0.7}  # radii at end-systole are smaller


def depth(y, x, disc, scale):
    """How far inside a disc a place is, mm; negative outside."""
    return scale * disc[2] - np.hypot(y - disc[0], x - disc[1])


def structures(y, x, phase):
    """How far inside each structure a place is, mm: RV, myocardium, LV."""
    scale = BEATS[phase]
    outer, inner = depth(y, x, OUTER, scale), depth(y, x, INNER, scale)
    right = np.minimum(depth(y, x, RIGHT, scale), -outer)
    return {"RV": right, "myocardium": np.minimum(outer, -inner), "LV": inner}


def places(n, spacing):
    """Centres of the pixels of an axis, mm from its middle."""
    return (np.arange(n) - (n - 1) / 2) * spacing


def save(path, values, spacing):
    """Write slices as ACDC does: the spacing in pixdim and qform, an sform of ones beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scaled = np.diag([-spacing[1], -spacing[0], 10.0, 1.0])
    image = nibabel.Nifti1Image(np.asarray(values).T, scaled)
    image.set_sform(np.diag([-1.0, -1.0, 1.0, 1.0]), code=2)
    image.set_qform(scaled, code=1)
    nibabel.save(image, path)


def volumes(shape, spacing, phase, axis):
    """Image whose middle slices hold the position along an axis, its codes, and a mark.

    The first and the last slice hold the darkest and the brightest value side by side, so
    that the scale of the volume is known whatever is cut off.
    """
    h, w = shape[1:]
    y, x = np.meshgrid(places(h, spacing[0]), places(w, spacing[1]), indexing="ij")
    image = np.full(shape, LOW, np.int16)
    image[[0, -1], :, w // 2 :] = HIGH
    image[1:-1] = np.rint(MIDDLE + STEP * (y, x)[axis])
    codes, mark = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    for code, inside in enumerate(structures(y, x, phase).values(), start=1):
        codes[1:-1][:, inside > 0] = code
    mark[:, depth(y, x, RIGHT, 0.5) > 0] = 1
    return image, codes, mark


def write_acdc(root, shape, spacing, *, groups=("NOR", "DCM"), ed=11, es=4):
    """Patients whose images hold the row, the column, the row ... in mm.

    End-systole comes first in the files, as in ACDC's patient090.
    """
    for k, group in enumerate(groups):
        name = f"patient{k + 1:03d}"
        folder = root / "training" / name
        folder.mkdir(parents=True)
        text = f"ED: {ed}\nES: {es}\nGroup: {group}\nHeight: 176.0\nNbFrame: 18\nWeight: 80.0\n"
        (folder / "Info.cfg").write_text(text)
        for phase, frame in (("ED", ed), ("ES", es)):
            image, codes, mark = volumes(shape, spacing, phase, k % 2)
            stem = f"{name}_frame{frame:02d}"
            save(folder / f"{stem}.nii.gz", image, spacing)
            save(folder / f"{stem}_gt.nii.gz", codes, spacing)
            truth = root / "annotations" / "training" / name / f"{stem}_abnormality.nii.gz"
            save(truth, mark, spacing)


def write_cm(root, shape, spacing):
    """The same two patients in the layout for own cohorts."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "cases.csv").write_text("patient,study,group\nP1,S1,HCM\nP2,S1,ICM\n")
    for axis in (0, 1):
        for phase in PHASES:
            stem = f"P{axis + 1}/S1/{phase}"
            image, codes, mark = volumes(shape, spacing, phase, axis)
            save(root / f"{stem}.nii.gz", image, spacing)
            save(root / f"{stem}_gt.nii.gz", codes, spacing)
            save(root / "annotations" / f"{stem}_abnormality.nii.gz", mark, spacing)


LAYOUTS = {"acdc": (write_acdc, acdc), "cm": (write_cm, cm)}


def read(layout, root, **options):
    return LAYOUTS[layout][1].read_index(root, problems=Problems(), **options)


def positions(cohort):
    """Where each pixel came from, read off the images: y and x of shape (phases, h, w), mm."""
    return (cohort.images.astype(float) * (HIGH - LOW) + LOW - MIDDLE) / STEP


def check_positions(cohort, shape, spacing, side):
    """Masks and images of a cohort of two, against the geometry in millimetres."""
    size = cohort.images.shape[-1]
    pixel = side * GRID / size
    y, x = positions(cohort)
    # A spline is exact on a ramp but for the border; beyond it there is nothing to be seen.
    scanned = [
        abs(places(size, pixel)) < (n - 7) * s / 2 - pixel
        for n, s in zip(shape[1:], spacing, strict=True)
    ]
    seen = np.logical_and.outer(*scanned)
    assert seen.sum() > 100
    # Where a pixel came from is where it lies. Half a pixel comes from odd and even sides, an
    # eighth from averages of pixels that are cut through.
    due = np.meshgrid(places(size, pixel), places(size, pixel), indexing="ij")
    for found, place in zip((y, x), due, strict=True):
        assert abs(found - place)[:, seen].max() <= (1 / 2 + 1 / 8) * GRID + 0.03
    # The nearest pixel of the file is at most half of one away, the edge half of one of these.
    slack = np.hypot(*spacing) / 2 + pixel / np.sqrt(2) + 0.05
    for k, phase in enumerate(PHASES):
        truth = structures(y[k], x[k], phase)
        masks = {f"{name} {phase}": inside for name, inside in truth.items()}
        drawn = {name: cohort.plane("anatomy_masks", name) for name in masks}
        masks["mark"] = depth(y[k], x[k], RIGHT, 0.5)
        drawn["mark"] = cohort.plane("abnormality_masks", phase)
        for name, inside in masks.items():
            np.testing.assert_array_equal(*drawn[name])  # the same in both patients
            mask = drawn[name][0]
            assert not (mask & (inside < -slack))[seen].any(), name
            assert mask[seen & (inside > slack)].all(), name


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("spacing", [(1.8, 1.37), (1.37, 1.8), (1.5625, 1.5625)])
@pytest.mark.parametrize("size", [None, 64, 96])
def test_masks_lie_where_their_image_says(layout, spacing, size, tmp_path):
    shape = (5, 108, 121)
    LAYOUTS[layout][0](tmp_path, shape, spacing)
    index = read(layout, tmp_path, split="none") if layout == "acdc" else read(layout, tmp_path)
    assert index.size == 224
    cohort = index.cohort(size=size)
    check_positions(cohort, shape, spacing, 224)
    # Errors of single edges nearly cancel over the whole heart, which is in full view here: a
    # mask that lies one pixel off its image is found.
    pixel = 224 * GRID / cohort.images.shape[-1]
    for phase, *found in zip(PHASES, *positions(cohort), strict=True):
        heart = cohort.anatomy_masks[0, [name.endswith(phase) for name in PLANES]].any(axis=0)
        truth = np.max(list(structures(*found, phase).values()), axis=0) > 0
        for place in found:
            shift = place[heart].mean() - place[truth].mean()
            assert abs(shift) < 0.5 * pixel


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    layout=st.sampled_from(sorted(LAYOUTS)),
    h=st.integers(60, 110),
    w=st.integers(60, 110),
    spacing=st.tuples(st.floats(0.9, 2.4), st.floats(0.9, 2.4)),
    side=st.integers(48, 130),
    share=st.floats(0.4, 1.3),
)
def test_masks_lie_where_their_image_says_on_any_grid(layout, h, w, spacing, side, share):
    """Cut, filled up, made smaller and larger, with odd and even sides."""
    spacing = tuple(round(s, 4) for s in spacing)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "set"
        LAYOUTS[layout][0](root, (3, h, w), spacing)
        cohort = read(layout, root, side=side).cohort(size=round(share * side))
    check_positions(cohort, (3, h, w), spacing, side)


def test_a_circle_stays_one(tmp_path):
    """Pixels of 1.8 x 1.37 mm become square ones: areas and widths are those in mm."""
    write_acdc(tmp_path, (5, 100, 131), (1.8, 1.37))
    cohort = read("acdc", tmp_path, side=140).cohort("train")
    for phase, scale in BEATS.items():
        lv = cohort.plane("anatomy_masks", f"LV {phase}")[0]
        radius = scale * INNER[2]
        assert lv.sum() * GRID**2 == pytest.approx(np.pi * radius**2, rel=0.04)
        rows, columns = np.nonzero(lv)
        # The spread of a disc is half its radius, along each axis.
        for found, middle in ((rows, INNER[0]), (columns, INNER[1])):
            assert found.std() * GRID == pytest.approx(radius / 2, rel=0.04)
            assert (found.mean() - 69.5) * GRID == pytest.approx(middle, abs=0.5)


def test_what_a_tree_as_the_real_one_gives(tmp_path):
    """End-systole before end-diastole, and headers whose sform has no scale."""
    write_acdc(tmp_path, (5, 108, 121), (1.8, 1.37))
    header = read_header(tmp_path / "training/patient001/patient001_frame11.nii.gz")
    assert header.spacing == pytest.approx((1.8, 1.37))
    index = read("acdc", tmp_path)
    row = index.cases.iloc[0]
    assert (row["ed_frame"], row["es_frame"], row["frames"]) == (11, 4, 18)
    assert row["ED"].endswith("frame11.nii.gz")
    cohort = index.cohort("train")
    assert isinstance(cohort, Cohort)
    assert cohort.anatomy_names == PLANES
    assert cohort.images.dtype == np.float32
    assert (cohort.images.min(), cohort.images.max()) >= (0.0, 0.5)
    assert cohort.images.max() <= 1.0
    # The heart beats: every cavity of ED is larger than that of ES.
    for name in ("RV", "LV"):
        areas = [cohort.plane("anatomy_masks", f"{name} {phase}")[0].sum() for phase in PHASES]
        assert areas[0] > 1.5 * areas[1]
    assert cohort.covariates["spacing_y"].tolist() == pytest.approx([1.8, 1.8])
    assert cohort.covariates["spacing_x"].tolist() == pytest.approx([1.37, 1.37])


P1 = "training/patient001"
FRAME = f"{P1}/patient001_frame04"


def rewritten(root, name, change):
    path = root / name
    path.write_bytes(change(path.read_bytes()))


def info(old, new):
    return lambda root: rewritten(
        root, f"{P1}/Info.cfg", lambda text: text.replace(old.encode(), new.encode())
    )


def beyond_the_cine(root):
    """ES points to a frame that nobody stored, and nothing says how long the cine is."""
    info("NbFrame: 18\n", "")(root)
    info("ES: 4", "ES: 17")(root)


def halved(name):
    return lambda root: rewritten(root, name, lambda content: content[: len(content) // 2])


def halved_plain(root):
    """Unpacked, then cut: the header is whole and the voxels are not."""
    path = root / f"{FRAME}.nii.gz"
    content = gzip.decompress(path.read_bytes())
    path.with_suffix("").write_bytes(content[: len(content) // 2])
    path.unlink()


def undrawn(root):
    save(root / f"{FRAME}_gt.nii.gz", np.zeros((3, 40, 44), np.uint8), (1.8, 1.37))


# Each: what is done to the first of three patients, the file that is named, and the value that
# was found or what would be right.
BROKEN = {
    "no ground truth": (
        lambda root: (root / f"{FRAME}_gt.nii.gz").unlink(),
        "patient001_frame04_gt.nii.gz",
        "missing ground truth",
    ),
    "no ground truth at all": (
        lambda root: [path.unlink() for path in (root / P1).glob("*_gt.nii.gz")],
        "patient001_frame11_gt.nii.gz",
        "missing ground truth",
    ),
    "nobody drew in it": (
        undrawn,
        "patient001_frame04_gt.nii.gz",
        r"no voxel is RV \(1\); leave 'RV ES' out of planes",
    ),
    "a frame after the last": (
        info("ES: 4", "ES: 19"),
        "Info.cfg",
        r"frame out of range: ES is frame 19, the cine has 18 \(NbFrame\)",
    ),
    "a frame before the first": (
        info("ES: 4", "ES: 0"),
        "Info.cfg, line 2",
        "'ES' is a whole number from 1, got '0'",
    ),
    "a frame that was not stored": (
        info("ES: 4", "ES: 5"),
        "patient001_frame05.nii.gz",
        "missing image: Info.cfg says that ES is frame 05; the folder has frames 04, 11",
    ),
    "a frame out of a range that nobody states": (
        beyond_the_cine,
        "patient001_frame17.nii.gz",
        "missing image: Info.cfg says that ES is frame 17; the folder has frames 04, 11",
    ),
    "one frame for both": (info("ES: 4", "ES: 11"), "Info.cfg", "ED and ES are both frame 11"),
    "cut": (halved(f"{FRAME}.nii.gz"), "patient001_frame04.nii.gz", "unreadable volume"),
    "cut, not packed": (
        halved_plain,
        "patient001_frame04.nii",
        r"unreadable volume: Expected \d+ bytes, got \d+ bytes",
    ),
    "cut ground truth": (
        halved(f"{FRAME}_gt.nii.gz"),
        "patient001_frame04_gt.nii.gz",
        "unreadable ground truth",
    ),
    "unknown group": (
        info("NOR", "TAKO"),
        "Info.cfg",
        "unknown group: 'TAKO'; groups are DCM, HCM, MINF, NOR, RV",
    ),
    "group in small letters": (info("NOR", "nor"), "Info.cfg", "'nor'; groups are DCM"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_patient_that_cannot_be_used_is_named_and_may_be_left_out(name, tmp_path):
    spoil, file, said = BROKEN[name]
    write_acdc(tmp_path, (3, 40, 44), (1.8, 1.37), groups=("NOR", "DCM", "HCM"))
    spoil(tmp_path)
    with pytest.raises(DataError, match=said) as error:
        read("acdc", tmp_path, side=32).cohort("train")
    assert str(error.value).startswith(str(tmp_path / P1))
    assert f"{file}:" in str(error.value)
    with pytest.warns(UserWarning, match="1 left out"):
        left = acdc.read_index(tmp_path, problems=Problems("skip"), side=32).cohort("train")
    assert left.case_ids.tolist() == ["patient002", "patient003"]
    assert re.search(said, str(left.skipped[0]))


# Studies of each patient, by group.
COHORTS = st.lists(
    st.tuples(st.sampled_from(["NICM", "ICM", "AMYL", "HCM"]), st.integers(1, 4)),
    min_size=4,
    max_size=40,
)


def cm_table(root, patients, order=None):
    rows = [
        f"P{k:02d},S{study},{group}"
        for k, (group, studies) in enumerate(patients)
        for study in range(studies)
    ]
    if order is not None:
        rows = [rows[i] for i in np.random.default_rng(order).permutation(len(rows))]
    (root / "cases.csv").write_text("\n".join(["patient,study,group", *rows]) + "\n")


@settings(max_examples=20, deadline=None)
@given(patients=COHORTS, seed=st.integers(0, 10_000))
def test_no_patient_is_ever_in_two_parts(patients, seed):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        cm_table(root, patients)
        cases = read("cm", root, seed=seed).cases
        cm_table(root, patients, order=seed)
        other = read("cm", root, seed=seed).cases
    assert len(cases) == sum(studies for _, studies in patients)
    assert (cases.groupby("patient_id")["split"].nunique() == 1).all()
    parts = cases.drop_duplicates("patient_id")["split"].value_counts()
    assert set(parts.index) == {"train", "test"}
    assert parts["train"] == min(max(round(0.7 * len(patients)), 1), len(patients) - 1)
    # The order of the rows decides nothing.
    parts_of = [table.set_index("case_id")["split"].sort_index() for table in (cases, other)]
    pd.testing.assert_series_equal(*parts_of)


@settings(max_examples=20, deadline=None)
@given(
    sizes=st.lists(st.integers(4, 12), min_size=2, max_size=4),
    studies=st.integers(1, 3),
    seed=st.integers(0, 10_000),
)
def test_parts_share_the_groups_alike(sizes, studies, seed):
    patients = [(group, studies) for group, n in zip("ABCD", sizes, strict=False) for _ in range(n)]
    with tempfile.TemporaryDirectory() as folder:
        cm_table(Path(folder), patients)
        cases = read("cm", folder, seed=seed).cases.drop_duplicates("patient_id")
    for group, n in zip("ABCD", sizes, strict=False):
        there = (cases[cases["group"] == group]["split"] == "train").sum()
        assert abs(there - 0.7 * n) < 1.5


@settings(max_examples=20, deadline=None)
@given(
    patients=COHORTS.filter(lambda drawn: any(studies > 1 for _, studies in drawn)), data=st.data()
)
def test_a_table_with_a_patient_in_two_parts_is_refused(patients, data):
    several = [k for k, (_, studies) in enumerate(patients) if studies > 1]
    torn = data.draw(st.sampled_from(several))
    rows = [
        (f"P{k:02d}", f"S{study}", group, "test" if (k % 3 == 0) != (k == torn and study) else "a")
        for k, (group, studies) in enumerate(patients)
        for study in range(studies)
    ]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        table = pd.DataFrame(rows, columns=["patient", "study", "group", "split"])
        table.to_csv(root / "cases.csv", index=False)
        with pytest.raises(DataError, match=f"patient in two parts: 'P{torn:02d}' is in a and te"):
            read("cm", root)
        problems = Problems("skip")
        kept = cm.read_index(root, problems=problems).cases
    assert set(kept["patient_id"]) == {name for name, *_ in rows} - {f"P{torn:02d}"}
    assert problems.counts() == {"patient in two parts": patients[torn][1]}


def test_random_parts_of_acdc_are_by_patient_and_alike(tmp_path):
    """70 / 30 as the paper, three patients in ten of every group in the test part."""
    groups = [group for group in acdc.GROUPS for _ in range(10)]
    write_acdc(tmp_path, (1, 8, 8), (1.8, 1.37), groups=groups)
    seen = set()
    for seed in range(6):
        cases = read("acdc", tmp_path, split="random", seed=seed).cases
        assert cases["patient_id"].is_unique
        table = pd.crosstab(cases["group"], cases["split"])
        assert table["train"].tolist() == [7] * 5
        assert table["test"].tolist() == [3] * 5
        seen.add(tuple(cases["split"]))
    assert len(seen) == 6
