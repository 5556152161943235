//! `runner bench`: the time of a step, and what it needs.

use std::path::Path;

use clap::ValueEnum;
use samora_engine::Device;

use super::open_device;
use crate::bench::{
    Case, Ceiling, Growth, Measured, Size, Workload, by_kernel, by_scope, measure, write_trace,
};
use crate::cli::BenchArgs;
use crate::error::{Error, Result};
use crate::journal::{Table, print_result};
use crate::outputs::prepare_folder;
use crate::pipeline::{Pipeline, load_without_data};
use crate::preflight::stages_on;

/// What is timed.
enum Subject {
    Workload(Workload),
    Pipeline(Box<Pipeline>),
}

/// Times one step of every stage of a pipeline, or a workload, on random inputs and weights; needs no data.
///
/// # Errors
/// A pipeline that is wrong, or a device that fails.
pub fn bench(args: &BenchArgs) -> Result<()> {
    let what = args.what.as_str();
    let workload = Workload::from_str(what, false).ok();
    if workload.is_none() && Path::new(what).extension().is_none_or(|e| e != "ron") {
        let known = Workload::value_variants().iter();
        let known = known.filter_map(|w| Some(w.to_possible_value()?.get_name().to_string()));
        let known: Vec<String> = known.collect();
        return Err(Error::Usage(format!(
            "`{what}` is neither a pipeline (.ron) nor a workload ({})",
            known.join(", ")
        )));
    }
    let misplaced = match workload {
        Some(_) if !args.sets.is_empty() => Some("--set changes pipelines, workloads are fixed"),
        None if args.size.is_some() => Some("--size is of workloads; give pipelines --set"),
        None if args.precision.is_some() => {
            Some("--precision is of workloads; give pipelines --set precision=…")
        }
        _ => None,
    };
    if let Some(message) = misplaced {
        return Err(Error::Usage(message.into()));
    }
    if let Some(folder) = &args.trace {
        prepare_folder(folder, args.overwrite)?;
    }
    let subject = match workload {
        Some(workload) => Subject::Workload(workload),
        None => {
            let pipeline = load_without_data(Path::new(what), &args.overrides()?)?;
            Subject::Pipeline(Box::new(pipeline))
        }
    };
    let precision = match &subject {
        Subject::Workload(_) => args.precision.unwrap_or_default(),
        Subject::Pipeline(pipeline) => pipeline.precision,
    };
    let device = open_device(&args.device, precision)?;
    // Before anything is measured.
    if how(args).2 && !device.times_kernels() {
        let name = &device.info().name;
        let message = format!("{name} cannot time kernels; leave out --profile and --trace");
        return Err(Error::Usage(message));
    }
    if let Subject::Pipeline(pipeline) = &subject {
        stages_on(pipeline, (&device, how(args).0))?;
    }
    let info = device.info();
    print_result(format_args!(
        "{} ({}, {})\n\n",
        info.name, info.backend, info.driver
    ));
    let mut ceiling = Ceiling::new(&device)?;
    let mut rows = Vec::new();
    let on = (&device, &mut ceiling);
    let measured = match &subject {
        Subject::Workload(workload) => of_workload(*workload, args, on, &mut rows),
        Subject::Pipeline(pipeline) => of_pipeline(pipeline, args, on, &mut rows),
    };
    // What was measured before a failure is shown all the same.
    print_result(times(&rows));
    print_result("\n");
    print_result(memory(&rows));
    match workload {
        Some(Workload::VitBLora) => print_losses(&rows),
        Some(Workload::Scaling) => {
            print_result("\n");
            print_result(growth(&rows));
        }
        _ => (),
    }
    for row in rows.iter().filter(|row| !row.profile.is_empty()) {
        let profile = &row.profile;
        print_result(format_args!("\n{}, batch {}\n", row.name, row.batch));
        print_result(by_kernel(profile));
        print_result("\n");
        print_result(by_scope(profile));
        if let Some(folder) = &args.trace {
            let name = row.name.replace([' ', ','], "_");
            let path = folder.join(format!("{name}_{}.json", row.batch));
            write_trace(profile, &path)?;
            print_result(format_args!("trace: {}\n", path.display()));
        }
    }
    measured
}

