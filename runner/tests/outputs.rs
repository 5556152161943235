//! What commands refuse to write, before anything is computed: what they read, what exists, and what cannot be
//! written. The runs here have no weights, so that nothing can be computed with them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use samora_engine::Tensor;
use samora_engine::weights::Weights;
use samora_runner::data::formats::{metaimage, nifti, nrrd};
use samora_runner::data::volume::{Grid, Volume};

const PIPELINE: &str = r#"Pipeline(
    name: "small", seed: 1,
    data: {"scans": Folder(images: "nowhere", labels: "nowhere", classes: ["one", "two"])},
    encoder: Sam(image_size_px: 32, patch_size_px: 8, dim: 16, depth: 1, heads: 2, out_channels: 16),
    weights: "published.safetensors",
    transformer: (depth: 1, heads: 2, mlp_dim: 16), adapter: Nothing,
    stages: [Finetune(
        name: "finetune", data: "scans",
        loss: (cross_entropy: 0.2, dice: 0.8), augmentation: Off, epochs: 1, batch: 2,
        optimiser: (learning_rate: 1e-3),
    )],
)"#;

/// A folder with the finished run `run`, and every file's content before a command.
struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let scene = Self { folder };
        fs::create_dir_all(scene.path("run/checkpoints")).unwrap();
        fs::write(scene.path("run/resolved.ron"), PIPELINE).unwrap();
        fs::write(scene.path("run/checkpoints/finetune.safetensors"), "").unwrap();
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn scan(&self, name: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let grid = Grid::axis_aligned([6, 5, 4], [1.0; 3]);
        let voxels = (0..grid.len()).map(|i| i as i16).collect();
        let volume = Volume::new(grid, voxels, PathBuf::new()).unwrap();
        match path.extension().unwrap().to_str().unwrap() {
            "gz" | "nii" => nifti::write(&path, &volume).unwrap(),
            "nrrd" => nrrd::write(&path, &volume).unwrap(),
            _ => metaimage::write(&path, &volume).unwrap(),
        }
    }

    /// Runs a command and returns its exit code and what it said.
    fn runner(&self, arguments: &str) -> (Option<i32>, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_runner"))
            .args(arguments.split(' '))
            .current_dir(self.folder.path())
            .env("XDG_CACHE_HOME", self.path("cache"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said)
    }

    /// Runs a command that must fail before anything is computed, with all `parts` in its message, and leave
    /// every file as it was.
    fn refuses(&self, arguments: &str, parts: &[&str]) {
        let before = files(self.folder.path());
        let (code, said) = self.runner(arguments);
        assert_eq!(code, Some(2), "{arguments}: {said}");
        for part in parts {
            assert!(said.contains(part), "{arguments}: no {part:?} in\n{said}");
        }
        for computed in ["adapter:", "panicked"] {
            assert!(!said.contains(computed), "{arguments}: {said}");
        }
        assert_eq!(files(self.folder.path()), before, "{arguments}");
    }

    /// Runs a command that gets past the check of its outputs and fails at weights or scan.
    fn passes(&self, arguments: &str) {
        let (code, said) = self.runner(arguments);
        assert_eq!(code, Some(1), "{arguments}: {said}");
        assert!(said.contains(".safetensors"), "{arguments}: {said}");
    }
}

/// Contents of all files below a folder.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => drop(found.insert(path.clone(), fs::read(&path).unwrap_or_default())),
        }
    }
    found
}

const READ: &str = "written over what is read";

