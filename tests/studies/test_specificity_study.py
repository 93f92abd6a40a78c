from collections import Counter
from dataclasses import replace

import pytest
import yaml

from shortlib.data.isic2018 import SHORTCUTS
from shortlib.studies.registry import data_sets, plan
from shortlib.studies.spatial_specificity.measures import ARTEFACTS, LEVELS, METRICS
from shortlib.studies.spatial_specificity.sources import source_checksum
from shortlib.studies.spatial_specificity.study import (
    OWN_PARAMETERS,
    SELECTION_WORDS,
    SELECTIONS,
    claims,
    groups,
    profiles,
    requests,
)
from shortlib.studies.spatial_specificity.sweeping import SWEPT
from shortlib.studies.spatial_specificity.variants import VARIANTS, variant_name

CHEST, SKIN, STICKERS = "builtin-pneumothorax", "builtin-skin", "builtin-stickers"
ISIC, SIIM, ISIC_FULL = "isic2018-task1-256", "siim-acr", "isic2018"
MASKS = ("masks", "masks-ssl", "masks-spl")
IMAGES = ("binary-erm", "binary-jtt", "binary-george", "binary-group-dro")


def runs(profile="smoke", data=CHEST, **own):
    return requests(profile, data=data, **own)


def settings_of(variant="masks", profile="smoke", data=CHEST, **own):
    return next(run.settings for run in runs(profile, data, **own) if run.variant == variant)


# Which runs


WHOLE = [*IMAGES, "quadrants", "single-boxes", "boxes", "masks"]
FEW = ["binary-erm", "binary-jtt", "boxes", "masks"]
DIALLED = [f"{one}-over-{k}" for one in ("binary-erm", "masks") for k in (0, 50, 100)]
PLANS = {
    ("smoke", CHEST): [*WHOLE, "boxes-50", "masks-50", "masks-ssl-50", "masks-spl-50"],
    ("smoke", SKIN): [*WHOLE, "boxes-50", "masks-50", "masks-ssl-50", "masks-spl-50"],
    ("smoke", STICKERS): DIALLED,
    ("smoke", ISIC): ["binary-erm", "masks"],
    ("workshop", CHEST): [*IMAGES[:3], "boxes", "masks", "masks-25", "masks-spl-25"],
    ("workshop", SKIN): FEW,
    ("workshop", STICKERS): DIALLED,
    ("workshop", ISIC): ["binary-erm", "masks"],
    ("reference", CHEST): [*IMAGES, "quadrants", "boxes", "masks",
                           *(f"{one}-{share}" for one in ("boxes", *MASKS)
                             for share in ("12_5", "25", "50"))],
    ("reference", SKIN): [*IMAGES, "boxes", "masks"],
    ("reference", STICKERS): DIALLED,
    ("reference", ISIC): [*IMAGES, "boxes", "masks"],
    ("paper", SIIM): [*IMAGES[:3], "single-boxes",
                      *(f"{one}{share}" for one in ("boxes", "masks")
                        for share in ("-13_6", "-25", "-50", "")),
                      *(f"masks-{one}-{share}" for one in ("ssl", "spl")
                        for share in ("13_6", "25", "50"))],
    ("paper", ISIC_FULL): [*IMAGES[:3], "single-boxes", "boxes", "masks"],
}  # fmt: skip
SEEDS = {"smoke": 1, "workshop": 1, "reference": 3, "paper": 3}


@pytest.mark.parametrize(("profile", "data"), PLANS)
def test_a_profile_asks_for_its_runs_on_each_data_set(profile, data, tmp_path):
    asked = runs(profile, data, data_root=tmp_path / "nowhere")
    due = Counter((seed, name) for seed in range(SEEDS[profile]) for name in PLANS[profile, data])
    assert Counter((run.seed, run.variant) for run in asked) == due
    assert len({run.key for run in asked}) == len(asked)
    order = [*VARIANTS.values()]
    places = [
        (run.seed, order.index(run.method), run.settings["share"],
         run.settings["source"].get("drawn", {}).get("overlap", 0))
        for run in asked
    ]  # fmt: skip
    assert places == sorted(places)


