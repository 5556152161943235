//! What is found before the first step: `check` lists all of it, and no run begins with a problem.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod scene;

use std::fs;
use std::path::Path;

use samora_engine::Tensor;
use samora_engine::weights::Weights;
use scene::{SCANS, Scene, class, holds, intensity, write};

/// Changes a header field of two bytes.
fn patch(path: &Path, at: usize, value: i16) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
    fs::write(path, bytes).unwrap();
}

#[test]
fn check_ends_at_the_first_header() {
    let scene = Scene::new();
    scene.image("d", |i| intensity(3, i));
    scene.label("d", class);
    // A second volume, and colours.
    patch(&scene.path("images/a.nii"), 40, 4);
    patch(&scene.path("images/a.nii"), 48, 2);
    patch(&scene.path("images/b.nii"), 70, 128);
    scene.label("c", |i| 0.75 * class(i));
    let problems = [
        "case a: ",
        "images/a.nii",
        "case b: ",
        "images/b.nii",
        "case c: ",
        "labels/c.nii",
    ];
    scene.refused(&problems);
    holds(
        &scene.says("check small.ron", 1),
        &["d     unused", "24×20×6"],
    );

    scene.pipeline(r#""scans": Images(roots: ["images"])"#);
    let text = scene.says("check small.ron", 1);
    holds(&text, &problems[..4]);
    holds(&text, &["d     unlabelled"]);
}

/// A label map whose affine mirrors it: neither training nor test takes it.
#[test]
fn training_on_mirrored_labels() {
    for name in ["a", "c"] {
        let scene = Scene::new();
        let path = scene.path(&format!("labels/{name}.nii"));
        let mut bytes = fs::read(&path).unwrap();
        // The first of srow_x.
        bytes[280..284].copy_from_slice(&(-1_f32).to_le_bytes());
        fs::write(&path, bytes).unwrap();
        let files = ["images", "labels"].map(|folder| format!("{folder}/{name}.nii"));
        scene.refused(&[&files[0], &files[1], "RAS", "LAS", "mm apart"]);
    }
}

#[test]
fn a_class_that_no_training_label_has() {
    let scene = Scene::new();
    for name in ["a", "b"] {
        scene.label(name, |i| class(i).min(1.0));
    }
    let warning = "warning: class 2 (two) is in no training label";
    holds(&scene.says("check small.ron", 0), &[warning]);
    let warning = "warning: scans: class 2 (two) is in no training label";
    holds(&scene.says("run small.ron --out out", 0), &[warning]);

    // In training cases, but not in slices whose labels may be used.
    scene.label("b", class);
    let labelled = SCANS.replace("split:", "labelled: First(1), split:");
    scene.pipeline(&labelled);
    holds(
        &scene.says("check small.ron", 0),
        &["class 2 (two) is in no training label"],
    );
    scene.pipeline(SCANS);
    assert!(
        !scene
            .says("check small.ron", 0)
            .contains("no training label")
    );
    scene.label("a", |i| if i < 480 { class(i) } else { class(i).min(1.0) });
    fs::write(scene.path("list.txt"), "a_slice001\na_slice002\n").unwrap();
    scene.pipeline(&SCANS.replace("split:", "labelled: List(\"list.txt\"), split:"));
    holds(
        &scene.says("check small.ron", 0),
        &["class 2 (two) is in no training label"],
    );
}

#[test]
fn windows_that_fit_no_voxel_well() {
    let scene = Scene::new();
    let window = |low: f32, high: f32| {
        let window = format!("intensity: Window(low: {low}, high: {high}), split:");
        scene.pipeline(&SCANS.replace("split:", &window));
        scene.says("check small.ron", 0)
    };
    for (n, name) in ["a", "b", "c"].into_iter().enumerate() {
        // Air outside, at the least value a scanner gives.
        scene.image(name, |i| {
            if i % 40 == 0 {
                24.0
            } else {
                intensity(n, i) + 1024.0
            }
        });
    }
    let text = window(-125.0, 275.0);
    holds(
        &text,
        &["3 cases (a, b, c)", "2.5 % of the voxels", "+ 1024"],
    );
    assert!(!window(899.0, 1299.0).contains("of the voxels"));
    // Scaled already.
    for (n, name) in ["a", "b", "c"].into_iter().enumerate() {
        scene.image(name, |i| (intensity(n, i) + 60.0) / 211.0);
    }
    holds(
        &window(-125.0, 275.0),
        &["3 cases (a, b, c)", "nearly flat", "0…1"],
    );
    assert!(!window(0.0, 1.0).contains("flat"));
    // A value that no scanner means, and the rest beside the window.
    scene.image("b", |i| {
        if i == 0 {
            1000.0
        } else {
            -intensity(1, i) - 400.0
        }
    });
    holds(
        &window(-125.0, 275.0),
        &["case b: at most 0.0 %", "below it"],
    );
}

#[test]
fn scans_that_scaling_turns_black() {
    let scene = Scene::new();
    for name in ["a", "b"] {
        scene.image(name, |i| if i % 250 == 0 { 500.0 + i as f32 } else { 0.0 });
    }
    // Half a percent is seen; nothing cannot be.
    assert!(!scene.says("check small.ron", 0).contains("problem"));
    scene.image("b", |_| 3.0);
    scene.refused(&["case b: every voxel is 3"]);
}

#[test]
fn label_maps_among_unlabelled_images() {
    let scene = Scene::new();
    scene.pipeline(&format!("{SCANS}, \"more\": Images(roots: [\"tree\"])"));
    for case in ["x", "y"] {
        write(&scene.path(&format!("tree/{case}/imaging.nii")), |i| {
            intensity(9, i)
        });
        write(&scene.path(&format!("tree/{case}/other.nii")), class);
    }
    let text = scene.says("check small.ron", 0);
    holds(&text, &["2 of 4 unlabelled images", "x/other, y/other"]);
}

#[test]
fn a_test_image_among_the_training_images_of_another_data_set() {
    let scene = Scene::new();
    scene.pipeline(&format!("{SCANS}, \"more\": Images(roots: [\"tree\"])"));
    write(&scene.path("tree/z.nii"), |i| intensity(2, i));
    // Nothing trains on it.
    scene.says("check small.ron", 0);
    scene.change("data: \"scans\", objective", "data: \"more\", objective");
    scene.refused(&["unlabelled case z of more and test case c of scans hold the same image"]);
    write(&scene.path("tree/z.nii"), |i| intensity(1, i));
    scene.says("check small.ron", 0);
}

#[test]
fn weights_are_looked_at_before_the_first_stage() {
    let scene = Scene::new();
    scene.change("adapter: Nothing", "adapter: Lora");
    let teacher = r#"Pretrain(
            name: "mae", data: "scans", weights: "mae.safetensors", epochs: 1, batch: 2, max_steps: 2,
            objective: Mae(network: (
                image_size_px: 32, patch_size_px: 8, dim: 16, depth: 1, heads: 2,
                decoder_dim: 16, decoder_depth: 1, decoder_heads: 2,
            )),
            optimiser: (learning_rate: 1e-3),
        ),
        Evaluate("#;
    scene.change("Evaluate(", teacher);
    scene.change(
        "adapter: Lora",
        "adapter: Lora, weights: \"sam.safetensors\"",
    );
    scene.refused(&[
        "mae.safetensors",
        "sam.safetensors",
        "2 problems were found",
    ]);

    let save = |name: &str, parameter: &str, shape: &[usize]| {
        let mut weights = Weights::default();
        weights
            .tensors
            .insert(parameter.into(), Tensor::full(shape, 0.5));
        weights.write(&scene.path(name)).unwrap();
    };
    save("mae.safetensors", "some.other.network", &[3]);
    save(
        "sam.safetensors",
        "image_encoder.blocks.0.norm1.weight",
        &[17],
    );
    scene.refused(&[
        "mae.safetensors: none of its tensors",
        "stage encoder: ",
        "17",
        "16",
    ]);
    save(
        "sam.safetensors",
        "image_encoder.blocks.0.norm1.weight",
        &[16],
    );
    scene.refused(&[
        "mae.safetensors: none of its tensors",
        "1 problem was found",
    ]);
}

#[test]
fn stages_that_cannot_be_are_refused_before_the_first() {
    let scene = Scene::new();
    // No device binds so much, and no machine has it.
    scene.change("name: \"finetune\",", "name: \"finetune\", batch: 1000000,");
    scene.change("epochs: 1, batch: 2, max_steps: 2,\n            optimiser: (learning_rate: 1e-3),\n        ),\n        Evaluate", "epochs: 1, max_steps: 2,\n            optimiser: (learning_rate: 1e-3),\n        ),\n        Evaluate");
    holds(
        &scene.says("run small.ron --out out", 1),
        &["stage finetune: ", "reduce the batch"],
    );
    assert!(!scene.path("out/checkpoints").exists());
    holds(
        &scene.says("bench small.ron", 1),
        &["stage finetune: ", "reduce the batch"],
    );
    // A batch that repeats slices may be meant.
    scene.change("batch: 1000000", "batch: 14");
    holds(
        &scene.says("check small.ron", 0),
        &["a batch of 14 is more than the 12 labelled training slices"],
    );

    scene.pipeline(&SCANS.replace("split: First(train: 2, test: 1)", "split: AllTrain"));
    let lack = "stage test: data set `scans` has no test cases";
    holds(
        &scene.says("run small.ron --out out", 1),
        &["problem: ", lack],
    );
    // Data may be looked at before the stages are there.
    holds(
        &scene.says("check small.ron", 0),
        &["warning: ", lack, "it cannot run"],
    );
    scene.pipeline(&SCANS.replace("split: First(train: 2, test: 1)", "split: AllTest"));
    let lacks = [
        "stage encoder: data set `scans` has no training slices",
        "stage finetune: ",
    ];
    holds(&scene.says("run small.ron --out out", 1), &lacks);
    holds(&scene.says("check small.ron", 0), &lacks);
    scene.pipeline(&SCANS.replace("split:", "labelled: First(5), split:"));
    scene.refused(&["`labelled` asks for the first 5 training cases, but there are 2"]);
}

#[test]
fn channels_that_nobody_reads() {
    let scene = Scene::new();
    for (number, name) in ["a", "b", "c"].into_iter().enumerate() {
        for channel in 0..2 {
            let image = format!("nn/imagesTr/{name}_000{channel}.nii");
            write(&scene.path(&image), |i| intensity(number + 5 * channel, i));
        }
        write(&scene.path(&format!("nn/labelsTr/{name}.nii")), class);
    }
    let description = r#"{"channel_names": {"0": "T2", "1": "ADC"},
        "labels": {"background": 0, "one": 1, "two": 2}, "file_ending": ".nii", "numTraining": 3}"#;
    fs::write(scene.path("nn/dataset.json"), description).unwrap();
    let set = |name: &str, channel: usize| {
        format!(
            "\"{name}\": NnUnet(root: \"nn\", classes: [\"one\", \"two\"], channel: {channel}, \
             split: First(train: 2, test: 1))"
        )
    };
    scene.pipeline(&set("scans", 0));
    holds(
        &scene.says("check small.ron", 0),
        &["no data set reads channel 1 (ADC)"],
    );
    scene.pipeline(&format!("{}, {}", set("scans", 0), set("other", 1)));
    assert!(
        !scene
            .says("check small.ron", 0)
            .contains("no data set reads")
    );
}
