//! `predict.jsonl` in a folder of label maps: what each was made of, so that an interrupted command goes on.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::job::Job;
use crate::error::{Error, Result};
use crate::file_hash::files_sha256;

const FILE: &str = "predict.jsonl";

/// Label maps that were finished, the last of a name counting. A single label map has none.
#[derive(Debug)]
pub(super) struct Record {
    path: Option<PathBuf>,
    network_sha256: String,
    entries: Vec<Entry>,
}

/// What a label map was made of.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    /// Name of the scan.
    scan: String,
    /// SHA-256 of the scan's files.
    scan_sha256: String,
    /// Of everything that decides how the run segments.
    network_sha256: String,
    /// Of what was written.
    written_sha256: String,
    /// The classes that were found.
    found: Vec<String>,
}

impl Record {
    /// The record of the folder `output`, if that is for the label maps of several scans.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(super) fn open(several: bool, output: &Path) -> Result<Self> {
        let path = several.then(|| output.join(FILE));
        let text = match &path {
            Some(path) if path.exists() => {
                std::fs::read_to_string(path).map_err(|e| Error::file(path, "read", e))?
            }
            _ => String::new(),
        };
        // A line that a killed command left half-written stands for nothing.
        let entries = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        Ok(Self {
            path,
            network_sha256: String::new(),
            entries: entries.collect(),
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether finished label maps are recorded.
    pub(super) fn is_kept(&self) -> bool {
        self.path.is_some()
    }

    /// Says which network segments.
    pub(super) fn network(&mut self, sha256: String) {
        self.network_sha256 = sha256;
    }

    /// The classes that were found in a scan, if all that the job would write is there as this network made it of
    /// this scan.
    pub(super) fn found(&self, job: &Job) -> Option<Vec<String>> {
        let mut entries = self.entries.iter().rev();
        let entry = entries.find(|entry| entry.scan == job.name)?;
        let is_so = entry.network_sha256 == self.network_sha256
            && entry.written_sha256 == files_sha256(&job.writes).ok()?
            && entry.scan_sha256 == scan_sha256(job)?;
        is_so.then(|| entry.found.clone())
    }

    /// Adds what is written of a scan.
    ///
    /// # Errors
    /// A file that cannot be read or written.
    pub(super) fn add(
        &self,
        job: &Job,
        scan_sha256: Option<String>,
        found: Vec<String>,
    ) -> Result<()> {
        let (Some(path), Some(scan_sha256)) = (&self.path, scan_sha256) else {
            return Ok(());
        };
        let entry = Entry {
            scan: job.name.clone(),
            scan_sha256,
            network_sha256: self.network_sha256.clone(),
            written_sha256: files_sha256(&job.writes)?,
            found,
        };
        let failed = |e| Error::file(path, "write", e);
        let line = serde_json::to_string(&entry).map_err(|e| failed(e.into()))?;
        let file = OpenOptions::new().append(true).create(true).open(path);
        // The line break in front ends a line that a killed command left half-written.
        let written = file.and_then(|mut file| file.write_all(format!("\n{line}\n").as_bytes()));
        written.map_err(failed)
    }
}

/// SHA-256 of a scan's files; `None` of one that cannot be read.
pub(super) fn scan_sha256(job: &Job) -> Option<String> {
    files_sha256(&job.scan.files().ok()?).ok()
}
