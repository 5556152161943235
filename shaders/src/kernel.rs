//! What a kernel is: one of five families and the buffers it is bound to.

use serde::{Deserialize, Serialize};

use crate::{Attention, Gemm, Map, Rows};

/// Element type of a buffer. Arithmetic is always f32; u32 buffers hold labels and indices, f16 buffers what
/// products are rounded to anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BufferType {
    /// 32-bit float.
    F32,
    /// 32-bit unsigned integer.
    U32,
    /// 16-bit float.
    F16,
}

/// One storage buffer of a kernel, bound at `@group(0) @binding(index in the list)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Binding {
    /// Element type.
    pub ty: BufferType,
    /// Whether the kernel writes it. A buffer that is both read and written is listed once, as
    /// written: WebGPU forbids binding it read-only beside that.
    pub write: bool,
}

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
