//! What emission gives.

use serde::{Deserialize, Serialize};

use crate::Binding;
use crate::wgsl::Module;

/// An emitted module.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shader {
    /// Short family name with the shape, for plans and profiles, such as `gemm 1x392x768x768`.
    pub name: String,
    /// Which of the [`crate::variants`] it is, such as `shared 64x64x32 8x8`; empty where a family has one.
    pub variant: String,
    /// WGSL text; the entry point is `main`.
    pub source: String,
    /// Workgroups to dispatch.
    pub grid: [u32; 3],
    /// What is bound at `@group(0)`: storage buffers, but for `textures`.
    pub bindings: Vec<Binding>,
    /// Bindings that are bound as a storage texture to read, of format `rgba32float`, with the buffer's
    /// contents, row after row of [`crate::TEXTURE_WIDTH`] texels.
    pub textures: Vec<usize>,
}

impl Shader {
    pub(super) fn new(name: String, module: Module, grid: [u32; 3], bindings: &[Binding]) -> Self {
        Self {
            name,
            variant: String::new(),
            source: module.source,
            grid,
            bindings: bindings.to_vec(),
            textures: module.textures,
        }
    }
}
