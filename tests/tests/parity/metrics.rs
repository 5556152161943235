//! Scores of label maps against medpy's, MONAI's and the published conventions' (`metrics.py`).

use std::path::PathBuf;

use samora_engine::Tensor;
use samora_runner::data::volume::{Grid, Volume};
use samora_runner::metrics::metric::Metric;
use samora_runner::metrics::volume::{Empty, score_case};

use super::fixture;

/// Absolute.
const TOLERANCE: f64 = 1e-9;
/// Of MONAI's NSD, a quotient in single precision.
const NSD_TOLERANCE: f64 = 1e-7;
const CLASSES: usize = 6;
const NSD_MM: f64 = 1.5;

#[test]
fn scores_are_medpys_and_monais() {
    let reference = fixture("metrics");
    let mut worst = 0.0f64;
    for case in 0..4 {
        let parts = reference.below(&format!("case{case}.")).tensors;
        // Arrays are [z, y, x], so x is fastest as in a volume.
        let volume = |labels: &Tensor| {
            let [z, y, x] = labels.shape[..].try_into().unwrap();
            let spacing = [0, 1, 2].map(|axis| rounded(&parts["spacing"], axis));
            let voxels = labels.as_f32().iter().map(|label| *label as u8).collect();
            let grid = Grid::axis_aligned([x, y, z], spacing);
            Volume::new(grid, voxels, PathBuf::new()).unwrap()
        };
        let (prediction, truth) = (volume(&parts["prediction"]), volume(&parts["truth"]));
        let scores = score_case("case", &prediction, &truth, CLASSES, NSD_MM).unwrap();
        assert_eq!(scores.classes.len(), CLASSES);
        for (class, score) in scores.classes.iter().enumerate() {
            for (column, metric) in Metric::ALL.into_iter().enumerate() {
                let at = Metric::ALL.len() * class + column;
                let want = parts["scores"].at(at) + parts["scores_rest"].at(at);
                let found = metric.of(score);
                let about = format!("case {case}, class {class}, {metric:?}: {found:?} {want}");
                if want.is_nan() {
                    let has_none = match metric {
                        Metric::Dice | Metric::Iou => score.empty() == Some(Empty::Both),
                        Metric::UamtIou | Metric::UamtAsdVoxels => found == Some(0.0),
                        _ => found.is_none(),
                    };
                    assert!(has_none, "{about}");
                    continue;
                }
                let off = (found.unwrap_or_else(|| panic!("{about}")) - want).abs();
                match metric {
                    Metric::Nsd => assert!(off <= NSD_TOLERANCE, "{about}"),
                    _ => {
                        assert!(off <= TOLERANCE, "{about}");
                        worst = worst.max(off);
                    }
                }
            }
        }
    }
    println!("scores: {worst:.1e} of at most {TOLERANCE:.0e}");
}

/// A spacing of two decimals, as it was before it became single precision.
fn rounded(spacing: &Tensor, axis: usize) -> f64 {
    (spacing.at(axis) * 100.0).round() / 100.0
}
