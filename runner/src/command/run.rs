//! `runner run`.

use std::path::Path;

use super::open_device;
use crate::cli::RunArgs;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::outputs::place;
use crate::pipeline::Pipeline;
use crate::preflight::{self, Keeping, Preflight};
use crate::provenance::{self, Machine, warn_of_other_machine};
use crate::run_dir::{Claim, KERNELS, pipeline_of};
use crate::splits;
use crate::stage::Context;

/// Runs a pipeline, or what is left of it.
///
/// # Errors
/// Configuration, data, device or disk are unusable, training fails, or the user interrupts.
pub fn run(args: &RunArgs) -> Result<()> {
    let pipeline = args.pipeline.load()?;
    announce(&pipeline);
    interrupt::listen(interrupt::SAVING)?;
    let default = || Path::new("runs").join(&pipeline.name);
    let root = args.out.clone().unwrap_or_else(default);
    // First, so that a run that no adapter here can do leaves no directory.
    let device = open_device(&args.device, pipeline.precision)?;
    if let Some(other) = &args.reuse {
        if place(other) == place(&root) {
            let message = "--reuse names the run directory itself; it is gone on with without that";
            return Err(Error::Usage(message.into()));
        }
        pipeline_of(other)?;
    }
    let claim = Claim::new(&root, &pipeline, args.fresh)?;
    let fuse = !args.device.no_fuse;
    let cache = preflight::cache_beside(&root);
    let found = Preflight::new(
        std::slice::from_ref(&pipeline),
        Some((&device, fuse)),
        Keeping::Cache(&cache),
    );
    found.report();
    found.refuse()?;
    let (datasets, inputs) = (found.datasets(&pipeline), found.inputs(&pipeline)?);
    let machine = Machine::of(&device, fuse)?;
    let run = claim.begin()?;
    provenance::verify(&run, &pipeline.stages, &inputs)?;
    if let Some(other) = &args.reuse
        && run.take_over(&inputs, other)? == 0
    {
        let other = other.display();
        eprintln!("warning: no stage of {other} is the same and missing here; nothing is reused");
    }
    let context = Context {
        pipeline: &pipeline,
        run: &run,
        device: &device,
        fuse,
        datasets: &datasets,
        inputs: &inputs,
        machine: &machine,
    };
    execute(&context)?;
    eprintln!("results: {}", root.display());
    Ok(())
}

/// Runs all stages that are not finished, and records what they are made from and with.
///
/// # Errors
/// Data, device or disk are unusable, training fails, or the user interrupts.
pub(super) fn execute(context: &Context<'_>) -> Result<()> {
    warn_of_other_machine(context.run, context.machine);
    splits::record(context.run, context.datasets)?;
    context.device.pin(&context.run.path(KERNELS));
    context.run()
}

/// Tells the user of stages that are left out, and of an encoder that nothing trains.
pub(super) fn announce(pipeline: &Pipeline) {
    if !pipeline.left_out.is_empty() {
        let Pipeline { name, left_out, .. } = pipeline;
        let stages = left_out.join(", ");
        eprintln!("{name}: left out, since its adapter takes no trained experts: {stages}");
    }
    if pipeline.weights.is_none() && !pipeline.trains_encoder() {
        eprintln!(
            "warning: the encoder has neither `weights` nor a stage with objective Masked; \
             it stays at random"
        );
    }
}
