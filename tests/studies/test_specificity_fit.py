import copy
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from shortlib.data.phantoms.siim_files import write_siim
from shortlib.data.problems import DataError
from shortlib.data.supervision import SUPERVISIONS, supervision_labels
from shortlib.methods import training as loop
from shortlib.models.cnn import build_cnn
from shortlib.models.unet import build_unet
from shortlib.studies.spatial_specificity import training
from shortlib.studies.spatial_specificity.fit import SHOWN, fit
from shortlib.studies.spatial_specificity.sources import (
    load_parts,
    source_checksum,
    supervised_cases,
)
from shortlib.studies.spatial_specificity.study import requests
from shortlib.studies.spatial_specificity.watching import SELECTIONS

CHEST, SKIN = "builtin-pneumothorax", "builtin-skin"
N = {"train": 48, "validation": 24, "test": 32}
SIDE = 32
OF_IMAGES = ("binary-erm", "binary-jtt", "binary-group-dro")
OF_PIXELS = ("masks", "masks-ssl-50", "masks-spl-50")
GEORGE = "binary-george"


def small(request, *, n=N, training=None, **settings):
    """The same run on fewer radiographs, in smaller batches."""
    found = copy.deepcopy(request.settings)
    if "drawn" in found["source"]:
        found["source"]["drawn"]["n"] = n
    found["training"] |= {"batch_size": 8, **(training or {})}
    if "identification" in found:
        found["identification"]["batch_size"] = 8
    return replace(request, settings={**found, "side": SIDE, **settings})


@pytest.fixture(scope="module")
def asked():
    return {run.variant: small(run) for run in requests("smoke", data=CHEST)}


@pytest.fixture(scope="module")
def whole(asked):
    """One run a method, each fitted when it is first asked for."""
    fitted = {}

    def run(variant):
        if variant not in fitted:
            fitted[variant] = fit(asked[variant])
        return fitted[variant]

    return run


@pytest.fixture(scope="module")
def parts(asked):
    return load_parts(asked["masks"].settings, seed=0)


@pytest.fixture(params=[*OF_IMAGES, *OF_PIXELS])
def variant(request):
    return request.param


VIEWS = {
    "validation": ("validation", "plain"),
    "validation-turned": ("validation", "adversarial"),
    "test": ("test", "plain"),
    "test-turned": ("test", "adversarial"),
}


def of_part(table, part, selection="paper"):
    """The rows of one part of the data under one rule, in the order of their ids."""
    split, view = VIEWS[part]
    table = table[(table["split"] == split) & (table["view"] == view)]
    return table[table["selection"] == selection].set_index("case_id").sort_index()


# What a run holds


def test_every_case_but_the_training_ones_is_scored_under_every_rule(whole, variant, parts):
    table = whole(variant).predictions
    assert list(table) == [
        *("case_id", "split", "view", "label", "shortcut", "selection", "score"),
    ]
    assert set(table["selection"]) == set(SELECTIONS)
    assert np.isfinite(table["score"]).all()
    assert table["score"].nunique() > 20
    for selection in SELECTIONS:
        for part in VIEWS:
            found, cohort = of_part(table, part, selection), parts[part]
            order = np.argsort(cohort.case_ids)
            assert found.index.tolist() == cohort.case_ids[order].tolist()
            assert found["label"].tolist() == cohort.labels[order].tolist()
            assert found["shortcut"].tolist() == cohort.shortcut[order].astype(int).tolist()
    assert len(table) == 2 * (N["validation"] + N["test"]) * len(SELECTIONS)
    assert not set(parts["train"].case_ids) & set(table["case_id"])


def test_the_cases_are_kept_with_whose_they_are(whole, variant, parts):
    table = whole(variant).tables["cases"]
    assert set(table["split"]) == {"validation", "test"}
    for split in ("validation", "test"):
        rows, part = table[table["split"] == split].set_index("case_id"), parts[split]
        assert rows.index.tolist() == part.case_ids.tolist()
        assert rows["patient_id"].tolist() == part.patient_ids.tolist()
        assert rows["label"].tolist() == part.labels.tolist()
        assert rows["chest tube"].tolist() == part.shortcut.tolist()
        areas = [mask.sum() / mask.size for mask in part.abnormality_masks]
        np.testing.assert_allclose(rows["area"], areas)