@pytest.mark.parametrize("data", [CHEST, SKIN, ISIC])
def test_the_reference_has_all_that_its_claims_compare(data, tmp_path):
    asked = runs("reference", data, data_root=tmp_path / "nowhere")
    assert {run.seed for run in asked} == {0, 1, 2}
    by_share = {}
    for run in asked:
        by_share.setdefault(run.settings["share"], set()).add(run.method)
    assert by_share[1.0] >= {VARIANTS["binary-erm"], VARIANTS["boxes"], VARIANTS["masks"]}
    below = sorted(share for share in by_share if share < 1)
    for claim in claims():
        if data not in claim["each"]:
            continue
        rule, metric = claim["rule"], claim["metric"]
        names = set(rule.get("between", [rule.get("at")])) & set(VARIANTS.values())
        if metric in ("robust_smallest", "robust_half"):
            assert below, claim["id"]
            share = below[0] if metric == "robust_smallest" else below[-1]
            assert names - {VARIANTS["binary-erm"]} <= by_share[share], claim["id"]
        else:
            assert names <= by_share[1.0], claim["id"]


def test_the_first_data_set_of_a_profile_is_its_default():
    assert {run.data for run in plan("spatial-specificity", "smoke")} == {CHEST}
    assert data_sets("spatial-specificity", "paper") == [SIIM, ISIC_FULL]


def test_more_seeds_add_runs_and_change_none():
    one, three = (runs(seeds=n) for n in (1, 3))
    assert [run.name for run in three[: len(one)]] == [run.name for run in one]
    assert Counter(run.seed for run in three) == dict.fromkeys(range(3), len(one))
    assert len({run.key for run in three}) == len(three)


def test_a_key_depends_on_neither_names_nor_places(tmp_path):
    first = runs()[0]
    other = replace(first, variant="another", profile="workshop", data_root=str(tmp_path))
    assert other.key == first.key
    # Each setting of its own enters the key.
    for name in first.settings:
        assert replace(first, settings={**first.settings, name: "another"}).key != first.key


def test_names_say_the_share_and_the_overlap():
    assert variant_name("masks", 1.0) == "masks"
    assert variant_name("masks", 0.125) == "masks-12_5"
    assert variant_name("masks-ssl", 0.5) == "masks-ssl-50"
    assert variant_name("masks", 1.0, 0.0) == "masks-over-0"
    assert variant_name("boxes", 0.25, 0.125) == "boxes-25-over-12_5"


# What a run is made with


def test_settings_are_those_of_the_method_and_nothing_else():
    found = {run.variant: run.settings for run in runs()}
    common = {"source", "method", "supervision", "share", "lesion_classes", "group_by", "robust",
              "side", "weights", "on_error", "augment", "training", "network"}  # fmt: skip
    first = {"identification", "balance"}
    own = {
        "binary-jtt": {"factor"} | first,
        "binary-george": {"clusters", "step_size", "adjustment"} | first,
        "binary-group-dro": {"step_size", "adjustment"},
        "masks-ssl-50": {"similarity_weight"},
        "masks-spl-50": {"similarity_weight"},
    }
    for variant, settings in found.items():
        assert set(settings) == common | own.get(variant, set()), variant
        of_images = variant in IMAGES
        assert settings["network"] == ("cnn-small" if of_images else "unet-small")
        assert (settings["supervision"] == "image") == of_images
    # JTT and GEORGE share their first model, so all that decides it is alike.
    for name in ("identification", "balance", "source", "network", "augment"):
        assert found["binary-jtt"][name] == found["binary-george"][name]
    assert found["boxes"]["supervision"] == found["boxes-50"]["supervision"] == "boxes"
    assert {found[f"masks{one}"]["method"] for one in ("", "-50")} == {"pixels"}


def test_settings_can_be_written():
    """A key is made of them, so they are plain numbers, words and lists."""
    for profile in ("smoke", "workshop", "reference"):
        for data in (CHEST, SKIN, STICKERS):
            for run in runs(profile, data):
                assert yaml.safe_load(yaml.safe_dump(run.settings)) == run.settings


