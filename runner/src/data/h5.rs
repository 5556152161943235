//! Left-atrium volumes in UA-MT's HDF5 layout: datasets `image` (f32, z-scored) and `label` (u8)
//! of shape (x, y, z), last axis fastest. The files carry no geometry; LA 2018 scans have 0.625 mm
//! cubic voxels.

use super::error::{DataError, Result};
use super::volume::{Grid, Volume};
use hdf5_pure::{Dataset, File};
use std::path::Path;

const SPACING_MM: f64 = 0.625;

/// Most voxels a volume may have; larger claims come from damaged files.
const MAX_VOXELS: u64 = 1 << 30;

/// Reads the dataset `image`.
///
/// # Errors
/// Unreadable file, missing dataset, unusable shape, NaN or infinite intensities.
pub fn read_image(path: &Path) -> Result<Volume<f32>> {
    let (grid, dataset) = open(path, "image")?;
    let values = dataset
        .read_f32()
        .map_err(|e| unreadable(path, "image", &e))?;
    if let Some(bad) = values.iter().find(|v| !v.is_finite()) {
        let problem = format!("dataset image holds {bad}; replace it, for example by 0");
        return Err(DataError::content(path, problem));
    }
    Volume::new(
        grid.clone(),
        x_fastest(&values, grid.shape),
        path.to_owned(),
    )
}

/// Reads the dataset `label`.
///
/// # Errors
/// Unreadable file, missing dataset or unusable shape.
pub fn read_labels(path: &Path) -> Result<Volume<u8>> {
    let (grid, dataset) = open(path, "label")?;
    let values = dataset
        .read_u8()
        .map_err(|e| unreadable(path, "label", &e))?;
    Volume::new(
        grid.clone(),
        x_fastest(&values, grid.shape),
        path.to_owned(),
    )
}

/// The grid of the dataset `image` without its voxels.
///
/// # Errors
/// Unreadable file, missing dataset or unusable shape.
pub fn read_grid(path: &Path) -> Result<Grid> {
    open(path, "image").map(|(grid, _)| grid)
}

fn open(path: &Path, name: &str) -> Result<(Grid, Dataset)> {
    std::fs::metadata(path).map_err(|e| DataError::io(path, "read", e))?;
    let file = File::open(path).map_err(|e| unreadable(path, name, &e))?;
    let dataset = file.dataset(name).map_err(|e| unreadable(path, name, &e))?;
    let shape = dataset.shape().map_err(|e| unreadable(path, name, &e))?;
    let voxels = shape.iter().try_fold(1_u64, |n, d| n.checked_mul(*d));
    let usable = voxels.is_some_and(|n| (1..=MAX_VOXELS).contains(&n));
    match (shape.as_slice(), usable) {
        (&[x, y, z], true) => {
            let shape = [x, y, z].map(|n| n as usize);
            Ok((Grid::axis_aligned(shape, [SPACING_MM; 3]), dataset))
        }
        _ => {
            let problem = format!("dataset {name} has shape {shape:?}, not a 3-D volume");
            Err(DataError::content(path, problem))
        }
    }
}

fn unreadable(path: &Path, name: &str, error: &hdf5_pure::Error) -> DataError {
    let problem = format!("dataset {name} cannot be read: {error}");
    DataError::content(path, problem)
}

fn x_fastest<T: Copy>(values: &[T], [nx, ny, nz]: [usize; 3]) -> Vec<T> {
    let mut voxels = Vec::with_capacity(values.len());
    for z in 0..nz {
        for y in 0..ny {
            voxels.extend((0..nx).filter_map(|x| values.get((x * ny + y) * nz + z).copied()));
        }
    }
    voxels
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use hdf5_pure::FileBuilder;

    #[test]
    fn reads_image_and_label() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.h5");
        let mut file = FileBuilder::new();
        let values: Vec<f32> = (0..24).map(|v| v as f32).collect();
        file.create_dataset("image")
            .with_f32_data(&values)
            .with_shape(&[2, 3, 4]);
        file.create_dataset("label")
            .with_u8_data(&[1; 24])
            .with_shape(&[2, 3, 4]);
        file.write(&path).unwrap();
        let image = read_image(&path).unwrap();
        assert_eq!(image.grid.shape, [2, 3, 4]);
        // (x, y, z) = (1, 0, 0) is stored at 12.
        assert_eq!(image.voxels[1], 12.0);
        assert_eq!(read_labels(&path).unwrap().voxels, [1; 24]);
        assert_eq!(read_grid(&path).unwrap(), image.grid);

        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let message = read_image(&path).map(drop).unwrap_err().to_string();
        assert!(message.contains("a.h5"), "{message}");
    }
}
