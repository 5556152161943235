//! A scan as it lies on disk: one file, or one file for each slice.

use std::path::{Path, PathBuf};

use super::{Arrays, Role, read, read_grid};
use crate::data::error::{DataError, Result};
use crate::data::volume::{Grid, Volume};

/// Where a scan or a label map is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scan {
    /// A file that holds all of it, or the folder of a DICOM series.
    File(PathBuf),
    /// A file for each axial slice, from the first to the last.
    Slices(Vec<PathBuf>),
}

impl Scan {
    /// The file to name in messages.
    pub fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Slices(paths) => paths.first().map_or(Path::new(""), PathBuf::as_path),
        }
    }

    /// All of its files.
    ///
    /// # Errors
    /// As [`super::files`].
    pub fn files(&self) -> Result<Vec<PathBuf>> {
        match self {
            Self::File(path) => super::files(path),
            Self::Slices(paths) => Ok(paths.clone()),
        }
    }

    /// See [`read_grid`]; of slices only the first is looked at.
    ///
    /// # Errors
    /// As for one file.
    pub fn read_grid(&self, arrays: Arrays) -> Result<Grid> {
        let first = read_grid(self.path(), arrays)?;
        match self {
            Self::File(_) => Ok(first),
            Self::Slices(paths) => Ok(stacked(&first, paths.len())),
        }
    }

    /// See [`super::read_image`].
    ///
    /// # Errors
    /// As for one file, and slices of different sizes.
    pub fn read_image(&self, arrays: Arrays) -> Result<Volume<f32>> {
        match self {
            Self::File(path) => super::read_image(path, arrays),
            Self::Slices(paths) => stack(paths, |path| read(path, Role::Image, arrays)?.image()),
        }
    }

    /// See [`super::read_labels`].
    ///
    /// # Errors
    /// As for one file, and slices of different sizes.
    pub fn read_labels(&self, arrays: Arrays) -> Result<Volume<u8>> {
        match self {
            Self::File(path) => super::read_labels(path, arrays),
            Self::Slices(paths) => stack(paths, |path| read(path, Role::Label, arrays)?.labels()),
        }
    }
}

fn stack<T: Copy>(
    paths: &[PathBuf],
    read: impl Fn(&Path) -> Result<Volume<T>>,
) -> Result<Volume<T>> {
    let mut voxels = Vec::new();
    let mut first: Option<Grid> = None;
    for path in paths {
        let slice = read(path)?;
        let grid = first.get_or_insert_with(|| slice.grid.clone());
        if slice.grid.shape != grid.shape || slice.grid.shape[2] != 1 {
            let problem = format!(
                "holds {:?} voxels, but {} is a slice of {:?}; slices of one scan are alike",
                slice.grid.shape,
                paths[0].display(),
                grid.shape
            );
            return Err(DataError::content(path, problem));
        }
        voxels.extend(slice.voxels);
    }
    let Some(grid) = first else {
        return Err(DataError::content(Path::new(""), "a scan without slices"));
    };
    Volume::new(stacked(&grid, paths.len()), voxels, paths[0].clone())
}

/// The grid of `depth` such slices.
fn stacked(slice: &Grid, depth: usize) -> Grid {
    let mut grid = slice.clone();
    grid.shape[2] = depth;
    grid
}
