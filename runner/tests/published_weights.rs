//! Fine-tunes in the files of others run without training: what a run's own weights segment, they segment as SAMed's,
//! H-SAM's or SAMora's file beside the encoder's. And how what SAM has for its own masks starts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod scene;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use samora_engine::models::sam::{
    Adapter, MaskDecoderConfig, Prompts, SamConfig, decode_prompted, encode,
};
use samora_engine::weights::Weights;
use samora_engine::{DType, Graph};
use samora_runner::data::formats::numpy;
use samora_runner::data::formats::{self, Arrays};
use scene::{Scene, holds};

const ENCODER: &str =
    "Sam(image_size_px:32,patch_size_px:8,dim:16,depth:1,heads:2,out_channels:16)";
const WEIGHTS: &str = "--weights out/checkpoints/encoder.safetensors --weights";

fn voxels(scene: &Scene, name: &str) -> Vec<u8> {
    let scan = formats::scan(&scene.path(name), None).unwrap();
    scan.read_labels(Arrays::default()).unwrap().voxels
}

#[test]
fn samed_files_segment_as_the_run_they_are_of() {
    let scene = Scene::new();
    scene.change("adapter: Nothing", "adapter: Lora(rank: 2)");
    // Steps large enough that something is found.
    scene.change("epochs: 1, batch: 2, max_steps: 2,\n            optimiser: (learning_rate: 1e-3),\n        ),\n        Evaluate", "epochs: 9, batch: 2, max_steps: 30,\n            optimiser: (learning_rate: 1e-2),\n        ),\n        Evaluate");
    scene.says("run small.ron --out out", 0);
    scene.says("predict out images/c.nii -o own.nii", 0);
    let own = voxels(&scene, "own.nii");
    assert!(own.contains(&1) || own.contains(&2));

    let trained = "out/checkpoints/finetune.safetensors";
    scene.says(&format!("convert {trained} lora.pth --to samed-lora"), 0);
    let given = format!("{WEIGHTS} lora.pth --pipeline small.ron");
    let said = scene.says(&format!("predict {given} images/c.nii -o one.nii"), 0);
    holds(&said, &["lora.pth (samed_lora)", "labels: 1 one, 2 two"]);
    assert_eq!(voxels(&scene, "one.nii"), own);

    // Without a pipeline, options say what the files do not; what is missing is asked for.
    let small = format!("{WEIGHTS} lora.pth images/c.nii -o two.nii");
    let asks = |given: &str, parts: &[&str]| {
        holds(&scene.says(&format!("predict {given}"), 2), parts);
    };
    asks(&small, &["for which images", "--size"]);
    asks(
        &format!("{small} --size 32"),
        &["no file holds an encoder that is known", "--model"],
    );
    let sized = format!("{small} --size 32 --model {ENCODER}");
    asks(
        &sized,
        &["how intensities were scaled", "--window", "--percentiles"],
    );
    asks(
        &format!("{sized} --percentiles 1,99 --classes a,b,c"),
        &["the weights are for 2 classes", "not the 3 of a, b, c"],
    );
    // The decoder has the sizes of published ones then.
    let said = scene.says(&format!("predict {sized} --percentiles 1,99"), 1);
    holds(
        &said,
        &["mask_decoder.transformer", "the network needs [2048]"],
    );
    asks(
        "--weights out/checkpoints/encoder.safetensors images/c.nii -o two.nii",
        &["no file holds a mask decoder that was trained without prompts"],
    );
    asks(
        "images/c.nii -o two.nii",
        &["is the only path", "--weights"],
    );
    asks(
        &format!("{given} out images/c.nii -o two.nii"),
        &["not both"],
    );
    assert!(!scene.path("two.nii").exists());
}

