//! A 3-D scan or label map in canonical orientation, with the way back to the file's own grid.

use super::error::{DataError, Result};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::str::FromStr;

/// A volume whose axes point right, anterior and superior (RAS+). Voxel (x, y, z) is element
/// `x + nx·(y + ny·z)`, as in NIfTI files.
#[derive(Clone, Debug, PartialEq)]
pub struct Volume<T> {
    /// Where the voxels lie.
    pub grid: Grid,
    /// `nx·ny·nz` values, x fastest.
    pub voxels: Vec<T>,
    /// The file it was read from; empty when it was made in memory.
    pub path: PathBuf,
}

impl<T: Copy> Volume<T> {
    /// Wraps `voxels` (canonical order) on `grid`.
    ///
    /// # Errors
    /// The number of voxels differs from the grid's.
    pub fn new(grid: Grid, voxels: Vec<T>, path: PathBuf) -> Result<Self> {
        if voxels.len() != grid.len() {
            let problem = format!("{} voxels for a grid of {:?}", voxels.len(), grid.shape);
            return Err(DataError::content(&path, problem));
        }
        Ok(Self { grid, voxels, path })
    }

    /// The voxels in the axes and directions of the file the grid came from.
    pub fn to_stored(&self) -> Vec<T> {
        let width = self.grid.stored_shape()[0] as isize;
        let (rows, step) = self.grid.stored_rows();
        let mut stored = Vec::with_capacity(self.voxels.len());
        for first in rows {
            let index = |i: isize| first.wrapping_add_signed(i * step);
            stored.extend((0..width).map(|i| self.voxels[index(i)]));
        }
        stored
    }
}

/// Where voxels lie in the patient.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// Voxels along right, anterior and superior.
    pub shape: [usize; 3],
    /// Edge lengths of a voxel in millimetres, in the same order.
    pub spacing_mm: [f64; 3],
    /// Rows of the matrix that takes (x, y, z, 1) in voxels to RAS+ millimetres.
    pub affine: [[f64; 4]; 4],
    /// How the file stores these axes.
    pub orientation: Orientation,
    /// The affine of the file's own axes.
    pub stored_affine: [[f64; 4]; 4],
}

impl Grid {
    /// The canonical grid of a file of `stored_shape` voxels with affine `stored_affine`.
    /// `None` if the affine is not finite or not invertible; the axis across a slice may be 0, and is then
    /// made perpendicular to the others, 1 mm long.
    pub fn from_stored(stored_shape: [usize; 3], stored_affine: [[f64; 4]; 4]) -> Option<Self> {
        let stored_affine = with_axis_across(stored_shape, stored_affine);
        let orientation = Orientation::of(&stored_affine)?;
        let shape = orientation.axes.map(|a| stored_shape[a]);
        let mut affine = [[0.0; 4]; 4];
        affine[3][3] = 1.0;
        for row in 0..3 {
            affine[row][3] = stored_affine[row][3];
            for c in 0..3 {
                let column = stored_affine[row][orientation.axes[c]];
                affine[row][c] = if orientation.flipped[c] {
                    affine[row][3] += column * (shape[c] as f64 - 1.0);
                    -column
                } else {
                    column
                };
            }
        }
        let spacing_mm = [0, 1, 2].map(|c| column_length(&affine, c));
        Some(Self {
            shape,
            spacing_mm,
            affine,
            orientation,
            stored_affine,
        })
    }

    /// An axis-aligned canonical grid with its origin at the centre of the first voxel.
    pub fn axis_aligned(shape: [usize; 3], spacing_mm: [f64; 3]) -> Self {
        let mut affine = [[0.0; 4]; 4];
        for (axis, spacing) in spacing_mm.into_iter().enumerate() {
            affine[axis][axis] = spacing;
        }
        affine[3][3] = 1.0;
        Self {
            shape,
            spacing_mm,
            affine,
            orientation: Orientation::CANONICAL,
            stored_affine: affine,
        }
    }

    /// Number of voxels.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there are no voxels.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The edge lengths of a voxel along the axes that have several: of a slice two.
    pub fn spacings_mm(&self) -> impl Iterator<Item = f64> + use<> {
        let axes = self.shape.into_iter().zip(self.spacing_mm);
        axes.filter(|(voxels, _)| *voxels > 1).map(|(_, edge)| edge)
    }

    /// How far voxels of the same index are apart in two grids of one shape, at most.
    pub fn largest_shift_mm(&self, other: &Self) -> f64 {
        let corner = |grid: &Self, which: usize| {
            let at = [0, 1, 2].map(|axis| match which >> axis & 1 {
                0 => 0.0,
                _ => grid.shape[axis] as f64 - 1.0,
            });
            grid.affine
                .map(|[x, y, z, origin]| x * at[0] + y * at[1] + z * at[2] + origin)
        };
        let shift = |which| {
            let (a, b) = (corner(self, which), corner(other, which));
            let square = |axis: usize| (a[axis] - b[axis]).powi(2);
            (square(0) + square(1) + square(2)).sqrt()
        };
        (0..8).map(shift).fold(0.0, f64::max)
    }

