//! Everything that can go wrong with input data.

use std::path::{Path, PathBuf};

use samora_engine::io_reason;

/// Result of a data call.
pub type Result<T, E = DataError> = std::result::Result<T, E>;

/// Everything that can go wrong with input data. Each message names the file and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The operating system refused.
    #[error("{}: cannot {action}: {}", path.display(), io_reason(source))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried, such as `read`.
        action: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A header field holds something unusable.
    #[error("{}: header field {field}: {problem}", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// Name of the field as its format's specification has it.
        field: &'static str,
        /// What it holds and what to do.
        problem: String,
    },
    /// The voxels of a file are unusable.
    #[error("{}: {problem}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// An image and a label that should belong together do not.
    #[error("image {} and label {}: {problem}", image.display(), label.display())]
    Pair {
        /// The image file.
        image: PathBuf,
        /// The label file.
        label: PathBuf,
        /// How they differ and what to do.
        problem: String,
    },
    /// A dataset declaration does not fit what is on disk.
    #[error("dataset {}: {problem}", root.display())]
    Dataset {
        /// The folder declared in the pipeline.
        root: PathBuf,
        /// What was looked for, what was found and what to do.
        problem: String,
    },
    /// Decoded slices cannot be written.
    #[error(
        "{}: cannot write slices of a data set that does not fit into memory: {}; free space there, or \
         give the run another place with --out",
        folder.display(),
        io_reason(source)
    )]
    Cache {
        /// The folder for them.
        folder: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A background thread that prepares batches failed.
    #[error("preparing batch {batch}: {problem}")]
    Loader {
        /// Number of the batch.
        batch: u64,
        /// What happened.
        problem: String,
    },
}

impl DataError {
    pub(crate) fn io(path: &Path, action: &'static str, source: std::io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            action,
            source,
        }
    }

    pub(crate) fn header(path: &Path, field: &'static str, problem: impl Into<String>) -> Self {
        Self::Header {
            path: path.to_owned(),
            field,
            problem: problem.into(),
        }
    }

    pub(crate) fn content(path: &Path, problem: impl Into<String>) -> Self {
        Self::Content {
            path: path.to_owned(),
            problem: problem.into(),
        }
    }

    pub(crate) fn dataset(root: &Path, problem: impl Into<String>) -> Self {
        Self::Dataset {
            root: root.to_owned(),
            problem: problem.into(),
        }
    }
}
