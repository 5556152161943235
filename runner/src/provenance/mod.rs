//! `provenance.json`: what every stage was made from and with, as a history. Records are added to it, and
//! none is changed but by a later session of the same stage.

mod inputs;
mod machine;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::data::slice::directions;
use crate::data::source::Axis;
use crate::error::{Error, Result};
use crate::file_hash::FileHashes;
use crate::pipeline::Stage;
use crate::run_dir::RunDir;
use inputs::SLICES;

pub use inputs::{HashedFile, Inputs, inputs};
pub use machine::Machine;

const FILE: &str = "provenance.json";

/// The history of a run directory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// In the order in which they were begun.
    pub records: Vec<Record>,
}

/// What a stage was made from and with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Name of the stage.
    pub stage: String,
    /// SHA-256 over all that decides the result beside the machine; see [`Inputs::fingerprint`].
    pub fingerprint: String,
    /// What it was made from.
    pub inputs: Inputs,
    /// The run directory it was taken over from with `--reuse`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_from: Option<String>,
    /// The processes that worked on it.
    pub sessions: Vec<Session>,
}

/// A process that worked on a stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Steps that were done before.
    pub from_step: usize,
    /// What it ran on.
    #[serde(flatten)]
    pub machine: Machine,
}

impl Provenance {
    /// The history of the run directory `root`; empty where there is none, or one that does not tell.
    pub fn read(root: &Path) -> Self {
        let bytes = std::fs::read(root.join(FILE)).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// What a stage was last made from.
    pub fn of(&self, stage: &str) -> Option<&Record> {
        self.records.iter().rev().find(|r| r.stage == stage)
    }

    /// Whether a stage was last made from `now`.
    pub fn is_current(&self, stage: &str, now: &Inputs) -> bool {
        let record = self.of(stage);
        record.is_some_and(|record| record.fingerprint == now.fingerprint())
    }

    /// Adds that `machine` begins or goes on with a stage.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn begin(run: &RunDir, stage: &str, inputs: &Inputs, session: Session) -> Result<()> {
        let mut history = Self::read(run.root());
        let fingerprint = inputs.fingerprint();
        let same = |r: &&mut Record| r.stage == stage;
        match history.records.iter_mut().rev().find(same) {
            Some(record) if record.fingerprint == fingerprint => record.sessions.push(session),
            _ => history.records.push(Record {
                stage: stage.to_owned(),
                fingerprint,
                inputs: inputs.clone(),
                taken_from: None,
                sessions: vec![session],
            }),
        }
        history.write(run)
    }

    /// Adds a record of another run directory, whose checkpoint is taken over.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn take_over(run: &RunDir, record: &Record, from: &Path) -> Result<()> {
        let mut history = Self::read(run.root());
        history.records.push(Record {
            taken_from: Some(from.display().to_string()),
            ..record.clone()
        });
        history.write(run)
    }

    fn write(&self, run: &RunDir) -> Result<()> {
        let json = serde_json::to_string_pretty(self);
        let json = json.map_err(|e| Error::file(&run.path(FILE), "write", e.into()))?;
        run.write(FILE, (json + "\n").as_bytes())
    }
}

/// Refuses to go on with stages that were made from something else than they would be now.
///
/// # Errors
/// What differs, for each stage.
pub fn verify(run: &RunDir, stages: &[Stage], now: &BTreeMap<String, Inputs>) -> Result<()> {
    let history = Provenance::read(run.root());
    let mut changed = Vec::new();
    for stage in stages.iter().filter(|stage| run.has_begun(stage.name())) {
        let name = stage.name();
        let Some(now) = now.get(name) else { continue };
        match history.of(name) {
            Some(record) if record.fingerprint == now.fingerprint() => (),
            Some(record) => {
                let lines = record.inputs.changes(now).into_iter();
                changed.extend(lines.map(|line| format!("{name}: {line}")));
            }
            None => changed.push(format!(
                "{name}: {FILE} does not tell what it was made from"
            )),
        }
    }
    if changed.is_empty() {
        return Ok(());
    }
    let root = run.root().display();
    Err(Error::RunDirectory {
        path: run.root().to_path_buf(),
        problem: format!(
            "holds stages that were made from something else:\n  {}\n\
             restore it; or give --fresh to start over, or --out for another directory, with --reuse {root} \
             to keep the stages that are the same",
            changed.join("\n  ")
        ),
    })
}

/// Refuses published weights other than those that a stage of the run directory `root` was trained on, and slices
/// across `axis` that lie otherwise than there.
///
/// # Errors
/// Which file is another or cannot be read, or how slices lie.
pub fn verify_weights(root: &Path, stage: &str, axis: Axis, files: &[&Path]) -> Result<()> {
    let history = Provenance::read(root);
    let seen = history
        .of(stage)
        .and_then(|record| record.inputs.settings.get(SLICES));
    if let Some(seen) = seen
        && !seen.ends_with(directions(axis))
    {
        return Err(Error::RunDirectory {
            path: root.to_path_buf(),
            problem: format!(
                "{stage} was trained on slices that lay otherwise than this runner shows them ({}); train it again",
                directions(axis)
            ),
        });
    }
    let recorded = history.of(stage).map(|record| &record.inputs.weights);
    let hashes = FileHashes::default();
    for (file, before) in files.iter().zip(recorded.into_iter().flatten()) {
        let now = hashes.of(file).map_err(|e| Error::file(file, "read", e))?;
        if now != before.sha256 {
            let name = file.display();
            return Err(Error::RunDirectory {
                path: root.to_path_buf(),
                problem: format!(
                    "{stage} was trained on other weights than {name} holds now; restore that file"
                ),
            });
        }
    }
    Ok(())
}

/// Tells the user when a run goes on with another executable, adapter, driver or precision than it had.
pub fn warn_of_other_machine(run: &RunDir, now: &Machine) {
    let history = Provenance::read(run.root());
    let sessions = history.records.iter().flat_map(|r| &r.sessions);
    if let Some(before) = sessions.last() {
        let changes = before.machine.changes(now);
        if !changes.is_empty() {
            eprintln!(
                "warning: this run goes on with {}; its result may differ from that of an uninterrupted one",
                changes.join(" and ")
            );
        }
    }
}

#[cfg(test)]
mod tests;
