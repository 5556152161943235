//! A scan as it lies on disk: one file, or one file for each slice.

use std::path::{Path, PathBuf};

use super::voxel::Voxel;
use super::{Arrays, Role, dicom, grid, lacks_geometry, read};
use crate::data::error::{DataError, Result};
use crate::data::volume::{Grid, Volume};

/// Where a scan or a label map is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scan {
    /// A file that holds all of it, or the folder of a DICOM series.
    File(PathBuf),
    /// One of several series in a folder, and its number or UID.
    Series(PathBuf, String),
    /// One of the values in each voxel of a file, counted from 0. A file of one channel is channel 0, or the one
    /// that its name ends in, as in `NAME_0001`.
    Channel(PathBuf, usize),
    /// A file for each axial slice, from the first to the last.
    Slices(Vec<PathBuf>),
}

impl Scan {
    /// The file to name in messages.
    pub fn path(&self) -> &Path {
        match self {
            Self::File(path) | Self::Series(path, _) | Self::Channel(path, _) => path,
            Self::Slices(paths) => paths.first().map_or(Path::new(""), PathBuf::as_path),
        }
    }

    /// All of its files.
    ///
    /// # Errors
    /// As [`super::files`].
    pub fn files(&self) -> Result<Vec<PathBuf>> {
        match self {
            Self::File(path) | Self::Channel(path, _) => super::files(path),
            Self::Series(folder, choice) => dicom::files(folder, Some(choice)),
            Self::Slices(paths) => Ok(paths.clone()),
        }
    }

    /// The channel of a file of several.
    pub fn channel(&self) -> Option<usize> {
        match self {
            Self::Channel(_, channel) => Some(*channel),
            Self::File(_) | Self::Series(..) | Self::Slices(_) => None,
        }
    }

    /// Whether its files do not say where their voxels lie.
    pub fn lacks_geometry(&self) -> bool {
        lacks_geometry(self.path())
    }

    /// How its arrays lie if they are of the voxels that lie in `grid`, whose axes may be in either order:
    /// that of `declared` where both fit, `None` where neither does.
    ///
    /// # Errors
    /// As [`Scan::read_grid`].
    pub(in crate::data) fn arrays_beside(
        &self,
        role: Role,
        grid: &Grid,
        declared: Arrays,
    ) -> Result<Option<Arrays>> {
        let arrays = declared.beside(grid);
        for arrays in [arrays, arrays.reversed()] {
            if self.grid(role, arrays)?.shape == grid.shape {
                return Ok(Some(arrays));
            }
        }
        Ok(None)
    }

    /// See [`super::read_grid`]; of slices only the first is looked at.
    ///
    /// # Errors
    /// As for one file, and a channel that is not there.
    pub fn read_grid(&self, arrays: Arrays) -> Result<Grid> {
        self.grid(Role::Image, arrays)
    }

    /// See [`super::read_image`].
    ///
    /// # Errors
    /// As for one file, slices of different sizes, and a channel that is not there.
    pub fn read_image(&self, arrays: Arrays) -> Result<Volume<f32>> {
        self.read(Role::Image, arrays)
    }

    /// See [`super::read_labels`].
    ///
    /// # Errors
    /// As for one file, and slices of different sizes.
    pub fn read_labels(&self, arrays: Arrays) -> Result<Volume<u8>> {
        self.read(Role::Label, arrays)
    }

    fn grid(&self, role: Role, arrays: Arrays) -> Result<Grid> {
        match self {
            Self::Series(folder, choice) => dicom::read_grid(folder, Some(choice)),
            Self::File(path) | Self::Channel(path, _) => grid(path, self.channel(), role, arrays),
            Self::Slices(paths) => {
                let first = grid(self.path(), None, role, arrays)?;
                Ok(stacked(&first, paths.len()))
            }
        }
    }

    fn read<T: Voxel>(&self, role: Role, arrays: Arrays) -> Result<Volume<T>> {
        match self {
            Self::Series(folder, choice) => dicom::read(folder, Some(choice))?.canonical(),
            Self::File(path) | Self::Channel(path, _) => {
                read(path, self.channel(), role, arrays)?.canonical()
            }
            Self::Slices(paths) => stack(paths, role, arrays),
        }
    }
}

fn stack<T: Voxel>(paths: &[PathBuf], role: Role, arrays: Arrays) -> Result<Volume<T>> {
    let mut stack: Option<(Grid, Vec<T>)> = None;
    for (index, path) in paths.iter().enumerate() {
        let raw = read(path, None, role, arrays)?;
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
        let place = match first.orientation.flipped[2] {
            false => index,
            true => paths.len() - 1 - index,
        };
        raw.fill(&mut voxels[place * first.len()..][..first.len()])?;
    }
    let Some((first, voxels)) = stack else {
        return Err(DataError::content(Path::new(""), "a scan without slices"));
    };
    Volume::new(stacked(&first, paths.len()), voxels, paths[0].clone())
}

/// The grid of `depth` such slices.
fn stacked(slice: &Grid, depth: usize) -> Grid {
    let [width, height, _] = slice.stored_shape();
    // Its affine made a grid before.
    Grid::from_stored([width, height, depth], slice.stored_affine).unwrap_or_else(|| slice.clone())
}
