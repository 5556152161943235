//! The binary on wrong input: exit code 2 for usage and configuration, 1 for data and machine, and a
//! message that names file and cause. No case may panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use samora_engine::Tensor;
use samora_engine::weights::Weights;
use samora_runner::data::formats::nifti;
use samora_runner::data::volume::{Grid, Volume};
use samora_runner::phantom::{Layout, Options, generate};

const PIPELINE: &str = r#"Pipeline(
    name: "small",
    seed: 1,
    data: {"scans": Folder(
        images: "scans/images", labels: "scans/labels",
        classes: ["1", "2", "3", "4", "5", "6", "7", "8"],
        split: First(train: 1, test: 1),
    )},
    encoder: Sam(image_size_px: 32, patch_size_px: 8, dim: 16, depth: 1, heads: 2, out_channels: 16),
    transformer: (depth: 1, heads: 2, mlp_dim: 16),
    adapter: Nothing,
    stages: [
        Pretrain(
            name: "encoder", data: "scans", objective: Masked(), epochs: 1, batch: 2,
            optimiser: (learning_rate: 1e-3),
        ),
        Finetune(
            name: "finetune", data: "scans",
            loss: (cross_entropy: 0.2, dice: 0.8), augmentation: Off, epochs: 1, batch: 2,
            optimiser: (learning_rate: 1e-3),
        ),
        Evaluate(name: "test", data: "scans", model: "finetune", batch: 2),
    ],
)"#;

/// Voxels of a phantom.
const SHAPE: [usize; 3] = [48, 40, 16];

/// A folder with `small.ron` and two phantom cases.
struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("small.ron"), PIPELINE).unwrap();
        let options = Options {
            layout: Layout::Folder,
            cases: 2,
            seed: 1,
            shape: SHAPE,
        };
        generate(&options, &folder.path().join("scans")).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn runner(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_runner"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env("XDG_CACHE_HOME", self.path("cache"))
            .output()
            .unwrap()
    }

    /// Runs, and checks exit code and message.
    fn refuses(&self, arguments: &[&str], code: i32, parts: &[&str]) {
        let output = self.runner(arguments);
        let stdout = String::from_utf8_lossy(&output.stdout);
        let stderr = String::from_utf8_lossy(&output.stderr);
        let all = format!("{stdout}{stderr}");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {all}");
        assert!(!all.contains("panicked"), "{arguments:?}: {all}");
        for part in parts {
            assert!(all.contains(part), "{arguments:?}: no {part:?} in\n{all}");
        }
    }

    fn rewrite(&self, from: &str, to: &str) {
        assert!(PIPELINE.contains(from), "{from}");
        fs::write(self.path("small.ron"), PIPELINE.replacen(from, to, 1)).unwrap();
    }
}

/// Voxels (x, y, z) ↦ `value` on a grid of 1 mm.
fn volume<T: Copy>(shape: [usize; 3], value: impl Fn(usize) -> T) -> Volume<T> {
    let grid = Grid::axis_aligned(shape, [1.0; 3]);
    let voxels = (0..grid.len()).map(value).collect();
    Volume::new(grid, voxels, PathBuf::new()).unwrap()
}

fn first_file(folder: &Path) -> PathBuf {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    files.sort();
    files[0].clone()
}

#[test]
fn usage_is_explained() {
    let scene = Scene::new();
    scene.refuses(&[], 2, &["Usage: runner"]);
    scene.refuses(
        &["chek", "small.ron"],
        2,
        &["unrecognized subcommand", "check"],
    );
    scene.refuses(&["none.ron"], 2, &["cannot read none.ron"]);
    scene.refuses(
        &["plan", "small.ron", "--set", "seed"],
        2,
        &["path.to.field=value"],
    );
    scene.refuses(
        &["plan", "small.ron", "--set", "sed=2"],
        2,
        &["did you mean `seed`?"],
    );
    scene.refuses(
        &["predict", "scans", "a.nii", "-o", "b.nii"],
        2,
        &["scans/resolved.ron", "no run directory"],
    );
}

