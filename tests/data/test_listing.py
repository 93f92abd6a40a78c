import pytest

from shortlib.data.listing import describe, overview, state_of
from shortlib.data.manifest import load_manifest, manifest_names


@pytest.fixture(autouse=True)
def data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SHORTLIB_DATA", str(tmp_path))
    return tmp_path


def put(folder, name, file):
    (folder / name).mkdir()
    (folder / name / file).write_text("{}")


def test_every_data_set_has_a_row_that_says_what_it_needs():
    table = overview().set_index("name")
    assert list(table.index) == manifest_names()
    assert set(table["here"]) == {"no"}
    assert (
        table.loc["mimic-cxr-jpg", "to get it"] == "an agreement: shortlib data show mimic-cxr-jpg"
    )
    assert table.loc["builtin-cm", "to get it"] == "shortlib data make builtin-cm"
    assert table.loc["covid-cxr-lungmask", "to get it"] == "shortlib data fetch covid-cxr-lungmask"
    assert table.loc["mimic-cxr-jpg", "cases"] == "377,110"


def test_what_is_here_is_told_apart(data_folder):
    put(data_folder, "covid-cxr-lungmask", "fetched.json")
    put(data_folder, "builtin-cm", "made.json")
    put(data_folder, "acdc", "anything")
    (data_folder / "chexpert").mkdir()
    put(data_folder, ".nih-cxr14-starter.partial", "a")
    table = overview().set_index("name")
    assert table["here"][["covid-cxr-lungmask", "builtin-cm", "acdc"]].tolist() == [
        "fetched",
        "made",
        "yes",
    ]
    assert table["to get it"][["covid-cxr-lungmask", "builtin-cm", "acdc"]].tolist() == [""] * 3
    assert state_of("chexpert") == "no"
    assert state_of("nih-cxr14-starter") == "begun"


@pytest.mark.parametrize("name", manifest_names())
def test_all_that_a_manifest_says_is_shown(name, tmp_path):
    said = " ".join(describe(name).split())
    manifest = load_manifest(name)
    stated = [
        manifest.title,
        manifest.summary,
        manifest.licence.name,
        manifest.splits.rule.rstrip("."),
        *manifest.steps,
        *manifest.quirks,
        *manifest.checks,
        *(citation.text for citation in manifest.citations),
        *(item.url for item in manifest.by_hand),
        *([manifest.homepage] if manifest.homepage else []),
        str(tmp_path / name),
    ]
    missing = [text for text in stated if " ".join(text.split()) not in said]
    assert missing == []
    assert max(map(len, describe(name).splitlines())) < 130


def test_the_folder_that_was_named_is_the_place(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a").touch()
    said = describe("acdc", tmp_path / "mine")
    assert str(tmp_path / "mine") in said
    assert "here       yes" in said