def test_what_changes_on_some_data_changes_there_alone():
    usual, skin = (settings_of("masks", "reference", data) for data in (CHEST, SKIN))
    assert (usual["training"]["epochs"], skin["training"]["epochs"]) == (40, 24)
    assert usual["augment"] == {"horizontal_flip": 0.5}
    assert skin["augment"] == {"horizontal_flip": 0.5, "vertical_flip": 0.5}
    assert settings_of("masks", "reference", CHEST) == usual
    assert usual["training"]["learning_rate"] == skin["training"]["learning_rate"]
    # What the paper augments it does for radiographs and pixels alone.
    paper = {run.variant: run.settings for run in runs("paper", SIIM)}
    assert {"degrees", "elastic", "brightness", "contrast"} <= set(paper["masks"]["augment"])
    assert paper["binary-erm"]["augment"] == {}
    assert {str(run.settings["augment"]) for run in runs("paper", ISIC_FULL)} == {"{}"}


def test_a_profile_is_handed_out_and_stays_as_it_is():
    before = yaml.safe_dump(profiles())
    own = {"epochs": 3, "learning_rate": 0.5, "similarity_weight": 9, "side": 48, "shares": [0.3]}
    for data in (CHEST, SKIN, STICKERS):
        for run in runs("reference", data, **own):
            run.settings["source"]["drawn"]["n"]["train"] = -1
            run.settings["training"].clear()
    assert yaml.safe_dump(profiles()) == before


# Data


def test_drawn_data_have_the_profiles_cases_and_are_named_by_their_recipe():
    book = profiles()
    for data in (CHEST, SKIN, STICKERS):
        for profile in ("smoke", "reference"):
            (n,) = {str(run.settings["source"]["drawn"]["n"]) for run in runs(profile, data)}
            changed = book["changed"].get(data, {}).get(profile, {})
            assert n == str(changed.get("cases", book["profiles"][profile]["cases"]))
        run = runs(data=data)[0]
        assert run.data_checksum == "built-in recipe, version 1"
        assert "n" not in profiles()["data"][data]["source"]["drawn"]


def test_real_data_that_are_not_here_are_named_by_the_checksum_that_is_stated(tmp_path):
    stated = profiles()["data"][ISIC]["checksums"]
    nowhere = tmp_path / "nowhere"
    for profile in ("smoke", "workshop", "reference"):
        asked = runs(profile, ISIC, data_root=nowhere)
        # Each seed is a trap set of its own, with its own table.
        assert {run.data_checksum for run in asked} == {stated[1 + run.seed] for run in asked}
    other = runs("reference", ISIC, data_root=nowhere, trap_sets=[4], seeds=2)
    assert {run.data_checksum for run in other} == {stated[4]}
    for data in (SIIM, ISIC_FULL):
        asked = runs("paper", data, data_root=nowhere)
        assert {run.data_checksum for run in asked} == {"the data are not here"}


def test_open_data_are_those_that_are_stated(open_data):
    if not (open_data / "isic2018_task1_256").is_dir():
        pytest.skip("no trap sets here")
    stated = profiles()["data"][ISIC]
    for seed, number in enumerate(stated["checksums"]):
        source = stated["source"] | {"trap_sets": list(stated["checksums"])}
        found = source_checksum(source, seed=seed, data_root=open_data)
        assert found == stated["checksums"][number]
    asked = runs("reference", ISIC, data_root=open_data)
    assert {run.data_checksum for run in asked} == {stated["checksums"][k] for k in (1, 2, 3)}


# The dial of stickers


def test_each_overlap_has_runs_of_its_own_on_the_same_skin():
    asked = runs(data=STICKERS)
    by_overlap = {}
    for run in asked:
        drawn = dict(run.settings["source"]["drawn"])
        by_overlap.setdefault(drawn.pop("overlap"), []).append((run.variant, drawn))
    assert list(by_overlap) == [0.0, 0.5, 1.0]
    assert len({str(drawn) for chosen in by_overlap.values() for _, drawn in chosen}) == 1
    assert [name for name, _ in by_overlap[0.5]] == ["binary-erm-over-50", "masks-over-50"]
    other = runs(data=STICKERS, overlaps=(1, 0.25, 1.0))
    assert [run.variant for run in other] == [
        f"{one}-over-{k}" for one in ("binary-erm", "masks") for k in (25, 100)
    ]
    assert {run.key for run in other} & {run.key for run in asked} == {
        run.key for run in asked if run.variant.endswith("-100")
    }


