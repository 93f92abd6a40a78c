from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from shortlib.metrics.estimate import Estimate
from shortlib.studies.registry import STUDIES, load_study
from shortlib.studies.verdicts import (
    VERDICTS,
    NotTestableError,
    Verdict,
    effect_of,
    judge,
    rule_in_words,
    verdicts_of,
)

KINDS = {
    "difference": {"between", "sign"},
    "threshold": {"at", "threshold", "sign"},
    "within": {"at", "value"},
    "rank_correlation": {"sign"},
    "monotone": {"sign"},
}


def spanning(low, high):
    """An estimate whose 95% interval has exactly these ends."""
    estimate = Estimate((low + high) / 2, np.repeat([low, high], 100), 50, 3)
    assert estimate.interval() == (low, high)
    return estimate


def exact(value):
    return Estimate(value, np.empty(0))


def rule(kind, size=0.1, sign=1, **more):
    return {"kind": kind, "sign": sign, "window": {"size": size, "from": "a guess"}, **more}


# Verdicts


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.2, 0.3, "reproduced"),
        (0.1, 0.3, "direction only"),  # an end on the window is not beyond it
        (0.05, 0.3, "direction only"),
        (0.01, 0.02, "direction only"),
        (0.0, 0.3, "inconclusive"),  # nor is an end on zero
        (-0.05, 0.3, "inconclusive"),
        (-0.3, 0.05, "inconclusive"),
        (-0.3, 0.0, "not reproduced"),
        (-0.3, -0.2, "not reproduced"),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("kind", ["difference", "threshold", "rank_correlation", "monotone"])
def test_a_signed_rule_looks_at_both_ends(kind, sign, low, high, verdict):
    centre = 0.5 if kind == "threshold" else 0.0
    ends = sorted(centre + sign * end for end in (low, high))
    size = 0.1 + 1e-12 if kind == "threshold" else 0.1  # 0.6 - 0.5 is not quite 0.1
    asked = rule(kind, size, sign, threshold=0.5) if kind == "threshold" else rule(kind, size, sign)
    assert judge(spanning(*ends), asked) == verdict


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (1.8, 2.2, "reproduced"),
        (1.75, 2.25, "reproduced"),  # the ends of the window belong to it
        (1.7, 2.2, "inconclusive"),
        (1.0, 3.0, "inconclusive"),
        (2.25, 3.0, "inconclusive"),
        (2.3, 3.0, "not reproduced"),
        (1.0, 1.7, "not reproduced"),
    ],
)
def test_a_value_lies_within_its_window_beyond_it_or_across(low, high, verdict):
    assert judge(spanning(low, high), rule("within", 0.25, at=1, value=2.0)) == verdict


def test_a_rule_about_a_formula_has_no_interval_to_cross():
    asked = rule("monotone", 0.0)
    assert judge(exact(1e-9), asked) == "reproduced"
    assert judge(exact(0.0), asked) == judge(exact(-1e-9), asked) == "not reproduced"


def test_a_larger_window_asks_for_more():
    effect, asked = spanning(0.15, 0.3), rule("difference")
    found = [judge(effect, asked, factor) for factor in (0.5, 1.0, 2.0)]
    assert found == ["reproduced", "reproduced", "direction only"]
    near = spanning(1.8, 2.4)
    found = [judge(near, rule("within", 0.3, at=1, value=2.0), f) for f in (0.5, 1.0, 2.0)]
    assert found == ["inconclusive", "inconclusive", "reproduced"]


def test_a_perfect_order_passes_a_window_that_is_doubled_past_one():
    asked = rule("rank_correlation", 0.786)
    x = [1, 2, 4, 8, 10, 20, 40]
    perfect = {r: Estimate(float(r), np.full(50, float(r))) for r in x}
    assert judge(effect_of(asked, perfect), asked, 2.0) == "reproduced"
    swapped = {**perfect, 1: perfect[2], 2: perfect[1]}
    effect = effect_of(asked, swapped)
    assert judge(effect, asked) == "reproduced"
    assert judge(effect, asked, 2.0) == "direction only"


def test_with_window_times_changes_the_verdict_alone():
    claim = {"id": "x", "rule": rule("difference")}
    verdict = Verdict(claim, "g", "reproduced", spanning(0.15, 0.3), runs=["a"])
    doubled = verdict.with_window_times(2.0)
    assert (doubled.verdict, doubled.runs, doubled.claim) == ("direction only", ["a"], claim)
    untestable = Verdict(claim, "", VERDICTS[-1], None, reason="no runs")
    assert untestable.with_window_times(2.0) is untestable


def test_a_verdict_is_called_after_its_claim_and_its_group():
    assert Verdict({"id": "x"}, "g", "reproduced", None).id == "x-g"
    assert Verdict({"id": "x"}, "", "reproduced", None).id == "x"


# Effects


def measured(**resamples_by_name):
    return {int(k[1:]): Estimate(v, np.full(4, v), 10, 2) for k, v in resamples_by_name.items()}


