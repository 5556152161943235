//! Scaling of a volume's intensities.

use super::source::Intensity;

/// Scales to 0…1 with clipping, or to mean 0 and standard deviation 1; voxels without extent become 0. Where
/// both percentiles are one value, as of an object that is less than a percent of the image, the least and
/// the greatest are taken.
pub fn normalize(voxels: &mut [f32], intensity: Intensity) {
    let (low, high) = match intensity {
        Intensity::Window { low, high } => (low, high),
        Intensity::Percentile { low, high } => {
            let mut copy = voxels.to_vec();
            let range = (percentile(&mut copy, low), percentile(&mut copy, high));
            match range.0 < range.1 {
                true => range,
                false => (percentile(&mut copy, 0.0), percentile(&mut copy, 100.0)),
            }
        }
        Intensity::ZScore => return z_score(voxels),
    };
    let extent = high - low;
    for voxel in voxels {
        *voxel = if extent > 0.0 {
            (voxel.clamp(low, high) - low) / extent
        } else {
            0.0
        };
    }
}

fn z_score(voxels: &mut [f32]) {
    let mean_of = |value: &dyn Fn(f64) -> f64| {
        voxels.iter().map(|v| value(f64::from(*v))).sum::<f64>() / voxels.len().max(1) as f64
    };
    let mean = mean_of(&|v| v);
    let deviation = mean_of(&|v| (v - mean).powi(2)).sqrt();
    // The rounded mean of equal voxels may differ from them.
    if voxels.windows(2).all(|pair| pair[0] == pair[1]) {
        return voxels.fill(0.0);
    }
    for voxel in voxels {
        *voxel = ((f64::from(*voxel) - mean) / deviation) as f32;
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
        for intensity in [Intensity::default(), Intensity::ZScore] {
            normalize(&mut voxels, intensity);
            assert_eq!(voxels, [0.0; 4]);
        }
    }

    #[test]
    fn scans_that_scaling_turns_black() {
        let mut voxels = vec![0.0; 1000];
        voxels[17..21].copy_from_slice(&[500.0, 600.0, 720.0, 500.0]);
        normalize(&mut voxels, Intensity::default());
        assert_eq!(
            voxels[17..21],
            [500.0 / 720.0, 600.0 / 720.0, 1.0, 500.0 / 720.0]
        );
        assert_eq!(voxels[16], 0.0);
        // Dark objects in a bright image.
        let mut voxels = vec![100.0; 1000];
        voxels[5] = -60.0;
        normalize(&mut voxels, Intensity::default());
        assert_eq!((voxels[5], voxels[6]), (0.0, 1.0));
    }

    /// Expected: numpy 2.4's `(x - x.mean()) / x.std()`.
    #[test]
    fn z_scores_match_numpy() {
        let mut voxels = [-2.0, 0.0, 1.0, 17.0];
        normalize(&mut voxels, Intensity::ZScore);
        let expected = [-0.791_256_6, -0.527_504_4, -0.395_628_3, 1.714_389_3];
        for (found, expected) in voxels.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{voxels:?}");
        }
    }
}