# Own parameters


@pytest.mark.parametrize(
    ("own", "variant", "path", "value"),
    [
        ({"epochs": 3}, "masks", "training.epochs", 3),
        ({"learning_rate": 1}, "binary-erm", "training.learning_rate", 1.0),
        ({"identification_epochs": 4}, "binary-jtt", "identification.epochs", 4),
        ({"identification_epochs": 4}, "binary-george", "identification.epochs", 4),
        ({"side": 64}, "boxes", "side", 64),
        ({"weights": "imagenet"}, "masks", "weights", "imagenet"),
        ({"image_network": "resnet18"}, "binary-george", "network", "resnet18"),
        ({"pixel_network": "unet-resnet18"}, "masks-spl-50", "network", "unet-resnet18"),
        ({"similarity_weight": 2}, "masks-ssl-50", "similarity_weight", 2.0),
        ({"similarity_weight": 2}, "masks-spl-50", "similarity_weight", 2.0),
        ({"carries": (0, 1)}, "masks", "source.drawn.tubes", [0.0, 1.0]),
        ({"on_error": "skip"}, "masks", "on_error", "skip"),
    ],
)
def test_own_parameters_reach_the_settings_and_only_there(own, variant, path, value):
    usual, changed = settings_of(variant), settings_of(variant, **own)
    found = changed
    for part in path.split("."):
        found = found[part]
    assert found == value
    assert type(found) is type(value)
    assert {key for key in changed if changed[key] != usual[key]} == {path.split(".")[0]}


@pytest.mark.parametrize(
    ("own", "untouched"),
    [
        ({"identification_epochs": 4}, {"binary-erm", "binary-group-dro", "masks", "boxes"}),
        ({"image_network": "resnet18"}, {"masks", "boxes", "quadrants", "masks-ssl-50"}),
        ({"pixel_network": "unet-resnet18"}, set(IMAGES)),
        ({"similarity_weight": 9}, {*IMAGES, "masks", "boxes"}),
    ],
)
def test_what_a_parameter_is_not_for_keeps_its_key(own, untouched):
    usual, changed = ({run.variant: run.key for run in runs(**one)} for one in ({}, own))
    assert {name for name in usual if usual[name] == changed[name]} >= untouched
    assert usual != changed


def test_epochs_and_learning_rate_are_those_of_every_method_in_the_papers_profile():
    for run in runs("paper", SIIM, epochs=2, learning_rate=0.25):
        training = run.settings["training"]
        assert (training["epochs"], training["learning_rate"]) == (2, 0.25), run.variant
        if "identification" in run.settings:
            assert run.settings["identification"]["epochs"] == 30


def test_variants_are_those_that_are_named_in_the_order_of_specificity():
    names = ["masks", "binary-erm", "boxes"]
    asked = runs(variants=names)
    assert [run.variant for run in asked] == [
        "binary-erm", "boxes-50", "boxes", "masks-50", "masks"
    ]  # fmt: skip
    assert {run.key for run in asked} <= {run.key for run in runs()}
    # One that the profile does without learns from all labels.
    assert [run.variant for run in runs("workshop", variants=("quadrants",))] == ["quadrants"]


def test_shares_are_for_boxes_and_masks():
    names = [run.variant for run in runs(shares=(1, 0.25))]
    assert names == [
        *WHOLE[:-2], "boxes-25", "boxes", "masks-25", "masks",
        "masks-ssl-25",  # which needs images without a mask
        "masks-spl-25", "masks-spl",
    ]  # fmt: skip
    assert {run.settings["share"] for run in runs(shares=[0.25, 1])} == {0.25, 1.0}
    # Also where the profile has no sweep.
    names = [run.variant for run in runs("reference", SKIN, seeds=1, shares=[0.5])]
    assert {"boxes-50", "masks-50", "binary-erm"} <= set(names)
    assert not {"boxes", "masks"} & set(names)


