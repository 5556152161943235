//! NIfTI-1 and NIfTI-2 volumes (`.nii`, `.nii.gz`, and pairs of `.hdr` and `.img`): any real scalar
//! type, either byte order, slope and intercept, sform and qform; labels written back in a reference
//! file's grid and header.

mod fields;
mod header;
mod qform;
mod write;

use std::path::{Path, PathBuf};

use super::payload::{Source, Unpacked};
use super::raw::{Raw, Sample};
use crate::data::error::{DataError, Result};
use crate::data::volume::{Grid, Volume};
use header::Version;

pub use header::CheckedHeader;

/// Reads and checks the header alone: grid, scalar type and scaling without the voxels.
///
/// # Errors
/// Unreadable file or unusable header.
pub fn read_header(path: &Path) -> Result<CheckedHeader> {
    open(path).map(|(header, _)| header)
}

/// The file that holds the voxels, if they are in one of their own.
pub(super) fn voxel_file(path: &Path) -> Result<Option<PathBuf>> {
    let is_pair = read_header(path)?.is_pair;
    is_pair.then(|| paired_file(path)).transpose()
}

/// The grid of a volume or of one of its channels.
pub(super) fn read_grid(path: &Path, channel: Option<usize>) -> Result<Grid> {
    let header = read_header(path)?;
    header.several().choose(path, channel)?;
    Ok(header.grid)
}

/// The voxels of a volume or of one of its channels, as they are stored.
pub(super) fn read(path: &Path, channel: Option<usize>) -> Result<Raw> {
    let (header, behind) = open(path)?;
    let count = header.voxel_bytes();
    let skipped = (header.several().choose(path, channel)? as u64).saturating_mul(count as u64);
    let before = header.voxel_offset.saturating_add(skipped);
    let voxels = match header.is_pair {
        false => behind.voxels(before, count)?,
        true => {
            let voxels = Source::open(&paired_file(path)?)?;
            voxels.unpacked()?.voxels(before, count)?
        }
    };
    Ok(Raw {
        path: path.to_owned(),
        scalar: header.scalar,
        order: header.order,
        voxels,
        slope: header.slope,
        intercept: header.intercept,
        grid: header.grid,
    })
}

/// Writes a volume as a new NIfTI-1 file in its grid's own orientation; compressed if the name ends in
/// `.gz`. The file appears whole or not at all.
///
/// # Errors
/// The file cannot be written.
pub fn write<T: Sample>(path: &Path, volume: &Volume<T>) -> Result<()> {
    write::write_file(
        path,
        &write::fresh_header::<T>(&volume.grid, 1.0),
        &volume.to_stored(),
    )
}

/// Writes a label map with the header of the file at `reference`: its grid, orientation, affine
/// (to the bit) and description; voxels become u8.
///
/// # Errors
/// The reference cannot be read, its grid is not the label map's, or `path` cannot be written.
pub fn write_labels_like(reference: &Path, labels: &Volume<u8>, path: &Path) -> Result<()> {
    write_u8_like(reference, labels, 1.0, path)
}

/// As [`write_labels_like`], for probabilities in units of 1/255: the file's slope makes them 0…1.
///
/// # Errors
/// As [`write_labels_like`].
pub(super) fn write_probabilities_like(
    reference: &Path,
    probabilities: &Volume<u8>,
    path: &Path,
) -> Result<()> {
    write_u8_like(reference, probabilities, PROBABILITY, path)
}

/// Writes probabilities in units of 1/255 as [`write`] does.
///
/// # Errors
/// The file cannot be written.
pub(super) fn write_probabilities(path: &Path, probabilities: &Volume<u8>) -> Result<()> {
    let header = write::fresh_header::<u8>(&probabilities.grid, PROBABILITY);
    write::write_file(path, &header, &probabilities.to_stored())
}

/// The unit of stored probabilities.
const PROBABILITY: f32 = 1.0 / 255.0;

fn write_u8_like(reference: &Path, volume: &Volume<u8>, slope: f32, path: &Path) -> Result<()> {
    let header = read_header(reference)?;
    let (theirs, ours) = (&header.grid, &volume.grid);
    if theirs.shape != ours.shape || theirs.orientation != ours.orientation {
        return Err(DataError::Pair {
            image: reference.to_owned(),
            label: path.to_owned(),
            problem: format!(
                "grids differ: {:?} {} and {:?} {}",
                theirs.shape,
                theirs.orientation.codes(),
                ours.shape,
                ours.orientation.codes(),
            ),
        });
    }
    write::write_file(path, &write::u8_header(&header, slope), &volume.to_stored())
}

/// Checks the header and returns what comes behind it.
fn open(path: &Path) -> Result<(CheckedHeader, Unpacked)> {
    let source = Source::open(path)?;
    let file_bytes = source.bytes();
    let mut behind = source.unpacked()?;
    let mut raw = vec![0; Version::One.header_bytes()];
    let ends = |e: std::io::Error| {
        let problem = format!("ends or is damaged inside the header ({e}); copy it again");
        DataError::content(path, problem)
    };
    behind.header(&mut raw).map_err(ends)?;
    let (version, order) = Version::of(path, &raw)?;
    let rest = raw.len();
    raw.resize(version.header_bytes(), 0);
    behind.header(&mut raw[rest..]).map_err(ends)?;
    let header = CheckedHeader::parse(path, version, order, raw)?;
    if header.is_offset_unset {
        let mut extension = [0; 4];
        behind.header(&mut extension).map_err(ends)?;
        if extension[0] != 0 {
            let problem = "0, but there are extensions between the header and the voxels; say where those begin";
            return Err(DataError::header(path, "vox_offset", problem));
        }
    }
    let voxels = (header.voxel_bytes() as u64).saturating_mul(header.channels as u64);
    let promised = header.voxel_offset.saturating_add(voxels);
    if !header.is_pair && !behind.can_hold(promised) {
        let several = match header.channels {
            1 => String::new(),
            n => format!(" of {n} values each, not a slice or a volume,"),
        };
        let problem = format!(
            "{:?} {:?} voxels{several} need {promised} bytes, but the file has {file_bytes}: it is truncated or damaged",
            header.grid.stored_shape(),
            header.scalar,
        );
        return Err(DataError::header(path, "dim", problem));
    }
    Ok((header, behind))
}

/// The `.img` or `.img.gz` file beside a `.hdr` or `.hdr.gz` file.
fn paired_file(header: &Path) -> Result<PathBuf> {
    let name = header.file_name().unwrap_or_default().to_string_lossy();
    let stem = super::stem(&name).unwrap_or(&name);
    let files =
        ["img", "img.gz", "IMG"].map(|ending| header.with_file_name(format!("{stem}.{ending}")));
    let found = files.iter().find(|file| file.is_file());
    found.cloned().ok_or_else(|| {
        let problem = format!(
            "the voxels are in a separate file, but {} is not there",
            files[0].display()
        );
        DataError::header(header, "magic", problem)
    })
}

#[cfg(test)]
mod tests;
