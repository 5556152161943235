//! The graph: an append-only arena of nodes.

mod arena;
mod build;
mod lowering;

pub use arena::{Gradient, Graph, Node, Op, Phase, Source, SourceKind, Value};
pub use lowering::Lowering;
pub(crate) use lowering::ViewFn;