#[test]
fn pictures_and_slices_are_segmented_by_class() {
    let scene = Scene::new();
    scene.change("adapter: Nothing", "adapter: Lora(rank: 2)");
    scene.says("run small.ron --out out", 0);
    let trained = "out/checkpoints/finetune.safetensors";
    scene.says(&format!("convert {trained} lora.pth --to samed-lora"), 0);
    let picture = image::GrayImage::from_fn(30, 20, |x, y| image::Luma([(x * y % 200) as u8]));
    picture.save(scene.path("picture.png")).unwrap();
    for (input, size) in [("picture.png", (30, 20)), ("images/c.nii:2", (24, 20))] {
        let said = scene.says(
            &format!(
                "segment {WEIGHTS} lora.pth --pipeline small.ron --image {input} -o labels.png \
                 --logits logits.npy --overwrite"
            ),
            0,
        );
        holds(&said, &["1 one: area", "2 two: area"]);
        let labels = image::open(scene.path("labels.png")).unwrap().into_luma8();
        assert_eq!(labels.dimensions(), size);
        let logits = numpy::read_tensor(&scene.path("logits.npy"), &[3, 16, 16]).unwrap();
        assert!(logits.as_f32().iter().all(|x| x.is_finite()));
        fs::remove_file(scene.path("logits.npy")).unwrap();
    }
    // A picture's black and white are its own, whatever the pipeline's scans have; options win over the pipeline.
    let logits = || {
        let given = format!("{WEIGHTS} lora.pth --pipeline small.ron --classes x,y");
        let said = scene.says(
            &format!("segment {given} --image picture.png -o p.png --logits p.npy --overwrite"),
            0,
        );
        holds(&said, &["1 x: area", "2 y: area"]);
        numpy::read_tensor(&scene.path("p.npy"), &[3, 16, 16]).unwrap()
    };
    let before = logits();
    scene.change(
        "split: First",
        "intensity: Window(low: 3000, high: 4000), split: First",
    );
    assert_eq!(logits(), before);
    scene.change("intensity: Window(low: 3000, high: 4000), ", "");
    // The slice is that of the volume.
    scene.says("predict out images/c.nii -o own.nii", 0);
    let own = voxels(&scene, "own.nii");
    let labels = image::open(scene.path("labels.png")).unwrap().into_luma8();
    for (x, y, label) in labels.enumerate_pixels() {
        let voxel = (2 * 20 + (19 - y as usize)) * 24 + x as usize;
        assert_eq!(label.0[0], own[voxel], "{x} {y}");
    }
}

