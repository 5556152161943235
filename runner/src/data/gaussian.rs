//! Gaussian filtering with the borders of the libraries that released code uses.

use super::slice::Plane;
use super::zoom::mirror;

/// What lies beyond the border of a plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Border {
    /// The border pixel, repeated.
    Repeat,
    /// The plane mirrored about its border pixels: … 2 1 0 1 2 … (OpenCV's `BORDER_DEFAULT`).
    Mirror,
    /// The plane mirrored about its edge: … 1 0 0 1 … (scipy's `reflect`).
    Reflect,
}

/// Gaussian of standard deviation `sigma` pixels with `2·radius + 1` taps.
pub(super) fn blur(plane: &Plane<f32>, radius: usize, sigma: f32, border: Border) -> Plane<f32> {
    let weights: Vec<f32> = (0..=2 * radius)
        .map(|i| (-(i as f32 - radius as f32).powi(2) / (2.0 * sigma * sigma)).exp())
        .collect();
    let across = rows_to_columns(plane, &weights, border);
    rows_to_columns(&across, &weights, border)
}

/// Filters the rows and transposes.
fn rows_to_columns(plane: &Plane<f32>, weights: &[f32], border: Border) -> Plane<f32> {
    let (height, width) = (plane.height, plane.width);
    let mut result = Plane::blank(width, height);
    if plane.pixels.is_empty() {
        return result;
    }
    let total: f32 = weights.iter().sum();
    let radius = weights.len() / 2;
    let columns: Vec<usize> = (0..width + 2 * radius)
        .map(|c| border.inside(c as isize - radius as isize, width))
        .collect();
    for (r, row) in plane.pixels.chunks(width).enumerate() {
        let padded: Vec<f32> = columns.iter().map(|c| row[*c]).collect();
        let mut sums = vec![0.0; width];
        // Tap by tap rather than pixel by pixel: neighbouring pixels are added at once.
        for (tap, weight) in weights.iter().enumerate() {
            for (sum, value) in sums.iter_mut().zip(&padded[tap..]) {
                *sum += weight * value;
            }
        }
        for (c, sum) in sums.into_iter().enumerate() {
            result.pixels[c * height + r] = sum / total;
        }
    }
    result
}

impl Border {
    /// The pixel of a line of `length` that stands for `index`.
    fn inside(self, index: isize, length: usize) -> usize {
        match self {
            Self::Repeat => (index.max(0) as usize).min(length - 1),
            Self::Mirror => mirror(index, length),
            Self::Reflect => {
                let index = index.rem_euclid(2 * length as isize) as usize;
                index.min(2 * length - 1 - index)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::golden::{checksum, scene};

    fn assert_checksum(plane: &Plane<f32>, expected: f64) {
        let found = checksum(&plane.pixels);
        assert!((found - expected).abs() < 1e-7, "{found}, not {expected}");
    }

    /// Expected values: `tests/reference/preprocessing.py`, OpenCV 5.0.
    #[test]
    fn mirrored_blur_is_opencvs() {
        for ((height, width), radius, sigma, expected) in [
            ((9, 7), 1, 0.6, 0.252548723),
            ((9, 7), 2, 1.4, 0.2574072762),
            ((2, 1), 2, 1.0, 0.2020870485),
        ] {
            let blurred = blur(&scene(height, width), radius, sigma, Border::Mirror);
            assert_checksum(&blurred, expected);
        }
    }

    /// Expected values: `tests/reference/preprocessing.py`, scipy 1.17.1.
    #[test]
    fn reflected_blur_is_scipys() {
        for ((height, width), sigma, expected) in [
            ((40, 40), 3.2, 0.2467956915),
            ((31, 46), 3.68, 0.2450803111),
            ((5, 60), 4.8, 0.2506286393),
            ((1, 3), 0.24, 0.3141585318),
        ] {
            let radius = (4.0 * sigma + 0.5) as usize;
            let blurred = blur(&scene(height, width), radius, sigma, Border::Reflect);
            assert_checksum(&blurred, expected);
        }
    }

    /// A unit impulse keeps its sum, and its peak is the centre weight squared.
    #[test]
    fn blur_is_a_normalised_gaussian() {
        let impulse = Plane::from_fn(9, 9, |r, c| f32::from(u8::from(r == 4 && c == 4)));
        let blurred = blur(&impulse, 2, 1.0, Border::Repeat);
        assert!((blurred.pixels.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        assert!((blurred.at(4, 4) - 0.402_62_f32.powi(2)).abs() < 1e-4);
    }
}
