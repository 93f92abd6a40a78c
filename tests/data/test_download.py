import hashlib

import numpy as np
import pytest

from shortlib.data.download import retrieve
from shortlib.data.problems import DataError
from tests.data.serving import serving

BODY = np.random.default_rng(0).bytes(300_000)
SHA = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def host():
    with serving({"/a": BODY}) as host:
        yield host


def get(host, folder, **options):
    return retrieve(f"{host.url}/a", SHA, folder, "a", **{"pause": 0.01, **options})


def test_a_file_arrives_byte_for_byte_and_alone(host, tmp_path):
    assert get(host, tmp_path).read_bytes() == BODY
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert get(host, tmp_path).read_bytes() == BODY
    assert len(host.asked) == 1


def test_a_cut_is_taken_up_within_one_call(host, tmp_path):
    host.cut_after["/a"] = 150_000
    arrived = []
    assert get(host, tmp_path, tick=arrived.append).read_bytes() == BODY
    ((_, wanted),) = host.ranges
    assert 0 < int(wanted.removeprefix("bytes=").rstrip("-")) <= 150_000
    assert sum(arrived) == len(BODY)


def test_a_cut_is_taken_up_by_the_next_call(host, tmp_path):
    host.cut_after["/a"] = 150_000
    host.answers["/a"] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shortlib.data.download.TRIES", 1)
        with pytest.raises(
            DataError, match=r"host not reached: 127\.0\.0\.1.*what arrived is kept"
        ):
            get(host, tmp_path)
    (part,) = tmp_path.iterdir()
    have = part.stat().st_size
    assert BODY.startswith(part.read_bytes())
    assert 0 < have <= 150_000
    assert get(host, tmp_path).read_bytes() == BODY
    assert host.ranges == [("/a", f"bytes={have}-")]


def test_a_host_that_knows_no_ranges_sends_it_all_again(host, tmp_path):
    host.ignores_ranges = True
    host.cut_after["/a"] = 150_000
    assert get(host, tmp_path).read_bytes() == BODY


def test_a_part_that_is_complete_asks_for_nothing_more(host, tmp_path):
    (tmp_path / "a.part").write_bytes(BODY)
    assert get(host, tmp_path).read_bytes() == BODY


@pytest.mark.parametrize("begun", [b"", b"another file's first bytes", b"x" * 400_000])
def test_a_wrong_checksum_is_refused_and_leaves_nothing(host, tmp_path, begun):
    (tmp_path / "a.part").write_bytes(begun)
    host.files["/a"] = BODY[:-1] + b"!"
    got = hashlib.sha256(host.files["/a"]).hexdigest()
    with pytest.raises(DataError, match=f"/a: wrong checksum: .*should be {SHA}") as raised:
        get(host, tmp_path)
    assert begun or got in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_more_bytes_than_are_due_are_not_taken(host, tmp_path):
    with pytest.raises(DataError, match="too long: more than the 1000 bytes"):
        get(host, tmp_path, size=1000)
    assert list(tmp_path.iterdir()) == []


def test_a_server_in_trouble_is_asked_again(host, tmp_path):
    host.answers["/a"] = [503, 429]
    assert get(host, tmp_path).read_bytes() == BODY
    host.answers["/a"] = [500] * 9
    (tmp_path / "a").unlink()
    with pytest.raises(DataError, match="it answers 500"):
        get(host, tmp_path)


def test_a_file_that_is_not_there_is_asked_for_once(host, tmp_path):
    host.files.clear()
    with pytest.raises(DataError, match="not to be had: the host answers 404"):
        get(host, tmp_path)
    assert len(host.asked) == 1


def test_a_host_that_is_not_there_is_named(tmp_path):
    with serving({}) as gone:
        pass
    with pytest.raises(DataError, match=r"127\.0\.0\.1:\d+ \(ConnectionError\).*--from FOLDER"):
        get(gone, tmp_path)
    assert list(tmp_path.iterdir()) == []
