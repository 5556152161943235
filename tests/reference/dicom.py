"""Compressed DICOM slices as pydicom writes them, with OpenJPEG and CharLS.

    python dicom.py ../fixtures/dicom

The tests of `runner/src/data/formats/dicom` make the same pixels themselves.
"""

import sys
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, JPEGLSNearLossless

ROWS, COLUMNS = 41, 37


def pixels():
    """Air, a slope with a pattern on it, and the least and the greatest numbers of sixteen bits."""
    row, column = np.mgrid[:ROWS, :COLUMNS]
    tissue = 40 * ((13 * row + 29 * column) % 61) - 900 + 7 * row
    values = np.where((column < 6) | (row > 33), -1000, tissue)
    values[3, 8:10] = -32768, 32767
    return values


def slice_of(values, bits, signed):
    data = pydicom.Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = CTImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = "1.2.3.4"
    data.SeriesInstanceUID, data.Modality = "1.2.3", "CT"
    data.ImagePositionPatient = [0, 0, 0]
    data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    data.PixelSpacing, data.SliceThickness = [1, 1], 1
    data.PhotometricInterpretation, data.SamplesPerPixel = "MONOCHROME2", 1
    data.Rows, data.Columns = ROWS, COLUMNS
    data.BitsAllocated = 8 if bits == 8 else 16
    data.BitsStored, data.HighBit, data.PixelRepresentation = bits, bits - 1, int(signed)
    kind = {(8, False): "<u1", (12, False): "<u2", (16, True): "<i2"}[bits, signed]
    data.PixelData = values.astype(kind).tobytes()
    return data


if __name__ == "__main__":
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    signed = pixels()
    twelve = np.clip(signed + 1024, 0, 4095)
    eight = np.clip(signed // 8 + 128, 0, 255)
    for name, syntax, values, bits, options in [
        ("jpeg_2000_signed", JPEG2000Lossless, signed, 16, {}),
        ("jpeg_2000_twelve", JPEG2000Lossless, twelve, 12, {}),
        ("jpeg_ls_signed", JPEGLSLossless, signed, 16, {}),
        ("jpeg_ls_twelve", JPEGLSLossless, twelve, 12, {}),
        ("jpeg_ls_eight", JPEGLSLossless, eight, 8, {}),
        ("jpeg_ls_near", JPEGLSNearLossless, twelve, 12, {"jls_error": 3}),
    ]:
        data = slice_of(values, bits, bits == 16)
        data.compress(syntax, generate_instance_uid=False, **options)
        data.save_as(out / f"{name}.dcm", enforce_file_format=True)
        found = pydicom.dcmread(out / f"{name}.dcm").pixel_array.astype(int)
        print(name, np.abs(found - values).max())
