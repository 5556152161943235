//! Slices of volumes in canonical orientation, and back.

use super::source::Axis;
use super::volume::Volume;

/// A 2-D image, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane<T> {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// `height·width` values; (row, column) is element `row·width + column`.
    pub pixels: Vec<T>,
}

impl<T: Copy + Default> Plane<T> {
    /// A plane of default values.
    pub fn blank(height: usize, width: usize) -> Self {
        Self::from_fn(height, width, |_, _| T::default())
    }

    /// A plane of `value(row, column)`.
    pub fn from_fn(height: usize, width: usize, mut value: impl FnMut(usize, usize) -> T) -> Self {
        let mut pixels = Vec::with_capacity(height * width);
        for row in 0..height {
            pixels.extend((0..width).map(|column| value(row, column)));
        }
        Self {
            height,
            width,
            pixels,
        }
    }

    /// The value at (row, column), which must lie inside.
    pub fn at(&self, row: usize, column: usize) -> T {
        self.pixels[row * self.width + column]
    }

    /// The plane of `value(pixel)`.
    pub fn map<U>(&self, value: impl Fn(T) -> U) -> Plane<U> {
        Plane {
            height: self.height,
            width: self.width,
            pixels: self.pixels.iter().map(|p| value(*p)).collect(),
        }
    }

    /// `k` quarter turns counter-clockwise (numpy's `rot90`).
    pub fn rot90(&self, k: usize) -> Self {
        let (h, w) = (self.height, self.width);
        match k % 4 {
            0 => self.clone(),
            1 => Self::from_fn(w, h, |r, c| self.at(c, w - 1 - r)),
            2 => Self::from_fn(h, w, |r, c| self.at(h - 1 - r, w - 1 - c)),
            _ => Self::from_fn(w, h, |r, c| self.at(h - 1 - c, r)),
        }
    }

    /// Rows reversed (`axis` 0) or columns reversed (`axis` 1).
    pub fn flip(&self, axis: usize) -> Self {
        let (h, w) = (self.height, self.width);
        match axis {
            0 => Self::from_fn(h, w, |r, c| self.at(h - 1 - r, c)),
            _ => Self::from_fn(h, w, |r, c| self.at(r, w - 1 - c)),
        }
    }

    /// The part of `height`×`width` that starts at (row, column); cut at the border.
    pub fn crop(&self, row: usize, column: usize, height: usize, width: usize) -> Self {
        let row = row.min(self.height);
        let column = column.min(self.width);
        let (h, w) = (
            height.min(self.height - row),
            width.min(self.width - column),
        );
        Self::from_fn(h, w, |r, c| self.at(row + r, column + c))
    }

    /// An axial slice seen from above the head: front up, the patient's left on the left (numpy's `rot90` of
    /// a slice in RAS+).
    pub fn neurological(&self) -> Self {
        self.rot90(2)
    }

    /// A slice as radiologists view it: head or front up, the patient's right, or the front, on the left.
    pub fn radiological(&self, axis: Axis) -> Self {
        match axis {
            Axis::Axial => self.flip(0),
            Axis::Coronal | Axis::Sagittal => self.rot90(2),
        }
    }
}

/// Number of slices of a volume of canonical `shape` along `axis`.
pub fn depth(shape: [usize; 3], axis: Axis) -> usize {
    shape[axes(axis).2]
}

/// Slices along `axis` of a volume of canonical `shape`, and their rows and columns.
pub(super) fn planes(shape: [usize; 3], axis: Axis) -> [usize; 3] {
    let (columns, rows, across) = axes(axis);
    [shape[across], shape[rows], shape[columns]]
}

