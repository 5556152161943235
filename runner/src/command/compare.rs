//! `runner compare`: several pipelines with several seeds, and one table of their results.

use std::path::{Path, PathBuf};
use std::slice::from_ref;

use samora_engine::Device;

use super::open_device;
use super::run::{announce, execute};
use crate::cli::CompareArgs;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::journal::{Comparison, Report, StepCost, print_result, seconds_per_step};
use crate::outputs;
use crate::pipeline::{Pipeline, Stage};
use crate::preflight::{Keeping, Preflight};
use crate::provenance::{Inputs, Machine, Provenance, verify};
use crate::run_dir::{Claim, RunDir, write_file};
use crate::stage::{Context, plan_stage};

/// Runs every pipeline with its own seed and those that follow, seed by seed, each in
/// `OUT/NAME/seed_SEED`. Finished runs are only read. After each run the table is written to
/// `OUT/comparison.txt`; it is printed at the end.
///
/// # Errors
/// As for single runs; also pipelines of the same name, or without `Evaluate` stage.
pub fn compare(args: &CompareArgs) -> Result<()> {
    let arms = args.load()?;
    check(&arms)?;
    let table = args.out.join("comparison.txt");
    outputs::prepare(&args.files, from_ref(&table), true)?;
    interrupt::listen(interrupt::SAVING)?;
    arms.iter().for_each(announce);
    let device = open_device(&args.device, arms[0].precision)?;
    let fuse = !args.device.no_fuse;
    let cache = args.out.join("cache");
    let found = Preflight::new(&arms, Some((&device, fuse)), Keeping::Cache(&cache));
    found.report();
    found.refuse()?;
    let machine = Machine::of(&device, fuse)?;
    let mut comparison = Comparison::new(arms.iter().map(|arm| arm.name.clone()));
    let bytes = arms.iter().map(|arm| step_bytes(arm, fuse));
    let bytes: Vec<u64> = bytes.collect::<Result<_>>()?;
    for nth in 0..args.seeds {
        let mut finished: Vec<PathBuf> = Vec::new();
        for (index, arm) in arms.iter().enumerate() {
            let seed = arm.seed.wrapping_add(nth);
            let pipeline = Pipeline {
                seed,
                ..arm.clone()
            };
            let root = args.out.join(&arm.name).join(format!("seed_{seed}"));
            let machine = &machine;
            let report = report(
                (&root, &pipeline),
                (&found, machine),
                &finished,
                (&device, fuse),
            )?;
            let cost = StepCost {
                seconds: last_finetune(arm)
                    .map_or(Ok(None), |s| seconds_per_step(&root, s.name()))?,
                bytes: bytes[index],
            };
            comparison.add(index, &report, cost);
            finished.push(root);
            write_file(&table, comparison.to_string().as_bytes())?;
        }
    }
    print_result(&comparison);
    Ok(())
}

fn check(arms: &[Pipeline]) -> Result<()> {
    for (index, arm) in arms.iter().enumerate() {
        if arms[..index].iter().any(|other| other.name == arm.name) {
            let name = &arm.name;
            return Err(Error::Usage(format!("two pipelines are called `{name}`")));
        }
        if arm.precision != arms[0].precision {
            let name = &arm.name;
            let message = format!("`{name}` has another `precision` than the first pipeline");
            return Err(Error::Usage(message));
        }
        last_evaluate(arm)?;
    }
    Ok(())
}

/// The stage whose result counts.
fn last_evaluate(pipeline: &Pipeline) -> Result<&str> {
    let mut stages = pipeline.stages.iter().rev();
    let last = stages.find(|s| matches!(s, Stage::Evaluate(_)));
    last.map(Stage::name).ok_or_else(|| {
        let name = &pipeline.name;
        Error::Usage(format!(
            "`{name}` has no Evaluate stage, so there is nothing to compare"
        ))
    })
}

/// The stage whose steps are compared.
fn last_finetune(pipeline: &Pipeline) -> Option<&Stage> {
    let mut stages = pipeline.stages.iter().rev();
    stages.find(|s| matches!(s, Stage::Finetune(_)))
}

/// What a step of that stage keeps on the device.
fn step_bytes(pipeline: &Pipeline, fuse: bool) -> Result<u64> {
    let planned = last_finetune(pipeline).map(|stage| plan_stage(pipeline, stage, fuse));
    Ok(planned.transpose()?.map_or(0, |planned| planned.bytes()))
}

/// The report of the run in `root`, which is finished first if it is not.
fn report(
    (root, pipeline): (&Path, &Pipeline),
    (found, machine): (&Preflight, &Machine),
    finished: &[PathBuf],
    (device, fuse): (&Device, bool),
) -> Result<Report> {
    eprintln!("{}", root.display());
    let (datasets, inputs) = (found.datasets(pipeline), found.inputs(pipeline)?);
    let claim = Claim::new(root, pipeline, false)?;
    let (results, stage) = (RunDir::results(root), last_evaluate(pipeline)?);
    let history = Provenance::read(root);
    let is_current = |(stage, inputs): (&String, &Inputs)| history.is_current(stage, inputs);
    if !claim.clears()
        && inputs.iter().all(is_current)
        && let Some(report) = Report::read(&results, stage)?
    {
        return Ok(report);
    }
    let run = claim.begin()?;
    verify(&run, &pipeline.stages, &inputs)?;
    for other in finished {
        run.take_over(&inputs, other)?;
    }
    execute(&Context {
        pipeline,
        run: &run,
        device,
        fuse,
        datasets: &datasets,
        inputs: &inputs,
        machine,
    })?;
    let missing = || Error::Usage(format!("{}: the run left no summary", root.display()));
    Report::read(&results, stage)?.ok_or_else(missing)
}
