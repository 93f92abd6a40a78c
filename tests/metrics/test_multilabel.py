import time

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from shortlib.metrics import (
    auroc,
    bootstrap_aurocs_over_seeds,
    case_counts,
    multilabel_aurocs,
    multilabel_means,
    resampling,
)

OPTIONS = {"n_resamples": 40, "seed": 3}


def drawn_rows(n, groups=None):
    """The cases of each resample, one by one."""
    counts = np.concatenate(list(case_counts(n, groups=groups, **OPTIONS)), axis=1)
    return [np.repeat(np.arange(n), column.astype(int)) for column in counts.T]


def cases(n=40, k=4, seeds=1, *, unknown=0.1, ties=True, positive=0.3, seed=0):
    rng = np.random.default_rng(seed)
    labels = (rng.random((n, k)) < positive).astype(float)
    scores = rng.normal(size=(seeds, n, k)) + labels
    labels[rng.random((n, k)) < unknown] = np.nan
    scores[:, np.isnan(labels)] = np.nan  # nobody scored what is not known
    return labels, scores.round(1) if ties else scores


def slow(labels, scores):
    """AUROC by finding with scikit-learn; NaN where there is one class only."""
    found = []
    for y, s in zip(labels.T, scores.T, strict=True):
        known = ~np.isnan(y)
        two = len(set(y[known])) == 2
        found.append(roc_auc_score(y[known], s[known]) if two else np.nan)
    return np.array(found)


@pytest.mark.parametrize("ties", [True, False])
@pytest.mark.parametrize("positive", [0.3, 0.04])
def test_each_resample_is_scikit_learn_on_the_drawn_cases(ties, positive):
    labels, scores = cases(ties=ties, positive=positive, seed=5)
    found = multilabel_aurocs(labels, scores, **OPTIONS)
    np.testing.assert_allclose(found.values, slow(labels, scores[0]), atol=1e-12)
    truth = [slow(labels[rows], scores[0][rows]) for rows in drawn_rows(40)]
    np.testing.assert_allclose(found.resamples, truth, atol=1e-12)
    if positive == 0.04:
        assert np.isnan(found.resamples).any()


def test_patients_are_drawn_with_all_their_cases():
    labels, scores = cases(n=30, seed=2)
    patients = np.random.default_rng(0).integers(12, size=30)
    found = multilabel_aurocs(labels, scores, groups=patients, **OPTIONS)
    truth = [slow(labels[rows], scores[0][rows]) for rows in drawn_rows(30, patients)]
    np.testing.assert_allclose(found.resamples, truth, atol=1e-12)
    means = multilabel_means(scores, groups=patients, **OPTIONS)
    truth = [np.nanmean(scores[0][rows], axis=0) for rows in drawn_rows(30, patients)]
    np.testing.assert_allclose(means.resamples, truth)


def test_twins_of_each_case_narrow_the_interval_only_where_they_count_as_strangers():
    labels, scores = cases(n=60, seed=4)
    once = multilabel_aurocs(labels, scores).mean()
    twice = np.repeat(labels, 2, axis=0), np.repeat(scores, 2, axis=1)
    strangers = multilabel_aurocs(*twice).mean()
    patients = multilabel_aurocs(*twice, groups=np.repeat(np.arange(60), 2)).mean()
    widths = [np.subtract(*one.interval()[::-1]) for one in (once, strangers, patients)]
    assert widths[1] < 0.8 * widths[0]
    np.testing.assert_allclose(patients.resamples, once.resamples)


def test_the_mean_leaves_out_what_a_resample_leaves_undefined():
    labels, scores = cases(positive=0.04, seed=5)
    found = multilabel_aurocs(labels, scores, **OPTIONS)
    mean = found.mean()
    for row, average in zip(found.resamples, mean.resamples, strict=True):
        assert average == pytest.approx(np.mean([x for x in row if x == x]))
    undefined = np.isnan(found.resamples).sum(axis=0)
    for j, lost in enumerate(undefined):
        alone = found.finding(j)
        assert len(alone.resamples) == 40 - lost
        assert np.isfinite(alone.interval()).all()


def test_a_finding_with_one_class_is_left_out_of_the_mean():
    labels, scores = cases()
    labels[:, 1] = np.where(np.isnan(labels[:, 1]), np.nan, 0)
    found = multilabel_aurocs(labels, scores, **OPTIONS)
    assert np.isnan(found.values[1])
    others = multilabel_aurocs(labels[:, [0, 2, 3]], scores[:, :, [0, 2, 3]], **OPTIONS).mean()
    assert found.mean().value == pytest.approx(others.value)
    np.testing.assert_allclose(found.mean().resamples, others.resamples)


def test_scores_that_see_the_label_get_one_its_reverse_zero_and_constant_ones_a_half():
    labels, _ = cases()
    for scores, truth in ((labels, 1.0), (-labels, 0.0), (np.zeros_like(labels), 0.5)):
        found = multilabel_aurocs(labels, scores[None], **OPTIONS)
        assert (found.values == truth).all()
        assert found.mean().interval() == (truth, truth)


def test_the_same_cases_are_drawn_for_all_findings_and_models():
    labels, scores = cases(k=1, unknown=0)
    twice = multilabel_aurocs(np.tile(labels, 2), np.tile(scores, 2), **OPTIONS)
    np.testing.assert_array_equal(twice.resamples[:, 0], twice.resamples[:, 1])
    assert twice.resamples.std() > 0.01
    shifted = multilabel_aurocs(labels, 2 * scores + 1, **OPTIONS)
    assert (shifted.mean() - twice.mean()).interval() == (0.0, 0.0)