def rebuilt(run, selection, settings):
    """A model of a run, without the study."""
    of_images = settings["method"] in ("erm", "jtt", "group-dro", "george")
    classes = settings["lesion_classes"]
    channels = {1: 1, 2: 3}[classes]  # radiographs and skin
    if of_images:
        model = build_cnn(settings["network"], channels=channels)
    else:
        model = build_unet(settings["network"], channels=channels, classes=1 + classes)
    prefix = f"epoch-{run.facts['best_epochs'][selection]}/"
    weights = {
        name.removeprefix(prefix): value
        for name, value in run.weights.items()
        if name.startswith(prefix)
    }
    model.load_state_dict(weights)
    model.to(memory_format=torch.channels_last).eval()
    low = run.facts["compute"]["precision"] == "bfloat16"

    @torch.no_grad()
    def logits(images):
        images = (torch.from_numpy(np.asarray(images)).float() / 255).contiguous(
            memory_format=torch.channels_last
        )
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=low):
            return model(images).float()

    return logits, of_images


def scored(run, selection, settings, images):
    logits, of_images = rebuilt(run, selection, settings)
    found = logits(images)
    return (found[:, 0] if of_images else found.softmax(dim=1)[:, -1].mean(dim=(1, 2))).numpy()


def test_scores_are_those_of_the_weights_that_are_kept(asked, whole, variant, parts):
    run = whole(variant)
    epochs = run.facts["best_epochs"]
    assert {name.split("/")[0] for name in run.weights} == {
        f"epoch-{epoch}" for epoch in epochs.values()
    }
    for selection in SELECTIONS:
        for part in VIEWS:
            cohort = parts[part]
            due = scored(run, selection, asked[variant].settings, cohort.images)
            found = of_part(run.predictions, part, selection).loc[cohort.case_ids, "score"]
            np.testing.assert_allclose(found, due, atol=1e-5, rtol=1e-4)


# Which epochs are kept


def test_each_rule_keeps_the_epoch_that_is_best_by_it(whole, variant):
    """With the score of that epoch; of equal ones the first is kept."""
    run = whole(variant)
    history, epochs = run.history.set_index("epoch"), run.facts["best_epochs"]
    own = "validation_auroc" if variant in OF_IMAGES else "validation_dice"
    monitors = {
        "paper": own,
        "validation-auroc": "validation_auroc",
        "worst-group": "validation_robust_auroc",
        "oracle": "test_robust_auroc",
    }
    assert set(epochs) == set(SELECTIONS)
    for selection, monitor in monitors.items():
        assert epochs[selection] == history[monitor].idxmax(), selection
    parts = {"validation-auroc": "validation", "worst-group": "validation-turned",
             "oracle": "test-turned"}  # fmt: skip
    for selection, part in parts.items():
        table = of_part(run.predictions, part, selection)
        found = roc_auc_score(table["label"], table["score"])
        assert found == pytest.approx(history[monitors[selection]].max())
    # No rule finds a higher robust AUROC among the test cases than the one that looks at them.
    robust = {
        selection: roc_auc_score(table["label"], table["score"])
        for selection in SELECTIONS
        for table in [of_part(run.predictions, "test-turned", selection)]
    }
    assert robust["oracle"] == max(robust.values())


def test_rules_part_ways_where_their_best_epochs_do():
    """A sticker on every melanoma: validation rises as it is learned, the robust AUROC falls."""
    request = next(iter(requests("smoke", data="builtin-stickers", carries=[0, 1])))
    assert request.variant == "binary-erm-over-0"
    n = {"train": 48, "validation": 16, "test": 24}
    run = fit(small(request, n=n, training={"epochs": 6, "learning_rate": 0.003}))
    history, epochs = run.history.set_index("epoch"), run.facts["best_epochs"]
    assert len(history) == 6
    assert epochs["paper"] == epochs["validation-auroc"] == history["validation_auroc"].idxmax()
    assert epochs["oracle"] == history["test_robust_auroc"].idxmax()
    assert epochs["worst-group"] == history["validation_robust_auroc"].idxmax()
    assert epochs["oracle"] != epochs["paper"]
    for part in VIEWS:
        paper, oracle = (of_part(run.predictions, part, one) for one in ("paper", "oracle"))
        assert (paper["score"] != oracle["score"]).any()
    robust = {
        rule: roc_auc_score(table["label"], table["score"])
        for rule in ("paper", "oracle")
        for table in [of_part(run.predictions, "test-turned", rule)]
    }
    assert robust["oracle"] == pytest.approx(history["test_robust_auroc"].max())
    assert robust["oracle"] > robust["paper"] + 0.1


