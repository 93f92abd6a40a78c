"""ACDC's tree, made by hand: a case is what its files say, and what is wrong is said."""

import gzip
import shutil

import nibabel
import numpy as np
import pytest

from shortlib.data.acdc import GROUPS, read_index
from shortlib.data.acdc_cine import volume
from shortlib.data.annotations import with_annotations
from shortlib.data.cine import PLANES, middle_slice
from shortlib.data.problems import DataError, Problems

SHAPE = (5, 22, 17)
SPACING = (2.0, 1.2)  # between rows, between columns


def save(path, values, spacing=SPACING):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(np.asarray(values).T, np.eye(4))
    image.header.set_zooms((spacing[1], spacing[0], 8.0, 0.03)[: np.ndim(values)])
    nibabel.save(image, path)


def heart(phase, shape=SHAPE):
    """Image whose intensity is its position, and structures cut from that position.

    The slices before the second and after the last but one hold no heart.
    """
    slices, h, w = shape
    place = 10 + np.add.outer(np.arange(h) * 3, np.arange(w) * 2).astype(np.int16)
    image = np.stack([place + 5 * k for k in range(slices)])
    codes = np.zeros(shape, np.uint8)
    grown = 2 if phase == "ED" else 0
    codes[1:-1, 3:7, 3:9] = 1
    codes[1:-1, 8 : 15 + grown, 4:12] = 2
    codes[1:-1, 10 : 13 + grown, 6:10] = 3
    return image, codes


def write_patient(folder, *, group="NOR", ed=1, es=4, frames=6, extra="", shape=SHAPE):
    name = folder.name
    folder.mkdir(parents=True)
    text = f"ED: {ed}\nES: {es}\nGroup: {group}\nNbFrame: {frames}\n{extra}"
    (folder / "Info.cfg").write_text(text)
    cine = np.stack([heart("ES", shape)[0]] * frames)
    for phase, frame in (("ED", ed), ("ES", es)):
        image, codes = heart(phase, shape)
        cine[frame - 1] = image
        save(folder / f"{name}_frame{frame:02d}.nii.gz", image)
        save(folder / f"{name}_frame{frame:02d}_gt.nii.gz", codes)
    save(folder / f"{name}_4d.nii.gz", cine)


@pytest.fixture
def root(tmp_path):
    """Six patients: four in training, two in testing."""
    root = tmp_path / "ACDC"
    for k, group in enumerate(("DCM", "HCM", "MINF", "NOR", "RV", "NOR")):
        part = "training" if k < 4 else "testing"
        extra = f"Height: {160 + k}\nWeight: {60 + k}\n"
        write_patient(root / part / f"patient{k + 1:03d}", group=group, extra=extra)
    return root


def read(root, **options):
    return read_index(root, problems=Problems(), **options)


def test_official_parts_labels_and_what_goes_along(root):
    index = read(root, side=24)
    assert dict(index.cases.groupby("split").size()) == {"train": 4, "test": 2}
    cohort = index.cohort("test")
    assert cohort.case_ids.tolist() == ["patient005", "patient006"]
    assert [cohort.label_names[k] for k in cohort.labels] == ["RV", "NOR"]
    assert cohort.label_names == GROUPS
    assert cohort.anatomy_names == PLANES
    assert (cohort.images.shape, cohort.images.dtype) == ((2, 2, 24, 24), np.float32)
    about = cohort.covariates.iloc[0]
    assert about["group"] == "RV"
    assert about["bmi"] == pytest.approx(64 / 1.64**2)
    assert (about["spacing_y"], about["spacing_x"]) == pytest.approx(SPACING)
    assert (about["frames"], about["slices"], about["thickness"]) == (6, 5, 8.0)
    assert cohort.abnormality_masks is None
    assert cohort.shortcut is None


def test_the_slice_and_the_scale_are_those_of_the_volume(root):
    cohort = read(root, side=31, spacing=1.0).cohort("train")
    # The stack's brightest pixel is in its last slice, the case shows the middle one.
    low, high = 10, 10 + 3 * 21 + 2 * 16 + 5 * 4
    image = cohort.images[0, 0]
    middle = image[image > 0]
    assert middle.max() == pytest.approx((high - 10 - low) / (high - low), abs=0.02)


