"""Small whole files from which fuzzing starts.

    python fuzz_seeds.py ../fuzz/seeds

needs numpy, nibabel, SimpleITK, h5py, pydicom, pillow, torch and safetensors.
"""

import sys
from pathlib import Path

import h5py
import nibabel
import numpy as np
import pydicom
import SimpleITK as sitk
import torch
from PIL import Image
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless
from safetensors.torch import save_file

VOXELS = np.arange(24, dtype=np.int16).reshape(4, 3, 2)


def nifti(folder):
    affine = np.diag([1.0, 2.0, 3.0, 1.0])
    for name, kind in [("one", nibabel.Nifti1Image), ("two", nibabel.Nifti2Image)]:
        nibabel.save(kind(VOXELS, affine), folder / f"{name}.nii")
    nibabel.save(nibabel.Nifti1Image(VOXELS.astype("f4"), affine), folder / "gzip.nii.gz")


def itk(folder, ending):
    image = sitk.GetImageFromArray(VOXELS)
    sitk.WriteImage(image, folder / f"raw.{ending}")
    sitk.WriteImage(image, folder / f"packed.{ending}", useCompression=True)


def hdf5(folder):
    for name, options in [("plain", {}), ("chunked", {"chunks": (2, 3, 2), "compression": "gzip"})]:
        with h5py.File(folder / f"{name}.h5", "w") as file:
            file.create_dataset("image", data=VOXELS.astype("f4"), **options)
            file.create_dataset("label", data=(VOXELS % 2).astype("u1"), **options)


def numpy(folder):
    np.savez(folder / "plain.npz", image=VOXELS[0], label=VOXELS[0] % 2)
    np.savez_compressed(folder / "packed.npz", image=VOXELS.astype("f8"), label=VOXELS % 2)


def picture(folder):
    Image.fromarray(VOXELS[:, :, 0].astype("u1")).save(folder / "grey.tiff")
    Image.fromarray(VOXELS[:, :, 0].astype("u2")).save(folder / "deep.tiff")


def dicom(folder):
    for name, syntax in [
        ("explicit", ExplicitVRLittleEndian),
        ("implicit", ImplicitVRLittleEndian),
        ("rle", RLELossless),
    ]:
        meta = pydicom.dataset.FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian if syntax == RLELossless else syntax
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = "1.2.3"
        data = pydicom.Dataset()
        data.file_meta = meta
        data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, "1.2.3"
        data.Modality, data.SeriesInstanceUID = "CT", "1.2"
        data.ImagePositionPatient, data.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
        data.PixelSpacing, data.SliceThickness = [1, 1], 2
        data.Rows, data.Columns, data.SamplesPerPixel = 4, 3, 1
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 1
        data.PhotometricInterpretation = "MONOCHROME2"
        data.RescaleSlope, data.RescaleIntercept = 1, -1024
        data.PixelData = VOXELS[:, :, 0].tobytes()
        if syntax == RLELossless:
            data.compress(RLELossless)
        data.save_as(folder / f"{name}.dcm", enforce_file_format=True)


def weights(folder):
    tensors = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.ones(3, dtype=torch.float16)}
    torch.save({"model": tensors, "epoch": 3}, folder / "zip.pth")
    torch.save(tensors, folder / "legacy.pth", _use_new_zipfile_serialization=False)
    save_file(tensors, folder / "plain.safetensors", {"format": "pt"})


def main(root):
    kinds = {
        "nifti": nifti,
        "nrrd": lambda folder: itk(folder, "nrrd"),
        "metaimage": lambda folder: itk(folder, "mha"),
        "hdf5": hdf5,
        "numpy": numpy,
        "picture": picture,
        "dicom": dicom,
        "weights": weights,
    }
    for name, write in kinds.items():
        folder = Path(root) / name
        folder.mkdir(parents=True, exist_ok=True)
        write(folder)


main(sys.argv[1])
