//! Scaling of intensities to 0…1.

use super::source::Intensity;

/// Clips to the declared range and scales it to 0…1; a range without extent gives zeros.
pub fn normalize(voxels: &mut [f32], intensity: Intensity) {
    let (low, high) = match intensity {
        Intensity::Window { low, high } => (low, high),
        Intensity::Percentile { low, high } => {
            let mut copy = voxels.to_vec();
            (percentile(&mut copy, low), percentile(&mut copy, high))
        }
    };
    let extent = high - low;
    for voxel in voxels {
        *voxel = if extent > 0.0 {
            ((voxel.clamp(low, high) - low) / extent).clamp(0.0, 1.0)
        } else {
            0.0
        };
    }
}

/// Percentile `q` in 0…100 with linear interpolation (numpy's default) in linear time; 0 for no
/// values. Reorders `values`.
fn percentile(values: &mut [f32], q: f32) -> f32 {
    let Some(last) = values.len().checked_sub(1) else {
        return 0.0;
    };
    let position = (f64::from(q) / 100.0).clamp(0.0, 1.0) * last as f64;
    let (_, &mut low, above) =
        values.select_nth_unstable_by(position.floor() as usize, f32::total_cmp);
    let high = above.iter().copied().min_by(f32::total_cmp).unwrap_or(low);
    (f64::from(low) + f64::from(high - low) * position.fract()) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_becomes_unit_range() {
        let mut voxels = [-1000.0, -125.0, 75.0, 275.0, 900.0];
        normalize(
            &mut voxels,
            Intensity::Window {
                low: -125.0,
                high: 275.0,
            },
        );
        assert_eq!(voxels, [0.0, 0.0, 0.5, 1.0, 1.0]);
    }

    #[test]
    fn percentiles_match_numpy() {
        assert_eq!(percentile(&mut [10.0, 1.0, 3.0, 2.0, 4.0], 95.0), 8.8);
        let mut voxels = [0.0, 1.0, 2.0, 3.0, 4.0];
        normalize(
            &mut voxels,
            Intensity::Percentile {
                low: 25.0,
                high: 75.0,
            },
        );
        assert_eq!(voxels, [0.0, 0.0, 0.5, 1.0, 1.0]);
    }

    #[test]
    fn constant_volumes_become_zero() {
        let mut voxels = [7.0; 4];
        normalize(&mut voxels, Intensity::default());
        assert_eq!(voxels, [0.0; 4]);
    }
}
