//! The language on good and bad files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod intensities;
mod messages;
mod parts;

use std::fs;
use std::path::Path;

use super::*;
use crate::data::quirk::Quirk;

const GOOD: &str = r#"Pipeline(
    name: "small",
    seed: 1,
    data: {"scans": La(root: "scans")},
    encoder: Sam(image_size_px: 96, patch_size_px: 8, dim: 96, depth: 4, heads: 4),
    adapter: Experts(rank: 4),
    stages: [
        Pretrain(
            name: "simclr", data: "scans", objective: Simclr(network: (width: 16)),
            epochs: 3, batch: 4,
            optimiser: (
                learning_rate: 1e-3, rule: AdamW(weight_decay: 0.1),
                schedule: Poly(warmup_steps: 25, power: 0.9),
            ),
        ),
        Expert(
            name: "image", data: "scans", level: Image(teacher: "simclr"),
            epochs: 3, batch: 4,
            optimiser: (
                learning_rate: 1e-3, rule: AdamW(weight_decay: 0.1),
                schedule: Poly(warmup_steps: 25, power: 0.9),
            ),
        ),
        Pretrain(
            name: "mae", data: "scans", epochs: 1, batch: 4, optimiser: (learning_rate: 1e-3),
            objective: Mae(network: (image_size_px: 96, patch_size_px: 8, dim: 32, depth: 1, heads: 2)),
        ),
        Expert(
            name: "patch", data: "scans", level: Patch(teacher: "mae"),
            epochs: 1, batch: 4, optimiser: (learning_rate: 1e-3),
        ),
        Expert(
            name: "pixel", data: "scans", level: Pixel(),
            epochs: 1, batch: 4, optimiser: (learning_rate: 1e-3),
        ),
        Finetune(
            name: "finetune", data: "scans",
            loss: (cross_entropy: 0.2, dice: 0.8), augmentation: Off,
            epochs: 3, batch: 4,
            optimiser: (
                learning_rate: 1e-3, rule: AdamW(weight_decay: 0.1),
                schedule: Poly(warmup_steps: 25, power: 0.9),
            ),
        ),
        Evaluate(name: "test", data: "scans", model: "finetune", batch: 4),
    ],
)"#;

fn load_text(text: &str, sets: &[&str]) -> Result<Pipeline, Diagnostic> {
    let folder = tempfile::tempdir().unwrap();
    load_in(folder.path(), text, sets)
}

fn load_in(folder: &Path, text: &str, sets: &[&str]) -> Result<Pipeline, Diagnostic> {
    let path = folder.join("small.ron");
    fs::write(&path, text).unwrap();
    let sets: Result<Vec<Override>, _> = sets.iter().map(|s| Override::parse(s)).collect();
    load(&path, &sets?)
}

fn refusal(text: &str, sets: &[&str]) -> String {
    load_text(text, sets).unwrap_err().to_string()
}

#[test]
fn a_resolved_pipeline_reads_back_the_same() {
    let pipeline = load_text(GOOD, &[]).unwrap();
    let resolved = to_ron(&pipeline).unwrap();
    assert!(resolved.contains("beta2: 0.999"), "{resolved}");
    assert!(resolved.contains("max_steps: None"), "{resolved}");
    assert_eq!(load_text(&resolved, &[]).unwrap(), pipeline);
}

#[test]
fn quirks_are_read_and_written() {
    let text = GOOD.replace(
        "model: \"finetune\"",
        "model: \"finetune\", quirks: [SamedVia224, SamedLastRow, SamedNearestMask]",
    );
    let pipeline = load_text(&text, &["stages.test.quirks=[SamedVia224]"]).unwrap();
    let Some(Stage::Evaluate(test)) = pipeline.stages.last() else {
        panic!("{:?}", pipeline.stages);
    };
    assert_eq!(test.quirks, [Quirk::SamedVia224]);
    let unwritten = load_text(GOOD, &["stages.test.quirks=[SamedVia224]"]).unwrap();
    assert_eq!(unwritten, pipeline);
    assert_eq!(
        load_text(&to_ron(&pipeline).unwrap(), &[]).unwrap(),
        pipeline
    );
}

