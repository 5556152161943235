//! DICOM series: a folder whose files are the slices of one scan, or one slice file. Slices are ordered
//! by their positions, and a series with a gap, a repeated position or a second scan is refused. Names of
//! fields as in the standard, <https://dicom.nema.org/medical/dicom/current/output/html/part03.html>.

mod jpeg_ls;
mod lengths;
mod pixels;
mod slice;

use std::collections::BTreeMap;
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

/// Whether a folder holds DICOM files.
pub(super) fn is_series(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return false;
    };
    let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.any(|path| slice::is_dicom(&path))
}

/// The slices' files, from the first to the last along the stack.
pub(super) fn files(path: &Path) -> Result<Vec<PathBuf>> {
    let slices = series(path)?;
    Ok(slices.into_iter().map(|slice| slice.path).collect())
}

/// The grid alone.
pub(super) fn read_grid(path: &Path) -> Result<Grid> {
    grid(path, &series(path)?)
}

/// Rescaled intensities.
pub(super) fn read(path: &Path) -> Result<Raw> {
    let slices = series(path)?;
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
fn series(path: &Path) -> Result<Vec<Slice>> {
    if !path.is_dir() {
        let found = Slice::read(path)?;
        return found.map(|slice| vec![slice]).ok_or_else(|| no_image(path));
    }
    let failed = |e| DataError::io(path, "list", e);
    let entries = std::fs::read_dir(path).map_err(failed)?;
    let paths = entries.map(|entry| Ok(entry.map_err(failed)?.path()));
    let mut paths: Vec<PathBuf> = paths.collect::<Result<_>>()?;
    paths.sort();
    let slices: Vec<Option<Slice>> = paths
        .par_iter()
        .filter(|file| slice::is_dicom(file))
        .map(|file| Slice::read(file))
        .collect::<Result<_>>()?;
    let mut by_series: BTreeMap<String, Vec<Slice>> = BTreeMap::new();
    for slice in slices.into_iter().flatten() {
        by_series
            .entry(slice.series.clone())
            .or_default()
            .push(slice);
    }
    if by_series.len() > 1 {
        let listed = by_series.values().map(|slices| {
            let name = slices[0].path.file_name().unwrap_or_default();
            format!("{} slices with {}", slices.len(), name.to_string_lossy())
        });
        let problem = format!(
            "holds {} series ({}); put each into a folder of its own",
            by_series.len(),
            listed.collect::<Vec<_>>().join(", ")
        );
        return Err(DataError::content(path, problem));
    }
    let (_, mut slices) = by_series.pop_first().ok_or_else(|| no_image(path))?;
    let normal = slices[0].normal();
    let along = |slice: &Slice| dot(slice.position, normal);
    slices.sort_by(|a, b| along(a).total_cmp(&along(b)));
    Ok(slices)
}

fn no_image(path: &Path) -> DataError {
    let problem = "holds no DICOM image with a place in the patient (ImagePositionPatient)";
    DataError::content(path, problem)
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
