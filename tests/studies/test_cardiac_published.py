"""The paper's numbers as this project states them, held against each other."""

import math
import re
from importlib.resources import files
from itertools import combinations

import numpy as np
import pytest
import torch
import yaml

from shortlib.data.manifest import load_manifest
from shortlib.methods.simclr import nt_xent
from shortlib.metrics import fisher_interval, hanley_mcneil, macro_auroc, micro_auroc
from shortlib.studies.cardiac_context.measures import ALL, CONTRASTIVE, METRICS, MODELS, TASKS

FOLDER = files("shortlib.studies.cardiac_context")
STATED = yaml.safe_load(FOLDER.joinpath("published.yml").read_text("utf-8"))
CLAIMS = yaml.safe_load(FOLDER.joinpath("claims.yml").read_text("utf-8"))
TABLES = {table["id"]: table["rows"] for table in STATED["tables"]}
CLASSES, SIZES = zip(*STATED["classes"].items(), strict=True)
SHARES = np.array(SIZES) / sum(SIZES)
PRETRAINED = [MODELS[name] for name in CONTRASTIVE]
EVERY = [name for name in MODELS.values() if name != "BG, outline"]
LAST_DIGIT = 0.0005  # how far a printed number may be from the one that was rounded
EXACT = 1e-9


def find(table, metric, key="values"):
    return next(row[key] for row in TABLES[table] if row["metric"] == metric)


def over_models(metric):
    """One metric of all models of Tables 1 and 2."""
    return {**find("table-1", metric), **find("table-2", metric)}


def by_class(metric, model, key="values"):
    rows = [row for row in TABLES["table-3"] if row["metric"] == metric]
    assert tuple(row["class"] for row in rows) == CLASSES
    return np.array([row[key][model] for row in rows])


def text(start):
    return next(n["value"] for n in STATED["text"] if n["what"].startswith(start))


def n_tested():
    return round(STATED["test_share"] * sum(SIZES))


# What is stated


@pytest.mark.parametrize(
    ("table", "models", "n_rows"),
    [
        ("table-1", ["Zero", "Full", "Seg", "BG", "Rand"], 9),
        ("table-2", ["Full", "Seg", *PRETRAINED], 6),
        ("table-3", ["Full", "Seg", *PRETRAINED], 8),
    ],
)
def test_a_table_has_its_models_and_metrics(table, models, n_rows):
    assert len(TABLES[table]) == n_rows
    for row in TABLES[table]:
        assert row["metric"] in METRICS
        assert list(row["values"]) == list(row["spread"]) == models
        assert set(models) <= set(MODELS.values())
        assert all(0 <= value <= 1 for part in ("values", "spread") for value in row[part].values())


def test_a_row_is_named_after_its_metric():
    measures = {"auroc": "AUC", "aks": "AKS", "dice": "DSC"}
    for row in (row for rows in TABLES.values() for row in rows):
        measure, task = row["metric"].split("_")
        assert row["row"] == f"{measures[measure]} {row.get('class', TASKS[task])}"


def test_the_numbers_of_patients_agree():
    assert text("studies of cardio") == sum(SIZES) == STATED["data"]["n"]["CM"]
    assert text("of these female") + text("of these male") == sum(SIZES)
    counts = load_manifest("acdc").counts
    assert text("examinations of ACDC") == counts.cases == STATED["data"]["n"]["ACDC"]
    assert len(set(counts.labels.values())) == 1  # balanced, as Section 3.1 says


# Tables against each other


def test_table_2_repeats_table_1_and_so_tells_which_label_is_misplaced():
    for row in TABLES["table-2"]:
        for model in ("Full", "Seg"):
            for key in ("values", "spread"):
                assert row[key][model] == find("table-1", row["metric"], key)[model]
    (misplaced,) = [row for row in TABLES["table-2"] if "misplaced" in row]
    assert misplaced["metric"] == "aks_transfer"
    dice = find("table-1", "dice_transfer")
    assert all(misplaced["values"][model] != dice[model] for model in ("Full", "Seg"))


@pytest.mark.parametrize("measure", ["aks", "dice"])
def test_means_over_classes_are_those_of_the_other_tables_save_for_full(measure):
    off = {
        model: find("table-2", f"{measure}_cm")[model] - SHARES @ by_class(f"{measure}_cm", model)
        for model in ["Full", "Seg", *PRETRAINED]
    }
    full = off.pop("Full")
    assert max(map(abs, off.values())) < 0.0025
    assert full == pytest.approx({"aks": 0.0113, "dice": 0.0160}[measure], abs=5e-5)


