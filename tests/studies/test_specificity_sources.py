import shutil
from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlib.data import Cohort
from shortlib.data.isic2018 import SHORTCUTS
from shortlib.data.phantoms.siim_files import write_siim
from shortlib.data.phantoms.skin_files import write_isic2018
from shortlib.data.problems import DataError
from shortlib.data.rle import NO_MASK, decode, encode
from shortlib.data.sets import read_index
from shortlib.studies.spatial_specificity import sources
from shortlib.studies.spatial_specificity.sources import (
    TURNED,
    check_source,
    keep_negatives,
    load_parts,
    source_checksum,
    sources_here,
    supervised_cases,
)
from shortlib.studies.spatial_specificity.study import requests

CHEST, SKIN, STICKERS = "builtin-pneumothorax", "builtin-skin", "builtin-stickers"
N = {"train": 24, "validation": 12, "test": 24}
PARTS = tuple(N)


def settings(data, *, overlap=None, side=32, n=N, **drawn):
    found = next(
        run.settings
        for run in requests("smoke", data=data)
        if overlap is None or run.settings["source"]["drawn"].get("overlap") == overlap
    )
    return {
        **found,
        "side": side,
        "source": {**found["source"], "drawn": {**found["source"]["drawn"], "n": n, **drawn}},
    }


@pytest.fixture(scope="module")
def chest():
    return [load_parts(settings(CHEST), seed=seed) for seed in range(2)]


@pytest.fixture(scope="module")
def skin():
    return [load_parts(settings(SKIN), seed=seed) for seed in range(2)]


@pytest.fixture(scope="module")
def stickers():
    return {
        overlap: load_parts(settings(STICKERS, overlap=overlap, side=64), seed=0)
        for overlap in (0.0, 0.5, 1.0)
    }


# Drawn parts


@pytest.mark.parametrize("data", ["chest", "skin", "stickers"])
def test_parts_have_their_cases_and_share_neither_these_nor_patients(data, request):
    seeds = request.getfixturevalue(data)
    for found in seeds.values() if data == "stickers" else seeds:
        assert set(found) == {*PARTS, *([] if data == "skin" else TURNED.values())}
        for names in ("case_ids", "patient_ids"):
            whose = [set(getattr(found[name], names)) for name in PARTS]
            assert len(set().union(*whose)) == sum(map(len, whose))
        for name in PARTS:
            part = found[name]
            assert len(part) == N[name]
            side, channels = (64 if data == "stickers" else 32), (1 if data == "chest" else 3)
            assert part.images.shape == (len(part), channels, side, side)
            assert part.images.dtype == np.uint8
            assert part.abnormality_masks.shape == (len(part), side, side)
            ill = part.abnormality_masks.any(axis=(1, 2))
            # Every mole is outlined; a radiograph has an outline if it has a pneumothorax.
            np.testing.assert_array_equal(ill, part.labels == 1 if data == "chest" else True)
            assert 0 < part.labels.sum() < len(part)


@pytest.mark.parametrize("data", ["chest", "skin"])
def test_test_cases_are_the_same_for_all_seeds_and_training_cases_are_not(data, request):
    one, other = request.getfixturevalue(data)
    assert one.keys() == other.keys()
    for name in one.keys() - {"train"}:
        assert one[name].checksum() == other[name].checksum()
    assert not set(one["train"].case_ids) & set(other["train"].case_ids)
    assert not (one["train"].images == other["train"].images).all(axis=(1, 2, 3)).any()


def test_a_seed_is_a_draw(chest):
    again = load_parts(settings(CHEST), seed=1)
    assert {k: v.checksum() for k, v in again.items()} == {
        k: v.checksum() for k, v in chest[1].items()
    }


def turned_pairs(parts):
    return [(parts[name], parts[other]) for name, other in TURNED.items()]