/// Every path is one, whatever field it stands in: variables are replaced and it becomes absolute.
#[test]
fn environment_variables_in_roots() {
    // Cargo sets it.
    let here = env!("CARGO_MANIFEST_DIR");
    let path = "${env:CARGO_MANIFEST_DIR}/x";
    for (source, count) in [
        (format!("Images(roots: [{path:?}, {path:?}])"), 2),
        (
            format!("La(root: {path:?}, split: Lists(train: {path:?}, test: {path:?}))"),
            3,
        ),
        (
            format!("Synapse(root: {path:?}, labelled: List({path:?}))"),
            2,
        ),
        (
            format!("Folder(images: {path:?}, labels: {path:?}, classes: [\"a\"])"),
            2,
        ),
        (format!("NnUnet(root: {path:?}, classes: [\"a\"])"), 1),
        (format!("Promise12(root: {path:?})"), 1),
    ] {
        let data = format!("\"scans\": La(root: \"scans\"), \"more\": {source}");
        let text = GOOD.replace("\"scans\": La(root: \"scans\")", &data);
        let resolved = to_ron(&load_text(&text, &[]).unwrap()).unwrap();
        let found = resolved.matches(&format!("\"{here}/x\"")).count();
        assert_eq!(found, count, "{resolved}");
        // Relative ones become absolute too.
        let text = text.replace("${env:CARGO_MANIFEST_DIR}/", "");
        let resolved = to_ron(&load_text(&text, &[]).unwrap()).unwrap();
        assert!(!resolved.contains("\"x\""), "{resolved}");
    }
}

#[test]
fn byte_order_marks() {
    let folder = tempfile::tempdir().unwrap();
    let fragment =
        "\u{feff}Sam(image_size_px: 96, patch_size_px: 8, dim: 96, depth: 4, heads: 4)\r\n";
    fs::write(folder.path().join("encoder.ron"), fragment).unwrap();
    let encoder = "Sam(image_size_px: 96, patch_size_px: 8, dim: 96, depth: 4, heads: 4)";
    let text = GOOD.replace(encoder, "include(\"encoder.ron\")");
    let marked = format!("\u{feff}{text}").replace('\n', "\r\n");
    let pipeline = load_in(folder.path(), &marked, &[]).unwrap();
    assert_eq!(pipeline, load_text(GOOD, &[]).unwrap());
}

#[test]
fn weights_are_one_file_or_several() {
    let with = |weights: &str| {
        GOOD.replace(
            "    adapter:",
            &format!("    weights: {weights},\n    adapter:"),
        )
    };
    for (weights, count) in [
        ("\"a.pth\"", 1),
        ("Some(\"a.pth\")", 1),
        ("[\"a.pth\", \"b.safetensors\"]", 2),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let pipeline = load_in(folder.path(), &with(weights), &[]).unwrap();
        let files = pipeline.weights.clone().unwrap().0;
        assert_eq!(files.len(), count);
        assert!(files.iter().all(|path| path.is_absolute()), "{files:?}");
        let again = load_in(folder.path(), &to_ron(&pipeline).unwrap(), &[]).unwrap();
        assert_eq!(again, pipeline);
    }
    let text = refusal(&with("3"), &[]);
    assert!(text.contains("small.ron:6"), "{text}");
}

