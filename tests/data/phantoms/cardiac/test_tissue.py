import numpy as np
import pytest

from shortlib.data.phantoms.cardiac.tissue import (
    FLIP,
    RELAXATION,
    bssfp_signal,
    tissue_signals,
)


def exact(t1, t2, flip, tr):
    """Steady state of bSSFP right after a pulse (Freeman and Hill 1971), any TR."""
    e1, e2, a = np.exp(-tr / t1), np.exp(-tr / t2), np.deg2rad(flip)
    return np.sin(a) * (1 - e1) / (1 - (e1 - e2) * np.cos(a) - e1 * e2)


@pytest.mark.parametrize("tissue", [t for t in RELAXATION if t != "cortex"])
@pytest.mark.parametrize("field", [1.5, 3.0])
def test_limit_of_short_tr(tissue, field):
    t1, t2 = RELAXATION[tissue][0 if field == 1.5 else 1]
    assert bssfp_signal(t1, t2, FLIP[field]) == pytest.approx(
        exact(t1, t2, FLIP[field], 0.01), rel=1e-3
    )
    assert bssfp_signal(t1, t2, FLIP[field]) == pytest.approx(
        exact(t1, t2, FLIP[field], 3.2), rel=0.05
    )


def test_best_flip_gives_half_the_root_of_t2_over_t1():
    t1, t2 = 1000.0, 50.0
    best = np.rad2deg(np.arccos((t1 / t2 - 1) / (t1 / t2 + 1)))
    assert bssfp_signal(t1, t2, best) == pytest.approx(0.5 * np.sqrt(t2 / t1))
    assert bssfp_signal(t1, t2, best, 0.4) == pytest.approx(0.2 * np.sqrt(t2 / t1))


@pytest.mark.parametrize("field", [1.5, 3.0])
def test_order_of_tissues_is_that_of_a_cine(field):
    s = tissue_signals(field)
    assert s["blood"] == 1
    assert s["fluid"] > s["blood"] > s["liver"] > s["myocardium"] > s["lung"]
    assert 0.6 < s["fat"] < 1.2
    assert 2.2 < 1 / s["myocardium"] < 4.5


def test_other_fields_are_refused():
    with pytest.raises(ValueError, match=r"1\.5, 3\.0.*got 7"):
        tissue_signals(7)
