//! The run directory: one folder that explains itself and from which a run goes on.
//!
//! ```text
//! resolved.ron               the pipeline with everything spelled out; running it repeats the run
//! provenance.json            what every stage was made from, and on which machine
//! kernels.ron                which variants of kernels the run keeps to, on GPUs
//! events.jsonl               one line for each logged step
//! checkpoints/STAGE.safetensors        what a finished stage trained
//! checkpoints/STAGE.state.safetensors  where an unfinished stage stands
//! curves/STAGE.png           loss over steps
//! overlays/STAGE/            test slices with prediction and truth as contours
//! labels/STAGE/              label maps of the test cases, where they are kept
//! results/STAGE.json, .csv   scores of the test cases
//! results/STAGE.cases.jsonl  the same of a stage that is not finished, case after case
//! summary.json, summary.csv  the same of the last stage that has some
//! ```

mod claim;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use samora_engine::Tensor;
use samora_engine::weights::Weights;

use crate::error::{Error, Result};
use crate::outputs::place;
use crate::pipeline::{Pipeline, load};
use crate::provenance::{Inputs, Provenance};
use crate::whole_file::write_whole;

pub use claim::Claim;

/// What a run writes; `--fresh` removes exactly this, but replaces [`RESOLVED`], which a run can be started from.
const FILES: [&str; 5] = [
    "provenance.json",
    KERNELS,
    "events.jsonl",
    "summary.json",
    "summary.csv",
];
const FOLDERS: [&str; 6] = [
    "checkpoints",
    "curves",
    "overlays",
    "labels",
    "results",
    "splits",
];
const RESOLVED: &str = "resolved.ron";
/// The variants of kernels that a run keeps to.
pub const KERNELS: &str = "kernels.ron";
const LOCK: &str = ".lock";

/// Metadata key of the number of completed steps.
const STEPS: &str = "steps";

/// An open run directory, locked against other runs until it is dropped.
#[derive(Debug)]
pub struct RunDir {
    root: PathBuf,
    _lock: File,
}

/// Where an unfinished stage stands.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Completed steps.
    pub steps: usize,
    /// Parameters and optimiser state by full name.
    pub tensors: BTreeMap<String, Tensor>,
}

impl RunDir {
    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path inside the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The folder of the stages' results.
    pub fn results(root: &Path) -> PathBuf {
        root.join("results")
    }

    /// Whether a training stage is finished.
    pub fn is_trained(&self, stage: &str) -> bool {
        checkpoint(&self.root, stage).exists()
    }

    /// What a finished stage trained.
    ///
    /// # Errors
    /// A checkpoint that is missing or damaged.
    pub fn trained(&self, stage: &str) -> Result<Weights> {
        Ok(Weights::read(&checkpoint(&self.root, stage))?)
    }

