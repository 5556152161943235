//! File formats of scans and label maps, told apart by file name; a folder is a DICOM series. Each format is
//! one module that reads a file as `Raw`: its stored scalars, their grid and scaling; all else is shared.

mod arrays;
mod channels;
mod dicom;
mod element;
pub mod hdf5;
pub mod metaimage;
pub mod nifti;
pub mod nrrd;
pub mod numpy;
mod payload;
mod picture;
mod raw;
mod scan;
mod text_header;
mod text_volume;
mod voxel;
mod write;

use std::path::{Path, PathBuf};

use super::error::{DataError, Result};
use super::volume::{Grid, Volume};
use arrays::array_grid;
use raw::Raw;

pub use arrays::{ArrayAxes, Arrays};
pub use raw::{Sample, Scalar};
pub use scan::Scan;

/// Most voxels a volume may have; larger claims come from damaged headers.
const MAX_VOXELS: u64 = 1 << 30;

/// A file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Dicom,
    Nifti,
    Nrrd,
    MetaImage,
    Hdf5,
    Numpy,
    Picture,
}

/// Endings of file names, longer ones before those they end in.
const ENDINGS: [(&str, Format); 20] = [
    (".nii.gz", Format::Nifti),
    (".nii", Format::Nifti),
    (".hdr.gz", Format::Nifti),
    (".hdr", Format::Nifti),
    (".seg.nrrd", Format::Nrrd), // segmentations of 3D Slicer
    (".nrrd", Format::Nrrd),
    (".nhdr", Format::Nrrd),
    (".mhd", Format::MetaImage),
    (".mha", Format::MetaImage),
    (".npy.h5", Format::Hdf5),
    (".h5", Format::Hdf5),
    (".hdf5", Format::Hdf5),
    (".npz", Format::Numpy),
    (".npy", Format::Numpy),
    (".png", Format::Picture),
    (".jpeg", Format::Picture),
    (".jpg", Format::Picture),
    (".tiff", Format::Picture),
    (".tif", Format::Picture),
    (".bmp", Format::Picture),
];

/// Endings of the label maps that are written.
const WRITTEN: [&str; 5] = [".nii.gz", ".nii", ".nrrd", ".mha", ".mhd"];

/// What is read from a file that may hold both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Intensities.
    Image,
    /// Label values.
    Label,
}

impl Role {
    /// Names of arrays in HDF5 and `.npz` files, the most telling first.
    fn array_names(self) -> &'static [&'static str] {
        match self {
            Self::Image => &["image", "img", "data", "volume"],
            Self::Label => &["label", "labels", "mask", "seg"],
        }
    }

    /// The array of a file with these names: one called as its role suggests, or the only one.
    fn choose(self, path: &Path, names: &[String]) -> Result<String> {
        let known = self.array_names().iter();
        let called = known
            .map(|name| name.to_string())
            .find(|name| names.contains(name));
        match (called, names) {
            (Some(name), _) => Ok(name),
            (None, [only]) => Ok(only.clone()),
            (None, _) => {
                let problem = format!(
                    "has the arrays [{}]; call one of them `{}`",
                    names.join(", "),
                    self.array_names()[0]
                );
                Err(DataError::content(path, problem))
            }
        }
    }
}

/// The part of a file name before the ending of a known format; `None` for other files and hidden ones.
pub fn stem(file_name: &str) -> Option<&str> {
    let (stem, _) = split(file_name)?;
    (!stem.is_empty() && !stem.starts_with('.')).then_some(stem)
}

/// The name of a scan: the stem of a file in a known format, the name of a folder that holds DICOM slices or is
/// a disc; `None` for everything else and for hidden entries.
pub fn scan_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_string_lossy();
    match path.is_dir() {
        true => {
            let is_scan = || holds_slices(path) || dicom::is_disc(path);
            (!name.starts_with('.') && is_scan()).then(|| name.into_owned())
        }
        false => stem(&name).map(str::to_owned),
    }
}

/// Whether a folder holds DICOM slices itself.
pub fn holds_slices(folder: &Path) -> bool {
    dicom::holds_slices(folder)
}

