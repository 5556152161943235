//! 95th percentile of the symmetric surface distance, as medpy's `hd95` defines it.

use super::distance::distance_z_fastest;
use rayon::prelude::*;

/// HD95 of two masks of `shape` [nx, ny, nz] (x fastest) in the unit of `spacing`; `None` if
/// either mask is empty.
///
/// The surface of a mask is the mask without its erosion by the six face neighbours, with
/// background outside the volume. The distances of each surface's voxels to the other surface are
/// pooled before the percentile (numpy's linear interpolation).
pub fn hd95(first: &[bool], second: &[bool], shape: [usize; 3], spacing: [f64; 3]) -> Option<f64> {
    let [nx, ny, nz] = shape;
    if first.len() != nx * ny * nz || second.len() != first.len() {
        return None;
    }
    let first = surface(first, shape);
    let second = surface(second, shape);
    let mut distances = Vec::new();
    for (from, to) in [(&first, &second), (&second, &first)] {
        if !from.contains(&true) {
            return None;
        }
        let distance = distance_z_fastest(to, shape, spacing);
        for (i, _) in from.iter().enumerate().filter(|(_, on)| **on) {
            distances.push(distance[i / (nx * ny) + nz * (i % (nx * ny))]);
        }
    }
    Some(percentile(&mut distances, 95.0))
}

/// Percentile `q` in 0…100 with linear interpolation between order statistics (numpy's default);
/// NaN for no values. Sorts `values`.
pub fn percentile(values: &mut [f64], q: f64) -> f64 {
    values.par_sort_unstable_by(f64::total_cmp);
    let Some(last) = values.len().checked_sub(1) else {
        return f64::NAN;
    };
    let position = (q / 100.0).clamp(0.0, 1.0) * last as f64;
    let low = values[position.floor() as usize];
    let high = values[position.ceil() as usize];
    low + (high - low) * position.fract()
}

fn surface(mask: &[bool], [nx, ny, nz]: [usize; 3]) -> Vec<bool> {
    let mut surface = vec![false; mask.len()];
    for (i, _) in mask.iter().enumerate().filter(|(_, on)| **on) {
        let (x, y, z) = (i % nx, i / nx % ny, i / (nx * ny));
        let inside = x > 0
            && x + 1 < nx
            && y > 0
            && y + 1 < ny
            && z > 0
            && z + 1 < nz
            && [1, nx, nx * ny]
                .iter()
                .all(|step| mask[i - step] && mask[i + step]);
        surface[i] = !inside;
    }
    surface
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Expected values come from medpy's definition evaluated with scipy 1.17.
    #[test]
    fn matches_medpy() {
        // A numpy array of shape (6, 12, 12) in C order: its last axis is our x.
        let shape = [12, 12, 6];
        let block = |z: [usize; 2], y: [usize; 2], x: [usize; 2]| -> Vec<bool> {
            (0..shape.iter().product::<usize>())
                .map(|i| {
                    let inside = |at: usize, [low, high]: [usize; 2]| (low..high).contains(&at);
                    inside(i / 144, z) && inside(i / 12 % 12, y) && inside(i % 12, x)
                })
                .collect()
        };
        let truth = block([1, 5], [2, 9], [3, 10]);
        let prediction = block([0, 4], [4, 11], [2, 8]);
        let count = |mask: &[bool]| mask.iter().filter(|on| **on).count();
        assert_eq!(count(&surface(&truth, shape)), 146);
        assert_eq!(count(&surface(&prediction, shape)), 128);
        let found = hd95(&prediction, &truth, shape, [1.0; 3]).unwrap();
        assert!((found - 2.236_067_977_5).abs() < 1e-9, "{found}");
        let doubled = hd95(&prediction, &truth, shape, [2.0; 3]).unwrap();
        assert!((doubled - 2.0 * found).abs() < 1e-9);
        assert_eq!(hd95(&[false; 864], &truth, shape, [1.0; 3]), None);
    }

    #[test]
    fn percentile_interpolates_like_numpy() {
        assert!((percentile(&mut [10.0, 1.0, 3.0, 2.0, 4.0], 95.0) - 8.8).abs() < 1e-12);
        assert_eq!(percentile(&mut [7.0], 95.0), 7.0);
        assert!(percentile(&mut [], 95.0).is_nan());
    }
}