#[test]
fn mistakes_in_the_pipeline_exit_with_2_and_their_place() {
    let scene = Scene::new();
    let table = [
        ("epochs: 1", "epoch: 1", "did you mean `epochs`?"),
        ("seed: 1", "seed: \"one\"", "small.ron:3:11"),
        (
            "learning_rate: 1e-3",
            "learning_rate: NaN",
            "learning_rate: must be a positive number",
        ),
        (
            "adapter: Nothing",
            "adapter: include(\"lora.ron\")",
            "cannot read the included file",
        ),
        (
            "adapter: Nothing",
            "adapter: include(\"small.ron\")",
            "leads back to itself",
        ),
        (
            "model: \"finetune\"",
            "model: \"encoder\"",
            "`encoder` is not a Finetune stage",
        ),
        (
            "adapter: Nothing",
            "adapter: Experts",
            "no Expert stage has `level: Image`",
        ),
        (
            "patch_size_px: 8",
            "patch_size_px: 7",
            "32 is not a multiple",
        ),
    ];
    for (from, to, expected) in table {
        scene.rewrite(from, to);
        for command in ["run", "check", "plan"] {
            scene.refuses(&[command, "small.ron"], 2, &[expected]);
        }
    }
}

#[test]
fn a_plan_needs_no_data() {
    let scene = Scene::new();
    fs::remove_dir_all(scene.path("scans")).unwrap();
    scene.rewrite("scans/images", "${env:RUNNER_TEST_UNSET}/images");
    scene.refuses(
        &["check", "small.ron"],
        2,
        &["`RUNNER_TEST_UNSET` is not set"],
    );
    let output = scene.runner(&["plan", "small.ron", "--peak", "--emit", "modules"]);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    for part in [
        "encoder",
        "GFLOP/step",
        "finetune, when most is kept",
        "summary.json",
    ] {
        assert!(stdout.contains(part), "{stdout}");
    }
    let module = first_file(&scene.path("modules/finetune"));
    assert!(fs::read_to_string(module).unwrap().contains("@compute"));
}

#[test]
fn a_bench_needs_no_data_and_writes_traces() {
    let scene = Scene::new();
    fs::remove_dir_all(scene.path("scans")).unwrap();
    let wrong = [
        (&["vit_b"][..], "nor a workload (vit_b_lora"),
        (&["vit_b_lora", "--set", "seed=2"], "workloads are fixed"),
        (&["small.ron", "--size", "full"], "--size is of workloads"),
        (
            &["samora_stage2"],
            "pipelines/synapse_fewshot.ron is not here",
        ),
    ];
    for (arguments, expected) in wrong {
        scene.refuses(&[&["bench"], arguments].concat(), 2, &[expected]);
    }
    let output = scene.runner(&["bench", "small.ron", "--rounds", "1", "--trace", "traces"]);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    for part in ["finetune", "of GEMM", "at least", "backward ms"] {
        assert!(stdout.contains(part), "no {part:?} in\n{stdout}");
    }
    let trace = fs::read_to_string(scene.path("traces/encoder_2.json")).unwrap();
    let trace: serde_json::Value = serde_json::from_str(&trace).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    assert!(events.len() > 20 && events.iter().all(|e| e["dur"].as_f64() > Some(0.0)));
}

#[test]
fn unusable_data_exits_with_1_and_names_the_file() {
    let check = ["check", "small.ron"];
    let scene = Scene::new();
    assert!(scene.runner(&check).status.success());
    let image = first_file(&scene.path("scans/images"));
    let label = first_file(&scene.path("scans/labels"));
    let (good_image, good_label) = (fs::read(&image).unwrap(), fs::read(&label).unwrap());
    let name = image.file_name().unwrap().to_str().unwrap();

    nifti::write(&label, &volume(SHAPE, |i| (i % 10) as u8)).unwrap();
    scene.refuses(&check, 1, &[name, "9"]);
    nifti::write(&label, &volume([48, 40, 8], |_| 1u8)).unwrap();
    scene.refuses(&check, 1, &[name, "16", "8"]);
    fs::write(&label, &good_label).unwrap();

    fs::write(&image, &good_image[..good_image.len() / 2]).unwrap();
    scene.refuses(&check, 1, &[name]);
    nifti::write(&image, &volume(SHAPE, |_| f32::NAN)).unwrap();
    scene.refuses(&check, 1, &[name, "NaN"]);
    fs::remove_file(&image).unwrap();
    scene.refuses(
        &check,
        1,
        &[
            "has no image of the same name",
            name.split('.').next().unwrap(),
        ],
    );

    fs::remove_dir_all(scene.path("scans/images")).unwrap();
    fs::create_dir(scene.path("scans/images")).unwrap();
    scene.refuses(&check, 1, &["scans/images"]);
    fs::remove_dir_all(scene.path("scans")).unwrap();
    scene.refuses(&check, 1, &["scans/images"]);
}

