import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from shortlib.data import specificity_labels
from shortlib.metrics import (
    mutual_information,
    mutual_information_closed_form,
    robust_auroc,
    variance_closed_form,
    variance_measure,
)
from shortlib.studies.spatial_specificity_synthetic.fit import cohorts
from shortlib.studies.spatial_specificity_synthetic.measures import METRICS, estimates

CLOSED = ("variance_closed_form", "mutual_information_closed_form")


@pytest.fixture(scope="module")
def runs(make_run):
    return [make_run(r, seed=seed) for seed in range(2) for r in (1, 4, 40)]


def cases(run, selection):
    return run.predictions.query(f"selection == '{selection}'")


@pytest.mark.parametrize("selection", ["test", "validation"])
def test_aurocs_are_the_mean_of_scikit_learns_over_seeds(runs, selection):
    overall = estimates("auroc", runs, selection=selection)
    robust = estimates("robust_auroc", runs, selection=selection)
    assert list(overall) == list(robust) == [1, 4, 40]
    for r in overall:
        tables = [cases(run, selection) for run in runs if run.settings["r"] == r]
        against = [t[t["label"] != t["shortcut"]] for t in tables]
        for found, chosen in ((overall[r], tables), (robust[r], against)):
            truth = np.mean([roc_auc_score(t["label"], t["score"]) for t in chosen])
            assert found.value == pytest.approx(truth, abs=1e-12)
            assert (found.n, found.seeds) == (len(chosen[0]), 2)
            assert len(found.resamples) == 2000
            low, high = found.interval()
            assert low < found.value < high
        packaged = [robust_auroc(t["label"], t["score"], t["shortcut"]) for t in tables]
        assert robust[r].value == pytest.approx(np.mean(packaged), abs=1e-12)


def test_a_score_that_follows_the_shortcut_gets_zero_and_one_that_sees_the_label_one(make_run):
    follows = make_run(1, scores=lambda test, rule: test.shortcut.astype(float))
    sees = make_run(40, scores=lambda test, rule: test.labels.astype(float))
    found = estimates("robust_auroc", [follows, sees])
    assert found[1].interval() == (0.0, 0.0)
    assert found[40].interval() == (1.0, 1.0)


def test_cosine_is_the_mean_over_all_pairs(runs):
    for label, metric in ((0, "cosine_normal"), (1, "cosine_abnormal")):
        found = estimates(metric, runs)
        for r, estimate in found.items():
            per_seed = []
            for run in runs:
                if run.settings["r"] != r:
                    continue
                ids, vectors = run.embeddings()
                rows = cases(run, "test").itertuples()
                group = {row.case_id: (row.label, row.shortcut) for row in rows}
                by_case = list(zip(ids, vectors["test"].double().numpy(), strict=True))
                pairs = [
                    a @ b / np.sqrt((a @ a) * (b @ b))
                    for i, a in by_case
                    for j, b in by_case
                    if group[i] == (label, 0) and group[j] == (label, 1)
                ]
                per_seed.append(np.mean(pairs))
            assert estimate.value == pytest.approx(np.mean(per_seed), abs=1e-12)
            assert estimate.seeds == 2
            low, high = estimate.interval()
            assert low < estimate.value < high


def test_embeddings_are_kept_for_the_papers_rule_only(runs):
    assert estimates("cosine_normal", runs, selection="validation") == {}


def pixel_truth(metric, run):
    """The measure by the package's own function, on the training images of a run."""
    train = cohorts(run.settings, run.seed)["train"]
    labels = specificity_labels(train.abnormality_masks, run.settings["r"])
    if metric == "variance_measure":
        return variance_measure(train.images, labels)
    if metric == "mutual_information_label":
        return mutual_information(labels, train.shortcut_masks)
    return mutual_information(train.abnormality_masks, train.shortcut_masks, where=labels)


@pytest.mark.parametrize(
    "metric", ["variance_measure", "mutual_information_label", "mutual_information"]
)
def test_measures_on_pixels_are_those_of_the_metrics(runs, metric):
    found = estimates(metric, runs)
    for r, estimate in found.items():
        truth = np.mean([pixel_truth(metric, run) for run in runs if run.settings["r"] == r])
        assert estimate.value == pytest.approx(truth, rel=1e-9, abs=1e-12)
        assert (estimate.n, estimate.seeds) == (30, 2)  # images and draws of the data
        low, high = estimate.interval()
        assert low - 1e-9 <= estimate.value <= high + 1e-9


def test_resampled_images_are_whole_images(make_run):
    """Each resample of the variance is the variance of as many images drawn anew."""
    run = make_run(4)
    resamples = estimates("variance_measure", [run])[4].resamples
    train = cohorts(run.settings, run.seed)["train"]
    labels = specificity_labels(train.abnormality_masks, 4)
    rng = np.random.default_rng(3)
    anew = []
    for _ in range(200):
        drawn = rng.integers(30, size=30)
        anew.append(variance_measure(train.images[drawn], labels[drawn]))
    assert resamples.mean() == pytest.approx(np.mean(anew), abs=4 * np.std(anew) / np.sqrt(200))
    assert resamples.std() == pytest.approx(np.std(anew), rel=0.25)


@pytest.mark.parametrize("metric", sorted(METRICS.keys() - set(CLOSED)))
def test_resamples_are_paired_by_case_and_seed(metric, make_run):
    """Runs that differ in nothing but their order differ by nothing, in every resample."""
    seeds = [make_run(4, seed=seed) for seed in range(3)]
    one, other = estimates(metric, seeds), estimates(metric, seeds[::-1])
    np.testing.assert_array_equal(one[4].resamples, other[4].resamples)
    assert one[4].resamples.std() > 0


def test_aurocs_at_two_specificities_share_their_cases(make_run):
    """With the same scores at both, the paired difference is zero; unpaired it is not."""
    runs = [
        make_run(r, seed=seed, scores=lambda t, _, seed=seed: np.sin(np.arange(len(t)) + seed))
        for r in (1, 40)
        for seed in range(3)
    ]
    found = estimates("robust_auroc", runs)
    assert (found[40] - found[1]).interval() == (0.0, 0.0)
    assert found[1].resamples.std() > 0.01


def test_closed_forms_are_exact_and_follow_the_runs_parameters(make_run):
    runs = [make_run(r, model={"mu_s": -3.0}) for r in (1, 20)]
    found = {metric: estimates(metric, runs) for metric in CLOSED}
    sizes = {"n": 40, "a": 8, "b": 12}
    moments = {"mu_a": 2.0, "mu_s": -3.0, "sigma": 1.0}
    for r in (1, 20):
        variance, information = (found[metric][r] for metric in CLOSED)
        assert variance.exact
        assert information.exact
        assert variance.value == variance_closed_form(r, **sizes, **moments)
        assert information.value == mutual_information_closed_form(r, **sizes)


def test_an_unknown_metric_or_rule_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"metric must be one of auroc, .*, got 'luck'"):
        estimates("luck", [])
    with pytest.raises(ValueError, match="selection must be one of test, validation, got 'last'"):
        estimates("auroc", [], selection="last")


def test_without_runs_there_is_nothing():
    assert estimates("robust_auroc", []) == {}
