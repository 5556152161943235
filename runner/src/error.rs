//! Everything a run can fail with, and what the process then exits with.

use std::path::{Path, PathBuf};

use samora_engine::io_reason;

use crate::data::error::DataError;
use crate::pipeline::Diagnostic;

/// Result of a runner call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything a run can fail with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The pipeline file or an override is wrong.
    #[error(transparent)]
    Pipeline(#[from] Diagnostic),
    /// The command line asks for something that cannot be.
    #[error("{0}")]
    Usage(String),
    /// Input data is missing or unusable.
    #[error(transparent)]
    Data(#[from] DataError),
    /// What was found wrong before the first step.
    #[error("{} found, see above; nothing was computed", problems(*.0))]
    Preflight(usize),
    /// Volumes that were not segmented.
    #[error("{failed} of {all} volumes were not segmented; see above")]
    Volumes {
        /// How many.
        failed: usize,
        /// Of how many.
        all: usize,
    },
    /// Graph, plan, weights, adapter or device.
    #[error(transparent)]
    Engine(#[from] samora_engine::Error),
    /// The operating system refused a file.
    #[error("{}: cannot {action}: {}", path.display(), io_reason(source))]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What was tried, such as `write`.
        action: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A run directory cannot be used for this run.
    #[error("{}: {problem}", path.display())]
    RunDirectory {
        /// The directory.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// Training went wrong, such as a loss that is no number.
    #[error("stage {stage}, step {step}: {problem}")]
    Training {
        /// Name of the stage.
        stage: String,
        /// Step from 0.
        step: usize,
        /// What happened and what to do.
        problem: String,
    },
    /// A finished stage diverged, which a later one noticed.
    #[error("stage {stage} diverged: {problem}")]
    Diverged {
        /// Name of the stage that diverged.
        stage: String,
        /// How it shows and what to do.
        problem: String,
    },
    /// The user stopped the run; its state is saved.
    #[error("interrupted; the state is saved, run the same command to go on")]
    Interrupted,
    /// The user stopped `predict`.
    #[error("interrupted; {}", kept(*finished, *all))]
    PredictInterrupted {
        /// Volumes whose label maps are written.
        finished: usize,
        /// Of how many.
        all: usize,
    },
}

/// Such as `1 problem was`.
fn problems(count: usize) -> String {
    match count {
        1 => "1 problem was".into(),
        _ => format!("{count} problems were"),
    }
}

impl Error {
    /// 2 for usage and configuration, 130 for an interruption, else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Pipeline(_) | Self::Usage(_) => 2,
            Self::Interrupted | Self::PredictInterrupted { .. } => 130,
            _ => 1,
        }
    }

    /// A failure of the operating system at `path`.
    pub fn file(path: &Path, action: &'static str, source: std::io::Error) -> Self {
        Self::File {
            path: path.to_path_buf(),
            action,
            source,
        }
    }
}

/// What is left of an interrupted prediction.
fn kept(finished: usize, all: usize) -> String {
    match finished {
        0 => "nothing was written".into(),
        _ => format!(
            "{finished} of {all} volumes are segmented; the same command goes on with the others"
        ),
    }
}
