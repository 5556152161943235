#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;
use std::sync::Arc;

use super::*;
use crate::data::dataset::Dataset;
use crate::data::formats::nifti;
use crate::data::volume::{Grid, Volume};
use crate::file_hash::FileHashes;
use crate::pipeline::{Override, Pipeline, load};

const PIPELINE: &str = r#"Pipeline(
    name: "p", seed: 1,
    data: {"scans": Folder(
        images: "ROOT/images", labels: "ROOT/labels", classes: ["one"], split: First(train: 3, test: 1),
        labelled: First(2),
    )},
    encoder: Sam(image_size_px: 32, patch_size_px: 8, dim: 16, depth: 1, heads: 2, out_channels: 16),
    weights: "ROOT/sam.safetensors",
    adapter: Experts(rank: 2),
    transformer: (depth: 1, heads: 2, mlp_dim: 16),
    common: (data: "scans", batch: 2, epochs: 1, optimiser: (learning_rate: 1e-3)),
    stages: [
        Pretrain(
            name: "simclr", objective: Simclr(network: (blocks: [1], width: 4, projection_dim: 8)),
        ),
        Pretrain(
            name: "mae", objective: Mae(network: (
                image_size_px: 32, patch_size_px: 8, dim: 16, depth: 1, heads: 2,
                decoder_dim: 16, decoder_depth: 1, decoder_heads: 2,
            )),
        ),
        Expert(name: "image", level: Image(teacher: "simclr", projector_width: 16)),
        Expert(name: "patch", level: Patch(teacher: "mae", projector_width: 16)),
        Expert(name: "pixel", level: Pixel()),
        Finetune(name: "finetune", loss: (cross_entropy: 0.2, dice: 0.8), augmentation: Off),
        Evaluate(name: "test", model: "finetune"),
    ],
)"#;

const ALL: [&str; 7] = [
    "finetune", "image", "mae", "patch", "pixel", "simclr", "test",
];

struct Scene(tempfile::TempDir);

impl Scene {
    fn new() -> Self {
        let scene = Self(tempfile::tempdir().unwrap());
        for (number, case) in ["a", "b", "c", "d"].into_iter().enumerate() {
            scene.write(&format!("images/{case}.nii"), number as f32);
            scene.write(&format!("labels/{case}.nii"), 0.0);
        }
        scene.weights("one");
        let root = scene.0.path().to_str().unwrap().replace('\\', "/");
        let text = PIPELINE.replace("ROOT", &root);
        std::fs::write(scene.0.path().join("p.ron"), text).unwrap();
        scene
    }

    fn write(&self, name: &str, first: f32) {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let grid = Grid::axis_aligned([4, 3, 2], [1.0; 3]);
        let voxels = (0..grid.len()).map(|i| if i == 0 { first } else { (i % 2) as f32 });
        let volume = Volume::new(grid, voxels.collect(), PathBuf::new()).unwrap();
        nifti::write(&path, &volume).unwrap();
    }

    fn weights(&self, text: &str) {
        std::fs::write(self.0.path().join("sam.safetensors"), text).unwrap();
    }

    fn pipeline(&self, sets: &[&str]) -> Pipeline {
        let sets: Vec<Override> = sets.iter().map(|s| Override::parse(s).unwrap()).collect();
        load(&self.0.path().join("p.ron"), &sets).unwrap()
    }

    fn inputs(&self, sets: &[&str]) -> BTreeMap<String, Inputs> {
        let pipeline = self.pipeline(sets);
        let open = |source| Arc::new(Dataset::open(source, 0).unwrap());
        let data = pipeline
            .data
            .iter()
            .map(|(name, s)| (name.clone(), open(s)));
        inputs(&pipeline, &data.collect(), &FileHashes::default()).unwrap()
    }
}

/// The stages whose fingerprints differ.
fn changed(before: &BTreeMap<String, Inputs>, now: &BTreeMap<String, Inputs>) -> Vec<String> {
    let differs = |name: &&String| before[*name].fingerprint() != now[*name].fingerprint();
    before.keys().filter(differs).cloned().collect()
}

#[test]
fn a_stage_depends_on_what_it_sees_and_nothing_else() {
    let scene = Scene::new();
    let before = scene.inputs(&[]);
    let with = |set: &str| changed(&before, &scene.inputs(&[set]));
    let none: [&str; 0] = [];
    assert_eq!(with("data.scans.labelled=First(1)"), ["finetune", "test"]);
    assert_eq!(with("name=other"), none);
    assert_eq!(with("stages.test.overlays=1"), ["test"]);
    assert_eq!(with("stages.finetune.epochs=2"), ["finetune", "test"]);
    assert_eq!(
        with("stages.simclr.epochs=2"),
        ["finetune", "image", "simclr", "test"]
    );
    assert_eq!(with("transformer.mlp_dim=32"), ["finetune", "test"]);
    let of_encoder = ["finetune", "image", "patch", "pixel", "test"];
    assert_eq!(with("adapter.rank=4"), of_encoder);
    assert_eq!(with("adapter.hl_attn=Released"), ["finetune", "test"]);
    assert_eq!(with("encoder.depth=2"), of_encoder);
    for set in ["seed=2", "precision=Half", "data.scans.intensity=ZScore"] {
        assert_eq!(with(set), ALL, "{set}");
    }

    // Files: only test data; a label that no training may use; one that it may; a training image.
    let files = [
        ("images/d.nii", &["test"][..]),
        ("labels/d.nii", &["test"]),
        ("labels/c.nii", &[]),
        ("labels/b.nii", &["finetune", "test"]),
        ("images/c.nii", &ALL),
        ("images/b.nii", &ALL),
    ];
    for (file, stages) in files {
        let before = scene.inputs(&[]);
        scene.write(
            file,
            1.0 - f32::from(u8::from(file.contains("images"))) * 9.0,
        );
        assert_eq!(changed(&before, &scene.inputs(&[])), stages, "{file}");
    }
    let before = scene.inputs(&[]);
    scene.weights("another");
    let now = scene.inputs(&[]);
    assert_eq!(changed(&before, &now), of_encoder);
    let lines = before["pixel"].changes(&now["pixel"]);
    assert!(
        lines[0].contains("sam.safetensors: the file is another"),
        "{lines:?}"
    );
}

#[test]
fn a_stage_that_starts_from_the_released_encoder_alone_does_not_wait_for_other_stages() {
    let scene = Scene::new();
    let now = scene.inputs(&[]);
    assert!(now["pixel"].stages.is_empty() && now["simclr"].weights.is_empty());
    assert_eq!(now["image"].stages.keys().collect::<Vec<_>>(), ["simclr"]);
    assert_eq!(now["finetune"].slices["a"], "0…1");
    assert!(!now["finetune"].slices.contains_key("c"));
}

#[test]
fn another_machine_is_named() {
    let machine = Machine {
        version: "1".into(),
        executable_sha256: "a".into(),
        platform: "linux".into(),
        adapter: "one".into(),
        backend: "Vulkan".into(),
        driver: "d 1".into(),
        precision: "Half".into(),
        fused: true,
    };
    assert!(machine.changes(&machine).is_empty());
    let other = Machine {
        driver: "d 2".into(),
        executable_sha256: "b".into(),
        ..machine.clone()
    };
    let changes = machine.changes(&other);
    assert_eq!(
        changes,
        ["another executable", "another driver (d 1 → d 2)"]
    );
}
