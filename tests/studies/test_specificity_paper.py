"""The paper's profile on miniatures of its two data sets, in their real layouts."""

import pickle
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from huggingface_hub import constants

from shortlib.data.phantoms.siim_files import write_siim
from shortlib.data.phantoms.skin_files import write_isic2018
from shortlib.data.problems import DataError
from shortlib.data.rle import NO_MASK, decode, encode
from shortlib.data.supervision import SUPERVISIONS
from shortlib.runs.folder import write_run
from shortlib.studies.registry import plan
from shortlib.studies.spatial_specificity.fit import fit
from shortlib.studies.spatial_specificity.sources import load_parts, source_checksum

SIDE = 64  # of the miniature's radiographs
TESTED = {"validation": 12, "test": 12}
SMALL = {"weights": "random", "image_network": "cnn-small", "pixel_network": "unet-small",
         "side": 32, "epochs": 1, "identification_epochs": 1}  # fmt: skip


def in_several_rows(table):
    """Write each outline in two rows, as the real ones with several parts are."""
    lines = table.read_text().splitlines()
    rows = [line.split(", ") for line in lines[1:]]
    parted = []
    for uid, runs in rows:
        mask = decode(runs, (SIDE, SIDE))
        middle = int(np.median(np.flatnonzero(mask.any(axis=0)))) if mask.any() else 0
        halves = [mask.copy(), mask.copy()]
        halves[0][:, middle:] = halves[1][:, :middle] = False
        parted += [[uid, encode(half)] for half in halves if half.any()] or [[uid, NO_MASK]]
    table.write_text("\n".join([lines[0], *(", ".join(row) for row in parted)]) + "\n")


@pytest.fixture(scope="module")
def siim(tmp_path_factory):
    """As the data come: a header with a space, " -1", several rows an image, no masks of tubes."""
    root = tmp_path_factory.mktemp("hospital") / "siim-acr"
    write_siim(root, 48, size=SIDE, n_validation=12, n_test=12, encoding="none", n_jobs=1,
               p_tube={0: 0.5, 1: 0.5})  # fmt: skip
    shutil.rmtree(root / "annotations")
    in_several_rows(root / "train-rle.csv")
    text = (root / "train-rle.csv").read_text()
    assert text.startswith("ImageId, EncodedPixels\n")
    assert ", -1\n" in text
    return root


@pytest.fixture(scope="module")
def pickled(siim, tmp_path_factory):
    """The same with the tubes as the authors released them."""
    root = tmp_path_factory.mktemp("released") / "siim-acr"
    shutil.copytree(siim, root)
    tubes = pd.read_csv(root / "cxr_tube_labels.csv")
    flags = {uid: bool(tube) for uid, tube in zip(tubes["ImageId"], tubes["tube"], strict=True)}
    (root / "cxr_tube_dict.pkl").write_bytes(pickle.dumps(flags))
    (root / "cxr_tube_labels.csv").unlink()
    return root


@pytest.fixture(scope="module")
def isic(tmp_path_factory):
    root = write_isic2018(tmp_path_factory.mktemp("clinic") / "isic2018", 40, size=48)
    for masks in (root / "annotations").iterdir():
        if masks.is_dir():
            shutil.rmtree(masks)  # of artefacts, which the real data do not have
    (root / "annotations" / "annotations.yml").unlink(missing_ok=True)
    return root


def miniature(run, root):
    """The same run on a smaller side and fewer validation cases than those of the real data."""
    options = {"side": SIDE, "n_validation": TESTED["validation"]}
    source = {**run.settings["source"], "options": options}
    checksum = source_checksum(source, data_root=root.parent, on_error="skip")
    return replace(run, settings={**run.settings, "source": source}, data_checksum=checksum)


def planned(root, data, **own):
    """Runs of the paper's profile by variant; a miniature has fewer tube labels than 951."""
    requests = {}
    for run in plan("spatial-specificity", "paper", data=data, data_root=root.parent, seeds=1,
                    **SMALL, **own):  # fmt: skip
        requests[run.variant] = miniature(run, root) if data == "siim-acr" else run
    return requests


