//! Slices per second of the fine-tuning stage's preparation, 512×512 to 224×224 with SAMed's augmentation:
//! `cargo bench -p samora-runner --bench loader`.
//!
//! With `SAMORA_PYTHON`, a Python that has numpy, nibabel, h5py and scipy, each row runs alternately here and
//! there on the same slices in the same order, and the values of both are compared without augmentation;
//! without it, here alone. Medians over the rounds. Both sides start with nothing decoded and keep what they
//! decoded, but in the row `beyond memory`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod python;

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use python::{Python, median};
use samora_engine::random::Stream;
use samora_runner::data::augment::samed;
use samora_runner::data::dataset::{Dataset, Part};
use samora_runner::data::loader::{Loader, Sampler};
use samora_runner::data::prepare::{Example, example};
use samora_runner::data::quirk::Quirk;
use samora_runner::data::source::Source;
use samora_runner::data::split::SliceId;
use samora_runner::phantom::{Layout, Options, generate};

const ROUNDS: usize = 3;
const SHAPE: [usize; 3] = [512, 512, 40];
const WORKERS: usize = 2;
const BATCH: usize = 12;
const AHEAD: usize = 4;
const SIZES: (usize, usize) = (224, 56);
/// scipy blanks the last row and column of these sizes.
const QUIRKS: &[Quirk] = &[Quirk::SamedLastRow];
const EPOCHS: u64 = 2;
/// Names of each phantom: more volumes than the first batch asks for. The disk cache, keyed by content, decodes
/// each phantom once all the same.
const NAMES: usize = 4;
/// Stands for the device.
const STEP: Duration = Duration::from_millis(100);

/// A data set, and how both sides may keep it.
struct Row {
    name: &'static str,
    source: Source,
    memory: usize,
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let rows = rows(root);
    let mut python = Python::start("loader.py", &[WORKERS.to_string()], root);
    println!(
        "{WORKERS} workers of each side, {SHAPE:?} voxels, batches of {BATCH}, {EPOCHS} epochs"
    );
    if python.is_none() {
        println!("here alone: SAMORA_PYTHON names no Python with numpy, nibabel, h5py and scipy");
    }
    for row in &rows {
        let (mut first, mut later) = (Rates::default(), Rates::default());
        for _ in 0..ROUNDS {
            let data = open(row, root);
            let (epoch, sampler) = order(&data);
            let mut measure = |rates: &mut Rates, steps: Range<u64>| {
                let slices = ((steps.end - steps.start) as usize * BATCH) as f64;
                let ours = train(&data, steps.clone(), Duration::ZERO).all;
                let theirs = python.as_mut().map(|python| {
                    let all = data.slices(Part::Labelled);
                    let ids = steps.clone().flat_map(|t| sampler.batch(t));
                    let ids: Vec<SliceId> = ids.map(|i| all[i]).collect();
                    let asked = Asked {
                        keep: row.memory > 0,
                        fresh: steps.start == 0,
                        augment: true,
                    };
                    python.ask(&request(&data, &ids, &asked)).0
                });
                rates.ours.push(slices / ours);
                rates.theirs.extend(theirs.map(|seconds| slices / seconds));
            };
            measure(&mut first, 0..epoch);
            measure(&mut later, epoch..EPOCHS * epoch);
        }
        println!("\n{}", row.name);
        first.print("first epoch");
        later.print("later epochs");
        if let Some(python) = &mut python {
            compare(row, python, root);
        }
        for (epochs, what) in [(1, "first epoch"), (EPOCHS, "all epochs")] {
            print_waiting(&open(row, root), epochs, what);
        }
    }
}

/// Prints the share of the time that a device waits.
fn print_waiting(data: &Arc<Dataset>, epochs: u64, what: &str) {
    let time = train(data, 0..epochs * order(data).0, STEP);
    println!(
        "  {what}, steps of {STEP:?}: {:.1} % waiting, after {:.2} s for the first batch",
        100.0 * time.waited / time.all,
        time.first_batch
    );
}