fn of_pipeline(
    pipeline: &Pipeline,
    args: &BenchArgs,
    (device, ceiling): (&Device, &mut Ceiling<'_>),
    rows: &mut Vec<Measured>,
) -> Result<()> {
    let (fuse, rounds, profile) = how(args);
    for stage in &pipeline.stages {
        let case = Case::of_stage(stage.name().to_string(), pipeline, stage)?;
        let on = (device, &mut *ceiling);
        rows.push(measure(&case, on, fuse, rounds, profile)?);
    }
    Ok(())
}

fn of_workload(
    workload: Workload,
    args: &BenchArgs,
    (device, ceiling): (&Device, &mut Ceiling<'_>),
    rows: &mut Vec<Measured>,
) -> Result<()> {
    let size = args.size.unwrap_or(match device.info().is_processor() {
        true => Size::Small,
        false => Size::Full,
    });
    workload.measure(size, (device, ceiling), how(args), rows)
}

/// Whether kernels are fused, how many steps are timed, and whether kernels are timed by themselves.
fn how(args: &BenchArgs) -> (bool, usize, bool) {
    let profile = args.profile || args.trace.is_some();
    (!args.device.no_fuse, args.rounds as usize, profile)
}

/// The first losses, which other engines must have too.
fn print_losses(rows: &[Measured]) {
    for row in rows {
        let losses = row.losses.iter().map(|loss| format!("{loss:.6}"));
        let losses = losses.collect::<Vec<_>>().join(", ");
        print_result(format_args!(
            "\nfirst losses, batch {}: {losses}\n",
            row.batch
        ));
    }
}

fn times(rows: &[Measured]) -> Table {
    let mut table = Table::new(&[
        "step",
        "batch",
        "kernels",
        "GFLOP",
        "start s",
        "ms median",
        "ms min–max",
        "images/s",
        "GFLOP/s",
        "of GEMM",
        "GB/s",
        "host ms",
    ]);
    for m in rows {
        let median = m.median();
        let (low, high) = (
            m.seconds.first().copied().unwrap_or(f64::NAN),
            m.seconds.last().copied().unwrap_or(f64::NAN),
        );
        let rate = m.flops / median;
        table.row([
            m.name.clone(),
            m.batch.to_string(),
            m.kernels.to_string(),
            format!("{:.2}", m.flops / 1e9),
            format!("{:.1}", m.start),
            format!("{:.1}", median * 1e3),
            format!("{:.1}–{:.1}", low * 1e3, high * 1e3),
            format!("{:.1}", m.batch as f64 / median),
            format!("{:.1}", rate / 1e9),
            format!("{:.0} %", 100.0 * rate / m.ceiling),
            format!("{:.1}", m.bytes / median / 1e9),
            match m.host.is_nan() {
                true => "–".into(),
                false => format!("{:.1}", m.host * 1e3),
            },
        ]);
    }
    table
}

fn memory(rows: &[Measured]) -> Table {
    let mut table = Table::new(&[
        "MiB",
        "batch",
        "weights",
        "optimiser",
        "activations",
        "at least",
        "copies",
        "total",
    ]);
    let mib = |bytes: u64| format!("{:.1}", bytes as f64 / f64::from(1 << 20));
    for Measured {
        name,
        batch,
        memory,
        ..
    } in rows
    {
        table.row([
            name.clone(),
            batch.to_string(),
            mib(memory.weights),
            mib(memory.optimiser),
            mib(memory.activations),
            mib(memory.alive),
            mib(memory.copies),
            mib(memory.total()),
        ]);
    }
    table
}

/// The exponents with which time and memory grow: 1 where twice the size takes twice as much.
fn growth(rows: &[Measured]) -> Table {
    let mut table = Table::new(&[
        "growing",
        "sizes",
        "ms",
        "exponent",
        "activations MiB",
        "exponent",
    ]);
    for series in Growth::of(rows) {
        let list = |values: &[f64], unit: f64, digits: usize| {
            let values = values.iter().map(|v| format!("{:.digits$}", v / unit));
            values.collect::<Vec<_>>().join(", ")
        };
        table.row([
            series.what.clone(),
            list(&series.sizes, 1.0, 0),
            list(&series.seconds, 1e-3, 1),
            format!("{:.2}", series.of_time()),
            list(&series.activations, f64::from(1 << 20), 1),
            format!("{:.2}", series.of_activations()),
        ]);
    }
    table
}