# What each method learns from


def test_each_kind_of_label_is_what_the_network_is_trained_on(asked, parts, monkeypatch):
    """Of as many cases as have it, and of validation cases for their Dice."""
    seen = {}

    class Enough(Exception):
        pass

    def spy(model, images, targets, **options):
        seen.update(images=images, targets=targets, options=options)
        raise Enough

    monkeypatch.setattr(training, "fit_pixels", spy)
    train = parts["train"]
    for name, request in asked.items():
        settings = request.settings
        if settings["method"] not in ("pixels", "spl"):
            continue
        with pytest.raises(Enough):
            fit(request)
        chosen = supervised_cases(train.labels, settings["share"], seed=0)
        assert chosen.sum() == len(train) * settings["share"], name
        np.testing.assert_array_equal(seen["images"], train.images[chosen])
        due = []
        for mask in train.abnormality_masks[chosen]:
            due.append(supervision_labels(mask[None], settings["supervision"])[0])
        np.testing.assert_array_equal(seen["targets"], np.array(due).astype(np.uint8))
        assert ("similarity" in seen["options"]) == (settings["method"] == "spl")
    # Melanomas and moles are classes of their own.
    skin = {run.variant: small(run) for run in requests("smoke", data=SKIN)}
    with pytest.raises(Enough):
        fit(skin["masks"])
    cohort = load_parts(skin["masks"].settings, seed=0)["train"]
    due = cohort.abnormality_masks * (1 + cohort.labels)[:, None, None]
    np.testing.assert_array_equal(seen["targets"], due)


def test_semi_supervised_training_has_the_images_without_masks(asked, parts, monkeypatch):
    seen = {}

    class Enough(Exception):
        pass

    def spy(initial, final, images, targets, unlabelled, **options):
        seen.update(
            images=images, targets=targets, unlabelled=unlabelled, networks=(initial, final)
        )
        raise Enough

    monkeypatch.setattr(training, "fit_ssl", spy)
    with pytest.raises(Enough):
        fit(asked["masks-ssl-50"])
    train = parts["train"]
    chosen = supervised_cases(train.labels, 0.5, seed=0)
    np.testing.assert_array_equal(seen["images"], train.images[chosen])
    np.testing.assert_array_equal(seen["unlabelled"], train.images[~chosen])
    np.testing.assert_array_equal(seen["targets"], train.abnormality_masks[chosen])
    first, second = (next(one.parameters()) for one in seen["networks"])
    assert not torch.equal(first, second)


def spied(monkeypatch, name, kept):
    """Keep what a function of the training is called with, and what it gives."""
    genuine = getattr(training, name)

    def spy(*args, **options):
        found = genuine(*args, **options)
        kept.append((args, options, found))
        return found

    monkeypatch.setattr(training, name, spy)


def test_the_error_set_is_what_the_first_model_gets_wrong(asked, whole, parts, monkeypatch):
    calls, fits = [], []
    spied(monkeypatch, "error_set", calls)
    spied(monkeypatch, "fit_per_case", fits)
    run = fit(asked["binary-jtt"])
    pd.testing.assert_frame_equal(run.predictions, whole("binary-jtt").predictions)
    table, train = run.tables["inferred"], parts["train"]
    assert list(table) == ["case_id", "label", "chest tube", "error"]
    assert table["case_id"].tolist() == train.case_ids.tolist()
    assert table["label"].tolist() == train.labels.tolist()
    assert table["chest tube"].tolist() == train.shortcut.tolist()
    (identifier, *_), _, _ = calls[0]
    identifier.eval()
    with torch.no_grad():
        due = []
        for image, label in zip(train.images, train.labels, strict=True):
            logit = identifier(torch.from_numpy(image)[None].float() / 255)[0, 0]
            due.append((logit > 0).item() != (label == 1))
    assert table["error"].tolist() == due
    assert 0 < sum(due) < len(due)
    # In an epoch of the second there are as many errors as others, and no more steps in all.
    order = fits[1][1]["order"]
    errors = np.array(due)
    assert errors[order].sum() == (~errors[order]).sum() == max(errors.sum(), (~errors).sum())
    steps = fits[1][1]["schedule"].epochs * len(order)
    assert steps <= max(
        asked["binary-jtt"].settings["training"]["epochs"] * len(errors), len(order)
    )


