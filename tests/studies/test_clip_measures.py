from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from shortlib.studies.clip_watermarks import measures
from shortlib.studies.clip_watermarks.controls import mention, new_head
from shortlib.studies.clip_watermarks.measures import (
    METRICS,
    MODELS,
    by_finding,
    dial,
    estimates,
    forgetting,
    model_name,
)
from shortlib.studies.verdicts import NotTestableError
from tests.studies.clip_runs import FINDINGS, draw, labels_of, made_run


@pytest.fixture(scope="module")
def runs():
    return [made_run(method, seed=seed) for seed in (1, 0) for method in ("clip", "cnn")]


def truth(runs, method, arm, stage, view, *, clean=20, epoch=3, finding=None):
    """Mean of scikit-learn's AUROC over findings and seeds."""
    where = {"arm": arm, "stage": stage, "view": view}
    where |= {"clean": clean, "epoch": epoch} if stage == "fine-tuned" else {}
    values = []
    for run in runs:
        if run.request["variant"] != method:
            continue
        table = run.predictions
        for column, value in where.items():
            table = table[table[column] == value]
        for name, part in table.groupby("finding"):
            if finding in (None, name):
                values.append(roc_auc_score(part["label"], part["score"]))
    return np.mean(values)


def test_the_eight_models_have_the_papers_names_in_its_order():
    assert MODELS == (
        "Real CNN",
        "Zero-shot Real CLIP",
        "Fine-tuned Real CNN",
        "Fine-tuned Real CLIP",
        "Shortcut CNN",
        "Zero-shot Shortcut CLIP",
        "Fine-tuned Shortcut CNN",
        "Fine-tuned Shortcut CLIP",
    )
    assert model_name("clip", "real", "pretrained") == "Zero-shot Real CLIP"
    assert model_name("cnn", "shortcut", "fine-tuned") == "Fine-tuned Shortcut CNN"


@pytest.mark.parametrize("view", ["plain", "aligned", "adversarial"])
def test_aurocs_are_the_mean_of_scikit_learns_over_findings_and_seeds(runs, view):
    found = estimates(f"auroc_{view}", runs)
    assert tuple(found) == MODELS
    for name, estimate in found.items():
        method = "clip" if name.endswith("CLIP") else "cnn"
        arm = "real" if "Real" in name else "shortcut"
        stage = "fine-tuned" if "Fine" in name else "pretrained"
        assert estimate.value == pytest.approx(truth(runs, method, arm, stage, view))
        assert (estimate.n, estimate.seeds, len(estimate.resamples)) == (30, 2, 2000)
        low, high = estimate.interval()
        assert low < estimate.value < high


def test_images_of_one_patient_are_drawn_together():
    twice = np.concatenate([labels_of(30), labels_of(30)])

    def same(labels, *where):
        return np.tile(draw(labels[:30], *where), (2, 1))

    people = np.tile([f"p{i}" for i in range(30)], 2)
    found = {
        name: estimates(
            "auroc_plain", [made_run("cnn", labels=twice, score=same, patients=patients)]
        )["Real CNN"]
        for name, patients in (("patients", people), ("images", None))
    }
    assert found["patients"].value == pytest.approx(found["images"].value)
    width = {name: np.subtract(*estimate.interval()) for name, estimate in found.items()}
    assert abs(width["images"]) < 0.85 * abs(width["patients"])


def test_differences_are_of_the_same_resamples(runs):
    aurocs = {v: estimates(f"auroc_{v}", runs) for v in ("plain", "aligned", "adversarial")}
    effect = estimates("watermark_effect", runs)
    for name in MODELS:
        expected = aurocs["aligned"][name].resamples - aurocs["adversarial"][name].resamples
        np.testing.assert_array_equal(effect[name].resamples, expected)
    minus = estimates("plain_minus_cnn", runs)
    assert set(minus) == {name for name in MODELS if name.endswith("CLIP")}
    plain = aurocs["plain"]
    expected = plain["Zero-shot Real CLIP"].value - plain["Real CNN"].value
    assert minus["Zero-shot Real CLIP"].value == pytest.approx(expected)
    gain = estimates("adversarial_gain", runs)
    against = aurocs["adversarial"]
    for title, before in (("CNN", "Shortcut CNN"), ("CLIP", "Zero-shot Shortcut CLIP")):
        expected = against[f"Fine-tuned Shortcut {title}"] - against[before]
        assert gain[title].interval() == expected.interval()


