"""Shapes, affines and voxels of scans as the field's Python libraries read them.

    python volumes.py FOLDER OUT.json

Reads every NIfTI (nibabel), NRRD and MetaImage (SimpleITK) and UA-MT HDF5 (h5py) file and every DICOM series
(SimpleITK) below FOLDER.
`SAMORA_DATA=FOLDER SAMORA_VOLUMES=OUT.json cargo test -p samora-runner --test real_scans -- --ignored volumes`
compares. Voxels are summed up in the file's own order with weights that change from voxel to voxel, so
that a permutation shows.
"""

import json
import sys
from pathlib import Path

import h5py
import nibabel
import numpy as np
import SimpleITK as sitk


def entry(voxels, affine):
    """`voxels` indexed [x, y, z] in the file's own axes."""
    flat = np.asarray(voxels, np.float64).ravel(order="F")
    weights = np.arange(flat.size) % 251 + 1
    return {
        "shape": list(voxels.shape),
        "affine": np.asarray(affine, float).tolist(),
        "sum": float(flat.sum()),
        "weighted": float((flat * weights).sum()),
        "min": float(flat.min()),
        "max": float(flat.max()),
    }


def itk(path):
    return itk_entry(sitk.ReadImage(str(path)))


def series(folder):
    """The DICOM series of most slices: segmentations are one file."""
    found = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    if not found:
        return None
    reader = sitk.ImageSeriesReader()
    names = [reader.GetGDCMSeriesFileNames(str(folder), one) for one in found]
    reader.SetFileNames(max(names, key=len))
    return itk_entry(reader.Execute())


def itk_entry(image):
    voxels = sitk.GetArrayFromImage(image).transpose()
    affine = np.eye(4)
    directions = np.array(image.GetDirection()).reshape(3, 3)
    affine[:3, :3] = directions @ np.diag(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return entry(voxels, np.diag([-1, -1, 1, 1]) @ affine)


def read(path):
    name = path.name
    if name.endswith((".nii", ".nii.gz")):
        image = nibabel.load(path)
        return entry(image.get_fdata().reshape(image.shape[:3]), image.affine)
    if name.endswith((".nrrd", ".nhdr", ".mha", ".mhd")):
        return itk(path)
    if name.endswith(".h5"):
        with h5py.File(path) as file:
            # Stored with the last axis fastest.
            voxels = file["image"][()].transpose()
        affine = np.zeros((4, 4))
        for axis in range(3):
            affine[2 - axis, axis] = 0.625
        affine[3, 3] = 1
        return entry(voxels, affine)
    return None


def main(folder, out):
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        value = read(path) if path.is_file() else series(path)
        if value:
            found[str(path.relative_to(folder))] = value
    Path(out).write_text(json.dumps(found, indent=1))
    print(f"{len(found)} files")


main(*sys.argv[1:])
