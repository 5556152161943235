//! What networks see is part of the pipeline, written or not.

use super::*;
use crate::data::input_intensity::InputIntensity;

fn intensities(pipeline: &Pipeline) -> Vec<Option<InputIntensity>> {
    let of = |stage: &Stage| match stage {
        Stage::Pretrain(s) => s.intensity,
        Stage::Expert(s) => s.intensity,
        Stage::Finetune(_) | Stage::Evaluate(_) => None,
    };
    pipeline.stages[..2].iter().map(of).collect()
}

fn of(text: &str, sets: &[&str]) -> Vec<Option<InputIntensity>> {
    intensities(&load_text(text, sets).unwrap())
}

#[test]
fn defaults_depend_on_encoder_data_and_weights() {
    use InputIntensity::{ImageNet, Standardised, UnitRange};
    let sam = "Sam(image_size_px: 96, patch_size_px: 8, dim: 96, depth: 4, heads: 4)";
    let tiny = GOOD.replace(sam, "TinyVit(image_size_px: 96, stem: Pointwise)");
    let simclr = "Simclr(network: (width: 16))";
    let scores = GOOD.replace("root: \"scans\"", "root: \"scans\", intensity: ZScore");
    let mae = "Mae(network: (image_size_px: 96, patch_size_px: 8, dim: 32, depth: 1, heads: 2))";
    // Its first two stages alone, of the patch level.
    let patch = |text: &str| {
        let end = text
            .find("        Pretrain(\n            name: \"mae\"")
            .unwrap();
        let first = format!("{}    ],\n)", &text[..end]);
        first
            .replace("Image(teacher", "Patch(teacher")
            .replace(simclr, mae)
    };
    let published = patch(GOOD).replacen("epochs: 3", "epochs: 3, weights: \"mae.pth\"", 1);
    assert_eq!(of(GOOD, &[]), [Some(UnitRange), Some(Standardised)]);
    assert_eq!(of(&tiny, &[]), [Some(UnitRange), Some(UnitRange)]);
    assert_eq!(of(&scores, &[]), [Some(UnitRange), Some(Standardised)]);
    assert_eq!(of(&patch(GOOD), &[]), [Some(UnitRange), Some(Standardised)]);
    assert_eq!(of(&published, &[]), [Some(ImageNet), Some(Standardised)]);
    let masked = |text: &str| {
        let own = "Pretrain(name: \"own\", data: \"scans\", objective: Masked(), epochs: 1, batch: 4, \
                   optimiser: (learning_rate: 1e-3)), Pretrain(";
        text.replacen("Pretrain(", own, 1)
    };
    assert_eq!(of(&masked(GOOD), &[])[0], Some(UnitRange));
    assert_eq!(of(&masked(&scores), &[])[0], Some(Standardised));
}

#[test]
fn what_is_written_counts_and_the_resolved_file_spells_it_out() {
    use InputIntensity::{ImageNet, UnitRange};
    let written = GOOD.replacen("epochs: 3", "epochs: 3, intensity: ImageNet", 1);
    let pipeline = load_text(&written, &["stages.image.intensity=UnitRange"]).unwrap();
    assert_eq!(intensities(&pipeline), [Some(ImageNet), Some(UnitRange)]);
    let resolved = to_ron(&pipeline).unwrap();
    assert!(resolved.contains("intensity: ImageNet"), "{resolved}");
    assert!(resolved.contains("intensity: UnitRange"), "{resolved}");
    assert_eq!(load_text(&resolved, &[]).unwrap(), pipeline);
    let resolved = to_ron(&load_text(GOOD, &[]).unwrap()).unwrap();
    assert!(resolved.contains("intensity: Standardised"), "{resolved}");
}