def test_parameters_may_be_given_in_any_order():
    for own in (
        {"shares": [0.25], "variants": ["masks-spl", "boxes"]},
        {"epochs": 3, "learning_rate": 0.5, "variants": ["masks-ssl"], "shares": [0.5]},
    ):
        there, back = (runs("workshop", **dict(items)) for items in
                       (own.items(), reversed(own.items())))  # fmt: skip
        assert [run.key for run in there] == [run.key for run in back]
        assert all(run.settings["share"] in own["shares"] for run in there)


@pytest.mark.parametrize("own", [{"shares": [1.0]}, {"variants": ["masks-ssl"], "shares": [1]}])
def test_semi_supervised_training_on_all_masks_is_refused(own):
    with pytest.raises(ValueError, match=r"masks-ssl .*needs a share below 1; name one in shares"):
        runs(**own)
    with pytest.raises(ValueError, match=r"masks-ssl .*needs a share below 1"):
        runs("workshop", variants=["masks-ssl"])  # which has none for it


def test_one_thing_has_one_key_however_it_is_written():
    book = profiles()["profiles"]["smoke"]["settings"]
    own = {
        "variants": tuple(reversed(VARIANTS)),
        "epochs": book["training"]["epochs"],
        "learning_rate": 0.001,
        "side": 32,
        "weights": "random",
        "carries": (0.02, 0.95),
        "on_error": "raise",
    }
    assert [run.key for run in runs(**own)] == [run.key for run in runs()]
    (one,), (other,) = (runs(variants=["masks"], shares=[s]) for s in (1, 1.0))
    assert one.key == other.key


def test_trap_sets_are_those_of_isic(tmp_path):
    nowhere = tmp_path / "nowhere"
    usual, asked = (
        runs(data=ISIC, data_root=nowhere, **own) for own in ({}, {"trap_sets": (4, 5)})
    )
    assert {str(run.settings["source"]["trap_sets"]) for run in asked} == {"[4, 5]"}
    assert not {run.key for run in usual} & {run.key for run in asked}


@pytest.mark.parametrize(
    ("own", "data", "said"),
    [
        ({"carries": [0, 1]}, SKIN, f"carries is for drawn radiographs or stickers; {SKIN} has"),
        ({"carries": [0, 1]}, ISIC, f"carries is for drawn radiographs or stickers; {ISIC} has"),
        ({"overlaps": [0]}, SKIN, f"overlaps are those of stickers; {SKIN} has no stickers"),
        ({"trap_sets": [1]}, CHEST, f"trap_sets are those of ISIC 2018; {CHEST} has none"),
    ],
)
def test_a_parameter_of_other_data_is_refused(own, data, said, tmp_path):
    with pytest.raises(ValueError, match=said):
        runs(data=data, data_root=tmp_path, **own)


