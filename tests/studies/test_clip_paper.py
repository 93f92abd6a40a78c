"""The paper's profile on a miniature of its two data sets, with what real folders suffer."""

import gzip
from dataclasses import replace
from importlib import util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from huggingface_hub import constants

from shortlib.data.sets import read_index
from shortlib.studies.clip_watermarks import fit as fit_module
from shortlib.studies.clip_watermarks.fit import fit
from shortlib.studies.registry import plan

spec = util.spec_from_file_location("clip_trees", Path(__file__).with_name("clip_trees.py"))
clip_trees = util.module_from_spec(spec)
spec.loader.exec_module(clip_trees)
MIMIC, CHEXPERT = clip_trees.MIMIC, clip_trees.CHEXPERT
FIVE = list(clip_trees.FIVE)
ONE_EPOCH = {"epochs": 1, "finetune_epochs": 1, "n_prompts": 1, "clean": [8]}
# Pixels and tokens in the paper's profile, and fewer of them, which its networks take as well.
SMALLER = {"stored": (256, 64), "side": (224, 56), "text_length": (256, 64)}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Few cases: all that are damaged or odd, and as many whole ones as a fit needs."""
    folder = tmp_path_factory.mktemp("hospitals")
    made = clip_trees.hostile_tree(folder, n=48, pixels=32)
    made.roots[MIMIC] = made.roots[MIMIC].rename(folder / MIMIC)
    marked = {case for name in made.roots for case in made.lost[name]}
    marked |= {case for odd in made.odd.values() for ids in odd.values() for case in ids}
    cases = read_index(MIMIC, made.roots[MIMIC]).cases
    whole = cases[~cases["case_id"].isin(marked)].drop_duplicates("study_id")
    train, validate, test = (
        whole[whole["split"] == split] for split in ("train", "validate", "test")
    )
    chosen = marked | set(train["case_id"][:5]) | set(validate["case_id"][:1])
    chosen |= set(test["case_id"][:2])
    kept = cases[cases["case_id"].isin(chosen)]
    rewrite(
        made.roots[MIMIC] / "mimic-cxr-2.0.0-split.csv.gz",
        lambda table: table[table["dicom_id"].isin(kept["case_id"])],
    )
    alone = dict(zip(train["study_id"].astype(str)[:5], FIVE, strict=False))

    def exclusive(table):
        table = table[table["study_id"].astype(str).isin(kept["study_id"].astype(str))].copy()
        for study, finding in alone.items():
            row = table["study_id"].astype(str) == study
            table.loc[row, FIVE] = 0.0
            table.loc[row, finding] = 1.0
        return table

    rewrite(made.roots[MIMIC] / "mimic-cxr-2.0.0-chexpert.csv.gz", exclusive)
    for name, n in (("train", 8), ("valid", 3)):
        path = made.roots[CHEXPERT] / "CheXpert-v1.0-small" / f"{name}.csv"
        rewrite(path, lambda table, n=n: table.head(n))
    return folder, made


def rewrite(path, change):
    text = change(pd.read_csv(path)).to_csv(index=False).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)


@pytest.fixture
def at_hand(tree, tmp_path, monkeypatch):
    """The tree's folder, where images are decoded to, and no model hub."""

    def unreachable(*_, **__):
        raise OSError("no network")

    monkeypatch.setenv("SHORTLIB_DATA", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.file_download._get_metadata_or_catch_error", unreachable)
    monkeypatch.setattr("shortlib.models.text.AutoModel.from_pretrained", unreachable)
    return tree[0]


def planned(folder, **own):
    return {
        r.variant: r for r in plan("clip-watermarks", "paper", data_root=folder, **ONE_EPOCH, **own)
    }


def cut(request, *, arms, saliency):
    """A run of the paper's networks in seconds: fewer arms, small inputs, maps of one step."""
    saliency = saliency and {**request.settings["saliency"], "cases": 1, "steps": 1, "samples": 1}
    settings = {**request.settings, "arms": arms, "saliency": saliency}
    for name, (in_the_paper, here) in SMALLER.items():
        if name in settings:  # a CNN reads no text
            assert settings[name] == in_the_paper
            settings[name] = here
    return replace(request, settings=settings)


def quietly(request):
    with pytest.warns(UserWarning, match="left out"):
        return fit(request)


@pytest.mark.slow
def test_the_papers_profile_runs_from_its_hospitals_to_its_maps(at_hand, tree):
    made = tree[1]
    runs = planned(at_hand, weights="random", text_encoder="bert-base")
    cnn = quietly(cut(runs["cnn"], arms=["shortcut"], saliency=False))
    clip = quietly(cut(runs["clip"], arms=["real", "shortcut"], saliency=True))
    lost = {name: set(made.lost[name]) for name in made.roots}
    mimic, chexpert = (
        read_index(name, made.roots[name]).cases.groupby("split")["case_id"].agg(set).to_dict()
        for name in made.roots
    )
    for run in (cnn, clip):
        # What cannot be read is counted, and nothing else is missing.
        for part, listed, bad in (
            ("train", mimic["train"] | mimic.get("validate", set()), lost[MIMIC]),
            ("validation", mimic["test"], lost[MIMIC]),
            ("clean", chexpert["train"], lost[CHEXPERT]),
            ("test", chexpert["valid"], lost[CHEXPERT]),
        ):
            assert run.facts["skipped"][part] == len(listed & bad) > 0, part
            assert run.facts["cases"][part] == len(listed - bad), part
        assert set(run.predictions["case_id"]) <= chexpert["valid"] - lost[CHEXPERT]
        assert np.isfinite(run.predictions["score"]).all()
        assert set(run.predictions["stage"]) >= {"pretrained", "fine-tuned"}
    maps = clip.tables["saliency"]
    plain = clip.predictions.query("view == 'plain' and stage == 'pretrained' and arm == 'real'")
    assert len(maps) == (plain["case_id"] == maps["case_id"].iloc[0]).sum() > 0
    assert clip.examples == {}
    # ResNet-50 and twelve layers of BERT, of which eight and the embeddings stand still.
    encoders = {}
    for run, arm in ((cnn, "shortcut"), (clip, "real"), (clip, "shortcut")):
        prefix = f"{arm}/fine-tuned/"
        encoders[arm, len(encoders)] = {
            name.removeprefix(prefix): tuple(value.shape)
            for name, value in run.weights.items()
            if name.startswith(prefix)
        }
    assert len({str(sorted(one.items())) for one in encoders.values()}) == 1
    assert next(iter(encoders.values()))["head.weight"] == (5, 2048)
    layers = {
        int(name.split(".layer.")[1].split(".")[0]) for name in clip.weights if ".layer." in name
    }
    assert layers == set(range(12))
    for name, value in clip.weights.items():
        if "real/pretrained/text_encoder" in name and name.endswith("weight"):
            frozen = ".embeddings." in name or any(f".layer.{k}." in name for k in range(8))
            # Both arms began alike: what was trained differs, what was frozen does not.
            same = np.array_equal(value, clip.weights[name.replace("real/", "shortcut/", 1)])
            assert same is frozen, name


def test_weights_that_are_not_here_are_said_before_any_image_is_read(at_hand, monkeypatch):
    monkeypatch.setattr(fit_module, "load_parts", lambda *_, **__: pytest.fail("images were read"))
    with pytest.raises(ValueError, match=r"ImageNet weights of resnet50 .*not in the cache"):
        fit(planned(at_hand)["cnn"])
    with pytest.raises(
        ValueError, match="weights of emilyalsentzer/Bio_ClinicalBERT are not in the cache"
    ):
        fit(planned(at_hand, weights="random")["clip"])


def test_a_damaged_case_stops_the_run_where_nothing_is_skipped(at_hand, tree):
    files = [path.name for _, path in tree[1].lost[MIMIC].values()]
    with pytest.raises(ValueError, match=r"missing|unreadable|empty|UTF-8") as caught:
        fit(planned(at_hand, on_error="raise", weights="random")["cnn"])
    assert any(file in str(caught.value) for file in files)
