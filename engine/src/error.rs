//! Everything that can go wrong in the engine.

use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Result of an engine call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong in the engine. Each variant says where and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An op was given operands it cannot take.
    #[error("{op} at {scope}: {message}")]
    Graph {
        /// Name of the op.
        op: &'static str,
        /// Scope path of the node, such as `image_encoder.blocks.3.attn`.
        scope: String,
        /// What is wrong, with the shapes.
        message: String,
    },
    /// A tensor's data does not fit its name's declaration.
    #[error("tensor {name}: {message}")]
    Tensor {
        /// Full name of the tensor.
        name: String,
        /// What is wrong, with the shapes.
        message: String,
    },
    /// A weight file cannot be read or written.
    #[error("{path}: {message}")]
    File {
        /// The file.
        path: String,
        /// What is wrong.
        message: String,
    },
    /// No usable adapter, or one that lacks what a plan needs.
    #[error("adapter: {0}")]
    Adapter(String),
    /// The device failed: validation, out of memory or lost.
    #[error("device: {0}")]
    Device(String),
    /// A plan does not fit the adapter.
    #[error("plan: {0}")]
    Plan(String),
    /// A kernel needs more than the adapter offers.
    #[error(
        "plan: {label} needs {needed} {what}, the adapter offers {offered}; reduce the batch or the image size, \
         recompute more in the backward pass, or choose another adapter with --adapter"
    )]
    Limit {
        /// Scope path and op.
        label: String,
        /// What is limited, with its unit.
        what: &'static str,
        /// How much of it the kernel needs.
        needed: u64,
        /// How much of it there is.
        offered: u64,
    },
}

/// Why the operating system refused, without its numbers.
pub fn io_reason(error: &io::Error) -> String {
    let text = match error.kind() {
        ErrorKind::NotFound => "it does not exist",
        ErrorKind::PermissionDenied => "the permission is missing",
        ErrorKind::IsADirectory => "it is a folder",
        ErrorKind::NotADirectory => "a part of its path is a file, not a folder",
        ErrorKind::AlreadyExists => "it exists already",
        ErrorKind::StorageFull => "the disk is full",
        ErrorKind::QuotaExceeded => "the quota of the disk is used up",
        ErrorKind::ReadOnlyFilesystem => "its disk can only be read",
        ErrorKind::UnexpectedEof => "it ends too early; copy it again",
        _ => {
            let text = error.to_string();
            let words = text.split(" (os error").next();
            return words.unwrap_or_default().to_string();
        }
    };
    text.to_string()
}

/// What is wrong with a file.
pub(crate) fn file_error(path: &Path, message: &dyn Display) -> Error {
    Error::File {
        path: path.display().to_string(),
        message: message.to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_words_without_numbers() {
        let missing = std::fs::read("/there/is/no/such/file").unwrap_err();
        assert_eq!(io_reason(&missing), "it does not exist");
        let other = io::Error::from_raw_os_error(5);
        assert!(!io_reason(&other).contains("os error"), "{other}");
        assert_eq!(io_reason(&io::Error::other("odd (7)")), "odd (7)");
    }
}
