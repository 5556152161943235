//! A folder of three small cases, and a pipeline that trains on two of them.
#![allow(dead_code)] // Each test takes what it needs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use samora_runner::data::formats::nifti;
use samora_runner::data::volume::{Grid, Volume};

/// Two stages of training and a test on `DATA`, as small as they can be.
const PIPELINE: &str = r#"Pipeline(
    name: "small",
    seed: 1,
    data: {DATA},
    encoder: Sam(image_size_px: 32, patch_size_px: 8, dim: 16, depth: 1, heads: 2, out_channels: 16),
    transformer: (depth: 1, heads: 2, mlp_dim: 16),
    adapter: Nothing,
    stages: [
        Pretrain(
            name: "encoder", data: "scans", objective: Masked(), epochs: 1, batch: 2, max_steps: 2,
            optimiser: (learning_rate: 1e-3),
        ),
        Finetune(
            name: "finetune", data: "scans",
            loss: (cross_entropy: 0.2, dice: 0.8), augmentation: Off, epochs: 1, batch: 2, max_steps: 2,
            optimiser: (learning_rate: 1e-3),
        ),
        Evaluate(name: "test", data: "scans", model: "finetune", batch: 2),
    ],
)"#;

pub(crate) const SCANS: &str = r#""scans": Folder(
    images: "images", labels: "labels", classes: ["one", "two"], split: First(train: 2, test: 1),
)"#;

const SHAPE: [usize; 3] = [24, 20, 6];

/// A folder of three cases and a pipeline that trains on two of them.
pub(crate) struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let scene = Self { folder };
        for (number, name) in ["a", "b", "c"].into_iter().enumerate() {
            scene.image(name, |i| intensity(number, i));
            scene.label(name, class);
        }
        scene.pipeline(SCANS);
        scene
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn pipeline(&self, data: &str) {
        fs::write(self.path("small.ron"), PIPELINE.replace("DATA", data)).unwrap();
    }

    pub(crate) fn change(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.path("small.ron")).unwrap();
        assert!(text.contains(from), "{from}");
        fs::write(self.path("small.ron"), text.replacen(from, to, 1)).unwrap();
    }

    pub(crate) fn image(&self, name: &str, value: impl Fn(usize) -> f32) {
        write(&self.path(&format!("images/{name}.nii")), value);
    }

    pub(crate) fn label(&self, name: &str, value: impl Fn(usize) -> f32) {
        write(&self.path(&format!("labels/{name}.nii")), value);
    }

    pub(crate) fn runner(&self, arguments: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_runner"))
            .args(arguments.split(' '))
            .current_dir(self.folder.path())
            // Kernels that passed the self-test in an earlier run need not pass it again: that takes long.
            .env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"))
            .output()
            .unwrap()
    }

    /// What the runner prints, if it ends with `code`.
    pub(crate) fn says(&self, arguments: &str, code: i32) -> String {
        let output = self.runner(arguments);
        let stdout = String::from_utf8_lossy(&output.stdout);
        let stderr = String::from_utf8_lossy(&output.stderr);
        let all = format!("{stdout}{stderr}");
        assert_eq!(output.status.code(), Some(code), "{arguments}: {all}");
        all
    }

    /// `check` and `run` refuse for each of `parts`, and nothing is trained.
    pub(crate) fn refused(&self, parts: &[&str]) {
        for command in ["check small.ron", "run small.ron --out out"] {
            holds(&self.says(command, 1), parts);
        }
        assert!(!self.path("out/checkpoints").exists());
    }
}

pub(crate) fn holds(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

pub(crate) fn write(path: &Path, value: impl Fn(usize) -> f32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let grid = Grid::axis_aligned(SHAPE, [1.0, 1.0, 3.0]);
    let voxels = (0..grid.len()).map(value).collect();
    nifti::write(path, &Volume::new(grid, voxels, PathBuf::new()).unwrap()).unwrap();
}

/// Intensities like those of CT.
pub(crate) fn intensity(case: usize, voxel: usize) -> f32 {
    (voxel * (7 + case) % 211) as f32 - 60.0
}

/// Classes 0, 1 and 2 in every slice.
pub(crate) fn class(voxel: usize) -> f32 {
    (voxel % 24 / 8) as f32
}
