//! What a process runs on.

use std::path::Path;

use samora_engine::Device;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::file_hash::{file_hash, hex};

/// Executable, adapter and how it computes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
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
    /// How large products are computed, such as `Exact` or `Half`.
    pub precision: String,
    /// Whether kernels are fused.
    pub fused: bool,
}

impl Machine {
    /// This process on `device`.
    ///
    /// # Errors
    /// The executable cannot be read.
    pub fn of(device: &Device, fused: bool) -> Result<Self> {
        let failed = |e| Error::file(Path::new("the executable"), "read", e);
        let executable = std::env::current_exe().map_err(failed)?;
        let adapter = device.info();
        Ok(Self {
            version: env!("CARGO_PKG_VERSION").into(),
            executable_sha256: hex(&file_hash(&executable).map_err(failed)?),
            platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            adapter: adapter.name.clone(),
            backend: adapter.backend.clone(),
            driver: adapter.driver.clone(),
            precision: format!("{:?}", device.precision()),
            fused,
        })
    }

    /// What is another on `now`, such as `another driver (A → B)`.
    pub fn changes(&self, now: &Self) -> Vec<String> {
        let fused = |fused: bool| if fused { "fused" } else { "--no-fuse" }.to_string();
        let named = [
            ("version", self.version.clone(), now.version.clone()),
            ("platform", self.platform.clone(), now.platform.clone()),
            ("adapter", self.adapter.clone(), now.adapter.clone()),
            ("backend", self.backend.clone(), now.backend.clone()),
            ("driver", self.driver.clone(), now.driver.clone()),
            ("precision", self.precision.clone(), now.precision.clone()),
            ("choice of kernels", fused(self.fused), fused(now.fused)),
        ];
        let named = named.into_iter().filter(|(_, before, now)| before != now);
        let mut changes: Vec<String> = named
            .map(|(what, before, now)| format!("another {what} ({before} → {now})"))
            .collect();
        if self.executable_sha256 != now.executable_sha256 {
            changes.insert(0, "another executable".into());
        }
        changes
    }
}