def test_known_groups_are_those_of_label_and_shortcut(whole, parts):
    table, train = whole("binary-group-dro").tables["inferred"], parts["train"]
    assert table["case_id"].tolist() == train.case_ids.tolist()
    kinds = sorted({(a, b) for a, b in zip(train.labels, train.shortcut, strict=True)})
    due = [kinds.index(pair) for pair in zip(train.labels, train.shortcut, strict=True)]
    assert table["group"].tolist() == due
    assert len(kinds) >= 3


# Pixels


def slow_sums(cohort, kind):
    """Case by case and channel by channel; returns rows of id, share, n, sum and squares."""
    images = cohort.images.astype(np.float64)
    planes = [images[:, channel] for channel in range(images.shape[1])]
    scales = [(plane.mean(), plane.std()) for plane in planes]
    rows = []
    for case in np.flatnonzero(cohort.labels == 1):
        label = supervision_labels(cohort.abnormality_masks[case][None], kind)[0]
        values = []
        for plane, (mean, deviation) in zip(planes, scales, strict=True):
            values += [(value - mean) / deviation for value in plane[case][label]]
        rows.append(
            (cohort.case_ids[case], label.mean(), len(values), sum(values),
             sum(v * v for v in values))
        )  # fmt: skip
    return rows


def inside(masks, labels):
    """Share of each mask's pixels that are labelled; NaN without a mask."""
    return [
        (mask & label).sum() / mask.sum() if mask.any() else np.nan
        for mask, label in zip(masks, labels, strict=True)
    ]


def check_pixels(table, cohort):
    assert table["supervision"].drop_duplicates().tolist() == list(SUPERVISIONS)
    ill = cohort.labels == 1
    planes = cohort.shortcut_masks[ill]
    planes = planes[:, None] if planes.ndim == 3 else planes
    for kind in SUPERVISIONS:
        rows = table[table["supervision"] == kind]
        due = slow_sums(cohort, kind)
        assert rows["case_id"].tolist() == [row[0] for row in due]
        for column, name in enumerate(("share", "n", "sum", "squares"), 1):
            np.testing.assert_allclose(rows[name], [row[column] for row in due], rtol=1e-9)
        labels = [supervision_labels(m[None], kind)[0] for m in cohort.abnormality_masks[ill]]
        for k, name in enumerate(cohort.shortcut_names):
            np.testing.assert_allclose(rows[f"inside {name}"], inside(planes[:, k], labels))


def test_sums_over_positive_pixels_are_those_of_the_images(asked, whole, parts):
    check_pixels(whole("masks").tables["pixels"], parts["train"])
    for name in ("masks-ssl-50", "masks-spl-50", "binary-erm"):
        assert "pixels" not in whole(name).tables  # once a seed will do


def slow_dice(found, due, classes):
    """Dice of one case: mean over the classes that are there or found; NaN without any."""
    values = []
    for one in range(1, classes + 1):
        mine, theirs = found == one, due == one
        if mine.any() or theirs.any():
            values.append(2 * (mine & theirs).sum() / (mine.sum() + theirs.sum()))
    return np.mean(values) if values else np.nan


def check_overlaps(run, settings, parts):
    classes = settings["lesion_classes"]
    logits, _ = rebuilt(run, "paper", settings)
    values = {}
    for name in ("test", "validation"):
        cohort = parts[name]
        found = logits(cohort.images).argmax(dim=1).numpy()
        kind = np.ones(len(cohort), int) if classes == 1 else 1 + cohort.labels
        due = cohort.abnormality_masks * kind[:, None, None]
        values[name] = [slow_dice(a, b, classes) for a, b in zip(found, due, strict=True)]
    cohort = parts["test"]
    table = run.tables["overlaps"].set_index("case_id").loc[cohort.case_ids]
    assert table["label"].tolist() == cohort.labels.tolist()
    np.testing.assert_allclose(table["dice"], values["test"])
    if classes == 2:
        shares = logits(cohort.images).softmax(dim=1).numpy()
        inside = shares[:, 2].sum(axis=(1, 2)) / shares[:, 1:].sum(axis=(1, 2, 3))
        np.testing.assert_allclose(table["lesion_score"], inside, rtol=1e-4)
    else:
        assert "lesion_score" not in table
    # What the rule of masks looks at is the mean over validation cases that have one.
    best = run.history.set_index("epoch")["validation_dice"]
    assert best[run.facts["best_epochs"]["paper"]] == pytest.approx(
        np.nanmean(values["validation"])
    )
    return values


