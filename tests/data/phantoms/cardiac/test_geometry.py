import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlib.data.phantoms.cardiac.geometry import (
    ANGLES,
    DEGREES,
    Heart,
    Motion,
    contours,
    volumes,
)

NORMAL = Heart(length=88, edv=145, ef=0.62, wall=8, rv_edv=155, rv_ef=0.57)


def polygon_area(radius):
    """Area of a star-shaped polygon by the shoelace formula, mm^2."""
    x, y = radius * np.cos(ANGLES), radius * np.sin(ANGLES)
    return 0.5 * abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))


def volume_by_slices(heart, phase, *, right=False):
    """Sum of polygon areas over slices of 0.5 mm, in ml."""
    positions = np.arange(-20, heart.length + 20, 0.5)
    shape = contours(heart, phase, positions)
    outer, inner = (shape.rv, shape.epi) if right else (shape.endo, np.zeros_like(shape.endo))
    areas = [polygon_area(a) - polygon_area(b) for a, b in zip(outer, inner, strict=True)]
    return sum(areas) * 0.5 / 1e3


@pytest.mark.parametrize(
    "heart",
    [
        NORMAL,
        Heart(length=100, edv=260, ef=0.25, wall=8, rv_edv=180, rv_ef=0.4),
        Heart(length=85, edv=120, ef=0.65, wall=9, rv_edv=130, rv_ef=0.6, bump=(160, 40, 9)),
        Heart(length=90, edv=150, ef=0.5, wall=8, rv_edv=240, rv_ef=0.3, flatness=0.2),
        Heart(
            length=95, edv=200, ef=0.35, wall=8, rv_edv=150, rv_ef=0.5,
            scar=(128, 45, 0.5, 0.1, 0.1, 1.0),
        ),
    ],
)  # fmt: skip
def test_volumes_are_those_asked_for(heart):
    found = volumes(heart)
    assert found["lv_edv"] == pytest.approx(heart.edv, rel=1e-6)
    assert found["rv_edv"] == pytest.approx(heart.rv_edv, rel=1e-6)
    assert 1 - found["lv_esv"] / found["lv_edv"] == pytest.approx(heart.ef, abs=0.005)
    assert 1 - found["rv_esv"] / found["rv_edv"] == pytest.approx(heart.rv_ef, abs=1e-6)
    for phase in ("ED", "ES"):
        left, right = (volume_by_slices(heart, phase, right=r) for r in (False, True))
        assert left == pytest.approx(found[f"lv_{phase.lower()}v"], rel=0.02)
        assert right == pytest.approx(found[f"rv_{phase.lower()}v"], rel=0.02)


def test_muscle_keeps_its_volume():
    total = {}
    for phase in ("ED", "ES"):
        shape = contours(NORMAL, phase, np.arange(-20, NORMAL.length, 0.5))
        areas = [
            polygon_area(a) - polygon_area(b) for a, b in zip(shape.epi, shape.endo, strict=True)
        ]
        total[phase] = sum(areas)
    assert total["ES"] == pytest.approx(total["ED"], rel=0.02)


def test_a_wall_that_cannot_move_bounds_the_ejection_fraction():
    still = Heart(
        length=88, edv=145, ef=0.6, wall=8, rv_edv=150, rv_ef=0.5, scar=(0, 175, 0.3, 0, -1, 2)
    )
    found = volumes(still)
    assert found["lv_esv"] < found["lv_edv"]
    assert 1 - found["lv_esv"] / found["lv_edv"] < 0.5


def test_scar_is_thin_and_still_and_the_rest_moves():
    heart = Heart(
        length=95, edv=200, ef=0.4, wall=10, rv_edv=150, rv_ef=0.5,
        scar=(330, 40, 0.5, 0.0, -1.0, 2.0), shortening=0.0, oval=(0, 0), triangle=(0, 0),
    )  # fmt: skip
    ed, es = (contours(heart, phase, [40.0]) for phase in ("ED", "ES"))
    inside, far = int(np.argmin(abs(DEGREES - 330))), int(np.argmin(abs(DEGREES - 150)))
    assert es.endo[0, inside] == pytest.approx(ed.endo[0, inside], rel=0.02)
    assert (ed.epi - ed.endo)[0, inside] == pytest.approx(5, rel=0.05)
    assert es.endo[0, far] < 0.8 * ed.endo[0, far]
    assert (es.epi - es.endo)[0, far] > 1.2 * (ed.epi - ed.endo)[0, far]


def test_base_moves_and_tip_stays():
    inside = [0.05 * NORMAL.length]
    assert contours(NORMAL, "ED", inside).endo.min() > 10
    assert contours(NORMAL, "ES", inside).endo.max() == 0
    beyond = [NORMAL.length + NORMAL.wall + 1]
    for phase in ("ED", "ES"):
        assert contours(NORMAL, phase, beyond).epi.max() == 0
        cap = contours(NORMAL, phase, [NORMAL.length + 1])
        assert cap.endo.max() == 0
        assert cap.epi.max() > 0


@settings(max_examples=30, deadline=None)
@given(
    edv=st.floats(60, 330), ef=st.floats(0.1, 0.75), wall=st.floats(5, 18),
    rv_edv=st.floats(70, 330), rv_ef=st.floats(0.15, 0.7), bump=st.floats(0, 14),
    lost=st.floats(0, 0.68), left=st.floats(-0.3, 1), flat=st.floats(0, 0.3),
)  # fmt: skip
def test_contours_are_nested(edv, ef, wall, rv_edv, rv_ef, bump, lost, left, flat):
    heart = Heart(
        length=90, edv=edv, ef=ef, wall=wall, rv_edv=rv_edv, rv_ef=rv_ef,
        bump=(150, 40, bump), scar=(120, 45, lost, left, 0.1, 1), flatness=flat,
    )  # fmt: skip
    motion = Motion(heart)
    for phase in ("ED", "ES"):
        c = motion.contours(phase, np.linspace(-5, 110, 24))
        assert (c.endo >= 0).all()
        assert (c.epi >= c.endo).all()
        assert (c.rv >= c.epi).all()
        assert (c.rv_epi >= c.rv).all()
    found = motion.volumes()
    assert found["lv_esv"] < found["lv_edv"]
    assert found["rv_esv"] < found["rv_edv"]
