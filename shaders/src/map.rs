//! Pointwise kernels: any fused DAG of scalars, once per element.

use serde::{Deserialize, Serialize};

use crate::{Binding, Expr, Id, Leaf};

/// A fused pointwise kernel over `len` elements.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Map {
    /// Number of elements.
    pub len: usize,
    /// Buffers.
    pub bindings: Vec<Binding>,
    /// Inputs of the expression.
    pub leaves: Vec<Leaf>,
    /// The arithmetic.
    pub expr: Expr,
    /// What is stored, contiguously: element `i` of the buffer gets the value at element `i`.
    pub outputs: Vec<Output>,
}

/// A stored value of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Index into the bindings. A leaf that reads the same binding must be an identity
    /// [`crate::Access::Strided`]: the update is then in place.
    pub buffer: usize,
    /// Which node of the expression.
    pub value: Id,
}