@pytest.mark.parametrize("spacing", [1.5, 1.1, 2.2])
@pytest.mark.parametrize("side", [40, 41])
def test_masks_lie_on_the_pixels_that_they_were_drawn_on(root, spacing, side):
    cohort = read(root, side=side, spacing=spacing).cohort("train")
    for k, phase in enumerate(("ED", "ES")):
        image, codes = (volume[2] for volume in heart(phase))
        grey = (image - 10) / (image.max() + 10 - 10)
        # Half a pixel of the file, and half of the result's, in either direction.
        slack = 0.51 * (3 + 2) / (image.max()) * (1 + spacing / min(SPACING))
        for code, structure in enumerate(("RV", "myocardium", "LV"), start=1):
            drawn = cohort.plane("anatomy_masks", f"{structure} {phase}")[0]
            area = (codes == code).sum() * np.prod(SPACING)
            assert drawn.sum() * spacing**2 == pytest.approx(area, rel=0.25)
            seen = cohort.images[0, k][drawn]
            assert seen.min() >= grey[codes == code].min() - slack
            assert seen.max() <= grey[codes == code].max() + slack


def test_another_size_shows_the_same_field(root):
    index = read(root, side=40)
    full, half = index.cohort("train"), index.cohort("train", size=20)
    block = full.images.reshape(4, 2, 20, 2, 20, 2).mean(axis=(3, 5))
    np.testing.assert_allclose(half.images, block, atol=1e-6)
    share = full.anatomy_masks.reshape(4, 6, 20, 2, 20, 2).mean(axis=(3, 5))
    np.testing.assert_array_equal(half.anatomy_masks, share >= 0.5)


def test_streamed_is_what_is_read(root):
    index = read(root, side=24)
    now, later = index.cohort("train"), index.cohort("train", stream=True)
    np.testing.assert_array_equal(later.images[:], now.images)
    np.testing.assert_array_equal(later.anatomy_masks[:], now.anatomy_masks)


def test_middle_slice():
    ed, es = np.zeros((2, 7, 2, 2), np.uint8)
    assert middle_slice(ed, es) == 3  # nothing drawn
    ed[1:7], es[2:6] = 3, 3
    assert middle_slice(ed, es) == 4  # 2, 3, 4, 5: the later of two
    es[5] = 2
    assert middle_slice(ed, es) == 3  # 2, 3, 4


def test_random_split_keeps_shares_and_depends_on_the_seed_alone(tmp_path):
    for k in range(20):
        write_patient(tmp_path / f"p{k:02d}", group=GROUPS[k % 2], shape=(1, 18, 13))
    cases = read(tmp_path, seed=1).cases  # patients in the root: no official split
    train = cases[cases["split"] == "train"]
    assert (len(train), set(train["group"].value_counts())) == (14, {7})
    assert read(tmp_path, split="random", seed=1).cases.equals(cases)
    assert not read(tmp_path, split="random", seed=2).cases["split"].equals(cases["split"])
    assert set(read(tmp_path, split="none").cases["split"]) == {"all"}
    with pytest.raises(DataError, match="no official split"):
        read(tmp_path, split="official")


def test_no_groups_no_label_and_only_the_planes_that_were_drawn(tmp_path):
    write_patient(tmp_path / "SCD01", group="HF-I")
    gt = tmp_path / "SCD01" / "SCD01_frame04_gt.nii.gz"
    save(gt, np.where(heart("ES")[1] == 3, 3, 0).astype(np.uint8))
    cohort = read(
        tmp_path, groups=None, planes=["LV ED", "myocardium ED", "LV ES"], split="none"
    ).cohort("all")
    assert cohort.labels is None
    assert cohort.covariates["group"].tolist() == ["HF-I"]
    assert "height" not in cohort.covariates
    assert cohort.anatomy_masks.shape == (1, 3, 224, 224)
    one = read(tmp_path, groups=["HF-I"], planes=[], split="none").cohort("all")
    assert one.anatomy_masks is None
    assert (one.labels.tolist(), one.label_names) == ([0], ("HF-I",))
    with pytest.raises(DataError, match=r"no voxel is RV \(1\); leave 'RV ES' out of planes"):
        read(tmp_path, groups=None, planes=["RV ED", "RV ES"], split="none").cohort("all")


