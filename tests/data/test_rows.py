import numpy as np
import pandas as pd
import pytest

from shortlib.data.problems import DataError, Problems
from shortlib.data.rows import (
    first_of_each,
    leave_out,
    numbers_of_each,
    patients_in_one_part,
)


@pytest.fixture
def table():
    return pd.DataFrame({"a": ["1", "x", "2", "y", "1"], "b": list("ppqqp")})


def test_lines_are_those_of_the_file_after_rows_were_left_out(table):
    problems = Problems("skip")
    kept = table
    for letter in "xy":
        kept = leave_out(
            kept, kept["a"] == letter, "odd", lambda row: f"got {row['a']}", "t.csv", problems
        )
    assert kept["a"].tolist() == ["1", "2", "1"]
    assert [str(error) for error in problems.found] == [
        "t.csv, line 3: odd: got x",
        "t.csv, line 5: odd: got y",
    ]
    kept = first_of_each(kept, ["a", "b"], "t.csv", problems)
    assert kept.index.tolist() == [0, 2]
    assert str(problems.found[-1]) == "t.csv, line 6: duplicate row: a '1', b 'p' occurs before"


def test_the_first_bad_row_stops_where_nothing_is_skipped(table):
    with pytest.raises(DataError, match="line 3"):
        leave_out(table, table["a"].isin(["x", "y"]), "odd", str, "t.csv", Problems())


def test_a_good_table_comes_back_as_it_is(table):
    none = pd.Series(np.zeros(5, bool))
    assert leave_out(table, none, "odd", str, "t.csv", Problems()) is table


def test_duplicate_rows_are_raised(table):
    with pytest.raises(DataError, match="line 6: duplicate row: a '1' occurs before"):
        first_of_each(table, ["a"], "t.csv", Problems())


def test_rows_that_hold_no_number_are_left_out(table):
    problems = Problems("skip")
    kept = numbers_of_each(table, "a", "t.csv", problems, high=1)
    assert kept["a"].tolist() == [1.0, 1.0]
    assert kept["b"].tolist() == ["p", "p"]
    assert [error.row for error in problems.found] == [3, 4, 5]
    assert "'a' must be a number from -inf to 1, got 'x'" in str(problems.found[0])
    with pytest.raises(DataError, match=r"t.csv, line 3: bad cell: 'a' must be a number, got 'x'"):
        numbers_of_each(table, "a", "t.csv", Problems("raise"))


def test_patients_in_two_parts_are_left_out_of_both():
    table = pd.DataFrame({"patient": list("aabbc"), "split": ["x", "y", "x", "x", "y"]})
    problems = Problems("skip")
    assert patients_in_one_part(table, "t.csv", problems)["patient"].tolist() == list("bbc")
    assert problems.counts() == {"patient in two parts": 2}
    assert "'a' is in x and y" in str(problems.found[0])
