import numpy as np
import pytest

from shortlib.data.phantoms.cardiac_files import write_acdc, write_cm
from shortlib.data.problems import DataError
from shortlib.studies.cardiac_context.sources import (
    check_source,
    common_radius,
    load_cohorts,
    source_checksum,
    sources_here,
)
from shortlib.studies.cardiac_context.study import requests


@pytest.fixture(scope="module")
def settings():
    return next(
        run for run in requests("smoke", data="builtin-cine") if run.variant == "full"
    ).settings


@pytest.fixture(scope="module")
def cohorts(settings):
    return load_cohorts(settings)


def test_seven_tenths_of_the_patients_train_and_nobody_does_both(cohorts, settings):
    assert set(cohorts) == {"cm train", "cm test", "cm adversarial", "acdc train", "acdc test"}
    for name in ("cm", "acdc"):
        train, test = (set(cohorts[f"{name} {part}"].patient_ids) for part in ("train", "test"))
        assert not train & test
        n = settings["source"][name]["drawn"]["n"]
        assert len(train | test) == n
        assert len(test) == round(0.3 * n)


def test_the_adversarial_patients_are_the_test_patients_with_the_cue_turned_round(cohorts):
    test, turned = cohorts["cm test"], cohorts["cm adversarial"]
    np.testing.assert_array_equal(test.case_ids, turned.case_ids)
    np.testing.assert_array_equal(test.labels, turned.labels)
    assert (test.shortcut != turned.shortcut).mean() > 0.4
    # The same hearts: their volumes and ejection fractions do not know of habitus.
    for name in ("lv_edv", "lv_ef", "wall_mean"):
        np.testing.assert_array_equal(test.covariates[name], turned.covariates[name])
    assert not np.array_equal(test.images, turned.images)


def test_one_disc_covers_every_heart(cohorts):
    radius = common_radius(cohorts)
    assert radius == max(common_radius({"one": cohort}) for cohort in cohorts.values())


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory):
    root = tmp_path_factory.mktemp("hospitals")
    write_cm(root / "cm", 8, seed=1, spacing=3.0)
    write_acdc(root / "acdc", 10, seed=1, spacing=3.0)
    return root


def paper(root, **own):
    return requests("paper", data="cm-acdc", data_root=root, variants=["full"], **own)[0]


def test_real_layouts_are_read_side_by_side(hospitals):
    request = paper(hospitals)
    found = load_cohorts({**request.settings, "side": 64}, data_root=hospitals)
    assert set(found) == {"cm train", "cm test", "acdc train", "acdc test"}
    assert found["cm train"].images.shape[1:] == (2, 64, 64)
    assert found["cm train"].label_names == ("AMYL", "HCM", "ICM", "NICM")
    assert not set(found["cm train"].patient_ids) & set(found["cm test"].patient_ids)


def test_other_data_than_those_asked_for_are_refused(hospitals, tmp_path):
    request = paper(hospitals)
    assert sources_here(request.settings["source"], hospitals)
    assert not sources_here(request.settings["source"], tmp_path)
    check_source(request.settings, request.data_checksum, data_root=hospitals)
    assert source_checksum(request.settings["source"], data_root=hospitals) == request.data_checksum
    with pytest.raises(DataError, match=r"checksum .* plan the runs again"):
        check_source(request.settings, "another", data_root=hospitals)
