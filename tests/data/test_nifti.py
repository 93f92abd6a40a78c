"""NIfTI volumes: what is refused, and that masks stay on their images."""

import contextlib
import gzip
import struct

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from shortlib.data.nifti import (
    Header,
    min_max,
    read_codes,
    read_header,
    read_volume,
    resample,
    resample_codes,
)
from shortlib.data.problems import DataError

CODES = (0, 1, 2, 3)


def write(path, values, spacing=(1.5, 1.5), thickness=8.0, affine=None):
    """Write (slices, h, w) or (phases, slices, h, w); spacing from row to row, then column."""
    image = nibabel.Nifti1Image(np.asarray(values).T, np.eye(4) if affine is None else affine)
    zooms = (spacing[1], spacing[0], thickness, 0.03)
    image.header.set_zooms(zooms[: np.ndim(values)])
    nibabel.save(image, path)
    return path


def ramps(h, w, slices=2):
    """Row number and column number of every pixel."""
    rows, columns = np.mgrid[:h, :w]
    return (np.broadcast_to(x, (slices, h, w)).astype(np.uint8) for x in (rows, columns))


def test_axes_spacing_and_values(tmp_path):
    values = np.arange(3 * 4 * 5, dtype=np.int16).reshape(3, 4, 5)
    path = write(tmp_path / "a.nii.gz", values, spacing=(2.0, 1.25), thickness=7.0)
    header = read_header(path)
    assert (header.shape, header.spacing, header.thickness) == ((3, 4, 5), (2.0, 1.25), 7.0)
    read, _ = read_volume(path)
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, values)


def test_a_fourth_axis_of_length_one_is_dropped_and_a_cine_keeps_its_phases(tmp_path):
    values = np.random.default_rng(0).integers(0, 99, (1, 2, 4, 5)).astype(np.int16)
    read, _ = read_volume(write(tmp_path / "a.nii.gz", values))
    np.testing.assert_array_equal(read, values[0])
    cine = np.random.default_rng(0).integers(0, 99, (6, 2, 4, 5)).astype(np.int16)
    read, header = read_volume(write(tmp_path / "b.nii.gz", cine), axes=4)
    np.testing.assert_array_equal(read, cine)
    assert header.shape == (6, 2, 4, 5)


def test_the_scale_factor_of_a_header_counts(tmp_path):
    image = nibabel.Nifti1Image(np.array([[[0, 1], [2, 3]]], np.int16), np.eye(4))
    image.header.set_slope_inter(2.0, 5.0)
    nibabel.save(image, tmp_path / "a.nii.gz")
    read, _ = read_volume(tmp_path / "a.nii.gz")
    assert sorted(read.ravel()) == [5, 7, 9, 11]


def test_spacing_is_pixdim_even_where_the_affine_has_none(tmp_path):
    # ACDC's frames: an sform of ones beside a qform with the spacing.
    image = nibabel.Nifti1Image(np.arange(8.0).reshape(2, 2, 2), np.diag([-1.0, -1, 1, 1]))
    image.header.set_zooms((1.25, 1.5, 10))
    image.header["sform_code"], image.header["qform_code"] = 2, 1
    nibabel.save(image, tmp_path / "a.nii.gz")
    header = read_header(tmp_path / "a.nii.gz")
    assert (header.spacing, header.thickness) == ((1.5, 1.25), 10)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def cut_inside(path):
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-50]))


def header_field(offset, fmt, *values):
    def spoil(path):
        content = bytearray(gzip.decompress(path.read_bytes()))
        struct.pack_into(fmt, content, offset, *values)
        path.write_bytes(gzip.compress(bytes(content)))

    return spoil


BAD = {
    "cut": (cut, "unreadable volume"),
    "cut inside": (cut_inside, "unreadable volume"),
    "no bytes": (lambda path: path.write_bytes(b""), "unreadable volume"),
    "text": (lambda path: path.write_text("patient"), "unreadable volume"),
    "two axes": (lambda path: write(path, np.ones((4, 4), np.float32)), "wrong axes"),
    "a cine": (lambda path: write(path, np.ones((3, 2, 4, 4), np.float32)), "wrong axes"),
    "NaN": (lambda path: write(path, np.full((2, 4, 4), np.nan, np.float32)), "NaN or infinite"),
    "beyond float32": (lambda path: write(path, np.full((2, 4, 4), 1e300)), "NaN or infinite"),
    "constant": (lambda path: write(path, np.zeros((2, 4, 4), np.int16)), "every voxel is 0"),
    "complex": (lambda path: write(path, np.ones((2, 4, 4), np.complex64)), "wrong voxels"),
    "spacing 0": (header_field(80, "<f", 0.0), "wrong spacing"),
    "spacing NaN": (header_field(80, "<f", float("nan")), "wrong spacing"),
    "spacing in metres": (header_field(80, "<3f", 0.0015, 0.0015, 0.008), "wrong spacing"),
    "a huge axis": (header_field(40, "<4h", 3, 30000, 30000, 30000), "wrong size"),
    "a negative axis": (header_field(40, "<4h", 3, -4, 4, 4), "volume"),
    "an axis of zero": (header_field(40, "<4h", 3, 0, 4, 4), "wrong size"),
}


