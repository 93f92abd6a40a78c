"""Open-i: an archive made by hand, honest and hostile, and the real one."""

import gzip
import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from shortlib.data.openi import read_index, reports
from shortlib.data.problems import DataError, Problems
from shortlib.data.reports import sections


def xml(number, *, findings="Clear lungs.", mesh=("normal",), images=1, head="", uid=None):
    terms = "".join(f"<major>{term}</major>\n" for term in mesh)
    parents = "".join(
        f'<parentImage id="CXR{number}_IM-{k}"><figureId/></parentImage>' for k in range(images)
    )
    return (
        f'<?xml version="1.0" encoding="utf-8"?>{head}<eCitation>'
        f'<uId id="{uid or f"CXR{number}"}"/><MedlineCitation><Article><Abstract>\n'
        '  <AbstractText Label="COMPARISON">None.</AbstractText>'
        '  <AbstractText Label="INDICATION"/>'
        f'  <AbstractText Label="FINDINGS">{findings}</AbstractText>'
        '  <AbstractText Label="IMPRESSION">No change\n\n   since &lt;XXXX&gt;.</AbstractText>'
        f"</Abstract></Article></MedlineCitation><MeSH>{terms}<automatic>lung</automatic></MeSH>"
        f"{parents}</eCitation>"
    ).encode()


MEMBERS = {
    "ecgen-radiology/1.xml": xml(1, images=2),
    "ecgen-radiology/2.xml": xml(2, mesh=("Opacity/lung", "Cardiomegaly/mild"), findings="Dense."),
    "ecgen-radiology/3.xml": xml(3, images=0, findings=""),
}


def pack(root, members=None, extra=(), **more):
    members = {**MEMBERS, **(members or {}), **more}
    with tarfile.open(root / "NLMCXR_reports.tgz", "w:gz") as archive:
        folder = tarfile.TarInfo("ecgen-radiology")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for info in extra:
            archive.addfile(info)


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "data"
    (root / "images").mkdir(parents=True)
    pack(root)
    for place, name in enumerate(("CXR1_IM-0", "CXR1_IM-1", "CXR2_IM-0")):
        array = np.full((30, 20, 3), 50 * (place + 1), np.uint8)  # grey stored in colour
        Image.fromarray(array).save(root / "images" / f"{name}.png")
    return root


def read(root, on_error="raise", **options):
    return read_index(root, problems=Problems(on_error), **options)


def test_reports(tree):
    table = reports(tree)
    assert table.to_dict("records")[1] == {
        "uid": "CXR2",
        "indication": "",
        "comparison": "None.",
        "findings": "Dense.",
        "impression": "No change since <XXXX>.",
        "mesh": "Opacity/lung|Cardiomegaly/mild",
        "automatic": "lung",
        "images": "CXR2_IM-0",
    }
    assert table["images"].tolist() == ["CXR1_IM-0|CXR1_IM-1", "CXR2_IM-0", ""]


def test_the_images_that_are_there(tree):
    cohort = read(tree).cohort(size=30)
    assert cohort.case_ids.tolist() == ["CXR1_IM-0", "CXR1_IM-1", "CXR2_IM-0"]
    assert cohort.patient_ids.tolist() == ["CXR1", "CXR1", "CXR2"]
    assert cohort.labels.tolist() == [0, 0, 1]
    assert cohort.label_names == ("normal", "abnormal")
    np.testing.assert_array_equal(cohort.images[:, 0, 15, 15], [50, 100, 150])
    assert cohort.images[:, 0, :, :5].sum() == 0  # the whole image, padded
    assert sections(cohort.reports[2]) == {
        "COMPARISON": "None.",
        "FINDINGS": "Dense.",
        "IMPRESSION": "No change since <XXXX>.",
    }
    assert set(read(tree).cases["split"]) == {"all"}
    split = read(tree, fractions={"train": 0.5, "test": 0.5}).cases["split"]
    assert split[0] == split[1] != split[2]


def test_views_where_headers_are_there(tree):
    lines = ["imageid,View Position,Other", "CXR2_IM-0,PA,", "CXR9,LL,", "CXR2_IM-0,AP,"]
    with gzip.open(tree / "nlmcxr_dicom_metadata.csv.gz", "wt") as file:
        file.write("\n".join(lines) + "\n")
    assert read(tree).cohort(size=9).covariates["view"].tolist() == ["", "", "PA"]


def link(name, kind, target="/etc/passwd"):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


