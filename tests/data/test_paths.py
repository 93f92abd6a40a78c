import pytest

from shortlib.data.paths import data_set_root, existing, inside
from shortlib.data.problems import DataError


@pytest.mark.parametrize(
    "path",
    ["../x", "a/../../x", "/etc/passwd", "a/..", "..\\x", "C:\\x", "", "a\0b", "./../x"],
)
def test_hostile_paths_are_refused(tmp_path, path):
    with pytest.raises(DataError, match=r"hostile path: .* is not a path below"):
        inside(tmp_path, path)


def test_links_may_not_lead_out_but_the_root_may_be_one(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "secret.txt"
    root.mkdir()
    outside.write_text("secret")
    (root / "link.txt").symlink_to(outside)
    (root / "folder").symlink_to(tmp_path)
    for path in ("link.txt", "folder/secret.txt"):
        with pytest.raises(DataError, match=r"link out of the root: leads to .*secret.txt"):
            existing(root, path, "image")
    (root / "inner.txt").write_text("fine")
    (root / "alias.txt").symlink_to(root / "inner.txt")
    (tmp_path / "elsewhere").symlink_to(root)
    assert existing(tmp_path / "elsewhere", "alias.txt", "image").read_text() == "fine"


def test_a_link_that_leads_to_itself_is_broken(tmp_path):
    (tmp_path / "x.png").symlink_to("x.png")
    for path in ("x.png", "x.png/y.png"):
        with pytest.raises(DataError, match=r"x.png.*: broken link"):
            existing(tmp_path, path, "image")


def test_a_file_must_be_there_and_hold_something(tmp_path):
    with pytest.raises(DataError, match=r"x.png: missing image: there is no such file"):
        existing(tmp_path, "x.png", "image")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(DataError, match="missing image"):
        existing(tmp_path, "folder.png", "image")
    (tmp_path / "x.png").touch()
    with pytest.raises(DataError, match=r"x.png: empty image: the file has no bytes"):
        existing(tmp_path, "x.png", "image")
    with pytest.raises(DataError, match="image"):
        existing(tmp_path, "n" * 5000, "image")


def test_the_right_root_is_named_when_it_is_near(tmp_path):
    right = tmp_path / "set"
    (right / "images").mkdir(parents=True)
    assert data_set_root(right, "set", holds=["images"]) == right
    for wrong in (tmp_path, right / "images"):
        with pytest.raises(DataError, match=f"holds images, this folder does not; {right} has it"):
            data_set_root(wrong, "set", holds=["images"])
    with pytest.raises(DataError, match="no data: set needs a folder; there is none here"):
        data_set_root(tmp_path / "nowhere", "set", holds=["images"])
