import threading
from time import sleep

import numpy as np
import pytest

from shortlib.data.streamed import Streamed

CASES = np.arange(7 * 2 * 3).reshape(7, 2, 3).astype(np.int16)


def counted(array=CASES, **options):
    read = []

    def reader(i):
        read.append(i)
        return array[i]

    options = {"identity": "made up", **options}
    return Streamed(reader, len(array), array.shape[1:], array.dtype, **options), read


@pytest.mark.parametrize(
    "index",
    [3, -1, slice(1, 5), slice(None, None, -2), [4, 0], np.arange(7) % 2 == 0, slice(0, 0)],
)
def test_indexing_reads_what_an_array_gives(index):
    streamed, _ = counted()
    np.testing.assert_array_equal(streamed[index], CASES[index])
    assert streamed[index].dtype == CASES.dtype


def test_shape_and_length_are_those_of_the_array():
    streamed, read = counted()
    assert (streamed.shape, streamed.ndim, len(streamed)) == (CASES.shape, 3, 7)
    assert read == []


def test_taking_reads_nothing_and_composes():
    streamed, read = counted()
    chosen = streamed.take(slice(None, None, -1)).take([1, 3])
    assert read == []
    np.testing.assert_array_equal(np.asarray(chosen), CASES[::-1][[1, 3]])
    assert sorted(read) == [3, 5]


def test_an_index_out_of_range_is_an_index_error():
    with pytest.raises(IndexError):
        counted()[0][7]


def test_pixels_cannot_be_indexed_without_reading():
    with pytest.raises(TypeError, match="read cases, then slice them"):
        counted()[0][:, 0]


def test_mapping_applies_to_each_case_by_its_position():
    streamed, _ = counted()
    mapped = streamed.take([2, 5]).map(
        lambda case, i: case.sum() + 1000 * i, "sum", shape=(), dtype=int
    )
    np.testing.assert_array_equal(mapped[:], [CASES[2].sum(), CASES[5].sum() + 1000])


def test_batches_cover_all_in_order_with_two_in_memory():
    inside, most = 0, 0
    lock = threading.Lock()

    def reader(i):
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        sleep(0.001)
        return np.array([i])

    streamed = Streamed(reader, 50, (1,), np.int64, identity="", workers=4)
    seen = []
    for batch in streamed.batches(5):
        seen += batch[:, 0].tolist()
        with lock:
            assert inside <= len(seen) + 10  # what was yielded, and at most two batches
    assert seen == list(range(50))


def test_an_error_of_the_reader_comes_through():
    def reader(i):
        raise ValueError("case is broken")

    streamed = Streamed(reader, 3, (1,), int, identity="")
    for use in (lambda: streamed[:2], lambda: next(streamed.batches(2)), lambda: streamed[1]):
        with pytest.raises(ValueError, match="case is broken"):
            use()


def test_a_case_of_another_shape_is_refused():
    streamed = Streamed(lambda i: np.zeros(2 + i), 3, (2,), float, identity="")
    with pytest.raises(ValueError, match=r"case 1 has shape \(3,\), the others have \(2,\)"):
        streamed[:]


def test_checksum_tells_identity_selection_and_mapping_apart_without_reading():
    streamed, read = counted()
    sums = {
        streamed.checksum(),
        counted(identity="other")[0].checksum(),
        streamed.take([0, 1]).checksum(),
        streamed.take([1, 0]).checksum(),
        streamed.map(lambda case, i: case, "nothing").checksum(),
    }
    assert len(sums) == 5
    assert read == []
    assert streamed.checksum() == counted()[0].checksum()


def test_text_streams_too():
    texts = ["no finding", "effusion"]
    streamed = Streamed(lambda i: texts[i], 2, (), object, identity="")
    assert streamed[:].tolist() == texts


def test_texts_are_texts_one_by_one_and_together():
    texts = Streamed(lambda i: "abc"[i], 3, (), object, identity="texts")
    assert [type(text) for text in (texts[1], texts[:][1], next(iter(texts)))] == [str] * 3
    batches = list(texts.batches(2))
    assert [batch.tolist() for batch in batches] == [["a", "b"], ["c"]]
    assert {batch.dtype for batch in batches} == {np.dtype(object)}
