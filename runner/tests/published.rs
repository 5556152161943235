//! The six published pipelines, from phantoms in the original layouts to a result table: all stages, with
//! networks small enough for a processor.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
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

/// Variants of pipelines on the data of [`LAYOUTS`], their encoders as small as they can be, and what their published
/// recipes bring along.
const VARIANTS: [(&str, &str, &[&str], &[&str]); 3] = [
    (
        "synapse",
        "synapse_fewshot",
        &[H_SAM_ENCODER, "decoder=HSam"],
        &["augmentation: HSam", "rank: 4", "learning_rate: 0.0025"],
    ),
    (
        "la-h5",
        "la_fewshot",
        &[H_SAM_ENCODER, "adapter=Lora", "decoder=HSam"],
        &["augmentation: HSam", "rank: 5", "warmup_steps: 250"],
    ),
    (
        "promise12",
        "promise_fewshot",
        &[
            "encoder=Sam2(image_size_px: 64, dim: 8, heads: 1, depths: (1, 1, 2, 1), windows_tokens: (8, 4, 4, 2), \
             global_blocks: [3], positions_tokens: 4, out_channels: 16)",
            // A token of SAM 2 stands for 16 pixels, and so does a patch of its teacher.
            "stages.mae.objective.network=(image_size_px: 64, patch_size_px: 16, dim: 16, depth: 1, heads: 2, \
             decoder_dim: 16, decoder_depth: 1, decoder_heads: 2)",
        ],
        &["augmentation: Samed", "rank: 4"],
    ),
];

/// H-SAM's decoders need more channels.
const H_SAM_ENCODER: &str = "encoder=Sam(image_size_px: 32, patch_size_px: 8, dim: 16, depth: 1, heads: 2, out_channels: 64)";

fn runner(folder: &Path, arguments: &[String]) -> String {
    let out = Command::new(env!("CARGO_BIN_EXE_runner"))
        .args(arguments)
        .current_dir(folder)
        // Kernels that passed the self-test in an earlier run need not pass it again: that takes long.
        .env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"))
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

/// Writes phantoms in a published layout into a folder of its name.
fn phantoms(folder: &Path, layout: &str) {
    let arguments = [
        "phantom", "--layout", layout, "--cases", CASES, "--shape", "32,24,16", "--out", layout,
    ];
    runner(folder, &arguments.map(str::to_owned));
}

/// Runs a pipeline on these phantoms, two steps a stage, in the folder that is returned.
fn run(folder: &Path, layout: &str, name: &str, sets: &[&str]) -> PathBuf {
    let pipelines = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines");
    let out = folder.join(format!("runs/{layout}/{name}"));
    let mut all: Vec<String> = SMALL.iter().chain(sets).map(|s| (*s).to_owned()).collect();
    all.push(format!("data.scans.root={layout}"));
    all.push("stages.test.overlays=1".into());
    for stage in TRAINING {
        all.push(format!("stages.{stage}.batch=2"));
        all.push(format!("stages.{stage}.max_steps=2"));
    }
    let file = pipelines.join(format!("{name}.ron"));
    let paths = [&file, Path::new("--out"), &out].map(|path| path.display().to_string());
    let mut arguments = paths.to_vec();
    arguments.extend(all.into_iter().flat_map(|set| ["--set".into(), set]));
    let table = runner(folder, &arguments);
    assert!(table.contains("Dice") && table.contains("HD95"), "{table}");
    let summary = std::fs::read(out.join("summary.json")).unwrap();
    report_is_consistent(&serde_json::from_slice(&summary).unwrap());
    out
}

/// These stages and no others were trained.
fn trained(out: &Path, stages: &[&str]) {
    let events = std::fs::read_to_string(out.join("events.jsonl")).unwrap();
    for stage in TRAINING {
        let steps: &[u64] = if stages.contains(&stage) {
            &[0, 1]
        } else {
            &[]
        };
        assert_eq!(logged(&events, stage), steps, "{}: {stage}", out.display());
    }
}

#[test]
fn published_pipelines_run_on_phantoms_in_the_original_layouts() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    for (layout, names) in LAYOUTS {
        phantoms(folder, layout);
        for name in names {
            trained(&run(folder, layout, name, &[]), &TRAINING);
        }
    }
}

#[test]
fn variants_of_published_pipelines_run_with_their_recipes() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    for (layout, name, sets, recipe) in VARIANTS {
        phantoms(folder, layout);
        let out = run(folder, layout, name, sets);
        let stages = match sets.contains(&"adapter=Lora") {
            true => &TRAINING[5..],
            false => &TRAINING[..],
        };
        trained(&out, stages);
        let resolved = std::fs::read_to_string(out.join("resolved.ron")).unwrap();
        for part in recipe {
            assert!(resolved.contains(part), "no {part} in\n{resolved}");
        }
    }
}
