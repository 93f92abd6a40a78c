import hashlib
import io
import json
import tarfile

import numpy as np
import pytest
import yaml
from PIL import Image

from shortlib.data.fetch import NeedsAPersonError, fetch, recorded
from shortlib.data.file_lists import read_file_list
from shortlib.data.manifest import load_manifest
from shortlib.data.problems import DataError
from tests.data.serving import serving

COMMIT = "a" * 40
CLASSES = ("COVID", "Normal")


def png(seed, mode):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (40, 50), np.uint8)
    if mode == "mask":
        pixels = np.where(pixels > 128, 255, 0).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def originals():
    """Stand-ins for a few originals: file of the data set to path and bytes of the original."""
    found = {}
    for k, name in enumerate(CLASSES):
        for n in (1, 2):
            seed = 10 * k + n
            found[f"{name}/images/{name}-{n}.png"] = (f"images/{seed} a.jpg", png(seed, "grey"))
            found[f"{name}/masks/{name}-{n}.png"] = (f"masks/{seed}.png", png(seed, "mask"))
    return found


@pytest.fixture
def manifests(tmp_path, monkeypatch):
    """A folder of manifests of one's own; the real ones are out of sight."""
    folder = tmp_path / "manifests"
    folder.mkdir()
    monkeypatch.setattr("shortlib.data.manifest.manifest_folder", lambda: folder)
    load_manifest.cache_clear()
    yield folder
    load_manifest.cache_clear()


@pytest.fixture
def host(originals):
    files = {f"/o/r/{COMMIT}/{path.replace(' ', '%20')}": body for path, body in originals.values()}
    with serving(files) as host:
        yield host


def stated(name, **fields):
    return {
        "name": name,
        "title": "t",
        "summary": "s",
        "layout": "covid-radiography",
        "options": {"classes": list(CLASSES)},
        "access": "open",
        "licence": {"name": "CC0"},
        "images": {"channels": 1, "format": "PNG", "size": "30 px"},
        "tree": "as it is",
        "splits": {"names": ["train"], "rule": "none"},
        **fields,
    }


def write(folder, manifest):
    (folder / f"{manifest['name']}.yml").write_text(yaml.safe_dump(manifest))
    load_manifest.cache_clear()


@pytest.fixture
def lungmask(manifests, originals, host):
    """The manifest and the list of `covid-cxr-lungmask` over the stand-ins."""
    rows = ["file,repository,commit,path,bytes,sha256"]
    for file, (path, body) in originals.items():
        sha = hashlib.sha256(body).hexdigest()
        rows.append(f"{file},o/r,{COMMIT},{path},{len(body)},{sha}")
    (manifests / "list.csv").write_text("\n".join(rows) + "\n")
    manifest = stated(
        "covid-cxr-lungmask",
        file_list={"table": "list.csv", "url": host.url + "/{repository}/{commit}/{path}"},
        prepare=[
            {"match": "*/images/*.png", "mode": "grey", "size": [30, 30]},
            {"match": "*/masks/*.png", "mode": "mask", "size": [20, 20]},
        ],
        by_hand=[{"url": "u", "path": "metadata.csv", "why": "Ages.", "needed": False}],
    )
    write(manifests, manifest)
    return manifest


def get(root, **options):
    return fetch("covid-cxr-lungmask", root, progress=False, **options)


def tree(root):
    return {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()}


def sizes(root, kind):
    found = set()
    for path in root.rglob(f"{kind}/*.png"):
        with Image.open(path) as image:
            found.add(image.size)
    return found


def test_every_original_is_checked_and_prepared(lungmask, originals, host, tmp_path):
    root = tmp_path / "data" / "set"
    done = get(root)
    assert (done.path, done.mode) == (root, "originals")
    assert tree(root) == {*originals, "fetched.json"}
    assert (sizes(root, "images"), sizes(root, "masks")) == ({(30, 30)}, {(20, 20)})
    assert sorted(path for path, _ in host.asked) == sorted(host.files)
    record = recorded(root)
    assert (record["name"], record["mode"], record["files"]) == (
        "covid-cxr-lungmask",
        "originals",
        8,
    )
    file = "COVID/images/COVID-1.png"
    assert record["sha256"][file] == hashlib.sha256((root / file).read_bytes()).hexdigest()
    assert "may be added, by hand: metadata.csv from u. Ages." in done.sentences
    assert [p.name for p in root.parent.iterdir() if not p.name.endswith(".lock")] == ["set"]