def follow(labels, arm, stage, view, clean, epoch, rng):
    """A score that follows the symbol where it was trained with it, else sees the label."""
    if arm == "real":
        return labels
    carries = {"plain": 0 * labels, "aligned": labels, "adversarial": 1 - labels}
    return carries[view]


def test_who_follows_the_symbol_is_found_out():
    runs = [made_run("cnn", score=follow)]
    effect = estimates("watermark_effect", runs)
    assert effect["Shortcut CNN"].interval() == (1.0, 1.0)
    assert effect["Fine-tuned Real CNN"].interval() == (0.0, 0.0)
    assert estimates("auroc_plain", runs)["Shortcut CNN"].interval() == (0.5, 0.5)
    assert estimates("auroc_adversarial", runs)["Shortcut CNN"].interval() == (0.0, 0.0)


def test_models_with_the_same_scores_differ_by_nothing_in_every_resample():
    def same(labels, arm, stage, view, clean, epoch, rng):
        return np.sin(np.arange(labels.size)).reshape(labels.shape)

    runs = [made_run(m, seed=s, score=same) for m in ("cnn", "clip") for s in range(3)]
    found = estimates("plain_minus_cnn", runs)
    assert all(estimate.interval() == (0.0, 0.0) for estimate in found.values())
    assert estimates("auroc_plain", runs)["Real CNN"].resamples.std() > 0.01


@pytest.mark.parametrize("metric", sorted(METRICS))
def test_the_order_of_the_runs_changes_nothing(metric, runs):
    one, other = estimates(metric, runs), estimates(metric, runs[::-1])
    assert one
    for name in one:
        np.testing.assert_array_equal(one[name].resamples, other[name].resamples)


@pytest.mark.parametrize(
    ("metric", "column", "label"),
    [
        ("consistency_training_plain", "train_plain", None),
        ("consistency_training_marked", "train_marked", 1),
        ("consistency_testing", "test_shortcut", 1),
        ("consistency_testing_adversarial", "test_shortcut", 0),
        ("box_mass", "box_shortcut", 1),
    ],
)
def test_maps_are_averaged_over_cases_then_findings_then_seeds(runs, metric, column, label):
    found = estimates(metric, runs)
    assert list(found) == ["CNN", "CLIP"]
    for title, method in (("CNN", "cnn"), ("CLIP", "clip")):
        means = []
        for run in runs:
            if run.request["method"] == method:
                table = run.table("saliency")
                table = table if label is None else table[table["label"] == label]
                means.append(table.groupby("finding")[column].mean().mean())
        assert found[title].value == pytest.approx(np.mean(means))
        assert found[title].resamples.std() > 0


def test_a_map_without_mass_is_left_out_and_a_constant_has_no_width():
    run = made_run("cnn", maps={"test_shortcut": 0.25})
    assert estimates("consistency_testing", [run])["CNN"].interval() == (0.25, 0.25)
    table = run.table("saliency")
    positive = table.index[table["label"] == 1]
    some = table.assign(box_shortcut=0.5)
    some.loc[positive[0], "box_shortcut"] = np.nan
    run = replace(run, tables={**run.tables, "saliency": some})
    assert estimates("box_mass", [run])["CNN"].interval() == (0.5, 0.5)


def test_only_the_main_variants_count(runs):
    more = [
        made_run("clip", variant="clip-mention"),
        made_run("cnn", variant="cnn-m050-c090", p=(0.5, 0.9)),
    ]
    for metric in METRICS:
        alone, among = estimates(metric, runs), estimates(metric, runs + more)
        assert {k: e.value for k, e in alone.items()} == {k: e.value for k, e in among.items()}
        assert estimates(metric, more) == {}


def test_findings_stand_beside_their_average(runs):
    found = by_finding(runs, "adversarial")
    assert tuple(found) == MODELS
    for name, parts in found.items():
        assert list(parts) == [*FINDINGS, "Average"]
        assert parts["Average"].value == pytest.approx(
            np.mean([parts[finding].value for finding in FINDINGS])
        )
        assert parts["Average"].value == estimates("auroc_adversarial", runs)[name].value
    expected = truth(runs, "clip", "shortcut", "fine-tuned", "adversarial", finding="Edema")
    assert found["Fine-tuned Shortcut CLIP"]["Edema"].value == pytest.approx(expected)


