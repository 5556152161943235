//! A small run and its predictions: they equal what the run measured, go on where they were interrupted, and say what
//! they did not find.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use samora_runner::data::formats::{self, Arrays, nifti};
use samora_runner::data::volume::{Grid, Volume};
use samora_runner::phantom::{Layout, Options, generate};
use samora_runner::pipeline::{load, to_ron};
use serde_json::Value;

const PIPELINE: &str = r#"Pipeline(
    name: "small",
    seed: 1,
    data: {
        "scans": Folder(
            images: "scans/images", labels: "scans/labels",
            classes: ["1", "2", "3", "4", "5", "6", "7", "8"],
            split: First(train: 1, test: 2),
        ),
    },
    encoder: Sam(image_size_px: 32, patch_size_px: 8, dim: 16, depth: 1, heads: 2, out_channels: 16),
    transformer: (depth: 1, heads: 2, mlp_dim: 16),
    adapter: Nothing,
    stages: [
        Finetune(
            name: "finetune", data: "scans",
            loss: (cross_entropy: 0.2, dice: 0.8), augmentation: Off, epochs: 1, batch: 2, max_steps: 2,
            optimiser: (learning_rate: 1e-3),
        ),
        Evaluate(
            name: "coarse", data: "scans", model: "finetune", batch: 2, overlays: 1,
            quirks: [SamedNearestMask],
        ),
        Evaluate(
            name: "test", data: "scans", model: "finetune", batch: 3, overlays: 1, save_labels: true,
        ),
    ],
)"#;

/// Kernels that passed the self-test need not pass it again: that takes long.
fn runner(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_runner"));
    command
        .current_dir(folder)
        .env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"));
    command
}

fn done(folder: &Path, arguments: &str) -> (String, String) {
    let output = runner(folder).args(arguments.split(' ')).output().unwrap();
    let (out, said) = texts(&output);
    assert!(output.status.success(), "{arguments}: {said}");
    (out, said)
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// The folder of the finished run `run`, made once for all tests.
fn finished() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("predict");
        fs::remove_dir_all(&folder).ok();
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("small.ron"), PIPELINE).unwrap();
        let options = Options {
            layout: Layout::Folder,
            cases: 3,
            seed: 1,
            shape: [24, 20, 16],
        };
        generate(&options, &folder.join("scans")).unwrap();
        let (out, _) = done(&folder, "small.ron --out run");
        // Both results are there, each under its name.
        let heading = |name: &str| out.lines().filter(|line| *line == name).count();
        assert_eq!((heading("coarse"), heading("test")), (1, 1), "{out}");
        folder
    })
}

/// A folder with a copy of the finished run and its scans.
fn scene() -> tempfile::TempDir {
    let scene = tempfile::tempdir().unwrap();
    copy(finished(), scene.path());
    scene
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy(&path, &target),
            false => drop(fs::copy(&path, &target).unwrap()),
        }
    }
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn changed(path: &Path) -> SystemTime {
    fs::metadata(path).unwrap().modified().unwrap()
}

#[test]
fn predict_equals_evaluate() {
    let scene = scene();
    let folder = scene.path();
    let case = "phantom_003.nii.gz";
    done(
        folder,
        &format!("predict run scans/images/{case} -o out/labels.nii.gz"),
    );
    let predicted = fs::read(folder.join("out/labels.nii.gz")).unwrap();
    let measured = folder.join("run/labels/test").join(case);
    assert!(predicted == fs::read(&measured).unwrap());
    // They are no empty maps, and lie where the scan lies.
    let labels = formats::read_labels(&measured, Arrays::default()).unwrap();
    assert!(labels.voxels.iter().any(|v| *v > 0));
    let scan = formats::read_grid(&folder.join("scans/images").join(case), Arrays::default());
    assert_eq!(labels.grid, scan.unwrap());
    // And are scored as the run scored them.
    let classes = "--out scores --classes 1,2,3,4,5,6,7,8";
    done(
        folder,
        &format!("eval out/labels.nii.gz scans/labels/{case} {classes}"),
    );
    let scores = json(&folder.join("scores/summary.json"));
    let measured = json(&folder.join("run/results/test.json"));
    assert_eq!(measured["cases"][1]["case"], "phantom_003");
    assert_eq!(
        scores["cases"][0]["classes"],
        measured["cases"][1]["classes"]
    );
}

