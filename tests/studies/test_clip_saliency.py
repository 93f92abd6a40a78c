import weakref
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from shortlib.data import Cohort
from shortlib.shortcuts.watermark import Watermark
from shortlib.studies.clip_watermarks import saliency
from shortlib.studies.clip_watermarks.saliency import ARMS, compare_maps, example_maps
from shortlib.studies.clip_watermarks.scoring import mark_cases

FINDINGS, SIDE, N = ("Edema", "Effusion"), 56, 11
MARK = Watermark(symbols=("E", "P"))
PLAIN = {"steps": 2, "samples": 1, "noise": 0.0, "seed": 0}
WEIGHTS = {
    arm: np.random.default_rng(i).normal(size=(2, SIDE, SIDE)) / SIDE for i, arm in enumerate(ARMS)
}


@pytest.fixture(scope="module")
def tested():
    rng = np.random.default_rng(0)
    labels = np.tile([[1.0, 0.0], [0.0, 1.0], [-1.0, 1.0], [0.0, np.nan]], (3, 1))[:N]
    images = rng.integers(0, 150, (N, 1, SIDE, SIDE), dtype=np.uint8)
    ids = np.array([f"case-{i}" for i in range(N)])
    cohort = Cohort("films", ids, images, labels=labels, label_names=FINDINGS)
    return mark_cases(cohort, MARK)


def linear(arm):
    weights = torch.from_numpy(WEIGHTS[arm]).float()
    return lambda images: (images * 1.0).flatten(1) @ weights.flatten(1).T + 3.0


def known_map(image, weights):
    """|x w|, cut at the 99th percentile, from 0 to 1: a linear output's map in closed form."""
    values = np.abs(image / 255 * weights)
    low, high = values.min(), np.percentile(values, 99)
    return np.clip((values - low) / (high - low), 0, 1)


def cosine(a, b):
    return (a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum())


@pytest.fixture(scope="module")
def table(tested):
    return compare_maps({arm: linear(arm) for arm in ARMS}, tested, **PLAIN)


def test_there_is_a_row_for_each_finding_and_case_whose_label_is_known(table, tested):
    due = {
        (finding, str(case), int(label))
        for k, finding in enumerate(FINDINGS)
        for case, label in zip(tested.cohort.case_ids, tested.cohort.labels[:, k], strict=True)
        if label in (0, 1)
    }
    found = table[["finding", "case_id", "label"]].itertuples(index=False, name=None)
    assert len(table) == len(due)
    assert set(found) == due


def test_a_linear_models_maps_have_their_closed_form(table, tested):
    ids = tested.cohort.case_ids.tolist()
    for row in table.itertuples():
        i, k = ids.index(row.case_id), FINDINGS.index(row.finding)
        images = {"plain": tested.cohort.images[i, 0], "marked": tested.marked[row.finding][i, 0]}
        maps = {
            (arm, name): known_map(image.astype(float), WEIGHTS[arm][k])
            for arm in ARMS
            for name, image in images.items()
        }
        inside = np.argwhere(images["plain"] != images["marked"])
        mask = tested.masks[row.finding][i]
        assert mask[tuple(inside.T)].all()
        (top, left), (bottom, right) = np.argwhere(mask).min(axis=0), np.argwhere(mask).max(axis=0)
        box = np.s_[top : bottom + 1, left : right + 1]
        due = {
            "train_plain": cosine(maps["real", "plain"], maps["shortcut", "plain"]),
            "train_marked": cosine(maps["real", "marked"], maps["shortcut", "marked"]),
            "box_area": (bottom - top + 1) * (right - left + 1) / SIDE**2,
        }
        for arm in ARMS:
            due[f"test_{arm}"] = cosine(maps[arm, "plain"], maps[arm, "marked"])
            uncut = np.abs(images["marked"] / 255 * WEIGHTS[arm][k])
            due[f"box_{arm}"] = uncut[box].sum() / uncut.sum()
            # Complete: from black, a linear output goes up by exactly what its weights add.
            due[f"sum_{arm}"] = due[f"difference_{arm}"] = (
                images["plain"] / 255 * WEIGHTS[arm][k]
            ).sum()
        for name, value in due.items():
            assert getattr(row, name) == pytest.approx(value, abs=2e-4), name


