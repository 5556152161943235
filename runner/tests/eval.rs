//! `runner eval` on small label files: tables, files written, and pairs that do not fit.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use samora_runner::data::formats::{self, ArrayAxes, Arrays, hdf5, nifti};
use samora_runner::data::volume::{Grid, Volume};
use serde_json::Value;

const SHAPE: [usize; 3] = [8, 6, 4];
const SPACING: [f64; 3] = [0.5, 1.0, 2.0];

/// A folder with `pred` and `ref`.
struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["pred", "ref"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self { folder }
    }

    /// Three cases: label 1 is a block that the prediction has one voxel further right; label 3 is
    /// missed in `b` and in no file of `c`.
    fn with_cases() -> Self {
        let scene = Self::new();
        for (case, third) in [("a", [true, true]), ("b", [false, true]), ("c", [false; 2])] {
            for (folder, shift, third) in [("pred", 1, third[0]), ("ref", 0, third[1])] {
                scene.write(&format!("{folder}/{case}.nii.gz"), move |[x, y, z]| {
                    let block = (2 + shift..5 + shift).contains(&x) && (1..4).contains(&y) && z < 2;
                    let third = third && (x, y, z) == (7, 5, 3);
                    u8::from(block) + 3 * u8::from(third)
                });
            }
        }
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, label: impl Fn([usize; 3]) -> u8) {
        self.write_on(Grid::axis_aligned(SHAPE, SPACING), name, label);
    }

    fn write_on(&self, grid: Grid, name: &str, label: impl Fn([usize; 3]) -> u8) {
        let [nx, ny, _] = grid.shape;
        let voxels = (0..grid.len())
            .map(|i| label([i % nx, i / nx % ny, i / nx / ny]))
            .collect();
        let volume = Volume::new(grid, voxels, PathBuf::new()).unwrap();
        nifti::write(&self.path(name), &volume).unwrap();
    }

    fn eval(&self, arguments: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_runner"))
            .arg("eval")
            .args(arguments.split(' '))
            .current_dir(self.folder.path())
            .output()
            .unwrap()
    }

    /// Standard output and error of a run that succeeds.
    fn succeeds(&self, arguments: &str) -> (String, String) {
        let output = self.eval(arguments);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (out, messages) = (text(output.stdout), text(output.stderr));
        assert!(output.status.success(), "{arguments}: {messages}");
        (out, messages)
    }

    fn refuses(&self, arguments: &str, code: i32, parts: &[&str]) {
        let output = self.eval(arguments);
        let messages = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments}: {messages}");
        assert!(output.stdout.is_empty(), "{arguments}");
        for part in parts {
            assert!(
                messages.contains(part),
                "{arguments}: no {part:?} in\n{messages}"
            );
        }
    }
}

/// UA-MT's HDF5 files have their axes the other way round than TransUNet's, and no spacing.
#[test]
fn arrays_take_the_geometry_of_the_other_file() {
    let scene = Scene::with_cases();
    let truth = scene.path("ref/a.nii.gz");
    let truth = formats::read_labels(&truth, Arrays::default()).unwrap();
    let image = Volume::new(
        truth.grid.clone(),
        vec![0.0; truth.voxels.len()],
        PathBuf::new(),
    );
    let (of_nifti, _) = scene.succeeds("pred/a.nii.gz ref/a.nii.gz");
    for axes in [ArrayAxes::Zyx, ArrayAxes::Xyz] {
        hdf5::write(&scene.path("a.h5"), image.as_ref().unwrap(), &truth, axes).unwrap();
        let (out, _) = scene.succeeds("pred/a.nii.gz a.h5");
        assert_eq!(out, of_nifti, "{axes:?}");
    }
}

#[test]
fn folders_are_scored_by_case_and_class() {
    let scene = Scene::with_cases();
    let (out, _) = scene.succeeds("pred ref --out scores --nsd-mm 0.5");
    println!("{out}");
    let row = |start: &str| -> Vec<&str> {
        let line = out.lines().find(|line| line.starts_with(start));
        line.unwrap_or_else(|| panic!("no {start} in\n{out}"))
            .split_whitespace()
            .collect()
    };
    // A block of three voxels shifted by one shares two thirds.
    assert_eq!(row("a ")[..3], ["a", "0.8333", "0.750"]);
    assert_eq!(row("1 ")[..4], ["1", "0.6667", "±", "0.0000"]);
    assert_eq!(row("3 ").last(), Some(&"2/3"));
    assert!(out.contains("3 (not predicted): b\n"), "{out}");
    assert!(out.contains("3 (in neither, Dice and IoU 1): c\n"), "{out}");

    let json = fs::read_to_string(scene.path("scores/summary.json")).unwrap();
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["prediction"], "pred");
    assert_eq!(json["nsd_mm"], 0.5);
    let classes = &json["summary"]["classes"];
    let metric = |class: usize, metric: &str| &classes[class]["metrics"][metric];
    assert_eq!(classes[0]["name"], "1");
    assert_eq!(metric(0, "hd95_mm")["mean"], 0.5);
    assert_eq!(metric(0, "hd95_voxels")["mean"], 1.0);
    assert_eq!(metric(0, "nsd")["mean"], 1.0);
    assert_eq!(
        (&classes[1]["name"], &classes[1]["both_empty"]),
        (&"3".into(), &1.into())
    );
    assert_eq!(metric(1, "dice")["mean"], 2.0 / 3.0);
    assert_eq!(metric(1, "hd95_mm")["cases"], 1);
    let csv = fs::read_to_string(scene.path("scores/summary.csv")).unwrap();
    assert_eq!(
        csv.lines().filter(|line| line.starts_with("case,")).count(),
        6
    );
}