#[test]
fn two_evaluations_keep_both_results() {
    let scene = scene();
    let run = scene.path().join("run");
    for name in ["coarse", "test"] {
        for file in [
            format!("results/{name}.json"),
            format!("results/{name}.csv"),
            format!("overlays/{name}/phantom_002.png"),
        ] {
            assert!(run.join(&file).exists(), "{file}");
        }
        assert_eq!(
            json(&run.join(format!("results/{name}.json")))["stage"],
            name
        );
    }
    assert!(!run.join("labels/coarse").exists());
    assert!(json(&run.join("summary.json")) == json(&run.join("results/test.json")));

    // Finished evaluations are shown, not repeated.
    let result = run.join("results/test.json");
    let label = run.join("labels/test/phantom_002.nii.gz");
    let before = (changed(&result), changed(&label));
    let again = "run/resolved.ron --out run";
    let (out, said) = done(scene.path(), again);
    assert!(out.contains("\ntest\n") && out.contains("Dice"), "{out}");
    assert!(
        said.contains("test: done") && !said.contains("1/2"),
        "{said}"
    );
    assert_eq!((changed(&result), changed(&label)), before);

    // What is missing is made again, and nothing else.
    fs::remove_file(&label).unwrap();
    let (_, said) = done(scene.path(), again);
    assert!(
        said.contains("coarse: done") && !said.contains("test: done"),
        "{said}"
    );
    assert!(label.exists());
}

/// Cases that were measured before a run was interrupted are not measured again.
#[test]
fn interrupted_evaluations() {
    let scene = scene();
    let folder = scene.path();
    let run = folder.join("run");
    let [report, table] = ["json", "csv"].map(|ending| run.join(format!("results/test.{ending}")));
    let whole = [fs::read(&report).unwrap(), fs::read(&table).unwrap()];
    let cases = run.join("results/test.cases.jsonl");
    let [first, second] = ["2", "3"].map(|n| run.join(format!("labels/test/phantom_00{n}.nii.gz")));
    let command = "run/resolved.ron --out run";
    // A folder where the second label map should be stops the stage behind the first.
    let stop = || {
        fs::remove_file(&report).unwrap();
        fs::remove_file(&second).unwrap();
        fs::create_dir(&second).unwrap();
        let output = runner(folder).args(command.split(' ')).output().unwrap();
        let (_, said) = texts(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("phantom_003.nii.gz"), "{said}");
        fs::remove_dir(&second).unwrap();
    };
    let goes_on = || {
        let (_, said) = done(folder, command);
        assert!([&report, &table].map(|path| fs::read(path).unwrap()) == whole);
        assert!(!cases.exists());
        said
    };
    stop();
    assert!(cases.exists());
    let before = changed(&first);
    let said = goes_on();
    assert!(
        said.contains("test: 1 of 2 volumes were measured earlier")
            && said.contains("test 2/2: phantom_003")
            && !said.contains("test 1/2"),
        "{said}"
    );
    assert_eq!(changed(&first), before);

    // A label map that is another meanwhile is made again.
    stop();
    fs::write(&first, "changed").unwrap();
    let said = goes_on();
    assert!(
        said.contains("test 1/2") && !said.contains("earlier"),
        "{said}"
    );
}