    /// Whether files store two grids of one shape alike, as far as voxels have neighbours: which way an axis of a
    /// single voxel runs makes no difference.
    pub fn is_stored_like(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.orientation, other.orientation);
        (0..3).filter(|axis| self.shape[*axis] > 1).all(|axis| {
            (ours.axes[axis], ours.flipped[axis]) == (theirs.axes[axis], theirs.flipped[axis])
        })
    }

    /// Shape in the file's own axes.
    pub fn stored_shape(&self) -> [usize; 3] {
        let mut shape = [0; 3];
        for (canonical, stored) in self.orientation.axes.into_iter().enumerate() {
            shape[stored] = self.shape[canonical];
        }
        shape
    }

    /// The canonical index of the first voxel of each of the file's rows, in the file's order, and the step
    /// from one voxel of a row to the next.
    pub fn stored_rows(&self) -> (impl Iterator<Item = usize> + use<>, isize) {
        let Orientation { axes, flipped } = self.orientation;
        let strides = [1, self.shape[0], self.shape[0] * self.shape[1]];
        let mut first = 0;
        let mut steps = [0; 3];
        for c in 0..3 {
            steps[axes[c]] = strides[c] as isize;
            if flipped[c] {
                first += strides[c] * (self.shape[c] - 1);
                steps[axes[c]] *= -1;
            }
        }
        let [_, height, depth] = self.stored_shape().map(|n| n as isize);
        let row = move |j, k| first.wrapping_add_signed(j * steps[1] + k * steps[2]);
        let rows = (0..depth).flat_map(move |k| (0..height).map(move |j| row(j, k)));
        (rows, steps[0])
    }
}

/// How a file stores the canonical axes: a permutation and directions. It is written as [`Orientation::codes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Orientation {
    /// Stored axis of each canonical axis.
    pub axes: [usize; 3],
    /// Whether the stored axis runs against the canonical one.
    pub flipped: [bool; 3],
}

impl Orientation {
    /// Right, anterior, superior, in this order.
    pub const CANONICAL: Self = Self {
        axes: [0, 1, 2],
        flipped: [false; 3],
    };
    /// Left, posterior, superior, as scanners store axial slices.
    pub const LPS: Self = Self {
        axes: [0, 1, 2],
        flipped: [true, true, false],
    };
    /// Left, anterior, superior.
    pub const LAS: Self = Self {
        axes: [0, 1, 2],
        flipped: [true, false, false],
    };

    /// The closest axis-aligned orientation of an affine; `None` if the affine is not finite or
    /// not invertible.
    pub fn of(affine: &[[f64; 4]; 4]) -> Option<Self> {
        let finite = affine.iter().flatten().all(|v| v.is_finite());
        let lengths = [0, 1, 2].map(|c| column_length(affine, c));
        let cosine = |row: usize, column: usize| affine[row][column] / lengths[column];
        let volume = determinant(affine) / lengths.iter().product::<f64>();
        if !finite || !volume.is_finite() || volume.abs() < 1e-6 {
            return None;
        }
        const PERMUTATIONS: [[usize; 3]; 6] = [
            [0, 1, 2],
            [0, 2, 1],
            [1, 0, 2],
            [1, 2, 0],
            [2, 0, 1],
            [2, 1, 0],
        ];
        let fit = |axes: &[usize; 3]| (0..3).map(|c| cosine(c, axes[c]).abs()).sum::<f64>();
        let axes = PERMUTATIONS
            .into_iter()
            .max_by(|a, b| fit(a).total_cmp(&fit(b)))?;
        let flipped = [0, 1, 2].map(|c| cosine(c, axes[c]) < 0.0);
        Some(Self { axes, flipped })
    }

    /// Letters of the stored axes in stored order, such as `LPS`.
    pub fn codes(&self) -> String {
        let mut codes = [' '; 3];
        for c in 0..3 {
            codes[self.axes[c]] = LETTERS[c][usize::from(self.flipped[c])];
        }
        codes.into_iter().collect()
    }
}

/// Completes the affine of a slice that says nothing of what lies before and behind it.
fn with_axis_across(shape: [usize; 3], mut affine: [[f64; 4]; 4]) -> [[f64; 4]; 4] {
    let missing = |axis: &usize| shape[*axis] == 1 && column_length(&affine, *axis) == 0.0;
    if let Some(axis) = (0..3).find(missing) {
        let [next, last] = [1, 2].map(|step| {
            let other = (axis + step) % 3;
            [0, 1, 2].map(|row| affine[row][other])
        });
        let normal = [0, 1, 2].map(|row| {
            let (below, lowest) = ((row + 1) % 3, (row + 2) % 3);
            next[below] * last[lowest] - next[lowest] * last[below]
        });
        let length = normal.iter().map(|n| n * n).sum::<f64>().sqrt();
        (0..3).for_each(|row| affine[row][axis] = normal[row] / length);
    }
    affine
}

/// Along and against each canonical axis.
const LETTERS: [[char; 2]; 3] = [['R', 'L'], ['A', 'P'], ['S', 'I']];

impl FromStr for Orientation {
    type Err = String;

