//! Resizing and rotation with scipy's conventions (`scipy.ndimage.zoom` and `rotate`): corners are
//! aligned, output pixel k samples k·(in − 1)/(out − 1). scipy itself blanks the last row and
//! column where that product rounds above in − 1 (512 → 224, for instance); here it is clamped, and
//! [`blank_overshoot`] does as scipy does.

use super::sampling::{linear, moved};
use super::slice::Plane;

/// Lines resampled at once. Each is a chain of dependent steps, which a processor does for several in the
/// time of one; a block of lines stays in its nearest cache.
const LANES: usize = 16;

/// Interpolation of intensities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// Order 1.
    Linear,
    /// Order 3: cubic B-spline through the samples, mirrored at the border.
    Cubic,
}

/// Resizes intensities to `height`×`width`.
pub fn zoom(plane: &Plane<f32>, height: usize, width: usize, how: Interpolation) -> Plane<f32> {
    if plane.pixels.is_empty() {
        return Plane::blank(height, width);
    }
    let rows = Taps::new(plane.height, height, how);
    let mut tall = vec![0.0; height * plane.width];
    let mut lines = vec![[0.0; LANES]; plane.height];
    for first in (0..plane.width).step_by(LANES) {
        let lanes = LANES.min(plane.width - first);
        for (values, row) in lines.iter_mut().zip(plane.pixels.chunks(plane.width)) {
            for (value, pixel) in values.iter_mut().zip(&row[first..][..lanes]) {
                *value = f64::from(*pixel);
            }
        }
        rows.resample(&mut lines, |k, values| {
            tall[k * plane.width + first..][..lanes].copy_from_slice(&values[..lanes]);
        });
    }
    let columns = Taps::new(plane.width, width, how);
    let mut result = Plane::blank(height, width);
    let mut lines = vec![[0.0; LANES]; plane.width];
    for first in (0..height).step_by(LANES) {
        let rows = first..height.min(first + LANES);
        for (lane, row) in rows.clone().enumerate() {
            let row = &tall[row * plane.width..][..plane.width];
            for (values, value) in lines.iter_mut().zip(row) {
                values[lane] = *value;
            }
        }
        columns.resample(&mut lines, |k, values| {
            for (row, value) in rows.clone().zip(values) {
                result.pixels[row * width + k] = value as f32;
            }
        });
    }
    result
}

/// Resizes by nearest neighbour (order 0): labels.
pub fn zoom_nearest<T: Copy + Default>(plane: &Plane<T>, height: usize, width: usize) -> Plane<T> {
    if plane.pixels.is_empty() {
        return Plane::blank(height, width);
    }
    let sources = |input: usize, output: usize| -> Vec<usize> {
        (0..output)
            .map(|k| (coordinate(k, input, output) + 0.5).floor() as usize)
            .collect()
    };
    let rows = sources(plane.height, height);
    let columns = sources(plane.width, width);
    Plane::from_fn(height, width, |r, c| plane.at(rows[r], columns[c]))
}

/// A rotation of planes of one size about their centre, without changing the size, by nearest neighbour (order 0).
pub struct NearestRotation {
    /// The pixel that each pixel takes, −1 from outside.
    sources: Vec<i32>,
}

impl NearestRotation {
    /// A rotation of planes of `height`×`width` by `degrees`.
    pub fn new(height: usize, width: usize, degrees: f64) -> Self {
        let source = rotation(height, width, degrees);
        let (height, width) = (height as i32, width as i32);
        let (last_row, last_column) = (f64::from(height - 1), f64::from(width - 1));
        let mut sources = Vec::with_capacity((height * width) as usize);
        for r in 0..height {
            sources.extend((0..width).map(|c| {
                let (row, column) = source(f64::from(r), f64::from(c));
                let inside =
                    (0.0..=last_row).contains(&row) && (0.0..=last_column).contains(&column);
                match inside {
                    true => (row + 0.5) as i32 * width + (column + 0.5) as i32,
                    false => -1,
                }
            }));
        }
        Self { sources }
    }

    /// The plane rotated; what comes from outside is 0.
    pub fn of<T: Copy + Default>(&self, plane: &Plane<T>) -> Plane<T> {
        let pixel = |at: &i32| plane.pixels.get(*at as usize).copied().unwrap_or_default();
        Plane {
            pixels: self.sources.iter().map(pixel).collect(),
            ..*plane
        }
    }
}

/// Rotates about the centre by `degrees` without changing the size; outside is 0 (order 1).
pub fn rotate_linear(plane: &Plane<f32>, degrees: f64) -> Plane<f32> {
    let source = rotation(plane.height, plane.width, degrees);
    moved(plane, |r, c| source(r as f64, c as f64), linear)
}

/// Where each pixel of a plane rotated about its centre comes from.
fn rotation(height: usize, width: usize, degrees: f64) -> impl Fn(f64, f64) -> (f64, f64) {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let (last_row, last_column) = (height as f64 - 1.0, width as f64 - 1.0);
    move |r, c| {
        let (y, x) = (r - last_row / 2.0, c - last_column / 2.0);
        let row = cos * y + sin * x + last_row / 2.0;
        let column = -sin * y + cos * x + last_column / 2.0;
        (row, column)
    }
}

