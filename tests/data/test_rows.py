import numpy as np
import pandas as pd
import pytest

from shortlib.data.problems import DataError, Problems
from shortlib.data.rows import first_of_each, leave_out


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