#[test]
fn mistakes_in_the_file_are_pointed_at() {
    // What is changed, into what, and what the message must contain.
    let table = [
        (
            "epochs: 3",
            "epoch: 3",
            vec![
                "unknown field `epoch` of `Pretrain`",
                "small.ron:10:13",
                "epoch: 3, batch",
                "did you mean `epochs`?",
            ],
        ),
        (
            "batch: 4",
            "batch: \"x\"",
            vec![
                "`batch`: expected a whole number, found `\"x\"`",
                "small.ron:10:31",
            ],
        ),
        (
            "seed: 1",
            "seed: -1",
            vec![
                "`seed`: expected a whole number",
                "found `-1`",
                "small.ron:3:11",
            ],
        ),
        (
            "seed: 1",
            "seed: 1.5",
            vec!["`seed`: expected a whole number, found `1.5`"],
        ),
        (
            "    seed: 1,\n",
            "",
            vec!["missing field `seed` of `Pipeline`", "small.ron:1:1"],
        ),
        (
            "seed: 1",
            "seed: 1, seed: 2",
            vec!["field `seed` of `Pipeline` is given twice"],
        ),
        (
            "level: Image(teacher: \"simclr\"),",
            "",
            vec!["missing field `level` of `Expert`", "small.ron:16:9"],
        ),
        (
            "Simclr(",
            "Simcler(",
            vec![
                "unknown variant `Simcler` of `Objective`",
                "did you mean `Simclr`?",
            ],
        ),
        (
            "Pipeline(",
            "Pipelin(",
            vec!["expected `Pipeline`, found `Pipelin`"],
        ),
        (
            "epochs: 3, ",
            "epochs 3, ",
            vec!["expected `:`", "small.ron:10:20"],
        ),
        ("\"small\"", "\"small", vec!["closing `\"`", "small.ron:"]),
        (
            "    ],\n)",
            "    ],",
            vec!["expected `)`, found the end of the file"],
        ),
        (
            "heads: 4",
            "heads: 5",
            vec!["dim: 96 is not a multiple of heads = 5", "small.ron:5:60"],
        ),
        (
            "patch_size_px: 8",
            "patch_size_px: 7",
            vec!["image_size_px: 96 is not a multiple of patch_size_px = 7"],
        ),
        ("rank: 4", "rank: 0", vec!["rank must be at least 1"]),
        (
            "epochs: 3",
            "epochs: 0",
            vec!["epochs must be at least 1", "small.ron:10:21"],
        ),
        (
            "teacher: \"simclr\"",
            "teacher: \"simcl\"",
            vec![
                "there is no stage `simcl`",
                "did you mean `simclr`?",
                "small.ron:17:65",
            ],
        ),
        (
            "teacher: \"simclr\"",
            "teacher: \"finetune\"",
            vec!["`finetune` is not a Pretrain stage with objective Simclr"],
        ),
        (
            "model: \"finetune\"",
            "model: \"image\"",
            vec!["`image` is not a Finetune stage"],
        ),
        (
            "name: \"image\"",
            "name: \"simclr\"",
            vec!["two stages are called `simclr`", "small.ron:17:19"],
        ),
        (
            "name: \"small\"",
            "name: \"../up\"",
            vec!["`../up` is not a name"],
        ),
        (
            "name: \"test\", data: \"scans\"",
            "name: \"test\", data: \"scan\"",
            vec!["there is no data set `scan`", "did you mean `scans`?"],
        ),
        (
            "level: Pixel()",
            "level: Patch(teacher: \"mae\")",
            vec![
                "`pixel` is the second expert of its level",
                "small.ron:33:50",
            ],
        ),
        (
            "rank: 4",
            "rank: 4, order: (Pixel, Patch, Pixel)",
            vec!["order: Image is missing", "small.ron:6:38"],
        ),
        (
            "Experts(rank: 4)",
            "Lora(rank: 4, hl_attn: ZeroStart)",
            vec!["unknown field `hl_attn` of `Lora`", "small.ron:6:28"],
        ),
        (
            "adapter: Experts(rank: 4)",
            "lora: Lora(rank: 4)",
            vec![
                "unknown field `lora` of `Pipeline`",
                "`adapter: Experts(rank: 4)`",
            ],
        ),
        (
            "augmentation: Off",
            "augmentation: Off, hl_attn: ZeroStart",
            vec![
                "unknown field `hl_attn` of `Finetune`",
                "the pipeline's `adapter: Experts(hl_attn: …)`",
            ],
        ),
        (
            "augmentation: Off",
            "augmentation: Samed, quirks: [HSamElasticLabels]",
            vec![
                "HSamElasticLabels needs `augmentation: HSam`",
                "small.ron:38:81",
            ],
        ),
        (
            "augmentation: Off",
            "augmentation: HSam, quirks: [SamedNearestMask]",
            vec!["SamedNearestMask is about the test", "small.ron:38:80"],
        ),
        (
            "model: \"finetune\"",
            "model: \"finetune\", quirks: [HSamElasticLabels]",
            vec!["HSamElasticLabels is about training"],
        ),
        (
            "model: \"finetune\"",
            "model: \"finetune\", quirks: [SamedVia244]",
            vec![
                "unknown variant `SamedVia244`",
                "did you mean `SamedVia224`?",
            ],
        ),
        (
            "dice: 0.8",
            "dice: -0.8",
            vec!["loss weights must not be negative"],
        ),
        (
            "root: \"scans\"",
            "root: \"scans\", intensity: Percentile(low: 99, high: 1)",
            vec!["percentiles lie in 0 to 100", "small.ron:4:50"],
        ),
        (
            "La(root: \"scans\")",
            "Synapse(root: \"scans\", window_hu: (40, 40))",
            vec!["window_hu: a window needs two values", "small.ron:4:55"],
        ),
        (
            "root: \"scans\"",
            "root: \"${env:RUNNER_TEST_UNSET}/x\"",
            vec!["`RUNNER_TEST_UNSET` is not set", "small.ron:4:30"],
        ),
        (
            "name: \"small\"",
            "name: \"${env:HOME}\"",
            vec!["replaced in paths only", "small.ron:2:11"],
        ),
        (
            "root: \"scans\"",
            "root: \"${HOME}\"",
            vec!["write `${env:NAME}`"],
        ),
        (
            "encoder: Sam(",
            "encoder: include(\"sma.ron\"), x: Sam(",
            vec!["cannot read the included file", "sma.ron", "small.ron:5:14"],
        ),
    ];
    for (from, to, expected) in table {
        let message = refusal(&GOOD.replacen(from, to, 1), &[]);
        for part in expected {
            assert!(message.contains(part), "{to}: no {part:?} in\n{message}");
        }
    }
}

