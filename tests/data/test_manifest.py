import csv
import re
from pathlib import Path

import pytest
import yaml

from shortlib.data.locations import project_root
from shortlib.data.manifest import (
    load_manifest,
    manifest_folder,
    manifest_names,
    read_manifest,
)
from shortlib.data.phantoms.make import WRITERS, built_in_names
from shortlib.data.problems import DataError
from shortlib.data.sets import LAYOUTS

NAMES = manifest_names()
OPEN = ("covid-cxr-lungmask", "ieee8023-image-text", "nih-cxr14-starter")
LEAST = {
    "name": "one",
    "title": "t",
    "summary": "s",
    "layout": "acdc",
    "access": "by hand",
    "steps": ["Download it."],
    "licence": {"name": "CC0"},
    "images": {"channels": 1, "format": "PNG", "size": "30 px"},
    "tree": "as it is",
    "splits": {"names": ["train"], "rule": "none"},
}
REMOTE = {"url": "https://host/a", "path": "a", "sha256": "0" * 64}


def written(folder, **changed):
    fields = {key: value for key, value in {**LEAST, **changed}.items() if value is not None}
    path = folder / f"{fields['name']}.yml"
    path.write_text(yaml.safe_dump(fields))
    return path


def test_the_papers_data_the_open_data_and_the_built_in_data_are_all_there():
    papers = {
        "mimic-cxr-jpg",
        "chexpert",
        "acdc",
        "cm",
        "covid-radiography",
        "siim-acr",
        "isic2018",
    }
    others = {"openi-reports", "isic2018-task1-256", "sunnybrook-cine"}
    built_in = {f"builtin-{name}" for name in papers} - {"builtin-mimic-cxr-jpg"}
    assert set(NAMES) == papers | others | set(OPEN) | built_in | {"builtin-mimic-cxr"}


@pytest.mark.parametrize("name", NAMES)
def test_a_manifest_is_sound(name):
    manifest = load_manifest(name)
    assert manifest.layout in LAYOUTS
    if manifest.make:
        assert manifest.make.writer in WRITERS
    if manifest.counts.splits and manifest.counts.cases:
        assert sum(manifest.counts.splits.values()) == manifest.counts.cases
    assert set(manifest.counts.splits) <= set(manifest.splits.names)
    if manifest.access != "built-in":
        assert manifest.citations
        assert manifest.access == "own" or manifest.homepage.startswith("https://")
    assert manifest.quirks
    assert name in manifest.how_to_get()


@pytest.mark.parametrize("name", NAMES)
def test_a_citation_that_has_a_key_is_in_the_book(name):
    keys = {citation.key for citation in load_manifest(name).citations if citation.key}
    bibliography = (project_root() / "book" / "references.bib").read_text()
    assert all(re.search(rf"^@\w+{{{key},", bibliography, re.MULTILINE) for key in keys)


@pytest.mark.parametrize(("name", "page"), [("mimic-cxr-jpg", "physionet"), ("chexpert", "aimi")])
def test_credentialed_sets_have_steps_and_nothing_to_fetch(name, page):
    manifest = load_manifest(name)
    assert manifest.access == "credentialed"
    assert page in " ".join(manifest.steps)
    assert not manifest.files
    assert manifest.file_list is None


@pytest.mark.parametrize("name", OPEN)
def test_a_list_pins_each_file_and_agrees_with_the_counts(name):
    manifest = load_manifest(name)
    with open(manifest.list_path(), newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["file"] for row in rows}) == len(rows)
    assert all(re.fullmatch("[0-9a-f]{40}", row["commit"]) for row in rows)
    images = [row["file"] for row in rows if "masks/" not in row["file"]]
    assert len(images) == manifest.counts.cases
    for label, due in manifest.counts.labels.items() if name == OPEN[0] else ():
        assert sum(Path(file).parts[0] == label for file in images) == due


