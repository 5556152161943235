//! Resizing and rotation with scipy's conventions (`scipy.ndimage.zoom` and `rotate`): corners are
//! aligned, output pixel k samples k·(in − 1)/(out − 1). scipy itself blanks the last row and
//! column where that product rounds above in − 1 (512 → 224, for instance); here it is clamped.

use super::slice::Plane;

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
    let columns = Taps::new(plane.width, width, how);
    let mut wide = vec![0.0; plane.height * width];
    let mut line = vec![0.0; plane.width];
    for (row, out) in plane
        .pixels
        .chunks(plane.width)
        .zip(wide.chunks_mut(width.max(1)))
    {
        for (value, pixel) in line.iter_mut().zip(row) {
            *value = f64::from(*pixel);
        }
        columns.resample(&mut line, |k, value| out[k] = value);
    }
    let rows = Taps::new(plane.height, height, how);
    let mut result = Plane::blank(height, width);
    let mut line = vec![0.0; plane.height];
    for column in 0..width {
        for (row, value) in line.iter_mut().enumerate() {
            *value = wide[row * width + column];
        }
        rows.resample(&mut line, |k, value| {
            result.pixels[k * width + column] = value as f32
        });
    }
    result
}

/// Resizes by nearest neighbour (order 0): labels.
pub fn zoom_nearest<T: Copy + Default>(plane: &Plane<T>, height: usize, width: usize) -> Plane<T> {
    if plane.pixels.is_empty() {
        return Plane::blank(height, width);
    }
    let nearest = |input: usize, output: usize| -> Vec<usize> {
        (0..output)
            .map(|k| (coordinate(k, input, output) + 0.5).floor() as usize)
            .collect()
    };
    let rows = nearest(plane.height, height);
    let columns = nearest(plane.width, width);
    Plane::from_fn(height, width, |r, c| plane.at(rows[r], columns[c]))
}

/// Rotates about the centre by `degrees` without changing the size; outside is 0 (order 0).
pub fn rotate_nearest<T: Copy + Default>(plane: &Plane<T>, degrees: f64) -> Plane<T> {
    rotated(plane, degrees, |row, column| {
        plane.at(
            (row + 0.5).floor() as usize,
            (column + 0.5).floor() as usize,
        )
    })
}

/// Rotates about the centre by `degrees` without changing the size; outside is 0 (order 1).
pub fn rotate_linear(plane: &Plane<f32>, degrees: f64) -> Plane<f32> {
    rotated(plane, degrees, |row, column| {
        let (r, c) = (row.floor() as usize, column.floor() as usize);
        let (down, right) = ((r + 1).min(plane.height - 1), (c + 1).min(plane.width - 1));
        let (v, u) = (row.fract(), column.fract());
        let at = |r, c| f64::from(plane.at(r, c));
        let top = at(r, c) * (1.0 - u) + at(r, right) * u;
        let bottom = at(down, c) * (1.0 - u) + at(down, right) * u;
        (top * (1.0 - v) + bottom * v) as f32
    })
}

fn rotated<T: Copy + Default>(
    plane: &Plane<T>,
    degrees: f64,
    sample: impl Fn(f64, f64) -> T,
) -> Plane<T> {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let last_row = plane.height as f64 - 1.0;
    let last_column = plane.width as f64 - 1.0;
    Plane::from_fn(plane.height, plane.width, |r, c| {
        let (y, x) = (r as f64 - last_row / 2.0, c as f64 - last_column / 2.0);
        let row = cos * y + sin * x + last_row / 2.0;
        let column = -sin * y + cos * x + last_column / 2.0;
        let inside = (0.0..=last_row).contains(&row) && (0.0..=last_column).contains(&column);
        if inside {
            sample(row, column)
        } else {
            T::default()
        }
    })
}