BOMB = (
    '<!DOCTYPE x [<!ENTITY a "1234567890">'
    + "".join(
        f'<!ENTITY {after} "{f"&{before};" * 10}">'
        for before, after in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]>"
)
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
HOSTILE = {
    "climbs": ({"ecgen-radiology/../../9.xml": xml(9)}, (), "hostile member"),
    "absolute": ({"/tmp/9.xml": xml(9)}, (), "hostile member"),
    "backslashes": ({"..\\..\\9.xml": xml(9)}, (), "hostile member"),
    "symbolic link": ({}, (link("9.xml", tarfile.SYMTYPE),), "hostile member"),
    "hard link": ({}, (link("9.xml", tarfile.LNKTYPE),), "hostile member"),
    "device": ({}, (link("9.xml", tarfile.CHRTYPE),), "hostile member"),
    "large": ({"9.xml": b" " * (1 << 21)}, (), "hostile member"),
    "no xml": ({"9.exe": b"MZ"}, (), "no report"),
    "bomb": ({"9.xml": xml(9, head=BOMB, findings="&i;")}, (), "hostile report"),
    "file": ({"9.xml": xml(9, head=OUTSIDE, findings="&a;")}, (), "hostile report"),
    "bomb in UTF-16": (
        {
            "9.xml": xml(9, head=BOMB, findings="&i;")
            .decode()
            .replace("utf-8", "utf-16")
            .encode("utf-16")
        },
        (),
        "hostile report",
    ),
    "cut": ({"9.xml": xml(9)[:-30]}, (), "unreadable report"),
    "no bytes": ({"9.xml": b""}, (), "unreadable report"),
    "not UTF-8": ({"9.xml": xml(9, findings="@").replace(b"@", b"\xff")}, (), "unreadable report"),
    "unknown entity": ({"9.xml": xml(9, findings="&lol;")}, (), "unreadable report"),
    "no uid": ({"9.xml": b"<eCitation/>"}, (), "no report"),
    "same uid": ({"9.xml": xml(9, uid="CXR1")}, (), "duplicate report"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_member_is_raised_or_left_out(tree, name):
    members, extra, kind = HOSTILE[name]
    pack(tree, members, extra)
    with pytest.raises(DataError) as error:
        reports(tree)
    assert error.value.kind == kind
    assert "NLMCXR_reports.tgz" in str(error.value)
    problems = Problems("skip")
    assert reports(tree, problems=problems)["uid"].tolist() == ["CXR1", "CXR2", "CXR3"]
    assert problems.counts() == {kind: 1}
    assert sorted(path.name for path in tree.parent.iterdir()) == ["data"]


def test_a_damaged_archive_gives_nothing_but_a_data_error(tree):
    path = tree / "NLMCXR_reports.tgz"
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for trial in range(60):
        data = bytearray(whole[: rng.integers(len(whole)) if trial % 2 else None])
        for place in rng.integers(0, max(len(data), 1), 4):
            data[place : place + 1] = rng.bytes(1)
        path.write_bytes(data)
        try:
            reports(tree, problems=Problems("skip"))
        except DataError as error:
            assert "NLMCXR_reports.tgz" in str(error)  # noqa: PT017


IMAGE = "images/CXR2_IM-0.png"
IMAGE_FAULTS = {
    "no bytes": (lambda path: path.write_bytes(b""), "empty image"),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:50]), "unreadable image"),
    "16 bit": (
        lambda path: Image.fromarray(np.zeros((9, 9), np.uint16)).save(path),
        "image is not 8-bit",
    ),
    "colour": (
        lambda path: Image.fromarray(np.full((9, 9, 3), (9, 99, 200), np.uint8)).save(path),
        "colour image",
    ),
    "link": (
        lambda path: (path.rename(path.parents[2] / "x"), path.symlink_to(path.parents[2] / "x")),
        "link out of the root",
    ),
    "no report": (lambda path: path.rename(path.with_name("CXR77.png")), "missing report"),
}


@pytest.mark.parametrize("fault", IMAGE_FAULTS)
def test_a_faulty_image_is_raised_or_left_out(tree, fault):
    spoil, kind = IMAGE_FAULTS[fault]
    spoil(tree / IMAGE)
    with pytest.raises(DataError) as error:
        read(tree).cohort(size=20)
    assert error.value.kind == kind
    with pytest.warns(UserWarning, match=f"1 {kind}"):
        assert len(read(tree, "skip").cohort(size=20)) == 2


def test_a_report_that_was_not_indexed_has_no_label(tree):
    pack(tree, {"ecgen-radiology/2.xml": xml(2, mesh=("No Indexing",))})
    with pytest.raises(DataError, match="not indexed"):
        read(tree)
    assert len(read(tree, "skip")) == 2
    cohort = read(tree, labelled=False).cohort(size=9)
    assert len(cohort) == 3
    assert cohort.labels is None


def test_faults_of_the_whole(tree, tmp_path):
    with pytest.raises(DataError, match=r"wrong root.*data has it"):
        read(tmp_path, "skip")
    with pytest.raises(DataError, match="empty split"):
        read(tree).cohort("train")
    (tree / "images").rename(tree / "elsewhere")
    with pytest.raises(DataError, match="no images"):
        read(tree, "skip")
    (tree / "images").mkdir()
    with pytest.raises(DataError, match="no images"):
        read(tree, "skip")
    (tree / "NLMCXR_reports.tgz").write_bytes(b"")
    with pytest.raises(DataError, match="empty archive"):
        reports(tree)


def test_the_real_images(open_data):
    cohort = read(open_data / "openi_reports").cohort(size=64)
    assert len(cohort) == 4
    assert cohort.patient_ids.tolist() == ["CXR25", "CXR303", "CXR54", "CXR54"]
    assert all("FINDINGS" in sections(text) for text in cohort.reports)
    assert cohort.covariates["view"].tolist() == ["", "PA", "PA", "LL"]


@pytest.mark.slow
def test_the_real_reports(open_data):
    table = reports(open_data / "openi_reports")
    assert len(table) == table["uid"].nunique() == 3955
    assert table["images"].str.split("|").explode().replace("", None).nunique() == 7470
    filled = (table != "").sum()
    assert filled["findings"] == 3425
    assert filled["impression"] == 3921
    assert (table["mesh"] == "normal").sum() == 1391
