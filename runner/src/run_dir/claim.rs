//! Taking a directory for a run, before anything in it is changed.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use super::{FOLDERS, LOCK, RESOLVED, RunDir, is_own};
use crate::error::{Error, Result};
use crate::pipeline::{Pipeline, differences, named_paths, to_ron};

/// A directory that is locked for a run and fits it, in which nothing is changed yet. One that was made for it is
/// removed when it is dropped.
#[derive(Debug)]
pub struct Claim {
    made: Option<Made>,
    run: RunDir,
    /// The pipeline as `resolved.ron` will hold it.
    resolved: String,
    /// Whether what an earlier run left is removed first.
    clears: bool,
}

/// A directory that was made for a claim, which goes with it if no run begins in it.
#[derive(Debug)]
struct Made(PathBuf);

impl Drop for Made {
    fn drop(&mut self) {
        // Only an empty one goes; what stays is harmless.
        std::fs::remove_file(self.0.join(LOCK)).ok();
        std::fs::remove_dir(&self.0).ok();
    }
}

impl Claim {
    /// Locks `root` for a run of `pipeline`, creating it if needed. An earlier run of the same pipeline will be
    /// continued, or removed first if `fresh`.
    ///
    /// # Errors
    /// A directory that cannot be written, is in use, holds something else, or belongs to another pipeline (the
    /// message says in which keys it differs); a file that the pipeline reads and `fresh` would remove.
    pub fn new(root: &Path, pipeline: &Pipeline, fresh: bool) -> Result<Self> {
        let made = (!root.exists()).then(|| Made(root.to_owned()));
        std::fs::create_dir_all(root).map_err(|e| Error::file(root, "create the folder", e))?;
        let refuse = |problem: String| Error::RunDirectory {
            path: root.to_path_buf(),
            problem,
        };
        let resolved_path = root.join(RESOLVED);
        if !resolved_path.exists() && holds_something(root)? {
            return Err(refuse(
                "is neither empty nor a run directory; choose another with --out".into(),
            ));
        }
        let run = RunDir {
            root: root.to_path_buf(),
            _lock: lock(root)?,
        };
        let resolved = to_ron(pipeline)?;
        let mut clears = fresh;
        if resolved_path.exists() && !fresh {
            let found = std::fs::read_to_string(&resolved_path)
                .map_err(|e| Error::file(&resolved_path, "read", e))?;
            let differences = differences(&found, &resolved);
            // A run that has saved nothing yet, such as one whose data was not found, has nothing to
            // lose.
            clears = !differences.is_empty() && !run.has_results();
            if !differences.is_empty() && !clears {
                return Err(refuse(format!(
                    "holds a run of another configuration, which differs in:\n  {}\n\
                     give --fresh to start over, or --out for another directory, with --reuse {} \
                     to keep its stages that are the same",
                    differences.join("\n  "),
                    root.display()
                )));
            }
        }
        let mut read = named_paths(&resolved).into_iter();
        if clears && let Some(path) = read.find(|path| is_own(root, path)) {
            return Err(refuse(format!(
                "starting over would remove {}, which the pipeline reads; move it to another place",
                path.display()
            )));
        }
        Ok(Self {
            made,
            run,
            resolved,
            clears,
        })
    }

    /// Whether what an earlier run left will be removed.
    pub fn clears(&self) -> bool {
        self.clears
    }

    /// Whether a training stage is finished and will be kept.
    pub fn is_trained(&self, stage: &str) -> bool {
        !self.clears && self.run.is_trained(stage)
    }

    /// Opens the directory for the run, which is the first change of what it holds: whatever else the run needs
    /// should have been opened by then.
    ///
    /// # Errors
    /// A full disk, or a directory that cannot be written.
    pub fn begin(self) -> Result<RunDir> {
        let Self {
            made,
            run,
            resolved,
            clears,
        } = self;
        std::mem::forget(made);
        if clears {
            run.clear()?;
        }
        for folder in FOLDERS {
            let path = run.path(folder);
            std::fs::create_dir_all(&path)
                .map_err(|e| Error::file(&path, "create the folder", e))?;
        }
        run.write(RESOLVED, resolved.as_bytes())?;
        Ok(run)
    }
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