@pytest.mark.parametrize("name", BAD)
def test_damaged_volumes(tmp_path, name):
    spoil, said = BAD[name]
    path = write(tmp_path / "a.nii.gz", np.random.default_rng(0).random((2, 4, 4)))
    spoil(path)
    with pytest.raises(DataError, match=said) as error:
        read_volume(path)
    assert "a.nii.gz" in str(error.value)


@settings(max_examples=60, deadline=None)
@given(place=st.integers(0, 351), byte=st.integers(0, 255))
def test_any_byte_of_the_header_may_be_anything(tmp_path_factory, place, byte):
    path = tmp_path_factory.mktemp("fuzz") / "a.nii.gz"
    write(path, np.random.default_rng(0).random((2, 4, 4)).astype(np.float32))
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[place] = byte
    path.write_bytes(gzip.compress(bytes(content)))
    with contextlib.suppress(DataError):
        read_volume(path)


def test_codes_are_read_and_checked_against_the_image(tmp_path):
    codes = np.random.default_rng(0).integers(0, 4, (3, 4, 5)).astype(np.uint8)
    like = Header((3, 4, 5), (1.5, 1.5), 8.0)
    read = read_codes(write(tmp_path / "a.nii.gz", codes), codes=CODES, like=like)
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, codes)
    floats = write(tmp_path / "b.nii.gz", codes.astype(np.float64))
    np.testing.assert_array_equal(read_codes(floats, codes=CODES, like=like), codes)


@pytest.mark.parametrize(
    ("values", "spacing", "said"),
    [
        (np.full((2, 4, 4), 4, np.uint8), (1.5, 1.5), "none of 0, 1, 2, 3; the first is 4"),
        (np.full((2, 4, 4), 0.5), (1.5, 1.5), "the first is 0.5"),
        (np.full((2, 4, 4), -1, np.int16), (1.5, 1.5), "the first is -1"),
        (np.full((2, 4, 4), np.nan), (1.5, 1.5), "the first is nan"),
        (np.zeros((2, 4, 5), np.uint8), (1.5, 1.5), r"\(2, 4, 5\), those of its image \(2, 4, 4\)"),
        (
            np.zeros((2, 4, 4), np.uint8),
            (1.2, 1.2),
            "1.2 x 1.2 mm, that of its image is 1.5 x 1.5 mm",
        ),
    ],
)
def test_codes_that_do_not_belong(tmp_path, values, spacing, said):
    path = write(tmp_path / "a_gt.nii.gz", values, spacing=spacing)
    with pytest.raises(DataError, match=said):
        read_codes(path, codes=CODES, like=Header((2, 4, 4), (1.5, 1.5), 8.0))


def test_a_header_that_was_never_filled_in_takes_the_images_spacing(tmp_path):
    image = write(tmp_path / "a.nii.gz", np.arange(32.0).reshape(2, 4, 4), spacing=(1.5, 1.5))
    like = read_header(image)
    codes = np.arange(32).reshape(2, 4, 4) % 4
    path = write(tmp_path / "a_gt.nii.gz", codes.astype(np.uint8), spacing=(1.0, 1.0))
    np.testing.assert_array_equal(read_codes(path, codes=(0, 1, 2, 3), like=like), codes)


GRIDS = [
    (40, 40, (1.5, 1.5), 40),
    (41, 38, (1.5, 1.5), 50),  # odd and even, filled up
    (60, 61, (1.5, 1.5), 32),  # cut
    (48, 37, (1.9, 0.9), 64),  # anisotropic
    (31, 52, (0.8, 2.3), 33),
    (50, 50, (1.37, 1.37), 224),
]


@pytest.mark.parametrize(("h", "w", "spacing", "side"), GRIDS)
@pytest.mark.parametrize("axis", [0, 1])
def test_a_mask_that_holds_its_own_position_stays_on_its_image(h, w, spacing, side, axis):
    position = list(ramps(h, w))[axis]
    image = resample(position, spacing, side=side)
    mask = resample_codes(position, spacing, side=side)
    # Both are zero outside the scanned field and where the position is 0.
    inner = (mask > 3) & (mask < (h, w)[axis] - 4)
    assert inner.any()
    # A spline is exact on a ramp away from the border; the mask has the nearest pixel.
    assert np.abs(image - mask)[inner].max() <= 0.5 + 0.01
    # One pixel further is 1.5 mm further.
    step = np.diff(image, axis=axis + 1)
    both = np.minimum(*(np.take(inner, np.arange(side - 1) + k, axis=axis + 1) for k in (0, 1)))
    np.testing.assert_allclose(step[both], 1.5 / spacing[axis], rtol=0.02)
    # The middle of the scan is the middle of the result, to half a pixel.
    middle = (image[0] * inner[0]).sum() / inner[0].sum()
    centre = np.array(np.nonzero(inner[0]))[axis].mean() - (side - 1) / 2
    assert abs((middle - ((h, w)[axis] - 1) / 2) * spacing[axis] - centre * 1.5) <= 0.76


