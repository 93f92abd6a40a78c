import csv
import gzip
import io
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlib.data.problems import DataError
from shortlib.data.tables import read_table, table_columns, table_path, to_number, typed


def written(tmp_path, text, name="t.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        "id,age\na,1\nb,\n",
        "id,age\r\na,1\r\nb,\r\n",
        "\ufeffid,age\na,1\nb,\n",
        " id , age\n a , 1\nb,\n",
        '"id","age"\n"a","1"\n"b",""\n',
        "id,other,age\na,x,1\nb,,\n",
    ],
)
def test_spellings_of_the_same_table(tmp_path, text):
    table = read_table(written(tmp_path, text), ["age", "id"])
    assert table.to_dict("list") == {"age": ["1", ""], "id": ["a", "b"]}


def test_compressed_tables_are_found_and_read(tmp_path):
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"id\na\n"))
    assert read_table(table_path(tmp_path, "t.csv"), ["id"])["id"].tolist() == ["a"]


cell = (
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
    .map(str.strip)
    .filter(bool)
)


@given(st.lists(st.tuples(cell, cell), max_size=20), st.sampled_from(["\n", "\r\n"]))
def test_what_csv_writes_is_read_back(tmp_path_factory, rows, end):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([("left", "right"), *rows])
    path = written(tmp_path_factory.mktemp("csv"), text.getvalue())
    table = read_table(path, ["left", "right"])
    assert list(table.itertuples(index=False, name=None)) == rows


@given(st.binary(max_size=200))
def test_any_bytes_are_a_table_or_a_data_error(tmp_path_factory, content):
    path = written(tmp_path_factory.mktemp("bytes"), content)
    with suppress(DataError):
        read_table(path, ["id"])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "empty table"),
        ("name\na\n", "missing column: 'id' must be there once; columns are name"),
        ("id,id\na,b\n", "column twice: 'id' must be there once"),
        ("id,age\na,1\nb\n", "line 3: uneven row: has 1 cells, the header has 2"),
        ("id,age\na,1,2\n", "line 2: uneven row: has 3 cells, the header has 2"),
        ('id\n"a\n', "broken table"),
        (b"id\n\xff\xfe\n", "table is not UTF-8"),
        (b"\x1f\x8b\x08broken", "table is not UTF-8"),
    ],
)
def test_broken_tables(tmp_path, text, sentence):
    with pytest.raises(DataError, match=sentence):
        read_table(written(tmp_path, text), ["id"])


def test_a_truncated_archive_is_a_broken_table(tmp_path):
    packed = gzip.compress(b"id\n" + b"a\n" * 10_000)
    path = written(tmp_path, packed[:-20], "t.csv.gz")
    with pytest.raises(DataError, match="broken table"):
        read_table(path, ["id"])


def test_cells_are_numbers_or_named(tmp_path):
    path = written(tmp_path, "id,age\na,41\nb,\nc,old\n")
    table = read_table(path, ["id", "age"])
    with pytest.raises(DataError, match="line 3: bad cell: 'age' must be a number, got ''"):
        to_number(table, "age", path)
    with pytest.raises(DataError, match="line 4: bad cell: 'age' must be a number, got 'old'"):
        to_number(table, "age", path, empty=np.nan)
    np.testing.assert_array_equal(to_number(table[:2], "age", path, empty=np.nan), [41, np.nan])


@pytest.mark.parametrize(
    ("cell", "options", "due"),
    [
        ("2", {"allowed": (0, 1)}, "one of 0, 1"),
        ("-1", {"low": 0}, "a number from 0 to inf"),
        ("130", {"low": 0, "high": 120}, "a number from 0 to 120"),
        ("1.5", {"whole": True}, "a whole number"),
        ("inf", {"high": 10}, "a number from -inf to 10"),
        ("nan", {}, "a number"),
    ],
)
def test_values_out_of_range(tmp_path, cell, options, due):
    path = written(tmp_path, f"x\n{cell}\n")
    with pytest.raises(DataError, match=f"'x' must be {due}, got '{cell}'"):
        to_number(read_table(path, ["x"]), "x", path, **options)


def test_a_bad_cell_is_found_by_its_line_after_rows_were_left_out(tmp_path):
    path = written(tmp_path, "x\n1\n2\nold\n")
    table = read_table(path, ["x"])[1:]
    with pytest.raises(DataError, match="line 4: bad cell: 'x' must be a number, got 'old'"):
        to_number(table, "x", path)


def test_whole_numbers_are_integers(tmp_path):
    path = written(tmp_path, "x\n3\n4.0\n")
    assert to_number(read_table(path, ["x"]), "x", path, whole=True).tolist() == [3, 4]


def test_columns_of_numbers_are_told_from_columns_of_text(tmp_path):
    path = written(tmp_path, "age,sex,note\n41,F,\n,M,\n3.5,F,\n")
    assert table_columns(path) == ["age", "sex", "note"]
    table = typed(read_table(path, table_columns(path)), ["age", "sex", "note"])
    np.testing.assert_array_equal(table["age"], [41, np.nan, 3.5])
    assert table["sex"].tolist() == ["F", "M", "F"]
    assert table["note"].tolist() == ["", "", ""]
