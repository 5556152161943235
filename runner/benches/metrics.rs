//! Distance transform, HD95 and scores of a pair of 512×512×200 masks: `cargo bench -p samora-runner`.
//!
//! With `SAMORA_PYTHON`, a Python that has scipy and medpy, each row runs alternately here and there on the
//! same masks, and the values of both are compared; without it, here alone. Medians over the rounds.
//! `hausdorff` takes the volumes whole; `scores`, as in a run, the box around both masks, and makes all
//! metrics where Python makes four.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod python;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use python::{Python, median};
use samora_runner::data::volume::{Grid, Volume};
use samora_runner::metrics::distance::distance_transform;
use samora_runner::metrics::surface::Surfaces;
use samora_runner::metrics::volume::score_case;

const ROUNDS: usize = 3;
const SHAPE: [usize; 3] = [512, 512, 200];
const SPACING: [f64; 3] = [0.75, 0.75, 2.5];

fn main() {
    let (truth, prediction) = (organ(0.0), organ(1.0));
    // Every eighth voxel of an organ: as many columns to search as a transform can meet.
    let target: Vec<bool> = truth
        .iter()
        .enumerate()
        .map(|(i, on)| *on && i % 8 == 0)
        .collect();
    let volume = |mask: &[bool]| {
        let labels = mask.iter().map(|on| u8::from(*on)).collect();
        Volume::new(Grid::axis_aligned(SHAPE, SPACING), labels, PathBuf::new()).unwrap()
    };
    let (truth_labels, predicted_labels) = (volume(&truth), volume(&prediction));
    let mut distances = Vec::new();

    let folder = tempfile::tempdir().unwrap();
    for (name, mask) in [
        ("truth", &truth),
        ("prediction", &prediction),
        ("target", &target),
    ] {
        let bytes: Vec<u8> = mask.iter().map(|on| u8::from(*on)).collect();
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    let ([nx, ny, nz], [x, y, z]) = (SHAPE, SPACING);
    let grid = [format!("{nz},{ny},{nx}"), format!("{z},{y},{x}")];
    let mut python = Python::start("metrics.py", &grid, folder.path());
    println!(
        "{} threads, {SHAPE:?} voxels of {SPACING:?} mm",
        std::thread::available_parallelism().unwrap()
    );

    let mut row = |name: &str, here: &mut dyn FnMut() -> Vec<f64>| {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let (mut found, mut expected) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let start = Instant::now();
            found = here();
            ours.push(start.elapsed().as_secs_f64());
            if let Some(python) = &mut python {
                let (seconds, values) = python.ask(name);
                theirs.push(seconds);
                expected = values;
            }
        }
        let mut ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(o, t)| t / o).collect();
        println!("\n{name}: {:.3} s here", median(&mut ours));
        if !theirs.is_empty() {
            let seconds = median(&mut theirs);
            println!(
                "{name}: {seconds:.3} s in Python; {:.1} times as fast here",
                median(&mut ratios)
            );
        }
        if !found.is_empty() {
            println!("{name}: here {found:?}, in Python {expected:?}");
        }
    };
    row("transform", &mut || {
        distances = distance_transform(&target, SHAPE, SPACING);
        Vec::new()
    });
    row("hausdorff", &mut || {
        let surfaces = Surfaces::of(&prediction, &truth, SHAPE).unwrap();
        vec![surfaces.distances(SPACING).hd95()]
    });
    row("scores", &mut || {
        let scores = score_case("pair", &predicted_labels, &truth_labels, 1, 2.0).unwrap();
        let score = &scores.classes[0];
        vec![
            score.dice,
            score.iou,
            score.hd95_mm.unwrap(),
            score.assd_mm.unwrap(),
        ]
    });
    if python.is_some() {
        println!(
            "\ntransforms differ by at most {:.1e}",
            difference(&distances, &folder.path().join("transform"))
        );
    } else {
        println!("\nskipped the comparison: SAMORA_PYTHON names no Python with scipy and medpy");
    }
}

/// An ellipsoid with dents, and a small one beside it; `other` moves and dents it in another way.
fn organ(other: f64) -> Vec<bool> {
    let [nx, ny, nz] = SHAPE;
    let inside = |i: usize| {
        let [x, y, z] = [i % nx, i / nx % ny, i / nx / ny].map(|at| at as f64);
        let (u, v, w) = (
            (x - 220.0 - 4.0 * other) / 120.0,
            (y - 250.0) / 90.0,
            (z - 100.0 + other) / 60.0,
        );
        let dents =
            0.08 * ((7.0 + other) * u).sin() * (5.0 * v + other).cos() + 0.05 * (9.0 * w).sin();
        let island = ((x - 400.0).powi(2) + (y - 300.0 + 6.0 * other).powi(2)) / 400.0
            + ((z - 80.0) / 8.0).powi(2);
        u * u + v * v + w * w < 1.0 + dents || island < 1.0
    };
    (0..nx * ny * nz).map(inside).collect()
}

/// The largest difference to an array of f64 in a file.
fn difference(found: &[f64], path: &Path) -> f64 {
    let expected = fs::read(path).unwrap();
    assert_eq!(expected.len(), 8 * found.len());
    let expected = expected
        .chunks_exact(8)
        .map(|b| f64::from_le_bytes(b.try_into().unwrap()));
    found
        .iter()
        .zip(expected)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f64::max)
}