@pytest.mark.parametrize("data", ["chest", "stickers"])
def test_turned_views_are_the_same_cases_with_the_shortcut_where_the_label_is_negative(
    data, request
):
    seeds = request.getfixturevalue(data)
    for found in seeds.values() if data == "stickers" else seeds:
        for plain, turned in turned_pairs(found):
            for field in ("case_ids", "patient_ids", "labels", "abnormality_masks"):
                np.testing.assert_array_equal(getattr(turned, field), getattr(plain, field))
            np.testing.assert_array_equal(turned.shortcut, turned.labels == 0)
            marked = turned.shortcut_masks.any(axis=(1, 2))
            np.testing.assert_array_equal(marked, turned.shortcut)
            same = turned.shortcut == plain.shortcut
            assert 0 <= same.sum() < len(plain)
            equal = (turned.images == plain.images).all(axis=(1, 2, 3))
            np.testing.assert_array_equal(equal, same)


def test_a_sticker_changes_no_pixel_beside_it(stickers):
    for found in stickers.values():
        for plain, turned in turned_pairs(found):
            beside = ~(plain.shortcut_masks | turned.shortcut_masks)
            differ = (plain.images != turned.images).any(axis=1)
            assert differ.any()
            assert not differ[beside].any()


def test_a_tube_changes_pixels_at_it_alone(chest):
    """Its edge is blurred as by a real detector, and what it absorbs is a grey level elsewhere."""
    for found in chest:
        for plain, turned in turned_pairs(found):
            either = plain.shortcut_masks | turned.shortcut_masks
            for masks, one, other in zip(either, plain.images, turned.images, strict=True):
                away = cv2.distanceTransform((~masks).astype(np.uint8), cv2.DIST_L2, 5)
                change = np.abs(one[0].astype(int) - other[0])
                assert change[away > 2].max() <= 1
                assert change.max() == 0 or change[masks].max() > 4


def test_tubes_come_as_often_as_is_asked():
    n = {"train": 40, "validation": 4, "test": 4}
    for tubes in ([0.0, 1.0], [1.0, 0.0]):
        found = load_parts(settings(CHEST, tubes=tubes, n=dict.fromkeys(PARTS, 6)), seed=0)
        for name in PARTS:
            np.testing.assert_array_equal(found[name].shortcut, np.array(tubes)[found[name].labels])
    half = load_parts(settings(CHEST, tubes=[0.5, 0.5], n=n), seed=0)["train"]
    assert half.shortcut.mean() == pytest.approx(0.5, abs=0.25)


def test_artefacts_of_skin_go_with_the_label_in_training_and_against_it_in_testing():
    found = load_parts(settings(SKIN, n=dict.fromkeys(PARTS, 80), melanoma=0.5), seed=0)
    rulers = {}
    for name in PARTS:
        part = found[name]
        assert part.shortcut_names == SHORTCUTS
        carries = part.shortcut[:, SHORTCUTS.index("ruler")]
        rulers[name] = carries[part.labels == 1].mean() - carries[part.labels == 0].mean()
    assert rulers["train"] > 0.3
    assert rulers["validation"] > 0.3
    assert rulers["test"] < -0.5


# Stickers


def test_stickers_lie_on_the_lesion_as_far_as_is_asked(stickers):
    for overlap, found in stickers.items():
        shares = []
        for part in found.values():
            for sticker, lesion in zip(part.shortcut_masks, part.abnormality_masks, strict=True):
                if sticker.any():
                    shares.append((sticker & lesion).sum() / sticker.sum())
        assert len(shares) > 40
        assert np.mean(shares) == pytest.approx(overlap, abs=0.03)
        # A lesion smaller than the sticker cannot be met exactly.
        assert np.quantile(np.abs(np.array(shares) - overlap), 0.9) <= 0.05


def test_stickers_differ_by_their_place_alone(stickers):
    first, *others = stickers.values()
    for found in others:
        for name, part in found.items():
            np.testing.assert_array_equal(part.case_ids, first[name].case_ids)
            np.testing.assert_array_equal(part.labels, first[name].labels)
            np.testing.assert_array_equal(part.shortcut, first[name].shortcut)
            beside = ~(part.shortcut_masks | first[name].shortcut_masks)
            differ = (part.images != first[name].images).any(axis=1)
            assert not differ[beside].any()
            assert differ.any()


