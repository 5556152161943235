//! `segment` and `embed`: what they refuse (2 for usage, 1 for data, never a panic), what they write,
//! and LiteMedSAM's recorded features where `SAMORA_DATA` names the folder that has them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use image::{GrayImage, Luma, RgbImage};
use samora_engine::models::sam::{
    Adapter, MaskDecoderConfig, Prompts, SamConfig, decode_prompted, encode,
};
use samora_engine::weights::Weights;
use samora_engine::{DType, Graph, Tensor};
use samora_runner::data::formats::{nifti, numpy};
use samora_runner::data::volume::{Grid, Volume};

/// A small encoder, as `--model` takes it.
const MODEL: &str =
    "Sam(image_size_px: 32, patch_size_px: 8, dim: 16, depth: 1, heads: 2, out_channels: 16)";
const SIZE: usize = 32;

/// A folder with `weights.safetensors` for [`MODEL`], the picture `image.png` of 48×36 pixels, and
/// `volume.nii.gz` of 10×8×4 voxels.
struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let scene = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let weights = Weights::default().draw(&small_network(), 1).unwrap();
        weights.write(&scene.path("weights.safetensors")).unwrap();
        let colours = |x: u32, y: u32| image::Rgb([5 * x as u8, 7 * y as u8, (x * y % 256) as u8]);
        let picture = RgbImage::from_fn(48, 36, colours);
        picture.save(scene.path("image.png")).unwrap();
        picture.save(scene.path("image.jpg")).unwrap();
        let grid = Grid::axis_aligned([10, 8, 4], [1.0; 3]);
        let voxels = (0..grid.len()).map(|i| i as f32).collect();
        let volume = Volume::new(grid, voxels, PathBuf::new()).unwrap();
        nifti::write(&scene.path("volume.nii.gz"), &volume).unwrap();
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs with `weights.safetensors` and the small model, unless `arguments` give others.
    fn runner(&self, command: &str, arguments: &[&str]) -> Output {
        let mut all = vec![command];
        for (option, value) in [("--weights", "weights.safetensors"), ("--model", MODEL)] {
            if !arguments.contains(&option) {
                all.extend([option, value]);
            }
        }
        all.extend(arguments);
        Command::new(env!("CARGO_BIN_EXE_runner"))
            .args(all)
            .current_dir(self.folder.path())
            .env("XDG_CACHE_HOME", self.path("cache"))
            .output()
            .unwrap()
    }

    /// Runs, checks the exit code and what is said, and returns standard output.
    fn says(&self, command: &str, arguments: &[&str], code: i32, parts: &[&str]) -> String {
        let output = self.runner(command, arguments);
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let all = format!("{stdout}{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {all}");
        assert!(!all.contains("panicked"), "{arguments:?}: {all}");
        for part in parts {
            assert!(all.contains(part), "{arguments:?}: no {part:?} in\n{all}");
        }
        stdout
    }
}

/// [`MODEL`] with SAM's prompt encoder and mask decoder.
fn small_network() -> Graph {
    let config = SamConfig {
        image_size_px: SIZE,
        patch_size_px: 8,
        dim: 16,
        depth: 1,
        heads: 2,
        window_tokens: 14,
        global_blocks: Vec::new(),
        mlp_ratio: 4,
        out_channels: 16,
    };
    let mut g = Graph::new();
    let image = g.input("image", &[1, SIZE, SIZE, 3], DType::F32);
    let features = encode(&mut g, &config, &Adapter::None, image).features;
    let points = g.input("points", &[1, 1, 2], DType::F32);
    let labels = g.input("labels", &[1, 1], DType::F32);
    let prompts = Prompts {
        points: Some((points, labels)),
        boxes: Some(g.input("box", &[1, 4], DType::F32)),
        mask: None,
    };
    decode_prompted(&mut g, &MaskDecoderConfig::sam(), features, SIZE, &prompts);
    g
}

