//! The six published pipelines, from phantoms in the original layouts to a result table: all stages, with
//! networks small enough for a software adapter.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::Command;

/// Phantoms that fill both parts of the published splits and the labelled cases.
const CASES: &str = "4";

/// Pipelines by the layout of their data.
const LAYOUTS: [(&str, [&str; 2]); 5] = [
    ("synapse", ["synapse_fewshot", "synapse_full"]),
    ("synapse-preprocessed", ["synapse_fewshot", "synapse_full"]),
    ("la", ["la_fewshot", "la_full"]),
    ("la-h5", ["la_fewshot", "la_full"]),
    ("promise12", ["promise_fewshot", "promise_full"]),
];

/// What makes the networks small; everything else is as published.
const SMALL: [&str; 9] = [
    "encoder=Sam(image_size_px: 32, patch_size_px: 8, dim: 16, depth: 1, heads: 2, out_channels: 16)",
    "weights=None",
    "transformer=(depth: 1, heads: 2, mlp_dim: 16)",
    "stages.simclr.objective.network=(blocks: [1], width: 4, projection_dim: 8)",
    "stages.simclr.weights=None",
    "stages.mae.objective.network=(image_size_px: 32, patch_size_px: 8, dim: 16, depth: 1, heads: 2, \
     decoder_dim: 16, decoder_depth: 1, decoder_heads: 2)",
    "stages.mae.weights=None",
    "stages.image.level.projector_width=16",
    "stages.patch.level.projector_width=16",
];

const TRAINING: [&str; 6] = ["simclr", "mae", "image", "patch", "pixel", "finetune"];

fn runner(folder: &Path, arguments: &[String]) -> String {
    let out = Command::new(env!("CARGO_BIN_EXE_runner"))
        .args(arguments)
        .current_dir(folder)
        // One cache of tested kernels for all.
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{arguments:?}\n{text}\n{errors}");
    text
}

/// The steps of a stage that were logged, with losses that are numbers.
fn logged(events: &str, stage: &str) -> Vec<u64> {
    let events = events
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let of_stage = events.filter(|event| event["stage"] == stage);
    let step = |event: serde_json::Value| {
        assert!(event["loss"].as_f64().is_some(), "{event}");
        event["step"].as_u64().unwrap()
    };
    of_stage.map(step).collect()
}

/// The mean is that of the classes' means over the cases, and Dice and IoU of a class measure the same overlap.
fn report_is_consistent(summary: &serde_json::Value) {
    let cases = summary["cases"].as_array().unwrap();
    let classes = summary["summary"]["classes"].as_array().unwrap();
    assert!(!cases.is_empty() && !classes.is_empty(), "{summary}");
    let mut means = Vec::new();
    for class in 0..classes.len() {
        let scores = cases.iter().map(|case| &case["classes"][class]);
        let of_case = |scores: &serde_json::Value| {
            let [dice, iou] = ["dice", "iou"].map(|metric| scores[metric].as_f64().unwrap());
            assert!((iou - dice / (2.0 - dice)).abs() < 1e-9, "{scores}");
            dice
        };
        means.push(scores.map(of_case).sum::<f64>() / cases.len() as f64);
    }
    let mean = means.iter().sum::<f64>() / means.len() as f64;
    let reported = summary["mean_dice"].as_f64().unwrap();
    assert!((mean - reported).abs() < 1e-9, "{reported}, not {mean}");
}

#[test]
fn published_pipelines_run_on_phantoms_in_the_original_layouts() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    let pipelines = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines");
    for (layout, names) in LAYOUTS {
        let phantom = [
            "phantom", "--layout", layout, "--cases", CASES, "--shape", "32,24,16", "--out", layout,
        ];
        runner(folder, &phantom.map(str::to_owned));
        for name in names {
            let out = format!("runs/{layout}/{name}");
            let mut sets: Vec<String> = SMALL.map(str::to_owned).to_vec();
            sets.push(format!("data.scans.root={layout}"));
            sets.push("stages.test.overlays=1".into());
            for stage in TRAINING {
                sets.push(format!("stages.{stage}.batch=2"));
                sets.push(format!("stages.{stage}.max_steps=2"));
            }
            let file = pipelines.join(format!("{name}.ron"));
            let mut arguments = vec![file.display().to_string(), "--out".into(), out.clone()];
            arguments.extend(sets.into_iter().flat_map(|set| ["--set".into(), set]));
            let table = runner(folder, &arguments);
            assert!(table.contains("Dice") && table.contains("HD95"), "{table}");
            let summary = std::fs::read(folder.join(&out).join("summary.json")).unwrap();
            let summary: serde_json::Value = serde_json::from_slice(&summary).unwrap();
            report_is_consistent(&summary);
            let events = std::fs::read_to_string(folder.join(&out).join("events.jsonl")).unwrap();
            for stage in TRAINING {
                assert_eq!(logged(&events, stage), [0, 1], "{out}: {stage}");
            }
        }
    }
}
