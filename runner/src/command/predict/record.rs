//! `predict.jsonl` in a folder of label maps: what each was made of, so that an interrupted command goes on.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::job::Job;
use crate::error::Result;
use crate::file_hash::files_sha256;
use crate::json_lines;

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
        let entries = path.as_deref().map(json_lines::read).transpose()?;
        Ok(Self {
            path,
            network_sha256: String::new(),
            entries: entries.unwrap_or_default(),
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
        json_lines::append(path, &entry)
    }
}

/// SHA-256 of a scan's files; `None` of one that cannot be read.
pub(super) fn scan_sha256(job: &Job) -> Option<String> {
    files_sha256(&job.scan.files().ok()?).ok()
}
