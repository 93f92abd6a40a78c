import pytest

from shortlib.runs import Store
from shortlib.runs.lookup import find_folder

NAMES = ("printed-r01-s0-aa-11", "printed-r01-s0-aa-22", "printed-r04-s0-bb-11")


@pytest.fixture
def several(tmp_path):
    store = Store(tmp_path / "local", tmp_path / "committed")
    for name in NAMES:
        (store.local / "study" / name).mkdir(parents=True)
    (store.committed / "study" / NAMES[2]).mkdir(parents=True)
    (store.committed / "study" / "minibatch-r04-s0-cc-11").mkdir()
    return store


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("printed-r01-s0-aa-11", NAMES[0]),
        ("printed-r04", NAMES[2]),
        ("aa-22", NAMES[1]),
        ("mini", "minibatch-r04-s0-cc-11"),
    ],
)
def test_a_part_of_the_name_is_enough(several, name, found):
    assert find_folder(several, name)[0].name == found


def test_a_local_run_comes_before_the_same_committed_one(several):
    assert find_folder(several, "printed-r04") == (several.local / "study" / NAMES[2], False)
    assert find_folder(several, "mini")[1]


def test_an_ambiguous_name_lists_what_matches(several):
    with pytest.raises(ValueError, match=f"several runs: {NAMES[0]}, {NAMES[1]}$"):
        find_folder(several, "printed-r01")


def test_an_unknown_name_lists_what_there_is(several):
    with pytest.raises(ValueError, match=f"no run is called 'x9'; there are {NAMES[0]}, .*minib"):
        find_folder(several, "x9")


def test_a_long_list_is_cut_short(tmp_path):
    store = Store(tmp_path)
    for seed in range(20):
        (tmp_path / "study" / f"printed-s{seed:02d}").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"printed-s11 and 8 more$"):
        find_folder(store, "printed")


def test_an_empty_store_says_so(tmp_path):
    with pytest.raises(ValueError, match=f"no run is called 'x': {tmp_path} has no runs"):
        find_folder(Store(tmp_path), "x")
    with pytest.raises(ValueError, match="has no run of a-study"):
        find_folder(Store(tmp_path), "x", study="a-study")
