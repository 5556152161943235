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
const EPOCHS: u64 = 3;
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
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let data = open(row, root);
            let (steps, sampler) = order(&data);
            let slices = (steps as usize * BATCH) as f64;
            ours.push(slices / train(&data, Duration::ZERO).0);
            if let Some(python) = &mut python {
                let ids = (0..steps).flat_map(|t| sampler.batch(t));
                let all = data.slices(Part::Labelled);
                let ids: Vec<SliceId> = ids.map(|i| all[i]).collect();
                let (seconds, _) = python.ask(&request(&data, &ids, row.memory > 0, true));
                theirs.push(slices / seconds);
            }
        }
        let mut ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(o, t)| o / t).collect();
        println!("\n{}: {:.0} slices/s here", row.name, median(&mut ours));
        if let Some(python) = &mut python {
            println!(
                "{}: {:.0} slices/s in Python; {:.1} times as many here",
                row.name,
                median(&mut theirs),
                median(&mut ratios)
            );
            compare(row, python, root);
        }
        let (seconds, waited) = train(&open(row, root), STEP);
        println!(
            "{}: {:.1} % waiting with steps of {STEP:?}",
            row.name,
            100.0 * waited / seconds
        );
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
        row(".nii.gz", synapse(&volumes, 4, ""), 4 << 30),
        row(".nii.gz beyond memory", synapse(&volumes, 4, ""), 0),
        row(
            ".npz",
            synapse(&preprocessed, 3, ", label_order: Some(Samed)"),
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

/// Steps of the training, and which slices make them up.
fn order(data: &Dataset) -> (u64, Sampler) {
    let sampler = Sampler::new(data.slices(Part::Labelled).len(), BATCH, 1).unwrap();
    (EPOCHS * sampler.batches_per_epoch(), sampler)
}

/// Seconds of a training whose steps take `step`, and those it waited.
fn train(data: &Arc<Dataset>, step: Duration) -> (f64, f64) {
    let (steps, sampler) = order(data);
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
    let mut loader = Loader::start(0..steps, WORKERS, AHEAD, make).unwrap();
    while let Some(batch) = loader.next() {
        assert_eq!(batch.unwrap().len(), BATCH);
        std::thread::sleep(step);
    }
    (start.elapsed().as_secs_f64(), loader.waited().as_secs_f64())
}

/// The files and places of slices, as loader.py takes them.
fn request(data: &Dataset, ids: &[SliceId], keep: bool, augment: bool) -> String {
    let slice = |id: &SliceId| {
        let case = &data.cases()[id.case];
        let file = |files: &[PathBuf]| files[id.index.min(files.len() - 1)].clone();
        let label = file(case.label.as_ref().unwrap().files());
        (file(case.image.files()), label, id.index)
    };
    let slices: Vec<_> = ids.iter().map(slice).collect();
    serde_json::json!({ "slices": slices, "keep": keep, "augment": augment }).to_string()
}

/// Prints how far the values of both sides differ without augmentation, on slices of every case.
fn compare(row: &Row, python: &mut Python, root: &Path) {
    let data = open(row, root);
    let ids: Vec<SliceId> = data.slices(Part::Labelled).into_iter().step_by(9).collect();
    python.ask(&request(&data, &ids, row.memory > 0, false));
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
        "{}: on {} slices, intensities differ by at most {image:.1e}, classes in {} and {} pixels",
        row.name,
        ids.len(),
        labels(|e| &e.label.pixels, "label"),
        labels(|e| &e.low_res_label.pixels, "low_res"),
    );
}