def test_a_finding_without_positives_is_left_out_and_the_average_is_of_the_rest():
    labels = (np.random.default_rng(0).random((20, 3)) < 0.4).astype(float)
    labels[:, 2] = 0
    found = by_finding([made_run("cnn", labels=labels)], "plain")["Real CNN"]
    assert list(found) == [*FINDINGS[:2], "Average"]
    mean = np.mean([found[name].value for name in FINDINGS[:2]])
    assert found["Average"].value == pytest.approx(mean)
    with pytest.raises(NotTestableError, match="no finding with both classes"):
        estimates("auroc_plain", [made_run("cnn", labels=0 * labels)])


def test_forgetting_goes_by_epoch_and_by_amount_from_before_fine_tuning(runs):
    found = forgetting(runs)
    for view in ("adversarial", "plain"):
        for method in ("cnn", "clip"):
            epochs, amounts = found["epoch"][view][method], found["clean"][view][method]
            assert (list(epochs), list(amounts)) == ([0, 1, 3], [0, 10, 20])
            for epoch in (1, 3):
                expected = truth(runs, method, "shortcut", "fine-tuned", view, epoch=epoch)
                assert epochs[epoch].value == pytest.approx(expected)
            expected = truth(runs, method, "shortcut", "fine-tuned", view, clean=10)
            assert amounts[10].value == pytest.approx(expected)
            assert amounts[20].value == epochs[3].value
            expected = truth(runs, method, "shortcut", "pretrained", view)
            assert epochs[0].value == amounts[0].value == pytest.approx(expected)


def test_a_share_of_clean_images_is_read_from_the_predictions():
    run = made_run("cnn", clean=(7, 30))
    run.settings["clean"] = [0.01, 0.05]
    found = forgetting([run])
    assert list(found["epoch"]["plain"]["cnn"]) == [0, 1, 3]
    assert list(found["clean"]["plain"]["cnn"]) == [0, 7, 30]
    expected = truth([run], "cnn", "real", "fine-tuned", "plain", clean=7)
    assert estimates("auroc_plain", [run])["Fine-tuned Real CNN"].value == pytest.approx(expected)


def test_the_dial_holds_both_arms_and_its_own_variants(runs):
    turned = made_run("cnn", variant="cnn-m050-c090", p=(0.5, 0.9))
    same = made_run("clip", variant="clip-m090-c090")  # the main setting once more
    control = made_run("clip", variant="clip-mention")
    table = dial([*runs, turned, same, control])
    settings = table.fillna({"p_correct": -1}).groupby(["method", "p_marked", "p_correct"]).size()
    assert dict(settings) == {
        ("clip", 0.0, -1.0): 6,
        ("clip", 0.9, 0.9): 6,
        ("cnn", 0.0, -1.0): 6,
        ("cnn", 0.5, 0.9): 6,
        ("cnn", 0.9, 0.9): 6,
    }
    assert len(table) == 5 * 6
    assert table.loc[table["p_marked"] == 0, "p_correct"].isna().all()
    assert not table.drop(columns="p_correct").isna().to_numpy().any()
    row = table[(table["p_marked"] == 0.5) & (table["view"] == "aligned")].iloc[0]
    assert row["stage"] == "pretrained"
    expected = truth([turned], "cnn-m050-c090", "shortcut", "pretrained", "aligned")
    assert row["value"] == pytest.approx(expected)
    assert row["low"] < row["value"] < row["high"]
    main = table[(table["p_marked"] == 0.9) & (table["method"] == "clip")]
    assert set(main["seeds"]) == {2}
    real = table[(table["p_marked"] == 0) & (table["view"] == "plain")].set_index(
        ["method", "stage"]
    )
    expected = truth(runs, "cnn", "real", "fine-tuned", "plain")
    assert real.loc[("cnn", "fine-tuned"), "value"] == pytest.approx(expected)