#[test]
fn wrong_input_is_explained() {
    let scene = Scene::new();
    let box_ = ["--box", "1,2,30,20", "-o", "mask.png"];
    let segment = |code, parts: &[&str], arguments: &[&[&str]]| {
        scene.says("segment", &arguments.concat(), code, parts);
    };
    let png: &[&str] = &["--image", "image.png"];
    for (prompt, part) in [
        (&[][..], "--box or --point"),
        (&["--box", "1,2,30"], "expected 4 numbers"),
        (&["--box", "30,2,1,20"], "x0 must be less than x1"),
        (&["--box", "1,2,nan,20"], "expected 4 numbers"),
        (&["--box", "1,2,49,20"], "48×36"),
        (&["--box", "-1,2,30,20"], "48×36"),
        (&["--box", "1,2,3,4", "--box", "1,2,3,4"], "multiple times"),
        (&["--point", "5,5"], "expected 3 numbers"),
        (&["--point", "5,5,2"], "label is 1"),
        (&["--point", "5,5,1", "--point", "5,37,0"], "the point 5,37"),
    ] {
        segment(2, &[part], &[png, prompt, &["-o", "mask.png"]]);
    }
    segment(
        2,
        &["mask.gif", ".png"],
        &[png, &["--box", "1,2,30,20", "-o", "mask.gif"]],
    );
    segment(2, &["for volumes"], &[png, &["--window", "40,400"], &box_]);
    let volume = |slice| ["--image", slice];
    segment(
        2,
        &["no slice 4", "0…3"],
        &[&volume("volume.nii.gz:4"), &box_],
    );
    segment(
        2,
        &["`x` is no slice"],
        &[&volume("volume.nii.gz:x"), &box_],
    );
    segment(
        2,
        &["above 0"],
        &[&volume("volume.nii.gz"), &["--window", "40,0"], &box_],
    );
    segment(
        1,
        &["volume.nii.gz", "--series"],
        &[&volume("volume.nii.gz"), &["--series", "2"], &box_],
    );
    segment(2, &["has no slice 1"], &[&volume("image.png:1"), &box_]);
    segment(1, &["none.nii.gz"], &[&volume("none.nii.gz:1"), &box_]);
    segment(1, &["none.png"], &[&["--image", "none.png"], &box_]);
    let weights: &[&str] = &["--image", "weights.safetensors"];
    segment(1, &["weights.safetensors", "PNG"], &[weights, &box_]);

    segment(1, &["none.pth"], &[&["--weights", "none.pth"], png, &box_]);
    for (model, part) in [
        (
            "sam_vit_x",
            "sam_vit_b, sam_vit_l, sam_vit_h, mobile_sam, lite_medsam",
        ),
        ("none.ron", "none.ron"),
        (
            "Sam(image_size_px: 30, dim: 16, depth: 1, heads: 2)",
            "not a multiple",
        ),
        ("Sam(image_size: 32)", "did you mean `image_size_px`?"),
        ("Vit(image_size_px: 32)", "unknown variant `Vit`"),
    ] {
        segment(2, &[part], &[png, &["--model", model], &box_]);
    }

    let embed = |code, parts: &[&str], arguments: &[&str]| {
        scene.says("embed", arguments, code, parts);
    };
    embed(
        2,
        &["features.txt", ".npy"],
        &["--image", "image.png", "-o", "features.txt"],
    );
    let wide = Tensor::full(&[1, 3, SIZE, 40], 0.0);
    numpy::write_tensor(&scene.path("wide.npy"), &wide).unwrap();
    let parts = ["(1, 3, 32, 40)", "(1, 3, 32, 32)"];
    embed(1, &parts, &["--image", "wide.npy", "-o", "features.npy"]);
    let windowed = [
        "--image",
        "wide.npy",
        "--window",
        "40,400",
        "-o",
        "features.npy",
    ];
    embed(2, &["wide.npy", "--window is for volumes"], &windowed);
    embed(
        1,
        &["none.npy"],
        &["--image", "none.npy", "-o", "features.npy"],
    );
}

#[test]
fn unrecognised_weights_need_a_model() {
    let scene = Scene::new();
    let output = Command::new(env!("CARGO_BIN_EXE_runner"))
        .args(["embed", "--weights", "weights.safetensors"])
        .args(["--image", "image.png", "-o", "features.npy"])
        .current_dir(scene.folder.path())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(
        stderr.contains("--model") && stderr.contains("lite_medsam"),
        "{stderr}"
    );
}

