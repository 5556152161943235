//! NIfTI-1 volumes (`.nii`, `.nii.gz`): any real scalar type, either byte order, slope and
//! intercept, sform and qform; labels written back in a reference file's grid and header.

use super::error::{DataError, Result};
use super::nifti_header::{CheckedHeader, HEADER_BYTES};
use super::nifti_write::{fresh_header, label_header, write_file};
use super::volume::Volume;
use flate2::bufread::MultiGzDecoder;
use nifti::{InMemNiftiVolume, NiftiType};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

pub use super::nifti_write::Sample;

/// Deflate cannot compress better than this, so a header that claims more is damaged.
const MAX_DEFLATE_RATIO: u64 = 1032;

/// Reads an image: intensities as f32, in canonical orientation.
///
/// # Errors
/// Unreadable or truncated file, unusable header, NaN or infinite intensities.
pub fn read_image(path: &Path) -> Result<Volume<f32>> {
    let (header, bytes) = read_bytes(path)?;
    let (slope, intercept) = (header.slope, header.intercept);
    let mut stored = Vec::with_capacity(header.grid.len());
    decode(&header, &bytes, |value| {
        stored.push((value * slope + intercept) as f32);
    });
    let bad = stored.iter().filter(|v| !v.is_finite()).count();
    if bad > 0 {
        let problem = format!("{bad} voxels are NaN or infinite; replace them, for example by 0");
        return Err(DataError::content(path, problem));
    }
    Volume::from_stored(header.grid, &stored, path.to_owned())
}

/// Reads a label map: whole numbers 0…255, in canonical orientation.
///
/// # Errors
/// As [`read_image`], and values that are not whole numbers in 0…255.
pub fn read_labels(path: &Path) -> Result<Volume<u8>> {
    let (header, bytes) = read_bytes(path)?;
    let (slope, intercept) = (header.slope, header.intercept);
    let mut stored = Vec::with_capacity(header.grid.len());
    let mut unusable = None;
    decode(&header, &bytes, |value| {
        let label = value * slope + intercept;
        if label.fract() != 0.0 || !(0.0..=255.0).contains(&label) {
            unusable = Some(label);
        }
        stored.push(label as u8);
    });
    if let Some(value) = unusable {
        let problem = format!("label value {value} is not a whole number in 0…255");
        return Err(DataError::content(path, problem));
    }
    Volume::from_stored(header.grid, &stored, path.to_owned())
}

/// Reads and checks the header alone: grid, scalar type and scaling without the voxels.
///
/// # Errors
/// Unreadable file or unusable header.
pub fn read_header(path: &Path) -> Result<CheckedHeader> {
    open(path).map(|(header, _)| header)
}

/// Writes a volume as a new file in its grid's own orientation; compressed if the name ends in
/// `.gz`. The file appears whole or not at all.
///
/// # Errors
/// The file cannot be written.
pub fn write<T: Sample>(path: &Path, volume: &Volume<T>) -> Result<()> {
    write_file(path, &fresh_header::<T>(&volume.grid), &volume.to_stored())
}

/// Writes a label map with the header of the file at `reference`: its grid, orientation, affine
/// (to the bit) and description; voxels become u8.
///
/// # Errors
/// The reference cannot be read, its grid is not the label map's, or `path` cannot be written.
pub fn write_labels_like(reference: &Path, labels: &Volume<u8>, path: &Path) -> Result<()> {
    let header = read_header(reference)?;
    if header.grid.shape != labels.grid.shape || header.grid.orientation != labels.grid.orientation
    {
        return Err(DataError::Pair {
            image: reference.to_owned(),
            label: path.to_owned(),
            problem: format!(
                "grids differ: {:?} {} and {:?} {}",
                header.grid.shape,
                header.grid.orientation.codes(),
                labels.grid.shape,
                labels.grid.orientation.codes(),
            ),
        });
    }
    write_file(path, &label_header(&header), &labels.to_stored())
}