#[test]
fn tiny_vit_is_an_encoder_and_its_mistakes_are_placed() {
    let sam = "Sam(image_size_px: 96, patch_size_px: 8, dim: 96, depth: 4, heads: 4)";
    let with = |encoder: &str| GOOD.replace(sam, encoder);
    let pipeline = load_text(&with("TinyVit(image_size_px: 96, stem: Pointwise)"), &[]).unwrap();
    assert_eq!(
        (pipeline.encoder.grid(), pipeline.encoder.stride_px()),
        (24, 4)
    );
    let message = refusal(&with("TinyVit(image_size_px: 130, stem: Pointwise)"), &[]);
    assert!(
        message.contains("image_size_px: 130 is not a multiple of 4"),
        "{message}"
    );
    assert!(message.contains("small.ron:5:37"), "{message}");
    let scores = with("TinyVit(image_size_px: 96, stem: Pointwise)")
        .replace("root: \"scans\"", "root: \"scans\", intensity: ZScore");
    let message = refusal(&scores, &[]);
    assert!(
        message.contains("TinyViT takes images in 0…1, and those of `scans` are ZScore"),
        "{message}"
    );
    let masked = with("TinyVit(image_size_px: 96, stem: Pointwise)")
        .replace("Simclr(network: (width: 16))", "Masked()");
    let message = refusal(&masked, &[]);
    assert!(
        message.contains("TinyViT has no patches to hide"),
        "{message}"
    );
}

#[test]
fn a_stage_before_what_it_needs_is_refused() {
    let start = GOOD.find("        Finetune(").unwrap();
    let end = GOOD.find("        Evaluate(").unwrap();
    let moved = GOOD.replace(&GOOD[start..end], "");
    let finetune = &GOOD[start..end];
    let moved = moved.replacen(
        "        Pretrain(",
        &format!("{finetune}        Pretrain("),
        1,
    );
    let message = refusal(&moved, &[]);
    let expected = "stage `finetune` needs `image`, which comes after it";
    assert!(message.contains(expected), "{message}");
    assert!(
        message.contains("move `image` before `finetune`"),
        "{message}"
    );
}