/// Sets the last row and column of `zoomed` to 0 where scipy's `zoom` of a `height`×`width` plane does:
/// where it computes their coordinate, in floating point, beyond the last input pixel.
pub fn blank_overshoot<T: Copy + Default>(zoomed: &mut Plane<T>, height: usize, width: usize) {
    let overshoots = |input: usize, output: usize| {
        output > 0 && unclamped(output - 1, input, output) > input as f64 - 1.0
    };
    let (rows, columns) = (zoomed.height, zoomed.width);
    if overshoots(height, rows) {
        zoomed.pixels[(rows - 1) * columns..].fill(T::default());
    }
    if overshoots(width, columns) {
        let last = zoomed.pixels.iter_mut().skip(columns - 1);
        last.step_by(columns).for_each(|p| *p = T::default());
    }
}

/// Input coordinate of output pixel `k`.
fn coordinate(k: usize, input: usize, output: usize) -> f64 {
    unclamped(k, input, output).min(input as f64 - 1.0)
}

/// Input coordinate of output pixel `k` as scipy computes it.
fn unclamped(k: usize, input: usize, output: usize) -> f64 {
    if output < 2 {
        return 0.0;
    }
    k as f64 * ((input as f64 - 1.0) / (output as f64 - 1.0))
}

/// Input pixels and weights of every output pixel of a line.
struct Taps {
    how: Interpolation,
    taps: Vec<[(usize, f64); 4]>,
}

impl Taps {
    fn new(input: usize, output: usize, how: Interpolation) -> Self {
        let taps = (0..output)
            .map(|k| {
                let x = coordinate(k, input, output);
                let (base, t) = (x.floor(), x - x.floor());
                let weights = match how {
                    Interpolation::Linear => [0.0, 1.0 - t, t, 0.0],
                    Interpolation::Cubic => cubic_weights(t),
                };
                [0, 1, 2, 3].map(|i| {
                    let at = mirror(base as isize - 1 + i as isize, input);
                    (at, weights[i])
                })
            })
            .collect();
        Self { how, taps }
    }

    /// Calls `put(k, values)` for every output pixel of the lines, which are overwritten.
    fn resample(&self, lines: &mut [[f64; LANES]], mut put: impl FnMut(usize, [f64; LANES])) {
        if self.how == Interpolation::Cubic {
            spline_coefficients(lines);
        }
        for (k, taps) in self.taps.iter().enumerate() {
            let [(first, weight), others @ ..] = taps;
            let mut sums = lines[*first].map(|value| weight * value);
            for (at, weight) in others {
                add(&mut sums, &lines[*at], *weight);
            }
            put(k, sums);
        }
    }
}

/// `to += weight·from` in every lane.
fn add(to: &mut [f64; LANES], from: &[f64; LANES], weight: f64) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += weight * from;
    }
}

fn cubic_weights(t: f64) -> [f64; 4] {
    let s = 1.0 - t;
    [
        s * s * s / 6.0,
        (4.0 - 6.0 * t * t + 3.0 * t * t * t) / 6.0,
        (4.0 - 6.0 * s * s + 3.0 * s * s * s) / 6.0,
        t * t * t / 6.0,
    ]
}

/// Whole-sample mirror: … 2 1 0 1 2 … n−2 n−1 n−2 ….
pub(super) fn mirror(index: isize, length: usize) -> usize {
    if length < 2 {
        return 0;
    }
    // Most indices are inside, and a division takes longer than all else about a pixel.
    if (0..length as isize).contains(&index) {
        return index as usize;
    }
    let period = 2 * (length - 1);
    let index = index.rem_euclid(period as isize) as usize;
    index.min(period - index)
}

/// Turns samples into cubic B-spline coefficients by a causal and an anti-causal recursion with
/// mirrored borders (Unser, "Splines: a perfect fit", 1999).
fn spline_coefficients(lines: &mut [[f64; LANES]]) {
    let n = lines.len();
    if n < 2 {
        return;
    }
    let pole = 3_f64.sqrt() - 2.0;
    for value in lines.as_flattened_mut() {
        *value *= 6.0;
    }
    // The causal start sums the mirrored line; powers of the pole below 1e-18 cannot be seen.
    let mut power = 1.0;
    let mut start = [0.0; LANES];
    for k in 0..(2 * n - 2).min(32) {
        add(&mut start, &lines[mirror(k as isize, n)], power);
        power *= pole;
    }
    if 2 * n - 2 <= 32 {
        start = start.map(|value| value / (1.0 - power));
    }
    lines[0] = start;
    let mut before = start;
    for values in &mut lines[1..] {
        add(values, &before, pole);
        before = *values;
    }
    let mut after = lines[n - 2];
    for (value, last) in after.iter_mut().zip(before) {
        *value = pole / (pole * pole - 1.0) * (pole * *value + last);
    }
    lines[n - 1] = after;
    for values in lines[..n - 1].iter_mut().rev() {
        for (value, after) in values.iter_mut().zip(&mut after) {
            *value = pole * (*after - *value);
            *after = *value;
        }
    }
}

#[cfg(test)]
#[path = "zoom_tests.rs"]
mod tests;
