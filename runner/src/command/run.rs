//! `runner run`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use samora_engine::gpu::Device;

use super::open_device;
use crate::cli::RunArgs;
use crate::data::dataset::Dataset;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::outputs::place;
use crate::pipeline::{Pipeline, load};
use crate::preflight::{self, Keeping, Preflight};
use crate::provenance;
use crate::run_dir::{Claim, RunDir};
use crate::splits;
use crate::stage::Context;

/// Runs a pipeline, or what is left of it.
///
/// # Errors
/// Configuration, data, device or disk are unusable, training fails, or the user interrupts.
pub fn run(args: &RunArgs) -> Result<()> {
    let pipeline = args.pipeline.load()?;
    warn_of_random_encoder(&pipeline);
    interrupt::listen(interrupt::SAVING)?;
    let default = || Path::new("runs").join(&pipeline.name);
    let root = args.out.clone().unwrap_or_else(default);
    // First, so that a run that no adapter here can do leaves no directory.
    let device = open_device(&args.device, pipeline.precision)?;
    let reused = match &args.reuse {
        Some(other) if place(other) == place(&root) => {
            let message = "--reuse names the run directory itself; it is gone on with without that";
            return Err(Error::Usage(message.into()));
        }
        Some(other) => Some((other, load(&other.join("resolved.ron"), &[])?)),
        None => None,
    };
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
    let datasets = found.datasets(&pipeline);
    let run = claim.begin()?;
    if let Some((other, resolved)) = &reused
        && run.take_over(&pipeline, (other, resolved))? == 0
    {
        let other = other.display();
        eprintln!("warning: no stage of {other} is the same and missing here; nothing is reused");
    }
    execute(&run, &pipeline, &datasets, (&device, fuse))?;
    eprintln!("results: {}", root.display());
    Ok(())
}

/// Runs all stages that are not finished, and records what they ran on.
///
/// # Errors
/// Data, device or disk are unusable, training fails, or the user interrupts.
pub(super) fn execute(
    run: &RunDir,
    pipeline: &Pipeline,
    datasets: &BTreeMap<String, Arc<Dataset>>,
    (device, fuse): (&Device, bool),
) -> Result<()> {
    provenance::record(run, pipeline, &device.adapter, datasets)?;
    splits::record(run, datasets)?;
    let context = Context {
        pipeline,
        run,
        device,
        fuse,
        datasets,
    };
    context.run()
}

/// Tells the user of an encoder that nothing trains.
pub(super) fn warn_of_random_encoder(pipeline: &Pipeline) {
    if pipeline.weights.is_none() && !pipeline.trains_encoder() {
        eprintln!(
            "warning: the encoder has neither `weights` nor a stage with objective Masked; \
             it stays at random"
        );
    }
}
