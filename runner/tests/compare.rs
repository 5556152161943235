//! Two variants of a pipeline, compared: stages they share are trained once, finished runs are kept,
//! and the table has a row for each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::process::Command;

const PIPELINE: &str = r#"Pipeline(
    name: "small",
    seed: 7,
    data: {"phantom": Synapse(root: "phantom", phantoms: 2, split: First(train: 1, test: 1))},
    encoder: Sam(image_size_px: 16, patch_size_px: 4, dim: 8, depth: 1, heads: 2, out_channels: 16),
    transformer: (depth: 1, heads: 2, mlp_dim: 16),
    common: (
        data: "phantom", batch: 2, epochs: 1, max_steps: 2, optimiser: (learning_rate: 1e-3),
    ),
    stages: [
        Pretrain(name: "encoder", objective: Masked()),
        Expert(name: "pixel", level: Pixel()),
        Finetune(name: "finetune", loss: (cross_entropy: 0.2, dice: 0.8), augmentation: Off),
        Evaluate(name: "test", model: "finetune", batch: 4, overlays: 0),
    ],
)"#;

/// What the comparison prints.
fn compare(folder: &Path) -> String {
    runner(
        folder,
        "compare small.ron --vary adapter=Nothing,Lora --seeds 1 --out out",
    )
}

fn runner(folder: &Path, arguments: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_runner"))
        .args(arguments.split(' '))
        .current_dir(folder)
        // Kernels that passed the self-test in an earlier run need not pass it again: that takes long.
        .env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .output()
        .unwrap();
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{messages}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn shared_stages_are_trained_once_and_finished_runs_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("small.ron"), PIPELINE).unwrap();
    let printed = compare(folder);
    let out = folder.join("out");
    let table = fs::read_to_string(out.join("comparison.txt")).unwrap();
    assert!(printed.ends_with(&table), "{printed}");
    let rows = |name: &str| table.lines().filter(|l| l.starts_with(name)).count();
    assert_eq!(
        (rows("small_Nothing"), rows("small_Lora")),
        (1, 1),
        "{table}"
    );

    let file = |name: &str| fs::read(out.join(name)).unwrap();
    let encoder = "seed_7/checkpoints/encoder.safetensors";
    assert_eq!(
        file(&format!("small_Nothing/{encoder}")),
        file(&format!("small_Lora/{encoder}"))
    );
    let log = file("small_Lora/seed_7/events.jsonl");
    let log = String::from_utf8(log).unwrap();
    assert!(
        log.contains("finetune") && !log.contains("encoder"),
        "{log}"
    );

    // The lists say who trained, in the form that a pipeline reads.
    assert_eq!(
        file("small_Lora/seed_7/splits/phantom_train.txt"),
        b"case0005\n"
    );
    assert_eq!(
        file("small_Lora/seed_7/splits/phantom_test.txt"),
        b"case0006\n"
    );
    let labelled =
        String::from_utf8(file("small_Lora/seed_7/splits/phantom_labelled.txt")).unwrap();
    assert!(labelled.starts_with("case0005_slice000\n"), "{labelled}");

    assert_eq!(compare(folder), table);
    let again = String::from_utf8(file("small_Lora/seed_7/events.jsonl")).unwrap();
    assert_eq!(again, log);

    // Another fine-tuning of the same encoder.
    let changed = "--set adapter=Nothing --set stages.finetune.max_steps=1";
    runner(
        folder,
        &format!("run small.ron {changed} --out out/changed --reuse out/small_Lora/seed_7"),
    );
    assert_eq!(
        file("changed/checkpoints/encoder.safetensors"),
        file(&format!("small_Lora/{encoder}"))
    );
    let log = String::from_utf8(file("changed/events.jsonl")).unwrap();
    assert!(
        log.contains("finetune") && !log.contains("encoder"),
        "{log}"
    );
}