    /// Stores what a stage trained, which finishes it, and removes its state.
    ///
    /// # Errors
    /// A full disk or a directory that cannot be written; an earlier checkpoint is then intact.
    pub fn finish(&self, stage: &str, weights: &Weights) -> Result<()> {
        weights.write(&checkpoint(&self.root, stage))?;
        let state = self.state_path(stage);
        match std::fs::remove_file(&state) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::file(&state, "remove", e))
            }
            _ => Ok(()),
        }
    }

    /// Whether a training stage has saved something.
    pub fn has_begun(&self, stage: &str) -> bool {
        self.is_trained(stage) || self.state_path(stage).exists()
    }

    /// Takes over what the run in `other` trained in stages whose inputs are those of `now`, and returns how many
    /// those are.
    ///
    /// # Errors
    /// A damaged checkpoint there, a full disk here.
    pub fn take_over(&self, now: &BTreeMap<String, Inputs>, other: &Path) -> Result<usize> {
        let mut taken = 0;
        let history = Provenance::read(other);
        for (stage, inputs) in now {
            let trained = checkpoint(other, stage);
            let Some(record) = history.of(stage) else {
                continue;
            };
            if history.is_current(stage, inputs) && trained.exists() && !self.is_trained(stage) {
                Provenance::take_over(self, record, other)?;
                self.finish(stage, &Weights::read(&trained)?)?;
                eprintln!("{stage}: as in {}", other.display());
                taken += 1;
            }
        }
        Ok(taken)
    }

    /// Where an unfinished stage stands; `None` before its first save.
    ///
    /// # Errors
    /// A damaged file.
    pub fn state(&self, stage: &str) -> Result<Option<State>> {
        let path = self.state_path(stage);
        if !path.exists() {
            return Ok(None);
        }
        let weights = Weights::read(&path)?;
        let steps = weights.metadata.get(STEPS).and_then(|s| s.parse().ok());
        let steps = steps.ok_or_else(|| Error::RunDirectory {
            path,
            problem: "does not say how many steps it stands for; give --fresh to start over".into(),
        })?;
        Ok(Some(State {
            steps,
            tensors: weights.tensors,
        }))
    }

    /// Stores where a stage stands.
    ///
    /// # Errors
    /// A full disk or a directory that cannot be written; the earlier state is then intact.
    pub fn save_state(&self, stage: &str, state: State) -> Result<()> {
        let weights = Weights {
            tensors: state.tensors,
            metadata: BTreeMap::from([(STEPS.into(), state.steps.to_string())]),
        };
        Ok(weights.write(&self.state_path(stage))?)
    }

    /// Writes a file of the directory, as [`write_file`].
    ///
    /// # Errors
    /// As [`write_file`].
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        write_file(&self.path(name), bytes)
    }

    fn state_path(&self, stage: &str) -> PathBuf {
        self.path(&format!("checkpoints/{stage}.state.safetensors"))
    }

    fn has_results(&self) -> bool {
        let folder = self.path(FOLDERS[0]).read_dir();
        let has_checkpoints = folder.is_ok_and(|mut files| files.next().is_some());
        has_checkpoints || self.path("summary.json").exists()
    }

    fn clear(&self) -> Result<()> {
        let removed = |path: &Path, result: std::io::Result<()>| match result {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::file(path, "remove", e))
            }
            _ => Ok(()),
        };
        for file in FILES {
            let path = self.path(file);
            removed(&path, std::fs::remove_file(&path))?;
        }
        for folder in FOLDERS {
            let path = self.path(folder);
            removed(&path, std::fs::remove_dir_all(&path))?;
        }
        Ok(())
    }
}

/// The pipeline of the run in `root`.
///
/// # Errors
/// A folder that is missing or holds no run, or a damaged file.
pub fn pipeline_of(root: &Path) -> Result<Pipeline> {
    let resolved = root.join(RESOLVED);
    let problem = match resolved.is_file() {
        true => return Ok(load(&resolved, &[])?),
        false if root.is_dir() => "the folder is no run directory",
        false if root.exists() => "a run directory is a folder, but this is a file",
        false => "there is no such folder",
    };
    let path = resolved.display();
    Err(Error::Usage(format!("{path} is not there: {problem}")))
}

/// Whether a path lies in one of the folders of the run in `root`, which a run that starts over removes.
pub fn is_own(root: &Path, path: &Path) -> bool {
    let path = place(path);
    let folders = FOLDERS.map(|folder| place(&root.join(folder)));
    folders.iter().any(|folder| path.starts_with(folder))
}

/// Where the weights of a finished stage are in the run directory `root`.
pub fn checkpoint(root: &Path, stage: &str) -> PathBuf {
    root.join(format!("checkpoints/{stage}.safetensors"))
}

/// Writes a file that appears whole or not at all.
///
/// # Errors
/// A full disk or a folder that cannot be written; an earlier file is then intact.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    write_whole(path, bytes).map_err(|e| Error::file(path, "write", e))
}

#[cfg(test)]
mod tests;
