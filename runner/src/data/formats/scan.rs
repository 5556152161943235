//! A scan as it lies on disk: one file, or one file for each slice.

use std::path::{Path, PathBuf};

use super::raw::Voxel;
use super::{Arrays, Role, dicom, read, read_grid};
use crate::data::error::{DataError, Result};
use crate::data::volume::{Grid, Volume};

/// Where a scan or a label map is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scan {
    /// A file that holds all of it, or the folder of a DICOM series.
    File(PathBuf),
    /// One of several series in a folder, and its number or UID.
    Series(PathBuf, String),
    /// A file for each axial slice, from the first to the last.
    Slices(Vec<PathBuf>),
}

impl Scan {
    /// The file to name in messages.
    pub fn path(&self) -> &Path {
        match self {
            Self::File(path) | Self::Series(path, _) => path,
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
            Self::Series(folder, choice) => dicom::files(folder, Some(choice)),
            Self::Slices(paths) => Ok(paths.clone()),
        }
    }

    /// See [`read_grid`]; of slices only the first is looked at.
    ///
    /// # Errors
    /// As for one file.
    pub fn read_grid(&self, arrays: Arrays) -> Result<Grid> {
        match self {
            Self::File(path) => read_grid(path, arrays),
            Self::Series(folder, choice) => dicom::read_grid(folder, Some(choice)),
            Self::Slices(paths) => Ok(stacked(&read_grid(self.path(), arrays)?, paths.len())),
        }
    }

    /// See [`super::read_image`].
    ///
    /// # Errors
    /// As for one file, and slices of different sizes.
    pub fn read_image(&self, arrays: Arrays) -> Result<Volume<f32>> {
        match self {
            Self::File(path) => super::read_image(path, arrays),
            Self::Series(folder, choice) => dicom::read(folder, Some(choice))?.canonical(),
            Self::Slices(paths) => stack(paths, Role::Image, arrays),
        }
    }

    /// See [`super::read_labels`].
    ///
    /// # Errors
    /// As for one file, and slices of different sizes.
    pub fn read_labels(&self, arrays: Arrays) -> Result<Volume<u8>> {
        match self {
            Self::File(path) => super::read_labels(path, arrays),
            Self::Series(folder, choice) => dicom::read(folder, Some(choice))?.canonical(),
            Self::Slices(paths) => stack(paths, Role::Label, arrays),
        }
    }
}

fn stack<T: Voxel>(paths: &[PathBuf], role: Role, arrays: Arrays) -> Result<Volume<T>> {
    let mut stack: Option<(Grid, Vec<T>)> = None;
    for (index, path) in paths.iter().enumerate() {
        let raw = read(path, role, arrays)?;
        let (first, voxels) = stack.get_or_insert_with(|| {
            let voxels = vec![T::default(); raw.grid.len() * paths.len()];
            (raw.grid.clone(), voxels)
        });
        if raw.grid.shape != first.shape || raw.grid.shape[2] != 1 {
            let problem = format!(
                "holds {:?} voxels, but {} is a slice of {:?}; slices of one scan are alike",
                raw.grid.shape,
                paths[0].display(),
                first.shape
            );
            return Err(DataError::content(path, problem));
        }
        raw.fill(&mut voxels[index * first.len()..][..first.len()])?;
    }
    let Some((first, voxels)) = stack else {
        return Err(DataError::content(Path::new(""), "a scan without slices"));
    };
    Volume::new(stacked(&first, paths.len()), voxels, paths[0].clone())
}

/// The grid of `depth` such slices.
fn stacked(slice: &Grid, depth: usize) -> Grid {
    let mut grid = slice.clone();
    grid.shape[2] = depth;
    grid
}
