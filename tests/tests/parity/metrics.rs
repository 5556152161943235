//! Dice and HD95 of label maps on an anisotropic grid against medpy's (`metrics.py`).

use std::path::PathBuf;

use samora_engine::Tensor;
use samora_runner::data::volume::{Grid, Volume};
use samora_runner::metrics::volume::{ClassScore, score_case};

use super::fixture;

/// Absolute; the fixture holds single precision.
const TOLERANCE: f64 = 1e-6;
const CLASSES: usize = 6;

#[test]
fn dice_and_hd95_are_medpys() {
    let reference = fixture("metrics");
    let spacing = &reference.tensors["spacing"];
    let mut worst = 0.0f64;
    for case in 0..3 {
        let parts = reference.below(&format!("case{case}.")).tensors;
        // Arrays are [z, y, x], so x is fastest as in a volume.
        let volume = |labels: &Tensor| {
            let [z, y, x] = labels.shape[..].try_into().unwrap();
            let grid = Grid::axis_aligned([x, y, z], [0, 1, 2].map(|axis| rounded(spacing, axis)));
            let voxels = labels.as_f32().iter().map(|label| *label as u8).collect();
            Volume::new(grid, voxels, PathBuf::new()).unwrap()
        };
        let (prediction, truth) = (volume(&parts["prediction"]), volume(&parts["truth"]));
        let scores = score_case("case", &prediction, &truth, CLASSES).unwrap();
        for (class, score) in scores.classes.iter().enumerate() {
            let want = [0, 1, 2, 3].map(|column| parts["scores"].at(4 * class + column));
            for (got, want) in comparable(score).into_iter().zip(want) {
                assert_eq!(got.is_none(), want.is_nan(), "case {case}, class {class}");
                let off = got.map_or(0.0, |got| (got - want).abs());
                assert!(
                    off <= TOLERANCE,
                    "case {case}, class {class}: {got:?} {want}"
                );
                worst = worst.max(off);
            }
        }
    }
    println!("Dice and HD95: {worst:.1e} of at most {TOLERANCE:.0e}");
}

/// As the columns of the fixture, where medpy has no Dice of two empty masks.
fn comparable(score: &ClassScore) -> [Option<f64>; 4] {
    [
        (!score.both_empty()).then_some(score.dice),
        score.hd95_mm,
        Some(score.samed_dice),
        Some(score.samed_hd95_voxels),
    ]
}

/// A spacing of two decimals, as it was before it became single precision.
fn rounded(spacing: &Tensor, axis: usize) -> f64 {
    (spacing.at(axis) * 100.0).round() / 100.0
}
