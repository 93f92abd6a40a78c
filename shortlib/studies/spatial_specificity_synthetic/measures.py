"""What the synthetic study measures on its runs, each as a resampled estimate."""

import numpy as np

from shortlib.data.seeds import derive_seed
from shortlib.data.specificity import specificity_labels
from shortlib.metrics.discrimination import auroc
from shortlib.metrics.estimate import Estimate
from shortlib.metrics.intervals import bootstrap_aurocs_over_seeds
from shortlib.metrics.specificity import (
    information_of_counts,
    mutual_information_closed_form,
    variance_closed_form,
)
from shortlib.studies.spatial_specificity_synthetic.fit import RULES, cohorts
from shortlib.studies.verdicts import NotTestableError

N_RESAMPLES = 2000


def estimates(metric, runs, *, selection="test"):
    """Measure one metric at each spatial specificity.

    Parameters
    ----------
    metric : str
        A key of `METRICS`.
    runs : list of shortlib.runs.Run
        Of one batch setting; any specificities and seeds.
    selection : str
        ``"test"`` (the paper's rule) or ``"validation"``.

    Returns
    -------
    dict of int to Estimate
        By r, ascending. Resamples are paired across r. A specificity for which the
        metric was not kept is left out.

    Raises
    ------
    ValueError
        If there is no such metric or selection rule; lists those there are.
    NotTestableError
        If the metric cannot be measured on these runs.
    """
    for name, value, known in (("metric", metric, METRICS), ("selection", selection, RULES)):
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")
    groups = {}
    for run in sorted(runs, key=lambda run: run.seed):  # in one order, to be paired by seed
        groups.setdefault(run.settings["r"], []).append(run)
    try:
        measured = {r: METRICS[metric](groups[r], selection) for r in sorted(groups)}
    except ValueError as error:  # e.g. test cases of one class only
        raise NotTestableError(f"{metric} cannot be measured: {error}") from error
    return {r: estimate for r, estimate in measured.items() if estimate is not None}


def _auroc_of(cases):
    """Measure of the AUROC over the test cases that `cases` picks."""

    def measure(runs, selection):
        tables = [_test_cases(run, selection) for run in runs]
        tables = [table[cases(table)] for table in tables]
        labels = tables[0]["label"].to_numpy()
        scores = np.stack([table["score"].to_numpy() for table in tables])
        resamples = bootstrap_aurocs_over_seeds(labels, scores, n_resamples=N_RESAMPLES, seed=0)
        value = float(np.mean([auroc(labels, score) for score in scores]))
        return Estimate(value, resamples, len(labels), len(runs))

    return measure


def _test_cases(run, selection):
    table = run.predictions
    table = table[(table["split"] == "test") & (table["selection"] == selection)]
    return table.sort_values("case_id")


def _cosine_of(label):
    """Measure of the cosine similarity between cases of a label with and without shortcut."""

    def measure(runs, selection):
        if selection != "test":
            return None  # embeddings are kept for the paper's rule only
        similarities = []
        for run in runs:
            ids, vectors = run.embeddings()
            cases = _test_cases(run, selection).set_index("case_id").loc[ids]
            units = vectors[selection].double().numpy()
            lengths = np.linalg.norm(units, axis=1, keepdims=True)
            if not lengths.all():
                raise ValueError(f"run {run.path.name}: an embedding is zero, it has no direction")
            units /= lengths
            of_label = (cases["label"] == label).to_numpy()
            marked = cases["shortcut"].to_numpy().astype(bool)
            similarities.append(units[of_label & ~marked] @ units[of_label & marked].T)
        value = float(np.mean([s.mean() for s in similarities]))
        return Estimate(
            value, _resampled_means(similarities), sum(similarities[0].shape), len(runs)
        )

    return measure


def _resampled_means(matrices):
    """Resample rows, columns and seeds of one matrix a seed; return the means."""
    rng = np.random.default_rng(0)
    rows, columns = matrices[0].shape
    left = rng.multinomial(rows, np.full(rows, 1 / rows), N_RESAMPLES) / rows
    right = rng.multinomial(columns, np.full(columns, 1 / columns), N_RESAMPLES) / columns
    means = np.stack([np.einsum("bi,ij,bj->b", left, m, right, optimize=True) for m in matrices])
    return _average_over_seeds(means)


def _average_over_seeds(per_seed):
    """Average (seeds, b) values over seeds drawn with replacement, the same for every r."""
    seeds, b = per_seed.shape
    drawn = np.random.default_rng(derive_seed(0, "seeds")).integers(0, seeds, size=(seeds, b))
    return np.take_along_axis(per_seed, drawn, axis=0).mean(axis=0)


def _pixel_measure(per_image, combine):
    """Measure on the training images, resampled by image and by draw of the data set."""

    def measure(runs, selection):
        per_seed, values = [], []
        for run in runs:
            train = cohorts(run.settings, run.seed)["train"]
            labels = specificity_labels(train.abnormality_masks, run.settings["r"])
            sums = per_image(train, labels)
            m = len(sums)
            rng = np.random.default_rng(derive_seed(run.seed, "images"))
            counts = rng.multinomial(m, np.full(m, 1 / m), N_RESAMPLES)
            per_seed.append(combine(counts @ sums))
            values.append(combine(sums.sum(axis=0, keepdims=True))[0])
        resamples = _average_over_seeds(np.stack(per_seed))
        return Estimate(float(np.mean(values)), resamples, len(train), len(runs))

    return measure


def _moments(cohort, labels):
    images = cohort.images[:, 0].astype(np.float64)
    return np.stack([(labels * images**k).sum(axis=(1, 2)) for k in range(3)], axis=1)


def _variance(moments):
    n, first, second = moments.T
    return second / n - (first / n) ** 2


def _joint_counts(first, second, where):
    """Count the four combinations of two binary maps in each image, shape (m, 4)."""
    code = 2 * first.astype(np.int8) + second
    return np.stack([((code == k) & where).sum(axis=(1, 2)) for k in range(4)], axis=1)


def _label_and_shortcut(cohort, labels):
    return _joint_counts(labels, cohort.shortcut_masks, np.ones_like(labels))


def _abnormality_and_shortcut(cohort, labels):
    return _joint_counts(cohort.abnormality_masks, cohort.shortcut_masks, labels)


def _information(counts):
    return information_of_counts(counts.reshape(-1, 2, 2))


def _closed_form(function, *names):
    def measure(runs, selection):
        model = runs[0].settings["data_model"]
        value = function(runs[0].settings["r"], **{name: model[name] for name in names})
        return Estimate(float(value), np.empty(0))

    return measure


METRICS = {
    "auroc": _auroc_of(lambda t: t["label"] >= 0),
    "robust_auroc": _auroc_of(lambda t: t["label"] != t["shortcut"]),
    "cosine_normal": _cosine_of(0),
    "cosine_abnormal": _cosine_of(1),
    "variance_measure": _pixel_measure(_moments, _variance),
    "mutual_information_label": _pixel_measure(_label_and_shortcut, _information),
    "mutual_information": _pixel_measure(_abnormality_and_shortcut, _information),
    "variance_closed_form": _closed_form(
        variance_closed_form, "n", "a", "b", "mu_a", "mu_s", "sigma"
    ),
    "mutual_information_closed_form": _closed_form(mutual_information_closed_form, "n", "a", "b"),
}
