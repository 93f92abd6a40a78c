"""Tube labels from a table and from a pickle, which is read and never run."""

import os
import pickle
from collections import OrderedDict

import numpy as np
import pytest

from shortlib.data.chest_tubes import load_flags, read_tubes
from shortlib.data.problems import DataError, Problems

FLAGS = {f"1.2.276.0.{number}": number % 3 == 0 for number in range(300)}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_honest_pickle_of_any_protocol(tmp_path, protocol):
    path = tmp_path / "cxr_tube_dict.pkl"
    path.write_bytes(pickle.dumps(FLAGS, protocol=protocol))
    assert load_flags(path) == FLAGS
    flags = read_tubes(path, Problems())
    assert flags.index.tolist() == list(FLAGS)  # the order decides the split
    assert flags.tolist() == list(FLAGS.values())


def test_a_table(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("ImageId,tube\na,1\nb,0\n")
    assert read_tubes(path, Problems()).to_dict() == {"a": True, "b": False}


class Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: {"a": x}, lambda x: {x: True}])
def test_a_hostile_pickle_does_nothing(tmp_path, protocol, wrap):
    target, path = tmp_path / "made", tmp_path / "x.pkl"
    data = pickle.dumps(wrap(Touch(target)), protocol=protocol)
    path.write_bytes(data)
    with pytest.raises(DataError, match="refused pickle"):
        load_flags(path)
    assert not target.exists()
    pickle.loads(data)  # it would have
    assert target.exists()


def test_hand_written_hostile_pickles(tmp_path):
    path = tmp_path / "x.pkl"
    target = tmp_path / "made"
    command = f"mkdir {target}"
    for program in (
        b"cos\nsystem\n(S'" + command.encode() + b"'\ntR.",  # protocol 0, GLOBAL and REDUCE
        b"(S'" + command.encode() + b"'\nios\nsystem\n.",  # INST
        b"\x80\x02(cos\nsystem\nX\x03\0\0\0abcoq\0.",  # OBJ
        b"\x80\x02\x82\x01.",  # EXT1, a class by its number
        b"Psomewhere\n.",  # PERSID
        b"\x80\x05\x8c\x02os\x8c\x06system\x93.",  # STACK_GLOBAL
    ):
        path.write_bytes(program)
        with pytest.raises(DataError) as error:
            load_flags(path)
        assert error.value.kind == "refused pickle"
        assert not target.exists()


@pytest.mark.parametrize(
    "value",
    [
        [True],
        {"a": 1},
        {"a": "yes"},
        {1: True},
        {"a": {"b": True}},
        {"a": np.True_},
        OrderedDict(a=True),
        "a",
        {"a": None},
    ],
)
def test_anything_but_flags_is_refused(tmp_path, value):
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(value))
    with pytest.raises(DataError, match="refused pickle"):
        load_flags(path)


def test_damaged_pickles(tmp_path):
    whole, path = pickle.dumps(FLAGS), tmp_path / "x.pkl"
    rng = np.random.default_rng(0)
    for trial in range(300):
        data = bytearray(whole[: rng.integers(len(whole)) if trial % 2 else None])
        for place in rng.integers(0, max(len(data), 1), trial % 5):
            data[place : place + 1] = rng.bytes(1)
        path.write_bytes(data)
        try:
            flags = load_flags(path)
        except DataError as error:
            assert "x.pkl" in str(error)  # noqa: PT017
        else:
            assert all(isinstance(value, bool) for value in flags.values())


def test_a_pickle_that_asks_for_much_memory(tmp_path):
    path = tmp_path / "x.pkl"
    data = b"\x80\x02}r\xff\xff\xff\x7f."  # an empty dict, remembered as number 2**31 - 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="refused pickle"):
        load_flags(path)
