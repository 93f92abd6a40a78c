import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from shortlib.data import Cohort
from shortlib.data.supervision import SUPERVISIONS, supervision_labels
from shortlib.metrics import (
    case_counts,
    cluster_purity,
    error_set_precision,
    variance_measure,
)
from shortlib.studies.spatial_specificity import study
from shortlib.studies.spatial_specificity.choosing import by_overlap, of, shares_of
from shortlib.studies.spatial_specificity.guesses import dealt_groups
from shortlib.studies.spatial_specificity.measures import (
    ARTEFACTS,
    LEVELS,
    METRICS,
    artefact_gaps,
    by_size,
    estimates,
    overlaps,
)
from shortlib.studies.spatial_specificity.pixels import pixel_sums
from shortlib.studies.spatial_specificity.resampled import area_of_lesion, variance
from shortlib.studies.spatial_specificity.sweeping import sweep
from shortlib.studies.spatial_specificity.variants import VARIANTS
from shortlib.studies.spatial_specificity.watching import SELECTIONS
from shortlib.studies.verdicts import NotTestableError, verdicts_of
from tests.studies.specificity_runs import (
    CHEST,
    ISIC,
    SIIM,
    SKIN,
    STICKERS,
    VARIANCES,
    carries_of,
    inferred_where,
    labels_of,
    made_run,
    pixels_where,
)

MASKS, BINARY = VARIANTS["masks"], VARIANTS["binary-erm"]


def sklearn_auroc(
    runs, *, view="plain", selection="paper", chosen=lambda table: table["label"] < 2
):
    """Mean over runs of scikit-learn's AUROC on some of the test cases."""
    values = []
    for run in runs:
        table = run.predictions
        table = table[(table["split"] == "test") & (table["view"] == view)]
        table = table[table["selection"] == selection]
        table = table[chosen(table)]
        values.append(roc_auc_score(table["label"], table["score"]))
    return np.mean(values)


def misled(table):
    return table["label"] != table["shortcut"]


# Areas under the curve


