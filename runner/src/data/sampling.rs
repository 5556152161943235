//! Planes sampled between their pixels.

use super::slice::Plane;
use super::zoom::mirror;

/// The plane moved: pixel (row, column) is `sample` of `plane` at `source(row, column)`, and 0 where
/// that lies outside.
pub(super) fn moved<T: Copy + Default>(
    plane: &Plane<T>,
    source: impl Fn(usize, usize) -> (f64, f64),
    sample: impl Fn(&Plane<T>, f64, f64) -> T,
) -> Plane<T> {
    let last_row = plane.height as f64 - 1.0;
    let last_column = plane.width as f64 - 1.0;
    Plane::from_fn(plane.height, plane.width, |r, c| {
        let (row, column) = source(r, c);
        let inside = (0.0..=last_row).contains(&row) && (0.0..=last_column).contains(&column);
        if inside {
            sample(plane, row, column)
        } else {
            T::default()
        }
    })
}

/// As [`moved`], but what lies outside is mirrored about the border pixels.
pub(super) fn moved_mirrored<T: Copy + Default>(
    plane: &Plane<T>,
    source: impl Fn(usize, usize) -> (f64, f64),
    sample: impl Fn(&Plane<T>, f64, f64) -> T,
) -> Plane<T> {
    Plane::from_fn(plane.height, plane.width, |r, c| {
        let (row, column) = source(r, c);
        sample(plane, row, column)
    })
}

/// The nearest pixel (order 0); outside mirrored.
pub(super) fn nearest<T: Copy + Default>(plane: &Plane<T>, row: f64, column: f64) -> T {
    let at = |x: f64, length| mirror(floor(x + 0.5), length);
    plane.at(at(row, plane.height), at(column, plane.width))
}

/// Bilinear interpolation (order 1); outside mirrored.
pub(super) fn linear(plane: &Plane<f32>, row: f64, column: f64) -> f32 {
    let taps = |x: f64, length| {
        let first = floor(x);
        [first, first.saturating_add(1)].map(|i| mirror(i, length))
    };
    let ([up, down], [left, right]) = (taps(row, plane.height), taps(column, plane.width));
    let (v, u) = (row - row.floor(), column - column.floor());
    let at = |r, c| f64::from(plane.at(r, c));
    let top = at(up, left) * (1.0 - u) + at(up, right) * u;
    let bottom = at(down, left) * (1.0 - u) + at(down, right) * u;
    (top * (1.0 - v) + bottom * v) as f32
}

/// The whole number below, saturating. `f64::floor` is a call where the least processor that is compiled for
/// has no instruction for it, as on x86-64, and takes longer than the rest of a pixel.
fn floor(x: f64) -> isize {
    let whole = x as isize;
    match whole as f64 > x {
        true => whole.saturating_sub(1),
        false => whole,
    }
}
