//! A pipeline learns: what it segments on phantoms that training has not seen is mostly right.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::Command;

const PIPELINE: &str = r#"Pipeline(
    name: "learns",
    seed: 5,
    data: {"heart": La(root: "heart", split: First(train: 6, test: 2), labelled: All)},
    encoder: Sam(image_size_px: 32, PATCHES, dim: 32, depth: 1, heads: 2),
    transformer: (depth: 1, heads: 2, mlp_dim: 64),
    adapter: Lora(rank: 4),
    decoder: DECODER,
    stages: [
        Pretrain(
            name: "encoder", data: "heart", objective: Masked(mask_ratio: 0.3),
            epochs: 50, batch: 4, max_steps: 60, optimiser: (learning_rate: 2e-3, clip_norm: 1.0),
        ),
        Finetune(
            name: "finetune", data: "heart",
            loss: (cross_entropy: 0.2, dice: 0.8), augmentation: Off,
            epochs: 90, batch: 4, max_steps: STEPS,
            optimiser: (learning_rate: RATE, schedule: Poly(warmup_steps: 10)),
        ),
        Evaluate(name: "test", data: "heart", model: "finetune", batch: 8, overlays: 0),
    ],
)"#;

fn runner(folder: &Path, arguments: &[&str]) {
    let out = Command::new(env!("CARGO_BIN_EXE_runner"))
        .args(arguments)
        .current_dir(folder)
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{arguments:?}\n{errors}");
}

/// Seeds 5 to 7 give 0.76 to 0.81, a network after one step 0.06.
#[test]
fn a_small_pipeline_learns_to_segment() {
    let small = [
        ("DECODER", "Sam"),
        ("PATCHES", "patch_size_px: 4, out_channels: 32"),
        ("STEPS", "150"),
        ("RATE", "3e-3"),
    ];
    learns(&small, 0.65);
}

/// Seeds 5 to 7 give 0.76 to 0.80, a network after one step 0.06.
#[test]
fn h_sams_decoders_learn_to_segment() {
    let small = [
        ("DECODER", "HSam"),
        ("PATCHES", "patch_size_px: 8, out_channels: 64"),
        ("STEPS", "220"),
        ("RATE", "2e-3"),
    ];
    learns(&small, 0.65);
}

fn learns(small: &[(&str, &str)], least_dice: f64) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut pipeline = PIPELINE.to_owned();
    for (word, value) in small {
        pipeline = pipeline.replace(word, value);
    }
    std::fs::write(folder.join("learns.ron"), pipeline).unwrap();
    let phantoms = "phantom --layout la --cases 8 --shape 32,32,16 --out heart";
    runner(folder, &phantoms.split(' ').collect::<Vec<_>>());
    runner(folder, &["learns.ron", "--out", "out"]);
    let summary = std::fs::read(folder.join("out/summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&summary).unwrap();
    let dice = summary["mean_dice"].as_f64().unwrap();
    assert!(dice > least_dice, "{dice}");
    let events = std::fs::read_to_string(folder.join("out/events.jsonl")).unwrap();
    let events = events
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let events: Vec<serde_json::Value> = events.collect();
    for stage in ["encoder", "finetune"] {
        let losses = events.iter().filter(|e| e["stage"] == stage);
        let losses: Vec<f64> = losses.map(|e| e["loss"].as_f64().unwrap()).collect();
        let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
        let quarter = losses.len() / 4;
        let (first, last) = (
            mean(&losses[..quarter]),
            mean(&losses[losses.len() - quarter..]),
        );
        assert!(
            last < 0.75 * first,
            "{stage}: the loss went from {first} to {last}"
        );
    }
}
