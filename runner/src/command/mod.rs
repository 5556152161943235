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

use samora_engine::{Device, DeviceInfo, DeviceOptions, Precision};

use crate::cli::{DeviceArgs, ModelArgs};
use crate::data::formats;
use crate::error::{Error, Result};
use crate::outputs;

/// Opens the adapter the user chose, or the best one, and says which it is.
fn open_device(args: &DeviceArgs, precision: Precision) -> Result<Device> {
    let device = Device::open(&DeviceOptions {
        adapter: args.adapter.clone(),
        precision,
        tune: args.tune,
        cache: cache_folder(),
        ..DeviceOptions::default()
    })?;
    let DeviceInfo {
        name,
        backend,
        kind,
        driver,
    } = device.info();
    match *kind {
        "processor" => eprintln!("adapter: {name} ({backend}, {driver}); no GPU is in use"),
        _ => eprintln!("adapter: {name} ({kind}, {backend})"),
    }
    if *kind == "processor" && args.adapter.is_none() && has_gpu() {
        eprintln!(
            "warning: this machine has a GPU, but no Vulkan driver for it; on Debian or Ubuntu install libvulkan1 and \
             mesa-vulkan-drivers (AMD, Intel) or NVIDIA's driver"
        );
    }
    if *kind == "software" {
        eprintln!("warning: this adapter is software; `--adapter cpu` is several times as fast");
    }
    Ok(device)
}

/// Whether Linux shows a GPU, whatever can use it.
fn has_gpu() -> bool {
    let devices = std::fs::read_dir("/dev/dri").into_iter().flatten();
    let mut names = devices.flatten().map(|entry| entry.file_name());
    let renders = names.any(|name| name.to_string_lossy().starts_with("renderD"));
    renders || Path::new("/dev/nvidia0").exists()
}

/// The user's cache folder, where kernels that passed the self-test are remembered.
fn cache_folder() -> Option<PathBuf> {
    let of = |name| std::env::var_os(name).map(PathBuf::from);
    let base = of("XDG_CACHE_HOME")
        .or_else(|| of("LOCALAPPDATA"))
        .or_else(|| of("HOME").map(|home| home.join(".cache")))?;
    Some(base.join("samora"))
}

/// Refuses an input that is not there, and says from where on.
fn expect_there(input: &Path) -> Result<()> {
    let is_missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
    let problem = match input.ancestors().take_while(is_missing).last() {
        None => return Ok(()),
        Some(path) if path == input => "there is no such file or folder".into(),
        Some(folder) => format!("there is no folder {}", folder.display()),
    };
    let missing = std::io::Error::other(problem);
    Err(Error::file(input, "read", missing))
}

/// Refuses an output whose name has none of the endings of what is written.
fn expect_ending(output: &Path, endings: &[&str]) -> Result<()> {
    let extension = output.extension().unwrap_or_default();
    if endings
        .iter()
        .any(|e| extension.eq_ignore_ascii_case(&e[1..]))
    {
        return Ok(());
    }
    let (path, endings) = (output.display(), endings.join(" or "));
    Err(Error::Usage(format!(
        "{path}: does not end in {endings}, which is written; name it so"
    )))
}

/// Sees to it that `outputs` can be written and are nothing that `model` reads.
///
/// # Errors
/// As [`outputs::prepare`].
fn prepare_outputs(outputs: &[PathBuf], model: &ModelArgs, overwrite: bool) -> Result<()> {
    let image = &model.image.path;
    let mut read: Vec<PathBuf> = vec![image.clone()];
    read.extend(model.weights.clone());
    read.extend(model.model.as_ref().map(PathBuf::from));
    if !image.is_dir() {
        read.extend(formats::files(image).unwrap_or_default());
    }
    outputs::prepare(&read, outputs, overwrite)
}