#[test]
fn interrupted_predictions() {
    let scene = scene();
    let folder = scene.path();
    let command = "predict run scans/images -o labels";
    let (_, said) = done(folder, command);
    assert!(!said.contains("earlier"), "{said}");
    let label = |name: &str| folder.join(format!("labels/phantom_00{name}.nii.gz"));
    let first = fs::read(label("1")).unwrap();

    // One is missing, as after an interruption: only that one is made.
    fs::remove_file(label("2")).unwrap();
    let before = [label("1"), label("3")].map(|path| changed(&path));
    let (_, said) = done(folder, command);
    assert!(
        said.contains("2 of 3 volumes were segmented earlier"),
        "{said}"
    );
    assert!(label("2").exists());
    assert_eq!([label("1"), label("3")].map(|path| changed(&path)), before);

    // All are there: no device is opened.
    let (_, said) = done(folder, command);
    assert!(
        said.contains("3 of 3") && !said.contains("adapter:"),
        "{said}"
    );

    let refused = |parts: &[&str]| {
        let output = runner(folder).args(command.split(' ')).output().unwrap();
        let (_, said) = texts(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        for part in parts {
            assert!(said.contains(part), "no {part} in {said}");
        }
    };
    // A map that somebody has changed, one of a scan that has changed, and those of another network are none of
    // this command.
    fs::copy(label("3"), label("1")).unwrap();
    refused(&["phantom_001.nii.gz: exists", "--overwrite"]);
    fs::write(label("1"), &first).unwrap();
    let scan = folder.join("scans/images/phantom_003.nii.gz");
    let original = fs::read(&scan).unwrap();
    fs::copy(folder.join("scans/images/phantom_002.nii.gz"), &scan).unwrap();
    refused(&["phantom_003.nii.gz: exists"]);
    let (_, said) = done(folder, &format!("{command} --overwrite"));
    assert!(
        said.contains("2 of 3 volumes were segmented earlier"),
        "{said}"
    );
    fs::write(&scan, &original).unwrap();
    refused(&["phantom_003.nii.gz: exists"]);
    done(folder, &format!("{command} --overwrite"));
    let resolved = folder.join("run/resolved.ron");
    let text = fs::read_to_string(&resolved).unwrap();
    fs::write(&resolved, text.replacen("seed: 1", "seed: 2", 1)).unwrap();
    refused(&["phantom_001.nii.gz: exists"]);
}

/// The shell has `kill` built in; small systems have no program of that name.
#[cfg(unix)]
#[test]
fn interrupted_predictions_say_what_is_written() {
    let scene = scene();
    let folder = scene.path();
    let source = folder.join("scans/images/phantom_001.nii.gz");
    for n in 0..300 {
        fs::copy(
            &source,
            folder.join(format!("scans/images/copy_{n:03}.nii.gz")),
        )
        .unwrap();
    }
    let command = "predict run scans/images -o labels";
    let child = runner(folder)
        .args(command.split(' '))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while !folder.join("labels/copy_001.nii.gz").exists() {
        assert!(
            begun.elapsed() < Duration::from_secs(120),
            "nothing is written"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    let kill = Command::new("sh")
        .args(["-c", "kill -INT $0", &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    let output = child.wait_with_output().unwrap();
    let (_, said) = texts(&output);
    assert_eq!(output.status.code(), Some(130), "{said}");
    let written = || {
        let files = fs::read_dir(folder.join("labels")).unwrap();
        let names = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".nii.gz")).count()
    };
    let finished = written();
    let said_so = format!("{finished} of 303 volumes are segmented; the same command goes on");
    assert!(
        finished < 303 && said.contains(&said_so),
        "{said_so}: {said}"
    );
    let (_, said) = done(folder, command);
    assert!(
        said.contains(&format!("{finished} of 303 volumes were segmented earlier")),
        "{said}"
    );
    assert_eq!(written(), 303);
}

#[test]
fn classes_that_are_not_found_are_said() {
    let scene = scene();
    let folder = scene.path();
    // A scan in which there is nothing, twice: whatever is found, the same is missing in both.
    for name in ["blank/a.nii.gz", "blank/b.nii.gz"] {
        let grid = Grid::axis_aligned([24, 20, 4], [1.0; 3]);
        let volume = Volume::new(grid.clone(), vec![0_i16; grid.len()], PathBuf::new()).unwrap();
        fs::create_dir_all(folder.join("blank")).unwrap();
        nifti::write(&folder.join(name), &volume).unwrap();
    }
    let (_, said) = done(folder, "predict run blank -o labels");
    let labels = folder.join("labels/a.nii.gz");
    let labels = formats::read_labels(&labels, Arrays::default()).unwrap();
    let absent: Vec<u8> = (1..=8)
        .filter(|class| !labels.voxels.contains(class))
        .collect();
    assert!(!absent.is_empty(), "all eight classes in a blank scan");
    let of_volume = match absent.len() {
        8 => "warning: a: nothing was found".to_string(),
        _ => format!("warning: a: not found: {}", absent[0]),
    };
    assert!(said.contains(&of_volume), "{said}");
    for class in &absent {
        let of_all = format!("warning: {class} was found in none of the 2 volumes");
        assert!(said.contains(&of_all), "{said}");
    }
    // Also of those that were segmented by an earlier command.
    let (_, said) = done(folder, "predict run blank -o labels");
    assert!(
        said.contains("was found in none of the 2 volumes"),
        "{said}"
    );
}

#[test]
fn fresh_deletes_only_when_data_and_device_are_there() {
    let scene = scene();
    let folder = scene.path();
    let checkpoint = folder.join("run/checkpoints/finetune.safetensors");
    let fails = |arguments: &str| {
        let output = runner(folder).args(arguments.split(' ')).output().unwrap();
        let (_, said) = texts(&output);
        assert_eq!(output.status.code(), Some(1), "{arguments}: {said}");
        assert!(
            checkpoint.exists() && folder.join("run/summary.json").exists(),
            "{arguments}"
        );
    };
    fails("small.ron --out run --fresh --adapter nobody");
    fails("small.ron --out run --fresh --set weights=Some(\"none.safetensors\")");
    fs::rename(folder.join("scans/labels"), folder.join("away")).unwrap();
    fails("small.ron --out run --fresh");
}

/// A slice at `z` millimetres of the series `number`, whose UID ends in it.
fn write_slice(path: &Path, number: u32, z: u32) {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/dicom");
    let fixture = Path::new(fixtures).join("jpeg_ls_eight.dcm");
    let mut object = dicom_object::open_file(fixture).unwrap();
    for (tag, vr, value) in [
        (Tag(0x0020, 0x000e), VR::UI, format!("1.2.3.{number}")),
        (Tag(0x0020, 0x0011), VR::IS, number.to_string()),
        (Tag(0x0020, 0x0032), VR::DS, format!("0\\0\\{z}")),
    ] {
        object.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
    }
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    object.write_to_file(path).unwrap();
}

#[test]
fn a_stray_slice_hides_all_volumes() {
    let scene = scene();
    let folder = scene.path();
    let all = folder.join("all");
    write_slice(&all.join("scout.dcm"), 1, 0);
    let image = folder.join("scans/images/phantom_003.nii.gz");
    fs::copy(image, all.join("a.nii.gz")).unwrap();
    done(folder, "predict run all -o labels");
    let shape = |name: &str| {
        let labels = formats::read_labels(&folder.join(name), Arrays::default());
        labels.unwrap().grid.shape
    };
    assert_eq!(shape("labels/a.nii.gz"), [24, 20, 16]);
    assert_eq!(shape("labels/all.nii.gz"), [37, 41, 1]);
    // A label map as the output means the slices.
    done(folder, "predict run all -o scout.nii.gz");
    assert_eq!(shape("scout.nii.gz"), [37, 41, 1]);
}

#[test]
fn one_of_several_series_is_chosen_by_number_or_uid() {
    let scene = scene();
    let folder = scene.path();
    for (number, z) in [(1, 0), (2, 0), (2, 3), (2, 6)] {
        write_slice(&folder.join(format!("two/{number}-{z}.dcm")), number, z);
    }
    let output = runner(folder)
        .args("predict run two -o labels.nii.gz".split(' '))
        .output()
        .unwrap();
    let (_, said) = texts(&output);
    assert!(!output.status.success());
    for part in ["2 series", "--series", "number 2", "3 slices, UID 1.2.3.2"] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    for (choice, depth) in [("1", 1), ("2", 3), ("1.2.3.2", 3)] {
        let out = format!("labels-{choice}.nii.gz");
        done(
            folder,
            &format!("predict run two --series {choice} -o {out}"),
        );
        let labels = formats::read_labels(&folder.join(out), Arrays::default());
        assert_eq!(labels.unwrap().grid.shape, [37, 41, depth]);
    }
    // The fixture's intensities are whole numbers of a byte, as labels are.
    let (out, _) = done(folder, "eval two two --series 2");
    assert!(out.contains("1.0000"), "{out}");
}

#[test]
fn nnunet_names_from_predict_to_eval() {
    let scene = scene();
    let folder = scene.path();
    let scan = folder.join("scans/images/phantom_002.nii.gz");
    fs::create_dir(folder.join("imagesTs")).unwrap();
    fs::create_dir(folder.join("labelsTs")).unwrap();
    fs::copy(&scan, folder.join("imagesTs/case_0000.nii.gz")).unwrap();
    let mut image = formats::read_image(&scan, Arrays::default()).unwrap();
    image.voxels.iter_mut().for_each(|v| *v = -*v);
    nifti::write(&folder.join("imagesTs/case_0001.nii.gz"), &image).unwrap();
    let label = folder.join("scans/labels/phantom_002.nii.gz");
    fs::copy(&label, folder.join("labelsTs/case.nii.gz")).unwrap();
    let resolved = folder.join("run/resolved.ron");
    for channel in [0, 1] {
        let mut pipeline = load(&resolved, &[]).unwrap();
        let classes = pipeline.data["scans"].classes();
        let source = format!("NnUnet(root: \"nowhere\", channel: {channel}, classes: {classes:?})");
        let source = ron::from_str(&source).unwrap();
        pipeline.data.insert("scans".into(), source);
        fs::write(&resolved, to_ron(&pipeline).unwrap()).unwrap();

        let out = format!("pred{channel}");
        done(folder, &format!("predict run imagesTs -o {out}"));
        let mut names: Vec<String> = fs::read_dir(folder.join(&out))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["case.nii.gz", "predict.jsonl"]);
        let one = format!("imagesTs/case_000{channel}.nii.gz");
        done(folder, &format!("predict run {one} -o one{channel}.nii.gz"));
        let read = |name: String| fs::read(folder.join(name)).unwrap();
        assert!(read(format!("{out}/case.nii.gz")) == read(format!("one{channel}.nii.gz")));
        // Alone it is called as in its folder.
        done(folder, &format!("predict run {one} -o alone{channel}/"));
        assert!(read(format!("{out}/case.nii.gz")) == read(format!("alone{channel}/case.nii.gz")));
        let (scores, _) = done(folder, &format!("eval {out} labelsTs"));
        assert!(
            scores.lines().any(|line| line.starts_with("case ")),
            "{scores}"
        );
    }
    let maps =
        ["pred0", "pred1"].map(|out| fs::read(folder.join(out).join("case.nii.gz")).unwrap());
    assert!(maps[0] != maps[1]);
}