def test_hardly_any_shares_of_the_classes_give_the_aks_of_full():
    """Their mean is that of the highest class, so two of the others are almost absent."""
    means = dict(zip(CLASSES, by_class("aks_cm", "Full"), strict=True))
    mean = find("table-2", "aks_cm")["Full"]
    assert mean == max(means.values()) == means["NICM"]
    best = max(means.values()) + LAST_DIGIT
    others = max(means["ICM"], means["HCM"]) + LAST_DIGIT
    most = (best - (mean - LAST_DIGIT)) / (best - others)
    assert most < 0.072
    share = dict(zip(CLASSES, SHARES, strict=True))
    assert share["ICM"] + share["HCM"] == pytest.approx(0.411, abs=LAST_DIGIT)


def test_hypertrophic_full_is_the_one_cell_with_less_dice_than_aks():
    ratios = {
        (name, model): dice / aks
        for model in ["Full", "Seg", *PRETRAINED]
        for name, dice, aks in zip(
            CLASSES, by_class("dice_cm", model), by_class("aks_cm", model), strict=True
        )
    }
    assert ratios.pop(("HCM", "Full")) == pytest.approx(0.96, abs=0.005)
    assert (round(min(ratios.values()), 2), round(max(ratios.values()), 2)) == (1.46, 1.71)


@pytest.mark.parametrize(("measure", "needed"), [("aks", 0.135), ("dice", 0.160)])
def test_if_that_cell_alone_is_wrong_hypertrophic_falls_more_than_amyloid(measure, needed):
    metric = f"{measure}_cm"
    amyloid, hypertrophic = CLASSES.index("AMYL"), CLASSES.index("HCM")
    means = by_class(metric, "Full")
    others = np.delete(SHARES, hypertrophic) @ np.delete(means, hypertrophic)
    cell = (find("table-2", metric)["Full"] - others) / SHARES[hypertrophic]
    assert cell == pytest.approx(needed, abs=LAST_DIGIT)
    for model in PRETRAINED:
        change = by_class(metric, model) - means
        assert by_class(metric, model)[hypertrophic] - cell < change[amyloid]


def test_the_fall_in_amyloid():
    """Largest of the classes, with MoCo only as large as in hypertrophic; too small for Table 2."""
    full, amyloid = by_class("aks_cm", "Full"), CLASSES.index("AMYL")
    parts, whole = [], []
    for model in PRETRAINED:
        change = by_class("aks_cm", model) - full
        assert change[amyloid] == pytest.approx(change.min(), abs=EXACT)
        parts.append(SHARES[amyloid] * change[amyloid])
        whole.append(SHARES @ change)
    assert parts == pytest.approx([-0.008, -0.004, -0.008], abs=LAST_DIGIT)
    assert whole == pytest.approx([-0.011, -0.003, -0.018], abs=LAST_DIGIT)
    moco = by_class("aks_cm", "MoCo") - full
    assert moco[CLASSES.index("HCM")] == pytest.approx(moco[amyloid], abs=EXACT)
    table_2 = find("table-2", "aks_cm")
    for part, model in zip(parts, PRETRAINED, strict=True):
        assert part / (table_2[model] - table_2["Full"]) < 0.4


# What follows a ±


def test_the_spread_of_aks_reaches_as_far_as_that_of_dice():
    """Four numbers of three digits: their sum may be off by 0.002, and is by 0.001 at most."""
    cells = 0
    for table in ("table-1", "table-2"):
        for row in (row for row in TABLES[table] if row["metric"].startswith("aks")):
            dice = row["metric"].replace("aks", "dice")
            for model, value in row["values"].items():
                ours = value + row["spread"][model]
                theirs = find(table, dice)[model] + find(table, dice, "spread")[model]
                assert ours == pytest.approx(theirs, abs=0.001 + EXACT)
                cells += 1
    assert cells == 25


@pytest.mark.parametrize("model", ["Full", "Seg", *PRETRAINED])
def test_table_3_has_deviations_whose_errors_of_the_mean_table_2_has_for_dice_only(model):
    def error(metric):
        means, deviations = by_class(metric, model), by_class(metric, model, "spread")
        variance = SHARES @ (means**2 + deviations**2) - (SHARES @ means) ** 2
        return 1.96 * math.sqrt(variance / n_tested())

    assert error("dice_cm") == pytest.approx(find("table-2", "dice_cm", "spread")[model], abs=0.001)
    assert 0.008 < error("aks_cm") <= 0.0101
    assert 6.9 < find("table-2", "aks_cm", "spread")[model] / error("aks_cm") < 9.6