/// Slice `index` of `volume` along `axis`; `None` if there is no such slice. Rows and columns run
/// along the canonical axes named at [`Axis`].
pub fn slice<T: Copy + Default>(volume: &Volume<T>, axis: Axis, index: usize) -> Option<Plane<T>> {
    let shape = volume.grid.shape;
    let (columns, rows, across) = axes(axis);
    if index >= shape[across] {
        return None;
    }
    let strides = [1, shape[0], shape[0] * shape[1]];
    let (height, width) = (shape[rows], shape[columns]);
    let mut pixels = Vec::with_capacity(height * width);
    for row in 0..height {
        let line = &volume.voxels[index * strides[across] + row * strides[rows]..];
        match (axis, strides[columns]) {
            (Axis::Axial, _) => pixels.extend(line[..width].iter().rev()),
            (_, 1) => pixels.extend_from_slice(&line[..width]),
            (_, stride) => pixels.extend(line.iter().step_by(stride).take(width)),
        }
    }
    Some(Plane {
        height,
        width,
        pixels,
    })
}

/// Writes `plane` as slice `index` of `volume` along `axis`; `false` if it does not fit.
pub fn set_slice<T: Copy + Default>(
    volume: &mut Volume<T>,
    axis: Axis,
    index: usize,
    plane: &Plane<T>,
) -> bool {
    let shape = volume.grid.shape;
    let (columns, rows, across) = axes(axis);
    if index >= shape[across] || [plane.height, plane.width] != [shape[rows], shape[columns]] {
        return false;
    }
    let strides = [1, shape[0], shape[0] * shape[1]];
    for r in 0..plane.height {
        for c in 0..plane.width {
            let c_of_plane = match axis {
                Axis::Axial => plane.width - 1 - c,
                Axis::Coronal | Axis::Sagittal => c,
            };
            let at = index * strides[across] + r * strides[rows] + c * strides[columns];
            volume.voxels[at] = plane.at(r, c_of_plane);
        }
    }
    true
}

/// How rows and columns of slices run: networks know no other way.
pub fn directions(axis: Axis) -> &'static str {
    match axis {
        Axis::Sagittal => "rows superior, columns anterior",
        Axis::Coronal => "rows superior, columns right",
        Axis::Axial => "rows anterior, columns left",
    }
}

/// Volume axes along the columns, along the rows and across.
fn axes(axis: Axis) -> (usize, usize, usize) {
    match axis {
        Axis::Sagittal => (1, 2, 0),
        Axis::Coronal => (0, 2, 1),
        Axis::Axial => (0, 1, 2),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::data::volume::Grid;
    use std::path::PathBuf;

    #[test]
    fn slices_return_to_their_place() {
        let grid = Grid::axis_aligned([2, 3, 4], [1.0; 3]);
        let volume = Volume::new(grid.clone(), (0..24).collect::<Vec<u8>>(), PathBuf::new());
        let volume = volume.unwrap();
        for (axis, first, size) in [
            (Axis::Axial, [7, 6], (3, 2)),
            (Axis::Coronal, [2, 3], (4, 2)),
            (Axis::Sagittal, [1, 3], (4, 3)),
        ] {
            let plane = slice(&volume, axis, 1).unwrap();
            assert_eq!((plane.height, plane.width), size);
            assert_eq!(plane.pixels[..2], first);
            let mut copy = Volume::new(grid.clone(), vec![0; 24], PathBuf::new()).unwrap();
            for index in 0..depth(grid.shape, axis) {
                let plane = slice(&volume, axis, index).unwrap();
                assert!(set_slice(&mut copy, axis, index, &plane));
            }
            assert_eq!(copy.voxels, volume.voxels);
            assert!(slice(&volume, axis, depth(grid.shape, axis)).is_none());
        }
    }

    #[test]
    fn rot90_turns_like_numpy() {
        let plane = Plane::from_fn(2, 3, |r, c| 3 * r + c);
        assert_eq!(plane.rot90(1).pixels, [2, 5, 1, 4, 0, 3]);
        assert_eq!(plane.rot90(1).rot90(3), plane);
        assert_eq!(plane.rot90(2), plane.flip(0).flip(1));
    }

    #[test]
    fn crop_stays_inside() {
        let plane = Plane::from_fn(2, 3, |r, c| 3 * r + c);
        assert_eq!(plane.crop(1, 1, 9, 2).pixels, [4, 5]);
        assert!(plane.crop(5, 0, 1, 1).pixels.is_empty());
    }
}
