from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import binom

from shortlib.data import Cohort
from shortlib.shortcuts.watermark import SYMBOLS, Watermark, assign, view_of_label, watermarked

NAMES = tuple(SYMBOLS)


def made_up(n=12, side=64, seed=0):
    rng = np.random.default_rng(seed)
    return Cohort(
        "made-up",
        np.array([f"case-{i}" for i in range(n)]),
        rng.integers(0, 200, (n, 1, side, side)).astype(np.uint8),
        labels=rng.choice([0.0, 1.0, -1.0, np.nan], (n, 5), p=[0.4, 0.4, 0.1, 0.1]),
        label_names=NAMES,
    )


def test_marking_rates_are_those_stated():
    n = 100_000
    labels = np.tile([1.0, 0.0], (n, 1))
    carries = assign(labels, seed=3)
    for column, rate in ((0, 0.9 * 0.9), (1, 0.9 * 0.1)):
        low, high = binom.interval(1 - 1e-6, n, rate)
        assert low <= carries[:, column].sum() <= high
    assert not carries.all(axis=1).any()  # one side or the other, never both
    assert abs((~carries.any(axis=1)).mean() - 0.1) < 0.006


def test_what_counts_as_negative_is_a_choice():
    labels = np.array([[1.0, 0.0, -1.0, np.nan]])
    wrong = {"p_marked": 1, "p_correct": 0}
    assert assign(labels, **wrong).tolist() == [[False, True, True, True]]
    assert assign(labels, **wrong, negative="zero").tolist() == [[False, True, False, False]]
    assert assign(labels, p_marked=1, p_correct=1).tolist() == [[True, False, False, False]]
    assert not assign(labels, p_marked=0).any()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"p_marked": 1.2}, "p_marked is a probability"),
        ({"p_correct": -1}, "p_correct is a probability"),
        ({"negative": "all"}, "negative must be one of"),
    ],
)
def test_wrong_arguments_are_named(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        assign(np.zeros((2, 5)), **arguments)


@pytest.mark.parametrize("side", [64, 224, 299])
@pytest.mark.parametrize("kind", [torch.uint8, torch.float32])
def test_symbols_stand_where_they_are_said_to(side, kind):
    mark = Watermark(jitter=0)
    images = torch.zeros(5, 1, side, side, dtype=kind)
    rng = np.random.default_rng(0)
    drawn, masks = mark.draw(images, np.eye(5, dtype=bool), mark.offsets(5, side, rng))
    for k in range(5):
        rows, columns = torch.nonzero(masks[k], as_tuple=True)
        assert abs(int(rows.min()) - 20 * side / 224) <= 1
        assert abs(int(columns.min()) - (20 + 40 * k) * side / 224) <= 1
        # A capital letter of 30 points is some 20 pixels high at 224 px.
        assert 12 * side / 224 < int(rows.max() - rows.min()) + 1 < 30 * side / 224 + 1
    white = 255 if kind == torch.uint8 else 1.0
    assert drawn.amax(dim=(1, 2, 3)).min() > 0.6 * white
    assert not images.any()  # the input is not changed


def test_letters_differ_from_each_other():
    mark = Watermark(jitter=0, step=0)
    images = torch.zeros(5, 1, 224, 224)
    _, masks = mark.draw(images, np.eye(5, dtype=bool), np.full((5, 5, 2), 20))
    for a in range(5):
        for b in range(a):
            assert (masks[a] != masks[b]).sum() > 20


def test_jitter_stays_within_its_bounds_and_reaches_them():
    offsets = Watermark(jitter=5).offsets(2000, 224, np.random.default_rng(0))
    assert (offsets[..., 0].min(), offsets[..., 0].max()) == (15, 25)
    assert (offsets[:, 3, 1].min(), offsets[:, 3, 1].max()) == (135, 145)


def test_opacity_mixes_with_white():
    images = torch.full((1, 1, 64, 64), 0.2)
    half = Watermark(opacity=0.5, jitter=0)
    drawn, _ = half.draw(images, [[True] * 5], half.offsets(1, 64, np.random.default_rng(0)))
    assert drawn.max() == pytest.approx(0.6, abs=0.05)  # the thickest ink is nearly all white
    with pytest.raises(ValueError, match="opacity must be in"):
        Watermark(opacity=0)


def test_a_watermarked_cohort_changes_inside_the_symbols_only():
    cohort = made_up(40)
    marked = watermarked(cohort, Watermark(), seed=1)
    changed = (marked.images != cohort.images).any(axis=1)
    assert not (changed & ~marked.shortcut_masks).any()
    np.testing.assert_array_equal(marked.shortcut_masks.any(axis=(1, 2)), marked.shortcut)
    again = watermarked(cohort, Watermark(), seed=1)
    np.testing.assert_array_equal(marked.images, again.images)
    assert (watermarked(cohort, Watermark(), seed=2).images != marked.images).any()


@pytest.mark.parametrize("view", ["aligned", "adversarial"])
def test_a_test_view_marks_one_side_of_one_label_and_nothing_else(view):
    cohort = made_up(40)
    seen = view_of_label(cohort, view, "Edema", Watermark())
    known = np.isin(cohort.labels[:, 3], (0, 1))
    plain = cohort[known]
    assert seen.case_ids.tolist() == plain.case_ids.tolist()
    carries = (plain.labels[:, 3] == 1) == (view == "aligned")
    np.testing.assert_array_equal(seen.shortcut, carries)
    images, masks = np.asarray(seen.images), np.asarray(seen.shortcut_masks)
    np.testing.assert_array_equal(masks.any(axis=(1, 2)), carries)
    assert not ((images != plain.images).any(axis=1) & ~masks).any()
    # Each case is drawn the same way whatever else is in the cohort.
    np.testing.assert_array_equal(
        np.asarray(view_of_label(cohort[::-1], view, "Edema", Watermark()).images)[::-1], images
    )


def test_every_label_needs_a_symbol():
    cohort = replace(made_up(), labels=np.zeros((12, 2)), label_names=("a", "b"))
    with pytest.raises(ValueError, match=r"5 symbols for 2 labels \(a, b\)"):
        watermarked(cohort, Watermark())
    with pytest.raises(ValueError, match="label must be one of a, b, got 'Edema'"):
        view_of_label(cohort, "aligned", "Edema", Watermark(symbols=("A", "B")))


def test_two_classes_have_one_symbol_and_more_have_one_each():
    two = replace(made_up(40), labels=np.arange(40) % 2, label_names=("none", "sick"))
    mark = Watermark(symbols=("S",))
    marked = watermarked(two, mark, p_marked=1, p_correct=1)
    assert marked.shortcut.tolist() == (two.labels == 1).tolist()
    seen = view_of_label(two, "adversarial", "sick", mark)
    np.testing.assert_array_equal(np.asarray(seen.shortcut_masks).any(axis=(1, 2)), two.labels == 0)
    three = replace(made_up(30), labels=np.arange(30) % 3, label_names=("a", "b", "c"))
    assert watermarked(three, Watermark(symbols=("A", "B", "C"))).shortcut.any()
    with pytest.raises(ValueError, match=r"1 symbols for 3 labels \(a, b, c\)"):
        watermarked(three, mark)