#[test]
fn places_that_cannot_be_written_and_adapters_that_do_not_exist_exit_with_1() {
    let scene = Scene::new();
    let below_a_file = ["small.ron", "--out", "small.ron/run"];
    scene.refuses(
        &below_a_file,
        1,
        &["small.ron/run", "cannot create the folder"],
    );
    scene.refuses(
        &["small.ron", "--out", "scans"],
        1,
        &["neither empty nor a run directory"],
    );
    scene.refuses(&["small.ron", "--adapter", "no such card"], 1, &["adapter"]);
}

/// One expert of SAMora in block 0, its B all ones.
fn expert(name: &str) -> Weights {
    let mut weights = Weights::default();
    let block = "image_encoder.blocks.0.samora_adapter";
    for (part, shape, value) in [
        ("linear_a_q", [2, 8], 3.0),
        ("linear_b_q", [8, 2], 1.0),
        ("linear_a_v", [2, 8], 5.0),
        ("linear_b_v", [8, 2], 1.0),
    ] {
        let full = format!("{block}.experts.{name}.{part}.weight");
        weights.tensors.insert(full, Tensor::full(&shape, value));
    }
    let scale = format!("{block}.{name}_scale");
    weights.tensors.insert(scale, Tensor::full(&[], 0.5));
    weights.metadata.insert("rank".into(), "2".into());
    weights
}

#[test]
fn weight_files_are_shown_and_converted() {
    let scene = Scene::new();
    for name in ["image", "pixel"] {
        let path = scene.path(&format!("{name}.safetensors"));
        expert(name).write(&path).unwrap();
    }
    let done = |arguments: &[&str], parts: &[&str]| scene.refuses(arguments, 0, parts);
    done(
        &["inspect", "image.safetensors"],
        &[
            "65 parameters in 5 tensors",
            "samora_stage1",
            "rank: 2",
            "2×8",
            "scalar",
        ],
    );
    done(
        &[
            "convert",
            "image.safetensors",
            "lora.pth",
            "--to",
            "samed-lora",
        ],
        &["lora.pth: 4 tensors"],
    );
    done(
        &["inspect", "lora.pth"],
        &["samed_lora", "w_a_000", "w_b_001", "0.5000"],
    );
    done(&["convert", "lora.pth", "lora.safetensors"], &[]);
    let lora = Weights::read(&scene.path("lora.safetensors")).unwrap();
    assert_eq!(lora.tensors["w_b_000"], Tensor::full(&[8, 2], 0.5));
    let both = [
        "convert",
        "image.safetensors",
        "pixel.safetensors",
        "out.pth",
        "--to",
    ];
    done(&[&both[..], &["samora"]].concat(), &["out.pth: 10 tensors"]);
    done(
        &["inspect", "out.pth"],
        &["samora_stage2", "lora_layer: 0", "use_hl_attn: false"],
    );

    scene.refuses(
        &[&both[..], &["samed-lora", "--overwrite"]].concat(),
        1,
        &["one LoRA", "image, pixel"],
    );
    scene.refuses(
        &[
            "convert",
            "image.safetensors",
            "image.safetensors",
            "out.pth",
            "--overwrite",
        ],
        2,
        &["is in an earlier file as well"],
    );
    scene.refuses(
        &["convert", "image.safetensors", "out.bin"],
        2,
        &["out.bin", ".pth"],
    );
    scene.refuses(&["convert", "image.safetensors"], 2, &["Usage"]);
    scene.refuses(&["inspect", "small.ron"], 1, &["small.ron", "neither"]);
    scene.refuses(&["inspect", "none.pth"], 1, &["none.pth"]);
    let mut bad = expert("image");
    bad.tensors
        .insert("bad".into(), Tensor::f32(&[2], vec![f32::NAN, 1.0]));
    bad.write(&scene.path("bad.safetensors")).unwrap();
    done(&["inspect", "bad.safetensors"], &["1 tensors hold NaN"]);
    scene.refuses(
        &["convert", "bad.safetensors", "new.pth", "--to", "samora"],
        1,
        &["tensor bad", "runner inspect"],
    );
}