def test_a_sticker_is_on_the_label_that_is_asked_and_of_the_size_that_is_asked():
    found = load_parts(settings(STICKERS, overlap=0.0, stickers=[0.0, 1.0], radius=0.2), seed=0)
    for name in PARTS:
        np.testing.assert_array_equal(found[name].shortcut, found[name].labels == 1)
    areas = found["train"].shortcut_masks.sum(axis=(1, 2))
    # A fifth of 32 px is a radius of 6 px.
    assert set(areas[found["train"].shortcut]) == {113}


# Which cases are used


@given(
    st.lists(st.integers(0, 1), min_size=2, max_size=60),
    st.floats(0.01, 1.0),
    st.floats(0.01, 1.0),
    st.integers(0, 5),
)
def test_supervised_cases_are_nested_and_stratified(labels, first, second, seed):
    labels = np.array(labels)
    fewer, more = (supervised_cases(labels, s, seed=seed) for s in sorted((first, second)))
    assert not (fewer & ~more).any()
    for share, chosen in zip(sorted((first, second)), (fewer, more), strict=True):
        for label in np.unique(labels):
            n = (labels == label).sum()
            assert chosen[labels == label].sum() == max(1, round(share * n))
    assert supervised_cases(labels, 1.0, seed=seed).all()


def test_supervised_cases_are_others_for_another_seed():
    labels = np.arange(60) % 2
    one, other = (supervised_cases(labels, 0.25, seed=seed) for seed in range(2))
    assert (one != other).any()
    np.testing.assert_array_equal(one, supervised_cases(labels, 0.25, seed=0))


def cohort_of(labels):
    n = len(labels)
    ids = np.array([f"case-{k}" for k in range(n)])
    return Cohort("made", ids, np.zeros((n, 1, 2, 2), np.uint8), labels=np.asarray(labels))


def test_negatives_are_thinned_and_positives_stay():
    cohort = cohort_of(np.arange(90) % 3 == 0)
    cohort = replace(cohort, labels=cohort.labels.astype(int))
    kept = [keep_negatives(cohort, 0.33, seed=seed) for seed in (0, 0, 1)]
    for part in kept:
        assert (part.labels.sum(), len(part)) == (30, 30 + 20)
        places = [int(one.split("-")[1]) for one in part.case_ids]
        assert places == sorted(places)
        assert {place for place in places if place % 3 == 0} == set(range(0, 90, 3))
    assert kept[0].case_ids.tolist() == kept[1].case_ids.tolist() != kept[2].case_ids.tolist()
    assert len(keep_negatives(cohort, 1.0, seed=0)) == 90
    assert len(keep_negatives(cohort, 0.0, seed=0)) == 30


# ISIC 2018


@pytest.fixture(scope="module")
def isic(tmp_path_factory):
    return write_isic2018(tmp_path_factory.mktemp("data") / "isic2018", 40, size=32)


def trap_sets(*numbers):
    found = requests("paper", data="isic2018", trap_sets=list(numbers))[0].settings
    return {**found, "side": 32}


def table(root, part, number):
    rows = pd.read_csv(root / "annotations" / f"isic_annotated_{part}{number}.csv", index_col=0)
    return rows.assign(case_id=rows["image"].str.removesuffix(".png")).set_index("case_id")


def test_each_seed_is_a_trap_set_without_its_leak(isic):
    for seed, number in enumerate((4, 2, 4)):  # a third seed begins anew
        found = load_parts(trap_sets(4, 2), seed=seed, data_root=isic.parent)
        assert set(found) == set(PARTS)
        listed = {part: table(isic, short, number) for part, short in
                  (("train", "train"), ("validation", "val"), ("test", "test"))}  # fmt: skip
        assert set(listed["validation"].index) < set(listed["train"].index)  # the leak
        due = {part: set(rows.index) for part, rows in listed.items()}
        due["train"] -= due["validation"]
        for name, part in found.items():
            assert set(part.case_ids) == due[name]
            rows = listed[name].loc[part.case_ids]
            assert part.labels.tolist() == rows["label"].tolist()
            np.testing.assert_array_equal(part.shortcut, rows[list(SHORTCUTS)].to_numpy(bool))
            assert part.images.shape == (len(part), 3, 32, 32)
            assert part.abnormality_masks.shape == (len(part), 32, 32)


