//! DICOM series: a folder whose files are the slices of one scan, or one slice file. Slices are ordered
//! by their positions, and a series with a gap or a repeated position is refused; of several series one has to be
//! chosen. Names of fields as in the standard, <https://dicom.nema.org/medical/dicom/current/output/html/part03.html>.

mod file;
mod folder;
mod jpeg_ls;
mod lengths;
mod pixels;
mod series;
mod slice;

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::checked_shape;
use super::payload::Voxels;
use super::raw::{ByteOrder, Raw, Scalar};
use super::text_header::LPS;
use crate::data::error::{DataError, Result};
use crate::data::volume::Grid;
use slice::Slice;

/// Positions are often written to a tenth of a millimetre.
const POSITION_MM: f64 = 0.11;

/// Whether a folder holds slices itself.
pub(super) fn holds_slices(folder: &Path) -> bool {
    folder::holds_slices(folder)
}

/// Whether a folder holds the table of contents of a disc, and slices in folders below.
pub(super) fn is_disc(folder: &Path) -> bool {
    folder::is_disc(folder)
}

/// Whether a file is a DICOM object by its name or its beginning.
pub(super) fn is_file(path: &Path) -> bool {
    file::is_named(path) || file::is_dicom(path)
}

/// The slices' files, from the first to the last along the stack.
pub(super) fn files(path: &Path, choice: Option<&str>) -> Result<Vec<PathBuf>> {
    let slices = slices(path, choice)?;
    Ok(slices.into_iter().map(|slice| slice.path).collect())
}

/// The grid alone.
pub(super) fn read_grid(path: &Path, choice: Option<&str>) -> Result<Grid> {
    grid(path, &slices(path, choice)?)
}

/// Rescaled intensities of the only series, or of that whose UID or number is `choice`.
pub(super) fn read(path: &Path, choice: Option<&str>) -> Result<Raw> {
    let slices = slices(path, choice)?;
    let grid = grid(path, &slices)?;
    let planes: Vec<Vec<u8>> = slices
        .par_iter()
        .map(Slice::intensities)
        .collect::<Result<_>>()?;
    Ok(Raw {
        path: path.to_owned(),
        grid,
        scalar: Scalar::F32,
        order: ByteOrder::Little,
        voxels: Voxels::in_memory(path, planes.concat()),
        slope: 1.0,
        intercept: 0.0,
    })
}

/// The headers of a series' slices in the order of their positions, at least one.
fn slices(path: &Path, choice: Option<&str>) -> Result<Vec<Slice>> {
    let files = match path.is_dir() {
        true => folder::files(path)?,
        false => vec![path.to_owned()],
    };
    let slices: Vec<Option<Slice>> = files
        .par_iter()
        .map(|file| Slice::read(file))
        .collect::<Result<_>>()?;
    let slices = slices.into_iter().flatten().collect();
    let mut slices = series::choose(path, slices, choice)?;
    let normal = slices[0].normal();
    let along = |slice: &Slice| dot(slice.position, normal);
    slices.sort_by(|a, b| along(a).total_cmp(&along(b)));
    Ok(slices)
}

/// The grid of slices that lie alike and evenly.
fn grid(path: &Path, slices: &[Slice]) -> Result<Grid> {
    let first = &slices[0];
    for slice in slices {
        if let Some(field) = first.differs_from(slice) {
            let problem = format!(
                "differs from that of {}; slices of one scan are alike",
                first.path.display()
            );
            return Err(DataError::header(&slice.path, field, problem));
        }
    }
    let step = match slices {
        [only] => only.normal().map(|n| n * only.thickness),
        _ => even_step(slices)?,
    };
    let [columns, rows] = first.shape.map(|n| n as u64);
    let shape = checked_shape([columns, rows, slices.len() as u64]);
    let mut affine = [[0.0; 4]; 4];
    affine[3][3] = 1.0;
    for axis in 0..3 {
        affine[axis] = [
            first.directions[0][axis] * first.spacing[0],
            first.directions[1][axis] * first.spacing[1],
            step[axis],
            first.position[axis],
        ]
        .map(|lps| LPS[axis] * lps);
    }
    let grid = shape.and_then(|shape| Grid::from_stored(shape, affine));
    grid.ok_or_else(|| {
        let problem = format!(
            "{columns}×{rows} voxels in {} slices with these directions and spacings are not a scan",
            slices.len()
        );
        DataError::content(path, problem)
    })
}

/// Millimetres from one slice to the next, the same for all.
fn even_step(slices: &[Slice]) -> Result<[f64; 3]> {
    let normal = slices[0].normal();
    let apart = |pair: &[Slice]| dot(difference(pair[1].position, pair[0].position), normal);
    let mut sorted: Vec<f64> = slices.windows(2).map(apart).collect();
    sorted.sort_by(f64::total_cmp);
    let usual = sorted[sorted.len() / 2];
    for pair in slices.windows(2) {
        let gap = apart(pair);
        let name = pair[0].path.file_name().unwrap_or_default();
        if gap < 0.01 {
            let problem = format!(
                "is that of {}: the folder holds a slice twice, or several phases; keep one",
                name.to_string_lossy()
            );
            return Err(DataError::header(&pair[1].path, POSITION, problem));
        }
        if (gap - usual).abs() > 0.05 * usual + POSITION_MM {
            let problem = format!(
                "lies {gap:.2} mm from {}, where other slices lie {usual:.2} mm apart: slices are missing; \
                 get them, or resample the series to a NIfTI file",
                name.to_string_lossy()
            );
            return Err(DataError::header(&pair[1].path, POSITION, problem));
        }
    }
    let count = slices.len() as f64 - 1.0;
    let whole = difference(slices[slices.len() - 1].position, slices[0].position);
    let step = whole.map(|w| w / count);
    for (index, slice) in slices.iter().enumerate() {
        let expected = [0, 1, 2].map(|axis| slices[0].position[axis] + step[axis] * index as f64);
        let off = difference(slice.position, expected);
        // Along the normal small steps add up; sideways nothing does.
        let along = dot(off, normal);
        let sideways = dot(off, off) - along * along;
        if sideways > (0.05 * usual + POSITION_MM).powi(2) {
            let problem = "lies beside the line through the first and the last slice";
            return Err(DataError::header(&slice.path, POSITION, problem));
        }
    }
    Ok(step)
}

const POSITION: &str = "ImagePositionPatient";

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn difference(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [0, 1, 2].map(|axis| a[axis] - b[axis])
}

#[cfg(test)]
mod tests;