def test_stickers_are_on_the_shares_that_are_named():
    run = runs(data=STICKERS, carries=[0, 1])[0]
    assert run.settings["source"]["drawn"]["stickers"] == [0.0, 1.0]


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"variants": ["masks", "mine"]}, "variants is a list of some of binary-erm, .*'mine'"),
        ({"variants": ["masks", "masks"]}, "each once"),
        ({"variants": "masks"}, "variants is a list of some of .*, got 'masks'"),
        ({"variants": []}, r"variants is a list of some of .*, got \[\]"),
        ({"shares": [0]}, r"shares is a list of shares above 0, up to 1, got \[0\]"),
        ({"shares": [1.5]}, r"shares is a list of shares above 0, up to 1, got \[1.5\]"),
        ({"shares": [True]}, r"shares is a list of shares above 0, up to 1, got \[True\]"),
        ({"shares": [float("nan")]}, "shares is a list of shares above 0, up to 1, got .nan"),
        ({"shares": []}, r"shares is a list of shares above 0, up to 1, got \[\]"),
        ({"shares": 0.5}, "shares is a list of shares above 0, up to 1, got 0.5"),
        ({"epochs": 0}, "epochs is a whole number, at least 1, got 0"),
        ({"epochs": 2.0}, "epochs is a whole number, at least 1, got 2.0"),
        ({"identification_epochs": True},
         "identification_epochs is a whole number, at least 1, got True"),
        ({"learning_rate": 0}, "learning_rate is a positive number, got 0"),
        ({"learning_rate": float("inf")}, "learning_rate is a positive number, got inf"),
        ({"side": 16}, "side is a whole number, at least 32, got 16"),
        ({"weights": "mine"}, "weights must be one of random, imagenet, got 'mine'"),
        ({"image_network": "unet-small"}, "image_network must be one of cnn-small, .*'unet-small'"),
        ({"pixel_network": "cnn-small"}, "pixel_network must be one of unet-small, .*'cnn-small'"),
        ({"similarity_weight": -1}, "similarity_weight is a positive number, got -1"),
        ({"carries": [0.5]}, r"carries is a pair of probabilities, without and with .*got \[0.5\]"),
        ({"carries": [0.5, 2]}, "carries is a number from 0 to 1, got 2"),
        ({"overlaps": []}, r"overlaps is a list of shares from 0 to 1, got \[\]"),
        ({"overlaps": [1.5]}, "overlaps is a number from 0 to 1, got 1.5"),
        ({"trap_sets": [0]}, r"trap_sets is a list of numbers from 1 to 5, got \[0\]"),
        ({"trap_sets": [6]}, r"trap_sets is a list of numbers from 1 to 5, got \[6\]"),
        ({"trap_sets": [True]}, r"trap_sets is a list of numbers from 1 to 5, got \[True\]"),
        ({"on_error": "stop"}, "on_error must be one of raise, skip, got 'stop'"),
        ({"batch": 3}, "spatial-specificity has no parameter 'batch'; it has variants, shares, "),
    ],
)  # fmt: skip
def test_own_parameters_that_make_no_sense_are_refused(own, said):
    with pytest.raises(ValueError, match=said):
        runs(**own)


# Claims


def test_every_claim_is_a_rule_over_models_and_metrics_that_there_are():
    titles, named = set(VARIANTS.values()), set()
    for claim in claims():
        assert claim["metric"] in METRICS
        rule = claim["rule"]
        names = set(rule.get("between", [rule.get("at")])) - {None}
        known = {0.0, 0.5, 1.0} if claim["metric"] == "gain_by_overlap" else titles
        assert names <= known, claim["id"]
        assert abs(rule["sign"]) == 1
        assert set(claim["each"]) <= {CHEST, SKIN, STICKERS, ISIC}
        assert claim["dial"] == "model"
        named.add(claim["id"])
    assert len(named) == len(claims())


def test_words_of_the_study_are_those_of_its_parts():
    assert SELECTIONS == ("paper", "worst-group", "validation-auroc", "oracle")
    assert SELECTION_WORDS.keys() == set(SELECTIONS)
    assert list(profiles()["variants"]) == list(VARIANTS)
    assert {variant for variant, _ in LEVELS.values()} | set(SWEPT) <= set(VARIANTS)
    assert set(OWN_PARAMETERS) >= {"variants", "shares", "overlaps", "trap_sets", "carries"}
    assert ARTEFACTS == SHORTCUTS
    for data in (SKIN, ISIC, ISIC_FULL):
        assert profiles()["data"][data]["facts"]["group_by"] in ARTEFACTS


def test_groups_sort_runs_by_data_set():
    class Run:
        def __init__(self, data):
            self.request = {"data": data}

    made = [Run(SIIM), Run(STICKERS), Run(CHEST), Run(SIIM)]
    assert list(groups(made)) == [CHEST, STICKERS, SIIM]
    assert groups(made)[SIIM] == [made[0], made[3]]


def test_the_seed_of_drawn_training_cases_is_never_that_of_others():
    """Test cases are drawn with seeds from 1001 on, so a run's seed must stay below."""
    assert max(run.seed for run in runs("reference")) < 1000