def test_the_truth_of_made_data_is_read_beside_the_frames(root):
    for folder in root.glob("*/patient*"):
        for phase, frame in (("ED", 1), ("ES", 4)):
            stem = root / "annotations" / folder.parent.name / folder.name
            codes = heart(phase)[1]
            save(stem / f"{folder.name}_frame{frame:02d}_abnormality.nii.gz", (codes == 2) * 1.0)
            marked = np.zeros(SHAPE, np.uint8)
            marked[:, :2, : 8 if phase == "ED" else 12] = 1
            save(stem / f"{folder.name}_frame{frame:02d}_shortcut.nii.gz", marked)
    table = "case_id,shortcut:heavy habitus,scanner\n"
    table += "".join(f"patient{k:03d},{k % 2},A\n" for k in range(1, 7))
    (root / "annotations" / "cases.csv").write_text(table)
    cohort = with_annotations(read(root, side=32)).cohort("train")
    assert cohort.abnormality_names == ("ED", "ES")
    for k, phase in enumerate(("ED", "ES")):
        drawn = cohort.plane("anatomy_masks", f"myocardium {phase}")
        np.testing.assert_array_equal(cohort.abnormality_masks[:, k], drawn)
    assert cohort.shortcut.tolist() == [True, False, True, False]
    assert cohort.shortcut_names == ("heavy habitus",)
    assert cohort.shortcut_masks.shape == (4, 32, 32)
    # The union of both phases: 2 rows of 2 mm, 12 columns of 1.2 mm.
    assert cohort.shortcut_masks[0].sum() * 2.25 == pytest.approx(2 * 2 * 12 * 1.2, rel=0.35)
    assert cohort.covariates["scanner"].tolist() == ["A"] * 4
    next((root / "annotations").rglob("patient001_frame04_shortcut.nii.gz")).unlink()
    with pytest.raises(DataError, match="missing annotation: other cases have ES shortcut"):
        read(root).cohort("train")


def test_the_whole_cine(root):
    cine = volume(root, "patient005", side=24)
    cohort = read(root, side=24).cohort("test")
    assert cine.images.shape == (6, 5, 24, 24)
    assert (cine.phases, cine.middle, cine.group) == ({"ED": 0, "ES": 3}, 2, "RV")
    # All phases of this cine have one range, so the case is one of its slices.
    for k, phase in enumerate(("ED", "ES")):
        plane = cine.images[cine.phases[phase], cine.middle]
        np.testing.assert_allclose(plane, cohort.images[0, k], atol=1e-6)
        lv = cine.ground_truth[phase][cine.middle] == 3
        np.testing.assert_array_equal(lv, cohort.plane("anatomy_masks", f"LV {phase}")[0])
    with pytest.raises(DataError, match="no folder is called 'patient099'"):
        volume(root, "patient099")
    (root / "testing/patient005/patient005_4d.nii.gz").unlink()
    with pytest.raises(DataError, match="missing cine"):
        volume(root, "patient005")


P1 = "training/patient001"


def cfg(old, new):
    def spoil(root):
        path = root / P1 / "Info.cfg"
        path.write_text(path.read_text().replace(old, new))

    return spoil


def file(name, values=None, spacing=SPACING):
    def spoil(root):
        path = root / P1 / f"patient001_frame{name}.nii.gz"
        if values is None:
            path.unlink()
        else:
            save(path, values, spacing)

    return spoil


def truncated(root):
    path = root / P1 / "patient001_frame04.nii.gz"
    path.write_bytes(path.read_bytes()[:-40])


def truncated_inside(root):
    path = root / P1 / "patient001_frame04_gt.nii.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-40]))


def empty(root):
    (root / P1 / "patient001_frame01.nii.gz").write_bytes(b"")


def linked_out(root):
    path = root / P1 / "patient001_frame01.nii.gz"
    shutil.move(path, root.parent / "elsewhere.nii.gz")
    path.symlink_to(root.parent / "elsewhere.nii.gz")


def linked_folder(root):
    shutil.move(root / P1, root.parent / "patient001")
    (root / P1).symlink_to(root.parent / "patient001")


def twice(root):
    shutil.copytree(root / P1, root / "testing" / "patient001")