@pytest.mark.parametrize(
    ("data", "view", "chosen"),
    [
        (CHEST, "adversarial", lambda table: table["label"] < 2),
        (SKIN, "plain", lambda table: table["label"] < 2),
        (ISIC, "plain", lambda table: table["label"] < 2),
        (SIIM, "plain", misled),
    ],
)
def test_aurocs_are_the_mean_of_scikit_learns_over_seeds(data, view, chosen):
    variants = ("masks", "boxes", "binary-erm")
    n = 100
    runs = [made_run(one, seed=seed, data=data, n=n) for seed in (2, 0, 1) for one in variants]
    overall, robust = (estimates(metric, runs) for metric in ("overall_auroc", "robust_auroc"))
    assert list(robust) == list(overall) == [VARIANTS[one] for one in reversed(variants)]
    for variant in variants:
        mine = of(runs, variant)
        assert [run.seed for run in mine] == [0, 1, 2]
        title = VARIANTS[variant]
        assert overall[title].value == pytest.approx(sklearn_auroc(mine))
        due = sklearn_auroc(mine, view=view, chosen=chosen)
        assert robust[title].value == pytest.approx(due)
        assert (robust[title].seeds, len(robust[title].resamples)) == (3, 2000)
        assert robust[title].n == (n if data != SIIM else n // 5)
        low, high = robust[title].interval()
        assert low < due < high


def test_models_are_compared_on_the_same_resamples_of_cases_and_seeds():
    """Scores of the same order differ by nothing, on every resample."""

    def same(labels, shortcut, view, selection, rng):
        return labels + np.random.default_rng(len(view)).normal(size=len(labels))

    def stretched(*args):
        return np.exp(same(*args))

    for data in (CHEST, SKIN, SIIM):
        runs = [made_run("masks", seed=seed, data=data, score=same) for seed in range(2)]
        runs += [made_run("binary-erm", seed=seed, data=data, score=stretched) for seed in (1, 0)]
        for metric in ("robust_auroc", "overall_auroc"):
            found = estimates(metric, runs)
            assert np.ptp(found[MASKS].resamples) > 0.1
            gain = found[MASKS] - found[BINARY]
            np.testing.assert_array_equal(gain.resamples, 0)


def test_seeds_may_have_other_test_cases():
    """Each seed weighs alike, is measured on its own cases, and is drawn whole or not at all."""

    def perfect(labels, *_):
        return labels

    def reversed_order(labels, *_):
        return -labels

    first = made_run("masks", data=ISIC, seed=0, ids=np.arange(12), score=perfect)
    second = made_run("masks", data=ISIC, seed=1, ids=np.arange(8, 48), score=reversed_order)
    for some in ([first, second], [second, first]):
        found = estimates("robust_auroc", some)[MASKS]
        assert found.value == pytest.approx(0.5)
        assert (found.n, found.seeds) == (48, 2)
        assert set(np.round(found.resamples, 6)) == {0.0, 0.5, 1.0}
        assert found.interval() == (0, 1)


def test_patients_are_drawn_with_all_their_cases():
    """Two cases each, of one label and alike, say no more than one case."""
    whose = np.arange(120) // 2
    level = np.random.default_rng(0).normal(size=60)[whose]
    options = {"n": 120, "score": lambda labels, *_: labels + level}
    apart, together = (
        estimates("overall_auroc", [made_run(patients=patients, **options)])[MASKS]
        for patients in (None, whose)
    )
    assert apart.value == together.value
    widths = [np.subtract(*one.interval()[::-1]) for one in (apart, together)]
    assert widths[1] / widths[0] == pytest.approx(np.sqrt(2), abs=0.1)


def test_each_selection_rule_has_its_own_scores():
    signs = dict(zip(SELECTIONS, (1, 2, -1, 0), strict=True))

    def score(labels, shortcut, view, selection, rng):
        return signs[selection] * (labels - 0.5 * (np.arange(len(labels)) % 4 == 0))

    runs = [made_run(score=score, selections=tuple(SELECTIONS))]
    for metric in ("overall_auroc", "robust_auroc"):
        found = {rule: estimates(metric, runs, selection=rule)[MASKS] for rule in SELECTIONS}
        paper, worst = found["paper"].value, found["worst-group"].value
        assert paper > 0.7
        assert found["validation-auroc"].value == paper
        assert worst == pytest.approx(1 - paper)
        assert found["oracle"].value == 0.5
    with pytest.raises(NotTestableError, match="has no test scores of selection oracle"):
        estimates("robust_auroc", [made_run()], selection="oracle")


def test_where_nobody_knows_the_shortcut_there_is_no_robust_auroc():
    runs = [made_run(data=SIIM, shortcut=np.full(40, -1))]
    assert estimates("overall_auroc", runs)
    with pytest.raises(NotTestableError, match="no test scores"):
        estimates("robust_auroc", runs)
    one_label = np.where(labels_of(np.arange(40)) == 1, 1, carries_of(np.arange(40)))
    with pytest.raises(NotTestableError, match="cannot be measured"):
        estimates("robust_auroc", [made_run(data=SIIM, shortcut=one_label)])


def test_lesions_of_like_size_are_compared_pair_by_pair():
    n = 60
    areas = np.random.default_rng(7).uniform(0.02, 0.2, n) + 0.1 * labels_of(np.arange(n))
    runs = [
        made_run("masks", data=SKIN, seed=seed, n=n, artefacts={"area": areas}) for seed in (1, 0)
    ]
    # One that knows the area and nothing else.
    runs.append(
        made_run("binary-erm", data=SKIN, n=n, artefacts={"area": areas}, score=lambda *_: areas)
    )
    every, alike, inside = by_size(runs)
    assert list(every) == list(alike) == [BINARY, MASKS]
    assert inside == {}  # fitted without scores of lesions
    values = []
    for run in runs[:2]:
        table = run.predictions.query("split == 'test'")
        size = dict(zip((f"test-{i:03d}" for i in range(n)), areas, strict=True))
        wins, pairs = 0.0, 0
        for _, ill in table[table["label"] == 1].iterrows():
            for _, well in table[table["label"] == 0].iterrows():
                ratio = size[ill["case_id"]] / size[well["case_id"]]
                if 1 / 1.25 <= ratio <= 1.25:
                    pairs += 1
                    wins += (ill["score"] > well["score"]) + 0.5 * (ill["score"] == well["score"])
        values.append(wins / pairs)
    assert alike[MASKS].value == pytest.approx(np.mean(values))
    assert (alike[MASKS].seeds, alike[MASKS].n) == (2, 2 * n)
    assert every[BINARY].value > 0.8
    assert alike[BINARY].value < every[BINARY].value - 0.1
    low, high = alike[BINARY].interval()
    assert low < alike[BINARY].value < high
    due = roc_auc_score(labels_of(np.arange(n)), areas)
    assert area_of_lesion(runs[2:], "test").value == pytest.approx(due)
    assert every[BINARY].value == pytest.approx(due)
    with pytest.raises(NotTestableError, match="covariate must be positive"):
        by_size([made_run(data=CHEST)])  # a radiograph without a pneumothorax has no area


def test_scores_of_lesions_are_read_where_networks_have_them():
    """Three positives and two negatives, so that the AUROC is counted by hand."""
    ids = [f"test-{i:03d}" for i in (2, 3, 6, 0, 1)]
    scores = [0.9, 0.6, 0.2, 0.6, 0.1]  # of six pairs four are won and one is even
    table = pd.DataFrame({"case_id": ids, "label": [1, 1, 1, 0, 0], "lesion_score": scores})
    areas = {"area": np.full(8, 0.2)}
    common = {"data": SKIN, "n": 8, "artefacts": areas}
    runs = [
        made_run("masks", tables={"overlaps": table}, **common),
        made_run("boxes", tables={"overlaps": table.drop(columns="lesion_score")}, **common),
        made_run("binary-erm", **common),
    ]
    inside = by_size(runs)[2]
    assert list(inside) == [MASKS]
    assert inside[MASKS].value == pytest.approx(4.5 / 6)
    assert inside[MASKS].n == 5
    other = made_run("masks", selections=("oracle",), tables={"overlaps": table}, **common)
    assert by_size([other], "oracle")[2] == {}  # they are kept under the paper's rule alone


# Shares of cases with a mask


def shared(levels):
    """Runs whose AUROC is perfect, at chance or reversed: (variant, share) to 1, 0 or -1."""

    def score_of(sign):
        return lambda labels, *_: sign * labels

    return [
        made_run(variant, share=share, score=score_of(sign))
        for (variant, share), sign in levels.items()
    ]


def test_the_smallest_and_the_largest_share_below_all():
    runs = shared(
        {("masks", 0.125): 1, ("masks", 0.5): 0, ("masks", 1.0): -1, ("masks-spl", 0.5): 1,
         ("boxes", 0.125): -1, ("binary-erm", 1.0): 0}
    )  # fmt: skip
    smallest, half = (estimates(name, runs) for name in ("robust_smallest", "robust_half"))
    assert {name: one.value for name, one in smallest.items()} == {
        MASKS: 1, VARIANTS["boxes"]: 0, BINARY: 0.5
    }  # fmt: skip
    assert {name: one.value for name, one in half.items()} == {
        MASKS: 0.5, VARIANTS["masks-spl"]: 1, BINARY: 0.5
    }  # fmt: skip
    # All labels are another thing than a part of them.
    assert estimates("robust_auroc", runs)[MASKS].value == 0
    assert shares_of(runs, "masks") == [0.125, 0.5, 1.0]
    whole = shared({("masks", 1.0): 1, ("binary-erm", 1.0): 1})
    for metric in ("robust_smallest", "robust_half"):
        with pytest.raises(NotTestableError, match="a part of the training cases"):
            estimates(metric, whole)


def test_a_sweep_of_fewer_seeds_stands_on_these_alone():
    def score_of(sign):
        return lambda labels, *_: sign * labels

    # The second seed has no run on a part of the cases, and other scores.
    runs = [
        made_run(variant, seed=seed, score=score_of((1, -1)[seed]))
        for seed in (1, 0)
        for variant in ("binary-erm", "masks")
    ]
    runs.append(made_run("masks", share=0.5, score=score_of(0)))
    for metric in ("robust_smallest", "robust_half"):
        found = estimates(metric, runs)
        assert {name: (one.value, one.seeds) for name, one in found.items()} == {
            BINARY: (1, 1), MASKS: (0.5, 1)
        }  # fmt: skip
    table = sweep(runs)
    assert table["robust"].tolist() == [1, 0.5, 1]
    assert set(table["seeds"]) == {1}
    # Elsewhere both count, and without a sweep all do.
    assert estimates("robust_auroc", runs)[MASKS].value == 0.5
    assert set(sweep(runs[:-1])["seeds"]) == {2}


def test_levels_of_specificity_are_those_of_figure_5():
    runs = shared({("binary-erm", 1.0): -1, ("boxes", 1.0): 0, ("masks", 1.0): 1})
    found = estimates("robust_by_specificity", runs)
    assert {level: one.value for level, one in found.items()} == {1: 0, 2: 0.5, 3: 1}
    assert list(estimates("robust_by_specificity", runs[1:])) == [2, 3]
    assert [VARIANTS[variant] for variant, _ in LEVELS.values()] == [
        "Binary-ERM", "BBox-ERM", "Seg-ERM"
    ]  # fmt: skip


# Stickers


def dialled(gains):
    """Runs on stickers, with the shift of masks and of image labels by overlap."""

    def score_of(shift):
        return lambda labels, shortcut, view, selection, rng: (
            shift * labels + np.random.default_rng(1).normal(size=len(labels))
        )

    return [
        made_run(variant, overlap=overlap, data=STICKERS, score=score_of(shift), n=80)
        for overlap, shifts in gains.items()
        for variant, shift in zip(("masks", "binary-erm"), shifts, strict=True)
    ]


def test_the_gain_of_masks_is_by_the_overlap_of_the_sticker():
    runs = dialled({1.0: (0.5, 0.2), 0.0: (2.0, 0.0), 0.5: (1.0, 1.0)})
    found = estimates("gain_by_overlap", runs)
    assert list(found) == [0.0, 0.5, 1.0]
    for overlap, chosen in by_overlap(runs).items():
        by_variant = {run.request["method"]: [run] for run in chosen}
        due = [sklearn_auroc(by_variant[name], view="adversarial") for name in (MASKS, BINARY)]
        assert found[overlap].value == pytest.approx(due[0] - due[1])
    np.testing.assert_array_equal(found[0.5].resamples, 0)
    # Without masks or image labels there is no gain, and without stickers no dial.
    assert list(estimates("gain_by_overlap", runs[:3])) == [1.0]
    assert estimates("gain_by_overlap", [made_run()]) == {}


def test_without_the_dial_stickers_are_those_of_the_least_overlap():
    runs = dialled({1.0: (0.5, 0.2), 0.0: (2.0, 0.0)})
    least = by_overlap(runs)[0.0]
    due = sklearn_auroc([run for run in least if run.request["method"] == MASKS])
    assert estimates("overall_auroc", runs)[MASKS].value == pytest.approx(due)
    for metric in ("overall_auroc", "robust_auroc", "robust_by_specificity"):
        found, alone = (estimates(metric, some) for some in (runs, least))
        assert list(found) == list(alone)
        for name, one in found.items():
            assert (one.value, one.seeds) == (alone[name].value, 1)
    assert [run.settings["source"] for run in of(runs, "masks")] == [{"drawn": {"overlap": 0.0}}]


# Artefacts


def with_artefacts(columns, *, score=None, seeds=1, inside=None, n=60):
    tables = {"pixels": pixels_where(inside=inside)}
    options = {"data": SKIN, "n": n, "artefacts": columns, "tables": tables}
    options |= {} if score is None else {"score": score}
    return [made_run("masks", seed=seed, **options) for seed in range(seeds)]


def test_gaps_are_aurocs_without_and_with_an_artefact():
    ids = np.arange(60)
    columns = {"hair": ids % 3 == 0, "ruler": ids % 7 < 3, "ink": labels_of(ids) == 1,
               "patches": np.zeros(60, bool)}  # fmt: skip
    runs = with_artefacts(columns, seeds=2)
    found = artefact_gaps(runs, "paper")
    assert list(found) == [name for name in ARTEFACTS if name in columns]
    for name in ("hair", "ruler"):
        carrying = {f"test-{i:03d}" for i in ids[columns[name]]}
        parts = []
        for with_it in (False, True):
            kept = lambda table, w=with_it, c=carrying: table["case_id"].isin(c) == w  # noqa: E731
            parts.append(sklearn_auroc(runs, chosen=kept))
        without, with_it, gap = found[name]
        assert [without.value, with_it.value] == pytest.approx(parts)
        assert gap.value == pytest.approx(parts[0] - parts[1])
        assert gap.n == 60
        assert (without.n, with_it.n) == (60 - columns[name].sum(), columns[name].sum())
        low, high = gap.interval()
        assert low < gap.value < high
    # Those that only one label has, or none.
    assert found["ink"] is None
    assert found["patches"] is None
    assert artefact_gaps([], "paper") == {}


def test_gaps_are_ordered_by_the_overlap_that_is_measured():
    ids = np.arange(60)
    columns = {"hair": ids % 3 == 0, "ruler": ids % 7 < 3, "ink": labels_of(ids) == 1}
    inside = {"hair": 0.75, "ruler": np.r_[np.full(15, 0.25), np.full(15, np.nan)], "ink": 0.5}
    runs = with_artefacts(columns, inside=inside, seeds=2)
    found = estimates("gap_by_overlap", runs)
    assert list(found) == pytest.approx([0.75, 0.25])
    gaps = artefact_gaps(runs, "paper")
    assert [one.value for one in found.values()] == [
        gaps[name][2].value for name in ("hair", "ruler")
    ]
    known = overlaps(runs)
    assert {name: one.value for name, one in known.items()} == pytest.approx(
        {"hair": 0.75, "ruler": 0.25, "ink": 0.5}
    )
    assert known["ruler"].n == 15  # NaN: training cases without one


def test_an_artefact_that_no_training_lesion_has_is_left_out():
    ids = np.arange(60)
    columns = {"hair": ids % 3 == 0, "patches": ids % 7 < 3}
    runs = with_artefacts(columns, inside={"hair": 0.75, "patches": np.nan})
    assert list(overlaps(runs)) == ["hair"]
    assert list(estimates("gap_by_overlap", runs)) == [0.75]


def test_real_artefacts_lie_where_the_paper_says():
    ids = np.arange(60)
    columns = {name: ids % (3 + 2 * k) == 0 for k, name in enumerate(ARTEFACTS)}
    found = estimates("gap_by_overlap", with_artefacts(columns))
    assert sorted(found) == [0.0, 0.2, 0.5, 1.0]
    gaps = artefact_gaps(with_artefacts(columns), "paper")
    assert found[0.2].value == gaps["ruler"][2].value
    assert found[0.0].value == gaps["dark_corner"][2].value


def test_gaps_of_rare_artefacts_can_be_ordered():
    """Of a rare artefact some resamples have one label only; the order is that of the others."""
    ids = np.arange(60)
    rare = (ids % 3 == 0) & ((labels_of(ids) == 0) | (ids < 4))
    assert labels_of(ids[rare]).sum() == 1
    columns = {"hair": ids % 2 == 0, "ruler": ids % 7 < 3, "gel_bubble": rare}
    runs = with_artefacts(columns)
    found = estimates("gap_by_overlap", runs)
    assert len(found) == 3
    assert len({len(one.resamples) for one in found.values()}) == 1
    assert len(found[1.0].resamples) > 1000
    (verdict,) = (
        one
        for one in verdicts_of(study, runs)
        if one.id == "overlapping-artefacts-cost-most-builtin-skin"
    )
    assert verdict.verdict != "not testable here"


# Variance


def drawn_cohort(seed, n=8, channels=3):
    rng = np.random.default_rng(seed)
    masks = np.zeros((n, 16, 16), bool)
    for case in range(n):
        row, column = rng.integers(0, 10, 2)
        masks[case, row : row + 4, column : column + 5] = True
    images = rng.integers(0, 200, (n, channels, 16, 16)).astype(np.uint8)
    images += (masks[:, None] * 50).astype(np.uint8)
    ids = np.array([f"case-{seed}-{k}" for k in range(n)])
    labels = np.arange(n) % 2
    labels[-2:] = 1
    return Cohort("drawn", ids, images, labels=labels, abnormality_masks=masks)


def test_variance_is_that_of_the_scaled_images_mean_over_seeds():
    cohorts = [drawn_cohort(seed) for seed in range(2)]
    tables = [pixel_sums(cohort) for cohort in cohorts]
    runs = [made_run(seed=seed, tables={"pixels": table}) for seed, table in enumerate(tables)]
    due = {}
    for kind in SUPERVISIONS:
        values = []
        for cohort in cohorts:
            scaled = np.stack(
                [(plane - plane.mean()) / plane.std() for plane in
                 cohort.images.astype(float).transpose(1, 0, 2, 3)], axis=1
            )  # fmt: skip
            ill = cohort.labels == 1
            labels = supervision_labels(cohort.abnormality_masks[ill], kind)
            values.append(variance_measure(scaled[ill], labels))
        due[kind] = np.mean(values)
        assert variance(tables, kind).value == pytest.approx(due[kind])
    found = estimates("variance", runs)
    assert [found[level].value for level in (1, 2, 3)] == pytest.approx(
        [due["image"], due["boxes"], due["masks"]]
    )
    assert found[1].seeds == 2
    assert found[3].n == 2 * 5


def test_variance_is_resampled_by_image_alike_for_each_kind_of_label():
    """Of images that vary in level alone, an image drawn twice brings nothing new."""
    table = pixels_where(dict.fromkeys(SUPERVISIONS, 1.0), n=20)
    same = table[table["supervision"] == "image"]
    table = pd.concat([same.assign(supervision=kind) for kind in SUPERVISIONS])
    found = estimates("variance", [made_run(tables={"pixels": table})])
    assert np.ptp(found[1].resamples) > 0
    for level in (2, 3):
        np.testing.assert_array_equal((found[level] - found[1]).resamples, 0)
    # One resample by hand.
    counts = next(iter(case_counts(20)))[:, 0]
    n, total, squares = (same[name].to_numpy() @ counts for name in ("n", "sum", "squares"))
    assert found[1].resamples[0] == pytest.approx(squares / n - (total / n) ** 2)


# What methods infer


def inferring(variant, table, data=CHEST, seed=0):
    return made_run(variant, seed=seed, data=data, tables={"inferred": table})


def lift_by_hand(table, shortcut="shortcut"):
    parts = [table[name].to_numpy() for name in ("error", "label", shortcut)]
    return error_set_precision(*parts) - np.mean(parts[1] != parts[2])


def test_the_lift_of_an_error_set_is_its_precision_less_the_share_of_all():
    rng = np.random.default_rng(3)
    tables = [
        inferred_where(error=lambda labels, carries: rng.random(len(labels)) < 0.2, n=n)
        for n in (56, 61)
    ]
    runs = [inferring("binary-jtt", table, seed=k) for k, table in enumerate(tables)]
    found = estimates("error_set_lift", runs)
    assert list(found) == ["Binary-JTT"]
    assert found["Binary-JTT"].value == pytest.approx(np.mean([*map(lift_by_hand, tables)]))
    assert (found["Binary-JTT"].seeds, found["Binary-JTT"].n) == (2, 56 + 61)
    low, high = found["Binary-JTT"].interval()
    assert low < found["Binary-JTT"].value < high


def test_resamples_without_an_error_say_nothing_of_the_error_set():
    table = inferred_where(error=lambda labels, carries: np.arange(len(labels)) == 0)
    assert carries_of(0) != labels_of(0)  # the only error is a case that is misled
    found = estimates("error_set_lift", [inferring("binary-jtt", table)])["Binary-JTT"]
    assert found.value == pytest.approx(lift_by_hand(table))
    assert found.value == pytest.approx(0.8)
    assert found.interval()[0] > 0.5
    assert 1000 < len(found.resamples) < 1500  # 1 - 1/e of 2,000


def test_the_lift_of_clusters_is_their_purity_less_that_of_dealt_ones():
    rng = np.random.default_rng(5)
    kinds = {
        "the shortcut itself": lambda labels, carries: 2 * labels + carries,
        "the class": lambda labels, carries: labels,
        "at random": lambda labels, carries: 20 * labels + rng.integers(0, 20, len(labels)),
    }
    lifts = {}
    for name, group in kinds.items():
        table = inferred_where(group=group, n=200)
        found = estimates("purity_lift", [inferring("binary-george", table)])["Binary-GEORGE"]
        groups, labels, carries = (
            table[column].to_numpy() for column in ("group", "label", "shortcut")
        )
        chance = []
        for _ in range(400):  # deals of this test's own
            dealt = np.empty_like(groups)
            for label in (0, 1):
                dealt[labels == label] = rng.permutation(groups[labels == label])
            chance.append(cluster_purity(dealt, carries))
        assert found.value == pytest.approx(
            cluster_purity(groups, carries) - np.mean(chance), abs=0.01
        )
        lifts[name] = found
    assert lifts["the shortcut itself"].value == pytest.approx(0.2, abs=0.01)
    assert lifts["the shortcut itself"].interval()[0] > 0.1
    assert lifts["the class"].interval() == (0, 0)
    # Many small groups are purer than their class, and say nothing.
    low, high = lifts["at random"].interval()
    assert low < 0 < high


def test_dealt_groups_keep_their_sizes_and_classes():
    labels = np.repeat([0, 1], [30, 50])
    groups = np.concatenate([np.arange(30) % 3, 3 + np.arange(50) % 7])
    dealt = dealt_groups(groups, labels)
    assert len({tuple(one) for one in dealt}) == len(dealt) > 1
    for one in dealt:
        assert np.array_equal(np.bincount(one), np.bincount(groups))
        assert set(one[labels == 0]) == {0, 1, 2}


def test_of_several_shortcuts_the_one_that_groups_are_looked_at_by_counts():
    table = inferred_where(error=lambda labels, carries: carries != labels, named="ruler")
    table["hair"] = ~table["ruler"]
    found = estimates("error_set_lift", [inferring("binary-jtt", table, data=SKIN)])
    assert found["Binary-JTT"].value == pytest.approx(0.8)
    nobody = table.drop(columns=["ruler", "hair"])
    with pytest.raises(NotTestableError, match="nobody knows which training cases carry"):
        estimates("error_set_lift", [inferring("binary-jtt", nobody, data=SKIN)])


# Costs


def test_the_sweep_counts_cases_positives_and_dollars():
    runs = [
        made_run(variant, share=share, seed=seed, positives=10000 + 40 * seed, train=44000)
        for seed in range(2)
        for variant, share in (("masks-ssl", 0.25), ("boxes", 1.0), ("masks", 1.0), ("masks", 0.5),
                               ("binary-erm", 1.0))
    ]  # fmt: skip
    table = sweep(runs)
    assert table[["model", "share"]].to_numpy().tolist() == [
        ["Binary-ERM", 1.0], ["Seg-ERM", 0.5], ["Seg-ERM", 1.0], ["BBox-ERM", 1.0],
        ["Seg-SSL", 0.25]
    ]  # fmt: skip
    assert table["positives"].tolist() == [10020, 5010, 10020, 10020, 2505]
    assert table["cases"].tolist() == [44000, 22000, 44000, 44000, 11000]
    # Clicks of a second at 100 dollars an hour.
    due = np.array([10020, 45 * 5010, 45 * 10020, 2 * 10020, 45 * 2505]) * 100 / 3600
    assert table["dollars"].tolist() == pytest.approx(due.tolist())
    for row in table.to_dict("records"):
        variant = next(key for key, title in VARIANTS.items() if title == row["model"])
        mine = of(runs, variant, row["share"])
        assert row["robust"] == pytest.approx(sklearn_auroc(mine, view="adversarial"))
        assert row["overall"] == pytest.approx(sklearn_auroc(mine))
        assert row["robust_low"] < row["robust"] < row["robust_high"]
        assert row["seeds"] == 2


def test_what_boxes_and_masks_cost_beyond_labels_is_what_the_paper_says():
    printed = study.published()["costs"]
    runs = [
        made_run(variant, positives=printed["n_positive"])
        for variant in ("binary-erm", "boxes", "masks")
    ]
    dollars = sweep(runs).set_index("model")["dollars"]
    beyond = [dollars[VARIANTS[one]] - dollars[BINARY] for one in ("boxes", "masks")]
    assert beyond == pytest.approx([10000 / 36, 44 * 10000 / 36])
    assert [round(beyond[0], -1), round(beyond[1], -2)] == [280, 12200]
    assert printed["beyond_labels"] == {"boxes": 280, "masks": 12200}
    # Others may click faster, or for less.
    other = sweep(runs, clicks={"masks": 90}, wage_per_hour=50.0, seconds_per_click=2.0)
    other = other.set_index("model")["dollars"]
    assert other[BINARY] == pytest.approx(dollars[BINARY])
    assert other[MASKS] == pytest.approx(2 * dollars[MASKS])
    assert study.published()["costs"]["clicks"]["masks"] == 45


def test_no_runs_are_no_sweep():
    assert sweep([]).empty


# What is refused, and what is judged


def test_what_was_not_run_is_left_out_and_what_there_is_not_is_said():
    for metric in METRICS.keys() - {"robust_smallest", "robust_half"}:
        assert estimates(metric, []) == {}
    with pytest.raises(ValueError, match=r"metric must be one of overall_auroc, .*got 'auroc'"):
        estimates("auroc", [])
    with pytest.raises(ValueError, match=r"selection must be one of paper, .*, got 'last'"):
        estimates("robust_auroc", [], selection="last")


def constructed(sign):
    """Runs of all data on which every claim holds, or with sign -1 none does."""
    levels = {"binary-erm": -3, "binary-jtt": -1.5, "binary-george": -1.5, "binary-group-dro": -1,
              "boxes": 0, "masks": 3}  # fmt: skip
    few = {("masks", 0.125): -1, ("masks-ssl", 0.125): 1, ("masks-spl", 0.125): 1,
           ("boxes", 0.125): 0, ("masks", 0.5): 1, ("masks-ssl", 0.5): -1,
           ("masks-spl", 0.5): -1}  # fmt: skip
    n = 160
    noise = {view: np.random.default_rng(len(view)).normal(size=n) for view in ("plain", "turned")}

    def score_of(robust, overall):
        def score(labels, shortcut, view, selection, rng):
            if view == "adversarial":
                return sign * robust * labels + noise["turned"]
            return sign * overall * labels + noise["plain"]

        return score

    everywhere = {"binary-jtt": {"inferred": inferred_where(n=120, error=lambda labels, carries: (
        carries != labels if sign > 0 else (carries == labels) & (np.arange(120) % 2 == 0)))},
        "binary-george": {"inferred": inferred_where(n=120, group=lambda labels, carries: (
            2 * labels + carries if sign > 0 else labels))}}  # fmt: skip
    ordered = [VARIANCES[kind] for kind in SUPERVISIONS]
    values = dict(zip(SUPERVISIONS, ordered if sign > 0 else ordered[::-1], strict=True))
    inside = {"dark_corner": 0.0, "ruler": 0.2, "gel_bubble": 0.5, "hair": 1.0}

    ids = np.arange(n)
    artefacts = {name: (ids // 4) % 4 == k for k, name in enumerate(inside)}
    # By the artefact that each case has, how well masks do on it: worse where more lies inside.
    strength = np.select(
        [artefacts[name] for name in inside],
        np.array([4.0, 2.2, 1.2, 0.3] if sign > 0 else [0.3, 1.2, 2.2, 4.0])[:, None],
    )

    def on_skin(variant):
        if variant == "masks" and sign > 0:
            return lambda labels, *_: strength * labels + noise["plain"]
        if variant == "masks":
            return lambda labels, *_: (strength - 5) * labels + noise["plain"]
        robust = {"boxes": -6}.get(variant, levels[variant])
        return score_of(robust, robust)

    made = []
    for variant, level in levels.items():
        tables = {**everywhere.get(variant, {}), "pixels": pixels_where(values, inside=inside)}
        options = {"n": n, "tables": tables}
        made.append(made_run(variant, score=score_of(level, level), **options))
        for data in (SKIN, ISIC):
            named = {name: table.rename(columns={"shortcut": "ruler"})
                     for name, table in tables.items()}  # fmt: skip
            options |= {"tables": named, "artefacts": artefacts}
            made.append(made_run(variant, data=data, score=on_skin(variant), **options))
    for (variant, share), level in few.items():
        made.append(made_run(variant, share=share, n=n, score=score_of(level, level)))
    for overlap, level in ((0.0, 3), (1.0, 0)):
        for variant, shift in (("masks", level), ("binary-erm", 0)):
            made.append(made_run(variant, overlap=overlap, data=STICKERS, n=n,
                                 score=score_of(shift, shift)))  # fmt: skip
    return made


@pytest.mark.parametrize(("sign", "due"), [(1, "reproduced"), (-1, "not reproduced")])
def test_every_claim_is_judged_as_it_should_be(sign, due):
    verdicts = verdicts_of(study, constructed(sign))
    assert len(verdicts) == sum(len(claim["each"]) for claim in study.claims())
    assert {one.id: one.verdict for one in verdicts} == {one.id: due for one in verdicts}


def test_a_gain_within_the_papers_spread_is_a_direction_only():
    """Twice the same network, one of them a little worse on one case in fifty."""
    n = 400
    noise = np.random.default_rng(0).normal(size=n)

    def score_of(shift):
        return lambda labels, *_: labels + noise - shift * labels * (np.arange(n) % 25 < 3)

    tables = {"pixels": pixels_where()}
    runs = [made_run("masks", n=n, score=score_of(0), tables=tables)]
    runs.append(made_run("boxes", n=n, score=score_of(0.6)))
    verdicts = {one.id: one for one in verdicts_of(study, runs)}
    verdict = verdicts["masks-beat-boxes-builtin-pneumothorax"]
    low, high = verdict.effect.interval()
    assert 0 < low < high < 0.043
    assert verdict.verdict == "direction only"
    assert verdicts["masks-beat-labels-builtin-skin"].verdict == "not testable here"