@pytest.mark.parametrize("name", OF_PIXELS)
def test_overlaps_are_the_dice_of_what_is_found_with_the_masks(asked, whole, parts, name):
    check_overlaps(whole(name), asked[name].settings, parts)


# Skin: two classes of lesions, three channels, seven artefacts


@pytest.fixture(scope="module")
def skin_request():
    request = next(run for run in requests("smoke", data=SKIN) if run.variant == "masks")
    n = {"train": 48, "validation": 16, "test": 24}
    return small(request, n=n, training={"epochs": 6, "learning_rate": 0.01})


@pytest.fixture(scope="module")
def skin(skin_request):
    return fit(skin_request)


@pytest.fixture(scope="module")
def skin_parts(skin_request):
    return load_parts(skin_request.settings, seed=0)


def test_on_skin_all_test_cases_go_against_the_artefacts(skin, skin_request, skin_parts):
    assert set(skin.predictions["view"]) == {"plain"}
    history, epochs = skin.history.set_index("epoch"), skin.facts["best_epochs"]
    assert epochs["paper"] == history["validation_dice"].idxmax()
    assert epochs["validation-auroc"] == history["validation_auroc"].idxmax()
    assert epochs["oracle"] == history["test_robust_auroc"].idxmax()
    table = of_part(skin.predictions, "test", "oracle")
    robust = roc_auc_score(table["label"], table["score"])
    assert robust == pytest.approx(history["test_robust_auroc"].max())
    cohort = skin_parts["test"]
    ruler = cohort.shortcut[:, cohort.shortcut_names.index("ruler")]
    table = of_part(skin.predictions, "test").loc[cohort.case_ids]
    assert table["shortcut"].tolist() == ruler.astype(int).tolist()
    cases = skin.tables["cases"].query("split == 'test'")
    for k, name in enumerate(cohort.shortcut_names):
        assert cases[name].tolist() == cohort.shortcut[:, k].tolist()


def test_the_score_of_skin_is_the_mean_probability_of_melanoma(skin, skin_request, skin_parts):
    for selection in skin.facts["best_epochs"]:
        due = scored(skin, selection, skin_request.settings, skin_parts["test"].images)
        found = of_part(skin.predictions, "test", selection)
        found = found.loc[skin_parts["test"].case_ids, "score"]
        np.testing.assert_allclose(found, due, atol=1e-5, rtol=1e-4)


def test_overlaps_on_skin_count_what_the_lesion_is_called(skin, skin_request, skin_parts):
    values = check_overlaps(skin, skin_request.settings, skin_parts)
    assert np.nanmean(values["test"]) > 0.2


def test_positive_pixels_of_skin_have_three_channels_and_seven_artefacts(skin, skin_parts):
    table = skin.tables["pixels"]
    check_pixels(table, skin_parts["train"])
    assert len([name for name in table if name.startswith("inside ")]) == 7
    assert (table["n"] % 3 == 0).all()


# Examples and facts


