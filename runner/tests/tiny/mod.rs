//! The smallest pipelines on phantoms.

use std::fs;
use std::path::Path;
use std::process::Command;

const PIPELINE: &str = r#"Pipeline(
    name: "tiny",
    seed: 7,
    data: {"phantom": Synapse(root: "phantom", phantoms: 3, split: First(train: 2, test: 1))},
    encoder: Sam(image_size_px: 32, patch_size_px: 8, dim: 16, depth: 1, heads: 2, out_channels: 64),
    VARIANT,
    transformer: (depth: 1, heads: 2, mlp_dim: 16),
    common: (data: "phantom", batch: 2, epochs: 2, optimiser: (learning_rate: 1e-3)),
    stages: [STAGES],
)"#;

/// Writes the pipeline of a variant, `adapter: …, decoder: …`, and these stages.
pub(crate) fn write(folder: &Path, variant: &str, stages: &str) {
    let text = PIPELINE.replace("STAGES", stages);
    let text = text.replace("VARIANT", variant);
    fs::write(folder.join("tiny.ron"), text).unwrap();
}

/// The command that runs it in the folder `out`.
pub(crate) fn run(folder: &Path, out: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_runner"));
    command
        .args(["tiny.ron", "--out", out])
        .current_dir(folder)
        // Kernels that passed the self-test in an earlier run need not pass it again: that takes long.
        .env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"));
    command
}