#[test]
fn features_and_masks_have_the_promised_sizes() {
    let scene = Scene::new();
    let embed = |image: &str| {
        let arguments = ["--image", image, "-o", "features.npy", "--overwrite"];
        scene.says("embed", &arguments, 0, &["weights.safetensors"]);
        numpy::read_tensor(&scene.path("features.npy"), &[1, 16, 4, 4]).unwrap()
    };
    let of_picture = embed("image.png");
    numpy::write_tensor(
        &scene.path("grey.npy"),
        &Tensor::full(&[1, 3, SIZE, SIZE], 0.5),
    )
    .unwrap();
    assert_ne!(embed("grey.npy"), of_picture);
    assert!(of_picture.as_f32().iter().all(|x| x.is_finite()));
    let arguments = ["--image", "image.png", "-o", "all.safetensors"];
    scene.says("embed", &arguments, 0, &["image_embed: [1, 16, 4, 4]"]);
    let all = Weights::read(&scene.path("all.safetensors")).unwrap();
    assert_eq!(all.tensors["image_embed"], of_picture);

    let segment = |image: &str, prompts: &[&str], size| {
        let output = [
            "--image",
            image,
            "-o",
            "mask.png",
            "--logits",
            "logits.npy",
            "--overwrite",
        ];
        let arguments = [&output, prompts].concat();
        let said = scene.says("segment", &arguments, 0, &["predicted IoU"]);
        let mask: GrayImage = image::open(scene.path("mask.png")).unwrap().into_luma8();
        assert_eq!(mask.dimensions(), size);
        assert!(mask.pixels().all(|&Luma([p])| p == 0 || p == 255));
        let area = mask.pixels().filter(|&&Luma([p])| p == 255).count();
        assert!(said.contains(&format!("mask area {area} of")), "{said}");
        let logits = numpy::read_tensor(&scene.path("logits.npy"), &[4, 16, 16]).unwrap();
        assert!(logits.as_f32().iter().all(|x| x.is_finite()));
        let ious = said.split("predicted IoUs ").nth(1).unwrap();
        let ious = ious.lines().next().unwrap().split(' ');
        let ious: Vec<f32> = ious.map(|iou| iou.parse().unwrap()).collect();
        assert_eq!(ious.len(), 4);
    };
    let both = [
        "--box",
        "0,2,48,36",
        "--point",
        "20,10,1",
        "--point",
        "3,3,0",
    ];
    segment("image.jpg", &both, (48, 36));
    segment(
        "volume.nii.gz:3",
        &["--point", "4,5,1", "--window", "100,50"],
        (10, 8),
    );
}

#[test]
fn lite_medsam_embeds_as_recorded() {
    let data = std::env::var_os("SAMORA_DATA").map(|root| PathBuf::from(root).join("medsam_lite"));
    let Some(folder) = data.filter(|folder| folder.is_dir()) else {
        println!("skipped: set SAMORA_DATA to a folder with medsam_lite/ to compare LiteMedSAM");
        return;
    };
    let golden = Weights::read(&folder.join("golden_liver_slice.safetensors")).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let (input, output) = (
        scratch.path().join("in.npy"),
        scratch.path().join("out.npy"),
    );
    numpy::write_tensor(&input, &golden.tensors["image"]).unwrap();
    let weights = folder.join("lite_medsam.pth");
    let arguments: [(&str, &Path); 3] = [
        ("--weights", &weights),
        ("--image", &input),
        ("--output", &output),
    ];
    let mut command = Command::new(env!("CARGO_BIN_EXE_runner"));
    command.arg("embed");
    for (option, value) in arguments {
        command.arg(option).arg(value);
    }
    assert!(command.status().unwrap().success());
    let want = &golden.tensors["image_embedding"];
    let found = numpy::read_tensor(&output, &want.shape).unwrap();
    let largest = want.as_f32().iter().fold(0.0f32, |m, x| m.max(x.abs()));
    let pairs = found.as_f32().iter().zip(want.as_f32());
    // Of NaN, which no other number is less than, none is lost.
    let errors = pairs.map(|(f, w)| (f - w).abs() / largest);
    let error = errors.max_by(f32::total_cmp).unwrap();
    println!("embedding: {error:.1e} of at most 2e-4");
    assert!(error.abs() <= 2e-4, "off by {error:e}");
}
