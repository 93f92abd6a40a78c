import json
import math
from importlib.resources import files

import pytest
import yaml

from shortlib.studies.clip_watermarks.own_values import CHECKS
from shortlib.studies.registry import load_study, plan

STUDY = "clip-watermarks"
ALL = [
    (profile, data)
    for data, profiles in load_study(STUDY).profiles()["combinations"].items()
    for profile in profiles
]
OF_CLIP = {"text_encoder", "frozen_layers", "text_length", "width", "terms", "n_prompts", "mention"}


@pytest.fixture(autouse=True)
def _no_data(tmp_path, monkeypatch):
    """A machine without any data set."""
    monkeypatch.setenv("SHORTLIB_DATA", str(tmp_path / "nothing"))


def by_variant(*asked, **own):
    return {request.variant: request for request in plan(STUDY, *asked, **own)}


@pytest.mark.parametrize(("profile", "data"), ALL)
def test_every_profile_can_be_planned_without_its_data(profile, data):
    asked = plan(STUDY, profile, data=data)
    assert len({request.key for request in asked}) == len({r.name for r in asked}) == len(asked)
    for request in asked:
        settings = request.settings
        assert json.loads(json.dumps(settings)) == settings
        assert request.variant.partition("-")[0] == request.method
        assert len(settings["findings"]) == len(settings["symbols"])
        assert len(set(settings["symbols"])) == len(settings["symbols"])
        assert settings["watch"] == sorted(set(settings["watch"]))
        assert settings["watch"][-1] == settings["finetune_epochs"]
        assert settings["watch"][0] >= 1
        assert len(set(settings["clean"])) == len(settings["clean"])
        assert settings["stored"] > settings["side"]


@pytest.mark.parametrize(("profile", "data"), ALL)
def test_methods_share_all_settings_but_their_own(profile, data):
    runs = by_variant(profile, data=data)
    cnn, clip = (runs[name].settings for name in ("cnn", "clip"))
    assert not OF_CLIP & cnn.keys()
    assert clip.keys() - cnn.keys() == OF_CLIP
    assert {name for name in cnn if cnn[name] != clip[name]} <= {"learning_rate"}
    assert cnn["arms"] == clip["arms"] == ["real", "shortcut"]
    assert cnn["saliency"]
    assert clip["mention"] is False
    assert ("clip-mention" in runs) == (data in ("builtin-chest", "mimic-cxr-chexpert"))


@pytest.mark.parametrize("profile", ["smoke", "workshop", "reference", "paper"])
def test_the_control_tells_of_the_symbols_and_does_nothing_else(profile):
    runs = by_variant(profile)
    clip, told = (runs[name].settings for name in ("clip", "clip-mention"))
    changed = {name for name in clip if clip[name] != told[name]}
    assert changed == {"arms", "mention", "saliency"}
    assert (clip["mention"], told["mention"]) == (False, True)
    assert (told["arms"], told["saliency"]) == (["shortcut"], None)


@pytest.mark.parametrize("profile", ["smoke", "workshop", "reference"])
def test_the_dial_turns_the_two_chances_and_nothing_else(profile):
    runs, dial = by_variant(profile), load_study(STUDY).profiles()["profiles"][profile]["dial"]
    for method in ("cnn", "clip"):
        main = runs[method].settings
        for marked, correct in dial:
            run = runs[f"{method}-m{round(100 * marked):03d}-c{round(100 * correct):03d}"]
            assert run.seed == 0
            due = {"p_marked": marked, "p_correct": correct, "arms": ["shortcut"]}
            assert run.settings == {**main, **due, "saliency": None}
    assert len(runs) == 3 + 2 * len(dial)


def test_every_seed_has_the_main_runs_and_the_first_has_the_dial():
    asked = plan(STUDY, "smoke", seeds=3)
    assert [request.seed for request in asked] == [0] * 5 + [1] * 3 + [2] * 3
    assert [request.variant for request in asked[5:8]] == ["cnn", "clip", "clip-mention"]
    assert [r.key for r in asked[:5]] == [r.key for r in plan(STUDY, "smoke")]
    assert {r.settings == asked[0].settings for r in asked if r.variant == "cnn"} == {True}


def test_defaults_by_profile():
    data = {profile: plan(STUDY, profile)[0].data for profile in ("smoke", "reference", "paper")}
    assert data == dict.fromkeys(("smoke", "reference"), "builtin-chest") | {
        "paper": "mimic-cxr-chexpert"
    }
    with pytest.raises(ValueError, match="does not run on data 'builtin-chest' with profile"):
        plan(STUDY, "paper", data="builtin-chest")


