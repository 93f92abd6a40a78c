import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from shortlib.studies.cardiac_context.measures import (
    ALL,
    METRICS,
    MODELS,
    by_class,
    correlation,
    dial,
    empty_share,
    estimates,
    sanity,
)
from shortlib.studies.verdicts import NotTestableError, verdicts_of
from tests.studies.cardiac_runs import ACDC, CM, made_run


@pytest.fixture(scope="module")
def runs():
    return [made_run(variant, seed=seed) for seed in (1, 0) for variant in reversed(MODELS)]


def truth(runs, variant, task, head, *, view="plain", kind="micro"):
    """Mean of scikit-learn's AUROC over seeds."""
    values = []
    for run in runs:
        if run.request["variant"] != variant:
            continue
        table = run.predictions
        table = table[(table["task"] == task) & (table["head"] == head)]
        table = table[(table["view"] == view) & (table["seen"] == "own")]
        wide = [table.pivot(index="case_id", columns="class", values=v) for v in ("label", "score")]
        values.append(roc_auc_score(*(one.to_numpy() for one in wide), average=kind))
    return np.mean(values)


@pytest.mark.parametrize("kind", ["micro", "macro"])
@pytest.mark.parametrize("task", ["cm", "acdc", "transfer"])
def test_aurocs_are_the_mean_of_scikit_learns_over_seeds(runs, task, kind):
    found = estimates(f"auroc_{task}" + ("_macro" if kind == "macro" else ""), runs)
    for variant, title in MODELS.items():
        if task == "acdc" and variant in ("simclr", "moco", "byol"):
            assert title not in found
            continue
        at, head = (task, "fine-tuned")
        if variant == "zero":  # learned nothing here that it could carry there
            at, head = ("cm" if task == "cm" else "acdc"), "probe"
        estimate = found[title]
        assert estimate.value == pytest.approx(truth(runs, variant, at, head, kind=kind))
        assert (estimate.seeds, len(estimate.resamples)) == (2, 2000)
        low, high = estimate.interval()
        assert low < estimate.value < high


def test_the_adversarial_view_and_the_probe_are_their_own_scores(runs):
    value = estimates("auroc_cm_adversarial", runs)["Seg"].value
    assert value == pytest.approx(truth(runs, "seg", "cm", "fine-tuned", view="adversarial"))
    value = estimates("auroc_transfer_probe", runs)["MoCo"].value
    assert value == pytest.approx(truth(runs, "moco", "transfer", "probe"))
    assert set(estimates("auroc_cm_probe", runs)) == {"Zero", "SimCLR", "MoCo", "BYOL"}


def test_differences_of_models_are_paired():
    same = [made_run("full", seed=0), made_run("full", seed=0, name="seg")]
    twins = estimates("auroc_cm", same)
    assert (twins["Full"] - twins["Seg"]).interval() == (0.0, 0.0)


def test_studies_of_one_patient_are_drawn_together():
    patients = np.repeat(np.arange(6), 4)  # four studies each, of all four classes

    apart, together = (
        estimates("aks_cm", [made_run("full", aks=by_patient, patients=whose)])["Full"]
        for whose in (None, patients)
    )
    assert apart.value == pytest.approx(together.value)
    widths = [np.subtract(*one.interval()[::-1]) for one in (apart, together)]
    assert widths[0] < 0.7 * widths[1]


def by_patient(task, head, labels, rng):
    return np.repeat(np.linspace(0.1, 0.7, len(labels) // 4), 4)


def test_saliency_is_the_mean_over_phases_cases_and_seeds():
    def known(task, head, labels, rng):
        return labels / 10

    found = [made_run("full", seed=seed, aks=known) for seed in (0, 1)]
    # Classes 0 to 3 alike, and 0.1 more at end-systole.
    assert estimates("aks_cm", found)["Full"].value == pytest.approx(0.15 + 0.05)
    assert estimates("dice_cm", found)["Full"].value == pytest.approx(0.075)
    assert estimates("truth_cm", found)["Full"].value == pytest.approx(0.15 / 4)
    table = by_class(found, "aks")
    assert list(table) == list(CM)
    for k, name in enumerate(CM):
        assert table[name]["Full"].value == pytest.approx(k / 10 + 0.05)
        assert table[name]["Full"].interval() == pytest.approx((k / 10 + 0.05,) * 2)
    assert list(by_class(found, "aks", task="transfer")) == list(ACDC)
    assert empty_share(found)["cm"]["Full"].value == 0


def test_what_amyloid_loses_more_than_the_others_has_its_closed_form():
    change = {"full": np.zeros(4), "simclr": np.array([-0.01, -0.02, -0.3, -0.03])}
    found = [
        made_run(v, aks=lambda task, head, labels, rng, v=v: 0.5 + change[v][labels % 4])
        for v in change
    ]
    assert estimates("aks_change_systemic", found)["SimCLR"].value == pytest.approx(-0.3 + 0.02)


def test_the_correlation_is_over_models_and_needs_three(runs):
    points, estimate = correlation(runs)
    assert set(points) == set(MODELS.values())
    x, y = ([one[j].value for one in points.values()] for j in (0, 1))
    assert estimate.value == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert estimates("aks_auroc_correlation", runs)[ALL].value == estimate.value
    with pytest.raises(NotTestableError, match="needs three models, there are 2"):
        correlation([made_run("full"), made_run("seg")])


def test_the_dial_knows_where_a_run_stands():
    found = [
        made_run("full"),
        made_run("full", seed=1),
        made_run("full", name="full-cm100-acdcm050", association=(1.0, -0.5)),
        made_run("zero", name="zero-cm100-acdcm050", association=(1.0, -0.5)),
    ]
    table = dial(found)
    assert set(zip(table["cm"], table["acdc"], table["variant"], strict=True)) == {
        (0.7, 0.0, "full"),
        (1.0, -0.5, "full"),
        (1.0, -0.5, "zero"),
    }
    main = table[(table["cm"] == 0.7) & (table["task"] == "cm") & (table["view"] == "plain")]
    assert main["value"].item() == pytest.approx(truth(found[:2], "full", "cm", "fine-tuned"))
    assert main["seeds"].item() == 2


def test_sanity_checks_are_by_check_and_model(runs):
    found = sanity(runs)
    assert found["similarity"]["all layers"]["MoCo"].value == pytest.approx(0.5)
    assert list(found["aks"]["labels"]) == ["Full"]


def test_what_was_not_run_is_left_out_and_other_cases_are_not_compared():
    assert all(estimates(metric, []) == {} for metric in METRICS if "correlation" not in metric)
    with pytest.raises(NotTestableError):
        estimates("auroc_cm", [made_run("full"), made_run("full", seed=1, n=20)])
    with pytest.raises(ValueError, match=r"metric must be one of auroc_cm, .*got 'auroc'"):
        estimates("auroc", [])
    with pytest.raises(ValueError, match="selection must be one of last, got 'best'"):
        estimates("auroc_cm", [], selection="best")


def test_every_claim_is_judged(runs):
    import shortlib.studies.cardiac_context.study as study

    verdicts = verdicts_of(study, runs)
    assert len(verdicts) == len(study.claims())
    assert "not testable here" not in {verdict.verdict for verdict in verdicts}