/// Input coordinate of output pixel `k`.
fn coordinate(k: usize, input: usize, output: usize) -> f64 {
    let last = input as f64 - 1.0;
    if output < 2 {
        return 0.0;
    }
    (k as f64 * (last / (output as f64 - 1.0))).min(last)
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

    /// Calls `put(k, value)` for every output pixel; `line` is overwritten.
    fn resample(&self, line: &mut [f64], mut put: impl FnMut(usize, f64)) {
        if self.how == Interpolation::Cubic {
            spline_coefficients(line);
        }
        for (k, taps) in self.taps.iter().enumerate() {
            put(k, taps.iter().map(|(at, weight)| line[*at] * weight).sum());
        }
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
fn mirror(index: isize, length: usize) -> usize {
    if length < 2 {
        return 0;
    }
    let period = 2 * (length - 1);
    let index = index.rem_euclid(period as isize) as usize;
    index.min(period - index)
}

/// Turns samples into cubic B-spline coefficients by a causal and an anti-causal recursion with
/// mirrored borders (Unser, "Splines: a perfect fit", 1999).
fn spline_coefficients(line: &mut [f64]) {
    let n = line.len();
    if n < 2 {
        return;
    }
    let pole = 3_f64.sqrt() - 2.0;
    for value in line.iter_mut() {
        *value *= 6.0;
    }
    // The causal start sums the mirrored line; powers of the pole below 1e-18 cannot be seen.
    let mut power = 1.0;
    let mut start = 0.0;
    for k in 0..(2 * n - 2).min(32) {
        start += power * line[mirror(k as isize, n)];
        power *= pole;
    }
    if 2 * n - 2 <= 32 {
        start /= 1.0 - power;
    }
    line[0] = start;
    for i in 1..n {
        line[i] += pole * line[i - 1];
    }
    line[n - 1] = pole / (pole * pole - 1.0) * (pole * line[n - 2] + line[n - 1]);
    for i in (0..n - 1).rev() {
        line[i] = pole * (line[i + 1] - line[i]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQUARES: [f32; 6] = [0.0, 1.0, 4.0, 9.0, 16.0, 25.0];

    fn row(pixels: &[f32]) -> Plane<f32> {
        Plane::from_fn(1, pixels.len(), |_, c| pixels[c])
    }

    fn assert_close(found: &[f32], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (f, e) in found.iter().zip(expected) {
            assert!(
                (f64::from(*f) - e).abs() < 2e-6 * e.abs().max(1.0),
                "{found:?} {expected:?}"
            );
        }
    }

    /// Expected values were computed with scipy 1.17.
    #[test]
    fn cubic_matches_scipy() {
        let up = zoom(&row(&SQUARES), 1, 9, Interpolation::Cubic);
        let expected = [
            0.0,
            0.397_633_822,
            1.546_800_239,
            3.496_654_456,
            6.363_636_364,
            9.660_305_772,
            13.652_063_397,
            20.412_025_269,
            25.0,
        ];
        assert_close(&up.pixels, &expected);
        let down = zoom(&row(&SQUARES), 1, 4, Interpolation::Cubic);
        assert_close(&down.pixels, &[0.0, 2.745_879_851, 10.806_308_701, 25.0]);
        // Rows and columns are treated alike.
        let column = zoom(&row(&SQUARES).rot90(3), 9, 1, Interpolation::Cubic);
        assert_close(&column.pixels, &expected);
    }

    #[test]
    fn nearest_matches_scipy() {
        let zoomed = |width| zoom_nearest(&row(&SQUARES), 1, width).pixels;
        assert_eq!(zoomed(9), [0.0, 1.0, 1.0, 4.0, 9.0, 9.0, 16.0, 16.0, 25.0]);
        assert_eq!(zoomed(4), [0.0, 4.0, 9.0, 25.0]);
    }

    #[test]
    fn rotation_matches_scipy() {
        let plane = Plane::from_fn(5, 5, |r, c| 5 * r + c);
        let turned = [
            [0, 0, 3, 4, 0],
            [0, 6, 7, 8, 0],
            [5, 11, 12, 13, 19],
            [0, 16, 17, 18, 24],
            [0, 20, 21, 0, 0],
        ];
        assert_eq!(rotate_nearest(&plane, 20.0).pixels, turned.concat());
        let turned = [
            [0, 1, 1, 0, 0],
            [0, 6, 7, 8, 9],
            [15, 11, 12, 13, 9],
            [15, 16, 17, 18, 0],
            [0, 0, 23, 23, 0],
        ];
        assert_eq!(rotate_nearest(&plane, -15.0).pixels, turned.concat());
    }

    /// A linear ramp is reproduced exactly wherever the source lies inside.
    #[test]
    fn linear_interpolation_keeps_a_ramp() {
        let plane = Plane::from_fn(9, 9, |r, c| 2.0 * r as f32 - c as f32);
        let half = zoom(&plane, 17, 5, Interpolation::Linear);
        assert!((half.at(3, 1) - (2.0 * 1.5 - 2.0)).abs() < 1e-6);
        let (sin, cos) = 20_f64.to_radians().sin_cos();
        let (row, column) = (cos + 2.0 * sin + 4.0, 2.0 * cos - sin + 4.0);
        let found = f64::from(rotate_linear(&plane, 20.0).at(5, 6));
        assert!((found - (2.0 * row - column)).abs() < 1e-5, "{found}");
    }

    #[test]
    fn the_last_row_survives_512_to_224() {
        let plane = Plane::from_fn(512, 512, |_, _| 1.0);
        let small = zoom(&plane, 224, 224, Interpolation::Cubic);
        assert!(small.pixels.iter().all(|p| (p - 1.0).abs() < 1e-6));
        assert!(
            zoom_nearest(&plane, 224, 224)
                .pixels
                .iter()
                .all(|p| *p == 1.0)
        );
    }

    #[test]
    fn single_pixels_and_lines_resize() {
        let one = zoom(&row(&[3.0]), 4, 2, Interpolation::Cubic);
        assert!(one.pixels.iter().all(|p| (p - 3.0).abs() < 1e-6), "{one:?}");
        assert_eq!(
            zoom(&row(&SQUARES), 1, 1, Interpolation::Linear).pixels,
            [0.0]
        );
    }
}
