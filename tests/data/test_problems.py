import pickle

import pytest

from shortlib.data.problems import DataError, Problems


def test_the_sentence_says_where_what_and_what_is_due():
    error = DataError("bad cell", "'age' must be a number, got 'old'", path="a/b.csv", row=7)
    assert str(error) == "a/b.csv, line 7: bad cell: 'age' must be a number, got 'old'"
    assert isinstance(error, ValueError)


def test_an_error_crosses_processes():
    error = DataError("missing image", "there is no such file", path="x.png", row=3)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.kind, again.row) == (str(error), "missing image", 3)


def test_raising_stops_and_skipping_counts():
    error = DataError("missing image", "there is no such file")
    with pytest.raises(DataError, match="missing image"):
        Problems().add(error)
    problems = Problems("skip")
    for kind in ("b", "a", "b"):
        problems.add(DataError(kind, "..."))
    assert problems.counts() == {"b": 2, "a": 1}


def test_skipping_is_never_silent():
    problems = Problems("skip")
    problems.warn("some-set")  # nothing was skipped: no warning
    problems.add(DataError("missing mask", "there is no such file", path="m.png"))
    with pytest.warns(
        UserWarning, match=r"some-set: 1 left out \(1 missing mask\); the first: m.png"
    ):
        problems.warn("some-set")


def test_any_other_choice_is_refused():
    with pytest.raises(ValueError, match=r"on_error must be one of .* got 'ignore'"):
        Problems("ignore")
