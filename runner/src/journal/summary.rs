//! The scores of a set of volumes: as JSON, as CSV and as the tables printed at the end.

mod csv;
mod tables;
mod warnings;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::metrics::metric::Metric;
use crate::metrics::summary::Summary;
use crate::metrics::volume::CaseScores;
use crate::run_dir::write_file;

/// The name under which a folder keeps the report that counts: that of `eval`, or of a run's last stage.
pub const SUMMARY: &str = "summary";

/// Scores of a set of volumes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What was scored.
    #[serde(flatten)]
    pub subject: Subject,
    /// What it was computed from, of an `Evaluate` stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// What a reader of the means alone would miss, such as classes that are predicted nowhere.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Mean of the classes' mean Dice over all cases.
    pub mean_dice: f64,
    /// Tolerance of the NSD in millimetres.
    pub nsd_mm: f64,
    /// Means over cases, per class and overall.
    pub summary: Summary,
    /// Scores of each case.
    pub cases: Vec<CaseScores>,
}

/// Where predictions and truth come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Subject {
    /// An `Evaluate` stage.
    Stage {
        /// Name of the pipeline.
        pipeline: String,
        /// Name of the stage.
        stage: String,
    },
    /// Label files.
    Files {
        /// The predictions: a file or folder.
        prediction: PathBuf,
        /// The truth: a file or folder.
        reference: PathBuf,
    },
}

/// What the result of an `Evaluate` stage was computed from; while that is so, it is not computed again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// SHA-256 of pipeline, runner and weights.
    pub network_sha256: String,
    /// SHA-256 of the files of all test cases.
    pub cases_sha256: String,
}

impl Report {
    /// Averages the scores of all cases, whose NSD is at `nsd_mm` millimetres; `classes` are the
    /// foreground classes.
    pub fn new(subject: Subject, classes: &[String], nsd_mm: f64, cases: Vec<CaseScores>) -> Self {
        let summary = Summary::of(&cases, classes);
        Self {
            subject,
            origin: None,
            warnings: warnings::warnings(&cases, &summary),
            mean_dice: summary.mean(Metric::Dice).unwrap_or(0.0),
            nsd_mm,
            summary,
            cases,
        }
    }

    /// The files that [`Report::write`] makes in a folder.
    pub fn files(folder: &Path, name: &str) -> [PathBuf; 2] {
        ["json", "csv"].map(|ending| folder.join(format!("{name}.{ending}")))
    }

    /// The report of this name in a folder; `None` if there is none.
    ///
    /// # Errors
    /// A file that cannot be read, is damaged, or was written by a version with fewer metrics.
    pub fn read(folder: &Path, name: &str) -> Result<Option<Self>> {
        let [path, _] = Self::files(folder, name);
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&path).map_err(|e| Error::file(&path, "read", e))?;
        let report = serde_json::from_str(&text);
        report.map(Some).map_err(|e| Error::RunDirectory {
            path,
            problem: format!(
                "is damaged or of another version of the runner ({e}); delete it, and the same command \
                 evaluates again without training"
            ),
        })
    }

    /// Writes `NAME.json` and `NAME.csv` into a folder. Equal reports give equal bytes.
    ///
    /// # Errors
    /// A full disk or a folder that cannot be written.
    pub fn write(&self, folder: &Path, name: &str) -> Result<()> {
        let [path, csv] = Self::files(folder, name);
        let json = serde_json::to_string_pretty(self)
            .map_err(|e| Error::file(&path, "write", e.into()))?;
        write_file(&csv, self.csv().as_bytes())?;
        write_file(&path, (json + "\n").as_bytes())
    }
}

#[cfg(test)]
#[path = "summary_tests.rs"]
mod tests;
