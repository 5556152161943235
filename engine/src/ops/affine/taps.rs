//! Which source elements each element of a result is the sum of.

use samora_shaders::Axis;

/// An index map: output coordinates in `shape` to the source coordinates of each tap.
pub(super) struct Taps {
    pub(super) shape: Vec<usize>,
    pub(super) taps: Vec<Vec<Axis>>,
    pub(super) fill: f32,
}

/// Coefficients of `rank` coordinates with only that of `d` set.
pub(super) fn unit(rank: usize, d: usize, value: i64) -> Vec<i64> {
    let mut coef = vec![0; rank];
    coef[d] = value;
    coef
}
