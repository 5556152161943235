//! Everything that can go wrong in the engine.

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
}
