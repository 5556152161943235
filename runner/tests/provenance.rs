//! Results are never passed off as made from what they were not made from.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod scene;

use std::fs;

use samora_engine::Tensor;
use samora_engine::weights::Weights;
use scene::{SCANS, Scene, class, holds, intensity};

const RUN: &str = "run small.ron --out out";

/// The stages whose training a run has logged.
fn trained(scene: &Scene, out: &str) -> Vec<&'static str> {
    let log = fs::read_to_string(scene.path(&format!("{out}/events.jsonl"))).unwrap_or_default();
    let logged = |stage: &&str| log.contains(&format!("\"stage\":\"{stage}\""));
    ["encoder", "finetune"].into_iter().filter(logged).collect()
}

#[test]
fn labels_corrected_after_training() {
    let scene = Scene::new();
    scene.says(RUN, 0);
    let provenance = || fs::read_to_string(scene.path("out/provenance.json")).unwrap();
    let before = provenance();
    holds(
        &before,
        &[
            "\"precision\": \"Exact\"",
            "\"images\": {",
            "\"from_step\": 0",
        ],
    );
    let good = fs::read(scene.path("labels/b.nii")).unwrap();
    scene.label("b", |i| 2.0 - class(i));
    // However often.
    for _ in 0..2 {
        let text = scene.says(RUN, 1);
        let change = "finetune: data set `scans`: another label of 1 cases: b";
        holds(&text, &[change, "--fresh", "--reuse out"]);
        assert!(!text.contains("encoder:"), "{text}");
        assert_eq!(provenance(), before);
    }
    // What does not depend on the label is taken over, the rest is trained again.
    let text = scene.says("run small.ron --out new --reuse out", 0);
    holds(&text, &["encoder: as in out"]);
    assert_eq!(trained(&scene, "new"), ["finetune"]);
    fs::write(scene.path("labels/b.nii"), good).unwrap();
    scene.says(RUN, 0);

    // An image concerns both.
    scene.image("a", |i| intensity(7, i));
    let text = scene.says(RUN, 1);
    holds(
        &text,
        &[
            "encoder: data set `scans`: another image of 1 cases: a",
            "finetune: data set",
        ],
    );
    holds(
        &scene.says("run small.ron --out third --reuse out", 0),
        &["nothing is reused"],
    );
    scene.says("run small.ron --out out --fresh", 0);
}

#[test]
fn weights_swapped_after_training() {
    let scene = Scene::new();
    let weights = |value: f32| {
        let mut weights = Weights::default();
        let name = "image_encoder.blocks.0.norm1.weight".to_string();
        weights.tensors.insert(name, Tensor::full(&[16], value));
        weights.write(&scene.path("sam.safetensors")).unwrap();
    };
    weights(0.5);
    scene.change(
        "adapter: Nothing",
        "adapter: Nothing, weights: \"sam.safetensors\"",
    );
    scene.says(RUN, 0);
    weights(0.75);
    holds(
        &scene.says(RUN, 1),
        &["encoder: weights", "sam.safetensors: the file is another"],
    );
    holds(
        &scene.says("predict out images/c.nii -o c.nii.gz", 1),
        &[
            "finetune was trained on other weights than",
            "sam.safetensors",
        ],
    );
    weights(0.5);
    scene.says("predict out images/c.nii -o c.nii.gz", 0);
    holds(
        &scene.says("run small.ron --out out --no-fuse", 0),
        &["another choice of kernels"],
    );
}

#[test]
fn label_fractions_share_what_needs_no_labels() {
    let scene = Scene::new();
    let text = fs::read_to_string(scene.path("small.ron")).unwrap();
    let text = text.replace("name: \"small\"", "name: \"fewer\"");
    let fewer = SCANS.replace("split:", "labelled: First(1), split:");
    assert!(text.contains(SCANS));
    fs::write(scene.path("fewer.ron"), text.replace(SCANS, &fewer)).unwrap();
    scene.says("compare small.ron fewer.ron --seeds 1 --out out", 0);
    assert_eq!(trained(&scene, "out/small/seed_1"), ["encoder", "finetune"]);
    assert_eq!(trained(&scene, "out/fewer/seed_1"), ["finetune"]);
    let checkpoint = |name: &str| {
        fs::read(scene.path(&format!(
            "out/{name}/seed_1/checkpoints/encoder.safetensors"
        )))
        .unwrap()
    };
    assert_eq!(checkpoint("small"), checkpoint("fewer"));
    // A comparison does not show results of other data, and measures once.
    let again = || scene.says("compare small.ron fewer.ron --seeds 1 --out out", 0);
    assert!(!again().contains("1/1: c"));
    scene.label("c", |i| 2.0 - class(i));
    holds(&again(), &["1/1: c"]);
    assert!(!again().contains("1/1: c"));
}
