//! The run directory: one folder that explains itself and from which a run goes on.
//!
//! ```text
//! resolved.ron               the pipeline with everything spelled out; running it repeats the run
//! provenance.json            adapter, driver, seed, versions, hashes
//! events.jsonl               one line for each logged step
//! checkpoints/STAGE.safetensors        what a finished stage trained
//! checkpoints/STAGE.state.safetensors  where an unfinished stage stands
//! curves/STAGE.png           loss over steps
//! overlays/                  test slices with prediction and truth as contours
//! summary.json, summary.csv  the result
//! ```

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use samora_engine::Tensor;
use samora_engine::weights::Weights;

use crate::error::{Error, Result};
use crate::pipeline::{Pipeline, differences, to_ron};
use crate::whole_file::write_whole;

/// What a run writes; `--fresh` removes exactly this.
const FILES: [&str; 5] = [
    "resolved.ron",
    "provenance.json",
    "events.jsonl",
    "summary.json",
    "summary.csv",
];
const FOLDERS: [&str; 4] = ["checkpoints", "curves", "overlays", "splits"];
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
    /// Opens `root` for a run of `pipeline`, creating it if needed. An earlier run of the same
    /// pipeline is continued, or removed first if `fresh`.
    ///
    /// # Errors
    /// A directory that cannot be written, is in use, holds something else, or belongs to another
    /// pipeline (the message says in which keys it differs).
    pub fn open(root: &Path, pipeline: &Pipeline, fresh: bool) -> Result<Self> {
        std::fs::create_dir_all(root).map_err(|e| Error::file(root, "create the folder", e))?;
        let refuse = |problem: String| Error::RunDirectory {
            path: root.to_path_buf(),
            problem,
        };
        let resolved_path = root.join("resolved.ron");
        if !resolved_path.exists() && holds_something(root)? {
            return Err(refuse(
                "is neither empty nor a run directory; choose another with --out".into(),
            ));
        }
        let run = Self {
            root: root.to_path_buf(),
            _lock: lock(root)?,
        };
        if fresh {
            run.clear()?;
        }
        let resolved = to_ron(pipeline)?;
        if resolved_path.exists() {
            let found = std::fs::read_to_string(&resolved_path)
                .map_err(|e| Error::file(&resolved_path, "read", e))?;
            let differences = differences(&found, &resolved);
            // A run that has saved nothing yet, such as one whose data was not found, has nothing to
            // lose.
            if !differences.is_empty() && !run.has_checkpoints() {
                run.clear()?;
            } else if !differences.is_empty() {
                return Err(refuse(format!(
                    "holds a run of another configuration, which differs in:\n  {}\n\
                     give --fresh to start over, or --out for another directory, with --reuse {} \
                     to keep its first stages that are the same",
                    differences.join("\n  "),
                    root.display()
                )));
            }
        }
        for folder in FOLDERS {
            let path = root.join(folder);
            std::fs::create_dir_all(&path)
                .map_err(|e| Error::file(&path, "create the folder", e))?;
        }
        run.write("resolved.ron", resolved.as_bytes())?;
        Ok(run)
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path inside the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
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

    /// Takes over what another run trained in the stages that are the same in both pipelines, and returns how many
    /// those are.
    ///
    /// # Errors
    /// A damaged checkpoint there, a full disk here.
    pub fn take_over(
        &self,
        pipeline: &Pipeline,
        (root, other): (&Path, &Pipeline),
    ) -> Result<usize> {
        let mut taken = 0;
        for stage in shared(pipeline, other) {
            let trained = checkpoint(root, stage);
            if trained.exists() && !self.is_trained(stage) {
                self.finish(stage, &Weights::read(&trained)?)?;
                eprintln!("{stage}: as in {}", root.display());
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

    fn has_checkpoints(&self) -> bool {
        let folder = self.path(FOLDERS[0]).read_dir();
        folder.is_ok_and(|mut files| files.next().is_some())
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

/// The stages whose result is the same in both pipelines: the first ones, as far as they are equal,
/// when all else but the name is.
fn shared<'a>(one: &'a Pipeline, other: &Pipeline) -> Vec<&'a str> {
    let renamed = Pipeline {
        name: one.name.clone(),
        stages: one.stages.clone(),
        ..other.clone()
    };
    if renamed != *one {
        return Vec::new();
    }
    let pairs = one.stages.iter().zip(&other.stages);
    let equal = pairs.take_while(|(a, b)| a == b);
    equal.map(|(stage, _)| stage.name()).collect()
}

fn holds_something(root: &Path) -> Result<bool> {
    let entries = std::fs::read_dir(root).map_err(|e| Error::file(root, "list", e))?;
    let foreign = |entry: std::fs::DirEntry| entry.file_name() != LOCK;
    Ok(entries.flatten().any(foreign))
}

fn lock(root: &Path) -> Result<File> {
    let path = root.join(LOCK);
    let file = File::create(&path).map_err(|e| Error::file(&path, "write", e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::RunDirectory {
            path: root.to_path_buf(),
            problem:
                "another run is using this directory; wait for it or choose another with --out"
                    .into(),
        }),
        Err(TryLockError::Error(e)) => Err(Error::file(&path, "lock", e)),
    }
}

#[cfg(test)]
mod tests;
