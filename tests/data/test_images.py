import io
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from shortlib.data.images import fit_mask, fit_to, read_image, read_mask, read_planes
from shortlib.data.problems import DataError

RAMP = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10


def saved(tmp_path, pixels, name="x.png", mode=None, **options):
    path = tmp_path / name
    image = Image.fromarray(np.asarray(pixels))
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def test_grey_and_colour_come_channels_first(tmp_path):
    np.testing.assert_array_equal(read_image(saved(tmp_path, RAMP)), RAMP[None])
    colour = np.stack([RAMP, RAMP // 2, RAMP // 3], axis=-1)
    read = read_image(saved(tmp_path, colour), channels=3)
    np.testing.assert_array_equal(read, colour.transpose(2, 0, 1))


def test_grey_stored_in_colour_is_grey(tmp_path):
    for mode in ("RGB", "RGBA", "LA", "P"):
        path = saved(tmp_path, RAMP, f"{mode}.png", mode)
        np.testing.assert_array_equal(read_image(path), RAMP[None])
    noisy = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    assert read_image(saved(tmp_path, noisy, "x.jpg", "RGB")).shape == (1, 64, 64)


def deep(tmp_path):
    return saved(tmp_path, RAMP.astype(np.uint16) * 100)


def tinted(tmp_path):
    return saved(tmp_path, np.stack([RAMP, RAMP, RAMP // 2], -1))


def transparent(tmp_path):
    return saved(tmp_path, np.stack([RAMP, RAMP], -1), mode=None)


def truncated(tmp_path):
    path = saved(tmp_path, np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:-500])
    return path


def no_image(tmp_path):
    (tmp_path / "x.png").write_text("<html>not found</html>")
    return tmp_path / "x.png"


def cmyk(tmp_path):
    return saved(tmp_path, RAMP, "x.jpg", "CMYK")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (deep, "image is not 8-bit: stored as I;16"),
        (tinted, "colour image: channels differ by up to 115 levels; grey is due"),
        (transparent, "transparent image: every pixel must be opaque"),
        (truncated, "unreadable image"),
        (no_image, "unreadable image: cannot identify"),
        (cmyk, "colours of image: stored as CMYK"),
    ],
)
def test_what_is_no_grey_8_bit_image(tmp_path, make, sentence):
    path = make(tmp_path)
    with pytest.raises(DataError, match=sentence) as caught:
        read_image(path)
    assert caught.value.path == path


def test_grey_where_colour_is_due(tmp_path):
    with pytest.raises(DataError, match="grey image: images of this data set are in colour"):
        read_image(saved(tmp_path, RAMP), channels=3)


def test_the_size_of_the_data_set_is_checked(tmp_path):
    path = saved(tmp_path, RAMP)
    assert read_image(path, expected=(4, 6)).shape == (1, 4, 6)
    with pytest.raises(DataError, match=r"wrong size of image: 6x4 px, in this data set it is 5x4"):
        read_image(path, expected=(4, 5))
    with pytest.raises(DataError, match="wrong size of mask"):
        read_mask(saved(tmp_path, RAMP > 50), expected=(4, 5))


@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"BM"]),
)
def test_any_bytes_are_an_image_or_a_data_error(tmp_path_factory, content, start):
    path = tmp_path_factory.mktemp("bytes") / "x.png"
    path.write_bytes(start + content)
    for read in (read_image, read_mask):
        with pytest.raises(DataError):
            read(path)


@pytest.mark.parametrize("inner", [1, 255])
def test_masks_are_zero_and_one_more_value(tmp_path, inner):
    mask = RAMP > 100
    read = read_mask(saved(tmp_path, (mask * inner).astype(np.uint8)))
    np.testing.assert_array_equal(read, mask)
    assert read.dtype == bool


def test_a_mask_in_greys_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"mask is not binary: holds \[0, 10, 20, 30, 40, 50\]"):
        read_mask(saved(tmp_path, RAMP))


@pytest.mark.parametrize("codes", [[0, 1, 2], [0, 127], [0, 100, 255], [3]])
def test_codes_of_classes_are_no_mask(tmp_path, codes):
    pixels = np.resize(np.array(codes, np.uint8), (8, 8))
    with pytest.raises(DataError, match="mask is not binary"):
        read_mask(saved(tmp_path, pixels))


