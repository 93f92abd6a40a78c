import io
import tarfile
import zipfile

import pytest

from shortlib.data import archives
from shortlib.data.archives import unpack
from shortlib.data.problems import DataError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def tar_of(path, *members, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        for name, what in members:
            info = tarfile.TarInfo(name)
            if isinstance(what, bytes):
                info.size = len(what)
                archive.addfile(info, io.BytesIO(what))
            else:
                info.type, info.linkname = what
                archive.addfile(info)
    return path


def zip_of(path, *members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, what in members:
            info = zipfile.ZipInfo(name)
            if isinstance(what, tuple):
                info.external_attr, what = what[0] << 16, what[1]
            archive.writestr(info, what, zipfile.ZIP_DEFLATED)
    return path


GOOD = [("a.txt", b"one"), ("b/c.txt", b"two")]


@pytest.mark.parametrize("make", [tar_of, zip_of])
def test_a_harmless_archive_is_unpacked(tmp_path, folder, make):
    unpack(make(tmp_path / "archive", *GOOD), folder)
    assert {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.txt")} == dict(GOOD)


LINK = tarfile.SYMTYPE
HOSTILE = {
    "climbs": (tar_of, ("../evil", b"x"), "'../evil' points outside"),
    "climbs later": (tar_of, ("b/../../evil", b"x"), "points outside"),
    "absolute": (tar_of, ("/tmp/evil", b"x"), "points outside"),
    "link out": (tar_of, ("link", (LINK, "../..")), "'link' is a link or a device"),
    "absolute link": (tar_of, ("link", (LINK, "/etc")), "is a link or a device"),
    "hard link": (tar_of, ("link", (tarfile.LNKTYPE, "../evil")), "is a link or a device"),
    "device": (tar_of, ("dev", (tarfile.CHRTYPE, "")), "is a link or a device"),
    "pipe": (tar_of, ("pipe", (tarfile.FIFOTYPE, "")), "is a link or a device"),
    "zip climbs": (zip_of, ("../evil", b"x"), "'../evil' points outside"),
    "zip climbs as Windows does": (zip_of, ("..\\evil", b"x"), "points outside"),
    "zip absolute": (zip_of, ("/tmp/evil", b"x"), "points outside"),
    "zip drive": (zip_of, ("C:/evil", b"x"), "points outside"),
    "zip link": (zip_of, ("link", (0o120777, b"/etc")), "is a link or a device"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_member_stops_before_anything_is_written(tmp_path, folder, kind):
    make, member, said = HOSTILE[kind]
    before = sorted(tmp_path.rglob("*"))
    archive = make(tmp_path / "archive", *GOOD, member)
    with pytest.raises(DataError, match=f"hostile archive: .*{said}.*nothing was unpacked"):
        unpack(archive, folder)
    assert sorted(tmp_path.rglob("*")) == sorted([*before, archive])


@pytest.mark.parametrize("make", [tar_of, zip_of])
def test_a_bomb_is_refused(tmp_path, folder, make, monkeypatch):
    monkeypatch.setattr(archives, "HARMLESS", 1000)
    archive = make(tmp_path / "archive", ("zeros", bytes(10_000_000)))
    with pytest.raises(DataError, match="far more than its own size explains"):
        unpack(archive, folder)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("make", [tar_of, zip_of])
def test_a_damaged_archive_is_named(tmp_path, folder, make):
    archive = make(tmp_path / "archive", ("a", bytes(range(256)) * 40))
    archive.write_bytes(archive.read_bytes()[:-40])
    with pytest.raises(DataError, match="archive"):
        unpack(archive, folder)


def test_what_is_no_archive_is_named(tmp_path, folder):
    (tmp_path / "a").write_bytes(b"neither")
    with pytest.raises(DataError, match="a: no archive: neither tar nor zip"):
        unpack(tmp_path / "a", folder)