/// Whether a folder is one scan: it holds DICOM slices and no other scans, or is a disc of them.
pub fn is_series(folder: &Path) -> bool {
    let entries = || std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_alone = || !entries().any(|entry| scan_name(&entry.path()).is_some());
    dicom::is_disc(folder) || (dicom::holds_slices(folder) && is_alone())
}

/// Whether a file holds arrays without geometry.
pub fn is_array(path: &Path) -> bool {
    matches!(format(path), Ok(Format::Hdf5 | Format::Numpy))
}

/// Whether a path is that of a volume: a file in a known format that is no picture, several pictures in one file, or
/// a folder.
pub fn is_volume(path: &Path) -> bool {
    match format(path) {
        Ok(Format::Picture) => picture::pages(path).is_ok_and(|pages| pages > 1),
        format => format.is_ok(),
    }
}

/// The scan at a path: a file, a folder of DICOM slices or, if that holds several series, the one with this number
/// or UID.
///
/// # Errors
/// A series of something else than a folder.
pub fn scan(path: &Path, series: Option<&str>) -> Result<Scan> {
    match series {
        None => Ok(Scan::File(path.to_owned())),
        Some(choice) if path.is_dir() => Ok(Scan::Series(path.to_owned(), choice.to_owned())),
        Some(_) => {
            let problem = "is no folder of DICOM slices; leave --series out";
            Err(DataError::content(path, problem))
        }
    }
}

/// Whether a file does not say where its voxels lie: one of arrays, or a picture.
pub fn lacks_geometry(path: &Path) -> bool {
    is_array(path) || matches!(format(path), Ok(Format::Picture))
}

/// All files of a scan: those of a DICOM series, or a header and the file its voxels are in.
///
/// # Errors
/// As [`read_grid`], and voxels that are not there.
pub fn files(path: &Path) -> Result<Vec<PathBuf>> {
    let voxels = match format(path)? {
        Format::Dicom => return dicom::files(path, None),
        Format::Nifti => nifti::voxel_file(path)?,
        Format::Nrrd => nrrd::voxel_file(path)?,
        Format::MetaImage => metaimage::voxel_file(path)?,
        Format::Hdf5 | Format::Numpy | Format::Picture => None,
    };
    Ok([path.to_owned()].into_iter().chain(voxels).collect())
}

/// Reads an image: intensities as f32, in canonical orientation.
///
/// # Errors
/// Unknown format, unreadable or truncated file, unusable header, several values in a voxel, NaN or infinite
/// intensities.
pub fn read_image(path: &Path, arrays: Arrays) -> Result<Volume<f32>> {
    read(path, None, Role::Image, arrays)?.canonical()
}

/// Reads a label map: whole numbers 0…255, in canonical orientation.
///
/// # Errors
/// As [`read_image`], and values that are not whole numbers in 0…255.
pub fn read_labels(path: &Path, arrays: Arrays) -> Result<Volume<u8>> {
    read(path, None, Role::Label, arrays)?.canonical()
}

/// Reads the canonical grid of an image from its header, without the voxels where the format allows.
///
/// # Errors
/// Unknown format, unreadable file, unusable header, or several values in a voxel.
pub fn read_grid(path: &Path, arrays: Arrays) -> Result<Grid> {
    grid(path, None, Role::Image, arrays)
}

/// The files that [`write_labels`] makes for a label map called `path`: itself and, of `.mhd`, one for the voxels.
///
/// # Errors
/// A name without one of the endings that are written.
pub fn label_files(path: &Path) -> Result<Vec<PathBuf>> {
    let name = path.file_name().unwrap_or_default();
    let name = name.to_string_lossy().to_ascii_lowercase();
    let ending = WRITTEN.iter().find(|ending| name.ends_with(*ending));
    match ending {
        Some(&".mhd") => Ok(vec![path.to_owned(), metaimage::written_voxels(path)]),
        Some(_) => Ok(vec![path.to_owned()]),
        None => {
            let problem = format!(
                "label maps are written as {}; name it so",
                WRITTEN.join(", ")
            );
            Err(DataError::content(path, problem))
        }
    }
}