    fn from_str(codes: &str) -> Result<Self, String> {
        let letters: Vec<char> = codes.chars().collect();
        let mut found = Self::CANONICAL;
        for (axis, pair) in LETTERS.iter().enumerate() {
            let mut places = (0..letters.len()).filter(|i| pair.contains(&letters[*i]));
            match (letters.len(), places.next(), places.next()) {
                (3, Some(place), None) => {
                    found.axes[axis] = place;
                    found.flipped[axis] = letters[place] == pair[1];
                }
                _ => {
                    return Err(format!(
                        "`{codes}` does not say where three axes run: one letter each of R or L, A or P, \
                         S or I, such as LPS"
                    ));
                }
            }
        }
        Ok(found)
    }
}

impl TryFrom<String> for Orientation {
    type Error = String;

    fn try_from(codes: String) -> Result<Self, String> {
        codes.parse()
    }
}

impl From<Orientation> for String {
    fn from(orientation: Orientation) -> Self {
        orientation.codes()
    }
}

fn column_length(affine: &[[f64; 4]; 4], column: usize) -> f64 {
    let square = |row: usize| affine[row][column] * affine[row][column];
    (square(0) + square(1) + square(2)).sqrt()
}

fn determinant(m: &[[f64; 4]; 4]) -> f64 {
    m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1])
        - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
        + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Stored axes are (superior down, left, anterior): codes ILA.
    const ILA: [[f64; 4]; 4] = [
        [0.0, -2.0, 0.0, 10.0],
        [0.0, 0.1, 3.0, -20.0],
        [-5.0, 0.0, 0.0, 30.0],
        [0.0, 0.0, 0.0, 1.0],
    ];

    #[test]
    fn rows_of_the_file_lie_where_its_axes_say() {
        let grid = Grid::from_stored([2, 3, 4], ILA).unwrap();
        assert_eq!(grid.orientation.codes(), "ILA");
        assert_eq!(grid.shape, [3, 4, 2]);
        assert_eq!(grid.stored_shape(), [2, 3, 4]);
        let volume = Volume::new(grid, (0..24).collect(), PathBuf::new()).unwrap();
        let stored = volume.to_stored();
        // Canonical (0,0,0) is stored (1,2,0): element 1 + 2·2.
        assert_eq!(stored[5], 0);
        // One step right is one step back along stored axis 1.
        assert_eq!(stored[3], 1);
        let (rows, step) = volume.grid.stored_rows();
        assert_eq!(
            rows.zip(stored.iter().step_by(2)).find(|(a, b)| *a != **b),
            None
        );
        assert_eq!(stored[1], stored[0].wrapping_add_signed(step));
    }

    #[test]
    fn affine_keeps_each_voxel_in_place() {
        let grid = Grid::from_stored([2, 3, 4], ILA).unwrap();
        // Stored (1,2,0) is canonical (0,0,0).
        for (row, stored) in grid.affine.iter().zip(&ILA) {
            let world = stored[0] + 2.0 * stored[1] + stored[3];
            assert!((row[3] - world).abs() < 1e-12);
        }
        assert!((grid.spacing_mm[1] - 3.0).abs() < 1e-12);
    }

    #[test]
    fn an_axis_of_one_voxel_may_run_either_way() {
        let mut turned = ILA;
        (0..3).for_each(|row| turned[row][1] *= -1.0);
        let alike = |shape: [usize; 3]| {
            let grids = [ILA, turned].map(|affine| Grid::from_stored(shape, affine).unwrap());
            grids[0].is_stored_like(&grids[1])
        };
        assert!(alike([2, 1, 4]));
        assert!(!alike([2, 3, 4]));
    }

    #[test]
    fn a_slice_needs_no_axis_across() {
        let mut flat = ILA;
        (0..3).for_each(|row| flat[row][1] = 0.0);
        let grid = Grid::from_stored([2, 1, 4], flat).unwrap();
        assert_eq!(grid.orientation.codes(), "ILA");
        assert_eq!(grid.spacing_mm, [1.0, 3.0, 5.0]);
        assert!(Grid::from_stored([2, 3, 4], flat).is_none());
    }

    #[test]
    fn orientations_are_written_as_letters() {
        for codes in ["RAS", "LPS", "ILA", "SPR"] {
            assert_eq!(codes.parse::<Orientation>().unwrap().codes(), codes);
        }
        assert_eq!("LPS".parse(), Ok(Orientation::LPS));
        assert_eq!("LAS".parse(), Ok(Orientation::LAS));
        assert_eq!("ILA".parse().ok(), Orientation::of(&ILA));
        for bad in ["", "LP", "LRS", "LPSA", "lps", "xyz"] {
            assert!(
                bad.parse::<Orientation>()
                    .unwrap_err()
                    .contains("such as LPS")
            );
        }
    }

    #[test]
    fn refuses_a_flat_affine() {
        let mut flat = ILA;
        flat[2][0] = 0.0;
        assert!(Grid::from_stored([2, 3, 4], flat).is_none());
        flat[0][0] = f64::NAN;
        assert!(Grid::from_stored([2, 3, 4], flat).is_none());
    }
}