def test_a_model_that_looks_into_the_box_alone_has_all_its_mass_there(tested):
    # On black images only the symbol is there, and every model looks at it alone.
    black = replace(
        tested,
        cohort=replace(tested.cohort, images=np.zeros_like(tested.cohort.images)),
        marked={name: tested.masks[name][:, None].astype(np.uint8) * 255 for name in FINDINGS},
    )
    table = compare_maps({arm: linear(arm) for arm in ARMS}, black, **PLAIN)
    assert table["box_real"].to_numpy() == pytest.approx(1)
    assert table["box_shortcut"].to_numpy() == pytest.approx(1)


def test_a_model_that_looks_at_the_symbols_corner_alone_has_all_its_mass_there(tested):
    weights = torch.zeros(2, SIDE, SIDE)
    weights[:, :20] = 1.0  # the symbols' rows

    def corner(images):
        return (images * weights[:1]).flatten(1).sum(dim=1, keepdim=True).repeat(1, 2)

    def elsewhere(images):
        return (images * (1 - weights[:1])).flatten(1).sum(dim=1, keepdim=True).repeat(1, 2)

    table = compare_maps({"real": elsewhere, "shortcut": corner}, tested, **PLAIN)
    assert (table["box_real"] == 0).all()
    assert (table["box_shortcut"] > table["box_area"]).all()
    assert (table["train_plain"] == 0).all()
    assert table["test_real"].to_numpy() == pytest.approx(1)  # blind to what was drawn
    assert (table["test_shortcut"] < 0.999).all()


def test_how_many_cases_are_mapped_at_a_time_does_not_matter(table, tested, monkeypatch):
    monkeypatch.setattr(saliency, "CHUNK", 4)
    again = compare_maps({arm: linear(arm) for arm in ARMS}, tested, **PLAIN)
    keys = ["finding", "case_id"]
    pd.testing.assert_frame_equal(
        *(one.sort_values(keys, ignore_index=True) for one in (again, table)), rtol=1e-5
    )


def test_the_first_cases_are_as_among_all_also_with_noise(tested):
    outputs = {arm: linear(arm) for arm in ARMS}
    noisy = {**PLAIN, "samples": 2, "noise": 0.2}
    keys = ["finding", "case_id"]
    some = compare_maps(outputs, tested[:5], **noisy).set_index(keys)
    whole = compare_maps(outputs, tested, **noisy).set_index(keys)
    pd.testing.assert_frame_equal(whole.loc[some.index], some, rtol=1e-4)
    other = compare_maps(outputs, tested[:5], **{**noisy, "seed": 1}).set_index(keys)
    assert (other["train_plain"] != some["train_plain"]).all()


def test_memory_does_not_grow_with_the_number_of_cases(tested, monkeypatch):
    alive, genuine = [], saliency.integrated_gradients

    def spied(output, images, **options):
        assert len(images) <= saliency.CHUNK
        found = genuine(output, images, **options)
        alive.append(weakref.ref(found.maps))
        most.append(sum(len(ref()) for ref in alive if ref() is not None))
        return found

    monkeypatch.setattr(saliency, "integrated_gradients", spied)
    monkeypatch.setattr(saliency, "CHUNK", 2)
    found = {}
    for n in (4, 10):
        alive.clear()
        most = []
        compare_maps({arm: linear(arm) for arm in ARMS}, tested[:n], **PLAIN)
        found[n] = max(most)
    assert found[4] == found[10]
    assert found[10] <= 3 * len(ARMS) * saliency.CHUNK


def test_examples_are_of_each_findings_first_positive(tested):
    outputs = {arm: linear(arm) for arm in ARMS}
    kept = example_maps(outputs, tested, **PLAIN)
    assert kept["images"].shape == (2, 2, SIDE, SIDE)
    assert kept["images"].dtype == torch.uint8
    assert kept["maps"].shape == (2, 2, 2, SIDE, SIDE)
    assert kept["maps"].dtype == torch.float16
    for k, first in enumerate((0, 1)):
        plain, marked = tested.cohort.images[first, 0], tested.marked[FINDINGS[k]][first, 0]
        assert np.array_equal(kept["images"][k].numpy(), [plain, marked])
        for a, arm in enumerate(ARMS):
            for i, image in enumerate((plain, marked)):
                due = known_map(image.astype(float), WEIGHTS[arm][k])
                np.testing.assert_allclose(kept["maps"][k, a, i].float(), due, atol=2e-3)
