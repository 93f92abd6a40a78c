import pytest

from shortlib.data.info_cfg import read_info
from shortlib.data.problems import DataError

GOOD = "ED: 1\nES: 12\nGroup: DCM\nHeight: 184.0\nNbFrame: 30\nWeight: 95.0\n"


def said(tmp_path, content):
    path = tmp_path / "Info.cfg"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_info(path)


def test_what_a_file_says(tmp_path):
    due = {"ED": 1, "ES": 12, "Group": "DCM", "Height": 184.0, "NbFrame": 30, "Weight": 95.0}
    assert said(tmp_path, GOOD) == due


def test_a_mark_windows_line_ends_blank_lines_and_other_keys(tmp_path):
    content = "\ufeffED: 2\r\nES : 7 \r\n\r\nGroup: HF-I\r\nOriginalID: SC-HF-I-1: b\r\n"
    info = said(tmp_path, content)
    assert info == {"ED": 2, "ES": 7, "Group": "HF-I", "OriginalID": "SC-HF-I-1: b"}


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("", "missing key: 'ED' is due; the file has nothing"),
        (GOOD.replace("ES: 12\n", ""), "missing key: 'ES' is due; the file has ED, Group"),
        (GOOD.replace("Group: DCM\n", ""), "missing key: 'Group'"),
        (GOOD.replace("DCM", ""), "line 3: bad value: 'Group' is empty"),
        (GOOD + "ED: 2\n", "line 7: key twice: 'ED' occurs before"),
        (GOOD.replace("12", "twelve"), "line 2: bad value: 'ES' .* got 'twelve'"),
        (GOOD.replace("12", "1.5"), "'ES' is a whole number from 1, got '1.5'"),
        (GOOD.replace("12", "0"), "'ES' is a whole number from 1, got '0'"),
        (GOOD.replace("12", "-3"), "'ES' is a whole number from 1, got '-3'"),
        (GOOD.replace("184.0", "tall"), "line 4: bad value: 'Height' is a number in cm"),
        (GOOD.replace("95.0", "nan"), "'Weight' is a number in kg, got 'nan'"),
        (GOOD.replace("95.0", "-95"), "'Weight' is a number in kg, got '-95'"),
        (GOOD.replace("12", "31"), "frame out of range: ES is frame 31, the cine has 30"),
        (GOOD.replace("12", "1"), "ED and ES are both frame 1"),
        (GOOD.replace("Group: DCM", "Group DCM"), "line 3: broken Info.cfg: 'key: value' is due"),
        (b"ED: 1\xff\xfe", "broken Info.cfg"),
        (GOOD.encode("utf-16"), "broken Info.cfg"),
    ],
)
def test_broken_files(tmp_path, content, match):
    with pytest.raises(DataError, match=match) as error:
        said(tmp_path, content)
    assert "Info.cfg" in str(error.value)