#[test]
fn predict_overwrites_its_input() {
    let scene = Scene::new();
    for name in [
        "a.nii.gz",
        "b.nrrd",
        "scans/a.nii.gz",
        "scans/b.nii.gz",
        "pair/scan.mhd",
    ] {
        scene.scan(name);
    }
    fs::create_dir(scene.path("sub")).unwrap();
    for output in [
        "a.nii.gz",
        "./a.nii.gz",
        "sub/../a.nii.gz",
        "new/../a.nii.gz",
        ".",
    ] {
        scene.refuses(
            &format!("predict run a.nii.gz -o {output}"),
            &[READ, "a.nii.gz"],
        );
        let overwrite = format!("predict run a.nii.gz -o {output} --overwrite");
        scene.refuses(&overwrite, &[READ]);
    }
    let absolute = scene.path("a.nii.gz");
    scene.refuses(
        &format!("predict run a.nii.gz -o {}", absolute.display()),
        &[READ],
    );
    for output in ["scans", "./scans/", "sub/../scans"] {
        scene.refuses(
            &format!("predict run scans -o {output} --overwrite"),
            &["is the folder that is read"],
        );
    }
    let beside = "predict run scans -o out --probabilities scans";
    scene.refuses(beside, &["is the folder that is read"]);
    // A header of its own, but the voxels of the scan; the other way round as well.
    let header = fs::read_to_string(scene.path("pair/scan.mhd")).unwrap();
    fs::write(scene.path("pair/other.mhd"), header).unwrap();
    fs::remove_file(scene.path("pair/scan.mhd")).unwrap();
    scene.refuses(
        "predict run pair/other.mhd -o pair/scan.mhd --overwrite",
        &[READ, "scan.raw"],
    );
    for output in [
        "run/checkpoints/finetune.safetensors",
        "run/labels/a.nii.gz",
    ] {
        scene.refuses(
            &format!("predict run a.nii.gz -o {output}"),
            &["belongs to the run"],
        );
    }
    scene.refuses("predict run scans -o run/./labels", &["belongs to the run"]);
}

#[test]
fn predict_overwrites_the_voxels_of_a_detached_header() {
    let scene = Scene::new();
    fs::write(scene.path("scan.raw"), [0; 24]).unwrap();
    let header = "NRRD0004\ntype: unsigned char\ndimension: 3\nspace: left-posterior-superior\n\
        sizes: 4 3 2\nspace directions: (1,0,0) (0,1,0) (0,0,1)\nencoding: raw\n\
        space origin: (0,0,0)\ndata file: scan.raw\n\n";
    fs::write(scene.path("scan.nhdr"), header).unwrap();
    scene.refuses(
        "predict run scan.nhdr -o scan.mhd --overwrite",
        &[READ, "scan.raw"],
    );
    // Another scan's voxels are nobody's business without --overwrite.
    scene.scan("a.nii.gz");
    scene.refuses(
        "predict run a.nii.gz -o scan.mhd",
        &["scan.raw: exists", "--overwrite"],
    );
}

#[cfg(unix)]
#[test]
fn predict_overwrites_its_input_through_links() {
    use std::os::unix::fs::symlink;
    let scene = Scene::new();
    scene.scan("scans/a.nii.gz");
    symlink("scans/a.nii.gz", scene.path("link.nii.gz")).unwrap();
    symlink("scans", scene.path("folder")).unwrap();
    fs::hard_link(scene.path("scans/a.nii.gz"), scene.path("hard.nii.gz")).unwrap();
    for arguments in [
        "scans/a.nii.gz -o link.nii.gz",
        "link.nii.gz -o scans/a.nii.gz",
        "link.nii.gz -o hard.nii.gz",
        "scans/a.nii.gz -o hard.nii.gz",
        "scans/a.nii.gz -o folder/a.nii.gz",
        "folder/a.nii.gz -o scans",
    ] {
        scene.refuses(&format!("predict run {arguments} --overwrite"), &[READ]);
    }
    scene.refuses(
        "predict run scans -o folder --overwrite",
        &["is the folder that is read"],
    );
}

#[test]
fn existing_label_maps_need_overwrite() {
    let scene = Scene::new();
    for name in ["a.nii.gz", "old.nii.gz", "scans/a.nii.gz", "out/a.nii.gz"] {
        scene.scan(name);
    }
    for (arguments, existing) in [
        ("a.nii.gz -o old.nii.gz", "old.nii.gz: exists"),
        ("scans -o out", "out/a.nii.gz: exists"),
        ("scans/a.nii.gz -o out", "out/a.nii.gz: exists"),
    ] {
        scene.refuses(
            &format!("predict run {arguments}"),
            &[existing, "--overwrite"],
        );
        scene.passes(&format!("predict run {arguments} --overwrite"));
    }
    // One file would be the label map of one scan and the probability of another.
    scene.scan("scans/a_one.nii.gz");
    scene.refuses(
        "predict run scans -o new --probabilities new",
        &["written twice"],
    );
}

