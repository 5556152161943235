//! The test image and the checksum of `tests/reference/preprocessing.py`.

use super::slice::Plane;

/// An image in 0…1.
pub(crate) fn scene(height: usize, width: usize) -> Plane<f32> {
    Plane::from_fn(height, width, |r, c| {
        ((r * 7919 + c * 104_729 + r * c * 31 + 500) % 997) as f32 / 997.0
    })
}

/// Mean of the pixels under pseudo-random weights in 0…1.
pub(crate) fn checksum(pixels: &[f32]) -> f64 {
    let weight = |i: u64| f64::from(((i + 1) * 2_654_435_761 % (1 << 32)) as u32) / 2_f64.powi(32);
    let weighted = (0..).zip(pixels).map(|(i, p)| f64::from(*p) * weight(i));
    weighted.sum::<f64>() / pixels.len() as f64
}