def test_the_paper_is_as_the_paper_says():
    """Sections 2.1 to 4.1 and the appendix of Palepu and Beam (2022)."""
    runs = by_variant("paper")
    assert list(runs) == ["cnn", "clip", "clip-mention"]
    cnn, clip = runs["cnn"].settings, runs["clip"].settings
    assert cnn["findings"] == [
        *("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion")
    ]
    assert cnn["symbols"] == list("ACNEP")
    assert (cnn["p_marked"], cnn["p_correct"]) == (0.9, 0.9)
    assert (cnn["network"], cnn["weights"], cnn["side"]) == ("resnet50", "imagenet", 224)
    assert (cnn["batch_size"], cnn["weight_decay"]) == (32, 1e-6)
    assert cnn["learning_rate"] == clip["learning_rate"] == 1e-4
    assert cnn["clean"] == [0.01]
    assert (clip["text_encoder"], clip["frozen_layers"]) == ("bio-clinicalbert", 8)
    assert (clip["width"], clip["text_length"], clip["n_prompts"]) == (512, 256, 50)


def test_profiles_that_ask_for_the_same_share_the_run():
    smoke = plan(STUDY, "smoke", data="nih-cxr14-starter")
    settings = smoke[0].settings
    own = {name: settings[name] for name in ("epochs", "finetune_epochs", "clean")}
    keys = [plan(STUDY, "smoke", data="nih-cxr14-starter", **own)[0].key, smoke[0].key]
    assert len(set(keys)) == 1
    assert {r.key for r in plan(STUDY, "smoke")}.isdisjoint(r.key for r in plan(STUDY, "workshop"))
    # The place of the data is no part of a key.
    assert [r.key for r in plan(STUDY, "smoke", data_root="/data")] == [
        r.key for r in plan(STUDY, "smoke")
    ]


def test_own_parameters_take_effect_where_they_belong():
    own = {
        "epochs": 3,
        "p_marked": 0.5,
        "network": "resnet18",
        "n_prompts": 4,
        "terms": ["first-text"],
    }
    runs = by_variant("smoke", **own)
    for run in runs.values():
        assert (run.settings["epochs"], run.settings["network"]) == (3, "resnet18")
        clip = run.method == "clip"
        assert run.settings.get("n_prompts") == (4 if clip else None)
        assert run.settings.get("terms") == (["first-text"] if clip else None)
    assert runs["cnn"].settings["p_marked"] == 0.5
    assert runs["cnn-m050-c090"].settings["p_marked"] == 0.5
    dial = by_variant("smoke", dial=[(1, 0.25), (1.0, 0.25)])
    assert set(dial) == {"cnn", "clip", "clip-mention", "cnn-m100-c025", "clip-m100-c025"}
    assert set(by_variant("smoke", dial=[])) == {"cnn", "clip", "clip-mention"}
    assert load_study(STUDY).profiles() == yaml.safe_load(
        files("shortlib.studies.clip_watermarks").joinpath("profiles.yml").read_text()
    )  # the profiles themselves were not changed


def test_epochs_of_fine_tuning_are_watched_up_to_the_last():
    watch = load_study(STUDY).profiles()["profiles"]["workshop"]["settings"]["watch"]
    for last in (1, 3, 40, 1000):
        found = plan(STUDY, "workshop", finetune_epochs=last)[0].settings["watch"]
        assert found == [*(epoch for epoch in watch if epoch < last), last]


def test_saliency_can_be_left_out_or_made_of_fewer():
    whole = plan(STUDY, "smoke")[0].settings["saliency"]
    few = by_variant("smoke", saliency_cases=3)
    assert few["cnn"].settings["saliency"] == {**whole, "cases": 3}
    assert few["clip-mention"].settings["saliency"] is None
    assert plan(STUDY, "smoke", saliency_cases=0)[0].settings["saliency"] is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"p_marked": 1}, {"p_marked": 1.0}),
        ({"clean": [20]}, {"clean": (20.0,)}),
        ({"dial": [[0.5, 1]]}, {"dial": ((0.5, 1.0), [0.5, 1])}),
        ({"terms": ["first-second", "first-text"]}, {"terms": ("first-text", "first-second")}),
    ],
)
def test_the_same_in_other_words_is_the_same_run(one, other):
    first, second = plan(STUDY, "smoke", **one), plan(STUDY, "smoke", **other)
    assert [r.key for r in first] == [r.key for r in second]


