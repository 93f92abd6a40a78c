"""Who has what: prevalences, co-occurrence, patients with several images, shortcuts by class."""

import numpy as np
import pytest

from shortlib.data.phantoms.chest import Population
from shortlib.data.phantoms.chest.cases import draw
from shortlib.data.phantoms.chest.population import LOADINGS, roster, severities
from shortlib.data.phantoms.chest.settings import make_settings

SHARES = {"Atelectasis": 0.3, "Cardiomegaly": 0.28, "Edema": 0.25, "Pleural Effusion": 0.35}
MANY = 1500


@pytest.fixture(scope="module")
def found():
    rows = [severities(1, patient, 0, SHARES) for patient in range(MANY)]
    return {name: np.array([row[name] for row in rows]) for name in SHARES}


def test_prevalences_are_what_was_asked_for(found):
    for name, share in SHARES.items():
        error = np.sqrt(share * (1 - share) / MANY)
        assert abs((found[name] > 0).mean() - share) < 4 * error


def test_severity_is_uniform_among_the_ill(found):
    for severity in found.values():
        ill = severity[severity > 0]
        assert ill.max() <= 1
        np.testing.assert_allclose(np.quantile(ill, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.1)


def test_findings_occur_together_as_their_causes_say(found):
    # Share of the unlike findings' pairs, against two normal variables of the stated correlation.
    rng = np.random.default_rng(0)
    for first, second in [("Cardiomegaly", "Edema"), ("Edema", "Pleural Effusion")]:
        r = float(np.dot(LOADINGS[first], LOADINGS[second]))
        x = rng.standard_normal(200_000)
        y = r * x + np.sqrt(1 - r * r) * rng.standard_normal(200_000)
        cut = [np.quantile(v, 1 - SHARES[name]) for v, name in ((x, first), (y, second))]
        due = ((x > cut[0]) & (y > cut[1])).mean()
        both = ((found[first] > 0) & (found[second] > 0)).mean()
        assert abs(both - due) < 0.03
        assert both > 1.3 * SHARES[first] * SHARES[second]


def test_a_finding_does_not_depend_on_which_others_are_asked_for():
    alone = severities(4, 9, 0, {"Edema": 0.5})
    among = severities(4, 9, 0, {"Atelectasis": 0.1, "Edema": 0.5, "Consolidation": 0.9})
    assert alone["Edema"] == among["Edema"]


def test_studies_of_a_patient_are_alike_but_not_the_same():
    first = np.array([severities(2, p, 0, SHARES)["Edema"] > 0 for p in range(700)])
    later = np.array([severities(2, p, 1, SHARES)["Edema"] > 0 for p in range(700)])
    assert (first & later).mean() > 2 * first.mean() * later.mean()
    assert (first != later).any()
    assert abs(later.mean() - 0.25) < 0.07


@pytest.mark.parametrize(("repeats", "follow_up"), [(0.0, 0.5), (0.5, 0.0), (1.0, 1.0), (0.6, 0.5)])
def test_images_of_a_patient_are_in_order_and_in_one_block(repeats, follow_up):
    population = Population(repeats=repeats, follow_up=follow_up)
    rows = [roster(number, 5, population) for number in range(400)]
    assert len(set(rows)) == 400
    for number, (patient, study, image) in enumerate(rows):
        assert patient // 4 == number // 4
        assert patient <= number
        if (study, image) == (0, 0):
            assert patient == number
        elif image:
            assert rows[number - 1] == (patient, study, image - 1)
        else:
            assert rows[number - 1][:2] == (patient, study - 1)
    if repeats == 0:
        assert all(row[1:] == (0, 0) for row in rows)
    if repeats == follow_up == 1:
        assert [row[1] for row in rows[:4]] == [0, 1, 2, 3]


def test_what_lasts_stays_with_the_patient():
    settings = make_settings("findings", 0, population=Population(repeats=1.0, adult=0.5))
    cases = [draw(number, settings) for number in range(40)]
    for case in cases:
        first = cases[case.patient]
        assert (case.adult, case.female) == (first.adult, first.female)
        assert (case.before is None) == (case.study == 0)
        if case.study == first.study:
            assert case.severity == first.severity


def _cases(task, **settings):
    settings = make_settings(task, 11, **settings)
    return [draw(number, settings) for number in range(600)]


def test_tubes_follow_the_pneumothorax_as_asked():
    cases = _cases("pneumothorax", p_tube={0: 0.1, 1: 0.7}, findings={"Pneumothorax": 0.5})
    label = np.array([case.label for case in cases])
    tube = np.array(["chest tube" in case.devices for case in cases])
    assert abs(label.mean() - 0.5) < 0.08
    assert abs(tube[label == 1].mean() - 0.7) < 0.1
    assert abs(tube[label == 0].mean() - 0.1) < 0.07


def test_age_follows_the_class_as_asked():
    cases = _cases("pneumonia", population=Population(adult={"Viral Pneumonia": 0.1, "COVID": 0.9}))
    label = np.array([case.label for case in cases])
    adult = np.array([case.adult for case in cases])
    np.testing.assert_allclose(np.bincount(label) / 600, 0.25, atol=0.07)
    assert abs(adult[label == 3].mean() - 0.1) < 0.1
    assert abs(adult[label == 0].mean() - 0.9) < 0.1
    assert adult[(label == 1) | (label == 2)].all()


def test_devices_and_views_are_unrelated_to_the_findings():
    cases = _cases("findings", devices={"pacemaker": 0.5})
    pacemaker = np.array(["pacemaker" in case.devices for case in cases])
    ap = np.array([case.view == "AP" for case in cases])
    for name in SHARES:
        ill = np.array([case.severity[name] > 0 for case in cases])
        for flag in (pacemaker, ap):
            assert abs(flag[ill].mean() - flag[~ill].mean()) < 0.15
