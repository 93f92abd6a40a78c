"""The severity model: its scores, its ceiling, its overlap."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from shortlib.data.phantoms.skin.severity import (
    COLOURS,
    HARMLESS,
    STRUCTURES,
    Findings,
    draw_findings,
    draw_severity,
)


def test_the_score_is_the_weighted_sum_of_the_four_criteria():
    # The worst lesion there can be scores 8.9 in the rule of Stolz et al.
    assert Findings(2, 8, COLOURS, STRUCTURES, 1.0, True).tds == pytest.approx(8.9)
    # The mildest scores 1.0; what replaces an erased lesion is far below the 4.75 of a mole.
    assert Findings(0, 0, COLOURS[:1], STRUCTURES[:1], 0.0, False).tds == pytest.approx(1.0)
    assert HARMLESS.tds < 4.75


@pytest.mark.parametrize("separation", [0.0, 1.0, 3.0])
def test_the_severity_reaches_the_auroc_of_two_normals(separation):
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 4000)
    severities = [draw_severity(rng, label, separation) for label in labels]
    expected = norm.cdf(separation / np.sqrt(2))
    assert roc_auc_score(labels, severities) == pytest.approx(expected, abs=0.02)


def test_findings_rise_with_severity_and_overlap():
    rng = np.random.default_rng(1)
    low, high = (
        np.array([draw_findings(rng, 0, severity).tds for _ in range(600)])
        for severity in (-1.5, 1.5)
    )
    assert low.mean() < 4.75 < 5.45 < high.mean()
    # Neither label can be told by the score in each case.
    assert np.quantile(low, 0.99) > np.quantile(high, 0.01)


@pytest.mark.parametrize("severity", [-4.0, 0.0, 4.0])
def test_findings_stay_in_their_ranges(severity):
    rng = np.random.default_rng(2)
    for _ in range(50):
        found = draw_findings(rng, 1, severity)
        assert 0 <= found.asymmetry <= 2
        assert 0 <= found.border <= 8
        assert 1 <= len(set(found.colours)) == len(found.colours) <= 6
        assert 1 <= len(set(found.structures)) == len(found.structures) <= 5
        assert 0 <= found.atypia <= 1


def test_vessels_come_as_often_as_they_were_counted():
    rng = np.random.default_rng(3)
    for label, share in ((0, 0.162), (1, 0.304)):
        seen = sum(draw_findings(rng, label, 0.0).vessels for _ in range(3000))
        assert abs(seen - 3000 * share) < 4 * np.sqrt(3000 * share * (1 - share))