/// Slices per second of both sides.
#[derive(Default)]
struct Rates {
    ours: Vec<f64>,
    theirs: Vec<f64>,
}

impl Rates {
    fn print(mut self, what: &str) {
        let pairs = self.ours.iter().zip(&self.theirs);
        let mut ratios: Vec<f64> = pairs.map(|(o, t)| o / t).collect();
        print!("  {what}: {:.0} slices/s here", median(&mut self.ours));
        match self.theirs.is_empty() {
            true => println!(),
            false => println!(
                ", {:.0} in Python: {:.1} times as many here",
                median(&mut self.theirs),
                median(&mut ratios)
            ),
        }
    }
}

/// Gives every file below `folder` more names, of cases 100, 200, … further on.
fn repeat(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            repeat(&path);
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap();
        let at = name.find(|c: char| c.is_ascii_digit()).unwrap();
        let (prefix, number, rest) = (&name[..at], &name[at..at + 4], &name[at + 4..]);
        let case: usize = number.parse().unwrap();
        for n in 1..NAMES {
            let other = format!("{prefix}{:04}{rest}", case + 100 * n);
            fs::hard_link(&path, path.with_file_name(other)).unwrap();
        }
    }
}

/// Phantoms in three formats.
fn rows(root: &Path) -> Vec<Row> {
    let write = |layout, name: &str, cases| {
        let options = Options {
            layout,
            cases,
            seed: 1,
            shape: SHAPE,
        };
        generate(&options, &root.join(name)).unwrap();
        root.join(name)
    };
    let volumes = write(Layout::Synapse, "volumes", 4);
    let preprocessed = write(Layout::SynapsePreprocessed, "preprocessed", 5);
    let h5 = root.join("h5");
    fs::rename(preprocessed.join("test_vol_h5"), &h5).unwrap();
    for folder in [&volumes, &preprocessed, &h5] {
        repeat(folder);
    }
    let source = |text: String| -> Source { ron::from_str(&text).unwrap() };
    let synapse = |root: &PathBuf, train, order| {
        source(format!(
            "Synapse(root: {root:?}, split: First(train: {train}, test: 0), labelled: All{order})"
        ))
    };
    let names = r#"["1", "2", "3", "4", "5", "6", "7", "8"]"#;
    let in_folders = source(format!(
        "Folder(images: {h5:?}, labels: Some({h5:?}), classes: {names}, split: AllTrain, \
         labelled: All, intensity: Window(low: 0.0, high: 1.0))"
    ));
    let row = |name, source, memory| Row {
        name,
        source,
        memory,
    };
    vec![
        row(".nii.gz", synapse(&volumes, 4 * NAMES, ""), 4 << 30),
        row(".nii.gz beyond memory", synapse(&volumes, 4 * NAMES, ""), 0),
        row(
            ".npz",
            synapse(&preprocessed, 3 * NAMES, ", label_order: Some(Samed)"),
            4 << 30,
        ),
        row(".h5", in_folders, 4 << 30),
    ]
}

/// The data set with nothing decoded.
fn open(row: &Row, root: &Path) -> Arc<Dataset> {
    let cache = root.join("cache");
    fs::remove_dir_all(&cache).ok();
    let data = Dataset::open(&row.source, row.memory).unwrap();
    Arc::new(data.with_disk_cache(&cache))
}

/// Steps of an epoch, and which slices make them up.
fn order(data: &Dataset) -> (u64, Sampler) {
    let sampler = Sampler::new(data.slices(Part::Labelled).len(), BATCH, 1).unwrap();
    (sampler.batches_per_epoch(), sampler)
}

/// Seconds of a training.
struct Time {
    all: f64,
    /// Until the first batch, which the loader does not count as waiting.
    first_batch: f64,
    waited: f64,
}