/// Teachers and experts of two steps.
const EXPERTS: &str = r#"Pretrain(
            name: "simclr", data: "scans", epochs: 1, batch: 2, max_steps: 2, optimiser: (learning_rate: 1e-3),
            objective: Simclr(network: (blocks: [1], width: 4, projection_dim: 8)),
        ),
        Pretrain(
            name: "mae", data: "scans", epochs: 1, batch: 2, max_steps: 2, optimiser: (learning_rate: 1e-3),
            objective: Mae(network: (
                image_size_px: 32, patch_size_px: 8, dim: 16, depth: 1, heads: 2,
                decoder_dim: 16, decoder_depth: 1, decoder_heads: 2,
            )),
        ),
        Expert(
            name: "image", data: "scans", level: Image(teacher: "simclr", projector_width: 16),
            epochs: 9, batch: 2, max_steps: 5, optimiser: (learning_rate: 1e-2),
        ),
        Expert(
            name: "patch", data: "scans", level: Patch(teacher: "mae", projector_width: 16),
            epochs: 9, batch: 2, max_steps: 5, optimiser: (learning_rate: 1e-2),
        ),
        Expert(
            name: "pixel", data: "scans", level: Pixel(),
            epochs: 9, batch: 2, max_steps: 5, optimiser: (learning_rate: 1e-2),
        ),
        Finetune("#;

/// Ten larger steps of fine-tuning, so that what is trained counts.
fn trained_longer(scene: &Scene) {
    let tail = "\n            optimiser: (learning_rate: RATE),\n        ),\n        Evaluate";
    let [from, to] = [
        ("epochs: 1, batch: 2, max_steps: 2,", "1e-3"),
        ("epochs: 9, batch: 2, max_steps: 10,", "1e-2"),
    ]
    .map(|(length, rate)| format!("{length}{}", tail.replace("RATE", rate)));
    scene.change(&from, &to);
}

/// What `predict` says, and each voxel's probability of the first class.
fn probabilities(scene: &Scene, network: &str, name: &str) -> (String, Vec<u8>) {
    let said = scene.says(
        &format!("predict {network} images/c.nii -o {name}.nii --probabilities {name}"),
        0,
    );
    let path = scene.path(name).join("c_one.nii.gz");
    let image = formats::scan(&path, None)
        .unwrap()
        .read_image(Arrays::default());
    let voxels = image.unwrap().voxels;
    (
        said,
        voxels.iter().map(|p| (255.0 * p).round() as u8).collect(),
    )
}

#[test]
fn h_sams_files_segment_as_the_run_they_are_of() {
    let scene = Scene::new();
    scene.change("out_channels: 16", "out_channels: 64");
    scene.change(
        "adapter: Nothing",
        "adapter: Lora(rank: 2), decoder: HSam(prediction: Second)",
    );
    trained_longer(&scene);
    scene.says("run small.ron --out out", 0);
    let (_, own) = probabilities(&scene, "out", "own");

    let convert = "convert out/checkpoints/finetune.safetensors hsam.pth --to hsam";
    holds(&scene.says(convert, 2), &["--size 224 or 512"]);
    let said = scene.says(&format!("{convert} --size 32"), 1);
    holds(&said, &["224 or 512 pixels, not of 32"]);
    // What has the size in its shape has no effect.
    scene.says(&format!("{convert} --size 224"), 0);
    holds(&scene.says("inspect hsam.pth", 0), &["tensors, hsam"]);

    let given = format!("{WEIGHTS} hsam.pth --pipeline small.ron");
    let (said, one) = probabilities(&scene, &given, "one");
    holds(&said, &["hsam.pth (hsam)", "labels: 1 one, 2 two"]);
    assert_eq!(one, own);
    // Which logits are predicted with is the pipeline's to say.
    scene.change("prediction: Second", "prediction: Mean");
    assert_ne!(probabilities(&scene, &given, "mean").1, own);
}

#[test]
fn samoras_payloads_segment_as_the_run_they_are_of() {
    let levels = ["image", "patch", "pixel", "finetune"];
    let checkpoints = levels.map(|level| format!("out/checkpoints/{level}.safetensors"));
    let convert = format!("convert {} stage2.pth --to samora", checkpoints.join(" "));
    for mode in ["ZeroStart", "Released"] {
        let scene = Scene::new();
        let adapter = format!("Experts(rank: 3, hl_attn: {mode}, order: (Image, Pixel, Patch))");
        scene.change("adapter: Nothing", &format!("adapter: {adapter}"));
        trained_longer(&scene);
        scene.change("Finetune(", EXPERTS);
        scene.says("run small.ron --out out", 0);
        let (_, own) = probabilities(&scene, "out", "own");
        scene.says(&convert, 0);
        let said = scene.says("inspect stage2.pth", 0);
        holds(
            &said,
            &[
                "tensors, samora_stage2",
                "fusion_order: image,pixel,patch",
                "rank: 3",
            ],
        );

        // The file says what the encoder carries, and not the pipeline.
        scene.change(&adapter, "Experts");
        let given = |file: &str| format!("{WEIGHTS} {file} --pipeline small.ron");
        let (said, one) = probabilities(&scene, &given("stage2.pth"), "one");
        holds(&said, &["stage2.pth (samora_stage2)"]);
        assert_eq!(one, own, "{mode}");

        // The pipeline says the order that no file does.
        let mut silent = Weights::read(&scene.path("stage2.pth")).unwrap();
        silent.metadata.remove("fusion_order").unwrap();
        silent.write(&scene.path("silent.safetensors")).unwrap();
        let silent = given("silent.safetensors");
        assert_ne!(probabilities(&scene, &silent, "other").1, own, "{mode}");
        scene.change(
            "adapter: Experts",
            "adapter: Experts(order: (Image, Pixel, Patch))",
        );
        assert_eq!(probabilities(&scene, &silent, "same").1, own, "{mode}");

        let mut wrong = Weights::read(&scene.path("stage2.pth")).unwrap();
        wrong
            .metadata
            .insert("fusion_order".into(), "pixel,patch,pixel".into());
        wrong.write(&scene.path("wrong.safetensors")).unwrap();
        let wrong = format!(
            "predict {} images/c.nii -o wrong.nii",
            given("wrong.safetensors")
        );
        let parts = ["wrong.safetensors: fuses pixel,patch,pixel", "once"];
        holds(&scene.says(&wrong, 2), &parts);
    }
}

/// A SAM of the scene's sizes with its own four masks.
fn sam(path: &Path) -> BTreeMap<String, samora_engine::Tensor> {
    let config = SamConfig {
        image_size_px: 32,
        patch_size_px: 8,
        dim: 16,
        depth: 1,
        heads: 2,
        window_tokens: 14,
        global_blocks: Vec::new(),
        mlp_ratio: 4,
        out_channels: 16,
    };
    let decoder = MaskDecoderConfig {
        classes: 4,
        depth: 1,
        heads: 2,
        mlp_dim: 16,
    };
    let mut g = Graph::new();
    let image = g.input("image", &[1, 32, 32, 3], DType::F32);
    let features = encode(&mut g, &config, &Adapter::None, image).features;
    let prompts = Prompts {
        boxes: Some(g.input("box", &[1, 4], DType::F32)),
        ..Prompts::default()
    };
    decode_prompted(&mut g, &decoder, features, 32, &prompts);
    let weights = Weights::default().draw(&g, 2).unwrap();
    weights.write(path).unwrap();
    weights.tensors
}

/// Three classes, and SAM's four masks: hypernetworks of the first three and all but the last layer of the head of
/// qualities have the same shapes.
#[test]
fn mask_heads_start_from_sam_or_afresh() {
    let [token, last, same] = [
        "mask_decoder.mask_tokens.weight",
        "mask_decoder.iou_prediction_head.layers.2.weight",
        "mask_decoder.output_hypernetworks_mlps.2.layers.0.weight",
    ];
    let other = "mask_decoder.transformer.layers.0.mlp.lin1.weight";
    for (heads, starts_from_sam) in [("", true), ("mask_heads: Fresh,", false)] {
        let scene = Scene::new();
        let given = sam(&scene.path("sam.safetensors"));
        let all = fs::read_to_string(scene.path("small.ron")).unwrap();
        let pretrain = all.find("Pretrain(").unwrap()..all.find("Finetune(").unwrap();
        scene.change(&all[pretrain], "");
        scene.change(
            "adapter:",
            &format!("weights: \"sam.safetensors\", {heads} adapter:"),
        );
        scene.change("learning_rate: 1e-3", "learning_rate: 1e-12");
        scene.says("run small.ron --out out", 0);
        let trained = Weights::read(&scene.path("out/checkpoints/finetune.safetensors")).unwrap();
        let as_given = |name: &str| {
            let (now, then) = (&trained.tensors[name], &given[name]);
            let pairs = now.as_f32().iter().zip(then.as_f32());
            now.shape == then.shape && pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-6)
        };
        assert!(as_given(other), "{heads}");
        assert_eq!(as_given(same), starts_from_sam, "{heads}");
        for name in [token, last] {
            assert_eq!(trained.tensors[name].shape[0], 3);
        }
    }
}