def test_effects_of_each_kind():
    found = measured(r1=0.25, r4=0.5, r40=0.875)
    difference = effect_of(rule("difference", between=[40, 1]), found)
    assert (difference.value, difference.n, difference.seeds) == (0.625, 10, 2)
    np.testing.assert_array_equal(difference.resamples, 0.625)
    assert effect_of(rule("threshold", at=4, threshold=0.5), found) is found[4]
    assert effect_of(rule("within", at=40, value=1.0), found) is found[40]
    assert effect_of(rule("rank_correlation"), found).value == pytest.approx(1.0)


def test_the_dials_order_counts_not_that_of_the_measurements():
    shuffled = dict(reversed(measured(r1=0.1, r4=0.2, r40=0.3).items()))
    assert effect_of(rule("rank_correlation"), shuffled).value == pytest.approx(1.0)
    assert effect_of(rule("monotone"), shuffled).value == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("values", "sign", "effect", "verdict"),
    [
        ((1.0, 2.0, 5.0), 1, 1.0, "reproduced"),
        ((5.0, 2.0, 1.0), -1, -1.0, "reproduced"),
        ((1.0, 3.0, 3.0), 1, 0.0, "not reproduced"),
        ((1.0, 3.0, 2.5), 1, -0.5, "not reproduced"),
        ((5.0, 1.0, 4.0), -1, 3.0, "not reproduced"),
    ],
)
def test_monotone_is_judged_on_the_step_that_goes_least_the_right_way(
    values, sign, effect, verdict
):
    asked = rule("monotone", 0.0, sign)
    found = effect_of(asked, dict(zip((1, 4, 40), map(exact, values), strict=True)))
    assert found.exact
    assert found.value == effect
    assert judge(found, asked) == verdict


def test_monotone_on_what_was_sampled_keeps_the_interval():
    asked = rule("monotone", 0.0)
    points = {
        x: Estimate(x, x + np.array([0.0, 0.0, s]), 7, 2) for x, s in ((1, 0), (2, 3), (3, 0))
    }
    found = effect_of(asked, points)
    assert found.value == 1
    np.testing.assert_array_equal(found.resamples, [1, 1, -2])
    assert (found.n, found.seeds) == (7, 2)
    assert judge(found, asked) == "inconclusive"


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (rule("difference", between=[40, 2]), "no measurement at 2; what was measured: 1, 40"),
        (rule("threshold", at=8, threshold=0.5), "no measurement at 8"),
        (rule("within", at=8, value=0.5), "no measurement at 8"),
        (rule("rank_correlation"), "an order needs three points, there are 2"),
        (rule("monotone"), "an order needs three points, there are 2"),
    ],
)
def test_what_was_not_measured_is_named(asked, sentence):
    with pytest.raises(NotTestableError, match=sentence):
        effect_of(asked, measured(r1=0.1, r40=0.9))


def test_nothing_measured_at_all_is_said():
    with pytest.raises(NotTestableError, match="no measurement at 1; what was measured: nothing"):
        effect_of(rule("threshold", at=1, threshold=0.5), {})


def test_an_unknown_kind_is_an_error_of_the_rule():
    with pytest.raises(ValueError, match="a rule's kind is unknown: 'hunch'") as caught:
        effect_of(rule("hunch"), measured(r1=0.1, r4=0.1, r40=0.9))
    assert not isinstance(caught.value, NotTestableError)


# A study


def fake_run(group, name, profile="smoke", data="dots"):
    return SimpleNamespace(
        group=group, path=Path(f"/runs/{name}"), request={"profile": profile, "data": data}
    )


def fake_study(claims, groups=("slow", "fast")):
    def estimates(metric, runs, *, selection):
        if metric == "unkept":
            raise NotTestableError("the metric was not kept")
        shift = {"test": 0.0, "validation": -2.0}[selection]
        return {x: spanning(x + shift, x + shift + 0.5) for x in (1, 2, 3)} if runs else {}

    def sort(runs):
        found = {group: [run for run in runs if run.group == group] for group in groups}
        return {group: chosen for group, chosen in found.items() if chosen}

    return SimpleNamespace(
        claims=lambda: claims,
        groups=sort,
        estimates=estimates,
        profiles=lambda: {"combinations": {"dots": ["smoke"], "lines": ["smoke"]}},
        SELECTIONS=("test", "validation"),
    )


def test_verdicts_come_in_the_order_of_claims_and_groups_with_what_they_stand_on():
    claims = [
        {"id": "a", "metric": "m", "rule": rule("difference", between=[3, 1])},
        {
            "id": "b",
            "metric": "m",
            "rule": rule("threshold", at=1, threshold=0.5),
            "each": ["slow", "fast"],
        },
        {"id": "c", "metric": "unkept", "rule": rule("monotone")},
    ]
    runs = [fake_run("slow", "one"), fake_run("slow", "two")]
    found = verdicts_of(fake_study(claims), runs)
    assert [v.id for v in found] == ["a", "b-slow", "b-fast", "c"]
    assert [v.verdict for v in found] == [
        "reproduced",
        "reproduced",
        "not testable here",
        "not testable here",
    ]
    assert found[0].runs == found[1].runs == ["one", "two"]
    assert (found[0].profile, found[0].data, found[0].selection) == ("smoke", "dots", "test")
    assert found[1].effect.interval() == (1.0, 1.5)
    assert found[2].reason == "no measurement at 1; what was measured: nothing"
    assert (found[2].runs, found[2].profile, found[2].effect) == ([], "", None)
    assert found[3].reason == "the metric was not kept"