def test_the_lists_are_those_of_the_open_data(open_data):
    for name in OPEN:
        upstream = open_data / name.replace("-", "_") / "upstream.csv"
        # Line by line: a checkout gives the lists this project's line ends, theirs may differ.
        assert load_manifest(name).list_path().read_text().splitlines() == (
            upstream.read_text().splitlines()
        )


def test_nothing_but_manifests_and_lists_lies_there():
    files = {p.relative_to(manifest_folder()).as_posix() for p in manifest_folder().rglob("*.*")}
    assert files == {f"{n}.yml" for n in NAMES} | {f"files/{n}.csv" for n in OPEN}


def test_built_in_names_are_those_that_can_be_made():
    assert built_in_names() == [name for name in NAMES if name.startswith("builtin-")]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"title": None}, "title: Field required"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted, got 'red'"),
        ({"access": "open"}, "access 'open' needs files or file_list, with their SHA-256"),
        ({"files": [REMOTE]}, "access 'by hand' has nothing to fetch, yet files are listed"),
        ({"access": "open", "files": [{**REMOTE, "sha256": "0"}]}, r"files\.0\.sha256"),
        ({"access": "built-in"}, "make goes with access 'built-in'"),
        ({"make": {"writer": "w"}}, "make goes with access 'built-in'"),
        ({"steps": None}, "access 'by hand' needs steps"),
        ({"counts": {"cases": -1}}, r"counts\.cases: .* got -1"),
        ({"images": {**LEAST["images"], "channels": 4}}, r"images\.channels"),
        ({"prepare": [{"match": "*", "mode": "bright"}]}, r"prepare\.0\.mode: .* got 'bright'"),
    ],
)
def test_a_manifest_that_breaks_the_schema_names_the_field(tmp_path, changed, said):
    with pytest.raises(DataError, match=rf"one\.yml: broken manifest: .*{said}"):
        read_manifest(written(tmp_path, **changed))


def test_the_name_is_the_files(tmp_path):
    written(tmp_path).rename(tmp_path / "two.yml")
    with pytest.raises(DataError, match="name: 'one' is not the file's"):
        read_manifest(tmp_path / "two.yml")


@pytest.mark.parametrize("text", ["a: [", "\tx", "- 1"])
def test_what_is_no_manifest_is_named(tmp_path, text):
    (tmp_path / "one.yml").write_text(text)
    with pytest.raises(DataError, match=r"one\.yml: broken manifest"):
        read_manifest(tmp_path / "one.yml")


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"data set must be one of acdc, .*, got 'imagenet'"):
        load_manifest("imagenet")


def test_the_checksum_of_a_list_changes_with_the_list(tmp_path, monkeypatch):
    monkeypatch.setattr("shortlib.data.manifest.manifest_folder", lambda: tmp_path)
    listed = {"table": "list.csv", "url": "https://host/{repository}/{commit}/{path}"}
    manifest = read_manifest(written(tmp_path, access="open", file_list=listed))
    (tmp_path / "list.csv").write_text("a")
    first = manifest.list_checksum()
    assert first == manifest.list_checksum()
    (tmp_path / "list.csv").write_text("b")
    assert manifest.list_checksum() != first
    assert read_manifest(written(tmp_path)).list_checksum() is None


def test_a_list_outside_the_folder_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("shortlib.data.manifest.manifest_folder", lambda: tmp_path)
    listed = {"table": "../list.csv", "url": "u"}
    manifest = read_manifest(written(tmp_path, access="open", file_list=listed))
    with pytest.raises(DataError, match="hostile path"):
        manifest.list_path()


def test_blanks_in_a_path_are_quoted_in_its_url():
    row = {"repository": "o/r", "commit": "c", "path": "a b/ü?.png"}
    url = load_manifest("covid-cxr-lungmask").file_list.address(row)
    assert url == "https://raw.githubusercontent.com/o/r/c/a%20b/%C3%BC%3F.png"