def test_the_real_trap_sets_lose_their_leak_too(open_data, monkeypatch):
    """As the index lists them; of the images a few are read."""
    if not (open_data / "isic2018_task1_256").is_dir():
        pytest.skip("no trap sets here")
    seen = []

    def shortened(*args, **options):
        index = read_index(*args, **options)
        seen.append((index, options["trap_set"]))

        def cohort(split, *, size):
            part = index.of(split)
            return replace(part, cases=part.cases.head(3)).cohort(size=size)

        return SimpleNamespace(cohort=cohort)

    asked = requests("smoke", data="isic2018-task1-256", data_root=open_data)[0].settings
    monkeypatch.setattr(sources, "read_index", shortened)
    for seed in range(4):
        found = load_parts({**asked, "side": 24}, seed=seed, data_root=open_data)
        assert {name: len(part) for name, part in found.items()} == dict.fromkeys(PARTS, 3)
    assert [number for _, number in seen] == [1, 2, 3, 1]
    for index, _ in seen:
        ids = {split: set(rows) for split, rows in index.cases.groupby("split")["case_id"]}
        assert {split: len(rows) for split, rows in ids.items()} == {
            "train": 1822 - 259, "val": 259, "test": 772
        }  # fmt: skip
        assert len(set().union(*ids.values())) == 2594
    tests = [set(index.cases.query("split == 'test'")["case_id"]) for index, _ in seen[:3]]
    assert len({frozenset(one) for one in tests}) == 3


# SIIM-ACR


@pytest.fixture(scope="module")
def siim(tmp_path_factory):
    root = write_siim(
        tmp_path_factory.mktemp("data") / "siim-acr",
        40,
        size=64,
        n_validation=10,
        n_test=10,
        encoding="none",
        n_jobs=1,
    )
    shutil.rmtree(root / "annotations")  # which the real data do not have
    lines = (root / "train-rle.csv").read_text().splitlines()
    assert lines[0] == "ImageId, EncodedPixels"
    assert sum(line.endswith(f", {NO_MASK}") for line in lines) > 10
    return root


def of_siim(**source):
    found = requests("paper", data="siim-acr")[0].settings
    options = {"side": 64, "n_validation": 10}
    return {**found, "side": 32, "source": {**found["source"], "options": options, **source}}


def test_radiographs_have_all_their_outlines_and_tubes_where_somebody_looked(siim):
    found = load_parts(of_siim(negatives=1.0), seed=0, data_root=siim.parent)
    assert {name: len(part) for name, part in found.items()} == {
        "train": 20, "validation": 10, "test": 10
    }  # fmt: skip
    assert found["train"].shortcut is None
    tubes = pd.read_csv(siim / "cxr_tube_labels.csv")
    for name, rows in (("validation", tubes.iloc[:10]), ("test", tubes.iloc[10:])):
        part, flags = found[name], rows.set_index("ImageId")["tube"]
        assert set(part.case_ids) == set(flags.index)
        np.testing.assert_array_equal(part.shortcut, flags.loc[part.case_ids].to_numpy(bool))
    rows = pd.read_csv(siim / "train-rle.csv", skipinitialspace=True)
    for part in found.values():
        assert part.images.shape == (len(part), 1, 32, 32)
        for case, label, mask in zip(
            part.case_ids, part.labels, part.abnormality_masks, strict=True
        ):
            runs = rows.loc[rows["ImageId"] == case, "EncodedPixels"]
            whole = np.any([decode(str(one), (64, 64)) for one in runs], axis=0)
            assert label == whole.any()
            # A pixel is inside if one of the four that it covers is.
            due = whole.reshape(32, 2, 32, 2).any(axis=(1, 3))
            np.testing.assert_array_equal(mask, due)


