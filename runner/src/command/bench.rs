//! `runner bench`: the time of one step of every stage.

use std::collections::BTreeMap;
use std::time::Instant;

use samora_engine::gpu::{Device, Program};
use samora_engine::random::Stream;
use samora_engine::weights::Weights;
use samora_engine::{DType, Graph, SourceKind, Tensor, plan};

use super::open_device;
use crate::cli::BenchArgs;
use crate::error::Result;
use crate::journal::{Table, print_result};
use crate::pipeline::{Pipeline, Stage};
use crate::stage::stage_graph;

/// Kernels listed with `--kernels`.
const LISTED: usize = 24;

/// Times one step of every stage on random inputs and weights; needs no data.
///
/// # Errors
/// A pipeline that is wrong, or a device that fails.
pub fn bench(args: &BenchArgs) -> Result<()> {
    let pipeline = args.pipeline.load_without_data()?;
    let device = open_device(&args.device)?;
    print_result(format_args!(
        "{} ({}, {})\n\n",
        device.adapter.name, device.adapter.backend, device.adapter.driver
    ));
    let mut table = Table::new(&[
        "stage",
        "batch",
        "kernels",
        "GFLOP",
        "start s",
        "ms median",
        "ms min–max",
        "GFLOP/s",
        "images/s",
    ]);
    let mut listings = Vec::new();
    for stage in &pipeline.stages {
        let measured = measure(&pipeline, stage, &device, args)?;
        table.row(row(stage, &measured));
        listings.push((stage.name(), measured.kernels));
    }
    print_result(&table);
    for (stage, kernels) in listings.iter().filter(|(_, k)| !k.is_empty()) {
        print_result(format_args!("\n{stage}\n"));
        print_result(listing(kernels));
    }
    Ok(())
}

struct Measured {
    kernels: Vec<(String, String, f64)>,
    count: usize,
    flops: f64,
    start: f64,
    seconds: Vec<f64>,
}

fn measure(
    pipeline: &Pipeline,
    stage: &Stage,
    device: &Device,
    args: &BenchArgs,
) -> Result<Measured> {
    let (graph, wanted, _) = stage_graph(pipeline, stage)?;
    let planned = plan(&graph, &wanted, !args.device.no_fuse)?;
    let (count, flops) = (planned.steps.len(), planned.flops() as f64);
    let weights = Weights::default().draw(&graph, pipeline.seed)?;
    let begun = Instant::now();
    let mut program = Program::new(device, &graph, planned, &weights.tensors)?;
    let inputs = inputs(&graph);
    let feeds: Vec<(&str, &Tensor)> = inputs.iter().map(|(n, t)| (n.as_str(), t)).collect();
    let mut start = 0.0;
    let mut seconds = Vec::new();
    for round in 0..args.rounds + 2 {
        let begin = Instant::now();
        program.step(&feeds)?;
        device.wait()?;
        match round {
            0 => start = begun.elapsed().as_secs_f64(),
            1 => {}
            _ => seconds.push(begin.elapsed().as_secs_f64()),
        }
    }
    seconds.sort_by(f64::total_cmp);
    let kernels = if args.kernels {
        program.profile(&feeds)?
    } else {
        Vec::new()
    };
    Ok(Measured {
        kernels,
        count,
        flops,
        start,
        seconds,
    })
}

fn row(stage: &Stage, m: &Measured) -> [String; 9] {
    let (low, high) = (
        m.seconds.first().copied().unwrap_or(0.0),
        m.seconds.last().copied().unwrap_or(0.0),
    );
    let median = m
        .seconds
        .get(m.seconds.len() / 2)
        .copied()
        .unwrap_or(f64::NAN);
    [
        stage.name().to_string(),
        stage.batch().to_string(),
        m.count.to_string(),
        format!("{:.2}", m.flops / 1e9),
        format!("{:.1}", m.start),
        format!("{:.1}", median * 1e3),
        format!("{:.1}–{:.1}", low * 1e3, high * 1e3),
        format!("{:.1}", m.flops / median / 1e9),
        format!("{:.1}", stage.batch() as f64 / median),
    ]
}

/// Random images, and zeros for labels and indices.
fn inputs(graph: &Graph) -> Vec<(String, Tensor)> {
    let sources = graph
        .sources()
        .iter()
        .filter(|s| matches!(s.kind, SourceKind::Input));
    let tensor = |s: &samora_engine::Source| {
        let ty = graph.ty(s.value);
        let mut stream = Stream::named(1, &s.name);
        let t = match ty.dtype {
            DType::F32 => Tensor::f32(&ty.shape, (0..ty.len()).map(|_| stream.uniform()).collect()),
            DType::U32 => Tensor::u32(&ty.shape, vec![0; ty.len()]),
        };
        (s.name.clone(), t)
    };
    sources.map(tensor).collect()
}

/// The most expensive kernels, equal ones together.
fn listing(kernels: &[(String, String, f64)]) -> Table {
    let mut by_name: BTreeMap<&str, (usize, f64, &str)> = BTreeMap::new();
    for (label, name, seconds) in kernels {
        let entry = by_name.entry(name).or_insert((0, 0.0, label));
        entry.0 += 1;
        entry.1 += seconds;
    }
    let total: f64 = kernels.iter().map(|k| k.2).sum();
    let mut rows: Vec<_> = by_name.into_iter().collect();
    rows.sort_by(|a, b| b.1.1.total_cmp(&a.1.1));
    let mut table = Table::new(&["kernel", "times", "ms", "share", "first used by"]);
    for (name, (times, seconds, label)) in rows.into_iter().take(LISTED) {
        table.row([
            name.to_string(),
            times.to_string(),
            format!("{:.2}", seconds * 1e3),
            format!("{:.1} %", 100.0 * seconds / total),
            label.to_string(),
        ]);
    }
    table
}
