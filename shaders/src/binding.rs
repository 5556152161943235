//! The buffers of a kernel.

use serde::{Deserialize, Serialize};

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