#[test]
fn classes_can_be_named_and_files_stand_alone() {
    let scene = Scene::with_cases();
    let (out, _) = scene.succeeds("pred/a.nii.gz ref/b.nii.gz --classes liver,spleen,aorta");
    for name in ["liver", "spleen", "aorta", "NSD 2 mm"] {
        assert!(out.contains(name), "{out}");
    }
    scene.refuses("pred ref --classes liver", 1, &["holds label 3", "names 1"]);
}

/// A prediction is called as its scan was, the truth as nnU-Net and others call labels.
#[test]
fn nnunet_names_from_predict_to_eval() {
    let scene = Scene::with_cases();
    let (expected, _) = scene.succeeds("pred ref");
    for (case, renamed) in [("a", "a_0000"), ("c", "c_0000")] {
        let path = |name: &str| scene.path(&format!("pred/{name}.nii.gz"));
        fs::rename(path(case), path(renamed)).unwrap();
    }
    fs::rename(scene.path("ref/b.nii.gz"), scene.path("ref/b_gt.nii.gz")).unwrap();
    assert_eq!(scene.succeeds("pred ref").0, expected);
    // The second channel of a scan is no case of its own.
    fs::copy(
        scene.path("pred/a_0000.nii.gz"),
        scene.path("pred/a_0001.nii.gz"),
    )
    .unwrap();
    let (scores, said) = scene.succeeds("pred ref");
    assert_eq!(scores, expected);
    assert!(said.contains("a_0001: further channels"), "{said}");
    // One without its first channel is.
    fs::remove_file(scene.path("pred/c_0000.nii.gz")).unwrap();
    fs::rename(
        scene.path("pred/a_0001.nii.gz"),
        scene.path("pred/c_0001.nii.gz"),
    )
    .unwrap();
    scene.refuses("pred ref", 1, &["ref has no c_0001", "pred has no c"]);
}

#[test]
fn what_does_not_pair_is_named() {
    let scene = Scene::with_cases();
    fs::rename(scene.path("ref/a.nii.gz"), scene.path("ref/d.nii.gz")).unwrap();
    scene.refuses("pred ref", 1, &["ref has no a", "pred has no d"]);
    fs::create_dir(scene.path("empty")).unwrap();
    scene.refuses("pred empty", 1, &["empty", "holds no files"]);
    scene.refuses(
        "pred nowhere",
        1,
        &["nowhere: cannot read: there is no such file or folder"],
    );
    scene.refuses("pred ref/b.nii.gz", 2, &["a file and a folder"]);
    scene.refuses("pred/a.nii.gz nowhere.nii", 1, &["cannot", "nowhere.nii"]);
    scene.refuses("pred", 2, &["REF"]);
    scene.refuses("pred ref --nsd-mm -1", 2, &["--nsd-mm"]);
    fs::write(scene.path("pred/resolved.ron"), "").unwrap();
    scene.refuses("pred ref --out pred", 1, &["run directory", "--out"]);
}

#[test]
fn grids_that_differ_are_refused_or_warned_of() {
    let scene = Scene::new();
    let label = |[x, _, _]: [usize; 3]| u8::from(x < 3);
    scene.write("ref/a.nii.gz", label);
    let larger = Grid::axis_aligned([8, 6, 5], SPACING);
    scene.write_on(larger, "pred/a.nii.gz", label);
    scene.refuses("pred ref", 1, &["[8, 6, 5]", "[8, 6, 4]", "ref/a.nii.gz"]);

    scene.write_on(Grid::axis_aligned(SHAPE, [1.0; 3]), "pred/a.nii.gz", label);
    let (out, messages) = scene.succeeds("pred ref");
    assert!(
        messages.contains("warning: pred/a.nii.gz lies up to 4.6 mm off"),
        "{messages}"
    );
    assert!(out.contains("1.0000"), "{out}");

    let mut mirrored = Grid::axis_aligned(SHAPE, SPACING).affine;
    mirrored[0][0] = -SPACING[0];
    let mirrored = Grid::from_stored(SHAPE, mirrored).unwrap();
    scene.write_on(mirrored, "pred/a.nii.gz", label);
    scene.refuses("pred ref", 1, &["LAS", "RAS", "lost its orientation"]);

    // The same voxels stored from left to right and from right to left.
    let mut turned = Grid::axis_aligned(SHAPE, SPACING).affine;
    turned[0][0] = -SPACING[0];
    turned[0][3] = SPACING[0] * (SHAPE[0] as f64 - 1.0);
    let turned = Grid::from_stored(SHAPE, turned).unwrap();
    scene.write_on(turned, "pred/a.nii.gz", label);
    let (out, messages) = scene.succeeds("pred ref");
    assert!(
        out.contains("1.0000") && !messages.contains("warning"),
        "{out}{messages}"
    );
}

#[test]
fn files_without_any_label_are_refused() {
    let scene = Scene::new();
    for name in ["pred/a.nii", "ref/a.nii"] {
        scene.write(name, |_| 0);
    }
    scene.refuses("pred ref", 1, &["is any voxel labelled"]);
}