def test_greys_along_an_edge_are_taken_at_half(tmp_path):
    square = np.zeros((64, 64), np.uint8)
    square[16:48, 16:48] = 255
    edge = square.copy()
    edge[16, 16:48], edge[47, 16:48] = 200, 60
    expected = square > 0
    expected[47] = False
    np.testing.assert_array_equal(read_mask(saved(tmp_path, edge)), expected)
    jpeg = read_mask(saved(tmp_path, square, "m.jpg", quality=60))
    np.testing.assert_array_equal(jpeg, square > 0)


def test_a_large_jpeg_is_read_at_the_wanted_size(tmp_path):
    pixels = np.tile(np.linspace(0, 255, 2000).astype(np.uint8), (1000, 1))
    path = saved(tmp_path, pixels, "x.jpg", quality=95)
    small = read_image(path, size=50, fit="stretch", expected=(1000, 2000))
    np.testing.assert_allclose(small[0, 25], np.linspace(2.5, 252.5, 50), atol=2)


@pytest.mark.parametrize("shape", [(4, 6), (6, 4), (5, 5), (1, 9)])
@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("size", [1, 3, 5, 12])
def test_every_fit_gives_a_square_and_keeps_a_constant(shape, fit, size):
    fitted = fit_to(np.full(shape, 7, np.uint8), size, fit)
    assert fitted.shape == (size, size)
    assert set(np.unique(fitted)) <= ({0, 7} if fit == "pad" else {7})


def test_a_strip_of_an_image_takes_no_more_memory_than_it_has():
    strip = np.full((1, 200_000), 7, np.uint8)
    tracemalloc.start()
    assert fit_to(strip, 224, "crop").shape == (224, 224)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5e6


def test_crop_keeps_the_middle_and_pad_keeps_all():
    wide = np.arange(8, dtype=np.uint8)[None].repeat(4, 0)
    np.testing.assert_array_equal(fit_to(wide, 4, "crop")[0], [2, 3, 4, 5])
    padded = fit_to(wide, 8, "pad")
    np.testing.assert_array_equal(padded[3], np.arange(8))
    assert padded[:2].sum() == padded[6:].sum() == 0


@given(
    st.integers(3, 40),
    st.integers(3, 40),
    st.integers(2, 40),
    st.sampled_from(["crop", "pad", "stretch"]),
)
def test_a_mask_stays_on_its_image(height, width, size, fit):
    # The mask is where the image is bright; it must be so afterwards, edges aside.
    image = np.zeros((height, width), np.uint8)
    image[: height // 2 + 1, : width // 2 + 1] = 255
    mask = fit_mask(image == 255, size, fit)
    brightness = fit_to(image, size, fit).astype(float)
    clear = abs(brightness - 127.5) > 2
    np.testing.assert_array_equal(mask[clear], brightness[clear] > 127.5)


def test_thin_masks_survive_when_any_of_a_pixel_counts():
    line = np.zeros((64, 64), bool)
    line[:, 10] = True
    assert not fit_mask(line, 8).any()
    assert fit_mask(line, 8, keep="any").sum() == 8


@pytest.mark.parametrize(
    ("size", "fit", "sentence"),
    [(0, "crop", "size is a side"), (2.5, "crop", "size is a side"), (4, "squeeze", "fit must be")],
)
def test_wrong_arguments_are_named(size, fit, sentence):
    with pytest.raises(ValueError, match=sentence):
        fit_to(RAMP, size, fit)


def test_planes_share_a_file_a_bit_each(tmp_path):
    rng = np.random.default_rng(0)
    planes = rng.random((3, 4, 6)) < 0.5
    bits = (planes * np.array([1, 2, 4])[:, None, None]).sum(0).astype(np.uint8)
    path = saved(tmp_path, bits)
    np.testing.assert_array_equal(read_planes(path, 3), planes)
    if bits.max() > 3:
        with pytest.raises(DataError, match="mask is not binary: more than 2 planes"):
            read_planes(path, 2)


def test_an_image_from_memory_is_closed(tmp_path):
    # On some systems an open file cannot be removed; the reader must not keep it.
    path = saved(tmp_path, RAMP)
    read_image(path)
    path.unlink()
    buffer = io.BytesIO()
    Image.fromarray(RAMP).save(buffer, "PNG")
    path.write_bytes(buffer.getvalue())
    assert read_image(path).shape == (1, 4, 6)