def test_examples_are_turned_test_cases_of_both_labels(asked, whole, variant, parts):
    run, cohort = whole(variant), parts["test-turned"]
    ill, well = (np.flatnonzero(cohort.labels == label)[: SHOWN // 2] for label in (1, 0))
    rows = [*ill, *well]
    assert len(rows) == SHOWN
    pixels = variant in OF_PIXELS
    assert set(run.examples) == {"images", "masks", "boxes", "labels"} | (
        {"found"} if pixels else set()
    )
    np.testing.assert_array_equal(run.examples["images"].numpy(), cohort.images[rows])
    np.testing.assert_array_equal(run.examples["masks"].numpy(), cohort.abnormality_masks[rows])
    np.testing.assert_array_equal(run.examples["labels"].numpy(), cohort.labels[rows])
    boxes = supervision_labels(cohort.abnormality_masks[rows], "boxes")
    np.testing.assert_array_equal(run.examples["boxes"].numpy(), boxes)
    if pixels:
        logits, _ = rebuilt(run, "paper", asked[variant].settings)
        due = logits(cohort.images[rows]).argmax(dim=1)
        assert torch.equal(run.examples["found"].long(), due)


def test_facts_say_what_the_run_stands_on(whole, variant, parts):
    facts = whole(variant).facts
    assert facts["cases"] == {name: len(part) for name, part in parts.items()}
    assert facts["positives"] == {name: int(part.labels.sum()) for name, part in parts.items()}
    assert set(facts["skipped"].values()) == {0}
    assert facts["cohort_checksums"] == {name: part.checksum() for name, part in parts.items()}
    assert facts["resumed_from_epoch"] == 0


# The same run again


def check_same(again, first):
    ordered = [
        run.predictions.sort_values(["selection", "split", "view", "case_id"], ignore_index=True)
        for run in (again, first)
    ]
    pd.testing.assert_frame_equal(*ordered)
    assert again.tables.keys() == first.tables.keys()
    for name, table in first.tables.items():
        pd.testing.assert_frame_equal(again.tables[name], table)
    timed = [name for name in first.history if name.endswith("seconds")]
    pd.testing.assert_frame_equal(
        again.history.drop(columns=timed), first.history.drop(columns=timed)
    )
    assert first.weights.keys() == again.weights.keys()
    for name, value in first.weights.items():
        assert torch.equal(again.weights[name], value), name
    for name, value in first.examples.items():
        assert torch.equal(again.examples[name], value), name


@pytest.mark.parametrize("name", ["masks", "binary-group-dro"])
def test_two_fits_are_equal_bit_for_bit(asked, whole, name):
    check_same(fit(asked[name]), whole(name))


@pytest.mark.parametrize(("name", "epochs"), [("binary-jtt", 1), ("masks-ssl-50", 3), ("masks", 1)])
def test_a_run_that_was_stopped_ends_as_one_that_was_not(
    asked, whole, name, epochs, tmp_path, monkeypatch
):
    """Stopped in its last training, after `epochs` epochs of all of them."""
    genuine, done = loop._epoch, []

    def failing(*args):
        if len(done) == epochs:
            raise KeyboardInterrupt
        done.append(1)
        return genuine(*args)

    kept = {"checkpoint": tmp_path / "run.checkpoint.safetensors", "checkpoint_seconds": 0.0}
    monkeypatch.setattr(loop, "_epoch", failing)
    with pytest.raises(KeyboardInterrupt):
        fit(asked[name], **kept)
    assert list(tmp_path.iterdir())
    counted = []

    def counting(*args):
        counted.append(1)
        return genuine(*args)

    monkeypatch.setattr(loop, "_epoch", counting)
    check_same(fit(asked[name], **kept), whole(name))
    every = {"binary-jtt": 2, "masks-ssl-50": 4, "masks": 2}[name]
    assert len(counted) == every - epochs


def test_another_seed_has_other_training_cases_and_weights(asked, whole, parts):
    request = small(asked["binary-erm"], training={"epochs": 1})
    other = fit(replace(request, seed=1))
    first = whole("binary-erm")
    for part in VIEWS:
        mine, theirs = (of_part(run.predictions, part) for run in (other, first))
        assert mine.index.tolist() == theirs.index.tolist()
        assert (mine["score"] != theirs["score"]).any()
    assert other.facts["cohort_checksums"]["train"] != first.facts["cohort_checksums"]["train"]


# Where a method cannot go on


def test_an_error_set_that_is_empty_is_said(asked, monkeypatch):
    """A first model that is right on all cases, as one is that was trained too long."""
    genuine = training.fit_per_case

    def by_heart(model, cohort, *args, **options):
        genuine(model, cohort, *args, **options)
        answers = iter(np.where(cohort.labels == 1, 5.0, -5.0))

        def forward(images):
            return torch.tensor([[next(answers)] for _ in images])

        model.forward = forward

    monkeypatch.setattr(training, "fit_per_case", by_heart)
    with pytest.raises(ValueError, match=r"reached 100% accuracy .*train it for fewer epochs"):
        fit(asked["binary-jtt"])


def test_a_class_of_too_few_cases_for_clusters_is_said(asked):
    request = small(asked[GEORGE], n={**N, "train": 12})
    negatives = (load_parts(request.settings, seed=0)["train"].labels == 0).sum()
    with pytest.raises(
        ValueError, match=f"class 0 has {negatives} training cases; UMAP with 10 neighbours needs"
    ):
        fit(request)


def of_siim(variant, root, asked):
    source = {"set": "siim-acr", "options": {"side": 32, "n_validation": 10}}
    facts = {"source": source, "robust": "subset", "group_by": "chest tube"}
    request = small(asked[variant], **facts, training={"epochs": 1})
    checksum = source_checksum(source, data_root=root.parent)
    return replace(request, data_checksum=checksum, data_root=str(root.parent))


@pytest.fixture(scope="module")
def siim(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "siim-acr"
    settings = {"n_validation": 10, "n_test": 12, "encoding": "none", "n_jobs": 1}
    # Tubes on half of the cases, so that all four kinds are there.
    write_siim(root, 36, size=32, p_tube={0: 0.5, 1: 0.5}, **settings)
    shutil.rmtree(root / "annotations")  # which the real data do not have
    return root


def test_groups_that_nobody_knows_are_said(asked, siim):
    with pytest.raises(
        ValueError, match=r"group DRO needs to know which training .*leave the variant out"
    ):
        fit(of_siim("binary-group-dro", siim, asked))


def test_of_real_data_no_image_is_kept_and_the_robust_cases_are_a_part(asked, siim):
    run = fit(of_siim("binary-erm", siim, asked))
    assert run.examples == {}
    assert set(run.predictions["view"]) == {"plain"}
    assert run.facts["cases"] == {"train": 14, "validation": 10, "test": 12}
    against = of_part(run.predictions, "test", "oracle")
    against = against[against["label"] != against["shortcut"]]
    assert set(against["label"]) == {0, 1}
    due = roc_auc_score(against["label"], against["score"])
    assert run.history["test_robust_auroc"].max() == pytest.approx(due)
    assert not any(np.asarray(value).dtype == np.uint8 for value in run.weights.values())


def test_other_data_are_refused(asked, siim):
    with pytest.raises(DataError, match="plan the runs again"):
        fit(replace(asked["masks"], data_checksum="another"))
    with pytest.raises(DataError, match="plan the runs again"):
        fit(replace(of_siim("binary-erm", siim, asked), data_checksum="another"))


# GEORGE, whose projection takes a minute to compile


@pytest.mark.slow
def test_george_divides_each_class_and_trains_for_the_worst_group(asked, whole, parts, monkeypatch):
    calls, fits = [], []
    spied(monkeypatch, "George", calls)
    spied(monkeypatch, "fit_group_dro", fits)
    run, train = whole(GEORGE), parts["train"]
    table = run.tables["inferred"]
    assert list(table) == ["case_id", "label", "chest tube", "group"]
    assert table["case_id"].tolist() == train.case_ids.tolist()
    classes = table.groupby("group")["label"].unique()
    assert all(len(labels) == 1 for labels in classes)  # groups do not cross classes
    assert classes.index.tolist() == list(range(len(classes)))
    assert table.groupby("label")["group"].nunique().ge(2).all()
    # It clusters what the first model makes of the training cases.
    (activations, labels, losses), _, found = calls[0]
    assert activations.shape == (len(train), 128)
    assert labels.tolist() == train.labels.tolist()
    assert table["group"].tolist() == found.groups.tolist()
    assert losses.shape == (len(train),)
    # All groups come alike in an epoch.
    (_, _, groups, _), options, _ = fits[0]
    counts = np.bincount(groups[options["order"]])
    assert set(counts) == {np.bincount(groups).max()}
    for selection in SELECTIONS:
        cohort = parts["test-turned"]
        due = scored(run, selection, asked[GEORGE].settings, cohort.images)
        found = of_part(run.predictions, "test-turned", selection)
        np.testing.assert_allclose(found.loc[cohort.case_ids, "score"], due, atol=1e-5, rtol=1e-4)
    # Its first model is JTT's.
    models = []
    spied(monkeypatch, "error_set", models)
    fit(asked["binary-jtt"])
    (identifier, *_), _, _ = models[0]
    identifier.eval()
    with torch.no_grad():
        embedded = identifier.forward_with_embedding(torch.from_numpy(train.images).float() / 255)[
            1
        ]
    np.testing.assert_allclose(activations, embedded.numpy(), atol=1e-4)
