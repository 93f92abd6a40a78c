from dataclasses import replace

import pytest

from shortlib.runs import Request

REQUEST = Request(
    study="a-study",
    method="segmentation",
    variant="printed-r04",
    settings={"r": 4, "network": "fcn-tiny", "data_model": {"n": 40, "mu_a": 2.0}},
    seed=3,
    data="squares",
    data_checksum="built-in recipe, version 1",
    version=1,
    profile="smoke",
)


def test_key_is_the_one_that_runs_on_disk_have():
    # If this fails, every run that was ever kept is lost to those who ask for it.
    assert REQUEST.key == "952286bcca6f80ddb0fa11d7866843a0d0ccd978fb4bac5502334b7ca529a45b"
    assert REQUEST.name == "printed-r04-s3-952286bc"


@pytest.mark.parametrize(
    "free", [{"profile": "paper"}, {"variant": "other"}, {"data_root": "/data"}]
)
def test_key_leaves_out_what_does_not_change_the_result(free):
    assert replace(REQUEST, **free).key == REQUEST.key


@pytest.mark.parametrize(
    "deciding",
    [
        {"study": "b-study"},
        {"method": "erm"},
        {"settings": {**REQUEST.settings, "r": 5}},
        {"settings": {**REQUEST.settings, "data_model": {"n": 40, "mu_a": 2.5}}},
        {"seed": 4},
        {"data": "circles"},
        {"data_checksum": "built-in recipe, version 2"},
        {"version": 2},
    ],
)
def test_key_follows_all_else(deciding):
    assert replace(REQUEST, **deciding).key != REQUEST.key


def test_key_does_not_follow_the_order_of_settings():
    turned = dict(reversed(REQUEST.settings.items()))
    assert replace(REQUEST, settings=turned).key == REQUEST.key


def test_a_request_comes_back_from_its_dictionary():
    again = Request(**REQUEST.to_dict())
    assert again == REQUEST
    assert hash(again) == hash(REQUEST)
