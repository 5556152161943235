//! `runner run`.

use std::path::Path;

use samora_engine::gpu::Device;

use super::open_device;
use crate::cli::RunArgs;
use crate::error::Result;
use crate::interrupt;
use crate::pipeline::{Pipeline, load};
use crate::provenance;
use crate::run_dir::RunDir;
use crate::splits;
use crate::stage::Context;

/// Runs a pipeline, or what is left of it.
///
/// # Errors
/// Configuration, data, device or disk are unusable, training fails, or the user interrupts.
pub fn run(args: &RunArgs) -> Result<()> {
    let pipeline = args.pipeline.load()?;
    warn_of_random_encoder(&pipeline);
    interrupt::listen()?;
    let default = || Path::new("runs").join(&pipeline.name);
    let root = args.out.clone().unwrap_or_else(default);
    // First, so that a run that no adapter here can do leaves no directory.
    let device = open_device(&args.device, pipeline.precision)?;
    let reused = match &args.reuse {
        Some(other) => Some((other, load(&other.join("resolved.ron"), &[])?)),
        None => None,
    };
    let run = RunDir::open(&root, &pipeline, args.fresh)?;
    if let Some((other, resolved)) = &reused
        && run.take_over(&pipeline, (other, resolved))? == 0
    {
        let other = other.display();
        eprintln!("warning: no stage of {other} is the same and missing here; nothing is reused");
    }
    let cache = root.with_file_name("cache");
    execute(&run, &pipeline, &device, !args.device.no_fuse, &cache)?;
    eprintln!("results: {}", root.display());
    Ok(())
}

/// Runs all stages that are not finished, and records what they ran on. Slices of data that does not fit
/// into memory go to the folder `cache`.
///
/// # Errors
/// Data, device or disk are unusable, training fails, or the user interrupts.
pub(super) fn execute(
    run: &RunDir,
    pipeline: &Pipeline,
    device: &Device,
    fuse: bool,
    cache: &Path,
) -> Result<()> {
    let context = Context::open(pipeline, run, device, fuse, cache)?;
    provenance::record(run, pipeline, &device.adapter, context.datasets())?;
    splits::record(run, context.datasets())?;
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
