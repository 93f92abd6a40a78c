import numpy as np
import pandas as pd
import pytest

from shortlib.data import Cohort
from shortlib.data.phantoms.cardiac import CLASSES, cardiac
from shortlib.data.phantoms.cardiac.body import HEAVY_SHARE, draw_body, heavy_share
from shortlib.data.phantoms.cardiac.cohort import draw_labels
from shortlib.data.phantoms.cardiac.patient import describe, draw_patient
from shortlib.data.phantoms.cardiac.rendering import Renderer

STRUCTURES = ("RV", "myocardium", "LV")


@pytest.fixture(scope="module", params=["cm", "acdc"])
def cohort(request):
    return cardiac(40, size=64, seed=4, classes=request.param)


def covariates(classes, n=400):
    """Covariates of many patients, without their images."""
    names = CLASSES[classes]
    labels = draw_labels(n, len(names), seed=9)
    return pd.DataFrame([describe(draw_patient(9, i, names[k])) for i, k in enumerate(labels)])


@pytest.fixture(scope="module")
def known():
    return {classes: covariates(classes) for classes in CLASSES}


def test_shapes_and_names(cohort):
    classes = cohort.name.removeprefix("cardiac-")
    assert isinstance(cohort, Cohort)
    assert cohort.images.shape == (40, 2, 64, 64)
    assert cohort.images.dtype == np.uint8
    assert cohort.label_names == CLASSES[classes]
    assert cohort.anatomy_names == tuple(f"{s} {p}" for p in ("ED", "ES") for s in STRUCTURES)
    assert cohort.abnormality_names == ("ED", "ES")
    assert cohort.shortcut_names == ("heavy habitus",)
    assert cohort.case_ids[3] == f"cardiac-{classes}-4-00003"
    assert not cohort.covariates.isna().any(axis=None)
    np.testing.assert_array_equal(
        cohort.covariates["group"], np.array(cohort.label_names)[cohort.labels]
    )
    assert set(np.bincount(cohort.labels)) == {40 // len(CLASSES[classes])}


def test_images_use_their_range(cohort):
    assert cohort.images.min(axis=(1, 2, 3)).max() < 20
    assert cohort.images.max(axis=(1, 2, 3)).min() == 255


def test_masks_are_disjoint_and_the_cavity_shrinks(cohort):
    masks = cohort.anatomy_masks.reshape(40, 2, 3, 64, 64)
    assert masks.sum(axis=2).max() == 1
    area = masks.sum(axis=(3, 4))
    assert (area > 0).all()
    assert (area[:, 1, 2] < area[:, 0, 2]).all()


def test_septum_lies_between_the_cavities(cohort):
    x = np.arange(64)
    for right, left in (("RV ED", "LV ED"), ("RV ES", "LV ES")):
        rv, lv = (cohort.plane("anatomy_masks", name) for name in (right, left))
        centre = [(m.sum(axis=1) * x).sum(axis=1) / m.sum(axis=(1, 2)) for m in (rv, lv)]
        assert (centre[0] < centre[1] - 3).all()


def test_blood_is_brighter_than_muscle_and_muscle_than_lung(cohort):
    ed = cohort.images[:, 0].astype(float)
    lv, wall = (cohort.plane("anatomy_masks", f"{s} ED") for s in ("LV", "myocardium"))
    mean = [(ed * m).sum(axis=(1, 2)) / m.sum(axis=(1, 2)) for m in (lv, wall)]
    assert (mean[0] > 1.7 * mean[1]).all()
    lung = np.percentile(ed, 10, axis=(1, 2))
    assert (lung < mean[1]).all()


def test_abnormality_lies_in_the_heart_and_normal_hearts_have_none(cohort):
    anatomy = cohort.anatomy_masks.any(axis=1)
    group = cohort.covariates["group"].to_numpy()
    found = cohort.abnormality_masks.any(axis=(2, 3))
    assert not found[group == "NOR"].any()
    whole = np.isin(group, ["NICM", "DCM", "AMYL", "RV"])
    assert found[whole].all()
    outside = cohort.abnormality_masks.any(axis=1) & ~anatomy
    # The free wall of the right ventricle is no structure of its own.
    assert not outside[group != "AMYL"].any()
    for name, structure in (("NICM", "LV"), ("DCM", "LV"), ("HCM", "myocardium")):
        for place, phase in enumerate(("ED", "ES")):
            inside = cohort.plane("anatomy_masks", f"{structure} {phase}")
            rows = group == name
            assert not (cohort.abnormality_masks[rows, place] & ~inside[rows]).any()


def test_shortcut_is_the_fat_of_heavy_patients(cohort):
    heavy = (cohort.covariates["bmi"] >= 30).to_numpy()
    np.testing.assert_array_equal(cohort.shortcut, heavy)
    np.testing.assert_array_equal(cohort.shortcut_masks.any(axis=(1, 2)), heavy)
    assert not (cohort.shortcut_masks & cohort.anatomy_masks.any(axis=1)).any()


def test_same_arguments_same_cohort_whatever_n():
    whole = cardiac(9, size=48, seed=2)
    assert whole.checksum() == cardiac(9, size=48, seed=2).checksum()
    assert whole[4:7].checksum() == cardiac(3, first=4, size=48, seed=2).checksum()
    assert whole.checksum() != cardiac(9, size=48, seed=3).checksum()


def test_covariates_agree_with_the_heart_that_is_drawn():
    cohort = cardiac(12, size=192, seed=1)
    pixel = cohort.covariates["pixel_spacing"].to_numpy() ** 2
    wall = cohort.plane("anatomy_masks", "myocardium ED").sum(axis=(1, 2)) * pixel
    cavity = cohort.plane("anatomy_masks", "LV ED").sum(axis=(1, 2)) * pixel
    radius = np.sqrt(cavity / np.pi)
    thickness = np.sqrt((wall + cavity) / np.pi) - radius
    np.testing.assert_allclose(thickness, cohort.covariates["wall_mean"], rtol=0.08)


def test_classes_are_what_they_are_named_after(known):
    cm = known["cm"].groupby("group").mean(numeric_only=True)
    acdc = known["acdc"].groupby("group").mean(numeric_only=True)
    assert acdc.loc["NOR", "lv_ef"] > 0.55
    assert acdc.loc["DCM", "lv_ef"] < 0.45
    assert acdc.loc["DCM", "lv_edv"] > 1.3 * acdc.loc["NOR", "lv_edv"]
    assert acdc.loc["MINF", "lv_ef"] < 0.48
    assert acdc.loc["HCM", "wall_max"] > acdc.loc["NOR", "wall_max"] + 3
    assert acdc.loc["RV", "rv_edv"] > 1.25 * acdc.loc["NOR", "rv_edv"]
    assert acdc.loc["RV", "rv_ef"] < acdc.loc["NOR", "rv_ef"] - 0.06
    assert acdc.loc["RV", "lv_ef"] > 0.52
    assert cm.loc["NICM", "lv_edv"] > 1.2 * cm.loc["AMYL", "lv_edv"]
    assert cm.loc["AMYL", "wall_mean"] > cm.loc["NICM", "wall_mean"] + 2
    assert (cm.loc["HCM", "wall_max"] - cm.loc["HCM", "wall_mean"]) > 1.5
    assert cm.loc["AMYL", "wall_max"] - cm.loc["AMYL", "wall_mean"] < 1.2
    assert cm.loc["HCM", "lv_ef"] > cm.loc["AMYL", "lv_ef"] > cm.loc["ICM", "lv_ef"]
    # Advanced disease meets the definitions of the ACDC challenge.
    late = known["acdc"][known["acdc"]["severity"] > 0.85]
    dilated = late[late["group"] == "DCM"]
    assert (dilated["lv_ef"] < 0.45).mean() > 0.9
    assert (late[late["group"] == "HCM"]["wall_max"] > 12).mean() > 0.8


def test_classes_overlap(known):
    ef = known["cm"].groupby("group")["lv_ef"]
    assert ef.quantile(0.9)["NICM"] > ef.quantile(0.1)["HCM"]
    assert (
        known["cm"].groupby("group")["lv_edv"].max()["AMYL"]
        > (known["cm"].groupby("group")["lv_edv"].median()["NICM"])
    )


def test_background_does_not_know_the_class(known):
    """Without an association, nothing outside the heart differs between classes."""
    for table in known.values():
        bmi = table.groupby("group")["bmi"]
        assert (bmi.mean() - table["bmi"].mean()).abs().max() < 4 * 4.8 / np.sqrt(bmi.size().min())
        share = pd.crosstab(table["group"], table["scanner"], normalize="index")["A"]
        assert (share - 0.5).abs().max() < 4 * 0.5 / np.sqrt(bmi.size().min())


@pytest.mark.parametrize(("association", "expected"), [(1.0, 0.95), (-1.0, 0.05), (0.5, None)])
def test_share_of_heavy_patients(association, expected):
    expected = expected or (0.95 + HEAVY_SHARE) / 2
    assert heavy_share(True, association) == pytest.approx(expected)
    drawn = [
        draw_body((3, i, 1), expected_heavy=True, association=association).heavy for i in range(500)
    ]
    assert np.mean(drawn) == pytest.approx(expected, abs=4 * 0.5 / np.sqrt(500))


def test_association_changes_habitus_and_never_the_heart():
    plain, tied = (cardiac(16, size=48, seed=6, habitus_association=a) for a in (0.0, 1.0))
    assert (plain.shortcut != tied.shortcut).any()
    np.testing.assert_array_equal(plain.anatomy_masks, tied.anatomy_masks)
    same = plain.shortcut == tied.shortcut
    assert same.any()
    for name in ("lv_edv", "lv_ef", "wall_max", "rv_edv"):
        np.testing.assert_array_equal(plain.covariates[name], tied.covariates[name])
    group = tied.covariates["group"]
    assert tied.shortcut[group.isin(["ICM", "HCM"])].mean() > 0.7
    assert tied.shortcut[group.isin(["NICM", "AMYL"])].mean() < 0.3


def test_systemic_sign_of_amyloid():
    def share(kind, systemic):
        return np.mean(
            [draw_patient(0, i, kind, systemic=systemic).body.effusion for i in range(150)]
        )

    assert share("AMYL", 0.0) == share("HCM", 0.0) == share("HCM", 1.0)
    assert share("AMYL", 1.0) > 0.6
    assert share("AMYL", 0.0) < 0.12


def test_erased_patients_have_a_normal_heart_in_the_same_body():
    for index, kind in enumerate(("NICM", "AMYL", "HCM", "RV")):
        ill, well = (draw_patient(8, index, kind, erase=e) for e in (False, True))
        assert ill.body == well.body
        assert ill.scanner == well.scanner
        assert well.heart != ill.heart
        assert well.heart == draw_patient(8, index, "NOR").heart
        slices = [Renderer(p, (96, 96), 2.0).slice(p.middle) for p in (ill, well)]
        assert not slices[1].abnormality.any()
        # Where neither heart reaches, nothing changes but what the blur carries over.
        x, y = ill.body.place
        rows, columns = np.indices((96, 96))
        far = np.hypot((columns - 47.5) * 2 - x, (rows - 47.5) * 2 - y) > 85
        difference = np.abs(slices[0].signal - slices[1].signal)[:, far]
        assert np.percentile(difference, 99) < 1e-5


def test_scanner_can_be_chosen():
    for name, field in (("A", 1.5), ("B", 3.0)):
        cohort = cardiac(4, size=48, scanner=name)
        assert set(cohort.covariates["scanner"]) == {name}
        assert set(cohort.covariates["field"]) == {field}


def test_classes_can_have_shares():
    labels = draw_labels(2000, 4, seed=1, shares=[0.46, 0.24, 0.13, 0.17])
    np.testing.assert_allclose(np.bincount(labels) / 2000, [0.46, 0.24, 0.13, 0.17], atol=0.05)
    np.testing.assert_array_equal(
        labels[700:720], draw_labels(20, 4, first=700, seed=1, shares=[0.46, 0.24, 0.13, 0.17])
    )


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"n": 0}, "n is a whole number of at least 1, got 0"),
        ({"size": 16}, "size is a whole number of at least 32, got 16"),
        ({"first": -1}, "first .* got -1"),
        ({"seed": -1}, "seed .* got -1"),
        ({"classes": "CM"}, "classes must be one of .* got 'CM'"),
        ({"habitus_association": 2}, r"habitus_association lies in \[-1, 1\], got 2"),
        ({"systemic": -0.1}, r"systemic lies in \[0, 1\], got -0.1"),
        ({"scanner": "C"}, "scanner is None or one of .* got 'C'"),
        ({"field_of_view": 10}, "field_of_view lies between 120 and 400 mm, got 10"),
        ({"shares": [0.5, 0.5]}, "shares are 4 numbers that sum to 1"),
    ],
)
def test_wrong_arguments(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        cardiac(**{"n": 2, "size": 32, **wrong})
