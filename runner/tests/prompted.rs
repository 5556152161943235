//! `segment` and `embed`: what they refuse (2 for usage, 1 for data, never a panic), what they write,
//! and LiteMedSAM's recorded features where `SAMORA_DATA` names the folder that has them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use image::{GrayImage, Luma, RgbImage};
use samora_engine::models::sam::{
    Adapter, MaskDecoderConfig, Prompts, SamConfig, decode_prompted, encode,
};
use samora_engine::models::sam2::{self, Sam2Config};
use samora_engine::weights::Weights;
use samora_engine::{DType, Graph, Tensor, Value, cpu};
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

/// Hiera-T with a twelfth of its channels, as in `tests/reference/sam2.py`.
const HIERA_T: &str = "Sam2(image_size_px: 224, dim: 8, heads: 1, depths: (1, 2, 7, 2), windows_tokens: (8, 4, 14, 7), \
     global_blocks: [5, 7, 9], positions_tokens: 7, out_channels: 16)";

/// Numbers of `sam2.py`, `[1, 3, size, size]`.
fn computed(size: usize) -> Tensor {
    let value = |i: usize| {
        let (c, y, x) = (i / size / size, i / size % size, i % size);
        ((3 * y * y + 5 * x * x + 7 * x * y + 31 * c) % 251) as f32 / 251.0 - 0.5
    };
    Tensor::f32(
        &[1, 3, size, size],
        (0..3 * size * size).map(value).collect(),
    )
}

/// Largest difference as a part of the largest number wanted, `[1, channels, rows, columns]` against
/// `[1, rows, columns, channels]`.
fn error(got: &Tensor, want: &Tensor) -> f32 {
    let &[1, rows, columns, channels] = want.shape.as_slice() else {
        panic!("{:?}", want.shape);
    };
    assert_eq!(got.shape, [1, channels, rows, columns]);
    let pixels = rows * columns;
    let got = |i: usize| got.as_f32()[i % channels * pixels + i / channels];
    let want = want.as_f32();
    let largest = want.iter().fold(0.0f32, |m, x| m.max(x.abs()));
    let errors = want.iter().enumerate().map(|(i, w)| (got(i) - w).abs());
    errors.max_by(f32::total_cmp).unwrap() / largest
}

/// From a file with Hugging Face's names, as Hugging Face's model has them.
#[test]
fn sam_2_embeds_as_recorded() {
    let scene = Scene::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures");
    let weights = fixtures.join("sam2_tiny.safetensors");
    let golden = Weights::read(&fixtures.join("sam2.safetensors")).unwrap();
    // The image's size is that of the model, or --size.
    let other = HIERA_T.replace("image_size_px: 224", "image_size_px: 96");
    numpy::write_tensor(&scene.path("in.npy"), &computed(224)).unwrap();
    for model in [&[HIERA_T][..], &[&other, "--size", "224"]] {
        let weights = ["--weights", weights.to_str().unwrap(), "--model"];
        let files = ["--image", "in.npy", "-o", "all.safetensors", "--overwrite"];
        let parts = ["(hf_sam2_hiera)", "high_res_feats.1: [1, 4, 28, 28]"];
        scene.says("embed", &[&weights, model, &files].concat(), 0, &parts);
        let all = Weights::read(&scene.path("all.safetensors"))
            .unwrap()
            .tensors;
        assert_eq!(all.len(), 3);
        for (name, recorded) in [
            ("image_embed", "embedding"),
            ("high_res_feats.0", "s0"),
            ("high_res_feats.1", "s1"),
        ] {
            let error = error(&all[name], &golden.tensors[&format!("tiny_224.{recorded}")]);
            println!("{name}: {error:.1e} of at most 1e-4");
            assert!(error <= 1e-4, "{name} is off by {error:e}");
        }
    }
}

/// A small SAM 2, as `--model` takes it.
const SAM2: &str = "Sam2(image_size_px: 64, dim: 8, heads: 1, depths: (1, 1, 2, 1), windows_tokens: (8, 4, 4, 2), \
     global_blocks: [3], positions_tokens: 4, out_channels: 16)";
const SAM2_SIZE: usize = 64;