def test_the_selection_rule_reaches_the_measurement():
    claims = [{"id": "b", "metric": "m", "rule": rule("threshold", at=1, threshold=0.5)}]
    study, runs = fake_study(claims), [fake_run("slow", "one", "workshop")]
    (chosen_on_test,), (chosen_on_validation,) = (
        verdicts_of(study, runs, selection=s) for s in ("test", "validation")
    )
    assert chosen_on_test.verdict == "reproduced"
    assert chosen_on_validation.verdict == "not reproduced"
    assert chosen_on_validation.selection == "validation"


def test_without_a_selection_rule_it_is_the_studys_first_and_another_must_be_one_of_its_own():
    claims = [{"id": "b", "metric": "m", "rule": rule("threshold", at=1, threshold=0.5)}]
    study, runs = fake_study(claims), [fake_run("slow", "one")]
    study.SELECTIONS = ("validation",)
    assert verdicts_of(study, runs)[0].selection == "validation"
    with pytest.raises(ValueError, match="selection must be one of validation, got 'test'"):
        verdicts_of(study, runs, selection="test")


def test_a_claim_judged_on_a_data_set_says_which_with_runs_and_without():
    claims = [
        {
            "id": "b",
            "metric": "m",
            "rule": rule("threshold", at=1, threshold=0.5),
            "each": ["dots", "lines"],
        }
    ]
    study = fake_study(claims, groups=("dots", "lines"))
    found = verdicts_of(study, [fake_run("dots", "one")])
    assert [v.data for v in found] == ["dots", "lines"]
    assert [v.runs for v in found] == [["one"], []]


def test_without_a_run_nothing_is_testable_and_each_says_why():
    for name in STUDIES:
        found = verdicts_of(load_study(name), [])
        assert {v.verdict for v in found} == {"not testable here"}
        assert all(v.reason for v in found)


# The rules of every study


def all_claims():
    return [(name, claim) for name in STUDIES for claim in load_study(name).claims()]


@pytest.mark.parametrize(
    ("study", "claim"), all_claims(), ids=lambda x: x if isinstance(x, str) else x["id"]
)
def test_a_claim_is_well_formed(study, claim):
    module = load_study(study)
    for name in ("id", "sentence", "place", "published", "metric"):
        assert str(claim[name]).strip(), name
    assert claim["sentence"].endswith(".")
    asked = claim["rule"]
    assert asked.keys() == KINDS[asked["kind"]] | {"kind", "window"}
    assert asked.get("sign", 1) in (1, -1)
    assert asked["window"]["size"] >= 0
    assert len(asked["window"]["from"]) > 20
    stated = module.profiles()
    assert set(claim.get("each", ())) <= {*stated.get("batches", ()), *stated["combinations"]}
    # A metric that does not exist is an error of the claim, not of the runs.
    with suppress(NotTestableError):
        assert module.estimates(claim["metric"], []) == {}


@pytest.mark.parametrize("study", STUDIES)
def test_ids_are_unique_and_dials_are_those_of_the_reference_runs(study):
    module = load_study(study)
    ids = [claim["id"] for claim in module.claims()]
    assert len(ids) == len(set(ids))
    dials = module.profiles()["profiles"]["reference"].get("r")
    for claim in module.claims() if dials else ():  # else the dial is no setting of the runs
        asked = claim["rule"]
        needed = asked.get("between", [asked["at"]] if "at" in asked else [])
        assert set(needed) <= set(dials), claim["id"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (rule("difference", 0.043, between=[40, 1]), "r = 40 minus r = 1 is above 0.043"),
        (
            rule("difference", 0.05, -1, between=[40, 1]),
            "r = 40 minus r = 1 is below -0.05",
        ),
        (rule("threshold", 0.043, at=40, threshold=0.5), "at r = 40 it is above 0.543"),
        (
            rule("threshold", 0.043, -1, at=1, threshold=0.5),
            "at r = 1 it is below 0.457",
        ),
        (rule("within", 0.1, at=4, value=0.66), "at r = 4 it is within 0.1 of 0.66"),
        (
            rule("rank_correlation", 0.786, -1),
            "rank correlation with r is below -0.786",
        ),
        (rule("monotone", 0.0), "every step in r goes up"),
        (rule("monotone", 0.0, -1), "every step in r goes down"),
    ],
)
def test_a_rule_in_words_states_what_judge_asks(asked, words):
    assert rule_in_words(asked, "r") == words


def test_the_dial_has_the_name_that_it_is_given():
    assert rule_in_words(rule("monotone"), dial="τ") == "every step in τ goes up"