@pytest.mark.slow
@pytest.mark.parametrize("tree", ["siim", "pickled"])
def test_radiographs_are_read_trained_on_and_tested_against_the_tube(tree, request, tmp_path):
    root = request.getfixturevalue(tree)
    runs = planned(root, "siim-acr", variants=["binary-erm", "masks", "boxes"], shares=[0.5, 1.0])
    assert set(runs) == {"binary-erm", "masks", "masks-50", "boxes", "boxes-50"}
    rows = pd.read_csv(root / "train-rle.csv", skipinitialspace=True)
    assert rows["ImageId"].value_counts().max() == 2
    ill = set(rows.loc[rows["EncodedPixels"] != NO_MASK, "ImageId"])
    for name in ("binary-erm", "masks"):
        run = fit(runs[name])
        facts = run.facts
        assert {part: facts["cases"][part] for part in TESTED} == TESTED
        positives = facts["positives"]["train"]
        # Of the other 24 cases a third of the negatives.
        assert facts["cases"]["train"] == positives + round(0.33 * (24 - positives))
        assert run.examples == {}  # of patients nothing that shows them is kept
        table = run.predictions
        assert set(table["view"]) == {"plain"}
        assert set(table["shortcut"]) == {0, 1}
        assert set(table["selection"]) == {"paper", "validation-auroc", "worst-group", "oracle"}
        assert np.isfinite(table["score"]).all()
        assert set(table.loc[table["label"] == 1, "case_id"]) == ill & set(table["case_id"])
        assert ("pixels" in run.tables) == ("overlaps" in run.tables) == (name == "masks")
        if name == "masks":
            pixels = run.tables["pixels"]
            assert set(pixels["supervision"]) == set(SUPERVISIONS)
            assert set(pixels["case_id"]) <= ill
            shares = pixels.groupby("supervision")["share"].mean()
            assert shares["image"] == 1 > shares["boxes"] > shares["masks"] > 0
        write_run(tmp_path / f"{tree}-{name}", run, runs[name], {})  # what is kept can be kept


def test_the_pickle_says_what_the_table_says(siim, pickled):
    one, other = (
        load_parts(planned(root, "siim-acr")["masks"].settings, seed=0, data_root=root.parent)
        for root in (siim, pickled)
    )
    assert {k: v.checksum() for k, v in one.items()} == {k: v.checksum() for k, v in other.items()}
    for part in TESTED:
        assert one[part].shortcut.any()
        assert not one[part].shortcut.all()


@pytest.mark.slow
def test_trap_sets_are_read_trained_on_and_tested_against_their_artefacts(isic):
    runs = planned(isic, "isic2018", trap_sets=[3])
    listed = pd.read_csv(isic / "annotations" / "isic_annotated_test3.csv")
    for name in ("binary-erm", "masks"):
        run = fit(runs[name])
        assert run.examples == {}
        table = run.predictions
        assert set(table["view"]) == {"plain"}
        tested = table[(table["split"] == "test") & (table["selection"] == "paper")]
        due = listed.assign(case_id=listed["image"].str.removesuffix(".png")).set_index("case_id")
        assert set(tested["case_id"]) == set(due.index)
        due = due.loc[tested["case_id"]]
        assert tested["label"].tolist() == due["label"].tolist()
        assert tested["shortcut"].tolist() == due["ruler"].tolist()
        assert set(table["selection"]) >= {"paper", "validation-auroc", "oracle"}
        if name == "masks":
            assert not [one for one in run.tables["pixels"] if one.startswith("inside ")]
            assert run.tables["overlaps"]["dice"].between(0, 1).all()  # every mole is outlined
        cases = run.tables["cases"]
        assert {"dark_corner", "hair", "patches"} <= set(cases)


def test_a_damaged_image_is_left_out_and_counted_or_stops_the_run(siim, tmp_path):
    root = tmp_path / "siim-acr"
    shutil.copytree(siim, root)
    tested = pd.read_csv(root / "cxr_tube_labels.csv")["ImageId"]
    (file,) = root.rglob(f"{tested[0]}.dcm")
    file.write_bytes(file.read_bytes()[:200])
    settings = planned(root, "siim-acr")["masks"].settings
    assert settings["on_error"] == "skip"
    with pytest.warns(UserWarning, match="left out"):
        parts = load_parts(settings, seed=0, data_root=root)
    assert tested[0] not in parts["validation"].case_ids
    assert (len(parts["validation"]), len(parts["validation"].skipped)) == (11, 1)
    with pytest.raises(DataError, match=str(tested[0])):
        load_parts({**settings, "on_error": "raise"}, seed=0, data_root=root)


def test_weights_and_data_that_are_not_here_are_said(siim, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    own = {"side": SIDE, "variants": ["binary-erm", "masks"], "shares": [1.0]}
    asked = plan("spatial-specificity", "paper", data_root=siim.parent, seeds=1, **own)
    runs = {run.variant: miniature(run, siim) for run in asked}
    with pytest.raises(ValueError, match=r"ImageNet weights of resnet50 .*not in the cache"):
        fit(runs["binary-erm"])
    with pytest.raises(
        ValueError, match=r"ImageNet weights of unet-seresnext50 .*weights='random'"
    ):
        fit(runs["masks"])
    request = plan("spatial-specificity", "paper", data_root=tmp_path / "nowhere")[0]
    with pytest.raises(DataError, match="nowhere: no data"):
        fit(request)
