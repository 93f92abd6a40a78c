"""A radiograph as a DICOM file, with the same bytes wherever it is made."""

import io

from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit, SecondaryCaptureImageStorage

ENCODINGS = ("jpeg", "none")

# Of the program that writes; the library's own would change with its version.
_IMPLEMENTATION = "2.25.203185527131094229806384826149130446529"


def radiograph(pixels, *, uids, patient_id, age, sex, view, encoding="jpeg", quality=95):
    """Write an image as a secondary capture, as those of SIIM-ACR are.

    Parameters
    ----------
    pixels : numpy.ndarray of uint8, shape (h, w)
    uids : tuple of str
        Of the study, the series and the image.
    patient_id : str
    age : float
        In years.
    sex : str
        ``"F"`` or ``"M"``.
    view : str
        ``"PA"`` or ``"AP"``.
    encoding : str
        One of `ENCODINGS`: JPEG baseline, or uncompressed.
    quality : int
        Of the JPEG, 1 to 100.

    Returns
    -------
    bytes
        Of the file.
    """
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = uids[2]
    meta.TransferSyntaxUID = JPEGBaseline8Bit if encoding == "jpeg" else ExplicitVRLittleEndian
    meta.ImplementationClassUID = _IMPLEMENTATION
    meta.ImplementationVersionName = "SHORTLIB"
    file = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    file.SpecificCharacterSet = "ISO_IR 100"
    file.SOPClassUID = SecondaryCaptureImageStorage
    file.StudyInstanceUID, file.SeriesInstanceUID, file.SOPInstanceUID = uids
    file.StudyDate = file.StudyTime = file.AccessionNumber = file.StudyID = ""
    file.Modality, file.ConversionType = "CR", "WSD"
    file.BodyPartExamined, file.ViewPosition = "CHEST", view
    file.PatientID = file.PatientName = patient_id
    file.PatientBirthDate, file.PatientSex, file.PatientAge = "", sex, _age(age)
    file.ReferringPhysicianName = ""
    file.SeriesNumber = file.InstanceNumber = 1
    file.PatientOrientation = ""
    file.SamplesPerPixel, file.PhotometricInterpretation = 1, "MONOCHROME2"
    file.Rows, file.Columns = pixels.shape
    file.BitsAllocated = file.BitsStored = 8
    file.HighBit, file.PixelRepresentation = 7, 0
    file.BurnedInAnnotation = "NO"
    file.LossyImageCompression = "01" if encoding == "jpeg" else "00"
    if encoding == "jpeg":
        code = io.BytesIO()
        Image.fromarray(pixels).save(code, "JPEG", quality=quality)
        file.LossyImageCompressionMethod = "ISO_10918_1"
        file.LossyImageCompressionRatio = f"{pixels.size / code.tell():.4g}"
        file.PixelData = encapsulate([code.getvalue()])
        file["PixelData"].is_undefined_length = True
    else:
        file.PixelData = pixels.tobytes() + b"\0" * (pixels.size % 2)
    file["PixelData"].VR = "OB"
    written = io.BytesIO()
    file.save_as(written, enforce_file_format=True)
    return written.getvalue()


def _age(years):
    return f"{int(years):03d}Y" if years >= 2 else f"{int(years * 12):03d}M"