#[test]
fn output_names_found_wrong_at_the_end() {
    let scene = Scene::new();
    scene.scan("long.nii.gz");
    scene.scan("scans/a.nii.gz");
    for (output, part) in [
        (
            "labels",
            "labels: label maps are written as .nii.gz, .nii, .nrrd, .mha, .mhd",
        ),
        ("labels.png", "written as"),
        ("labels.hdr", "written as"),
        ("labels.nhdr", "written as"),
        ("labels.nii.gz.npz", "written as"),
    ] {
        scene.refuses(&format!("predict run long.nii.gz -o {output}"), &[part]);
    }
    fs::create_dir_all(scene.path("folder.mha")).unwrap();
    fs::create_dir_all(scene.path("there")).unwrap();
    scene.refuses(
        "predict run scans -o labels.nii.gz",
        &["a folder of scans needs a folder"],
    );
    scene.refuses(
        "predict run scans -o long.nii.gz",
        &["a folder of scans needs a folder"],
    );
    let (code, said) = scene.runner("predict run long.nii.gz -o scans/a.nii.gz/labels.nii.gz");
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("scans/a.nii.gz: cannot create the folder"),
        "{said}"
    );
    scene.passes("predict run long.nii.gz -o missing/deep/labels.nii.gz");
    scene.passes("predict run long.nii.gz -o there");
    scene.passes("predict run long.nii.gz -o new/");
    for folder in ["missing/deep", "new"] {
        assert!(scene.path(folder).is_dir(), "{folder}");
    }
}

#[cfg(unix)]
#[test]
fn output_names_found_wrong_where_nothing_can_be_written() {
    let scene = Scene::new();
    scene.scan("a.nii.gz");
    // Nobody writes there, whoever runs the test.
    if Path::new("/proc/self").is_dir() {
        let (code, said) = scene.runner("predict run a.nii.gz -o /proc/self/labels.nii.gz");
        assert_eq!(code, Some(1), "{said}");
        assert!(
            said.contains("cannot write into the folder") && !said.contains("adapter"),
            "{said}"
        );
    }
}

#[test]
fn inputs_that_are_missing_are_told_apart() {
    let scene = Scene::new();
    scene.scan("scans/a.nii.gz");
    for (input, part) in [
        (
            "b.nii.gz",
            "b.nii.gz: cannot read: there is no such file or folder",
        ),
        (
            "scans/b.nii.gz",
            "scans/b.nii.gz: cannot read: there is no such file or folder",
        ),
        (
            "scan/a.nii.gz",
            "scan/a.nii.gz: cannot read: there is no folder scan",
        ),
    ] {
        for arguments in [
            format!("predict run {input} -o out.nii.gz"),
            format!("eval {input} scans/a.nii.gz"),
            format!("eval scans/a.nii.gz {input}"),
        ] {
            let (code, said) = scene.runner(&arguments);
            assert_eq!(code, Some(1), "{arguments}: {said}");
            assert!(said.contains(part), "{arguments}: {said}");
        }
    }
    scene.refuses(
        "predict rum a.nii.gz -o b.nii.gz",
        &["rum/resolved.ron", "no such folder"],
    );
    scene.refuses(
        "predict scans a.nii.gz -o b.nii.gz",
        &["scans/resolved.ron", "no run directory"],
    );
    let file = "predict scans/a.nii.gz a.nii.gz -o b.nii.gz";
    scene.refuses(file, &["scans/a.nii.gz/resolved.ron", "this is a file"]);
}

