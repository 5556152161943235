//! `provenance.json`: what a result was made with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use samora_engine::gpu::AdapterSummary;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::data::dataset::Dataset;
use crate::data::formats::Scan;
use crate::error::{Error, Result};
use crate::file_hash::hex;
use crate::pipeline::{Pipeline, to_ron};
use crate::run_dir::RunDir;

const FILE: &str = "provenance.json";

/// What a result was made with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of the runner.
    pub version: String,
    /// SHA-256 of the runner's executable file.
    pub executable_sha256: String,
    /// Operating system and processor architecture.
    pub platform: String,
    /// Name of the adapter.
    pub adapter: String,
    /// Graphics interface it was reached through.
    pub backend: String,
    /// Its driver and version.
    pub driver: String,
    /// Precision of all computation.
    pub precision: String,
    /// Seed of every random number.
    pub seed: u64,
    /// SHA-256 of `resolved.ron`.
    pub pipeline_sha256: String,
    /// For each data set the SHA-256 over names and contents of all its files.
    pub data_sha256: BTreeMap<String, String>,
}

/// Writes `provenance.json`. When a run goes on with another executable, adapter, driver or data than
/// it began with, the user is told, because the result may then differ from an uninterrupted one.
///
/// # Errors
/// A file that cannot be read or written.
pub fn record(
    run: &RunDir,
    pipeline: &Pipeline,
    adapter: &AdapterSummary,
    data: &BTreeMap<String, Arc<Dataset>>,
) -> Result<()> {
    let executable =
        std::env::current_exe().map_err(|e| Error::file(Path::new("the executable"), "find", e))?;
    let hash = |(name, data): (&String, &Arc<Dataset>)| Ok((name.clone(), dataset_hash(data)?));
    let now = Provenance {
        version: env!("CARGO_PKG_VERSION").into(),
        executable_sha256: file_hash(&executable)?,
        platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        adapter: adapter.name.clone(),
        backend: adapter.backend.clone(),
        driver: adapter.driver.clone(),
        precision: "f32".into(),
        seed: pipeline.seed,
        pipeline_sha256: hex(&Sha256::digest(to_ron(pipeline)?)),
        data_sha256: data.iter().map(hash).collect::<Result<_>>()?,
    };
    let path = run.path(FILE);
    let before = std::fs::read(&path).ok();
    let before = before.and_then(|bytes| serde_json::from_slice::<Provenance>(&bytes).ok());
    if before.is_some_and(|before| before != now) {
        eprintln!(
            "warning: this run began with another executable, adapter, driver or data; \
             its result may differ from that of an uninterrupted run"
        );
    }
    let json =
        serde_json::to_string_pretty(&now).map_err(|e| Error::file(&path, "write", e.into()))?;
    run.write(FILE, (json + "\n").as_bytes())
}

fn dataset_hash(data: &Dataset) -> Result<String> {
    let cases = data.cases().iter();
    let scans = cases.flat_map(|case| [Some(&case.image), case.label.as_ref()]);
    let files: Vec<Vec<PathBuf>> = scans.flatten().map(Scan::files).collect::<Result<_, _>>()?;
    let files = files.concat();
    let hashes: Vec<String> = files
        .par_iter()
        .map(|path| file_hash(path))
        .collect::<Result<_>>()?;
    let mut all = Sha256::new();
    for (path, hash) in files.iter().zip(hashes) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        all.update(format!("{name} {hash}\n"));
    }
    Ok(hex(&all.finalize()))
}

fn file_hash(path: &Path) -> Result<String> {
    let hash = crate::file_hash::file_hash(path);
    hash.map(|hash| hex(&hash))
        .map_err(|e| Error::file(path, "read", e))
}
