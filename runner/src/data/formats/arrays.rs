//! How arrays and pictures lie, whose files say nothing of it.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{checked_shape, volume_of};
use crate::data::error::{DataError, Result};
use crate::data::volume::{Grid, Orientation};

/// How the arrays of HDF5 and NumPy files lie, and pictures, which say nothing of it themselves. What is not
/// declared is as SimpleITK gives the axial slices of most scanners: (z, y, x), to the left, the back and the
/// head. An array that belongs to a file with geometry takes that file's instead.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Arrays {
    /// Order of the axes.
    pub axes: ArrayAxes,
    /// Where x, y and z run: three letters of right or left, anterior or posterior, superior or inferior, as
    /// in `"LPS"`. Rows of a picture or slice are y, its columns x.
    pub directions: Orientation,
    /// Millimetres right, anterior and superior.
    pub spacing_mm: [f64; 3],
}

/// Order of an array's axes, the slowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ArrayAxes {
    /// Slices, rows, columns, as SimpleITK gives them.
    Zyx,
    /// As nibabel gives those of NIfTI files.
    Xyz,
}

impl Default for Arrays {
    fn default() -> Self {
        Self {
            axes: ArrayAxes::Zyx,
            directions: Orientation::LPS,
            spacing_mm: [1.0; 3],
        }
    }
}

impl Arrays {
    /// For arrays of the voxels of a file with geometry, which lie in `grid`.
    pub fn beside(self, grid: &Grid) -> Self {
        Self {
            axes: self.axes,
            directions: grid.orientation,
            spacing_mm: grid.spacing_mm,
        }
    }

    /// Whether both put the same voxel at the same place, but for its size.
    pub(in crate::data) fn lie_as(self, other: Self) -> bool {
        (self.axes, self.directions) == (other.axes, other.directions)
    }

    /// As a pipeline file declares it.
    pub(in crate::data) fn declaration(self) -> String {
        let directions = self.directions.codes();
        format!(
            "arrays: (axes: {:?}, directions: {directions:?})",
            self.axes
        )
    }

    /// With the axes in the other order.
    pub(super) fn reversed(self) -> Self {
        let axes = match self.axes {
            ArrayAxes::Zyx => ArrayAxes::Xyz,
            ArrayAxes::Xyz => ArrayAxes::Zyx,
        };
        Self { axes, ..self }
    }
}

impl fmt::Display for Arrays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let axes = match self.axes {
            ArrayAxes::Zyx => "(z, y, x)",
            ArrayAxes::Xyz => "(x, y, z)",
        };
        let [right, anterior, superior] = self.spacing_mm;
        let directions = self.directions.codes();
        write!(
            f,
            "{axes} with x, y, z running {directions} and {right}×{anterior}×{superior} mm"
        )
    }
}

/// The grid of a C-ordered array of two or three dimensions, and others of a single element.
pub(super) fn array_grid(path: &Path, shape: &[u64], arrays: Arrays) -> Result<Grid> {
    let refused = || {
        let problem = format!("has an array of shape {shape:?}, not a slice or a volume");
        DataError::content(path, problem)
    };
    let (shape, axes) = match *volume_of(shape) {
        [rows, columns] => ([1, rows, columns], ArrayAxes::Zyx),
        [a, b, c] => ([a, b, c], arrays.axes),
        _ => return Err(refused()),
    };
    let shape = checked_shape(shape).ok_or_else(refused)?;
    let [slowest, middle, fastest] = shape;
    let Orientation {
        axes: letters,
        flipped,
    } = arrays.directions;
    let mut affine = [[0.0; 4]; 4];
    affine[3][3] = 1.0;
    for world in 0..3 {
        let stored = match axes {
            ArrayAxes::Zyx => letters[world],
            ArrayAxes::Xyz => 2 - letters[world],
        };
        let edge = arrays.spacing_mm[world];
        affine[world][stored] = if flipped[world] { -edge } else { edge };
    }
    Grid::from_stored([fastest, middle, slowest], affine).ok_or_else(|| {
        let [right, anterior, superior] = arrays.spacing_mm;
        let problem = format!("cannot have voxels of {right}×{anterior}×{superior} mm");
        DataError::content(path, problem)
    })
}
