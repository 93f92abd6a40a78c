import math
from contextlib import suppress

import pytest

from shortlib.studies.registry import PROFILES, STUDIES, data_sets, load_study, plan
from shortlib.studies.sizes import study_table
from shortlib.studies.verdicts import NotTestableError

STUDY = "spatial-specificity-synthetic"


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_has_what_the_spine_asks_of_it(name):
    study = load_study(name)
    assert name == study.NAME
    assert study.TITLE
    stated = study.profiles()
    for profiles in stated["combinations"].values():
        assert set(profiles) <= set(PROFILES)
        assert set(profiles) <= set(stated["profiles"])
    assert study.groups([]) == {}
    assert study.CLAIMS_OF.endswith(".")
    assert study.SELECTIONS
    if len(study.SELECTIONS) > 1:
        assert set(study.SELECTION_WORDS) == set(study.SELECTIONS)
    assert {"tables"} <= study.published().keys()


@pytest.mark.parametrize("name", STUDIES)
def test_published_tables_state_every_number_with_its_place(name):
    for table in load_study(name).published()["tables"]:
        assert {"id", "place", "title", "column", "rows"} <= table.keys()
        for row in table["rows"]:
            assert {"metric", "row", "values", "spread"} <= row.keys()
            assert all(math.isfinite(value) for value in row["values"].values())
            with suppress(NotTestableError):
                load_study(name).estimates(row["metric"], [])


@pytest.mark.parametrize(
    ("profile", "runs", "seeds"),
    [("smoke", 6, 1), ("workshop", 8, 1), ("reference", 42, 3), ("paper", 42, 3)],
)
def test_a_profile_asks_for_its_runs(profile, runs, seeds):
    asked = plan(STUDY, profile)
    assert len(asked) == runs
    assert len({request.key for request in asked}) == runs
    assert {request.seed for request in asked} == set(range(seeds))
    assert {request.profile for request in asked} == {profile}


def test_the_reference_is_at_the_papers_size():
    """Section 3: what it prints, and torchvision's FCN-ResNet-50."""
    reference = plan(STUDY, "reference")
    assert {request.settings["r"] for request in reference} == {1, 2, 4, 8, 10, 20, 40}
    assert {request.settings["batch_size"] for request in reference} == {150, 15}
    for request in reference:
        assert request.settings["network"] == "fcn-resnet50"
        assert (request.settings["m"], request.settings["epochs"]) == (150, 50)
        assert request.settings["learning_rate"] == 1e-3
        model = {"n": 40, "mu_y": 0.9, "rho": 1.0, "mu_a": 2.0, "mu_s": -10.0, "sigma": 1.0}
        assert request.settings["data_model"] == {**model, "a": 8, "b": 12}


def test_profiles_with_the_same_settings_share_their_runs():
    paper, reference = ({r.key for r in plan(STUDY, p)} for p in ("paper", "reference"))
    assert paper == reference
    assert not paper & {r.key for r in plan(STUDY, "workshop")}


@pytest.mark.parametrize("profile", PROFILES)
def test_more_seeds_add_runs_and_change_none(profile):
    one, three = (plan(STUDY, profile, seeds=n) for n in (1, 3))
    assert [r.name for r in three[: len(one)]] == [r.name for r in one]
    assert len({r.key for r in three}) == 3 * len(one)


def test_data_defaults_to_the_first_and_its_root_is_no_part_of_the_key():
    first, second = plan(STUDY, "smoke"), plan(STUDY, "smoke", data="squares", data_root="/data")
    assert {r.data for r in first} == {"squares"}
    assert [r.key for r in first] == [r.key for r in second]


@pytest.fixture
def of_three(monkeypatch):
    """The study as if it ran on three data sets, each with other profiles."""
    study = load_study(STUDY)
    stated = {"made": ["smoke", "reference"], "open": ["reference"], "real": ["paper"]}
    book = {**study.profiles(), "combinations": stated}
    monkeypatch.setattr(study, "profiles", lambda: book)