def test_findings_that_go_together_have_a_wider_mean_than_unrelated_ones():
    """Were findings resampled apart, five copies of one would look like five findings."""
    labels, scores = cases(n=200, k=1, unknown=0, ties=False)
    one = multilabel_aurocs(labels, scores).mean().resamples.std()
    copies = multilabel_aurocs(np.tile(labels, 5), np.tile(scores, 5)).mean().resamples.std()
    apart = multilabel_aurocs(*cases(n=200, k=5, unknown=0, ties=False)).mean().resamples.std()
    assert copies == pytest.approx(one)
    assert apart < 0.6 * one


def test_seeds_are_drawn_with_replacement_and_the_same_for_all_models():
    labels, scores = cases(seeds=3)
    apart = [multilabel_aurocs(labels, scores[[i]], **OPTIONS) for i in range(3)]
    found = multilabel_aurocs(labels, scores, **OPTIONS)
    np.testing.assert_allclose(found.values, np.mean([a.values for a in apart], axis=0))
    mixtures = set()
    for b in range(40):
        rows = np.array([a.resamples[b] for a in apart])
        draws = [(i, j, k) for i in range(3) for j in range(i, 3) for k in range(j, 3)]
        means = {draw: rows[list(draw)].mean(axis=0) for draw in draws}
        matching = [d for d, mean in means.items() if np.allclose(mean, found.resamples[b])]
        assert len(matching) == 1
        mixtures.update(matching)
    assert len(mixtures) > 5
    assert found.seeds == 3


def test_with_one_finding_and_many_cases_it_is_the_stratified_bootstrap():
    labels, scores = cases(n=400, k=1, seeds=2, unknown=0, ties=False)
    ours = multilabel_aurocs(labels, scores).mean()
    other = bootstrap_aurocs_over_seeds(labels[:, 0], scores[:, :, 0])
    assert ours.value == pytest.approx(np.mean([auroc(labels[:, 0], s[:, 0]) for s in scores]))
    assert ours.resamples.std() == pytest.approx(other.std(), rel=0.1)
    assert ours.interval() == pytest.approx(np.quantile(other, [0.025, 0.975]), abs=0.01)


def test_means_are_those_of_the_drawn_cases():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(2, 15, 3))
    values[rng.random(values.shape) < 0.3] = np.nan
    found = multilabel_means(values, **OPTIONS)
    np.testing.assert_allclose(found.values, np.nanmean(values, axis=1).mean(axis=0))
    apart = [multilabel_means(values[[i]], **OPTIONS).resamples for i in range(2)]
    for b, rows in enumerate(drawn_rows(15)):
        truth = np.nanmean(values[:, rows], axis=1)
        for i in range(2):
            np.testing.assert_allclose(apart[i][b], truth[i])
        mixtures = truth[0], truth[1], truth.mean(axis=0)
        assert any(np.allclose(found.resamples[b], mixture) for mixture in mixtures)


def test_a_constant_has_its_value_and_no_width_and_a_finding_without_values_is_left_out():
    values = np.full((1, 9, 2), 0.25)
    values[:, :, 1] = np.nan
    found = multilabel_means(values, **OPTIONS)
    assert found.mean().interval() == (0.25, 0.25)
    assert np.isnan(found.values[1])
    assert len(found.finding(1).resamples) == 0


def test_a_mean_has_the_spread_of_the_central_limit():
    values = np.random.default_rng(0).normal(size=(1, 500, 1))
    found = multilabel_means(values).mean()
    assert found.resamples.std() == pytest.approx(values.std() / np.sqrt(500), rel=0.1)


@pytest.mark.parametrize("block", [1, 50, 10**6])
def test_the_size_of_a_block_changes_nothing(monkeypatch, block):
    labels, scores = cases(seeds=2)
    truth = multilabel_aurocs(labels, scores, **OPTIONS).resamples
    monkeypatch.setattr(resampling, "BLOCK", block)
    np.testing.assert_array_equal(multilabel_aurocs(labels, scores, **OPTIONS).resamples, truth)


def test_eight_models_in_three_views_take_seconds():
    labels, scores = cases(n=300, k=5, seeds=3)
    start = time.perf_counter()
    multilabel_aurocs(labels, scores)
    assert time.perf_counter() - start < 2  # about 0.1 s; times 24 it is a few seconds


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([0, 1], [[[1.0]]], r"y_true must have shape \(n, k\)"),
        ([[0], [2]], [[[1], [2]]], "y_true must hold only 0, 1 and NaN, got 2"),
        ([[0], [1]], [[1, 2]], r"y_scores must have shape \(seeds, 2, 1\).*got \(1, 2\)"),
        ([[0], [1]], np.empty((0, 2, 1)), r"none of them 0, got \(0, 2, 1\)"),
        ([[0], [1]], [[[1], [np.nan]]], r"y_scores must be finite, got nan \(1 of 2 values"),
        ([[0], [0]], [[[1], [2]]], r"no finding with both classes \(2 cases, 1 find"),
    ],
)
def test_what_makes_no_sense_is_refused(labels, scores, message):
    with pytest.raises(ValueError, match=message):
        multilabel_aurocs(labels, scores)


def test_means_and_resamples_refuse_what_makes_no_sense():
    with pytest.raises(ValueError, match=r"values must have shape \(seeds, n, k\)"):
        multilabel_means([1.0, 2.0])
    with pytest.raises(ValueError, match="values must be finite, got inf"):
        multilabel_means([[[np.inf]]])
    with pytest.raises(ValueError, match="values holds no number"):
        multilabel_means([[[np.nan]]])
