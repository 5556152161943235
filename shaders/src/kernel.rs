//! What a kernel is: one of four families.

use serde::{Deserialize, Serialize};

use crate::{Attention, Binding, Gemm, Map, Rows};

/// A kernel description: what to compute, for fixed shapes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Kernel {
    /// Pointwise expression over every element.
    Map(Map),
    /// Reduction along rows with a pointwise prologue and epilogue.
    Rows(Rows),
    /// Batched matrix product with a pointwise epilogue.
    Gemm(Gemm),
    /// Attention, forward or one of its backward passes, without the N×N matrix in memory.
    Attention(Attention),
}

impl Kernel {
    /// The buffers it is bound to.
    pub fn bindings(&self) -> &[Binding] {
        match self {
            Self::Map(k) => &k.bindings,
            Self::Rows(k) => &k.bindings,
            Self::Gemm(k) => &k.bindings,
            Self::Attention(k) => &k.bindings,
        }
    }
}