def test_a_second_fetch_says_that_it_is_here(lungmask, host, tmp_path):
    get(tmp_path / "set")
    host.asked.clear()
    done = get(tmp_path / "set")
    assert done.mode == "here"
    assert "is here" in done.sentences[0]
    assert host.asked == []


def test_a_list_that_has_changed_since_is_told(lungmask, manifests, tmp_path):
    get(tmp_path / "set")
    with open(manifests / "list.csv", "a") as table:
        table.write(f"x.png,o/r,{COMMIT},x,1,{'0' * 64}\n")
    assert "has changed since" in get(tmp_path / "set").sentences[0]


def test_a_wrong_checksum_is_refused_and_nothing_has_the_name(lungmask, host, tmp_path):
    path = next(iter(host.files))
    right = host.files[path]
    host.files[path] = png(99, "grey")[: len(right)]
    with pytest.raises(
        DataError, match=r"wrong checksum: SHA-256 is [0-9a-f]{64}, it should be"
    ) as e:
        get(tmp_path / "set", workers=1)
    assert path in str(e.value)
    assert not (tmp_path / "set").exists()
    waiting = tree(tmp_path / ".set.partial")
    assert not any(name.startswith(".originals/") for name in waiting)
    host.files[path] = right
    assert get(tmp_path / "set").mode == "originals"


def test_a_second_attempt_takes_up_where_the_first_was_cut(lungmask, originals, host, tmp_path):
    paths = list(host.files)
    host.answers[paths[5]] = [404]
    with pytest.raises(DataError, match="the host answers 404"):
        get(tmp_path / "set", workers=1)
    assert not (tmp_path / "set").exists()
    first = [path for path, _ in host.asked]
    host.asked.clear()
    get(tmp_path / "set")
    again = {path for path, _ in host.asked}
    assert len(first) >= 6
    assert again == set(paths) - (set(first) - {paths[5]})
    assert tree(tmp_path / "set") == {*originals, "fetched.json"}


def test_what_was_begun_from_another_list_is_not_taken_up(lungmask, manifests, host, tmp_path):
    paths = list(host.files)
    host.answers[paths[5]] = [404]
    with pytest.raises(DataError):
        get(tmp_path / "set", workers=1)
    text = (manifests / "list.csv").read_text()
    (manifests / "list.csv").write_text(text.replace("\n", "\r\n"))
    host.asked.clear()
    get(tmp_path / "set")
    assert {path for path, _ in host.asked} == set(paths)