@pytest.mark.parametrize(("n", "side"), [(8, 8), (8, 11), (9, 12), (9, 9), (12, 7), (13, 6)])
def test_at_its_own_spacing_nothing_changes_but_the_border(n, side):
    rng = np.random.default_rng(n)
    image, codes = rng.random((2, n, n), np.float32), rng.integers(0, 4, (2, n, n), np.uint8)
    new, mask = resample(image, (1.5, 1.5), side=side), resample_codes(codes, (1.5, 1.5), side=side)
    start, kept = abs(side - n) // 2 + (side < n and (n - side) % 2), min(n, side)
    old, at = (slice(start, start + kept), slice(0, kept))[:: 1 if side < n else -1]
    np.testing.assert_allclose(new[:, at, at], image[:, old, old], atol=1e-6)
    np.testing.assert_array_equal(mask[:, at, at], codes[:, old, old])
    assert new.sum() == pytest.approx(image[:, old, old].sum(), rel=1e-5)


def test_resampling_agrees_with_one_call_for_each_pixel():
    rng, spacing, side = np.random.default_rng(1), (1.2, 2.0), 20
    image = rng.random((17, 12)).astype(np.float32)
    slow = np.zeros((side, side))
    rows, columns = round(17 * 1.2 / 1.5), round(12 * 2.0 / 1.5)
    top, left = (side - rows) // 2, (side - columns) // 2
    for i in range(rows):
        for j in range(columns):
            y = np.clip((i - (rows - 1) / 2) * 1.5 / 1.2 + 8, 0, 16)
            x = np.clip((j - (columns - 1) / 2) * 1.5 / 2.0 + 5.5, 0, 11)
            slow[top + i, left + j] = ndimage.map_coordinates(image, [[y], [x]], order=3)[0]
    seen = np.zeros((side, side), bool)
    seen[top : top + rows, left : left + columns] = True
    slow = np.where(seen, np.clip(slow, image.min(), image.max()), 0)
    np.testing.assert_allclose(resample(image, spacing, side=side), slow, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    h=st.integers(1, 40),
    w=st.integers(1, 40),
    y=st.floats(0.5, 4),
    x=st.floats(0.5, 4),
    side=st.integers(1, 48),
    seed=st.integers(0, 99),
)
def test_resampling_adds_no_value_and_no_code(h, w, y, x, side, seed):
    rng = np.random.default_rng(seed)
    image = 5 + rng.random((2, h, w)).astype(np.float32)
    codes = rng.integers(1, 4, (2, h, w)).astype(np.uint8)
    new, mask = resample(image, (y, x), side=side), resample_codes(codes, (y, x), side=side)
    assert new.shape == mask.shape == (2, side, side)
    assert set(np.unique(mask)) <= {0, *np.unique(codes)}
    # The field that was scanned is the same for both.
    np.testing.assert_array_equal(new > 0, mask > 0)
    assert new[new > 0].min() >= image.min() - 1e-4
    assert new.max() <= image.max() + 1e-4


def test_min_max_by_hand():
    volume = np.array([[[0, 10, 20], [30, 50, 0]]], np.float32)
    np.testing.assert_allclose(min_max(volume), [[[0, 0, 0.25], [0.5, 1, 0]]])
    assert not min_max(np.zeros((1, 2, 2), np.float32)).any()
    np.testing.assert_array_equal(min_max(np.array([[0, 7, 7]], np.float32)), [[0, 1, 1]])


@pytest.mark.parametrize("dtype", [np.int16, np.uint8])
def test_codes_that_were_stored_with_a_slope_are_whole_again(tmp_path, dtype):
    codes = np.arange(16).reshape(1, 4, 4) % 4
    image = nibabel.Nifti1Image(codes.T.astype(np.float64), np.eye(4))
    image.header.set_data_dtype(dtype)
    nibabel.save(image, tmp_path / "gt.nii.gz")
    stored = nibabel.load(tmp_path / "gt.nii.gz").get_fdata()
    assert (stored % 1 != 0).any()
    like = Header((1, 4, 4), (1.0, 1.0), 1.0)
    found = read_codes(tmp_path / "gt.nii.gz", codes=CODES, like=like)
    np.testing.assert_array_equal(found, codes)


@pytest.mark.parametrize("odd", [0.5, 1.01, np.nan])
def test_codes_are_not_rounded_from_afar(tmp_path, odd):
    codes = np.zeros((1, 4, 4), np.float32)
    codes[0, 1, 1] = odd
    path = write(tmp_path / "gt.nii.gz", codes)
    with pytest.raises(DataError, match="unknown code in ground truth: 1 voxels are none of"):
        read_codes(path, codes=CODES, like=Header((1, 4, 4), (1.5, 1.5), 8.0))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_sign_of_a_spacing_says_nothing_beside_one_of_1_mm(tmp_path):
    path = write(tmp_path / "a.nii", np.ones((3, 4, 5), np.uint8), spacing=(1.0, 1.25))
    data = bytearray(path.read_bytes())
    data[80:84] = struct.pack("<f", -1.25)
    path.write_bytes(data)
    assert read_header(path).spacing == (1.0, 1.25)