@pytest.mark.usefixtures("of_three")
def test_data_default_to_the_first_that_has_the_profile():
    for profile, data in (("smoke", "made"), ("reference", "made"), ("paper", "real")):
        assert {r.data for r in plan(STUDY, profile)} == {data}
        assert {r.data for r in plan(STUDY, profile, data="")} == {data}  # as notebooks give it
    assert {r.data for r in plan(STUDY, "reference", data="open")} == {"open"}
    assert data_sets(STUDY, "reference") == ["made", "open"]
    known = "it runs on made with smoke, reference; open with reference; real with paper"
    with pytest.raises(ValueError, match=f"on data 'real' with profile 'smoke'; {known}"):
        plan(STUDY, "smoke", data="real")
    with pytest.raises(ValueError, match=f"does not run with profile 'workshop'; {known}"):
        plan(STUDY, "workshop")


def test_own_parameters_take_effect():
    own = {"specificities": [40, 2, 2], "epochs": 5, "rho": 1, "mu_a": 3, "mu_s": -4.5}
    asked = plan(STUDY, "smoke", **own)
    assert [r.variant for r in asked] == [
        "printed-r02",
        "printed-r40",
        "minibatch-r02",
        "minibatch-r40",
    ]
    for request in asked:
        model = request.settings["data_model"]
        assert (request.settings["epochs"], model["mu_a"], model["mu_s"]) == (5, 3.0, -4.5)
    # What the profile says anyway is the same run, whether written 1 or 1.0.
    plain = plan(STUDY, "smoke")
    same = plan(STUDY, "smoke", rho=1, epochs=3, specificities=(1, 4, 40))
    assert [r.key for r in same] == [r.key for r in plain]
    assert plan(STUDY, "smoke", rho=0.9)[0].key != plain[0].key
    assert plain[0].settings["data_model"]["rho"] == 1.0  # the profile itself was not changed


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"study": "saliency"}, f"study must be one of {', '.join(STUDIES)}, got 'saliency'"),
        (
            {"profile": "huge"},
            "profile must be one of smoke, workshop, reference, paper, got 'huge'",
        ),
        (
            {"data": "circles"},
            f"{STUDY} does not run on data 'circles' with profile 'smoke'; "
            "it runs on squares with smoke, workshop, reference, paper",
        ),
        ({"seeds": 0}, "seeds is a whole number of seeds, at least 1, got 0"),
        ({"seeds": 1.5}, "seeds is a whole number of seeds, at least 1, got 1.5"),
        ({"seeds": True}, "seeds is a whole number of seeds, at least 1, got True"),
        ({"seeds": "3"}, "seeds is a whole number of seeds, at least 1, got '3'"),
        ({"sigma": 2.0}, "has no parameter 'sigma'; it has specificities, epochs, rho, mu_a, mu_s"),
        ({"specificities": []}, "specificities is a list of whole numbers from 1 to 40, got []"),
        ({"specificities": 4}, "specificities is a list of whole numbers from 1 to 40, got 4"),
        ({"specificities": [1, 41]}, "list of whole numbers from 1 to 40, got [1, 41]"),
        ({"specificities": [1.5]}, "list of whole numbers from 1 to 40, got [1.5]"),
        ({"specificities": "40"}, "list of whole numbers from 1 to 40, got '40'"),
        ({"epochs": 0}, "epochs is a whole number of epochs, at least 1, got 0"),
        ({"epochs": "many"}, "epochs is a whole number of epochs, at least 1, got 'many'"),
        ({"rho": 1.5}, "rho is a probability in [0, 1], got 1.5"),
        ({"rho": "high"}, "rho is a finite number, got 'high'"),
        ({"mu_a": math.nan}, "mu_a is a finite number, got nan"),
        ({"mu_s": -math.inf}, "mu_s is a finite number, got -inf"),
    ],
)
def test_an_error_names_the_parameter_its_value_and_what_is_right(asked, sentence):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        plan(**{"study": STUDY, "profile": "smoke", **asked})
    assert sentence in str(caught.value)


def test_the_table_of_sizes_agrees_with_the_plans():
    table = study_table()
    assert len(table[table["study"] == STUDY]) == 4
    for row in table.itertuples():
        asked = plan(row.study, row.profile, data=row.data)
        assert row.runs == len(asked)
        assert row.seeds == len({request.seed for request in asked})


@pytest.mark.parametrize("study", STUDIES)
def test_what_a_profile_took_is_stated_in_words(study):
    for profile in load_study(study).profiles()["profiles"].values():
        assert {"one_run", "all_runs", "memory_a_run", "where"} == set(profile["measured"])