def test_an_outline_in_several_rows_is_one_mask(siim, tmp_path):
    root = tmp_path / "siim-acr"
    shutil.copytree(siim, root)
    lines = (root / "train-rle.csv").read_text().splitlines()
    rows = [line.split(", ") for line in lines]
    image = next(uid for uid, runs in rows[1:] if runs != NO_MASK)
    split = []
    for uid, runs in rows:
        if uid != image:
            split.append([uid, runs])
            continue
        mask = decode(runs, (64, 64))
        middle = int(np.median(np.flatnonzero(mask.any(axis=0))))
        halves = mask.copy(), mask.copy()
        halves[0][:, middle:] = halves[1][:, :middle] = False
        split += [[uid, encode(half)] for half in halves if half.any()]
    assert len(split) > len(rows)
    (root / "train-rle.csv").write_text("\n".join(", ".join(row) for row in split) + "\n")
    whole, parted = (load_parts(of_siim(), seed=0, data_root=one) for one in (siim, root))
    assert any(image in part.case_ids for part in parted.values())
    for name, part in whole.items():
        np.testing.assert_array_equal(part.abnormality_masks, parted[name].abnormality_masks)


def test_a_third_of_the_negatives_trains_and_all_are_tested_on(siim):
    every, *thinned = (
        load_parts(of_siim(negatives=share), seed=seed, data_root=siim)
        for share, seed in ((1.0, 0), (0.33, 0), (0.33, 1))
    )
    negatives = (every["train"].labels == 0).sum()
    for found in thinned:
        assert found["train"].labels.sum() == every["train"].labels.sum()
        assert (found["train"].labels == 0).sum() == round(0.33 * negatives)
        for name in ("validation", "test"):
            assert found[name].checksum() == every[name].checksum()
    ids = [set(found["train"].case_ids) for found in thinned]
    assert ids[0] != ids[1]
    assert all(one < set(every["train"].case_ids) for one in ids)


# The data that were asked for


def test_other_data_than_those_asked_for_are_refused(siim, isic, tmp_path):
    for root, asked in ((siim, of_siim()), (isic, trap_sets(1))):
        source = asked["source"]
        assert sources_here(source, root.parent)
        checksum = source_checksum(source, data_root=root.parent, on_error="skip")
        check_source(asked, checksum, data_root=root)  # the folder itself will do too
        with pytest.raises(DataError, match=r"checksum .* plan the runs again"):
            check_source(asked, "another", data_root=root)
        assert not sources_here(source, tmp_path / "nowhere")
        with pytest.raises(DataError, match="no data"):
            check_source(asked, checksum, data_root=tmp_path / "nowhere")
    drawn = settings(CHEST)
    assert sources_here(drawn["source"])
    check_source(drawn, "built-in recipe, version 1")
    with pytest.raises(DataError, match="built-in recipe, version 1"):
        check_source(drawn, "built-in recipe, version 0")


def test_each_seed_is_checked_against_its_own_trap_set(isic):
    asked = trap_sets(1, 2)
    own = [source_checksum(asked["source"], seed=k, data_root=isic.parent) for k in range(3)]
    assert own[0] == own[2] != own[1]
    check_source(asked, own[1], seed=1, data_root=isic)
    with pytest.raises(DataError, match="plan the runs again"):
        check_source(asked, own[1], seed=0, data_root=isic)


def test_another_table_is_another_checksum(siim, tmp_path):
    root = tmp_path / "siim-acr"
    shutil.copytree(siim, root)
    tubes = (root / "cxr_tube_labels.csv").read_text().splitlines()
    name, flag = tubes[1].split(",")
    tubes[1] = f"{name},{1 - int(flag)}"
    (root / "cxr_tube_labels.csv").write_text("\n".join(tubes) + "\n")
    source = of_siim()["source"]
    one, other = (source_checksum(source, data_root=place) for place in (siim, root))
    assert one != other
