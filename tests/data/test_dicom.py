import io
import warnings

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    SecondaryCaptureImageStorage,
)

from shortlib.data.dicom import read_dicom, read_header, read_size
from shortlib.data.problems import DataError

RAMP = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4


def write(path, pixels, *, bits=8, jpeg=False, implicit=False, **tags):
    """A DICOM of one image; `tags` replace what it would hold (None: left out)."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    syntax = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    meta.TransferSyntaxUID = JPEGBaseline8Bit if jpeg else syntax
    file = FileDataset(path, {}, file_meta=meta, preamble=b"\0" * 128)
    data = np.ascontiguousarray(pixels).tobytes()
    if jpeg:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=95)
        data = encapsulate([buffer.getvalue()])
    values = {
        "SOPClassUID": SecondaryCaptureImageStorage,
        "SOPInstanceUID": "1.2.3.4",
        "Modality": "CR",
        "PatientID": "p7",
        "PatientSex": "F",
        "PatientAge": "051Y",
        "ViewPosition": "AP",
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": pixels.dtype.itemsize * 8,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
        "PixelData": data,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some of the values are wrong on purpose
        for tag, value in {**values, **tags}.items():
            if value is not None:
                setattr(file, tag, value)
        file["PixelData"].VR = "OW" if pixels.dtype.itemsize == 2 else "OB"
        file.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize("implicit", [True, False])
def test_eight_bits_stay_as_they_are(tmp_path, implicit):
    path = write(tmp_path / "a.dcm", RAMP, implicit=implicit)
    image = read_dicom(path)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, RAMP[None])


def test_monochrome1_is_inverted(tmp_path):
    path = write(tmp_path / "a.dcm", RAMP, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(read_dicom(path)[0], 255 - RAMP)


def test_jpeg_is_what_pillow_decodes(tmp_path):
    smooth = np.tile(np.linspace(20, 220, 64).astype(np.uint8), (64, 1))
    image = read_dicom(write(tmp_path / "a.dcm", smooth, jpeg=True))
    assert np.abs(image[0].astype(int) - smooth).max() <= 3


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_deeper_values_are_stretched(tmp_path, bits):
    deep = np.linspace(100, 2**bits - 1, 64).astype(np.uint16).reshape(8, 8)
    image = read_dicom(write(tmp_path / "a.dcm", deep, bits=bits))[0]
    expected = (deep.astype(float) - 100) / (2**bits - 101) * 255
    np.testing.assert_allclose(image, expected, atol=0.51)


def test_a_constant_deep_image_is_black(tmp_path):
    assert not read_dicom(write(tmp_path / "a.dcm", np.full((4, 4), 900, np.uint16), bits=12)).any()


def test_signed_values_and_rescaling(tmp_path):
    signed = (np.arange(64, dtype=np.int16) - 32).reshape(8, 8)
    # The slope is negative, so that the largest stored value is the darkest.
    path = write(tmp_path / "a.dcm", signed, bits=16, RescaleSlope=-2, RescaleIntercept=7)
    np.testing.assert_allclose(read_dicom(path)[0], (31 - signed) / 63 * 255, atol=0.51)


def test_a_window_saturates(tmp_path):
    deep = np.array([[0, 999, 1000, 1050, 1099, 1100, 4000]], np.uint16)
    path = write(tmp_path / "a.dcm", deep, bits=12, WindowCenter=[1050, 9], WindowWidth=[101, 9])
    # Width 101 around 1050: 999.5 is black and 1099.5 is white.
    expected = np.array([0, 0, 0.5, 50.5, 99.5, 100, 100]) / 100 * 255
    np.testing.assert_allclose(read_dicom(path)[0, 0], expected, atol=0.51)
    path = write(
        tmp_path / "b.dcm",
        deep,
        bits=12,
        WindowCenter=1050,
        WindowWidth=100,
        VOILUTFunction="SIGMOID",
    )
    expected = 255 / (1 + np.exp(-4 * (deep[0].astype(float) - 1050) / 100))
    np.testing.assert_allclose(read_dicom(path)[0, 0], expected, atol=0.51)


def test_size_and_the_expected_size(tmp_path):
    path = write(tmp_path / "a.dcm", RAMP)
    assert read_dicom(path, size=4).shape == (1, 4, 4)
    assert read_dicom(path, expected=(8, 8)).shape == (1, 8, 8)
    with pytest.raises(DataError, match="8x8 px, in this data set it is 1024x1024"):
        read_dicom(path, expected=(1024, 1024))


@pytest.mark.parametrize(
    ("tags", "kind"),
    [
        ({"NumberOfFrames": 2, "PixelData": RAMP.tobytes() * 2}, "several frames"),
        (
            {
                "SamplesPerPixel": 3,
                "PhotometricInterpretation": "RGB",
                "PlanarConfiguration": 0,
                "PixelData": RAMP.tobytes() * 3,
            },
            "colour image",
        ),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "colour image"),
        ({"PixelData": RAMP.tobytes()[:20]}, "unreadable image"),
        ({"Rows": 0}, "unreadable image"),
        ({"Rows": None}, "unreadable image"),
        ({"BitsStored": None}, "unreadable image"),
        ({"BitsAllocated": 32, "BitsStored": 32}, "depth of image"),
        ({"WindowCenter": 5, "WindowWidth": 0}, "bad window"),
        ({"WindowWidth": 5}, "bad window"),
        ({"WindowCenter": 5, "WindowWidth": 5, "VOILUTFunction": "ODD"}, "bad window"),
    ],
)
def test_what_is_refused(tmp_path, tags, kind):
    path = write(tmp_path / "a.dcm", RAMP, **tags)
    with pytest.raises(DataError) as error:
        read_dicom(path)
    assert error.value.kind == kind
    assert "a.dcm" in str(error.value)


def test_no_pixels(tmp_path):
    path = write(tmp_path / "a.dcm", RAMP)
    file = pydicom.dcmread(path)
    del file.PixelData
    file.save_as(path)
    with pytest.raises(DataError, match="no pixels"):
        read_dicom(path)


def test_damaged_files_give_nothing_but_a_data_error(tmp_path):
    whole = write(tmp_path / "a.dcm", np.tile(RAMP, (4, 4)), jpeg=True).read_bytes()
    rng = np.random.default_rng(0)
    path = tmp_path / "b.dcm"
    for trial in range(150):
        data = bytearray(whole[: rng.integers(0, len(whole)) if trial % 2 else None])
        for place in rng.integers(0, max(len(data), 1), 6):
            data[place : place + 1] = rng.bytes(1)
        path.write_bytes(data)
        for read in (read_dicom, read_header):
            try:
                read(path)
            except DataError as error:
                assert "b.dcm" in str(error)  # noqa: PT017


def test_a_rescaling_that_changes_nothing_leaves_eight_bits(tmp_path):
    path = write(tmp_path / "a.dcm", RAMP, RescaleSlope=1, RescaleIntercept=0)
    np.testing.assert_array_equal(read_dicom(path)[0], RAMP)


@pytest.mark.parametrize("inverted", [False, True])
def test_look_up_tables(tmp_path, inverted):
    """Values 0 to 255 go to a table of 12-bit output, twice as steep in its upper half."""
    table = np.concatenate([np.linspace(0, 1365, 128), np.linspace(1386, 4095, 128)])
    table = table.astype(np.uint16)
    item = pydicom.Dataset()
    item.LUTDescriptor = [256, 0, 12]
    item.LUTData = table.tobytes()
    item["LUTData"].VR = "OW"
    kind = "MONOCHROME1" if inverted else "MONOCHROME2"
    path = write(tmp_path / "a.dcm", RAMP, VOILUTSequence=[item], PhotometricInterpretation=kind)
    expected = table[RAMP] / 4095 * 255
    image = read_dicom(path)[0]
    np.testing.assert_allclose(image, 255 - expected if inverted else expected, atol=0.51)


def test_size_from_the_header(tmp_path):
    assert read_size(write(tmp_path / "a.dcm", RAMP[:4])) == (4, 8)
    with pytest.raises(DataError, match="unreadable header"):
        read_size(write(tmp_path / "b.dcm", RAMP, Rows=None))


def test_header(tmp_path):
    found = read_header(write(tmp_path / "a.dcm", RAMP))
    assert found == {
        "image_id": "1.2.3.4",
        "patient_id": "p7",
        "sex": "F",
        "age": 51.0,
        "view": "AP",
    }


@pytest.mark.parametrize(
    ("written", "years"),
    [("51", 51), ("051Y", 51), ("018M", 1.5), ("412", np.nan), (None, np.nan), ("", np.nan)],
)
def test_ages(tmp_path, written, years):
    path = write(tmp_path / "a.dcm", RAMP, PatientAge=written, PatientSex=None)
    found = read_header(path)
    np.testing.assert_equal(found["age"], float(years))
    assert found["sex"] == ""


def test_an_age_that_is_none(tmp_path):
    path = write(tmp_path / "a.dcm", RAMP, PatientAge="old")
    with pytest.raises(DataError, match="PatientAge is like 051Y or 51, got 'old'"):
        read_header(path)
