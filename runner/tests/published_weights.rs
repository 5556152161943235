//! Fine-tunes in the files of others run without training: what a run's own weights segment, they segment as SAMed's
//! file beside the encoder's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod scene;

use std::fs;

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
    // The slice is that of the volume.
    scene.says("predict out images/c.nii -o own.nii", 0);
    let own = voxels(&scene, "own.nii");
    let labels = image::open(scene.path("labels.png")).unwrap().into_luma8();
    for (x, y, label) in labels.enumerate_pixels() {
        let voxel = (2 * 20 + (19 - y as usize)) * 24 + x as usize;
        assert_eq!(label.0[0], own[voxel], "{x} {y}");
    }
}
