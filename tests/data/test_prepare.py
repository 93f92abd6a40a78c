import numpy as np
import pytest
from PIL import Image

from shortlib.data.manifest import Preparation, load_manifest
from shortlib.data.prepare import check_prepared, preparation_of, prepare
from shortlib.data.problems import DataError

GREY = Preparation(match="*", mode="grey", size=(30, 20))


def saved(path, array, **options):
    Image.fromarray(array).save(path, **options)
    return path


def opened(path):
    with Image.open(path) as image:
        return image.format, image.mode, image.size, np.asarray(image)


def test_a_colour_original_becomes_grey_of_the_size(tmp_path):
    original = saved(tmp_path / "a.png", np.full((50, 70, 3), 90, np.uint8))
    prepare(original, tmp_path / "new" / "b.png", GREY)
    form, mode, size, pixels = opened(tmp_path / "new" / "b.png")
    assert (form, mode, size) == ("PNG", "L", (30, 20))
    assert (pixels == 90).all()
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["b.png"]
    check_prepared(tmp_path / "new" / "b.png", GREY)


def test_sixteen_bits_keep_their_upper_eight(tmp_path):
    ramp = (np.arange(256, dtype=np.uint16) * 257).reshape(16, 16)
    prepare(
        saved(tmp_path / "a.png", ramp), tmp_path / "b.png", Preparation(match="*", mode="grey")
    )
    assert (opened(tmp_path / "b.png")[3].ravel() == np.arange(256)).all()


def test_transparency_and_palettes_are_read(tmp_path):
    image = Image.new("RGBA", (8, 8), (40, 40, 40, 255))
    image.save(tmp_path / "a.png")
    image.convert("P").save(tmp_path / "p.png")
    for name in ("a.png", "p.png"):
        prepare(tmp_path / name, tmp_path / "b.png", Preparation(match="*", mode="grey"))
        assert (opened(tmp_path / "b.png")[3] == 40).all()


def test_a_mask_is_two_values_and_what_is_to_be_ignored_is_outside(tmp_path):
    mask = np.zeros((40, 40), np.uint8)
    mask[:, 10:20], mask[:, 20:30] = 255, 127
    how = Preparation(match="*", mode="mask", size=(20, 20))
    prepare(saved(tmp_path / "a.png", mask), tmp_path / "b.png", how)
    pixels = opened(tmp_path / "b.png")[3]
    due = np.zeros((20, 20), np.uint8)
    due[:, 5:10] = 255
    assert (pixels == due).all()


@pytest.mark.parametrize(
    ("shape", "due"), [((100, 200), (64, 32)), ((200, 100), (32, 64)), ((30, 40), (40, 30))]
)
def test_the_longest_side_shrinks_and_never_grows(tmp_path, shape, due):
    how = Preparation(match="*", mode="grey", longest=64)
    prepare(saved(tmp_path / "a.png", np.zeros(shape, np.uint8)), tmp_path / "b.jpg", how)
    form, mode, size, _ = opened(tmp_path / "b.jpg")
    assert (form, mode, size) == ("JPEG", "L", due)


def test_without_a_preparation_the_bytes_stay(tmp_path):
    (tmp_path / "a").write_bytes(b"anything")
    prepare(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"anything"


def test_what_is_no_image_is_named_and_leaves_nothing(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"a\.png: unreadable image"):
        prepare(tmp_path / "a.png", tmp_path / "b.png", GREY)
    assert not (tmp_path / "b.png").exists()


def test_a_prepared_file_of_another_size_is_named(tmp_path):
    saved(tmp_path / "a.png", np.zeros((9, 9), np.uint8))
    with pytest.raises(DataError, match=r"not as prepared: is L 9x9 px; L, .*30, 20.* is due"):
        check_prepared(tmp_path / "a.png", GREY)


def test_every_listed_file_of_the_real_manifests_has_its_preparation():
    manifest = load_manifest("covid-cxr-lungmask")
    assert preparation_of(manifest, "Viral Pneumonia/masks/Viral Pneumonia-3.png").mode == "mask"
    assert preparation_of(manifest, "COVID/images/COVID-1.png").size == (299, 299)
    assert preparation_of(manifest, "metadata.csv") is None


def test_the_open_images_are_as_the_manifests_prepare_them(open_data):
    for name, file in (
        ("covid-cxr-lungmask", "COVID/images/COVID-1.png"),
        ("covid-cxr-lungmask", "Normal/masks/Normal-1.png"),
        ("nih-cxr14-starter", "images/00000075_000.jpg"),
        ("ieee8023-image-text", "images/ARDSSevere_png.jpg"),
    ):
        manifest = load_manifest(name)
        check_prepared(open_data / name.replace("-", "_") / file, preparation_of(manifest, file))
