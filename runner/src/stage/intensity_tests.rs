//! What networks are shown.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashMap;
use std::fs;

use samora_engine::cpu::evaluate;
use samora_engine::weights::Weights;

use super::*;
use crate::pipeline::{Override, load};

/// The three channels of a pixel of intensity `x`.
fn channels(intensity: InputIntensity, x: f32) -> Vec<f32> {
    let mut g = Graph::new();
    let image = seen_image(&mut g, "image", (1, 1), intensity);
    let feeds = HashMap::from([("image".to_string(), Tensor::f32(&[1, 1, 1, 1], vec![x]))]);
    let values = evaluate(&g, &feeds, &[image]).unwrap();
    values[0].as_f32().to_vec()
}

#[test]
fn imagenet_has_a_scale_for_each_channel() {
    assert_eq!(channels(InputIntensity::UnitRange, 0.5), [0.5; 3]);
    assert_eq!(channels(InputIntensity::Standardised, -2.0), [-2.0; 3]);
    let seen = channels(InputIntensity::ImageNet, 0.5);
    // torchvision's Normalize(mean=[.485, .456, .406], std=[.229, .224, .225]).
    let wanted = [0.065_502_18, 0.196_428_57, 0.417_777_78];
    let close = seen.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-5);
    assert!(close, "{seen:?}");
}

#[test]
fn weights_trained_on_another_scale_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let weights = Weights {
        metadata: [("intensity".to_string(), "UnitRange".to_string())].into(),
        ..Weights::default()
    };
    weights
        .write(&folder.path().join("mae.safetensors"))
        .unwrap();
    let file = folder.path().join("small.ron");
    let text = r#"Pipeline(
        name: "small", seed: 1, data: {"scans": La(root: "scans")},
        encoder: Sam(image_size_px: 32, patch_size_px: 8, dim: 16, depth: 1, heads: 2),
        stages: [Pretrain(
            name: "mae", data: "scans", epochs: 1, batch: 4, weights: "WEIGHTS",
            objective: Mae(network: (image_size_px: 32, patch_size_px: 8, dim: 16, depth: 1, heads: 2)),
            optimiser: (learning_rate: 1e-3),
        )],
    )"#;
    let weights = folder.path().join("mae.safetensors").display().to_string();
    fs::write(&file, text.replace("WEIGHTS", &weights)).unwrap();
    let check = |sets: &[&str]| {
        let sets: Vec<Override> = sets.iter().map(|s| Override::parse(s).unwrap()).collect();
        let pipeline = load(&file, &sets).unwrap();
        check_intensity(&pipeline, &pipeline.stages[0])
    };
    let message = check(&[]).unwrap_err().to_string();
    assert!(
        message.contains("write `intensity: UnitRange`"),
        "{message}"
    );
    check(&["stages.mae.intensity=UnitRange"]).unwrap();
}
