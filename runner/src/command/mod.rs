//! What each subcommand does.

mod adapters;
mod bench;
mod check;
mod compare;
mod convert;
mod embed;
mod eval;
mod inspect;
mod phantom;
mod plan;
mod predict;
mod run;
mod segment;

pub use adapters::adapters;
pub use bench::bench;
pub use check::check;
pub use compare::compare;
pub use convert::convert;
pub use embed::embed;
pub use eval::eval;
pub use inspect::inspect;
pub use phantom::phantom;
pub use plan::plan;
pub use predict::predict;
pub use run::run;
pub use segment::segment;

use std::path::{Path, PathBuf};

use samora_engine::gpu::{Device, DeviceOptions, Precision};

use crate::cli::DeviceArgs;
use crate::error::{Error, Result};

/// Opens the adapter the user chose, or the best one, and says which it is.
fn open_device(args: &DeviceArgs, precision: Precision) -> Result<Device> {
    let device = Device::open(&DeviceOptions {
        adapter: args.adapter.clone(),
        precision,
        tune: args.tune,
        cache: cache_folder(),
        ..DeviceOptions::default()
    })?;
    let adapter = &device.adapter;
    eprintln!(
        "adapter: {} ({}, {})",
        adapter.name, adapter.kind, adapter.backend
    );
    if adapter.kind == "software" {
        eprintln!("warning: no GPU was found; this software adapter computes on the CPU");
    }
    Ok(device)
}

/// The user's cache folder, where kernels that passed the self-test are remembered.
fn cache_folder() -> Option<PathBuf> {
    let of = |name| std::env::var_os(name).map(PathBuf::from);
    let base = of("XDG_CACHE_HOME")
        .or_else(|| of("LOCALAPPDATA"))
        .or_else(|| of("HOME").map(|home| home.join(".cache")))?;
    Some(base.join("samora"))
}

/// Refuses an output of another extension than the one that is written.
fn expect_extension(output: &Path, extension: &str) -> Result<()> {
    if output.extension().is_some_and(|e| e == extension) {
        return Ok(());
    }
    let path = output.display();
    Err(Error::Usage(format!(
        "{path}: does not end in .{extension}, the format that is written"
    )))
}