/// Writes a label map in its grid's own orientation, in the format of the name: NIfTI, NRRD or MetaImage.
/// The file appears whole or not at all.
///
/// # Errors
/// As [`label_files`], and a file that cannot be written.
pub fn write_labels(path: &Path, labels: &Volume<u8>) -> Result<()> {
    label_files(path)?;
    match format(path)? {
        Format::Nrrd => nrrd::write(path, labels),
        Format::MetaImage => metaimage::write(path, labels),
        _ => nifti::write(path, labels),
    }
}

/// Writes a label map of the scan at `reference`: between NIfTI files with all of its header, else as
/// [`write_labels`].
///
/// # Errors
/// The reference cannot be read, or the label map not written.
pub fn write_labels_like(reference: &Path, labels: &Volume<u8>, path: &Path) -> Result<()> {
    match (format(reference)?, format(path)?) {
        (Format::Nifti, Format::Nifti) => nifti::write_labels_like(reference, labels, path),
        _ => write_labels(path, labels),
    }
}

/// Writes a class's probabilities in units of 1/255 as a NIfTI file whose values are 0…1, with the header
/// of the scan at `reference` if that is a NIfTI file too.
///
/// # Errors
/// The reference cannot be read, or `path` not written.
pub fn write_probabilities_like(
    reference: &Path,
    probabilities: &Volume<u8>,
    path: &Path,
) -> Result<()> {
    match format(reference)? {
        Format::Nifti => nifti::write_probabilities_like(reference, probabilities, path),
        _ => nifti::write_probabilities(path, probabilities),
    }
}

/// The grid of a scan, or of one of its channels.
fn grid(path: &Path, channel: Option<usize>, role: Role, arrays: Arrays) -> Result<Grid> {
    match format(path)? {
        Format::Dicom => dicom::read_grid(path, None),
        Format::Nifti => nifti::read_grid(path, channel),
        Format::Nrrd => nrrd::read_grid(path, channel),
        Format::MetaImage => metaimage::read_grid(path, channel),
        Format::Hdf5 => hdf5::read_grid(path, role, arrays),
        Format::Numpy => numpy::read_grid(path, role, arrays),
        Format::Picture => picture::read_grid(path, arrays),
    }
}

/// The voxels of a scan, or of one of its channels.
fn read(path: &Path, channel: Option<usize>, role: Role, arrays: Arrays) -> Result<Raw> {
    match format(path)? {
        Format::Dicom => dicom::read(path, None),
        Format::Nifti => nifti::read(path, channel),
        Format::Nrrd => nrrd::read(path, channel),
        Format::MetaImage => metaimage::read(path, channel),
        Format::Hdf5 => hdf5::read(path, role, arrays),
        Format::Numpy => numpy::read_volume(path, role, arrays),
        Format::Picture => picture::read(path, role, arrays),
    }
}

fn format(path: &Path) -> Result<Format> {
    let name = path.file_name().map(|n| n.to_string_lossy());
    let found = name.as_deref().and_then(split).map(|(_, format)| format);
    if path.is_dir() || (found.is_none() && dicom::is_file(path)) {
        return Ok(Format::Dicom);
    }
    found.ok_or_else(|| {
        let problem = format!(
            "is in no known format; its name should end in one of .dcm {}, or be that of a DICOM folder",
            ENDINGS.map(|(ending, _)| ending).join(" ")
        );
        DataError::content(path, problem)
    })
}

fn split(file_name: &str) -> Option<(&str, Format)> {
    let lower = file_name.to_ascii_lowercase();
    let (ending, format) = ENDINGS.iter().find(|(ending, _)| lower.ends_with(ending))?;
    Some((&file_name[..file_name.len() - ending.len()], *format))
}

/// An array's extents without those of 1 that a network's batches and channels leave, the first ones first.
fn volume_of(mut shape: &[u64]) -> &[u64] {
    while shape.len() > 3 {
        shape = match shape {
            [1, volume @ ..] | [volume @ .., 1] => volume,
            _ => return shape,
        };
    }
    shape
}

/// Extents as usize; `None` if one is 0 or the volume is larger than a real one can be.
fn checked_shape(shape: [u64; 3]) -> Option<[usize; 3]> {
    let voxels = shape.iter().try_fold(1_u64, |n, d| n.checked_mul(*d))?;
    (1..=MAX_VOXELS)
        .contains(&voxels)
        .then(|| shape.map(|n| n as usize))
}

#[cfg(test)]
mod tests;