BAD = {
    "no Info.cfg": (lambda root: (root / P1 / "Info.cfg").unlink(), "missing Info.cfg"),
    "unknown group": (cfg("DCM", "ABC"), "unknown group: 'ABC'; groups are DCM, HCM"),
    "no ED": (cfg("ED: 1\n", ""), "missing key: 'ED'"),
    "frame out of range": (cfg("ES: 4", "ES: 9"), "frame out of range: ES is frame 9"),
    "frame without a file": (cfg("ES: 4", "ES: 5"), "frame05.nii.gz: missing image"),
    "no ground truth": (file("04_gt"), "frame04_gt.nii.gz: missing ground truth"),
    "truncated": (truncated, "frame04.nii.gz: unreadable volume"),
    "truncated inside": (truncated_inside, "frame04_gt.nii.gz: unreadable ground truth"),
    "no bytes": (empty, "frame01.nii.gz: empty image"),
    "another shape of the mask": (
        file("01_gt", np.zeros((5, 22, 16), np.uint8)),
        "wrong size of ground truth",
    ),
    "another spacing of the mask": (
        file("01_gt", heart("ED")[1], (1.1, 1.1)),
        "wrong spacing of ground truth: 1.1 x 1.1 mm",
    ),
    "unknown code": (file("01_gt", np.full(SHAPE, 7, np.uint8)), "unknown code in ground truth"),
    "phases disagree": (
        file("04", np.arange(60, dtype=np.int16).reshape(3, 4, 5)),
        "disagree|wrong size",
    ),
    "a cine for a frame": (file("01", np.ones((2, *SHAPE), np.int16)), "wrong axes of volume"),
    "link out": (linked_out, "link out of the root"),
    "folder linked out": (linked_folder, "link out of the root"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_patient_that_cannot_be_used(root, name):
    spoil, said = BAD[name]
    spoil(root)
    with pytest.raises(DataError, match=said) as error:
        read(root, side=16).cohort("train")
    assert "patient001" in str(error.value)
    index = read_index(root, problems=Problems("skip"), side=16)
    with pytest.warns(UserWarning, match="1 left out"):
        cohort = index.cohort("train")
    assert cohort.case_ids.tolist() == ["patient002", "patient003", "patient004"]
    assert len(cohort.skipped) == 1


def test_a_patient_in_both_parts_stays_in_one(root):
    twice(root)
    with pytest.raises(DataError, match=r"testing/patient001: duplicate patient"):
        read(root)
    index = read_index(root, problems=Problems("skip"))
    assert index.cases["case_id"].is_unique


def test_wrong_roots(root, tmp_path):
    with pytest.raises(DataError, match="no data: ACDC needs a folder"):
        read(tmp_path / "nothing")
    with pytest.raises(DataError, match=r"wrong root: .*ACDC has it"):
        read(tmp_path)
    with pytest.raises(DataError, match=r"wrong root: this is one part of it; give .*ACDC"):
        read(root / "training")
    with pytest.raises(DataError, match="wrong root"):
        read(root / P1)
    shutil.rmtree(root / "testing")
    with pytest.raises(DataError, match=r"no case in 'test'; it has train \(4\)"):
        read(root).cohort("test")


def test_wrong_arguments(root):
    for options, said in (
        ({"split": "mine"}, "split must be one of official, random, none"),
        ({"planes": ["LV"]}, "planes are some of"),
        ({"spacing": 0}, "spacing is in mm"),
        ({"side": 1.5}, "side is in pixels"),
        ({"train_share": 1}, "train_share must lie between 0 and 1"),
    ):
        with pytest.raises(ValueError, match=said):
            read(root, **options)


def test_sunnybrook(open_data):
    root = open_data / "sunnybrook_cine"
    index = read(
        root, groups=None, planes=["LV ED", "myocardium ED", "LV ES"], split="none", side=144
    )
    assert len(index) == 4
    one = index.case(0)
    assert one["images"].shape == (2, 144, 144)
    lv_ed, muscle, lv_es = one["anatomy_masks"]
    # The cavity shrinks, the muscle surrounds it, and blood is brighter than muscle.
    assert 0 < lv_es.sum() < lv_ed.sum()
    assert not (muscle & lv_ed).any()
    assert one["images"][0][lv_ed].mean() > 1.5 * one["images"][0][muscle].mean()
    with pytest.raises(DataError, match="unknown group: 'HF-I'"):
        read(root)
    with pytest.raises(DataError, match="leave 'RV ED' out of planes"):
        read(root, groups=None).cohort()


@pytest.mark.slow
def test_sunnybrook_frames_are_those_of_the_cine(open_data):
    root = open_data / "sunnybrook_cine"
    for case in read(root, groups=None, planes=[], split="none").cases.to_dict("records"):
        cine = volume(root, case["case_id"], side=144)
        assert len(cine.images) == case["frames"] == 20
        areas = {p: (t[cine.middle] == 3).sum() for p, t in cine.ground_truth.items()}
        assert areas["ED"] > areas["ES"] > 0
        folder = root / case["case_id"]
        whole = np.asarray(nibabel.load(folder / f"{case['case_id']}_4d.nii.gz").dataobj)
        for phase in ("ED", "ES"):
            frame = np.asarray(nibabel.load(root / case[phase]).dataobj)
            np.testing.assert_array_equal(whole[..., cine.phases[phase]], frame)


def test_what_macos_leaves_behind_is_no_patient(root):
    (root / "training" / "__MACOSX").mkdir()
    (root / "training" / "MANDATORY_CITATION.md").write_text("Cite us.")
    assert len(read(root)) == 6
    patients = (root / "training").rename(root.parent / "patients")
    assert len(read(patients)) == 4