/// Header and voxel bytes of a file.
fn read_bytes(path: &Path) -> Result<(CheckedHeader, Vec<u8>)> {
    let (header, mut reader) = open(path)?;
    let truncated = |detail: String| {
        let problem = format!(
            "the voxels end early or are damaged ({detail}); the header promises {:?} {:?} voxels. Copy the file again",
            header.grid.stored_shape(),
            header.scalar,
        );
        DataError::content(path, problem)
    };
    let skip = header.voxel_offset - HEADER_BYTES as u64;
    let skipped = std::io::copy(&mut reader.by_ref().take(skip), &mut std::io::sink());
    skipped.map_err(|e| truncated(e.to_string()))?;
    let volume = InMemNiftiVolume::from_reader(reader.by_ref(), &header.parsed)
        .map_err(|e| truncated(e.to_string()))?;
    // Gzip's checksum comes last; reading up to it tells damaged voxels from whole ones.
    let rest = std::io::copy(&mut reader.take(1 << 20), &mut std::io::sink());
    rest.map_err(|e| truncated(e.to_string()))?;
    Ok((header, volume.into_raw_data()))
}

/// Checks the header and returns a reader placed just behind it.
fn open(path: &Path) -> Result<(CheckedHeader, Box<dyn Read>)> {
    let file = File::open(path).map_err(|e| DataError::io(path, "read", e))?;
    let metadata = file
        .metadata()
        .map_err(|e| DataError::io(path, "read", e))?;
    if metadata.is_dir() {
        return Err(DataError::content(path, "is a folder, not a NIfTI file"));
    }
    let mut file = BufReader::new(file);
    let start =
        std::io::BufRead::fill_buf(&mut file).map_err(|e| DataError::io(path, "read", e))?;
    let gzipped = start.starts_with(&[0x1f, 0x8b]);
    let mut reader: Box<dyn Read> = if gzipped {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let mut raw = [0; HEADER_BYTES];
    reader.read_exact(&mut raw).map_err(|e| {
        let problem = format!("ends or is damaged inside the 348-byte header ({e}); copy it again");
        DataError::content(path, problem)
    })?;
    let header = CheckedHeader::parse(path, raw)?;
    let ratio = if gzipped { MAX_DEFLATE_RATIO } else { 1 };
    let promised = header.voxel_offset + header.voxel_bytes();
    if promised > metadata.len().saturating_mul(ratio) {
        let problem = format!(
            "{:?} {:?} voxels need {promised} bytes, but the file has {}: it is truncated or damaged",
            header.grid.stored_shape(),
            header.scalar,
            metadata.len(),
        );
        return Err(DataError::header(path, "dim", problem));
    }
    Ok((header, reader))
}

/// Calls `each` with every stored value in file order.
fn decode(header: &CheckedHeader, bytes: &[u8], mut each: impl FnMut(f64)) {
    let little = header.raw[0] == 0x5c;
    macro_rules! scalars {
        ($scalar:ty) => {
            for chunk in bytes.chunks_exact(size_of::<$scalar>()) {
                let mut value = [0; size_of::<$scalar>()];
                value.copy_from_slice(chunk);
                each(if little {
                    <$scalar>::from_le_bytes(value) as f64
                } else {
                    <$scalar>::from_be_bytes(value) as f64
                });
            }
        };
    }
    match header.scalar {
        NiftiType::Uint8 => scalars!(u8),
        NiftiType::Int8 => scalars!(i8),
        NiftiType::Uint16 => scalars!(u16),
        NiftiType::Int16 => scalars!(i16),
        NiftiType::Uint32 => scalars!(u32),
        NiftiType::Int32 => scalars!(i32),
        NiftiType::Uint64 => scalars!(u64),
        NiftiType::Int64 => scalars!(i64),
        NiftiType::Float32 => scalars!(f32),
        // The header check leaves only real scalars.
        _ => scalars!(f64),
    }
}

#[cfg(test)]
#[path = "nifti_tests.rs"]
mod tests;