def test_aucs_on_the_cardiomyopathies_have_the_spread_of_the_formula():
    """Averaged over classes; taken over all pairs of case and class it would be half as wide."""
    n, of_class = n_tested(), [share * n_tested() for share in SHARES]
    spread = {
        **find("table-1", "auroc_cm", "spread"),
        **find("table-2", "auroc_cm", "spread"),
    }
    for model, auc in over_models("auroc_cm").items():
        ours = 1.96 * np.mean([hanley_mcneil(auc, k, n - k) for k in of_class])
        # At the mean AUROC, which gives more than the mean over the AUROCs of the classes.
        assert -LAST_DIGIT < ours - spread[model] < 0.003
        pooled = 1.96 * hanley_mcneil(auc, n, (len(SIZES) - 1) * n)
        assert pooled < 0.52 * spread[model]


def test_an_auc_with_its_spread_ends_at_1_and_never_beyond():
    ends = set()
    for table in ("table-1", "table-2"):
        for row in (row for row in TABLES[table] if row["metric"].startswith("auroc")):
            for model, value in row["values"].items():
                end = round(value + row["spread"][model], 3)
                assert end <= 1
                ends |= {(model, row["metric"])} if end == 1 else set()
    assert ends == {
        ("Seg", "auroc_acdc"),
        ("SimCLR", "auroc_transfer"),
        ("BYOL", "auroc_transfer"),
    }


# Sentences of the paper against its tables


def test_the_difference_in_the_text_is_that_of_another_pair():
    said, found = text("difference of AUC"), []
    for row in (row for row in TABLES["table-1"] if row["metric"].startswith("auroc")):
        pairs = combinations(row["values"].items(), 2)
        found += [(row["metric"], a, b) for (a, x), (b, y) in pairs if round(abs(x - y), 3) == said]
    assert found == [("auroc_acdc", "Full", "Rand")]
    differences = [
        find("table-1", f"auroc_{t}")["Full"] - find("table-1", f"auroc_{t}")["Seg"] for t in TASKS
    ]
    assert differences == pytest.approx([0.027, -0.152, -0.034])


def test_hearts_alone_are_ahead_on_average_but_not_on_the_cardiomyopathies():
    cm, acdc = find("table-1", "auroc_cm"), find("table-1", "auroc_acdc")
    assert cm["Seg"] < cm["Full"]
    assert [(cm[m] + acdc[m]) / 2 for m in ("Seg", "Full")] == pytest.approx([0.898, 0.8355])


def test_random_backgrounds_are_as_the_text_says():
    for task, sign in (("cm", -1), ("acdc", -1), ("transfer", 1)):
        aucs = find("table-1", f"auroc_{task}")
        assert sign * (aucs["Rand"] - aucs["Full"]) > 0


def test_imagenet_weights_have_two_values_and_one_is_above_full():
    alone, transfer = find("table-1", "auroc_acdc"), find("table-1", "auroc_transfer")
    assert transfer["Zero"] - alone["Zero"] == pytest.approx(0.168)
    assert transfer["Zero"] > transfer["Full"] > alone["Full"] > alone["Zero"]


def test_pretraining_raises_saliency_in_the_heart_elsewhere_and_lowers_it_at_home():
    for measure in ("aks", "dice"):
        for task, sign in (("cm", -1), ("transfer", 1)):
            values = find("table-2", f"{measure}_{task}")
            for model in PRETRAINED:
                assert sign * (values[model] - values["Full"]) > 0


@pytest.mark.parametrize(
    ("at", "models", "r", "low", "high"),
    [
        ("transfer", EVERY, 0.38, -0.44, 0.86),
        ("cm", EVERY, 0.14, -0.63, 0.77),
        ("transfer", EVERY[:5], 0.40, -0.74, 0.95),
    ],
)
def test_the_correlation_of_figure_2_as_the_tables_have_it(at, models, r, low, high):
    aks, auc = over_models(f"aks_{at}"), over_models("auroc_transfer")
    ours = np.corrcoef([aks[m] for m in models], [auc[m] for m in models])[0, 1]
    assert (ours, *fisher_interval(ours, len(models))) == pytest.approx((r, low, high), abs=0.005)