WHOLE = "is a whole number, at least"
CHANCE = "is a probability in [0, 1], got"
CLEAN = "clean is a list of numbers of images, or of shares below 1, got"


@pytest.mark.parametrize(
    ("own", "sentence"),
    [
        ({"seed": 1}, f"{STUDY} has no parameter 'seed'; it has {', '.join(CHECKS)}"),
        *(
            ({name: value}, f"{name} {WHOLE} 1, got {value!r}")
            for name in ("epochs", "finetune_epochs", "n_prompts")
            for value in (0, -1, 1.0, True, "3", None)
        ),
        *(
            ({name: value}, f"{name} {WHOLE} 0, got {value!r}")
            for name in ("frozen_layers", "saliency_cases")
            for value in (-1, 2.0, False, None)
        ),
        *(
            ({name: value}, f"{name} {CHANCE} {value!r}")
            for name in ("p_marked", "p_correct")
            for value in (-0.1, 1.1, math.nan, True, "0.5", None)
        ),
        *(
            ({"clean": value}, f"{CLEAN} {value!r}")
            for value in (
                [],
                20,
                "20",
                [0],
                [-5],
                [2.5],
                [math.nan],
                [math.inf],
                [True],
                ["20"],
                None,
            )
        ),
        ({"clean": [20, 20.0]}, "clean names each number once, got [20, 20.0]"),
        ({"dial": [0.5, 0.9]}, "dial is a list of pairs (p_marked, p_correct), got [0.5, 0.9]"),
        ({"dial": [[0.5]]}, "dial is a list of pairs (p_marked, p_correct), got [[0.5]]"),
        ({"dial": "all"}, "dial is a list of pairs (p_marked, p_correct), got 'all'"),
        ({"dial": [[0.5, 1.5]]}, f"dial {CHANCE} 1.5"),
        ({"network": "vit"}, "network must be one of cnn-small, resnet18, resnet50"),
        ({"network": ["cnn-small"]}, "got ['cnn-small']"),
        ({"weights": "none"}, "weights must be one of random, imagenet, got 'none'"),
        ({"text_encoder": "gpt"}, "text_encoder must be one of bert-small, bio-clinicalbert"),
        ({"terms": "first-text"}, "terms is a list of some of first-text, second-text"),
        ({"terms": []}, "first-text, second-text, first-second, got []"),
        ({"terms": ["first-third"]}, "first-second, got ['first-third']"),
        ({"terms": [["first-text"]]}, "first-second, got [['first-text']]"),
        ({"on_error": "ignore"}, "on_error must be one of raise, skip, got 'ignore'"),
    ],
)
def test_an_error_names_the_parameter_its_value_and_what_is_right(own, sentence):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        plan(STUDY, "smoke", **own)
    assert sentence in str(caught.value)


def test_every_own_parameter_is_checked_and_named():
    assert tuple(CHECKS) == load_study(STUDY).OWN_PARAMETERS


def test_a_watermark_as_usual_is_no_setting_and_a_number_is_written_one_way():
    usual = [request.key for request in plan(STUDY, "smoke")]
    for watermark in ({}, {"points": 30}, {"points": 30.0, "jitter": 5.0}):
        assert [request.key for request in plan(STUDY, "smoke", watermark=watermark)] == usual
    keys = {plan(STUDY, "smoke", watermark={"points": size})[0].key for size in (20, 20.0)}
    assert len(keys) == 1
    assert keys.isdisjoint(usual)


@pytest.mark.parametrize(
    ("watermark", "said"),
    [
        (30, "watermark is a mapping with some of points"),
        ({"colour": 1}, "watermark is a mapping with some of points"),
        ({"points": "30"}, "points of watermark is a number, got '30'"),
        ({"left": float("nan")}, "left of watermark is a number, got nan"),
        ({"jitter": 2.5}, "jitter of watermark is a whole number of pixels, got 2.5"),
        ({"opacity": 0}, "opacity must be in"),
        ({"points": -1}, "points must be positive"),
    ],
)
def test_an_odd_watermark_is_refused(watermark, said):
    with pytest.raises(ValueError, match=said):
        plan(STUDY, "smoke", watermark=watermark)


def test_a_dial_without_marks_is_the_real_arm():
    with pytest.raises(ValueError, match="dial starts above 0"):
        plan(STUDY, "smoke", dial=[[0, 0.5]])
