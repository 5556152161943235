//! Reading a checkpoint of SAM's ViT-B, about 375 MB, into a network: `cargo bench -p samora-engine --bench load`.
//!
//! Each reading is a process of its own, so that its peak memory is its own; on Linux the kernel says how
//! much that was, with and without pages of the file. Values are random, names and shapes those of
//! `sam_vit_b_01ec64.pth`. Medians.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use samora_engine::models::sam::{
    Adapter, MaskDecoderConfig, Prompts, SamConfig, decode_prompted, encode,
};
use samora_engine::weights::{Decoder, Import, Item, Weights, fit, write_torch};
use samora_engine::{DType, Graph};

const ROUNDS: usize = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, verb, file] = arguments.as_slice()
        && verb == "read"
    {
        return read(Path::new(file));
    }
    let folder = std::env::temp_dir().join(format!("samora-load-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let weights = Weights::default().draw(&network(), 1).unwrap();
    println!(
        "{:24} {:>8} {:>8} {:>14} {:>18}",
        "file", "MB", "seconds", "peak memory MB", "memory / file size"
    );
    for name in ["sam_vit_b.pth", "sam_vit_b.safetensors"] {
        let path = folder.join(name);
        match name.ends_with(".pth") {
            true => write_torch(&path, &Item::Tensors(&weights.tensors)).unwrap(),
            false => weights.write(&path).unwrap(),
        }
        let size = std::fs::metadata(&path).unwrap().len() as f64 / 1e6;
        let mut runs: Vec<[f64; 2]> = (0..ROUNDS).map(|_| child(&path)).collect();
        let mut median = |column: usize| {
            runs.sort_by(|a, b| a[column].total_cmp(&b[column]));
            runs[ROUNDS / 2][column]
        };
        let (seconds, peak) = (median(0), median(1));
        println!(
            "{name:24} {size:8.1} {seconds:8.2} {peak:14.1} {:18.2}",
            peak / size
        );
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Seconds and peak megabytes of a process that reads the file.
fn child(path: &Path) -> [f64; 2] {
    let out = Command::new(std::env::current_exe().unwrap())
        .arg("read")
        .arg(path)
        .output()
        .unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let numbers: Vec<f64> = text
        .split_whitespace()
        .map(|n| n.parse().unwrap())
        .collect();
    numbers.try_into().unwrap()
}

fn read(path: &Path) {
    let graph = network();
    let before = memory("VmHWM");
    let start = Instant::now();
    let import = Import::read(path, Decoder::Prompted).unwrap();
    let (weights, reports) = fit(vec![import], &graph, &Weights::default()).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    let parameters = graph.params().count();
    assert_eq!(
        (weights.tensors.len(), reports[0].missing.len()),
        (parameters, 0)
    );
    println!("{seconds} {}", memory("VmHWM") - before);
}

/// A figure of this process's memory in megabytes; NaN where the system tells none.
fn memory(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(name));
    let kibibytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kibibytes.map_or(f64::NAN, |k| k * 1024.0 / 1e6)
}

/// SAM with every kind of prompt, so that every tensor of the file has its place.
fn network() -> Graph {
    let mut g = Graph::new();
    let config = SamConfig::vit_b(1024);
    let input = |g: &mut Graph, name: &str, shape: &[usize]| g.input(name, shape, DType::F32);
    let image = input(&mut g, "image", &[1, 1024, 1024, 3]);
    let features = encode(&mut g, &config, &Adapter::None, image).features;
    let prompts = Prompts {
        points: Some((
            input(&mut g, "points", &[1, 1, 2]),
            input(&mut g, "labels", &[1, 1]),
        )),
        boxes: Some(input(&mut g, "boxes", &[1, 4])),
        mask: Some(input(&mut g, "mask", &[1, 256, 256, 1])),
    };
    decode_prompted(&mut g, &MaskDecoderConfig::sam(), features, 1024, &prompts);
    g
}
