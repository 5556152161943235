//! `runner plan`: what a run would train, compute and write.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;

use samora_engine::{Plan, Schedule, ScheduledStep};

use crate::cli::PlanArgs;
use crate::error::{Error, Result};
use crate::journal::{Table, alike, print_result};
use crate::outputs::prepare_folder;
use crate::pipeline::{Pipeline, Stage};
use crate::run_dir::write_file;
use crate::stage::{StagePlan, plan_stage};

/// Rows of a table of values.
const LISTED: usize = 12;

/// Prints the plan of every stage and, on request, writes its schedule and its WGSL modules. Needs neither GPU nor
/// data.
///
/// # Errors
/// A pipeline that is wrong or cannot be planned, or a folder that cannot be written.
pub fn plan(args: &PlanArgs) -> Result<()> {
    let pipeline = args.pipeline.load_without_data()?;
    if let Some(folder) = &args.emit {
        prepare_folder(folder, args.overwrite)?;
    }
    let mut table = Table::new(&[
        "stage",
        "kind",
        "batch",
        "trained",
        "frozen",
        "kernels",
        "GFLOP/step",
        "weights MiB",
        "optimiser MiB",
        "activations MiB",
        "total MiB",
    ]);
    let mut peaks = Vec::new();
    let mut parts = Vec::new();
    for stage in &pipeline.stages {
        let planned = plan_stage(&pipeline, stage, !args.no_fuse)?;
        table.row(row(stage, &planned));
        if let Stage::Finetune(_) = stage {
            parts.push((stage.name(), parts_of(&planned)));
        }
        if args.peak {
            peaks.push((stage.name(), peak(&planned.plan)));
        }
        if let Some(folder) = &args.emit {
            write_schedule(&folder.join(stage.name()), planned.schedule())?;
        }
    }
    print_result(format_args!(
        "{} (seed {})\n\n",
        pipeline.name, pipeline.seed
    ));
    print_result(&table);
    for (stage, table) in parts {
        print_result(format_args!("\n{stage}, parameters:\n\n"));
        print_result(&table);
    }
    for (stage, table) in peaks {
        print_result(format_args!("\n{stage}, when most is kept\n"));
        print_result(&table);
    }
    print_result(format_args!(
        "\nwrites, in runs/{} or --out:\n",
        pipeline.name
    ));
    for file in files(&pipeline) {
        print_result(format_args!("  {file}\n"));
    }
    Ok(())
}

fn row(stage: &Stage, planned: &StagePlan) -> [String; 11] {
    let mib = |bytes: u64| format!("{:.1}", bytes as f64 / f64::from(1 << 20));
    let [inputs, weights, state, constants] = planned.source_bytes;
    let slots = planned.plan.slot_bytes();
    [
        stage.name().to_string(),
        stage.kind().to_string(),
        stage.batch().to_string(),
        count(planned.trained),
        count(planned.frozen),
        planned.plan.steps.len().to_string(),
        format!("{:.2}", planned.plan.flops() as f64 / 1e9),
        mib(weights + constants),
        mib(state),
        mib(slots + inputs),
        mib(planned.bytes()),
    ]
}

/// The parameters of each part of a network.
fn parts_of(planned: &StagePlan) -> Table {
    let mut table = Table::new(&["part", "parameters", "trained"]);
    for part in &planned.parts {
        table.row([
            part.name.to_string(),
            part.parameters.to_string(),
            part.trained.to_string(),
        ]);
    }
    table
}

/// What takes most room in slots when most is kept; values of blocks of the same kind together.
fn peak(plan: &Plan) -> Table {
    let mut alive: BTreeMap<(String, bool), (usize, usize)> = BTreeMap::new();
    for (label, words) in &plan.peak {
        let (times, sum) = alive.entry(alike(label)).or_default();
        *times += 1;
        *sum += words;
    }
    let mut rows: Vec<_> = alive.into_iter().collect();
    rows.sort_by_key(|(_, (_, words))| Reverse(*words));
    let mut table = Table::new(&["value", "pass", "times", "MiB", "share"]);
    for ((value, backward), (times, words)) in rows.into_iter().take(LISTED) {
        table.row([
            value,
            if backward { "backward" } else { "forward" }.into(),
            times.to_string(),
            format!("{:.1}", words as f64 / f64::from(1 << 18)),
            format!("{:.1} %", 100.0 * words as f64 / plan.live() as f64),
        ]);
    }
    table
}

/// A number of parameters, such as `89.7 M`.
fn count(parameters: usize) -> String {
    match parameters {
        0..1_000 => parameters.to_string(),
        1_000..1_000_000 => format!("{:.1} k", parameters as f64 / 1e3),
        _ => format!("{:.1} M", parameters as f64 / 1e6),
    }
}

fn files(pipeline: &Pipeline) -> Vec<String> {
    let mut files: Vec<String> = ["resolved.ron", "provenance.json", "splits/", "events.jsonl"]
        .map(str::to_string)
        .to_vec();
    for stage in &pipeline.stages {
        match stage {
            Stage::Evaluate(s) => {
                let name = &s.name;
                files.push(format!("overlays/{name}/: up to {} slices", s.overlays));
                if s.save_labels {
                    files.push(format!("labels/{name}/"));
                }
                files.push(format!("results/{name}.json, .csv"));
            }
            stage => {
                let name = stage.name();
                files.push(format!("checkpoints/{name}.safetensors, curves/{name}.png"));
            }
        }
    }
    if pipeline
        .stages
        .iter()
        .any(|s| matches!(s, Stage::Evaluate(_)))
    {
        files.push("summary.json, summary.csv".into());
    }
    files
}

/// Writes the schedule for WebGPU's default limits, and each distinct module once, numbered in the order of its first
/// use.
fn write_schedule(folder: &Path, schedule: Schedule) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| Error::file(folder, "create the folder", e))?;
    let path = folder.join("schedule.json");
    let text = serde_json::to_vec(&schedule).map_err(|e| Error::file(&path, "write", e.into()))?;
    write_file(&path, &text)?;
    let mut written: BTreeMap<String, usize> = BTreeMap::new();
    for ScheduledStep { step, shader } in schedule.steps {
        let Some(shader) = shader else {
            continue;
        };
        let number = written.len();
        if written.contains_key(&shader.source) {
            continue;
        }
        let name: String = shader
            .name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect();
        let path = folder.join(format!("{number:03}_{name}.wgsl"));
        let text = format!("// {}\n{}", step.label, shader.source);
        write_file(&path, text.as_bytes())?;
        written.insert(shader.source, number);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_counted_in_readable_units() {
        assert_eq!(
            [count(7), count(147_456), count(89_670_912)],
            ["7", "147.5 k", "89.7 M"]
        );
    }
}
