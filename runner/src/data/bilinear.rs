//! Bilinear resizing with pixels as areas, as Pillow and PyTorch (`align_corners=False`) do it: output
//! pixel k is centred at (k + ½)·in/out of the input's extent. [`zoom`] aligns corners instead.
//!
//! [`zoom`]: super::zoom

use super::slice::Plane;

/// What a pixel of a smaller image is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shrinking {
    /// All pixels it covers (Pillow; PyTorch with `antialias`).
    Averaged,
    /// The neighbours of its centre (PyTorch's default).
    Sampled,
}

/// Resizes intensities to `height`×`width`.
pub fn resize(plane: &Plane<f32>, height: usize, width: usize, how: Shrinking) -> Plane<f32> {
    if plane.pixels.is_empty() {
        return Plane::blank(height, width);
    }
    let columns = taps(plane.width, width, how);
    let wide = Plane::from_fn(plane.height, width, |r, c| {
        columns[c].sum(|column| plane.at(r, column))
    });
    let rows = taps(plane.height, height, how);
    Plane::from_fn(height, width, |r, c| rows[r].sum(|row| wide.at(row, c)))
}

/// Neighbouring input pixels of an output pixel and their weights, which add up to 1.
struct Taps {
    first: usize,
    weights: Vec<f64>,
}

impl Taps {
    fn sum(&self, value: impl Fn(usize) -> f32) -> f32 {
        let each = (self.first..).zip(&self.weights);
        each.map(|(i, weight)| f64::from(value(i)) * weight)
            .sum::<f64>() as f32
    }
}

fn taps(from: usize, to: usize, how: Shrinking) -> Vec<Taps> {
    let ratio = from as f64 / to as f64;
    let reach = match how {
        Shrinking::Averaged => ratio.max(1.0),
        Shrinking::Sampled => 1.0,
    };
    let tap = |k: usize| {
        let centre = (k as f64 + 0.5) * ratio;
        let first = (centre - reach + 0.5).max(0.0) as usize;
        let end = ((centre + reach + 0.5) as usize).min(from);
        let near = |i: usize| (1.0 - ((i as f64 + 0.5 - centre) / reach).abs()).max(0.0);
        let weights: Vec<f64> = (first..end).map(near).collect();
        let total: f64 = weights.iter().sum();
        let weights = weights.iter().map(|weight| weight / total).collect();
        Taps { first, weights }
    };
    (0..to).map(tap).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQUARES: [f32; 6] = [0.0, 1.0, 4.0, 9.0, 16.0, 25.0];

    fn resized(width: usize, how: Shrinking) -> Vec<f32> {
        let row = Plane::from_fn(1, SQUARES.len(), |_, c| SQUARES[c]);
        let column = resize(&row.rot90(3), width, 1, how);
        let row = resize(&row, 1, width, how);
        assert_eq!(row.pixels, column.pixels);
        row.pixels
    }

    /// Expected values were computed with `torch.nn.functional.interpolate` of PyTorch 2.15.
    #[test]
    fn lines_are_resized_as_pytorch_does() {
        for (width, how, expected) in [
            (
                9,
                Shrinking::Averaged,
                &[0.0, 0.5, 1.5, 3.5, 6.5, 10.16667, 14.83333, 20.5, 25.0][..],
            ),
            (
                9,
                Shrinking::Sampled,
                &[0.0, 0.5, 1.5, 3.5, 6.5, 10.16667, 14.83333, 20.5, 25.0][..],
            ),
            (
                4,
                Shrinking::Averaged,
                &[0.375, 3.55556, 10.77778, 21.625][..],
            ),
            (4, Shrinking::Sampled, &[0.25, 3.25, 10.75, 22.75][..]),
            (2, Shrinking::Averaged, &[2.5, 15.0][..]),
            (2, Shrinking::Sampled, &[1.0, 16.0][..]),
        ] {
            let found = resized(width, how);
            let close = |(f, e): (&f32, &f32)| (f - e).abs() < 1e-5;
            assert_eq!(found.len(), expected.len());
            assert!(found.iter().zip(expected).all(close), "{found:?}");
        }
    }
}