/// [`SAM2`] by a point or a box: masks' logits and qualities.
fn small_sam2(is_point: bool) -> (Graph, [Value; 2]) {
    let config = Sam2Config {
        dim: 8,
        heads: 1,
        depths: [1, 1, 2, 1],
        windows_tokens: [8, 4, 4, 2],
        global_blocks: vec![3],
        positions_tokens: 4,
        out_channels: 16,
        ..Sam2Config::tiny(SAM2_SIZE)
    };
    let mut g = Graph::new();
    let image = g.input("image", &[1, SAM2_SIZE, SAM2_SIZE, 3], DType::F32);
    let encoded = sam2::encode(&mut g, &config, &Adapter::None, image);
    let embedding = sam2::embed(&mut g, &encoded);
    let none = Prompts::default();
    let prompts = match is_point {
        true => {
            let places = g.input("points", &[1, 1, 2], DType::F32);
            let labels = g.input("labels", &[1, 1], DType::F32);
            Prompts {
                points: Some((places, labels)),
                ..none
            }
        }
        false => Prompts {
            boxes: Some(g.input("box", &[1, 4], DType::F32)),
            ..none
        },
    };
    let decoder = MaskDecoderConfig::sam();
    let found = sam2::decode_prompted(&mut g, &decoder, &embedding, SAM2_SIZE, &prompts);
    (g, [found.masks.logits, found.masks.quality])
}

/// Of a prepared image all logits and qualities are those of the engine's reference, prompts being in its pixels; a
/// picture is stretched over the square.
#[test]
fn sam_2_segments_prepared_images_and_pictures() {
    let scene = Scene::new();
    let mut weights = Weights::default();
    for is_point in [true, false] {
        let drawn = Weights::default().draw(&small_sam2(is_point).0, 3);
        weights.tensors.extend(drawn.unwrap().tensors);
    }
    weights.write(&scene.path("sam2.safetensors")).unwrap();
    let image = computed(SAM2_SIZE);
    numpy::write_tensor(&scene.path("in.npy"), &image).unwrap();
    let pixels = SAM2_SIZE * SAM2_SIZE;
    let value = |i: usize| image.as_f32()[i % 3 * pixels + i / 3];
    let interleaved = Tensor::f32(
        &[1, SAM2_SIZE, SAM2_SIZE, 3],
        (0..3 * pixels).map(value).collect(),
    );
    let places = vec![
        ("image", interleaved),
        ("points", Tensor::f32(&[1, 1, 2], vec![20.0, 31.0])),
        ("labels", Tensor::f32(&[1, 1], vec![1.0])),
        ("box", Tensor::f32(&[1, 4], vec![5.0, 8.0, 40.0, 33.0])),
    ];
    let mut feeds: HashMap<String, Tensor> = weights.tensors.into_iter().collect();
    feeds.extend(
        places
            .into_iter()
            .map(|(name, tensor)| (name.to_owned(), tensor)),
    );
    for (is_point, prompt) in [
        (true, ["--point", "20,31,1"]),
        (false, ["--box", "5,8,40,33"]),
    ] {
        let (g, wanted) = small_sam2(is_point);
        let want = cpu::evaluate(&g, &feeds, &wanted).unwrap();
        for (file, size) in [("in.npy", (64, 64)), ("image.png", (48, 36))] {
            let network = ["--weights", "sam2.safetensors", "--model", SAM2];
            let files = ["--image", file, "-o", "mask.png", "--logits", "logits.npy"];
            let arguments = [&network[..], &files, &["--overwrite"], &prompt].concat();
            let said = scene.says("segment", &arguments, 0, &["predicted IoU", "mask area"]);
            let mask = image::open(scene.path("mask.png")).unwrap();
            assert_eq!((mask.width(), mask.height()), size);
            let logits = numpy::read_tensor(&scene.path("logits.npy"), &[4, 16, 16]).unwrap();
            let ious = said.split("predicted IoUs ").nth(1).unwrap();
            let ious = ious.lines().next().unwrap().split(' ');
            let ious: Vec<f32> = ious.map(|iou| iou.parse().unwrap()).collect();
            assert_eq!(ious.len(), 4);
            if file == "in.npy" {
                let logits = Tensor::f32(&[1, 4, 16, 16], logits.as_f32().to_vec());
                assert!(error(&logits, &want[0]) < 1e-4);
                for (iou, want) in ious.iter().zip(want[1].as_f32()) {
                    assert!((iou - want).abs() < 1e-5, "{iou} {want}");
                }
            }
        }
    }
    let far = [
        "--image",
        "in.npy",
        "-o",
        "mask.png",
        "--overwrite",
        "--box",
        "5,8,50,65",
    ];
    let network = ["--weights", "sam2.safetensors", "--model", SAM2];
    scene.says("segment", &[&network[..], &far].concat(), 2, &["64×64"]);
    let larger = [
        "--size",
        "96",
        "--image",
        "in.npy",
        "-o",
        "mask.png",
        "--overwrite",
    ];
    let arguments = [&network[..], &larger, &["--box", "5,8,40,33"]].concat();
    scene.says(
        "segment",
        &arguments,
        1,
        &["(1, 3, 64, 64)", "(1, 3, 96, 96)"],
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