def test_who_knows_the_shares_alone_has_more_than_one_half_if_the_auc_is_micro():
    y_true = np.repeat(np.arange(len(SIZES)), SIZES)
    blind = np.tile(SHARES, (len(y_true), 1))
    chance = micro_auroc(y_true, blind)
    # By hand: both labels have the shares as scores, so it is a sum over pairs of classes.
    others = (1 - SHARES) / (len(SIZES) - 1)
    ahead = np.greater.outer(SHARES, SHARES) + 0.5 * np.equal.outer(SHARES, SHARES)
    assert chance == pytest.approx(SHARES @ ahead @ others)
    assert round(chance, 3) == 0.675
    assert macro_auroc(y_true, blind) == 0.5
    aucs, spread = find("table-1", "auroc_cm"), find("table-1", "auroc_cm", "spread")
    assert aucs["Zero"] - spread["Zero"] < chance < aucs["BG"] - spread["BG"]


def test_equation_1_has_an_anchor_among_its_own_negatives():
    """Two images, views alike, images at right angles: the contrast is solved."""
    cosines, t, partner = np.eye(2)[[0, 1, 0, 1]] @ np.eye(2)[[0, 1, 0, 1]].T, 0.1, [2, 3, 0, 1]
    terms = np.exp(cosines / t)
    right = terms[np.arange(4), partner]
    printed = -np.log(right / terms.sum(1)).mean()
    assert printed == pytest.approx(math.log(2), abs=1e-4)
    original = -np.log(right / (terms.sum(1) - terms.diagonal())).mean()
    assert float(nt_xent(torch.eye(2), torch.eye(2), t)) == pytest.approx(original, abs=1e-6)
    assert original < 1e-4


# Claims


def measured():
    """What the claims are judged on, as the paper has it."""
    found = {m: over_models(m) for m in ("auroc_cm", "auroc_transfer", "aks_cm", "aks_transfer")}
    found["auroc_cm_macro"] = found["auroc_cm"]  # the paper prints one AUC
    amyloid = np.array(CLASSES) == "AMYL"
    found["aks_change_systemic"] = {}
    for model in PRETRAINED:
        change = by_class("aks_cm", model) - by_class("aks_cm", "Full")
        others = np.average(change[~amyloid], weights=SHARES[~amyloid])
        found["aks_change_systemic"][model] = (change[amyloid].item(), others)
    return found


def test_windows_are_the_differences_that_they_are_said_to_be():
    sizes = {name: window["size"] for name, window in CLAIMS["windows"].items()}
    found = measured()

    def from_full(metric, models):
        return [found[metric][model] - found[metric]["Full"] for model in models]

    better = from_full("auroc_cm", PRETRAINED)
    assert sizes["smallest"] == pytest.approx(min(better))
    elsewhere = from_full("auroc_transfer", ["Seg", "Rand"])
    assert [sizes["generalises"]] * 2 == pytest.approx(elsewhere)
    changes = from_full("aks_cm", PRETRAINED) + from_full("aks_transfer", PRETRAINED)
    assert sizes["saliency"] == pytest.approx(min(map(abs, changes)))
    assert sizes["chance"] == sizes["sign"] == 0


def test_a_claims_published_number_is_that_of_the_tables():
    """Each rule, applied to the paper's own numbers, is met, and gives the number it cites."""
    found, judged = measured(), 0
    for claim in CLAIMS["claims"]:
        assert claim["metric"] in METRICS
        rule = claim["rule"]
        if rule.get("at") == ALL:
            assert "no coefficient is printed" in claim["published"]
            continue
        if between := rule.get("between"):
            parts = [found[claim["metric"]][name] for name in between]
        else:
            parts = found[claim["metric"]][rule["at"]]
        value = parts if isinstance(parts, float) else parts[0] - parts[1]
        cited = [float(x) for x in re.findall(r"-?\d*\.\d+", str(claim["published"]))]
        expected = [value] if isinstance(parts, float) else [value, *parts]
        assert cited == pytest.approx(expected, abs=LAST_DIGIT), claim["id"]
        beyond = rule["sign"] * (value - rule.get("threshold", 0.0))
        assert beyond >= rule["window"]["size"] - EXACT, claim["id"]
        judged += 1
    assert judged == len(CLAIMS["claims"]) - 1