/// Trains `steps` on a device that needs `step` for each.
fn train(data: &Arc<Dataset>, steps: Range<u64>, step: Duration) -> Time {
    let (_, sampler) = order(data);
    let ids = data.slices(Part::Labelled);
    let (data, stream) = (Arc::clone(data), Stream::named(1, "finetune"));
    let make = move |t: u64| {
        let made = sampler.batch(t).into_iter().zip(0..).map(|(i, k)| {
            let (image, label) = (data.image_slice(ids[i])?, data.label_slice(ids[i])?);
            let (image, label) = samed(&image, &label, &mut stream.at(t).at(k));
            Ok(example(&image, &label, SIZES, QUIRKS))
        });
        made.collect::<Result<Vec<Example>, _>>()
    };
    let start = Instant::now();
    let mut loader = Loader::start(steps, WORKERS, AHEAD, make).unwrap();
    let mut first_batch = None;
    for batch in loader.by_ref() {
        first_batch.get_or_insert_with(|| start.elapsed().as_secs_f64());
        assert_eq!(batch.unwrap().len(), BATCH);
        std::thread::sleep(step);
    }
    Time {
        all: start.elapsed().as_secs_f64(),
        first_batch: first_batch.unwrap(),
        waited: loader.waited().as_secs_f64(),
    }
}

/// How the other side treats slices.
struct Asked {
    /// Whether it keeps what it decodes.
    keep: bool,
    /// Whether it begins with nothing decoded.
    fresh: bool,
    augment: bool,
}

/// The files and places of slices, as loader.py takes them.
fn request(data: &Dataset, ids: &[SliceId], asked: &Asked) -> String {
    let slice = |id: &SliceId| {
        let case = &data.cases()[id.case];
        let file = |files: &[PathBuf]| files[id.index.min(files.len() - 1)].clone();
        let label = file(&case.label.as_ref().unwrap().files().unwrap());
        (file(&case.image.files().unwrap()), label, id.index)
    };
    let slices: Vec<_> = ids.iter().map(slice).collect();
    let Asked {
        keep,
        fresh,
        augment,
    } = asked;
    serde_json::json!({ "slices": slices, "keep": keep, "fresh": fresh, "augment": augment })
        .to_string()
}

/// Prints how far the values of both sides differ without augmentation, on slices of every case.
fn compare(row: &Row, python: &mut Python, root: &Path) {
    let data = open(row, root);
    let ids: Vec<SliceId> = data.slices(Part::Labelled).into_iter().step_by(9).collect();
    let asked = Asked {
        keep: row.memory > 0,
        fresh: true,
        augment: false,
    };
    python.ask(&request(&data, &ids, &asked));
    let made = |id: &SliceId| {
        let (image, label) = (
            data.image_slice(*id).unwrap(),
            data.label_slice(*id).unwrap(),
        );
        example(&image, &label, SIZES, QUIRKS)
    };
    let made: Vec<Example> = ids.iter().map(made).collect();
    let images = made.iter().flat_map(|e| &e.image.pixels);
    let expected = fs::read(root.join("image")).unwrap();
    let expected = expected
        .as_chunks::<4>()
        .0
        .iter()
        .map(|b| f32::from_le_bytes(*b));
    assert_eq!(expected.len(), ids.len() * SIZES.0 * SIZES.0);
    let image = images
        .zip(expected)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    let labels = |plane: fn(&Example) -> &[u8], name: &str| {
        let found: Vec<u8> = made.iter().flat_map(plane).copied().collect();
        let expected = fs::read(root.join(name)).unwrap();
        assert_eq!(found.len(), expected.len());
        found.iter().zip(&expected).filter(|(a, b)| a != b).count()
    };
    println!(
        "  on {} slices, intensities differ by at most {image:.1e}, classes in {} and {} pixels",
        ids.len(),
        labels(|e| &e.label.pixels, "label"),
        labels(|e| &e.low_res_label.pixels, "low_res"),
    );
}