def test_a_folder_that_fetch_did_not_write_stays_as_it_is(lungmask, host, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine").touch()
    done = get(tmp_path / "set")
    assert done.mode == "here"
    assert "fetch did not write it" in done.sentences[0]
    assert tree(tmp_path / "set") == {"mine"}


def test_offline_is_said_in_a_sentence(lungmask, manifests, tmp_path, monkeypatch):
    with serving({}) as gone:
        pass
    lungmask["file_list"]["url"] = gone.url + "/{repository}/{commit}/{path}"
    write(manifests, lungmask)
    monkeypatch.setattr("shortlib.data.download.TRIES", 1)
    with pytest.raises(DataError, match=r"host not reached: .*--from FOLDER or --from URL"):
        get(tmp_path / "set")


def test_a_mirror_by_url_holds_the_originals(lungmask, manifests, originals, host, tmp_path):
    lungmask["file_list"]["url"] = "http://nowhere.invalid/{repository}/{commit}/{path}"
    write(manifests, lungmask)
    host.files = {"/mirror" + path: body for path, body in host.files.items()}
    assert get(tmp_path / "set", source=f"{host.url}/mirror/").mode == "originals"
    assert tree(tmp_path / "set") == {*originals, "fetched.json"}


@pytest.fixture
def mirror(tmp_path, originals):
    """A folder with the originals by repository, commit and path."""
    folder = tmp_path / "mirror"
    for path, body in originals.values():
        place = folder / "o/r" / COMMIT / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(body)
    return folder


def test_a_mirror_by_folder_may_hold_the_originals(lungmask, mirror, originals, host, tmp_path):
    assert get(tmp_path / "set", source=mirror).mode == "originals"
    assert tree(tmp_path / "set") == {*originals, "fetched.json"}
    assert host.asked == []
    assert all(path.is_file() for path in mirror.rglob("*.png"))


def test_a_mirrors_originals_are_checked(lungmask, mirror, tmp_path):
    spoilt = next(mirror.rglob("*.png"))
    spoilt.write_bytes(b"spoilt")
    with pytest.raises(DataError, match="wrong checksum") as raised:
        get(tmp_path / "set", source=mirror)
    assert str(spoilt) in str(raised.value)
    assert not (tmp_path / "set").exists()
    spoilt.unlink()
    with pytest.raises(DataError, match="missing original"):
        get(tmp_path / "set", source=mirror)


@pytest.mark.parametrize("where", ["covid-cxr-lungmask", "covid_cxr_lungmask", "."])
def test_prepared_files_are_copied_and_said_to_be_unchecked(
    lungmask, mirror, originals, tmp_path, where
):
    prepared = tmp_path / "prepared" / where
    get(prepared, source=mirror)
    (prepared / "fetched.json").unlink()
    (prepared / "README.txt").write_text("who made it")
    (prepared / ".hidden").touch()
    done = get(tmp_path / "set", source=tmp_path / "prepared")
    assert done.mode == "prepared copy"
    assert tree(tmp_path / "set") == {*originals, "README.txt", "fetched.json"}
    assert any(
        "could not be checked against the SHA-256 of the originals" in s for s in done.sentences
    )


def test_a_prepared_copy_that_lacks_a_file_or_has_another_size_is_refused(
    lungmask, mirror, tmp_path
):
    prepared = tmp_path / "covid-cxr-lungmask"
    get(prepared, source=mirror)
    Image.new("L", (31, 30)).save(prepared / "COVID/images/COVID-1.png")
    with pytest.raises(DataError, match=r"COVID-1\.png: not as prepared: is L 31x30"):
        get(tmp_path / "set", source=prepared)
    for kind in ("images", "masks"):
        (prepared / f"Normal/{kind}/Normal-2.png").unlink()
    with pytest.raises(DataError, match=r"Normal-2\.png: missing file: 2 of 8 are not there"):
        get(tmp_path / "set", source=prepared)
    assert not (tmp_path / "set").exists()


def test_a_link_out_of_a_mirror_is_not_followed(lungmask, mirror, tmp_path):
    prepared = tmp_path / "covid-cxr-lungmask"
    get(prepared, source=mirror)
    (tmp_path / "secret").write_text("s")
    (prepared / "link.txt").symlink_to(tmp_path / "secret")
    with pytest.raises(DataError, match="link out of the root"):
        get(tmp_path / "set", source=prepared)


def test_a_mirror_without_the_data_set_is_named(lungmask, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty: nothing in the mirror: neither covid-cxr-lungmask"):
        get(tmp_path / "set", source=tmp_path / "empty")
    with pytest.raises(ValueError, match="a mirror is a folder or a URL"):
        get(tmp_path / "set", source=tmp_path / "nowhere")


# Single files and archives


def archive_of(*members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, body in members:
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


def packed(manifests, host, body):
    host.files["/images.tgz"] = body
    sha = hashlib.sha256(body).hexdigest()
    file = {"url": f"{host.url}/images.tgz", "path": "images", "sha256": sha, "unpack": True}
    write(manifests, stated("packed", files=[file]))


def test_an_archive_is_unpacked_after_its_checksum(manifests, host, tmp_path):
    packed(manifests, host, archive_of(("a.txt", b"1"), ("b/c.txt", b"2")))
    fetch("packed", tmp_path / "set", progress=False)
    assert tree(tmp_path / "set") == {"images/a.txt", "images/b/c.txt", "fetched.json"}
    assert set(recorded(tmp_path / "set")["sha256"]) == {"images/a.txt", "images/b/c.txt"}


def test_an_archive_with_a_member_that_points_outside_is_refused(manifests, host, tmp_path):
    packed(manifests, host, archive_of(("a.txt", b"1"), ("../../evil", b"2")))
    with pytest.raises(DataError, match=r"hostile archive: member '../../evil' points outside"):
        fetch("packed", tmp_path / "set", progress=False)
    assert not (tmp_path / "set").exists()
    assert not list(tmp_path.rglob("evil"))
    assert not list(tmp_path.rglob("a.txt"))


# What is not the program's to fetch


@pytest.mark.parametrize("access", ["credentialed", "own", "by hand"])
def test_what_needs_a_person_is_never_tried(manifests, host, tmp_path, access):
    write(manifests, stated("closed", access=access, steps=["Sign here.", "Download there."]))
    with pytest.raises(NeedsAPersonError, match=r"1\. Sign here\.\n  2\. Download there\.") as e:
        fetch("closed", tmp_path / "set", progress=False)
    assert str(tmp_path / "set") in str(e.value)
    assert host.asked == []
    assert not (tmp_path / "set").exists()


def test_credentialed_data_are_not_copied_either(manifests, tmp_path):
    write(manifests, stated("closed", access="credentialed", steps=["Sign here."]))
    (tmp_path / "closed").mkdir()
    with pytest.raises(NeedsAPersonError):
        fetch("closed", tmp_path / "set", source=tmp_path)


def test_a_set_by_hand_is_copied_from_a_folder_that_its_reader_knows(
    manifests, lungmask, mirror, originals, tmp_path
):
    get(tmp_path / "ready", source=mirror)
    (tmp_path / "ready" / "fetched.json").unlink()
    write(manifests, stated("hand", access="by hand", steps=["Download."]))
    done = fetch("hand", tmp_path / "set", source=tmp_path / "ready", progress=False)
    assert done.mode == "prepared copy"
    assert tree(tmp_path / "set") == {*originals, "fetched.json"}
    with pytest.raises(DataError, match="wrong root"):
        fetch("hand", tmp_path / "other", source=mirror, progress=False)
    assert not (tmp_path / "other").exists()
    with pytest.raises(ValueError, match="no list of files to take from a URL"):
        fetch("hand", tmp_path / "other", source="http://localhost/", progress=False)


def test_a_built_in_set_is_made_not_fetched(tmp_path):
    with pytest.raises(ValueError, match="make it with `shortlib data make builtin-cm`"):
        fetch("builtin-cm", tmp_path / "set")


# Lists


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("COVID/images/COVID-1.png", "../COVID-1.png", "hostile path"),
        ("COVID/images/COVID-1.png", "/COVID-1.png", "hostile path"),
        ("COVID/images/COVID-2.png", "COVID/images/COVID-1.png", "line 4: duplicate row"),
        (COMMIT, "main", "line 2: bad cell: 'commit' must be 40 hexadecimal digits, got 'main'"),
        ("o/r", "o", "'repository' must be owner/name"),
        ("file,", "name,", "missing column: 'file'"),
        ("images/1 a.jpg", "../1 a.jpg", "hostile path"),
    ],
)
def test_a_broken_list_is_named(lungmask, manifests, tmp_path, old, new, said):
    text = (manifests / "list.csv").read_text()
    (manifests / "list.csv").write_text(text.replace(old, new))
    with pytest.raises(DataError, match=said):
        get(tmp_path / "set")


@pytest.mark.parametrize(
    ("name", "count"),
    [("covid-cxr-lungmask", 960), ("nih-cxr14-starter", 621), ("ieee8023-image-text", 183)],
)
def test_the_real_lists_are_sound_and_name_what_is_there(open_data, name, count):
    listed = read_file_list(load_manifest(name))
    assert len(listed) == count
    folder = open_data / name.replace("-", "_")
    assert all((folder / entry.file).is_file() for entry in listed)
    assert listed[0].url.startswith("https://raw.githubusercontent.com/")
    assert " " not in "".join(entry.url for entry in listed)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["covid-cxr-lungmask", "nih-cxr14-starter", "ieee8023-image-text", "sunnybrook-cine"],
)
def test_the_open_data_are_taken_as_they_are_prepared(open_data, tmp_path, name):
    done = fetch(name, tmp_path / name, source=open_data, progress=False)
    assert done.mode == "prepared copy"
    there = {
        p.relative_to(open_data / name.replace("-", "_")).as_posix(): p.read_bytes()
        for p in (open_data / name.replace("-", "_")).rglob("*")
        if p.is_file()
    }
    assert tree(tmp_path / name) == {*there, "fetched.json"}
    assert all((tmp_path / name / file).read_bytes() == body for file, body in there.items())


def test_a_broken_record_is_named(tmp_path):
    assert recorded(tmp_path) is None
    for text in ("{", "{}", json.dumps({"sha256": 3}), "[]"):
        (tmp_path / "fetched.json").write_text(text)
        with pytest.raises(DataError, match=r"fetched\.json: broken record"):
            recorded(tmp_path)