def test_the_control_is_paired_over_the_seeds_that_both_have(runs):
    controls = [made_run("clip", variant="clip-mention", seed=seed) for seed in (1, 5)]
    found = mention(runs + controls)
    assert list(found) == ["plain", "aligned", "adversarial"]
    second = [run for run in runs if run.seed == 1]
    for view, parts in found.items():
        silent = truth(second, "clip", "shortcut", "fine-tuned", view)
        mentioned = truth(controls[:1], "clip-mention", "shortcut", "fine-tuned", view)
        assert parts["silent"].value == pytest.approx(silent)
        assert parts["mention"].value == pytest.approx(mentioned)
        assert parts["difference"].value == pytest.approx(mentioned - silent)
        assert parts["difference"].seeds == 1
    zero_shot = mention(runs + controls, stage="pretrained")["aligned"]["silent"]
    expected = truth(second, "clip", "shortcut", "pretrained", "aligned")
    assert zero_shot.value == pytest.approx(expected)
    assert mention(runs) == {}
    assert mention(runs + controls[1:]) == {}


def with_new_head(run, score):
    """Add the stage "new head" to a run of CNNs: the fine-tuned rows with other scores."""
    table = run.predictions
    last = (table["clean"] == 20) & (table["epoch"] == 3)
    added = table[last].assign(stage="new head", score=score(table[last]))
    return replace(run, predictions=pd.concat([table, added]).sample(frac=1, random_state=0))


def test_a_new_last_layer_is_told_from_the_kept_one_and_paired_with_clip(runs):
    clip = [run for run in runs if run.request["method"] == "clip"]
    cnn = [run for run in runs if run.request["method"] == "cnn"]
    ends = [with_new_head(run, lambda rows: -rows["score"]) for run in cnn]
    more = with_new_head(made_run("cnn", seed=5), lambda rows: rows["score"])  # has no CLIP
    found = new_head([*clip, more, *ends])
    assert list(found) == ["plain", "aligned", "adversarial"]
    for view, parts in found.items():
        kept = truth(cnn, "cnn", "shortcut", "fine-tuned", view)
        theirs = truth(clip, "clip", "shortcut", "fine-tuned", view)
        assert parts["own head"].value == pytest.approx(kept)
        assert parts["new head"].value == pytest.approx(1 - kept)  # the order turned round
        assert parts["CLIP"].value == pytest.approx(theirs)
        assert parts["difference"].value == pytest.approx(theirs - (1 - kept))
        expected = parts["CLIP"].resamples - parts["new head"].resamples
        np.testing.assert_array_equal(parts["difference"].resamples, expected)
        assert parts["difference"].seeds == 2
    assert forgetting(ends)["epoch"]["plain"]["cnn"][3].value == pytest.approx(
        truth(cnn, "cnn", "shortcut", "fine-tuned", "plain")
    )
    assert new_head(runs) == new_head(ends) == new_head([]) == {}  # no such stage, no CLIP, nothing


def test_what_was_not_run_is_left_out(runs):
    cnn = [run for run in runs if run.request["method"] == "cnn"]
    assert set(estimates("auroc_plain", cnn)) == {name for name in MODELS if "CNN" in name}
    assert estimates("plain_minus_cnn", cnn) == {}
    assert list(estimates("box_mass", cnn)) == ["CNN"]
    assert list(estimates("adversarial_gain", cnn)) == ["CNN"]
    bare = [replace(run, tables={}) for run in cnn]
    assert estimates("box_mass", bare) == {}
    assert all(estimates(metric, []) == {} for metric in METRICS)
    assert forgetting([])["epoch"] == {"adversarial": {}, "plain": {}}
    assert len(dial([])) == 0


def test_runs_on_different_cases_are_not_mixed():
    for metric in ("auroc_plain", "box_mass"):
        with pytest.raises(NotTestableError, match="cnn-s0 and cnn-s1 were tested on different"):
            estimates(metric, [made_run("cnn"), made_run("cnn", seed=1, n=31)])


def test_an_unknown_metric_or_rule_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"metric must be one of auroc_plain, .*, got 'luck'"):
        estimates("luck", [])
    with pytest.raises(ValueError, match="selection must be one of validation, got 'test'"):
        estimates("auroc_plain", [], selection="test")
    assert measures.METHODS.keys() == {"cnn", "clip"}
