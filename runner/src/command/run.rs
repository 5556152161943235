//! `runner run`.

use std::path::Path;

use super::open_device;
use crate::cli::RunArgs;
use crate::error::Result;
use crate::interrupt;
use crate::provenance;
use crate::run_dir::RunDir;
use crate::stage::Context;

/// Runs a pipeline, or what is left of it.
///
/// # Errors
/// Configuration, data, device or disk are unusable, training fails, or the user interrupts.
pub fn run(args: &RunArgs) -> Result<()> {
    let pipeline = args.pipeline.load()?;
    if pipeline.weights.is_none() && !pipeline.trains_encoder() {
        eprintln!(
            "warning: the encoder has neither `weights` nor a stage with objective Masked; \
             it stays at random"
        );
    }
    interrupt::listen()?;
    let default = || Path::new("runs").join(&pipeline.name);
    let root = args.out.clone().unwrap_or_else(default);
    let run = RunDir::open(&root, &pipeline, args.fresh)?;
    let device = open_device(&args.device)?;
    let context = Context::open(&pipeline, &run, &device, !args.device.no_fuse)?;
    provenance::record(&run, &pipeline, &device.adapter, context.datasets())?;
    context.run()?;
    eprintln!("results: {}", root.display());
    Ok(())
}