#[test]
fn an_unfinished_run_says_how_to_go_on() {
    let scene = Scene::new();
    scene.scan("a.nii.gz");
    fs::remove_file(scene.path("run/checkpoints/finetune.safetensors")).unwrap();
    fs::write(scene.path("run/checkpoints/finetune.state.safetensors"), "").unwrap();
    let (code, said) = scene.runner("predict run a.nii.gz -o b.nii.gz");
    assert_eq!(code, Some(1), "{said}");
    for part in [
        "stage finetune, 1 of 1,",
        "`runner run/resolved.ron --out run`",
    ] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn checkpoints_converted_onto_themselves() {
    let scene = Scene::new();
    let mut weights = Weights::default();
    weights.tensors.insert("w".into(), Tensor::full(&[2], 0.5));
    for name in ["x.safetensors", "y.safetensors", "x.pth.partial"] {
        weights.write(&scene.path(name)).unwrap();
    }
    for to in ["", " --to samed-lora", " --overwrite"] {
        scene.refuses(&format!("convert x.safetensors x.safetensors{to}"), &[READ]);
        scene.refuses(
            &format!("convert y.safetensors x.safetensors ./x.safetensors{to}"),
            &[READ],
        );
    }
    // A file is written beside its place first.
    scene.refuses("convert x.pth.partial x.pth", &[READ]);
    scene.refuses(
        "convert x.safetensors y.safetensors",
        &["y.safetensors: exists", "--overwrite"],
    );
    scene.refuses(
        "convert x.safetensors y.bin",
        &[".safetensors or .pth or .pt"],
    );
    let (code, said) = scene.runner("convert x.safetensors y.safetensors --overwrite");
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = scene.runner("convert x.safetensors new/y.pth");
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn pictures_and_features_written_onto_themselves() {
    let scene = Scene::new();
    image::RgbImage::new(8, 8)
        .save(scene.path("p.png"))
        .unwrap();
    for name in ["w.pth", "q.png", "x.npy"] {
        fs::copy(scene.path("p.png"), scene.path(name)).unwrap();
    }
    let segment = "segment --weights w.pth --box 1,1,5,5 --image p.png -o";
    scene.refuses(&format!("{segment} p.png --overwrite"), &[READ]);
    scene.refuses(&format!("{segment} q.png"), &["exists", "--overwrite"]);
    scene.refuses(&format!("{segment} q.jpg"), &[".png"]);
    let embed = "embed --weights w.pth --image x.npy -o";
    scene.refuses(&format!("{embed} x.npy --overwrite"), &[READ]);
    scene.refuses(&format!("{embed} q.png"), &[".npy"]);
    // The slice of a volume is named behind the file.
    scene.scan("v.nii.gz");
    let volume = "segment --weights v.png --box 1,1,5,5 --image v.nii.gz:1 -o v.png --overwrite";
    scene.refuses(volume, &[READ]);
}

#[test]
fn phantoms_over_real_scans() {
    for layout in [
        "synapse",
        "synapse-preprocessed",
        "la",
        "la-h5",
        "promise12",
        "folder",
    ] {
        let scene = Scene::new();
        scene.scan("data/img/img0005.nii.gz");
        let command = format!("phantom --layout {layout} --cases 1 --shape 16,16,16 --out data");
        scene.refuses(&command, &["data: is not empty"]);
    }
    let scene = Scene::new();
    fs::create_dir(scene.path("empty")).unwrap();
    for out in ["empty", "new/deep"] {
        let command = format!("phantom --layout folder --cases 1 --shape 16,16,16 --out {out}");
        let (code, said) = scene.runner(&command);
        assert_eq!(code, Some(0), "{said}");
        scene.refuses(&command, &["is not empty"]);
    }
}

#[test]
fn modules_traces_and_scores_are_kept() {
    let scene = Scene::new();
    scene.scan("modules/a.nii.gz");
    scene.refuses(
        "plan run/resolved.ron --emit modules",
        &["modules: is not empty"],
    );
    scene.refuses(
        "bench run/resolved.ron --trace modules",
        &["modules: is not empty"],
    );
    let labels = |name: &str| {
        let grid = Grid::axis_aligned([4, 4, 4], [1.0; 3]);
        let volume = Volume::new(grid, vec![1_u8; 64], PathBuf::new()).unwrap();
        nifti::write(&scene.path(name), &volume).unwrap();
    };
    labels("p.nii.gz");
    labels("t.nii.gz");
    let eval = "eval p.nii.gz t.nii.gz --out scores";
    assert_eq!(scene.runner(eval).0, Some(0));
    scene.refuses(eval, &["scores/summary.json: exists", "--overwrite"]);
    assert_eq!(scene.runner(&format!("{eval} --overwrite")).0, Some(0));
}
